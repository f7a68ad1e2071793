//! What the code that sampled, clipped and added noise really did, and the event that is for each unit.
//!
//! One [`Mechanism`] gives the [`DpEvent`] of every unit, so that record, subject and silo can never be
//! accounted from different stories. Letters: `C` clip norm, `z` noise multiplier, `q` sampling rate, `k`
//! records of the subject in the silo. Neighbours differ by adding or removing one unit. Let `D'` be `D`
//! without the unit; every release below is a sum plus `N(0, (z C)² I)` (for *group* `(z G C)²`), and what
//! counts is how far the unit can move the sum, and with which chance.
//!
//! **Record** (clip each record's gradient to `C`, each record joins with chance `q`). A record moves the
//! sum by at most `C` if it joins: Poisson(q) Gaussian(z). Of a subject's `k` records `Binomial(k, q)`
//! join, `i` of them move the sum by at most `i C`: the mixture of Gaussians of [`MixtureOfGaussians`]
//! (Ganesh 2024, arXiv 2401.10294). A silo has no bound on its records: nothing is promised.
//!
//! **Group** (the same with noise `z G C`). As above with `z G` for `z`. `G` bounds nothing here but the
//! noise: a subject with `k > G` records in the silo is accounted with its true `k`. Neighbours are taken
//! in the data set as it stands after a cap on records, if there was one: a cap that lets another record
//! in when one leaves makes a *replacement* out of a removal.
//!
//! **Averaged gradient** (clip each record's gradient to `C`, average over the subject's records that
//! joined; HiGradAvgDP of Marathe et al. 2022, arXiv 2206.03617). A mean of vectors of norm at most `C` has
//! norm at most `C`, and the subject has one if any of its records joined: Poisson(1-(1-q)^k) Gaussian(z).
//! A record `g` that joins `m ≥ 1` others of mean `a` moves their mean by `(g-a)/(m+1)`, at most
//! `2C/(m+1) ≤ C`; with `m = 0` by `g`, at most `C`. Given any choice of the other records the pair is
//! thus dominated by Poisson(q) Gaussian(z), and so is, by joint convexity, the pair itself.
//!
//! **Subject sampling** (each subject joins with chance `q`, up to `G` of its records are averaged, the
//! average is clipped to `C`; ULS of Charles et al. 2024, arXiv 2407.07737). For a subject plainly
//! Poisson(q) Gaussian(z). A record does not decide whether its subject joins: it changes the subject's
//! vector from `v'` to `v`, both of norm at most `C`. The pair is `(1-q) N(0) + q N(v)` against
//! `(1-q) N(0) + q N(v')`, and *not* dominated by Poisson(q) Gaussian(z/2), whose loss is bounded on one
//! side while this one's is not. It is dominated by `v = C`, `v' = -C` in one dimension, which is the
//! event [`DpEvent::SampledReplacement`]. Proof, with z = C = 1:
//!
//! 1. For `α ≥ 1` write `α = 1 + q (e^ε - 1)`, `β = α e^-ε`. By advanced joint convexity (Balle, Barthe,
//!    Gaboardi 2018, arXiv 1807.01647, theorem 2) the hockey-stick divergence is `q F(v, v')` with
//!    `F = sup_S [N(v)(S) - c₀ N(0)(S) - c₁ N(v')(S)]`, `c₀ = e^ε (1-β) ≥ 0`, `c₁ = e^ε β ≥ 0`.
//!    For `α < 1` it is that of `1/α` with `v` and `v'` exchanged, and the claimed pair is symmetric.
//! 2. The best `S` is where `c₀ e^(-⟨x,v⟩+|v|²/2) + c₁ e^(-⟨x,v-v'⟩+(|v|²-|v'|²)/2) ≤ 1`; its outward normal is
//!    `-(a v + b (v-v'))` with `a, b ≥ 0` depending on `x`. By the divergence theorem the gradient of `F` in
//!    `v` is `A v + B (v-v')`, `A, B ≥ 0`, and `B > 0` if `c₁ > 0`. At a maximum over the unit ball it is a
//!    multiple of `v`, so `v` and `v'` lie on one line. (If `c₁ = 0`, `v'` does not matter.)
//! 3. On a line, `v = s ≥ 0`, `v' = t`. If `t ≤ s`, `S` is a ray upwards and lowering `t` to -1 raises `F`;
//!    then raising `s` to 1 does. If `t > s`, convexity of the divergence in its second argument bounds it
//!    by those of `N(s)` from `N(0)` and from `N(t)`, whose distances are at most 1: by `F(1, 0) ≤ F(1, -1)`. ∎
//!
//! The same pair is the substitution pair of Koskela, Jälkö, Honkela 2020 (arXiv 1906.03049) and of Lebeda,
//! Regehr, Kamath, Steinke 2024 (arXiv 2405.20769), who warn against exactly the shortcut above.
//!
//! **Adaptive clip norm** (each of the four local steps above, with a noised count of the units within the clip
//! norm beside its noised sum; Andrew, Thakkar, McMahan, Ramaswamy 2021, arXiv 1905.03871). Every unit that is
//! clipped also adds `b - 1/2` to a count, `b` being 1 if it was within `C` and 0 if it was longer; averages of
//! gradients average these too. In units of the noises, `z_g C` on the sum and `z_c / 2` on the count, sum and count
//! are *one* Gaussian mechanism of one more dimension, in which a unit's vector `(v / (z_g C), (b - 1/2) / (z_c / 2))`
//! has a norm of at most `1/z`, `z = (z_g⁻² + z_c⁻²)^(-1/2)`, since `|b - 1/2| = 1/2` whatever `b` is. Each
//! derivation above asks of the vectors only that bound, in any dimension, so each holds with this `z`. Sum and count
//! come from one sample: they are one event under one subsampling, where the composition of a sampled sum with a
//! sampled count would be another event. The centre 1/2 matters: a plain count of 0 or 1 would have twice the
//! sensitivity. The next step's `C` follows from noised counts alone, and no event depends on `C`.
//!
//! **Silo noise** (the coordinator clips each silo's update to `C` and adds noise to the sum). A silo
//! moves the sum by at most `C`: Gaussian(z). A record's or subject's absence does not remove an update, it
//! *replaces* it by another of norm at most `C`: distance `2C` for each silo of the cohort that holds it,
//! hence Gaussian(z/2) for a record and Gaussian(z/2h) for a subject held by `h` of them. The silos' raw
//! updates must be seen by no one but the coordinator; what is released is the sum, so the local steps
//! behind it are no releases and have no place in the ledger.
//!
//! **Distributed noise** (each silo clips its update to `C`, rounds it to a grid without making it longer, and adds a share of
//! discrete Gaussian noise; only the sum is seen; Kairouz, Liu, Steinke 2021, arXiv 2102.06387). Any `shares` summands carry
//! noise whose sum is, up to a factor that is made good by 10⁻⁹ more of it, post-processing of a Gaussian of deviation `z C`
//! (`crates/secure-sum/src/noise.rs` has the proof), and noise of further silos is post-processing of that. Hence the
//! same events as for silo noise. They hold against whoever sees the sum and knows none of the noises: of `c` silos
//! that tell the coordinator theirs, `z √((shares - c) / shares)` is left.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::clipped_step::joint_noise;
use crate::{ClippedStep, DpEvent, MixtureOfGaussians, NoiseMultiplier, PrivacyUnit, SamplingRate};

