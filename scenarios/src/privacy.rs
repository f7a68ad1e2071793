//! The `[privacy]` table: what is protected, and at which price.

use accounting::{ClipNorm, Delta, NoiseMultiplier, PrivacyBudget};
use serde::de::{self, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::num::NonZeroU32;
use training::AdaptiveClip;

/// What a scenario asks of its federation's privacy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Table", into = "Table")]
pub struct PrivacyConfig {
    /// What is clipped and noised.
    pub protection: Protection,
    /// How the protection's clip norm adapts from local step to local step, if it does.
    pub adaptive_clip: Option<AdaptiveClip>,
    /// How much noise, or how it is found. Without protection there is none.
    pub noise: Option<Noise>,
}

/// What is clipped and noised, with the bound that noise is measured against.
///
/// Source of the subject protections: Marathe, Kanani, Peterson, Steele 2022 (arXiv 2206.03617).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Protection {
    /// Nothing.
    None,
    /// Each record's gradient is clipped; noise in every local step.
    Record {
        /// Bound on a record's gradient.
        clip_norm: ClipNorm,
    },
    /// As `Record`, with noise for `group_size` records of one subject (LocalGroupDP); silos keep no more of any.
    Group {
        /// Bound on a record's gradient.
        clip_norm: ClipNorm,
        /// Most records of one subject in one silo: a public bound, enforced before training.
        group_size: NonZeroU32,
    },
    /// Each record's gradient is clipped, then averaged over its subject's records in the step (HiGradAvgDP).
    AveragedGradient {
        /// Bound on a record's gradient, and so on a subject's average.
        clip_norm: ClipNorm,
    },
    /// Subjects are sampled, not records; the average of at most `records_per_subject` of them is clipped.
    SubjectSampling {
        /// Bound on a subject's average gradient.
        clip_norm: ClipNorm,
        /// Most records of a sampled subject that join a step.
        records_per_subject: NonZeroU32,
    },
    /// The coordinator clips each silo's update and noises their sum.
    SiloNoise {
        /// Bound on a silo's update.
        clip_norm: ClipNorm,
    },
    /// Each silo clips its update and adds its share of the noise; only the sum is seen.
    DistributedNoise {
        /// Bound on a silo's update.
        clip_norm: ClipNorm,
    },
}

/// How much noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Noise {
    /// As much as keeps a unit within a budget over all rounds.
    Budget(PrivacyBudget),
    /// As much as given, and a budget: a round that would overspend it does not start, and the run ends there.
    Capped {
        /// `z`.
        noise_multiplier: NoiseMultiplier,
        /// The limit.
        budget: PrivacyBudget,
    },
    /// Deviation ÷ sensitivity, and the δ at which the loss is stated.
    Multiplier {
        /// `z`.
        noise_multiplier: NoiseMultiplier,
        /// At which ε is stated.
        delta: Delta,
    },
}

/// A `[privacy]` table that cannot be followed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PrivacyConfigError {
    /// A clip norm of whole updates that adapts.
    #[error(
        "silo-noise and distributed-noise need a `clip_norm` that is a number, e.g. 1.0: only that of local steps adapts"
    )]
    AdaptiveUpdates,
    /// A protection lacks something.
    #[error("protection = \"{protection}\" needs `{key}`, e.g. {key} = {example}")]
    Missing {
        /// The protection.
        protection: &'static str,
        /// The key.
        key: &'static str,
        /// A value that would do.
        example: &'static str,
    },
    /// A protection has something that it does not use.
    #[error(
        "protection = \"{protection}\" does not use `{key}`: remove it, or choose a protection that does"
    )]
    Unused {
        /// The protection.
        protection: &'static str,
        /// The key.
        key: &'static str,
    },
    /// Nothing says how much noise.
    #[error(
        "privacy has neither of `budget` and `noise_multiplier`: give a budget, e.g. budget = {{ unit = \"subject\", \
         epsilon = 8.0, delta = 1e-3 }}, and the noise is found for it; or noise_multiplier with delta; or \
         noise_multiplier with a budget, at which the run stops"
    )]
    NoNoise,
    /// Two deltas.
    #[error("privacy has `delta` beside `budget`: the budget has its own delta; remove one")]
    TwoDeltas,
}

