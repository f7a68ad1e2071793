//! A member of a masked sum, as a state machine.
//!
//! The protocol is that of Bonawitz et al. 2017, "Practical Secure Aggregation for Privacy-Preserving Machine
//! Learning" (CCS 2017, figure 4), without its fourth step:
//!
//! | step | member | server |
//! |---|---|---|
//! | keys | shows its [`PublicKeys`] | shows everybody those of everybody who came |
//! | shares | seals a Shamir share of its mask key and of its own mask's seed for each of them | hands them on |
//! | summand | adds its own mask and one for each pair | adds up what comes |
//! | opening | gives its share of the *own* mask of everyone whose summand came, and of the mask *key* of everyone else | joins the shares and takes off what is left |
//!
//! **What holds.** A server that follows the protocol, whatever it keeps and whoever shows it what, learns the sum and
//! nothing else, as long as fewer than the threshold of members tell it what they know. A server that does not follow it
//! can tell different members different stories about who has dropped out, to open both secrets of one of them. Against
//! that a member opens once a round and one of the two for each other, and the threshold is more than half of the members,
//! so two stories never gather enough shares ([`Setting::suits`]): with `c` members on the server's side that takes
//! `2 threshold > members + c`. What it can still do is make the sum fail; put keys of its own in the place of a
//! member's (only keys that members have certified to each other beforehand prevent that, the signatures of the paper's
//! active variant, which are not built); and leave members out, so that the sum is over fewer: never fewer than the threshold.

use crate::keys::{self, Secrets};
use crate::mask::{Masks, Sign};
use crate::shamir::{self, Share};
use crate::{MOST_MEMBERS, PublicKeys, RoundSecret, Sealed, Setting};
use primitives::SiloId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What the server says to one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToMember {
    /// A sum begins: keys are asked for.
    Begin,
    /// Who takes part, with their keys.
    Keys(BTreeMap<SiloId, PublicKeys>),
    /// What the others have sealed for it.
    Shares(BTreeMap<SiloId, Sealed>),
    /// Whose summands have come.
    Survivors(BTreeSet<SiloId>),
}

/// What a member says to the server, besides its summand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FromMember {
    /// Its keys.
    Keys(PublicKeys),
    /// Shares for the others.
    Shares(BTreeMap<SiloId, Sealed>),
    /// What takes the masks off.
    Opened(Opened),
}

/// What a member gives of the others' secrets, one share each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Shares of the own masks of those whose summands have come.
    pub own_masks: BTreeMap<SiloId, Share>,
    /// Shares of the mask keys of those whose have not.
    pub mask_keys: BTreeMap<SiloId, Share>,
}

/// Something that the server asks and a member does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// The list of keys lacks the member's own, or has another in its place.
    #[error("the list of keys does not have this silo's own key")]
    NotMyKey,
    /// Two members show the same key.
    #[error("{0} shows a key that another silo shows too, or that is no proper key")]
    BadKey(SiloId),
    /// Too few to hide among, or more than there are places.
    #[error(
        "{members} silos take part; a sum with threshold {threshold} takes {threshold} to {most}"
    )]
    Members {
        /// How many take part.
        members: usize,
        /// The threshold.
        threshold: usize,
        /// The most that leave the threshold a majority.
        most: usize,
    },
    /// Shares that were not sealed by whom the server says.
    #[error("the shares of {0} are not what it has sealed")]
    BadShares(SiloId),
    /// The step does not come now, or came before with other content.
    #[error("this step of the sum does not come now, or came before with another content")]
    OutOfTurn,
    /// A sum that was begun with secrets that are gone.
    #[error(
        "the secrets of this sum are not known any more: they are kept in the memory of one process, for one sum a round"
    )]
    Forgotten,
    /// A list of survivors that names somebody else, or lacks this member.
    #[error("the list of survivors does not fit the silos that have shared, or lacks this one")]
    Survivors,
}

/// A member of one sum.
pub struct Member {
    silo: SiloId,
    setting: Setting,
    secrets: Secrets,
    state: State,
}

enum State {
    Fresh,
    /// It has sealed shares for these.
    Shared {
        keys: BTreeMap<SiloId, PublicKeys>,
        sealed: BTreeMap<SiloId, Sealed>,
        /// Its own shares of its own secrets.
        mine: (Share, Share),
    },
    /// It holds the shares of these.
    Masked {
        shares: BTreeMap<SiloId, (Share, Share)>,
        received: BTreeMap<SiloId, Sealed>,
        opened: Option<(BTreeSet<SiloId>, Opened)>,
    },
}

impl Member {
    /// A member that has said nothing yet.
    pub fn new(silo: SiloId, setting: Setting, secret: &RoundSecret) -> Self {
        Self {
            silo,
            setting,
            secrets: Secrets::new(secret, &setting),
            state: State::Fresh,
        }
    }

    /// Whether nothing has been sealed yet.
    pub const fn has_only_shown_keys(&self) -> bool {
        matches!(self.state, State::Fresh)
    }

    /// What it says first.
    pub fn keys(&self) -> FromMember {
        FromMember::Keys(self.secrets.public())
    }

