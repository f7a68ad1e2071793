//! The server of a masked sum, as a state machine.

use crate::keys::{commitment, pair_seed};
use crate::mask::{self, Sign};
use crate::member::sign;
use crate::shamir::{self, Secret};
use crate::{FromMember, Opened, PublicKeys, RingVector, Sealed, Setting, ToMember};
use primitives::SiloId;
use std::collections::{BTreeMap, BTreeSet};
use x25519_dalek::{PublicKey, StaticSecret};

/// Takes a sum through its steps. Whoever drives it says when a step is over: when it [waits](Self::is_step_complete) for
/// nobody, or when there was time enough.
#[derive(Clone, Debug)]
pub struct Collector {
    setting: Setting,
    step: Step,
    /// Those still in.
    members: BTreeSet<SiloId>,
    /// Those who have answered the step under way.
    answered: BTreeSet<SiloId>,
    /// Those whose summands are in and who will not help to take masks off.
    silent: BTreeSet<SiloId>,
    keys: BTreeMap<SiloId, PublicKeys>,
    /// By whom, for whom.
    sealed: BTreeMap<SiloId, BTreeMap<SiloId, Sealed>>,
    /// Those who hold each other's shares: a summand carries a mask with each of them.
    sharers: BTreeSet<SiloId>,
    opened: BTreeMap<SiloId, Opened>,
    sum: RingVector,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Keys,
    Shares,
    Summands,
    Opening,
    Done,
}

/// An answer that is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberRefusal {
    /// It belongs to a step that has not come.
    #[error("the answer belongs to a step of the sum that is not under way")]
    OutOfTurn,
    /// It does not name whom it should name, or a vector is of another length.
    #[error("the answer does not fit the silos or the length of the sum")]
    Misfit,
}

/// A step that too few have answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{left} silos are left in the masked sum, at least {threshold} are needed to take the masks off"
)]
pub struct TooFew {
    /// Those left.
    pub left: usize,
    /// The threshold.
    pub threshold: usize,
}

/// Opened shares that do not make the secret that this member has committed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the shares of {0}'s secret do not fit what it has shown: a silo has sent a wrong share")]
pub struct WrongShares(pub SiloId);

impl Collector {
    /// A sum of `length` integers over `members`.
    pub fn new(setting: Setting, members: BTreeSet<SiloId>, length: usize) -> Self {
        Self {
            setting,
            step: Step::Keys,
            members,
            answered: BTreeSet::new(),
            silent: BTreeSet::new(),
            keys: BTreeMap::new(),
            sealed: BTreeMap::new(),
            sharers: BTreeSet::new(),
            opened: BTreeMap::new(),
            sum: RingVector::zeros(length),
        }
    }

    /// Whether everybody who is in has answered.
    pub fn is_step_complete(&self) -> bool {
        self.members.len() == self.answered.len() + self.silent.len()
    }

    /// Whether a summand of `silo` would be added.
    pub fn awaits_summand(&self, silo: SiloId) -> bool {
        self.step == Step::Summands
            && self.members.contains(&silo)
            && !self.answered.contains(&silo)
    }

    /// Whether summands are what the step under way takes.
    pub fn is_summing(&self) -> bool {
        self.step == Step::Summands
    }

    /// Whose summands are in the sum; everybody who has given one.
    pub fn survivors(&self) -> &BTreeSet<SiloId> {
        match self.step {
            Step::Summands => &self.answered,
            _ => &self.members,
        }
    }

    /// Waits no longer for somebody who has not answered the step under way. A summand that is in stays in.
    pub fn put_out(&mut self, silo: SiloId) {
        if self.answered.contains(&silo) {
            return;
        }
        if self.step < Step::Opening {
            self.members.remove(&silo);
        } else if self.members.contains(&silo) {
            self.silent.insert(silo);
        }
    }

    /// Takes in an answer of `from`; says whether it is new: one that was taken before changes nothing.
    ///
    /// # Errors
    /// If it is not what the step under way asks for.
    pub fn handle(&mut self, from: SiloId, answer: FromMember) -> Result<bool, MemberRefusal> {
        let of = match &answer {
            FromMember::Keys(_) => Step::Keys,
            FromMember::Shares(_) => Step::Shares,
            FromMember::Opened(_) => Step::Opening,
        };
        if of > self.step {
            return Err(MemberRefusal::OutOfTurn);
        }
        // Late, repeated, or of somebody who is out.
        if of < self.step || !self.members.contains(&from) || self.answered.contains(&from) {
            return Ok(false);
        }
        match answer {
            FromMember::Keys(keys) => {
                self.keys.insert(from, keys);
            }
            FromMember::Shares(sealed) => {
                let others = self.keys.keys().filter(|&&silo| silo != from);
                if !sealed.keys().eq(others) {
                    return Err(MemberRefusal::Misfit);
                }
                self.sealed.insert(from, sealed);
            }
            FromMember::Opened(opened) => {
                let gone = self.sharers.difference(&self.members);
                if !opened.own_masks.keys().eq(&self.members) || !opened.mask_keys.keys().eq(gone) {
                    return Err(MemberRefusal::Misfit);
                }
                self.opened.insert(from, opened);
            }
        }
        self.silent.remove(&from);
        Ok(self.answered.insert(from))
    }

