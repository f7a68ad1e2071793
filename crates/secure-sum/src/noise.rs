//! Clipped summands, each with its share of the noise: the distributed discrete Gaussian.
//!
//! Source: Kairouz, Liu, Steinke 2021, "The Distributed Discrete Gaussian Mechanism for Federated Learning with Secure
//! Aggregation" (arXiv 2102.06387), without the rotation, on a grid so fine that it is not missed.
//!
//! # Why the sum is as private as one Gaussian
//!
//! A summand is an integer vector of L2 norm at most `B` ([`DistributedNoise::bound`]), checked in integers after rounding,
//! plus a vector of discrete Gaussians of variance `v`. With at least `m` summands the noise of the sum has `m` such
//! shares; further ones are post-processing. Claim: for whoever sees the sum and no summand, adding or removing one costs no
//! more than a Gaussian of noise multiplier `z`, if `m v ≥ (z B (1 + 10⁻⁹))² + 16` and `v ≥ 64`.
//!
//! 1. The sum of `m` discrete Gaussians of variance `v` is within a factor `e^±τ` of the discrete Gaussian of variance
//!    `m v`, at every integer, with `τ = 10 Σ_{k<m} exp(-2π² v k/(k+1))` (the paper, theorem 1 and its proof). With
//!    `v ≥ 64` and `m ≤ 65536` that is below 10⁻²⁶⁸.
//! 2. Draw `x` from the *continuous* Gaussian of variance `m v - 16` and then an integer from the discrete Gaussian of
//!    variance 16 centred at `x`. By Poisson summation its normaliser lies within `1 ± 2.01 e^(-32π²)` of `√(32π)`
//!    whatever `x` is, so the integer is within `e^±9e-137` of the discrete Gaussian of variance `m v`. An integer shift
//!    of `x` shifts it alike: the discrete Gaussian mechanism is, up to those factors, post-processing of the continuous
//!    one with deviation `√(m v - 16) ≥ z B (1 + 10⁻⁹)`.
//! 3. Over up to 2²⁸ coordinates the factors add up to less than 10⁻¹²⁰ of ε. The 10⁻⁹ of deviation beyond `z B`
//!    is worth more than that at every ε and δ that a double can tell from 0 and 1.
//!
//! So the ledger's event is a Gaussian of `z`, and any accountant for Gaussians holds. What wraps around 2³² does so in the
//! sum: post-processing again, and with 40 deviations of room it does not happen.

use crate::fixed_point::LARGEST_SUM;
use crate::{DiscreteGaussian, RingVector};
use rand::Rng;

/// How a silo makes its summand: clip, round, add a share of the noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DistributedNoise {
    clip_norm: f64,
    /// `B`.
    bound: u64,
    /// One share; none if there is no noise.
    share: Option<DiscreteGaussian>,
    variance: u64,
    shares: u32,
}

/// Noise that the ring cannot carry.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum NoiseError {
    /// A clip norm that is none.
    #[error("clip norm {0} is no positive finite number")]
    Clip(f64),
    /// A count of silos or shares that does not fit.
    #[error(
        "{shares} shares of noise from {silos} silos; allowed is 1 share to one a silo, and at most 65536 silos"
    )]
    Shares {
        /// Shares that must suffice.
        shares: u32,
        /// Silos that add one.
        silos: u32,
    },
    /// So much noise that nothing else fits.
    #[error("noise multiplier {0} leaves no room for updates in a sum of 32 bits: lower it")]
    TooMuch(f64),
}

/// The smallest bound: below that, rounding would be felt.
const LEAST_BOUND: f64 = 1024.0;