    /// Seals shares for everybody on the list. The same list again gives the same shares again.
    ///
    /// # Errors
    /// If the list is not one that it may share with, or comes out of turn.
    pub fn share(&mut self, keys: BTreeMap<SiloId, PublicKeys>) -> Result<FromMember, MemberError> {
        match &self.state {
            State::Fresh => {}
            State::Shared {
                keys: before,
                sealed,
                ..
            } if *before == keys => return Ok(FromMember::Shares(sealed.clone())),
            State::Shared { .. } | State::Masked { .. } => return Err(MemberError::OutOfTurn),
        }
        self.check(&keys)?;
        let places = || (1..=u8::MAX).take(keys.len());
        let threshold = self.setting.threshold;
        // A mask key is a scalar before clamping: its bytes are what is shared and what makes it anew.
        let mask_key = self.secrets.mask.to_bytes();
        let rng = &mut self.secrets.sharing;
        let of_key = shamir::split(&mask_key, threshold, places(), rng);
        let of_own = shamir::split(&self.secrets.own_mask, threshold, places(), rng);
        let mut sealed = BTreeMap::new();
        let mut mine = None;
        for ((&silo, theirs), shares) in keys.iter().zip(of_key.into_iter().zip(of_own)) {
            if silo == self.silo {
                mine = Some(shares);
                continue;
            }
            let way = (self.silo, silo);
            let seal = keys::seal(&self.secrets.seal, &theirs.seal, &self.setting, way, shares);
            sealed.insert(silo, seal.ok_or(MemberError::BadKey(silo))?);
        }
        self.state = State::Shared {
            keys,
            sealed: sealed.clone(),
            mine: mine.ok_or(MemberError::NotMyKey)?,
        };
        Ok(FromMember::Shares(sealed))
    }

    fn check(&self, keys: &BTreeMap<SiloId, PublicKeys>) -> Result<(), MemberError> {
        if keys.get(&self.silo) != Some(&self.secrets.public()) {
            return Err(MemberError::NotMyKey);
        }
        self.check_size(keys.len())?;
        let mut seen = BTreeSet::new();
        for (&silo, keys) in keys {
            if !seen.insert(keys.mask) || !seen.insert(keys.seal) {
                return Err(MemberError::BadKey(silo));
            }
        }
        Ok(())
    }

    fn check_size(&self, members: usize) -> Result<(), MemberError> {
        if self.setting.suits(members) {
            return Ok(());
        }
        let threshold = self.setting.threshold;
        Err(MemberError::Members {
            members,
            threshold,
            most: (2 * threshold).saturating_sub(1).min(MOST_MEMBERS),
        })
    }

    /// Takes in the shares that others have sealed for it, and gives the masks of its summand: with those whose
    /// shares it holds. Nothing if it has them already.
    ///
    /// # Errors
    /// If a share was not sealed by whom it is said to be of, too few have shared, or it comes out of turn.
    pub fn receive(
        &mut self,
        received: BTreeMap<SiloId, Sealed>,
    ) -> Result<Option<Masks>, MemberError> {
        let (keys, mine) = match &self.state {
            State::Shared { keys, mine, .. } => (keys, *mine),
            State::Masked {
                received: before, ..
            } if *before == received => return Ok(None),
            State::Fresh | State::Masked { .. } => return Err(MemberError::OutOfTurn),
        };
        // The threshold is a majority of all who were shared with: whom of them the server hands on is its choice.
        if received.len() + 1 < self.setting.threshold {
            self.check_size(received.len() + 1)?;
        }
        let mut shares = BTreeMap::from([(self.silo, mine)]);
        let mut seeds = vec![(Sign::Plus, self.secrets.own_mask)];
        for (&silo, sealed) in &received {
            let bad = MemberError::BadShares(silo);
            let theirs = keys.get(&silo).filter(|_| silo != self.silo).ok_or(bad)?;
            let way = (silo, self.silo);
            let opened = keys::unseal(&self.secrets.seal, &theirs.seal, &self.setting, way, sealed);
            shares.insert(silo, opened.ok_or(bad)?);
            let pair = (self.silo, silo);
            let seed = keys::pair_seed(&self.secrets.mask, &theirs.mask, &self.setting, pair);
            seeds.push((
                sign(self.silo, silo),
                seed.ok_or(MemberError::BadKey(silo))?,
            ));
        }
        self.state = State::Masked {
            shares,
            received,
            opened: None,
        };
        Ok(Some(Masks::new(seeds)))
    }

    /// Gives one share of each member's secrets: of the own mask of a survivor, of the mask key of anybody else. Once: the
    /// same survivors again give the same shares again, others are refused.
    ///
    /// # Errors
    /// If the survivors are fewer than the threshold, or not of those whose shares it holds, or others than before.
    pub fn open(&mut self, survivors: &BTreeSet<SiloId>) -> Result<FromMember, MemberError> {
        let State::Masked { shares, opened, .. } = &mut self.state else {
            return Err(MemberError::OutOfTurn);
        };
        if let Some((before, opened)) = opened {
            if before == survivors {
                return Ok(FromMember::Opened(opened.clone()));
            }
            return Err(MemberError::OutOfTurn);
        }
        let known = survivors.iter().all(|silo| shares.contains_key(silo));
        if !known || !survivors.contains(&self.silo) || survivors.len() < self.setting.threshold {
            return Err(MemberError::Survivors);
        }
        let mut given = Opened::default();
        for (&silo, &(key, own)) in shares.iter() {
            if survivors.contains(&silo) {
                given.own_masks.insert(silo, own);
            } else {
                given.mask_keys.insert(silo, key);
            }
        }
        *opened = Some((survivors.clone(), given.clone()));
        Ok(FromMember::Opened(given))
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Fresh => "keys shown",
            State::Shared { .. } => "shared",
            State::Masked { opened: None, .. } => "masked",
            State::Masked { .. } => "opened",
        };
        write!(f, "Member({}, {state})", self.silo)
    }
}

/// Of two members the one with the lower id adds their mask and the other takes it off.
pub(crate) fn sign(mine: SiloId, theirs: SiloId) -> Sign {
    if mine < theirs {
        Sign::Plus
    } else {
        Sign::Minus
    }
}
