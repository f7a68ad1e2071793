//! What a local step does with the noisy gradients of all replicas, on the device: [`crate::optimizer`] on tensors.

use crate::Optimizer;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// The means that an optimiser keeps. Shape of each: `[replicas, parameters]`.
pub(super) struct TensorOptimizer<B: Backend> {
    kind: Optimizer,
    first: Option<Tensor<B, 2>>,
    second: Option<Tensor<B, 2>>,
    steps: i32,
}

/// One step of every replica. Shape of each: `[replicas, 1]`.
pub(super) struct Pace<B: Backend> {
    /// Learning rate; zero for a replica that rests.
    pub(super) rates: Tensor<B, 2>,
    /// One over what the sum is divided by.
    pub(super) shares: Tensor<B, 2>,
    /// Deviation of the noise of the sum.
    pub(super) deviations: Option<Tensor<B, 2>>,
}

impl<B: Backend> TensorOptimizer<B> {
    pub(super) const fn new(kind: Optimizer) -> Self {
        Self {
            kind,
            first: None,
            second: None,
            steps: 0,
        }
    }

    /// Moves `models` by one step against `sums`, noise included. Shapes: `[replicas, parameters]`.
    pub(super) fn step(
        &mut self,
        models: Tensor<B, 2>,
        sums: Tensor<B, 2>,
        pace: Pace<B>,
    ) -> Tensor<B, 2> {
        self.steps += 1;
        let zeros = || Tensor::zeros(models.dims(), &models.device());
        match self.kind {
            Optimizer::Sgd => models + sums * (pace.shares * pace.rates * -1.0),
            Optimizer::Momentum { momentum } => {
                let speed = self.first.take().unwrap_or_else(zeros) * momentum;
                let speed = speed + sums * pace.shares;
                self.first = Some(speed.clone());
                models - speed * pace.rates
            }
            Optimizer::Adam {
                first_memory,
                second_memory,
                floor,
                correct_noise,
            } => {
                let g = sums * pace.shares.clone();
                let first = self.first.take().unwrap_or_else(zeros) * first_memory;
                let first = first + g.clone() * (1.0 - first_memory);
                let second = self.second.take().unwrap_or_else(zeros) * second_memory;
                let second = second + g.clone() * g * (1.0 - second_memory);
                self.first = Some(first.clone());
                self.second = Some(second.clone());
                let mean = first * (1.0 / (1.0 - first_memory.powi(self.steps)));
                let square = second * (1.0 / (1.0 - second_memory.powi(self.steps)));
                let root = match pace.deviations {
                    Some(deviations) if correct_noise => {
                        let noise = deviations * pace.shares;
                        (square - noise.clone() * noise)
                            .clamp_min(floor * floor)
                            .sqrt()
                    }
                    None if correct_noise => square.clamp_min(floor * floor).sqrt(),
                    _ => square.sqrt() + floor,
                };
                models - mean / root * pace.rates
            }
        }
    }
}
