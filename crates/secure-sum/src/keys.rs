//! A member's secrets and what it shows of them.
//!
//! All of a member's randomness in a round comes from one [`RoundSecret`] of 32 bytes, by HKDF-SHA256 (RFC 5869) with
//! a label for each purpose and the sum's context as salt. In a simulation that secret is drawn from a seeded
//! stream, in a deployment from the operating system: nothing else differs, and the sum not at all.

use crate::MOST_MEMBERS;
use crate::shamir::{Secret, Share};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use hkdf::Hkdf;
use primitives::SiloId;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;
use x25519_dalek::{PublicKey, StaticSecret};

/// What all parties of one sum agree on beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Names this sum and no other: a digest of plan, round and attempt. Keys of one context say nothing in another.
    pub context: [u8; 32],
    /// How many members must answer at every step, and how many shares open a secret.
    pub threshold: usize,
}

impl Setting {
    /// Whether a sum over `members` can be both recovered and kept: more than half of them, so that no two
    /// disjoint groups of honest members can open the two secrets of one member, and at most all.
    pub const fn suits(&self, members: usize) -> bool {
        members <= MOST_MEMBERS && self.threshold <= members && 2 * self.threshold > members
    }
}

/// The 32 bytes from which everything that a member draws in a round follows. Never sent; not shown by `Debug`.
#[derive(Clone)]
pub struct RoundSecret([u8; 32]);

impl RoundSecret {
    /// From bytes that nobody else can know.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    fn derive(&self, setting: &Setting, label: &[u8]) -> Secret {
        derive(&self.0, setting, &[label])
    }
}

impl fmt::Debug for RoundSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoundSecret(…)")
    }
}

/// What a member shows to all others through the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKeys {
    /// X25519 key of the masks that it shares with each other member.
    pub mask: [u8; 32],
    /// X25519 key under which shares are sealed for it.
    pub seal: [u8; 32],
    /// SHA-256 of the seed of its own mask, so that a wrong share is found out before it spoils a sum.
    pub own_mask: [u8; 32],
}

/// Two shares on their way from one member to another, readable by that one alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed(Vec<u8>);

/// A member's secrets of one round.
pub(crate) struct Secrets {
    pub(crate) mask: StaticSecret,
    pub(crate) seal: StaticSecret,
    pub(crate) own_mask: Secret,
    /// Draws the coefficients of its shares.
    pub(crate) sharing: ChaCha20Rng,
}

impl Secrets {
    pub(crate) fn new(secret: &RoundSecret, setting: &Setting) -> Self {
        Self {
            mask: StaticSecret::from(secret.derive(setting, b"mask key")),
            seal: StaticSecret::from(secret.derive(setting, b"seal key")),
            own_mask: secret.derive(setting, b"own mask"),
            sharing: ChaCha20Rng::from_seed(secret.derive(setting, b"sharing")),
        }
    }

    pub(crate) fn public(&self) -> PublicKeys {
        PublicKeys {
            mask: PublicKey::from(&self.mask).to_bytes(),
            seal: PublicKey::from(&self.seal).to_bytes(),
            own_mask: commitment(&self.own_mask),
        }
    }
}

/// What a member shows of the seed of its own mask.
pub(crate) fn commitment(own_mask: &Secret) -> [u8; 32] {
    Sha256::digest(own_mask).into()
}

/// The seed of the mask that two members share; none if one of the keys is no proper key.
pub(crate) fn pair_seed(
    mine: &StaticSecret,
    theirs: &[u8; 32],
    setting: &Setting,
    pair: (SiloId, SiloId),
) -> Option<Secret> {
    let (low, high) = (pair.0.min(pair.1), pair.0.max(pair.1));
    agreed(mine, theirs, setting, b"pair mask", (low, high))
}

fn agreed(
    mine: &StaticSecret,
    theirs: &[u8; 32],
    setting: &Setting,
    label: &[u8],
    (first, second): (SiloId, SiloId),
) -> Option<Secret> {
    let shared = mine.diffie_hellman(&PublicKey::from(*theirs));
    // A point of small order would make a secret that everybody knows.
    shared.was_contributory().then(|| {
        let (first, second) = (first.0.to_le_bytes(), second.0.to_le_bytes());
        derive(shared.as_bytes(), setting, &[label, &first, &second])
    })
}

fn derive(secret: &[u8; 32], setting: &Setting, info: &[&[u8]]) -> Secret {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(Some(&setting.context), secret)
        .expand_multi_info(info, &mut key)
        .expect("32 bytes are no more than HKDF gives");
    key
}

/// The cipher of shares from one member to another: a key of its own for each direction, context and round, so
/// that one nonce is enough.
fn cipher(
    mine: &StaticSecret,
    theirs: &[u8; 32],
    setting: &Setting,
    from: SiloId,
    to: SiloId,
) -> Option<ChaCha20Poly1305> {
    let key = agreed(mine, theirs, setting, b"sealed shares", (from, to))?;
    Some(ChaCha20Poly1305::new(&Key::from(key)))
}

/// Seals the shares of `from`'s mask key and own mask for `to`.
pub(crate) fn seal(
    mine: &StaticSecret,
    theirs: &[u8; 32],
    setting: &Setting,
    (from, to): (SiloId, SiloId),
    (key, own): (Share, Share),
) -> Option<Sealed> {
    let plain = [key, own].concat();
    let aad = setting.context;
    let payload = Payload {
        msg: &plain,
        aad: &aad,
    };
    let cipher = cipher(mine, theirs, setting, from, to)?;
    cipher.encrypt(&Nonce::default(), payload).ok().map(Sealed)
}

/// The shares that `from` has sealed for `to`; none if they are not its.
pub(crate) fn unseal(
    mine: &StaticSecret,
    theirs: &[u8; 32],
    setting: &Setting,
    (from, to): (SiloId, SiloId),
    sealed: &Sealed,
) -> Option<(Share, Share)> {
    let payload = Payload {
        msg: &sealed.0,
        aad: &setting.context,
    };
    let cipher = cipher(mine, theirs, setting, from, to)?;
    let plain = cipher.decrypt(&Nonce::default(), payload).ok()?;
    let (key, own) = plain.split_first_chunk::<32>()?;
    Some((*key, own.try_into().ok()?))
}
