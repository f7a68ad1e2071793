//! What a local step does with the noisy mean gradient.

use kernels::{add_scaled, scale};
use primitives::Round;
use serde::{Deserialize, Serialize};

/// What a local step does with the gradient `g`. Its state begins anew every round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Optimizer {
    /// `w −= η g`.
    #[default]
    Sgd,
    /// `v = μ v + g`, `w −= η v`.
    Momentum {
        /// `μ`, in `[0, 1)`.
        momentum: f64,
    },
    /// Adam (Kingma and Ba 2015): steps by the mean of `g` over the root of the mean of `g²`.
    Adam {
        /// Memory of the mean of `g`, in `[0, 1)`.
        #[serde(default = "first_memory")]
        first_memory: f64,
        /// Memory of the mean of `g²`, in `[0, 1)`.
        #[serde(default = "second_memory")]
        second_memory: f64,
        /// Added to the root, above zero; with `correct_noise` what the root is at least, 1e-6 or more.
        #[serde(default = "floor")]
        floor: f64,
        /// Whether the variance of the noise is taken off the mean of `g²`, where it drowns the gradient's own
        /// (DP-AdamBC, Tang, Shpilevskiy, Lécuyer 2024, arXiv 2312.14334).
        #[serde(default)]
        correct_noise: bool,
    },
}

const fn first_memory() -> f64 {
    0.9
}

const fn second_memory() -> f64 {
    0.999
}

const fn floor() -> f64 {
    1e-8
}

/// How the learning rate changes from round to round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// Not at all.
    #[default]
    Constant,
    /// Times `factor` after every so many rounds.
    Step {
        /// Rounds between two changes, at least 1.
        every: u32,
        /// In `(0, 1]`.
        factor: f64,
    },
    /// Along half a cosine, down to zero after `rounds` rounds.
    Cosine {
        /// Rounds, at least 1.
        rounds: u32,
    },
}

impl Schedule {
    /// What the learning rate is multiplied with in `round`; round 1 is the first.
    pub fn factor(&self, round: Round) -> f64 {
        let before = round.0.saturating_sub(1);
        match *self {
            Self::Constant => 1.0,
            Self::Step { every, factor } => factor.powi((before / every).cast_signed()),
            Self::Cosine { rounds } => {
                let part = f64::from(before.min(rounds)) / f64::from(rounds);
                0.5 + 0.5 * (part * std::f64::consts::PI).cos()
            }
        }
    }
}

/// The means that an optimiser keeps.
#[derive(Default)]
pub(crate) struct OptimizerState {
    first: Vec<f32>,
    second: Vec<f32>,
    steps: i32,
}

impl OptimizerState {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.first.clear();
        self.second.clear();
        self.steps = 0;
    }

    /// Moves `model` by one step of size `rate` against `sum / divisor`. `noise_deviation` is that of `sum`.
    pub(crate) fn step(
        &mut self,
        optimizer: Optimizer,
        rate: f64,
        (sum, divisor): (&[f32], f64),
        noise_deviation: f64,
        model: &mut [f32],
    ) {
        self.steps += 1;
        match optimizer {
            Optimizer::Sgd => add_scaled(model, (-rate / divisor) as f32, sum),
            Optimizer::Momentum { momentum } => {
                self.first.resize(model.len(), 0.0);
                scale(&mut self.first, momentum as f32);
                add_scaled(&mut self.first, (1.0 / divisor) as f32, sum);
                add_scaled(model, -rate as f32, &self.first);
            }
            Optimizer::Adam {
                first_memory,
                second_memory,
                floor,
                correct_noise,
            } => {
                self.first.resize(model.len(), 0.0);
                self.second.resize(model.len(), 0.0);
                let noise = (noise_deviation / divisor).powi(2);
                let first_seen = 1.0 - first_memory.powi(self.steps);
                let second_seen = 1.0 - second_memory.powi(self.steps);
                let means = self.first.iter_mut().zip(&mut self.second);
                for ((w, &g), (first, second)) in model.iter_mut().zip(sum).zip(means) {
                    let g = f64::from(g) / divisor;
                    let mean = first_memory * f64::from(*first) + (1.0 - first_memory) * g;
                    let square = second_memory * f64::from(*second) + (1.0 - second_memory) * g * g;
                    (*first, *second) = (mean as f32, square as f32);
                    let square = square / second_seen;
                    let root = if correct_noise {
                        (square - noise).max(floor * floor).sqrt()
                    } else {
                        square.sqrt() + floor
                    };
                    *w -= (rate * mean / first_seen / root) as f32;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADAM: Optimizer = Optimizer::Adam {
        first_memory: 0.9,
        second_memory: 0.999,
        floor: 1e-8,
        correct_noise: false,
    };

    fn walk(optimizer: Optimizer, gradients: &[f32], noise: f64) -> f32 {
        let mut state = OptimizerState::default();
        let mut model = [1.0];
        for &gradient in gradients {
            state.step(optimizer, 0.1, (&[2.0 * gradient], 2.0), noise, &mut model);
        }
        model[0]
    }

    #[test]
    fn steps_agree_with_pytorch() {
        // torch 2.15: a parameter at 1, gradients 0.5, −1, 0.25, learning rate 0.1.
        let gradients = [0.5, -1.0, 0.25];
        assert!((walk(Optimizer::Sgd, &gradients, 0.0) - 1.025).abs() < 1e-6);
        let momentum = Optimizer::Momentum { momentum: 0.9 };
        assert!((walk(momentum, &gradients, 0.0) - 1.0295).abs() < 1e-6);
        assert!((walk(ADAM, &gradients, 0.0) - 0.950_279_5).abs() < 1e-6);
    }

    #[test]
    fn noise_that_is_taken_off_leaves_the_gradient_s_own_square() {
        // Gradients of ±3 around a mean of 0.5 that is all there is without the noise.
        let optimizer = Optimizer::Adam {
            first_memory: 0.0,
            second_memory: 0.999,
            floor: 0.1,
            correct_noise: true,
        };
        let mut state = OptimizerState::default();
        let mut model = [0.0];
        let mut last = 0.0;
        for step in 0..2000 {
            let gradient = if step % 2 == 0 { 3.5 } else { -2.5 };
            last = model[0];
            state.step(optimizer, 1.0, (&[gradient], 1.0), 3.0, &mut model);
        }
        // The last gradient, −2.5, over the root of 0.5².
        assert!((model[0] - last - 5.0).abs() < 0.2, "{}", model[0] - last);
    }

    #[test]
    fn schedules_begin_at_one_and_fall() {
        for schedule in [
            Schedule::Step {
                every: 2,
                factor: 0.5,
            },
            Schedule::Cosine { rounds: 10 },
        ] {
            assert!((schedule.factor(Round(1)) - 1.0).abs() < 1e-12);
            let factors: Vec<f64> = (1..20).map(|round| schedule.factor(Round(round))).collect();
            assert!(factors.windows(2).all(|pair| pair[1] <= pair[0]));
        }
        assert!(
            (Schedule::Step {
                every: 2,
                factor: 0.5
            }
            .factor(Round(5))
                - 0.25)
                .abs()
                < 1e-12
        );
        assert!((Schedule::Cosine { rounds: 10 }.factor(Round(6)) - 0.5).abs() < 1e-12);
        assert!(Schedule::Cosine { rounds: 10 }.factor(Round(11)).abs() < 1e-12);
    }
}