impl Protection {
    /// The name that a scenario writes.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Record { .. } => "record",
            Self::Group { .. } => "group",
            Self::AveragedGradient { .. } => "averaged-gradient",
            Self::SubjectSampling { .. } => "subject-sampling",
            Self::SiloNoise { .. } => "silo-noise",
            Self::DistributedNoise { .. } => "distributed-noise",
        }
    }

    /// What it does, in one sentence.
    pub const fn in_words(&self) -> &'static str {
        match self {
            Self::None => "Nothing is clipped or noised.",
            Self::Record { .. } => {
                "Every silo clips each record's gradient and adds Gaussian noise in every local step (DP-SGD)."
            }
            Self::Group { .. } => {
                "Every silo clips each record's gradient and adds noise for a whole group of one subject's records in every local step (LocalGroupDP)."
            }
            Self::AveragedGradient { .. } => {
                "Every silo clips each record's gradient, averages the clipped gradients of a subject, and adds noise in every local step (HiGradAvgDP)."
            }
            Self::SubjectSampling { .. } => {
                "Every silo samples subjects, clips each one's average gradient, and adds noise in every local step."
            }
            Self::SiloNoise { .. } => {
                "The coordinator clips each silo's whole update and adds noise to their sum, once a round."
            }
            Self::DistributedNoise { .. } => {
                "Every silo clips its whole update, rounds it to integers and adds its share of discrete Gaussian noise; the coordinator sees their sum alone, once a round."
            }
        }
    }

    /// The bound that noise is measured against.
    pub const fn clip_norm(&self) -> Option<ClipNorm> {
        match *self {
            Self::None => None,
            Self::Record { clip_norm }
            | Self::Group { clip_norm, .. }
            | Self::AveragedGradient { clip_norm }
            | Self::SubjectSampling { clip_norm, .. }
            | Self::SiloNoise { clip_norm }
            | Self::DistributedNoise { clip_norm } => Some(clip_norm),
        }
    }

    /// Whether silos clip and noise every local step.
    pub const fn is_local(&self) -> bool {
        !matches!(
            self,
            Self::None | Self::SiloNoise { .. } | Self::DistributedNoise { .. }
        )
    }

    /// Whether anything is protected.
    pub const fn is_on(&self) -> bool {
        !matches!(self, Self::None)
    }
}

impl PrivacyConfig {
    /// What is done, in sentences.
    pub fn in_words(&self) -> String {
        let words = self.protection.in_words();
        match self.adaptive_clip {
            None => words.to_owned(),
            Some(adaptive) => format!(
                "{words} The clip norm adapts: noised counts, which every ε here covers, move it to where {} % of what \
                 is clipped is within it.",
                100.0 * adaptive.quantile()
            ),
        }
    }

    /// The δ at which losses are stated; 1e-5 where nothing is promised and so none is asked for.
    ///
    /// # Panics
    /// Never.
    pub fn delta(&self) -> Delta {
        match self.noise {
            Some(Noise::Budget(budget) | Noise::Capped { budget, .. }) => budget.delta,
            Some(Noise::Multiplier { delta, .. }) => delta,
            None => Delta::try_new(1e-5).expect("1e-5 is a probability"),
        }
    }

    /// The budget, if one was set.
    pub const fn budget(&self) -> Option<PrivacyBudget> {
        match self.noise {
            Some(Noise::Budget(budget) | Noise::Capped { budget, .. }) => Some(budget),
            Some(Noise::Multiplier { .. }) | None => None,
        }
    }
}

/// The table as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    protection: Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    clip_norm: Option<Clip>,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<PrivacyBudget>,
    #[serde(skip_serializing_if = "Option::is_none")]
    noise_multiplier: Option<NoiseMultiplier>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<Delta>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_size: Option<NonZeroU32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records_per_subject: Option<NonZeroU32>,
}

/// A clip norm as it is written: a number, or a table that says how it adapts.
#[derive(Clone, Copy, Serialize)]
#[serde(untagged)]
enum Clip {
    Fixed(ClipNorm),
    Adaptive(AdaptiveClip),
}

impl Clip {
    const fn norm(self) -> ClipNorm {
        match self {
            Self::Fixed(norm) => norm,
            Self::Adaptive(adaptive) => adaptive.initial(),
        }
    }

    const fn adaptive(self) -> Option<AdaptiveClip> {
        match self {
            Self::Fixed(_) => None,
            Self::Adaptive(adaptive) => Some(adaptive),
        }
    }
}

impl<'de> Deserialize<'de> for Clip {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ClipVisitor)
    }
}

struct ClipVisitor;

