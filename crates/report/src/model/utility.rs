//! What the model is good for.

use super::Real;
use serde::{Deserialize, Serialize};

/// The model's quality on records of subjects that it never saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Utility {
    /// What is predicted, in words that complete "right on 91 % of …", e.g. "digits from writers it never saw"; where a
    /// number is predicted, in words that complete "the R² on …".
    pub of_what: String,
    /// Records it was measured on.
    pub test_records: u64,
    /// Quality after each round; round 0 is the untrained model.
    pub rounds: Vec<UtilityRound>,
    /// What a model that learned nothing reaches. None where a number is predicted: always giving the targets' mean is
    /// an R² of 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
}

/// Quality after one round.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct UtilityRound {
    /// The round.
    pub round: u32,
    /// How good the model is: written as `accuracy` or as `r_squared`.
    #[serde(flatten)]
    pub quality: Quality,
    /// Mean loss a record: in nats, or where a number is predicted the mean squared error.
    pub loss: Real,
    /// What the next round begins to clip to, where that adapts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<Real>,
}

/// How good a model is, by the measure that fits what it predicts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Quality {
    /// Share of right answers, in [0, 1].
    #[serde(rename = "accuracy")]
    Accuracy(Real),
    /// R²: one less the mean squared error over the targets' variance, at most 1. Always giving the mean reaches 0;
    /// what does worse is below.
    #[serde(rename = "r_squared")]
    RSquared(Real),
}

impl Quality {
    /// The number, whatever it measures.
    pub const fn get(self) -> f64 {
        match self {
            Self::Accuracy(value) | Self::RSquared(value) => value.get(),
        }
    }

    /// What it measures, as a field or column is called.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Accuracy(_) => "accuracy",
            Self::RSquared(_) => "r_squared",
        }
    }

    /// What it measures, for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accuracy(_) => "accuracy",
            Self::RSquared(_) => "R²",
        }
    }

    /// What the loss beside it is in.
    pub(crate) const fn loss_unit(self) -> &'static str {
        match self {
            Self::Accuracy(_) => "nats",
            Self::RSquared(_) => "squared error",
        }
    }
}

/// Accuracy without learning.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Guessing evenly: 1 ÷ classes.
    pub chance: Real,
    /// Always naming the most frequent class.
    pub majority: Real,
}
