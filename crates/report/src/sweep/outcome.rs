//! What one task of a sweep came to: the figures of its report that a sweep compares.

use crate::RunReport;
use crate::model::{
    Audit, CheckOutcome, Epsilon, Interval, Measurement, PrivacyUnit, Quality, Real, Regime,
    TprAtFpr,
};
use serde::Serialize;

/// How a task stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum State {
    /// It has a report.
    Done(Outcomes),
    /// Its last try failed.
    Failed {
        /// The exit code of that try; none if its process was killed.
        #[serde(skip_serializing_if = "Option::is_none")]
        exit_code: Option<u8>,
        /// Why, in words.
        message: String,
    },
    /// It has not been run to its end.
    Missing,
}

impl State {
    /// How it stands, in a word.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::Failed { .. } => "failed",
            Self::Missing => "missing",
        }
    }

    /// Why there is no report, in words; empty if there is one.
    pub(crate) fn why(&self) -> String {
        match self {
            Self::Done(_) => String::new(),
            Self::Failed {
                exit_code: Some(code),
                message,
            } => format!("exit code {code}: {message}"),
            Self::Failed {
                exit_code: None,
                message,
            } => format!("killed: {message}"),
            Self::Missing => "not run to its end".to_owned(),
        }
    }

    /// What came out, if the task is done.
    pub fn outcomes(&self) -> Option<&Outcomes> {
        match self {
            Self::Done(outcomes) => Some(outcomes),
            Self::Failed { .. } | Self::Missing => None,
        }
    }
}

/// The figures of a finished run after its last round.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcomes {
    /// Rounds that were finished.
    pub rounds_finished: u32,
    /// Rounds that were planned.
    pub rounds_planned: u32,
    /// How good the model is, if that was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utility: Option<Quality>,
    /// ε of the worst-off record, subject and silo, as far as they were accounted for.
    pub epsilon: Vec<EpsilonOutcome>,
    /// One entry for each attack and regime, in the scenario's order.
    pub attacks: Vec<AttackOutcome>,
    /// Names of the limits that failed.
    pub gates_failed: Vec<String>,
    /// Names of the checks that tripped, of attacks and of the audit.
    pub checks_tripped: Vec<String>,
    /// Whether every limit held, no check tripped and no audit failed.
    pub holds: bool,
}

/// The loss of one unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct EpsilonOutcome {
    /// Whose presence is hidden.
    pub unit: PrivacyUnit,
    /// The worst-off unit's ε; perhaps infinite.
    pub epsilon: Epsilon,
    /// The δ that belongs to it.
    pub delta: Real,
}

/// One attack in one regime.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AttackOutcome {
    /// The attack's name in the scenario; its statistic stands after a slash.
    pub attack: String,
    /// Its name in words.
    pub title: String,
    /// Which records of a subject the adversary holds.
    pub regime: Regime,
    /// Members that were scored.
    pub members: u32,
    /// Non-members that were scored.
    pub non_members: u32,
    /// Chance that a member scores above a non-member.
    pub auc: Interval,
    /// Members caught at each rate of false alarms that the scenario asks about.
    pub tpr_at_fpr: Vec<TprAtFpr>,
    /// True-positive rate less false-positive rate at a threshold set on known subjects.
    pub advantage: Measurement,
}

impl Outcomes {
    /// ε of the worst-off `unit`.
    pub fn epsilon(&self, unit: PrivacyUnit) -> Option<Epsilon> {
        let mut all = self.epsilon.iter();
        all.find(|outcome| outcome.unit == unit)
            .map(|outcome| outcome.epsilon)
    }

    /// The entry of an attack in a regime.
    pub fn attack(&self, attack: &str, regime: Regime) -> Option<&AttackOutcome> {
        let mut all = self.attacks.iter();
        all.find(|outcome| outcome.attack == attack && outcome.regime == regime)
    }
}

impl From<&RunReport> for Outcomes {
    fn from(report: &RunReport) -> Self {
        let attacks = report.leak.attacks.iter().filter_map(|attack| {
            let last = attack.last()?;
            Some(AttackOutcome {
                attack: attack.attack.clone(),
                title: attack.title.clone(),
                regime: attack.regime,
                members: attack.members,
                non_members: attack.non_members,
                auc: last.auc,
                tpr_at_fpr: last.tpr_at_fpr.clone(),
                advantage: last.advantage.clone(),
            })
        });
        let epsilon = report.promise.guarantees.iter().map(|g| EpsilonOutcome {
            unit: g.unit,
            epsilon: g.epsilon,
            delta: g.delta,
        });
        let failed = report.gates.iter().filter(|gate| !gate.passed);
        let audited = report.audit.iter().flat_map(|audit: &Audit| &audit.checks);
        let checks = report.leak.checks.iter().chain(audited);
        let tripped = checks.filter(|check| check.outcome == CheckOutcome::Tripped);
        Self {
            rounds_finished: report.ending.rounds_finished,
            rounds_planned: report.ending.rounds_planned,
            utility: report.utility.rounds.last().map(|last| last.quality),
            epsilon: epsilon.collect(),
            attacks: attacks.collect(),
            gates_failed: failed.map(|gate| gate.name.clone()).collect(),
            checks_tripped: tripped.map(|check| check.name.clone()).collect(),
            holds: report.holds(),
        }
    }
}
