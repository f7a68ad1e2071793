//! One seed a run; every generator is asked for by purpose.
//!
//! A run has one 256-bit key. A generator is ChaCha20 under that key with a 64-bit stream number made of
//! (role, silo, round), so two purposes never share a keystream and a generator can be made anew for any
//! round without replaying the rounds before it. Nothing in Siloscope draws from a process-wide generator.

use crate::{Round, SiloId};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The key from which all randomness of a run is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed([u8; 32]);

/// What a generator is for. The numbers are part of the contract: a changed number changes every result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Role {
    /// Initial weights.
    Init = 1,
    /// Synthetic data.
    Generate = 2,
    /// Which subjects are members, non-members, population.
    Pools = 3,
    /// Which records go to which silo.
    Partition = 4,
    /// Which records or subjects join a local step.
    Sampling = 5,
    /// Gaussian noise of a silo.
    Noise = 6,
    /// Which silos take part in a round.
    Cohort = 7,
    /// Gaussian noise that the coordinator adds.
    CentralNoise = 8,
    /// What the adversary knows and queries.
    Adversary = 9,
    /// Shadow federations.
    Shadow = 10,
    /// Resampling in statistics.
    Bootstrap = 11,
    /// Delay, loss and faults of a simulated network.
    Network = 12,
    /// Planted canaries.
    Canary = 13,
    /// Points of a random sweep.
    Sweep = 14,
    /// Gaussian noise of a silo's counts.
    CountNoise = 15,
    /// What a silo's masks in a secure sum are made from.
    Masks = 20,
    /// A silo's share of the noise of a secure sum.
    SumNoise = 21,
}

/// The purpose of one generator: role, silo and round fill the cipher's stream number (8, 24 and 32 bits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    /// What is drawn.
    pub role: Role,
    /// For whom; silo 0 where no silo is concerned. At most 2²⁴ silos.
    pub silo: SiloId,
    /// When; round 0 where no round is concerned.
    pub round: Round,
}

impl Stream {
    /// A stream that belongs to the run as a whole.
    pub const fn run(role: Role) -> Self {
        Self {
            role,
            silo: SiloId(0),
            round: Round(0),
        }
    }

    /// A stream of one silo in one round.
    pub const fn silo(role: Role, silo: SiloId, round: Round) -> Self {
        Self { role, silo, round }
    }

    fn number(self) -> u64 {
        assert!(
            self.silo.0 < 1 << 24,
            "a federation has at most 2^24 silos, checked when it is planned"
        );
        (self.role as u64) << 56 | u64::from(self.silo.0) << 32 | u64::from(self.round.0)
    }
}

impl Seed {
    /// The key for the number a user writes in a scenario: SHA-256 of a fixed prefix and the number.
    pub fn from_number(number: u64) -> Self {
        Self::derive(b"siloscope seed", &number.to_le_bytes())
    }

    /// The key that these bytes are. For secrets that nobody else may know they come from the operating system; what
    /// follows from such a key is the same in no other run.
    pub const fn from_key(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The generator for one purpose. Calling this twice gives the same draws twice.
    pub fn stream(&self, stream: Stream) -> ChaCha20Rng {
        let mut rng = ChaCha20Rng::from_seed(self.0);
        rng.set_stream(stream.number());
        rng
    }

    /// The key of the `index`-th run derived from this one, e.g. a shadow federation.
    #[must_use]
    pub fn child(&self, role: Role, index: u64) -> Self {
        let mut label = self.0.to_vec();
        label.push(role as u8);
        Self::derive(&label, &index.to_le_bytes())
    }

    fn derive(label: &[u8], number: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(label);
        hash.update(number);
        Self(hash.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::Rng;

    #[test]
    fn the_same_purpose_draws_the_same_numbers_and_another_does_not() {
        let seed = Seed::from_number(7);
        let noise = Stream::silo(Role::Noise, SiloId(3), Round(5));
        assert_eq!(seed.stream(noise).next_u64(), seed.stream(noise).next_u64());
        let other = Stream::silo(Role::Sampling, SiloId(3), Round(5));
        assert_ne!(seed.stream(noise).next_u64(), seed.stream(other).next_u64());
        assert_ne!(
            seed.stream(noise).next_u64(),
            seed.child(Role::Shadow, 0).stream(noise).next_u64()
        );
        assert_ne!(seed.child(Role::Shadow, 0), seed.child(Role::Shadow, 1));
    }

    proptest! {
        #[test]
        fn two_purposes_never_share_a_stream(
            a in (0u32..1 << 24, any::<u32>(), any::<bool>()),
            b in (0u32..1 << 24, any::<u32>(), any::<bool>()),
        ) {
            let pack = |(silo, round, noise): (u32, u32, bool)| {
                let role = if noise { Role::Noise } else { Role::Sampling };
                Stream::silo(role, SiloId(silo), Round(round)).number()
            };
            prop_assert_eq!(a == b, pack(a) == pack(b));
        }
    }
}
