//! What the coordinator asks of a silo, and what the silo answers.

use accounting::{ClipNorm, InvalidEntry, LedgerEntry, Mechanism};
use primitives::{ModelVector, Round, SiloId};
use secure_sum::RingVector;
use serde::{Deserialize, Serialize};

/// What the coordinator asks of one silo in one round: to begin with this model and to do what the plan
/// says. How to train is not part of it: both ends share the plan, and so a coordinator cannot talk a
/// silo into spending more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// The round.
    pub round: Round,
    /// The model to begin with.
    pub model: ModelVector,
    /// What the first local step clips to, where that adapts. No loss depends on it: noise is in proportion to it.
    pub clip_norm: Option<ClipNorm>,
}

/// What one silo learned in one round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiloUpdate {
    /// The round.
    pub round: Round,
    /// The silo.
    pub silo: SiloId,
    /// *local − global*. Shape: `[parameters]`.
    pub delta: ModelVector,
    /// How much it counts in a weighted mean: see [`Weights`].
    pub weight: f64,
    /// What the next local step would clip to, where that adapts: it follows from noised counts.
    pub clip_norm: Option<ClipNorm>,
    /// What the silo did to make it, as emitted by the code that did it.
    pub releases: Vec<Release>,
    /// What else the silo tells.
    pub metrics: UpdateMetrics,
}

/// What one silo gives to the sum of a round: its update as integers, masked or with noise or in the clear, as the plan says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summand {
    /// All of the update but its values: `delta` is empty.
    pub update: SiloUpdate,
    /// Which attempt at the round its masks are of; 1 where there are none.
    pub attempt: u32,
    /// The values. Shape: `[parameters]`.
    pub values: RingVector,
}

/// A mechanism and how often it was run: what one ledger entry is made of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// What was done in each step.
    pub mechanism: Mechanism,
    /// How many steps.
    pub steps: u64,
}

impl Release {
    /// The ledger entry of this release, made by `silo` in `round`.
    ///
    /// # Errors
    /// If there is no step, or if the mechanism is not a silo's to run.
    pub fn entry(&self, round: Round, silo: SiloId) -> Result<LedgerEntry, InvalidEntry> {
        LedgerEntry::local_steps(round.0, silo.0, self.mechanism, self.steps)
    }
}

/// What a silo tells about its training besides the update.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateMetrics {
    /// Nothing: a protection is on, and counts and losses are data.
    Withheld,
    /// No protection is on.
    Open {
        /// The silo's records.
        records: u64,
        /// Mean loss of the records that local steps read, in nats; nothing if no step read one.
        mean_loss: Option<f64>,
    },
}

/// How much each silo counts in the mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weights {
    /// All alike: 1.
    #[default]
    Uniform,
    /// By its number of records, which the silo thereby tells.
    Records,
}

impl Weights {
    /// The weight of a silo that has `records` records.
    pub const fn of(self, records: u64) -> f64 {
        match self {
            Self::Uniform => 1.0,
            Self::Records => records as f64,
        }
    }
}
