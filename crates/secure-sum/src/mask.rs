//! The masks of one member.

use crate::RingVector;
use crate::shamir::Secret;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;
use std::fmt;

/// All that a member adds to its summand: its own mask, and one with each other member, which that one takes off.
///
/// Every mask is the ChaCha20 keystream of its seed, read as little-endian words: uniform over the ring, so a
/// masked summand is uniform to whoever lacks one of the seeds.
#[derive(Clone)]
pub struct Masks {
    seeds: Vec<(Sign, Secret)>,
}

/// Whether a mask is added or taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Plus,
    Minus,
}

impl Sign {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Plus => Self::Minus,
            Self::Minus => Self::Plus,
        }
    }
}

impl Masks {
    pub(crate) const fn new(seeds: Vec<(Sign, Secret)>) -> Self {
        Self { seeds }
    }

    /// Masks a summand. Time: one keystream of its length a member.
    pub fn apply(&self, summand: &mut RingVector) {
        for (sign, seed) in &self.seeds {
            add(*sign, seed, summand);
        }
    }
}

impl fmt::Debug for Masks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Masks({} seeds)", self.seeds.len())
    }
}

/// `summand ± keystream(seed)`.
pub(crate) fn add(sign: Sign, seed: &Secret, summand: &mut RingVector) {
    let mut keystream = ChaCha20Rng::from_seed(*seed);
    for word in summand.as_mut_slice() {
        let mask = keystream.next_u32();
        *word = match sign {
            Sign::Plus => word.wrapping_add(mask),
            Sign::Minus => word.wrapping_sub(mask),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8439, appendix A.1, test vector 1: the keystream of the zero key begins 76 b8 e0 ad a0 f1 3d 90.
    #[test]
    fn golden_mask() {
        let mut summand = RingVector::from(vec![1, u32::MAX]);
        add(Sign::Plus, &[0; 32], &mut summand);
        assert_eq!(summand.as_slice(), [0xade0_b877, 0x903d_f19f]);
        add(Sign::Minus, &[0; 32], &mut summand);
        assert_eq!(summand.as_slice(), [1, u32::MAX]);
    }
}
