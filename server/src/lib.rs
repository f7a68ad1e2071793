//! The coordinator's state machine, strategies and aggregators.
//!
//! [`Coordinator`] is stepped like a value: messages and the time go in, messages and events come out.
//! What it computes with is chosen when it is made: an [`Aggregator`] combines the updates of a round,
//! a [`Strategy`] takes the server step, a [`RoundGate`](protocol::RoundGate) says whether the next
//! round may be spent.

mod aggregator;
mod checkpoint;
mod clip_norm;
mod cohort;
mod coordinator;
mod event;
mod plan;
mod round;
mod strategy;
mod traffic;

pub use aggregator::{
    Aggregate, AggregateError, Aggregator, AggregatorConfig, CentralCanaries, CentralCanary,
    ClippedNoisedSum, CoordinateMedian, Push, TrimmedMean, WeightedMean,
};
pub use checkpoint::{CHECKPOINT_VERSION, Checkpoint, RestoreError};
pub use clip_norm::ClipNormLaw;
pub use cohort::{CohortError, CohortLaw};
pub use coordinator::{Coordinator, Parts, Sums};
pub use event::{AbandonedRound, CoordinatorEvent, Missing, RoundOutcome, Transmit};
pub use plan::{CoordinatorPlan, LostQuorum, Patience, PlanError};
pub use protocol::Weights;
pub use strategy::{
    AdaptiveRule, ConfigError, Decay, FedAdaptive, FedAvg, Moments, Positive, ServerState,
    Strategy, StrategyConfig, StrategyError,
};
pub use traffic::MOST_NEEDLESS_MESSAGES;
