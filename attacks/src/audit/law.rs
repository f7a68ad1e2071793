//! What a canary adds to a noised sum, and what one reading says about whether it is in.
//!
//! A canary's clipped contribution has length `C` and a direction of its own. Read along that direction, in units of
//! `C`, a release of [`Mechanism`] is `X + N(0, σ²)`: `X` follows one law if the canary is in and another if it is
//! out, and `σ` is the noise multiplier (times the group size, where noise is meant for groups). By the lemma of
//! Neyman and Pearson no score tells the two apart better than the logarithm of their ratio,
//!
//! `ln Σ pᵢ exp((aᵢ o − aᵢ²/2) / σ²) − ln Σ qⱼ exp((bⱼ o − bⱼ²/2) / σ²)`.
//!
//! Over releases with noises of their own the logarithms add up. The ratio is that of the mechanism *as the ledger has
//! it*; if something else was done, a canary's score still has no other law in than out beyond what was done allows.

use accounting::{Mechanism, PrivacyUnit};
use statrs::distribution::{Binomial, Discrete};

/// The two laws of a canary's contribution to one release, and the noise on it; all in units of the clip norm.
#[derive(Clone, Debug, PartialEq)]
pub struct CanaryLaw {
    inside: Vec<Term>,
    outside: Vec<Term>,
    deviation: f64,
}

/// A contribution and its chance.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Term {
    chance: f64,
    push: f64,
}

/// Contributions rarer than this are left out of the ratio, which is a score and no bound.
const RARE: f64 = 1e-12;

impl CanaryLaw {
    /// The laws of a canary `unit` that a release of `mechanism` touches `multiplicity` times, as
    /// [`Mechanism::event`] counts it. `None` if the mechanism has no noise, or the canary no part in it.
    pub fn of(mechanism: &Mechanism, unit: PrivacyUnit, multiplicity: u32) -> Option<Self> {
        if multiplicity == 0 {
            return None;
        }
        let subject = unit == PrivacyUnit::Subject;
        let nothing = vec![Term::new(1.0, 0.0)];
        let joined =
            |chance: f64, push: f64| vec![Term::new(1.0 - chance, 0.0), Term::new(chance, push)];
        let any_of = |rate: f64| 1.0 - (1.0 - rate).powf(f64::from(multiplicity));
        let records = |rate: f64| {
            if subject {
                binomial(rate, multiplicity)
            } else {
                joined(rate, 1.0)
            }
        };
        let (inside, outside, deviation) = match *mechanism {
            Mechanism::Record {
                sampling_rate,
                noise_multiplier,
            } => (
                records(sampling_rate.get()),
                nothing,
                noise_multiplier.get(),
            ),
            Mechanism::Group {
                sampling_rate,
                noise_multiplier,
                group_size,
            } => {
                let deviation = noise_multiplier.get() * f64::from(group_size.get());
                (records(sampling_rate.get()), nothing, deviation)
            }
            Mechanism::AveragedGradient {
                sampling_rate,
                noise_multiplier,
            } => {
                let rate = sampling_rate.get();
                let chance = if subject { any_of(rate) } else { rate };
                (joined(chance, 1.0), nothing, noise_multiplier.get())
            }
            Mechanism::SubjectSampling {
                sampling_rate,
                noise_multiplier,
            } => {
                let rate = sampling_rate.get();
                let outside = if subject { nothing } else { joined(rate, -1.0) };
                (joined(rate, 1.0), outside, noise_multiplier.get())
            }
            Mechanism::SiloNoise { noise_multiplier } => {
                let silos = if subject {
                    f64::from(multiplicity)
                } else {
                    1.0
                };
                let outside = match unit {
                    PrivacyUnit::Silo => nothing,
                    PrivacyUnit::Record | PrivacyUnit::Subject => vec![Term::new(1.0, -silos)],
                };
                (vec![Term::new(1.0, silos)], outside, noise_multiplier.get())
            }
            // What is read is the sum; the count beside it has noise of its own.
            Mechanism::AdaptiveClip {
                step,
                gradient_noise,
                ..
            } => return Self::of(&step.with_noise(gradient_noise), unit, multiplicity),
            // Nobody sees a sum of shares before all noise is in it.
            Mechanism::None | Mechanism::DistributedNoise { .. } => return None,
        };
        (deviation > 0.0).then_some(Self {
            inside,
            outside,
            deviation,
        })
    }

    /// How much one reading speaks for "in".
    pub fn log_ratio(&self, reading: f64) -> f64 {
        let variance = self.deviation * self.deviation;
        let ln = |terms: &[Term]| {
            let exponent =
                |term: &Term| term.chance.ln() + term.push * (reading - term.push / 2.0) / variance;
            let most = terms.iter().map(exponent).fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = terms.iter().map(|term| (exponent(term) - most).exp()).sum();
            most + sum.ln()
        };
        ln(&self.inside) - ln(&self.outside)
    }

    /// Deviation of the noise on a reading.
    pub const fn deviation(&self) -> f64 {
        self.deviation
    }

