//! FedAvg: add the mean update to the model.
//!
//! FedSGD is FedAvg over silos that take one local step a round: its update is one gradient times the
//! negative learning rate, and the mean of those is a step along the mean gradient. Averaging models,
//! as the paper writes it, and adding averaged updates is the same thing for a server learning rate
//! of 1.
//!
//! Source: McMahan et al. 2017 (arXiv 1602.05629), algorithm 1.

use super::{ServerState, Strategy, StrategyError};
use primitives::{ModelVector, Round};
use protocol::Task;

/// `x ← x + η Δ`, with `Δ` the aggregate of a round and `η` the server learning rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FedAvg {
    server_learning_rate: f64,
}

impl FedAvg {
    /// Federated averaging with this server learning rate; the paper's is 1.
    pub const fn new(server_learning_rate: f64) -> Self {
        Self {
            server_learning_rate,
        }
    }
}

impl Strategy for FedAvg {
    fn init(&self, initial: ModelVector) -> ServerState {
        ServerState::new(initial)
    }

    fn task(&self, state: &ServerState, round: Round) -> Task {
        Task {
            round,
            model: state.model.clone(),
            clip_norm: state.clip_norm,
        }
    }

    fn apply(
        &self,
        mut state: ServerState,
        update: &ModelVector,
    ) -> Result<ServerState, StrategyError> {
        state
            .model
            .add_scaled(self.server_learning_rate as f32, update)?;
        state.round = state.round.next();
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_learning_rate_scales_the_step() {
        let strategy = FedAvg::new(0.5);
        let state = strategy.init(ModelVector::from(vec![1.0, 2.0]));
        let state = strategy
            .apply(state, &ModelVector::from(vec![4.0, -2.0]))
            .unwrap();
        assert_eq!(state.model, ModelVector::from(vec![3.0, 1.0]));
        assert_eq!(state.round, Round(1));
    }

    #[test]
    fn an_update_of_another_model_is_an_error() {
        let strategy = FedAvg::new(1.0);
        let state = strategy.init(ModelVector::zeros(2));
        assert!(matches!(
            strategy.apply(state, &ModelVector::zeros(3)),
            Err(StrategyError::Length(_))
        ));
    }
}
