//! What the model is good for.

use super::Real;
use serde::{Deserialize, Serialize};

/// The model's quality on records of subjects that it never saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Utility {
    /// What is predicted, in words that complete "right on 91 % of …", e.g. "digits from writers it never saw".
    pub of_what: String,
    /// Records it was measured on.
    pub test_records: u64,
    /// Quality after each round; round 0 is the untrained model.
    pub rounds: Vec<UtilityRound>,
    /// What a model that learned nothing reaches.
    pub baseline: Baseline,
}

/// Quality after one round.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct UtilityRound {
    /// The round.
    pub round: u32,
    /// Share of right answers, in [0, 1].
    pub accuracy: Real,
    /// Mean loss in nats a record.
    pub loss: Real,
    /// What the next round begins to clip to, where that adapts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<Real>,
}

/// Accuracy without learning.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Guessing evenly: 1 ÷ classes.
    pub chance: Real,
    /// Always naming the most frequent class.
    pub majority: Real,
}
