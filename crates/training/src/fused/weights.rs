//! Gradients of weights that are applied at many positions: the book-keeping of DP-SGD.
//!
//! A layer `y_t = x_t W + b` has the gradient `Σ_t x_tᵀ g_t` by `W` and `Σ_t g_t` by `b`, where `g_t` is the
//! loss's gradient by `y_t` and `t` runs over all positions of a unit's records. Its squared norm is had in
//! two ways:
//!
//! * *ghost*: `Σ_{t,s} (x_t·x_s + 1) (g_t·g_s)`, without forming the gradient (Li et al. 2021, arXiv
//!   2110.05679); for one position this is `(|x|² + 1) |g|²`. The clipped sum is then one product over all
//!   positions with the rows of `g` scaled.
//! * *formed*: the gradient itself, `[inputs + 1, outputs]` a unit, kept until the clip factors are known. The
//!   clipped sum is then a weighted sum of what was kept.
//!
//! Which is cheaper depends on the shape alone: long and thin (convolutions) is formed, short and wide
//! (dense layers) is not.

use super::resize;
use crate::arrangement::Units;
use kernels::{Matrix, Write, add, add_scaled, dot, gram, matmul, scale, squared_norm};

/// Gradient of one weight matrix `[inputs, outputs]` and its bias `[outputs]`, in this order.
pub(super) struct WeightGradient {
    positions: usize,
    inputs: usize,
    outputs: usize,
    formed: Vec<f32>,
    gram_inputs: Vec<f32>,
    gram_outputs: Vec<f32>,
}

impl WeightGradient {
    pub(super) const fn new(positions: usize, inputs: usize, outputs: usize) -> Self {
        Self {
            positions,
            inputs,
            outputs,
            formed: Vec::new(),
            gram_inputs: Vec::new(),
            gram_outputs: Vec::new(),
        }
    }

    const fn parameters(&self) -> usize {
        (self.inputs + 1) * self.outputs
    }

    /// Whether units of at most `rows` records have their gradients formed.
    ///
    /// Compares what differs, in multiplications: the products of positions with positions, against writing a
    /// gradient and reading it back twice, which is cheap only while it stays in the cache.
    const fn forms(&self, rows: usize) -> bool {
        let (positions, parameters) = (rows * self.positions, self.parameters());
        let a_float = if parameters < 1 << 17 { 16 } else { 128 };
        positions > 1 && a_float * parameters < positions * positions * (self.inputs + self.outputs)
    }

    /// Floats a record kept until the clip factors are known.
    pub(super) const fn workspace(&self) -> usize {
        if self.forms(1) {
            self.parameters()
        } else {
            2 * self.positions
        }
    }

    /// `inputs`: `[rows, positions, inputs]`; `gradients`: `[rows, positions, outputs]`.
    pub(super) fn add_squared_norms(
        &mut self,
        inputs: &[f32],
        gradients: &[f32],
        units: &Units<'_>,
        squared_norms: &mut [f64],
    ) {
        let forms = self.forms(units.longest());
        if forms {
            let floats = units.len() * self.parameters();
            resize(&mut self.formed, floats);
        }
        for (unit, squared_norm) in squared_norms.iter_mut().enumerate() {
            let rows = units.rows(unit);
            let positions = rows.start * self.positions..rows.end * self.positions;
            let x = &inputs[positions.start * self.inputs..positions.end * self.inputs];
            let g = &gradients[positions.start * self.outputs..positions.end * self.outputs];
            *squared_norm += if forms {
                self.form(unit, x, g, positions.len())
            } else if positions.len() == 1 {
                (dot(x, x) + 1.0) * dot(g, g)
            } else {
                self.ghost(x, g, positions.len())
            };
        }
    }

    fn form(&mut self, unit: usize, x: &[f32], g: &[f32], positions: usize) -> f64 {
        let size = self.parameters();
        let gradient = &mut self.formed[unit * size..(unit + 1) * size];
        let (weights, bias) = gradient.split_at_mut(self.inputs * self.outputs);
        let left = Matrix::new(x, positions, self.inputs).transposed();
        let right = Matrix::new(g, positions, self.outputs);
        matmul(weights, self.outputs, Write::Replace, left, right);
        bias.fill(0.0);
        g.chunks_exact(self.outputs).for_each(|row| add(bias, row));
        squared_norm(gradient)
    }

    fn ghost(&mut self, x: &[f32], g: &[f32], positions: usize) -> f64 {
        let square = positions * positions;
        resize(&mut self.gram_inputs, square);
        resize(&mut self.gram_outputs, square);
        gram(
            &mut self.gram_inputs,
            Matrix::new(x, positions, self.inputs),
        );
        gram(
            &mut self.gram_outputs,
            Matrix::new(g, positions, self.outputs),
        );
        let by_inputs = self.gram_inputs.chunks_exact_mut(positions);
        let by_outputs = self.gram_outputs.chunks_exact(positions);
        let mut total = 0.0;
        for (t, (by_inputs, by_outputs)) in by_inputs.zip(by_outputs).enumerate() {
            by_inputs[..=t]
                .iter_mut()
                .for_each(|product| *product += 1.0);
            // Both are symmetric: what lies before the diagonal counts twice.
            total += 2.0 * dot(&by_inputs[..t], &by_outputs[..t])
                + f64::from(by_inputs[t] * by_outputs[t]);
        }
        // Rounding may leave a gradient that cancels out with a square just below zero.
        total.max(0.0)
    }

    /// Adds every unit's gradient times its factor to `sum`: `[inputs · outputs + outputs]`.
    pub(super) fn add_gradients(
        &self,
        inputs: &[f32],
        gradients: &mut [f32],
        units: &Units<'_>,
        factors: Option<&[f32]>,
        sum: &mut [f32],
    ) {
        if let Some(factors) = factors {
            if self.forms(units.longest()) {
                for (gradient, &factor) in self.formed.chunks_exact(self.parameters()).zip(factors)
                {
                    add_scaled(sum, factor, gradient);
                }
                return;
            }
            let width = self.positions * self.outputs;
            for (unit, &factor) in factors.iter().enumerate() {
                let rows = units.rows(unit);
                scale(&mut gradients[rows.start * width..rows.end * width], factor);
            }
        }
        let positions = units.total_rows() * self.positions;
        let (weights, bias) = sum.split_at_mut(self.inputs * self.outputs);
        let left = Matrix::new(inputs, positions, self.inputs).transposed();
        let right = Matrix::new(gradients, positions, self.outputs);
        matmul(weights, self.outputs, Write::Add, left, right);
        gradients
            .chunks_exact(self.outputs)
            .for_each(|row| add(bias, row));
    }
}