/// What was really done in one release.
///
/// [`SiloNoise`](Self::SiloNoise) and [`DistributedNoise`](Self::DistributedNoise) are one round of a cohort, all others one
/// local step of one silo. See the [module](self) for the derivation of every event.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mechanism {
    /// Nothing was clipped or noised.
    None,
    /// Each record's gradient was clipped to `C`; the noise had deviation `z C`.
    Record {
        /// Chance that one record joined.
        sampling_rate: SamplingRate,
        /// `z`.
        noise_multiplier: NoiseMultiplier,
    },
    /// As [`Record`](Self::Record), but the noise had deviation `z G C`.
    Group {
        /// Chance that one record joined.
        sampling_rate: SamplingRate,
        /// `z`, before it is multiplied by the group size.
        noise_multiplier: NoiseMultiplier,
        /// `G`: the records of one subject in one silo that the noise is meant for.
        group_size: NonZeroU32,
    },
    /// Each record's gradient was clipped to `C` and averaged with those of the same subject that joined;
    /// the noise had deviation `z C`.
    AveragedGradient {
        /// Chance that one record joined.
        sampling_rate: SamplingRate,
        /// `z`.
        noise_multiplier: NoiseMultiplier,
    },
    /// Subjects were sampled; each one's average gradient was clipped to `C`; the noise had deviation `z C`.
    SubjectSampling {
        /// Chance that one subject joined.
        sampling_rate: SamplingRate,
        /// `z`.
        noise_multiplier: NoiseMultiplier,
    },
    /// The coordinator clipped each silo's update to `C` and added noise of deviation `z C` to the sum.
    SiloNoise {
        /// `z`.
        noise_multiplier: NoiseMultiplier,
    },
    /// Each silo clipped its update to `C` and added its share of discrete Gaussian noise; any `shares` of them are
    /// worth a Gaussian of deviation `z C` on the sum, of which nobody sees a summand.
    DistributedNoise {
        /// `z`.
        noise_multiplier: NoiseMultiplier,
        /// How many silos' shares make up `z`: the fewest with which a sum is opened.
        shares: NonZeroU32,
    },
    /// One of the local steps above with a clip norm that adapts: the units within it were counted, too.
    AdaptiveClip {
        /// What was sampled, clipped and averaged.
        step: ClippedStep,
        /// `z_g`: deviation of the sum's noise ÷ `C`, for a group also ÷ `G`.
        gradient_noise: NoiseMultiplier,
        /// `z_c`: deviation of the count's noise ÷ 1/2, for a group also ÷ `G`.
        count_noise: NoiseMultiplier,
    },
}

