//! A coordinator between two rounds, as a value.

use crate::{CoordinatorPlan, PlanError, ServerState, Strategy, StrategyError};
use primitives::{Digest, ModelVector};
use protocol::FinishReason;
use serde::{Deserialize, Serialize};

/// The layout of a [`Checkpoint`].
pub const CHECKPOINT_VERSION: u16 = 1;

/// All that a coordinator needs to go on after its last finished round.
///
/// Everything else is in the plan, or is asked again: the silos join anew, and a silo that has already
/// trained the round that was under way sends the update it has stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// [`CHECKPOINT_VERSION`].
    pub version: u16,
    /// Digest of the plan.
    pub plan: Digest,
    /// The server after its last finished round.
    pub state: ServerState,
    /// How the run ended, if it has.
    pub finished: Option<FinishReason>,
}

/// A checkpoint that does not belong to the run.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RestoreError {
    /// It was written by another release.
    #[error(
        "checkpoint has version {found}, this release reads {CHECKPOINT_VERSION}: resume with the release that began the run"
    )]
    Version {
        /// The version found.
        found: u16,
    },
    /// It belongs to another plan.
    #[error("checkpoint belongs to plan {}, the run is of plan {}", .found.short(), .expected.short())]
    Plan {
        /// The run's plan.
        expected: Digest,
        /// The checkpoint's plan.
        found: Digest,
    },
    /// Its round lies behind the end of the run.
    #[error("checkpoint is of round {found}, the run has {rounds}")]
    Round {
        /// The checkpoint's round.
        found: u32,
        /// Rounds of the run.
        rounds: u32,
    },
    /// It holds a clip norm and the run's does not adapt, or the other way round.
    #[error("checkpoint and run differ in whether the clip norm adapts")]
    ClipNorm,
    /// Its state is not one of the plan's strategy.
    #[error(transparent)]
    State(#[from] StrategyError),
    /// The plan's parts do not fit together.
    #[error(transparent)]
    Parts(#[from] PlanError),
}

impl Checkpoint {
    /// Checks that `plan` and `strategy` can go on from here.
    pub(crate) fn check(
        &self,
        plan: &CoordinatorPlan,
        strategy: &dyn Strategy,
    ) -> Result<(), RestoreError> {
        if self.version != CHECKPOINT_VERSION {
            return Err(RestoreError::Version {
                found: self.version,
            });
        }
        if self.plan != plan.digest {
            return Err(RestoreError::Plan {
                expected: plan.digest,
                found: self.plan,
            });
        }
        if self.state.round.0 > plan.rounds {
            return Err(RestoreError::Round {
                found: self.state.round.0,
                rounds: plan.rounds,
            });
        }
        if self.state.clip_norm.is_some() != plan.clip_norm.is_some() {
            return Err(RestoreError::ClipNorm);
        }
        // A step that goes nowhere fails if the state is not one of this strategy.
        strategy.apply(
            self.state.clone(),
            &ModelVector::zeros(self.state.model.len()),
        )?;
        Ok(())
    }
}