    /// Adds the masked summand of `from`; says whether it is new: one that was added before is not added again.
    ///
    /// # Errors
    /// If summands are not asked for yet, or it is of another length.
    pub fn add(&mut self, from: SiloId, summand: &RingVector) -> Result<bool, MemberRefusal> {
        if self.step < Step::Summands {
            return Err(MemberRefusal::OutOfTurn);
        }
        if !self.awaits_summand(from) {
            return Ok(false);
        }
        if summand.len() != self.sum.len() {
            return Err(MemberRefusal::Misfit);
        }
        self.sum.add(summand);
        Ok(self.answered.insert(from))
    }

    /// Ends the step under way with those who have answered, and says what to tell whom.
    ///
    /// # Errors
    /// If they are too few to go on.
    pub fn advance(&mut self) -> Result<Vec<(SiloId, ToMember)>, TooFew> {
        let (left, threshold) = (self.answered.len(), self.setting.threshold);
        if left < threshold {
            return Err(TooFew { left, threshold });
        }
        // In the last step those who do not answer are survivors all the same: their summands are in.
        if self.step != Step::Opening {
            self.members = std::mem::take(&mut self.answered);
        }
        self.step = match self.step {
            Step::Keys => Step::Shares,
            Step::Shares => {
                self.sharers.clone_from(&self.members);
                Step::Summands
            }
            Step::Summands => Step::Opening,
            Step::Opening | Step::Done => Step::Done,
        };
        let tell = |&silo: &SiloId| Some((silo, self.message_for(silo)?));
        Ok(self.members.iter().filter_map(tell).collect())
    }

    /// What `silo` was told last, for one that has lost it; nothing if it is out or was told nothing.
    pub fn message_for(&self, silo: SiloId) -> Option<ToMember> {
        if !self.members.contains(&silo) {
            return None;
        }
        match self.step {
            Step::Keys => Some(ToMember::Begin),
            Step::Done => None,
            Step::Shares => Some(ToMember::Keys(self.keys.clone())),
            Step::Summands => {
                let for_silo = |(&from, sealed): (&SiloId, &BTreeMap<SiloId, Sealed>)| {
                    Some((from, sealed.get(&silo)?.clone()))
                };
                let sealed = self.sealed.iter().filter_map(for_silo).collect();
                Some(ToMember::Shares(sealed))
            }
            Step::Opening => Some(ToMember::Survivors(self.members.clone())),
        }
    }

    /// Whether the masks can be taken off.
    pub fn is_done(&self) -> bool {
        self.step == Step::Done
    }

    /// The sum of the survivors' summands. Time: one keystream a survivor, and one for each pair of a survivor and one
    /// who has shared and dropped out.
    ///
    /// # Errors
    /// If opened shares do not make the secrets that their owners have shown.
    ///
    /// # Panics
    /// If the last step is [not over](Self::is_done).
    pub fn unmask(&self) -> Result<RingVector, WrongShares> {
        assert!(self.is_done(), "masks are taken off after the last step");
        let mut sum = self.sum.clone();
        for &silo in &self.members {
            let own = self.join(|opened| opened.own_masks.get(&silo));
            if commitment(&own) != self.keys[&silo].own_mask {
                return Err(WrongShares(silo));
            }
            mask::add(Sign::Minus, &own, &mut sum);
        }
        for &gone in self.sharers.difference(&self.members) {
            let key = StaticSecret::from(self.join(|opened| opened.mask_keys.get(&gone)));
            let wrong = WrongShares(gone);
            if PublicKey::from(&key).to_bytes() != self.keys[&gone].mask {
                return Err(wrong);
            }
            for &silo in &self.members {
                let theirs = &self.keys[&silo].mask;
                let seed = pair_seed(&key, theirs, &self.setting, (gone, silo)).ok_or(wrong)?;
                mask::add(sign(silo, gone).other(), &seed, &mut sum);
            }
        }
        Ok(sum)
    }

    /// A secret from the first shares of it, in the order of ids.
    fn join<'a>(&'a self, share: impl Fn(&'a Opened) -> Option<&'a [u8; 32]>) -> Secret {
        // The place of a member is its rank among those whose keys were shown.
        let places = (1..=u8::MAX).zip(self.keys.keys());
        let shares = places.filter_map(|(place, silo)| {
            let share = share(self.opened.get(silo)?)?;
            Some((place, *share))
        });
        shamir::join(&shares.take(self.setting.threshold).collect::<Vec<_>>())
    }
}
