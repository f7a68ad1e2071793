//! The server's algorithm: what is asked of silos, and what becomes of their combined update.
//!
//! A strategy is `init`, `task` and `apply` on a [`ServerState`] that it does not own. It sees the
//! [aggregate](crate::Aggregate) of a round and never a single silo's update: where the aggregator
//! adds noise, whatever a strategy computes is post-processing and costs no privacy.

mod adaptive;
mod config;
mod fed_avg;

pub use adaptive::{AdaptiveRule, FedAdaptive};
pub use config::{ConfigError, Decay, Positive, StrategyConfig};
pub use fed_avg::FedAvg;

use accounting::ClipNorm;
use primitives::{ModelLengthError, ModelVector, Round};
use protocol::Task;
use serde::{Deserialize, Serialize};
use std::fmt;

/// All that the server carries from one round to the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerState {
    /// The last finished round.
    pub round: Round,
    /// The model after that round.
    pub model: ModelVector,
    /// Moments of the updates, for strategies that keep them.
    pub moments: Option<Moments>,
    /// What the next round's local steps begin to clip to, where that adapts. No strategy changes it.
    pub clip_norm: Option<ClipNorm>,
}

/// Running moments of the aggregate, one value for each parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// Running mean.
    pub first: ModelVector,
    /// Running mean of the squares.
    pub second: ModelVector,
}

/// A server algorithm.
pub trait Strategy: fmt::Debug + Send {
    /// The state before the first round.
    fn init(&self, initial: ModelVector) -> ServerState;

    /// What the silos of `round`'s cohort are asked.
    fn task(&self, state: &ServerState, round: Round) -> Task;

    /// The state after a round whose silos' combined update is `update`.
    ///
    /// # Errors
    /// If `update` or the state belong to another model.
    fn apply(&self, state: ServerState, update: &ModelVector)
    -> Result<ServerState, StrategyError>;
}

/// A server step that cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StrategyError {
    /// The update is not of the state's model.
    #[error(transparent)]
    Length(#[from] ModelLengthError),
    /// The state lacks the moments that the strategy works with: another strategy has made it.
    #[error("server state has no moments: it was made by another strategy")]
    NoMoments,
}

impl ServerState {
    fn new(model: ModelVector) -> Self {
        Self {
            round: Round::UNTRAINED,
            model,
            moments: None,
            clip_norm: None,
        }
    }

    /// Whether every number in it is finite.
    pub(crate) fn is_finite(&self) -> bool {
        let moments = self.moments.as_ref();
        self.model.is_finite()
            && moments.is_none_or(|moments| moments.first.is_finite() && moments.second.is_finite())
    }
}
