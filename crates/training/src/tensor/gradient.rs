//! The gradients of every unit by the parameters of one site, and the rules that spare forming them.

use super::arithmetic::Arithmetic;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use std::ops::Range;

/// The gradients of all units by the parameters of one site. Units of all replicas lie one after the other.
pub(super) struct Gradient<B: Backend> {
    kind: Kind<B>,
    parameters: Range<usize>,
}

enum Kind<B: Backend> {
    /// The product `xᵀ g` they are, and `Σ g` if there is a bias.
    Product {
        /// Shape: `[units, positions, inputs]`.
        input: Tensor<B, 3>,
        /// Shape: `[units, positions, outputs]`.
        g: Tensor<B, 3>,
        biased: bool,
    },
    /// Themselves. Shape: `[units, parameters]`.
    Formed(Tensor<B, 2>),
}

/// How a norm of products is found at least cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NormRule {
    /// One position: the norm of `xᵀ g` is the product of the norms of `x` and `g`.
    Outer,
    /// `‖Σ xᵀ g‖² = Σ (x xᵀ) · (g gᵀ)` over pairs of positions (ghost norm).
    Pairs,
    /// The gradient is formed.
    Formed,
}

impl NormRule {
    /// The rule for a product of this shape.
    pub(super) const fn of(positions: usize, inputs: usize, outputs: usize) -> Self {
        if positions == 1 {
            Self::Outer
        } else if 16 * inputs * outputs >= positions * positions * (inputs + outputs) {
            Self::Pairs
        } else {
            Self::Formed
        }
    }
}

impl<B: Backend> Gradient<B> {
    /// Gradients that are products. `input`: `[units, positions, inputs]`, `g`: `[units, positions, outputs]`.
    pub(super) const fn product(
        input: Tensor<B, 3>,
        g: Tensor<B, 3>,
        biased: bool,
        parameters: Range<usize>,
    ) -> Self {
        Self {
            kind: Kind::Product { input, g, biased },
            parameters,
        }
    }

    /// Gradients themselves. Shape: `[units, parameters]`.
    pub(super) const fn formed(gradients: Tensor<B, 2>, parameters: Range<usize>) -> Self {
        Self {
            kind: Kind::Formed(gradients),
            parameters,
        }
    }

    /// Where the site's parameters end in the model.
    pub(super) const fn end(&self) -> usize {
        self.parameters.end
    }
}

impl<B: Arithmetic> Gradient<B> {
    /// The squared norm of every unit's gradient. Shape: `[units]`.
    pub(super) fn squared_norms(&self) -> Tensor<B, 1> {
        let (input, g, biased) = match &self.kind {
            Kind::Formed(formed) => return squares(formed.clone()),
            Kind::Product { input, g, biased } => (input, g, *biased),
        };
        let [units, positions, inputs] = input.dims();
        let [_, _, outputs] = g.dims();
        match NormRule::of(positions, inputs, outputs) {
            NormRule::Outer => {
                let x = squares(input.clone().reshape([units, inputs]));
                let g = squares(g.clone().reshape([units, outputs]));
                (if biased { x + 1.0 } else { x }) * g
            }
            NormRule::Pairs => {
                let pairs = |x: &Tensor<B, 3>| B::product(x.clone(), x.clone().transpose());
                let x = if biased {
                    pairs(input) + 1.0
                } else {
                    pairs(input)
                };
                let products = (x * pairs(g)).reshape([units, positions * positions]);
                products.sum_dim(1).reshape([units])
            }
            NormRule::Formed => {
                let weights = B::product(input.clone().transpose(), g.clone());
                let weights = squares(weights.reshape([units, inputs * outputs]));
                if biased {
                    weights + squares(g.clone().sum_dim(1).reshape([units, outputs]))
                } else {
                    weights
                }
            }
        }
    }

    /// The sum over each replica's units, each times its factor. `factors`: `[replicas, units]`; result:
    /// `[replicas, parameters]`.
    pub(super) fn weighted_sum(self, factors: Tensor<B, 2>) -> Tensor<B, 2> {
        let [replicas, units] = factors.dims();
        match self.kind {
            Kind::Formed(formed) => {
                let [_, parameters] = formed.dims();
                let formed = formed.reshape([replicas, units, parameters]);
                B::product(factors.reshape([replicas, 1, units]), formed)
                    .reshape([replicas, parameters])
            }
            Kind::Product { input, g, biased } => {
                let [_, positions, inputs] = input.dims();
                let [_, _, outputs] = g.dims();
                let g = g * factors.reshape([replicas * units, 1, 1]);
                let g = g.reshape([replicas, units * positions, outputs]);
                let x = input.reshape([replicas, units * positions, inputs]);
                let weights = B::product(x.transpose(), g.clone());
                let weights = weights.reshape([replicas, inputs * outputs]);
                if !biased {
                    return weights;
                }
                let biases = g.sum_dim(1).reshape([replicas, outputs]);
                Tensor::cat(vec![weights, biases], 1)
            }
        }
    }
}

/// The sum of every row's squares. `x`: `[rows, width]`; result: `[rows]`.
fn squares<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 1> {
    let [rows, _] = x.dims();
    (x.clone() * x).sum_dim(1).reshape([rows])
}