impl Mechanism {
    /// The same release without its count, with so much less noise that it costs as much: what an adaptive clip
    /// norm is accounted as. Every other mechanism is itself.
    #[must_use]
    pub fn without_count(&self) -> Self {
        match *self {
            Self::AdaptiveClip {
                step,
                gradient_noise,
                count_noise,
            } => step.with_noise(joint_noise(gradient_noise, count_noise)),
            other => other,
        }
    }

    /// What one release was for `unit`.
    ///
    /// `multiplicity` is how much of a *subject* the release touched: its records in the silo for a local
    /// step, the silos of the cohort that hold it for [`SiloNoise`](Self::SiloNoise). Zero means that the
    /// release did not depend on the subject. For a record or a silo it does not matter.
    pub fn event(&self, unit: PrivacyUnit, multiplicity: u32) -> DpEvent {
        use PrivacyUnit::{Record, Silo, Subject};
        if unit == Subject && multiplicity == 0 {
            return DpEvent::NoOp;
        }
        match *self {
            Self::AdaptiveClip { .. } => self.without_count().event(unit, multiplicity),
            Self::SiloNoise { noise_multiplier }
            | Self::DistributedNoise {
                noise_multiplier, ..
            } => DpEvent::gaussian(match unit {
                Silo => noise_multiplier,
                Record => noise_multiplier.scaled(0.5),
                Subject => noise_multiplier.scaled(0.5 / f64::from(multiplicity)),
            }),
            _ if unit == Silo => DpEvent::NonPrivate,
            Self::None => DpEvent::NonPrivate,
            Self::Record {
                sampling_rate,
                noise_multiplier,
            } => sum_of_records(sampling_rate, noise_multiplier, unit, multiplicity),
            Self::Group {
                sampling_rate,
                noise_multiplier,
                group_size,
            } => {
                let noise = noise_multiplier.scaled(f64::from(group_size.get()));
                sum_of_records(sampling_rate, noise, unit, multiplicity)
            }
            Self::AveragedGradient {
                sampling_rate,
                noise_multiplier,
            } => match unit {
                Subject => {
                    DpEvent::sampled_gaussian(any_of(sampling_rate, multiplicity), noise_multiplier)
                }
                _ => DpEvent::sampled_gaussian(sampling_rate, noise_multiplier),
            },
            Self::SubjectSampling {
                sampling_rate,
                noise_multiplier,
            } => match unit {
                Subject => DpEvent::sampled_gaussian(sampling_rate, noise_multiplier),
                _ => DpEvent::SampledReplacement {
                    sampling_rate,
                    noise_multiplier,
                },
            },
        }
    }

