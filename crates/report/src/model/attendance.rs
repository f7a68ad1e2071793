//! Who was missing from which round, what it meant for ε, and how long rounds took on a simulated network.

use super::{Epsilon, Real};
use serde::{Deserialize, Serialize};

/// The course of the rounds. Part of a report where a silo was missing, a round was repeated, or the scenario has
/// a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attendance {
    /// Every round that was started, in order.
    pub rounds: Vec<AttendanceRound>,
    /// What the missing silos' part in ε is, if a silo was missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<CostOfAbsence>,
}

/// How one round went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttendanceRound {
    /// The round.
    pub round: u32,
    /// Whether it made a model; a round that did not ended the run.
    pub finished: bool,
    /// How often its silos were asked; 1 is the first time.
    pub attempts: u32,
    /// Silos that were asked and have no part in the model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingSilo>,
    /// How long it took, in seconds of virtual time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<Real>,
    /// Bytes over all links, what was sent again included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// A silo without a part in a round's model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingSilo {
    /// Its place among the silos, counted from 0.
    pub silo: u32,
    /// Why, in words.
    pub why: String,
}

/// ε of the worst-off subject, with and without the charges for updates that no model was made of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CostOfAbsence {
    /// As promised: whoever was asked is charged, since an update may have left its silo.
    pub charged: Epsilon,
    /// If only updates that a model was made of had left their silos. No promise.
    pub used: Epsilon,
}

impl Attendance {
    /// Rounds in which a silo was missing.
    pub fn absences(&self) -> impl Iterator<Item = &AttendanceRound> {
        self.rounds.iter().filter(|round| !round.missing.is_empty())
    }
}