    /// Whether a canary that is out adds nothing, so that its readings are noise alone.
    pub fn is_silent_outside(&self) -> bool {
        self.outside.iter().all(|term| term.push == 0.0)
    }

    /// Mean of the contribution of a canary that is in.
    pub fn mean_push(&self) -> f64 {
        let push = |term: &Term| term.chance * term.push;
        self.inside.iter().map(push).sum()
    }
}

impl Term {
    const fn new(chance: f64, push: f64) -> Self {
        Self { chance, push }
    }
}

/// How many of `count` records join.
fn binomial(rate: f64, count: u32) -> Vec<Term> {
    let law = Binomial::new(rate, u64::from(count)).expect("a sampling rate is a probability");
    (0..=count)
        .map(|joined| Term::new(law.pmf(u64::from(joined)), f64::from(joined)))
        .filter(|term| term.chance > RARE)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use accounting::{NoiseMultiplier, SamplingRate};

    fn rate(value: f64) -> SamplingRate {
        SamplingRate::try_new(value).unwrap()
    }

    fn noise(value: f64) -> NoiseMultiplier {
        NoiseMultiplier::try_new(value).unwrap()
    }

    #[test]
    fn the_ratio_is_that_of_the_densities() {
        let density = |x: f64, sd: f64| (-0.5 * (x / sd).powi(2)).exp() / sd;
        let record = Mechanism::Record {
            sampling_rate: rate(0.3),
            noise_multiplier: noise(1.5),
        };
        let group = Mechanism::Group {
            sampling_rate: rate(0.3),
            noise_multiplier: noise(0.5),
            group_size: std::num::NonZeroU32::new(3).unwrap(),
        };
        let sampled = Mechanism::SubjectSampling {
            sampling_rate: rate(0.3),
            noise_multiplier: noise(1.5),
        };
        for reading in [-3.0, 0.0, 0.4, 7.0] {
            let at = |push: f64| density(reading - push, 1.5);
            let found = |mechanism: &Mechanism, unit, count| {
                CanaryLaw::of(mechanism, unit, count)
                    .unwrap()
                    .log_ratio(reading)
            };
            let expected = ((0.7 * at(0.0) + 0.3 * at(1.0)) / at(0.0)).ln();
            for unit in [PrivacyUnit::Record, PrivacyUnit::Subject] {
                assert!((found(&record, unit, 1) - expected).abs() < 1e-12);
                assert!((found(&group, unit, 1) - expected).abs() < 1e-12);
            }
            let two = 0.49 * at(0.0) + 0.42 * at(1.0) + 0.09 * at(2.0);
            let expected = (two / at(0.0)).ln();
            assert!((found(&record, PrivacyUnit::Subject, 2) - expected).abs() < 1e-12);
            let replaced = (0.7 * at(0.0) + 0.3 * at(1.0)) / (0.7 * at(0.0) + 0.3 * at(-1.0));
            let found = found(&sampled, PrivacyUnit::Record, 1);
            assert!((found - replaced.ln()).abs() < 1e-12);
        }
    }

    #[test]
    fn silo_noise_is_two_gaussians() {
        let mechanism = Mechanism::SiloNoise {
            noise_multiplier: noise(2.0),
        };
        for (unit, silos, distance) in [
            (PrivacyUnit::Silo, 1, 1.0),
            (PrivacyUnit::Record, 1, 2.0),
            (PrivacyUnit::Subject, 3, 6.0),
        ] {
            let law = CanaryLaw::of(&mechanism, unit, silos).unwrap();
            // The slope of the log ratio of two Gaussians is their distance over the variance.
            let slope = law.log_ratio(1.0) - law.log_ratio(0.0);
            assert!((slope - distance / 4.0).abs() < 1e-12, "{unit:?}");
        }
    }

    #[test]
    fn with_a_clip_norm_that_adapts_the_sum_has_the_noise_that_is_its_own() {
        let sampling_rate = rate(0.3);
        let step = accounting::ClippedStep::AveragedGradient { sampling_rate };
        let adaptive = Mechanism::AdaptiveClip {
            step,
            gradient_noise: noise(1.1),
            count_noise: noise(4.0),
        };
        let sum_alone = step.with_noise(noise(1.1));
        for unit in [PrivacyUnit::Record, PrivacyUnit::Subject] {
            let law = CanaryLaw::of(&adaptive, unit, 3);
            assert!(law.is_some());
            assert_eq!(law, CanaryLaw::of(&sum_alone, unit, 3));
        }
    }

    #[test]
    fn without_noise_or_part_there_is_no_law() {
        let silent = Mechanism::Record {
            sampling_rate: rate(0.1),
            noise_multiplier: noise(0.0),
        };
        assert_eq!(CanaryLaw::of(&silent, PrivacyUnit::Record, 1), None);
        assert_eq!(
            CanaryLaw::of(&Mechanism::None, PrivacyUnit::Record, 1),
            None
        );
        let noised = Mechanism::SiloNoise {
            noise_multiplier: noise(1.0),
        };
        assert_eq!(CanaryLaw::of(&noised, PrivacyUnit::Subject, 0), None);
    }
}
