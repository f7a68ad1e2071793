//! FedAdam and FedYogi: a server step scaled by the running moments of the aggregate.
//!
//! With `Δ` the aggregate of a round, `m` and `v` the moments, all operations per parameter:
//!
//! ```text
//! m ← β₁ m + (1 − β₁) Δ
//! v ← β₂ v + (1 − β₂) Δ²                    FedAdam
//! v ← v − (1 − β₂) Δ² sign(v − Δ²)          FedYogi
//! x ← x + η m / (√v + τ)
//! ```
//!
//! with `m = 0` and `v = τ²` before the first round and no bias correction.
//!
//! Source: Reddi et al. 2021 (arXiv 2003.00295), algorithm 2.

use super::{Moments, ServerState, Strategy, StrategyError};
use primitives::{ModelVector, Round};
use protocol::Task;

/// How the second moment follows the aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdaptiveRule {
    /// Exponential mean of the squares.
    Adam,
    /// A step of fixed relative size towards the square: forgets a large update more slowly.
    Yogi,
}

/// FedAdam or FedYogi.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FedAdaptive {
    /// How the second moment follows the aggregate.
    pub rule: AdaptiveRule,
    /// Server learning rate η.
    pub server_learning_rate: f64,
    /// Decay β₁ of the first moment.
    pub beta1: f64,
    /// Decay β₂ of the second moment.
    pub beta2: f64,
    /// Degree of adaptivity τ: the larger, the closer to plain averaging with momentum.
    pub tau: f64,
}

impl Strategy for FedAdaptive {
    fn init(&self, initial: ModelVector) -> ServerState {
        let parameters = initial.len();
        let second = vec![(self.tau * self.tau) as f32; parameters].into();
        let moments = Moments {
            first: ModelVector::zeros(parameters),
            second,
        };
        ServerState {
            moments: Some(moments),
            ..ServerState::new(initial)
        }
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
        let moments = state.moments.as_mut().ok_or(StrategyError::NoMoments)?;
        state.model.check_length(update)?;
        state.model.check_length(&moments.first)?;
        state.model.check_length(&moments.second)?;
        let parameters = state.model.as_mut_slice().iter_mut();
        let firsts = moments.first.as_mut_slice().iter_mut();
        let seconds = moments.second.as_mut_slice().iter_mut();
        for (((x, m), v), &delta) in parameters.zip(firsts).zip(seconds).zip(update.as_slice()) {
            let delta = f64::from(delta);
            let first = self.beta1 * f64::from(*m) + (1.0 - self.beta1) * delta;
            let second = self.second_moment(f64::from(*v), delta * delta);
            *x += (self.server_learning_rate * first / (second.sqrt() + self.tau)) as f32;
            *m = first as f32;
            *v = second as f32;
        }
        state.round = state.round.next();
        Ok(state)
    }
}

impl FedAdaptive {
    fn second_moment(&self, v: f64, square: f64) -> f64 {
        match self.rule {
            AdaptiveRule::Adam => self.beta2 * v + (1.0 - self.beta2) * square,
            AdaptiveRule::Yogi if v > square => v - (1.0 - self.beta2) * square,
            AdaptiveRule::Yogi => v + (1.0 - self.beta2) * square,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rounds on one parameter with η = 0.1, β₁ = 0.9, β₂ = 0.99, τ = 0.001, Δ = 1 then −0.5,
    /// worked by hand from the pseudocode:
    /// m: 0.1, 0.04. Adam v: 0.01000099, 0.0124009801. Yogi v: 0.010001, 0.012501.
    #[test]
    fn golden_steps_of_the_pseudocode() {
        let cases = [
            (AdaptiveRule::Adam, 0.012_400_980_1_f64, 0.010_000_99_f64),
            (AdaptiveRule::Yogi, 0.012_501, 0.010_001),
        ];
        for (rule, second, first_square) in cases {
            let strategy = FedAdaptive {
                rule,
                server_learning_rate: 0.1,
                beta1: 0.9,
                beta2: 0.99,
                tau: 1e-3,
            };
            let mut state = strategy.init(ModelVector::zeros(1));
            for delta in [1.0, -0.5] {
                state = strategy.apply(state, &vec![delta].into()).unwrap();
            }
            let expected =
                0.1 * 0.1 / (first_square.sqrt() + 1e-3) + 0.1 * 0.04 / (second.sqrt() + 1e-3);
            let moments = state.moments.unwrap();
            assert!((f64::from(state.model.as_slice()[0]) - expected).abs() < 1e-7);
            assert!((f64::from(moments.first.as_slice()[0]) - 0.04).abs() < 1e-8);
            assert!((f64::from(moments.second.as_slice()[0]) - second).abs() < 1e-8);
            assert_eq!(state.round, Round(2));
        }
    }

    #[test]
    fn a_state_of_another_strategy_is_refused() {
        let strategy = FedAdaptive {
            rule: AdaptiveRule::Adam,
            server_learning_rate: 0.1,
            beta1: 0.9,
            beta2: 0.99,
            tau: 1e-3,
        };
        let state = ServerState::new(ModelVector::zeros(1));
        assert_eq!(
            strategy.apply(state, &ModelVector::zeros(1)),
            Err(StrategyError::NoMoments)
        );
    }
}
