//! Whether to believe it: gates, checks, notes.

use super::Real;
use serde::{Deserialize, Serialize};

/// A limit from the scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// The scenario's key, e.g. `max_subject_auc`.
    pub name: String,
    /// What is limited, in words.
    pub what: String,
    /// On which side of the limit the value must lie.
    pub sense: Sense,
    /// The limit.
    pub limit: Real,
    /// The value that was held against it.
    pub value: Real,
    /// Whether it held.
    pub passed: bool,
}

/// Direction of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sense {
    /// The value must not exceed the limit.
    AtMost,
    /// The value must reach the limit.
    AtLeast,
}

/// An attack whose right answer is known, e.g. on the untrained model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Its name, e.g. `untrained-model`.
    pub name: String,
    /// What should come out, in words.
    pub expected: String,
    /// What came out, in words with numbers.
    pub found: String,
    /// Whether the two agree.
    pub outcome: CheckOutcome,
    /// What it means if they do not, and what to do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub meaning: String,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckOutcome {
    /// As expected.
    Passed,
    /// Nothing is shown to be wrong, but the attack figures do not speak for themselves.
    Caution,
    /// Not as expected: the run's attack figures are not to be trusted, and the run fails.
    Tripped,
    /// Could not be done; [`Check::found`] says why.
    NotRun,
}

/// Something a reader must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// How serious.
    pub kind: NoteKind,
    /// In one or two sentences.
    pub text: String,
}

/// How serious a note is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteKind {
    /// A number here may mislead.
    Warning,
    /// Where the method ends.
    Limit,
}
