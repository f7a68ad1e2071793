//! Experiments whose answer is known beforehand. One that comes out otherwise discredits everything beside it.
//!
//! | check | what is asked | what a failure means |
//! |---|---|---|
//! | [`untrained_model`] | every attack on round 0, before any training | the score measures the subjects, not the model |
//! | [`permuted_membership`] | every attack with shuffled labels | an attack was judged on what it was told |
//! | [`BlindBaseline`] | a classifier that never sees the model | members and non-members differ by themselves |
//! | [`disjoint`] | who is known and who is evaluated | a threshold was chosen on those it is judged on |
//!
//! A check that fails now and then by chance is soon ignored, so each takes the confidence it must hold at, over all
//! attacks together; [`GATE`] leaves one false alarm in ten thousand.

mod blind;
mod disjoint;
mod permuted;
mod untrained;

pub use blind::{BlindBaseline, BlindError};
pub use disjoint::disjoint;
pub use permuted::{Permuted, permuted_membership};
pub use untrained::untrained_model;

use crate::interval::Confidence;
use serde::{Deserialize, Serialize};

/// Confidence at which an automatic check fails a run: one false alarm in ten thousand.
pub const GATE: Confidence = Confidence::NINETY_NINE_NINETY_NINE;

/// What should have come out, what did, and whether they agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The check's name, e.g. `untrained-model`.
    pub name: String,
    /// What should come out, in words.
    pub expected: String,
    /// What came out, in words with numbers.
    pub found: String,
    /// Whether the two agree.
    pub outcome: Outcome,
    /// What it means if they do not, and what to do.
    pub meaning: String,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// As expected.
    Passed,
    /// Could not be done; [`Check::found`] says why.
    NotRun,
    /// Nothing is shown to be wrong, but the attack figures do not speak for themselves.
    Caution,
    /// Not as expected: the attack figures are not to be trusted, and the run fails.
    Tripped,
}

impl Outcome {
    /// [`Self::Passed`] or [`Self::Tripped`].
    const fn of(passed: bool) -> Self {
        if passed { Self::Passed } else { Self::Tripped }
    }
}

impl Check {
    /// The check of this name that could not be done, and why.
    pub fn not_run(name: &str, expected: &str, why: impl std::fmt::Display) -> Self {
        Self {
            name: name.to_owned(),
            expected: expected.to_owned(),
            found: why.to_string(),
            outcome: Outcome::NotRun,
            meaning: String::new(),
        }
    }

    /// Whether it came out as expected.
    pub fn passed(&self) -> bool {
        self.outcome == Outcome::Passed
    }
}

/// So many attacks, in words.
fn counted(attacks: usize) -> String {
    match attacks {
        1 => "1 attack".to_owned(),
        more => format!("{more} attacks"),
    }
}