    /// Whether it is done to the updates of a whole cohort, once a round, and not in a silo's local steps.
    pub const fn is_of_cohort(&self) -> bool {
        matches!(self, Self::SiloNoise { .. } | Self::DistributedNoise { .. })
    }

    /// The same with its noise multiplied by `factor`: what an audit holds against the readings of a run.
    #[must_use]
    pub fn noise_scaled(&self, factor: f64) -> Self {
        let mut scaled = *self;
        for noise in scaled.noises_mut().into_iter().flatten() {
            *noise = noise.scaled(factor);
        }
        scaled
    }

    /// The noise multiplier of the sum, where there is one, and that of the count.
    fn noises_mut(&mut self) -> [Option<&mut NoiseMultiplier>; 2] {
        match self {
            Self::None => [None, None],
            Self::Record {
                noise_multiplier, ..
            }
            | Self::Group {
                noise_multiplier, ..
            }
            | Self::AveragedGradient {
                noise_multiplier, ..
            }
            | Self::SubjectSampling {
                noise_multiplier, ..
            }
            | Self::SiloNoise { noise_multiplier }
            | Self::DistributedNoise {
                noise_multiplier, ..
            } => [Some(noise_multiplier), None],
            Self::AdaptiveClip {
                gradient_noise,
                count_noise,
                ..
            } => [Some(gradient_noise), Some(count_noise)],
        }
    }

    /// Why a release of this kind promises `unit` nothing, in words; `None` if it does promise something.
    pub fn why_infinite(&self, unit: PrivacyUnit) -> Option<&'static str> {
        let mut plain = self.without_count();
        let noises = plain.noises_mut();
        if noises.into_iter().flatten().any(|noise| noise.get() <= 0.0) {
            return Some("the noise multiplier is zero");
        }
        match (plain, unit) {
            (Self::None, _) => Some("nothing was clipped or noised"),
            (Self::SiloNoise { .. } | Self::DistributedNoise { .. }, _)
            | (_, PrivacyUnit::Record | PrivacyUnit::Subject) => None,
            (_, PrivacyUnit::Silo) => Some(
                "local noise bounds records and subjects, not how much a whole silo contributes",
            ),
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Record {
                sampling_rate: q,
                noise_multiplier: z,
            } => write!(f, "record(q = {q}, z = {z})"),
            Self::Group {
                sampling_rate: q,
                noise_multiplier: z,
                group_size,
            } => {
                write!(f, "group of {group_size}(q = {q}, z = {z})")
            }
            Self::AveragedGradient {
                sampling_rate: q,
                noise_multiplier: z,
            } => {
                write!(f, "averaged gradient(q = {q}, z = {z})")
            }
            Self::SubjectSampling {
                sampling_rate: q,
                noise_multiplier: z,
            } => {
                write!(f, "subject sampling(q = {q}, z = {z})")
            }
            Self::SiloNoise {
                noise_multiplier: z,
            } => write!(f, "silo noise(z = {z})"),
            Self::DistributedNoise {
                noise_multiplier: z,
                shares,
            } => write!(f, "distributed noise(z = {z} in {shares} shares)"),
            Self::AdaptiveClip {
                gradient_noise: g,
                count_noise: c,
                ..
            } => {
                let step = self.without_count();
                write!(f, "{step} with counts(z of sum = {g}, z of count = {c})")
            }
        }
    }
}

