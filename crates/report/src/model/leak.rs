//! What the attacks found, round by round.

use super::{Check, CheckOutcome, Exposed, Interval, OverRuns, Real, SourceReport};
use serde::{Deserialize, Serialize};

/// What leaked, as far as the attacks of this run can tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Leak {
    /// One entry for each attack and regime, in the scenario's order.
    pub attacks: Vec<AttackReport>,
    /// The attacks on every shadow federation in turn; empty without shadow federations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub over_runs: Vec<OverRuns>,
    /// Which silo holds whom, by regime; empty unless the adversary sees the silos' updates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceReport>,
    /// What the most exposed subjects have in common, by regime.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exposed: Vec<Exposed>,
    /// Attacks whose answer is known beforehand: one that comes out otherwise discredits the rest.
    pub checks: Vec<Check>,
}

impl Leak {
    /// The checks that came out otherwise than they must.
    pub fn tripped(&self) -> impl Iterator<Item = &Check> {
        self.with(CheckOutcome::Tripped)
    }

    /// The checks with this outcome.
    pub fn with(&self, outcome: CheckOutcome) -> impl Iterator<Item = &Check> {
        let checks = self.checks.iter();
        checks.filter(move |check| check.outcome == outcome)
    }
}

/// Which records of a subject the adversary holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Regime {
    /// Records of the subject that were never trained on.
    Fresh,
    /// The very records that a member's silos trained on.
    TrainingRecords,
}

impl Regime {
    /// Both regimes, in the order they are shown.
    pub const ALL: [Self; 2] = [Self::Fresh, Self::TrainingRecords];

    /// Its name in JSON, in names of files and of columns.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::TrainingRecords => "training-records",
        }
    }
}

/// One attack in one regime.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttackReport {
    /// The attack's name in the scenario, e.g. `loss-threshold`.
    pub attack: String,
    /// Its name in words.
    pub title: String,
    /// The paper it comes from; empty if there is none.
    pub source: String,
    /// What the adversary observes, in words, e.g. "the losses under the final model".
    pub threat_model: String,
    /// Which records of a subject the adversary holds.
    pub regime: Regime,
    /// How many records of each subject the adversary holds.
    pub adversary_records: u32,
    /// Members that were scored.
    pub members: u32,
    /// Non-members that were scored.
    pub non_members: u32,
    /// Confidence of every interval here, e.g. 0.95.
    pub confidence: Real,
    /// Success after each round; round 0 is the untrained model.
    pub rounds: Vec<AttackRound>,
    /// The ROC after the last round, from (0, 0) to (1, 1).
    pub roc: Vec<RocPoint>,
}

impl AttackReport {
    /// Success after the last round.
    pub fn last(&self) -> Option<&AttackRound> {
        self.rounds.last()
    }
}

/// How well an attack did after one round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttackRound {
    /// The round.
    pub round: u32,
    /// Chance that a member scores above a non-member.
    pub auc: Interval,
    /// Members caught at a bounded rate of false alarms.
    pub tpr_at_fpr: Vec<TprAtFpr>,
    /// Of those called members, the share that are. At a threshold set on known subjects.
    pub precision: Measurement,
    /// Of the members, the share called members. At the same threshold.
    pub recall: Measurement,
    /// Harmonic mean of precision and recall.
    pub f1: Measurement,
    /// True-positive rate less false-positive rate at the same threshold.
    pub advantage: Measurement,
}

/// Members caught while at most `fpr` of the non-members are accused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TprAtFpr {
    /// The bound on the false-positive rate.
    pub fpr: Real,
    /// The true-positive rate, or why it is not given.
    pub tpr: Measurement,
}

/// A measured value, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measurement {
    /// A value with its interval.
    Interval(Interval),
    /// A value alone.
    Value(Real),
    /// No value, and the reason, e.g. "1 % of 40 non-members is less than one".
    Withheld(String),
}

impl Measurement {
    /// The value, if there is one.
    pub fn value(&self) -> Option<f64> {
        match self {
            Self::Interval(interval) => Some(interval.value.get()),
            Self::Value(value) => Some(value.get()),
            Self::Withheld(_) => None,
        }
    }
}

/// One point of a ROC.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RocPoint {
    /// False-positive rate.
    pub fpr: Real,
    /// True-positive rate.
    pub tpr: Real,
}
