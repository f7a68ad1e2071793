//! What happens during a run, as a stream: `events.jsonl` in the run folder and `--jsonl` on stdout.
//!
//! Events carry no clock, so an interrupted and resumed run writes the same bytes as an undisturbed one.

use crate::driver::RoundTraffic;
use primitives::SiloId;
use report::model::{Epsilon, MissingSilo, Quality, Real};
use serde::{Deserialize, Serialize};
use server::Missing;
use std::collections::BTreeMap;

/// The version of the events' fields.
pub const SCHEMA_VERSION: u32 = 1;

/// One event, one line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The plan is made and the folder is there.
    RunStarted {
        /// [`SCHEMA_VERSION`].
        schema_version: u32,
        /// The scenario's name.
        name: String,
        /// The plan's digest.
        plan: String,
        /// Rounds planned.
        rounds: u32,
        /// Silos.
        silos: u32,
        /// Parameters of the model.
        parameters: u64,
    },
    /// A round is finished, measured, attacked and on disk. Round 0 is the untrained model.
    RoundFinished(RoundFigures),
    /// A round was started and given up. What its silos may have released is in the ledger.
    RoundAbandoned(AbandonedFigures),
    /// The next round would have overspent and was refused.
    BudgetReached {
        /// The round that was refused.
        round: u32,
        /// Why.
        why: String,
    },
    /// The run is over; the last event of a stream.
    RunFinished {
        /// How it ended: finished, budget-reached.
        ending: String,
        /// Rounds that were finished.
        rounds: u32,
        /// Whether every gate held.
        gates_passed: bool,
        /// Exit code of the process.
        exit_code: u8,
    },
    /// The run stopped before its end and can be resumed; the last event of a stream.
    Interrupted {
        /// Rounds that are safe on disk.
        rounds: u32,
    },
}

/// The figures of one round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundFigures {
    /// The round.
    pub round: u32,
    /// Silos that took part.
    pub silos: Vec<u32>,
    /// How good the model is on the population's records: written as `accuracy` or as `r_squared`.
    #[serde(flatten)]
    pub quality: Quality,
    /// Mean loss there: in nats, or where a number is predicted the mean squared error.
    pub loss: Real,
    /// What the next round begins to clip to, where that adapts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<Real>,
    /// ε of the worst-off record.
    pub epsilon_record: Epsilon,
    /// ε of the worst-off subject.
    pub epsilon_subject: Epsilon,
    /// ε of the worst-off silo.
    pub epsilon_silo: Epsilon,
    /// AUC of the loss-threshold attack with fresh records, where the round was attacked.
    pub auc_fresh: Option<Real>,
    /// AUC of the loss-threshold attack with training records, where the round was attacked.
    pub auc_training: Option<Real>,
    /// How it went.
    #[serde(flatten)]
    pub course: Course,
}

/// The figures of a round that made no model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AbandonedFigures {
    /// The round.
    pub round: u32,
    /// How it went.
    #[serde(flatten)]
    pub course: Course,
}

/// How a round went. Nothing of it is written where everybody answered at once and no network is simulated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// Silos that were asked and have no part in the model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingSilo>,
    /// How often the cohort was asked.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub attempts: u32,
    /// What it took on a simulated network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkFigures>,
}

/// What a round took on a simulated network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NetworkFigures {
    /// Virtual time, in seconds.
    pub seconds: Real,
    /// When it ended: virtual time since the run began, in nanoseconds.
    pub clock_ns: u64,
    /// Bytes over all links, what was sent again included.
    pub bytes: u64,
}

impl Default for Course {
    fn default() -> Self {
        Self {
            missing: Vec::new(),
            attempts: once(),
            network: None,
        }
    }
}

impl Course {
    /// How a round went, as its coordinator and its network tell it.
    pub fn new(
        missing: &BTreeMap<SiloId, Missing>,
        attempts: u32,
        traffic: Option<RoundTraffic>,
    ) -> Self {
        Self {
            missing: missing
                .iter()
                .map(|(silo, why)| MissingSilo {
                    silo: silo.0,
                    why: why.to_string(),
                })
                .collect(),
            attempts,
            network: traffic.map(|traffic| NetworkFigures {
                seconds: traffic.time.as_secs_f64().into(),
                clock_ns: traffic.clock.as_nanos() as u64,
                bytes: traffic.bytes,
            }),
        }
    }
}

const fn once() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_once(attempts: &u32) -> bool {
    *attempts == 1
}

impl Event {
    /// The event as one line of JSON.
    pub fn to_line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("events have only string keys");
        line.push('\n');
        line
    }
}