/// Every record that joins adds its own clipped gradient.
fn sum_of_records(q: SamplingRate, z: NoiseMultiplier, unit: PrivacyUnit, records: u32) -> DpEvent {
    match (unit, records) {
        (PrivacyUnit::Record, _) | (_, 1) => DpEvent::sampled_gaussian(q, z),
        _ if q == SamplingRate::ONE => DpEvent::gaussian(z.scaled(1.0 / f64::from(records))),
        _ => DpEvent::MixtureOfGaussians(MixtureOfGaussians::binomial(q, records, z)),
    }
}

/// The chance that at least one of `records` joins, rounded up.
fn any_of(q: SamplingRate, records: u32) -> SamplingRate {
    if records == 1 {
        return q;
    }
    let none = f64::from(records) * (-q.get()).ln_1p();
    SamplingRate::try_new((-none.exp_m1()).next_up().min(1.0)).unwrap_or(SamplingRate::ONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn q(value: f64) -> SamplingRate {
        SamplingRate::try_new(value).unwrap()
    }

    fn z(value: f64) -> NoiseMultiplier {
        NoiseMultiplier::try_new(value).unwrap()
    }

    #[test]
    fn events_follow_the_table() {
        use PrivacyUnit::{Record, Silo, Subject};
        let (rate, noise) = (q(0.01), z(2.0));
        let plain = DpEvent::sampled_gaussian(rate, noise);

        assert_eq!(Mechanism::None.event(Record, 1), DpEvent::NonPrivate);

        let record = Mechanism::Record {
            sampling_rate: rate,
            noise_multiplier: noise,
        };
        assert_eq!(record.event(Record, 1), plain);
        assert_eq!(record.event(Subject, 1), plain);
        let mixture = MixtureOfGaussians::binomial(rate, 4, noise);
        assert_eq!(
            record.event(Subject, 4),
            DpEvent::MixtureOfGaussians(mixture)
        );
        assert_eq!(record.event(Silo, 4), DpEvent::NonPrivate);

        let group_size = NonZeroU32::new(3).unwrap();
        let group = Mechanism::Group {
            sampling_rate: rate,
            noise_multiplier: noise,
            group_size,
        };
        assert_eq!(
            group.event(Record, 1),
            DpEvent::sampled_gaussian(rate, z(6.0))
        );
        let beyond = MixtureOfGaussians::binomial(rate, 5, z(6.0));
        assert_eq!(group.event(Subject, 5), DpEvent::MixtureOfGaussians(beyond));

        let averaged = Mechanism::AveragedGradient {
            sampling_rate: rate,
            noise_multiplier: noise,
        };
        assert_eq!(averaged.event(Record, 1), plain);
        let DpEvent::PoissonSampled { sampling_rate, .. } = averaged.event(Subject, 4) else {
            panic!("a sampled event")
        };
        let joined = 1.0 - 0.99_f64.powi(4);
        assert!((sampling_rate.get() / joined - 1.0).abs() < 1e-14);

        let sampled = Mechanism::SubjectSampling {
            sampling_rate: rate,
            noise_multiplier: noise,
        };
        assert_eq!(sampled.event(Subject, 9), plain);
        let replaced = DpEvent::SampledReplacement {
            sampling_rate: rate,
            noise_multiplier: noise,
        };
        assert_eq!(sampled.event(Record, 1), replaced);

        let noised = Mechanism::SiloNoise {
            noise_multiplier: noise,
        };
        assert_eq!(noised.event(Silo, 0), DpEvent::gaussian(noise));
        assert_eq!(noised.event(Record, 1), DpEvent::gaussian(z(1.0)));
        assert_eq!(noised.event(Subject, 4), DpEvent::gaussian(z(0.25)));

        let distributed = Mechanism::DistributedNoise {
            noise_multiplier: noise,
            shares: group_size,
        };
        for unit in [Record, Subject, Silo] {
            assert_eq!(distributed.event(unit, 4), noised.event(unit, 4));
            assert_eq!(distributed.why_infinite(unit), None);
        }
    }

    #[test]
    fn a_count_beside_the_sum_costs_what_less_noise_would() {
        // Opacus 1.6.0, AdaClipDPOptimizer(noise_multiplier=1.0, unclipped_num_std=5.0) gives the sum this noise.
        let opacus = 1.005_037_815_259_212;
        let joint = joint_noise(z(opacus), z(2.0 * 5.0)).get();
        assert!((joint - 1.0).abs() < 1e-14, "{joint}");
        let group_size = NonZeroU32::new(3).unwrap();
        let steps = [
            ClippedStep::Record {
                sampling_rate: q(0.01),
            },
            ClippedStep::Group {
                sampling_rate: q(0.01),
                group_size,
            },
            ClippedStep::AveragedGradient {
                sampling_rate: q(0.01),
            },
            ClippedStep::SubjectSampling {
                sampling_rate: q(0.01),
            },
        ];
        for step in steps {
            let adaptive = Mechanism::AdaptiveClip {
                step,
                gradient_noise: z(1.25),
                count_noise: z(5.0 / 3.0),
            };
            // 1.25⁻² + (5/3)⁻² = 1.
            let plain = step.with_noise(z(1.0 - 8.0 * f64::EPSILON));
            for unit in [PrivacyUnit::Record, PrivacyUnit::Subject, PrivacyUnit::Silo] {
                for multiplicity in [0, 1, 4] {
                    assert_eq!(
                        adaptive.event(unit, multiplicity),
                        plain.event(unit, multiplicity)
                    );
                }
                assert_eq!(adaptive.why_infinite(unit), plain.why_infinite(unit));
            }
            let silent = Mechanism::AdaptiveClip {
                step,
                gradient_noise: z(1.0),
                count_noise: z(0.0),
            };
            assert!(silent.why_infinite(PrivacyUnit::Record).is_some());
        }
    }

    #[test]
    fn who_has_no_records_loses_nothing() {
        for mechanism in [
            Mechanism::None,
            Mechanism::Record {
                sampling_rate: q(0.1),
                noise_multiplier: z(1.0),
            },
            Mechanism::SiloNoise {
                noise_multiplier: z(1.0),
            },
        ] {
            assert_eq!(mechanism.event(PrivacyUnit::Subject, 0), DpEvent::NoOp);
        }
    }

    #[test]
    fn the_chance_that_any_joins_is_never_too_small() {
        assert_eq!(any_of(q(1.0), 7), SamplingRate::ONE);
        let tiny = any_of(q(1e-12), 1000).get();
        assert!((1e-9 * (1.0 - 1e-9)..1e-9).contains(&tiny));
    }

    #[test]
    fn survives_json() {
        let mechanism = Mechanism::Record {
            sampling_rate: q(0.01),
            noise_multiplier: z(1.0),
        };
        let written = serde_json::to_string(&mechanism).unwrap();
        assert_eq!(
            written,
            r#"{"record":{"sampling_rate":0.01,"noise_multiplier":1.0}}"#
        );
        assert_eq!(
            serde_json::from_str::<Mechanism>(&written).unwrap(),
            mechanism
        );
    }
}