impl<'de> Visitor<'de> for ClipVisitor {
    type Value = Clip;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a number above 0, e.g. 1.0, or a table of a clip norm that adapts, e.g. { initial = 1.0, quantile = 0.5 }",
        )
    }

    fn visit_f64<E: de::Error>(self, norm: f64) -> Result<Clip, E> {
        ClipNorm::try_new(norm).map(Clip::Fixed).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, norm: i64) -> Result<Clip, E> {
        self.visit_f64(norm as f64)
    }

    fn visit_u64<E: de::Error>(self, norm: u64) -> Result<Clip, E> {
        self.visit_f64(norm as f64)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Clip, A::Error> {
        AdaptiveClip::deserialize(MapAccessDeserializer::new(map)).map(Clip::Adaptive)
    }
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Name {
    None,
    Record,
    Group,
    AveragedGradient,
    SubjectSampling,
    SiloNoise,
    DistributedNoise,
}

impl TryFrom<Table> for PrivacyConfig {
    type Error = PrivacyConfigError;

    fn try_from(table: Table) -> Result<Self, PrivacyConfigError> {
        use PrivacyConfigError as Error;
        let clip = |protection| {
            table.clip_norm.map(Clip::norm).ok_or(Error::Missing {
                protection,
                key: "clip_norm",
                example: "1.0",
            })
        };
        let adaptive_clip = table.clip_norm.and_then(Clip::adaptive);
        if matches!(table.protection, Name::SiloNoise | Name::DistributedNoise)
            && adaptive_clip.is_some()
        {
            return Err(Error::AdaptiveUpdates);
        }
        let protection = match table.protection {
            Name::None => Protection::None,
            Name::Record => Protection::Record {
                clip_norm: clip("record")?,
            },
            Name::Group => Protection::Group {
                clip_norm: clip("group")?,
                group_size: table.group_size.ok_or(Error::Missing {
                    protection: "group",
                    key: "group_size",
                    example: "8",
                })?,
            },
            Name::AveragedGradient => Protection::AveragedGradient {
                clip_norm: clip("averaged-gradient")?,
            },
            Name::SubjectSampling => Protection::SubjectSampling {
                clip_norm: clip("subject-sampling")?,
                records_per_subject: table.records_per_subject.ok_or(Error::Missing {
                    protection: "subject-sampling",
                    key: "records_per_subject",
                    example: "8",
                })?,
            },
            Name::SiloNoise => Protection::SiloNoise {
                clip_norm: clip("silo-noise")?,
            },
            Name::DistributedNoise => Protection::DistributedNoise {
                clip_norm: clip("distributed-noise")?,
            },
        };
        let unused = |key, given: bool, used: bool| {
            if given && !used {
                Err(Error::Unused {
                    protection: protection.name(),
                    key,
                })
            } else {
                Ok(())
            }
        };
        let on = protection.is_on();
        unused("clip_norm", table.clip_norm.is_some(), on)?;
        unused("budget", table.budget.is_some(), on)?;
        unused("noise_multiplier", table.noise_multiplier.is_some(), on)?;
        unused("delta", table.delta.is_some(), on)?;
        unused(
            "group_size",
            table.group_size.is_some(),
            table.protection == Name::Group,
        )?;
        let sampled = table.protection == Name::SubjectSampling;
        unused(
            "records_per_subject",
            table.records_per_subject.is_some(),
            sampled,
        )?;
        let noise = match (table.budget, table.noise_multiplier, table.delta) {
            _ if !on => None,
            (None, None, _) => return Err(Error::NoNoise),
            (Some(_), _, Some(_)) => return Err(Error::TwoDeltas),
            (Some(budget), None, None) => Some(Noise::Budget(budget)),
            (Some(budget), Some(noise_multiplier), None) => Some(Noise::Capped {
                noise_multiplier,
                budget,
            }),
            (None, Some(noise_multiplier), Some(delta)) => Some(Noise::Multiplier {
                noise_multiplier,
                delta,
            }),
            (None, Some(_), None) => {
                let (protection, key) = (protection.name(), "delta");
                return Err(Error::Missing {
                    protection,
                    key,
                    example: "1e-5",
                });
            }
        };
        Ok(Self {
            protection,
            adaptive_clip,
            noise,
        })
    }
}

impl From<PrivacyConfig> for Table {
    fn from(config: PrivacyConfig) -> Self {
        let mut table = Self {
            protection: Name::None,
            clip_norm: match config.adaptive_clip {
                Some(adaptive) => Some(Clip::Adaptive(adaptive)),
                None => config.protection.clip_norm().map(Clip::Fixed),
            },
            budget: config.budget(),
            noise_multiplier: None,
            delta: None,
            group_size: None,
            records_per_subject: None,
        };
        match config.noise {
            Some(Noise::Multiplier {
                noise_multiplier,
                delta,
            }) => {
                table.noise_multiplier = Some(noise_multiplier);
                table.delta = Some(delta);
            }
            Some(Noise::Capped {
                noise_multiplier, ..
            }) => table.noise_multiplier = Some(noise_multiplier),
            Some(Noise::Budget(_)) | None => {}
        }
        table.protection = match config.protection {
            Protection::None => Name::None,
            Protection::Record { .. } => Name::Record,
            Protection::Group { group_size, .. } => {
                table.group_size = Some(group_size);
                Name::Group
            }
            Protection::AveragedGradient { .. } => Name::AveragedGradient,
            Protection::SubjectSampling {
                records_per_subject,
                ..
            } => {
                table.records_per_subject = Some(records_per_subject);
                Name::SubjectSampling
            }
            Protection::SiloNoise { .. } => Name::SiloNoise,
            Protection::DistributedNoise { .. } => Name::DistributedNoise,
        };
        table
    }
}
