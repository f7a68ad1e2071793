//! An audit over independent runs: the same federation trained again and again, in half of the runs with one subject more.

use super::{AuditMethod, Epsilon, Real};
use serde::{Deserialize, Serialize};

/// What such an audit found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RepeatedAudit {
    /// The scenario's name.
    pub name: String,
    /// Digest of the plan of which every run is a training.
    pub plan_digest: String,
    /// The scenario's seed, of which every run has a child.
    pub seed: u64,
    /// The version that wrote this.
    pub siloscope_version: String,
    /// Whose presence was told apart, in words.
    pub who: String,
    /// The audited subject's records in each silo that holds any.
    pub holdings: Vec<(u32, u32)>,
    /// What the auditor sees of a run, in a sentence.
    pub view: String,
    /// Runs with the subject and runs without it.
    pub runs: Sides,
    /// Of those, the ones on which statistic and threshold were chosen; the others are judged.
    pub chosen_on: Sides,
    /// Every statistic that was there to choose from, in words.
    pub statistics: Vec<String>,
    /// The one that was chosen.
    pub statistic: String,
    /// A run with at least this score is called one with the subject.
    pub threshold: Real,
    /// What became of the judged runs.
    pub calls: Calls,
    /// Scores of the judged runs, by the chosen statistic.
    pub scores: Scores,
    /// How often a correct program passes.
    pub confidence: Real,
    /// The δ of all bounds.
    pub delta: Real,
    /// The accountant: ε is at most this.
    pub upper: Epsilon,
    /// The audit: ε is at least this.
    pub lower: Epsilon,
    /// The largest lower bound that so many runs could have shown, had every one been called rightly.
    pub largest: Epsilon,
    /// Whether the accountant's promise was found broken.
    pub refuted: bool,
    /// Every method's answer.
    pub methods: Vec<AuditMethod>,
}

/// How many runs of either kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sides {
    /// With the subject.
    pub with: u32,
    /// Without it.
    pub without: u32,
}

/// Right and wrong calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    /// Runs with the subject that were called so.
    pub true_positives: u64,
    /// Runs without it that were called runs with it.
    pub false_positives: u64,
    /// Runs without it that were called so.
    pub true_negatives: u64,
    /// Runs with it that were called runs without it.
    pub false_negatives: u64,
}

/// Scores, higher = with the subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Of runs with the subject.
    pub with: Vec<Real>,
    /// Of runs without it.
    pub without: Vec<Real>,
}
