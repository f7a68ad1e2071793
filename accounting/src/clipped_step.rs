//! Local steps without their noise, and how a count beside the sum shares it: what an adaptive clip norm is made of.
//!
//! The derivation is that of [`Mechanism`]: see its paragraph on adaptive clip norms.

use crate::{Mechanism, NoiseMultiplier, SamplingRate};
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

/// A local step without its noise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClippedStep {
    /// As in [`Mechanism::Record`].
    Record {
        /// Chance that one record joined.
        sampling_rate: SamplingRate,
    },
    /// As in [`Mechanism::Group`].
    Group {
        /// Chance that one record joined.
        sampling_rate: SamplingRate,
        /// `G`.
        group_size: NonZeroU32,
    },
    /// As in [`Mechanism::AveragedGradient`].
    AveragedGradient {
        /// Chance that one record joined.
        sampling_rate: SamplingRate,
    },
    /// As in [`Mechanism::SubjectSampling`].
    SubjectSampling {
        /// Chance that one subject joined.
        sampling_rate: SamplingRate,
    },
}

impl ClippedStep {
    /// The step with noise of this multiplier on its sum.
    pub const fn with_noise(self, noise_multiplier: NoiseMultiplier) -> Mechanism {
        match self {
            Self::Record { sampling_rate } => Mechanism::Record {
                sampling_rate,
                noise_multiplier,
            },
            Self::Group {
                sampling_rate,
                group_size,
            } => Mechanism::Group {
                sampling_rate,
                noise_multiplier,
                group_size,
            },
            Self::AveragedGradient { sampling_rate } => Mechanism::AveragedGradient {
                sampling_rate,
                noise_multiplier,
            },
            Self::SubjectSampling { sampling_rate } => Mechanism::SubjectSampling {
                sampling_rate,
                noise_multiplier,
            },
        }
    }
}

/// The noise of two Gaussian mechanisms on one unit, as the noise multiplier of one:
/// `z = (a⁻² + b⁻²)^(-1/2)`, rounded down. Zero if either is.
///
/// Source: Andrew et al. 2021 (arXiv 1905.03871), theorem 1, with `b = 2 σ_b`.
pub fn joint_noise(a: NoiseMultiplier, b: NoiseMultiplier) -> NoiseMultiplier {
    let (least, most) = (a.get().min(b.get()), a.get().max(b.get()));
    if least <= 0.0 {
        return a.scaled(0.0);
    }
    // Below least / √2 no quotient can overflow; each operation is off by less than 2⁻⁵².
    let joint = least / (least / most).hypot(1.0);
    NoiseMultiplier::from_search(joint * (1.0 - 8.0 * f64::EPSILON))
}

/// The noise multipliers of a sum and a count that together cost as much as one of `z`, of whose loss the count takes
/// the part `share`: `z_g = z / √(1 - share)`, `z_c = z / √share`, rounded up.
///
/// The [joint noise](joint_noise) of the two is at least `z`. `share` lies in `(0, 1)`.
pub fn split_noise(z: NoiseMultiplier, share: f64) -> (NoiseMultiplier, NoiseMultiplier) {
    let up = 1.0 + 16.0 * f64::EPSILON;
    (
        z.scaled(up / (1.0 - share).sqrt()),
        z.scaled(up / share.sqrt()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn z(value: f64) -> NoiseMultiplier {
        NoiseMultiplier::try_new(value).unwrap()
    }

    #[test]
    fn a_split_never_costs_more_than_what_was_split() {
        for share in [1e-9, 0.01, 0.05, 0.5, 0.999] {
            for noise in [1e-300, 1e-3, 0.7, 1.0, 4.2, 1e5, 1e300, f64::MAX] {
                let (gradient, count) = split_noise(z(noise), share);
                let joint = joint_noise(gradient, count).get();
                assert!(joint >= noise.min(1e308) * (1.0 - 1e-3 * f64::from(noise > 1e299)));
                assert!(
                    noise > 1e299 || joint <= noise * (1.0 + 1e-14),
                    "{noise} {joint}"
                );
            }
        }
    }
}