impl DistributedNoise {
    /// Noise of multiplier `noise_multiplier` on the sum of `silos` summands, of which any `shares` carry all that is
    /// promised.
    ///
    /// # Errors
    /// If a number is out of its range, or the noise too much for the ring.
    pub fn try_new(
        clip_norm: f64,
        noise_multiplier: f64,
        silos: u32,
        shares: u32,
    ) -> Result<Self, NoiseError> {
        if !clip_norm.is_finite() || clip_norm <= 0.0 {
            return Err(NoiseError::Clip(clip_norm));
        }
        if shares == 0 || shares > silos || silos > 1 << 16 {
            return Err(NoiseError::Shares { shares, silos });
        }
        let z = noise_multiplier;
        let spread = 40.0 * z * (f64::from(silos) / f64::from(shares)).sqrt();
        // A thousandth of room for what rounding up adds to the noise.
        let bound = (f64::from(LARGEST_SUM) * 0.999 / (f64::from(silos) + spread)).floor();
        if !z.is_finite() || z < 0.0 || bound < LEAST_BOUND {
            return Err(NoiseError::TooMuch(z));
        }
        let variance = if z > 0.0 {
            let wanted = ((z * bound * (1.0 + 1e-9)).powi(2) + 16.0) / f64::from(shares);
            // The next double up covers what its own rounding has lost.
            wanted.next_up().next_up().next_up().ceil().max(64.0) as u64
        } else {
            0
        };
        Ok(Self {
            clip_norm,
            bound: bound as u64,
            share: DiscreteGaussian::new(variance),
            variance,
            shares,
        })
    }

    /// The L2 bound of a summand before its noise, in steps.
    pub const fn bound(&self) -> u64 {
        self.bound
    }

    /// Variance of one share of the noise, in steps.
    pub const fn variance(&self) -> u64 {
        self.variance
    }

    /// How many shares carry all that is promised.
    pub const fn shares(&self) -> u32 {
        self.shares
    }

    /// A summand with its noise, drawn from `rng`. An update without a finite norm counts as zero, as in silo noise.
    pub fn encode(&self, delta: &[f32], rng: &mut impl Rng) -> RingVector {
        let clipped = self.clip(delta);
        let mut words = Vec::with_capacity(delta.len());
        for value in clipped {
            let noise = self.share.map_or(0, |share| share.draw(rng));
            // Modulo 2³²: the sum is, not the summand.
            words.push((value + noise) as u32);
        }
        words.into()
    }

    /// The update in steps, of integer norm at most the bound.
    fn clip(&self, delta: &[f32]) -> Vec<i64> {
        let norm = delta
            .iter()
            .map(|&value| f64::from(value).powi(2))
            .sum::<f64>()
            .sqrt();
        if !norm.is_finite() {
            return vec![0; delta.len()];
        }
        let bound = self.bound as f64;
        let mut factor = (bound / self.clip_norm).min(bound / norm);
        let steps = |round: fn(f64) -> f64, factor: f64| -> Vec<i64> {
            delta
                .iter()
                .map(|&value| round(f64::from(value) * factor) as i64)
                .collect()
        };
        // The nearest integers; if they are too long, those towards zero; if these are, for a float's last bit, shorter ones.
        let mut clipped = steps(f64::round_ties_even, factor);
        while square(&clipped) > u128::from(self.bound).pow(2) {
            clipped = steps(f64::trunc, factor);
            factor *= 1.0 - 1e-12;
        }
        clipped
    }

    /// The numbers that a sum stands for, over `divisor`.
    pub fn decode(&self, sum: &RingVector, divisor: f64) -> Vec<f32> {
        let step = self.clip_norm / self.bound as f64 / divisor;
        sum.signed()
            .map(|word| (f64::from(word) * step) as f32)
            .collect()
    }
}

/// The square of the L2 norm, exactly.
fn square(steps: &[i64]) -> u128 {
    steps
        .iter()
        .map(|step| u128::from(step.unsigned_abs()).pow(2))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use primitives::{Role, Seed, Stream};
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;

    fn rng() -> ChaCha20Rng {
        Seed::from_number(3).stream(Stream::run(Role::Init))
    }

    proptest! {
        /// The claim of the module, number for number, for any plan that is accepted.
        #[test]
        fn any_quorum_carries_the_noise_that_is_promised(
            z in prop_oneof![1e-9f64..1e-3, 1e-3f64..100.0, 100.0f64..1e4],
            silos in 1u32..400,
            quorum in 1u32..400,
        ) {
            let quorum = quorum.min(silos);
            let Ok(noise) = DistributedNoise::try_new(1.0, z, silos, quorum) else {
                prop_assert!(z * (f64::from(silos) / f64::from(quorum)).sqrt() > 5e4);
                return Ok(());
            };
            let variance = u128::from(quorum) * u128::from(noise.variance());
            let deviation = ((variance - 16) as f64).sqrt();
            prop_assert!(deviation >= z * noise.bound() as f64 * (1.0 + 0.9e-9));
            prop_assert!(noise.variance() >= 64);
            prop_assert!(noise.variance() <= DiscreteGaussian::LARGEST_VARIANCE);
            // All silos together still fit, with forty deviations of noise.
            let all = (f64::from(silos) * noise.variance() as f64).sqrt();
            let room = f64::from(silos) * noise.bound() as f64 + 40.0 * all;
            prop_assert!(room <= f64::from(LARGEST_SUM));
        }

        #[test]
        fn a_summand_is_never_longer_than_the_bound(
            delta in prop::collection::vec(prop_oneof![-1.0f32..1.0, -1e30f32..1e30, Just(0.0)], 1..200),
            clip in 1e-3f64..1e3,
            z in 0.0f64..50.0,
        ) {
            let noise = DistributedNoise::try_new(clip, z, 7, 4).unwrap();
            let clipped = noise.clip(&delta);
            prop_assert!(square(&clipped) <= u128::from(noise.bound()).pow(2));
        }
    }

    #[test]
    fn what_is_short_enough_arrives_as_it_is_and_what_is_not_is_clipped() {
        let noise = DistributedNoise::try_new(1.0, 0.0, 2, 2).unwrap();
        let mut sum = noise.encode(&[0.3, -0.4], &mut rng());
        assert_eq!(noise.decode(&sum, 1.0), [0.3, -0.4]);
        sum.add(&noise.encode(&[30.0, 40.0], &mut rng()));
        let decoded = noise.decode(&sum, 2.0);
        for (found, expected) in decoded.iter().zip([0.45, 0.2]) {
            assert!((found - expected).abs() < 1e-7, "{decoded:?}");
        }
        let lost = noise.encode(&[f32::NAN, 1.0], &mut rng());
        assert_eq!(noise.decode(&lost, 1.0), [0.0, 0.0]);
    }

    /// Noise alone: the mean square of the sum of three shares out of four, over 20 000 coordinates, is `4/3 (zC)²`
    /// within 4.9 of its deviations (chance 1e-6).
    #[test]
    fn the_noise_of_the_sum_is_that_of_its_shares() {
        let (clip, z, coordinates) = (2.0, 1.5, 20_000);
        let noise = DistributedNoise::try_new(clip, z, 4, 3).unwrap();
        let mut rng = rng();
        let zeros = vec![0.0; coordinates];
        let mut sum = RingVector::zeros(coordinates);
        for _ in 0..4 {
            sum.add(&noise.encode(&zeros, &mut rng));
        }
        let decoded = noise.decode(&sum, 1.0);
        let square: f64 = decoded.iter().map(|&value| f64::from(value).powi(2)).sum();
        let ratio = square / coordinates as f64 / (4.0 / 3.0 * (z * clip).powi(2));
        assert!(
            (ratio - 1.0).abs() < 4.9 * (2.0 / coordinates as f64).sqrt(),
            "{ratio}"
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(matches!(
            DistributedNoise::try_new(0.0, 1.0, 2, 2),
            Err(NoiseError::Clip(_))
        ));
        assert!(matches!(
            DistributedNoise::try_new(1.0, 1.0, 2, 3),
            Err(NoiseError::Shares { .. })
        ));
        assert!(matches!(
            DistributedNoise::try_new(1.0, 1e9, 2, 2),
            Err(NoiseError::TooMuch(_))
        ));
        assert!(matches!(
            DistributedNoise::try_new(1.0, f64::NAN, 2, 2),
            Err(NoiseError::TooMuch(_))
        ));
    }
}
