//! A dense layer, perhaps applied at every position of a record.

use super::Layer;
use super::weights::WeightGradient;
use crate::arrangement::Units;
use kernels::{Matrix, Write, matmul};

/// `y = x W + b` at each position. Parameters: `W` `[inputs, outputs]`, then `b`.
pub(super) struct Linear {
    positions: usize,
    inputs: usize,
    outputs: usize,
    gradient: WeightGradient,
}

impl Linear {
    pub(super) const fn new(positions: usize, inputs: usize, outputs: usize) -> Self {
        let gradient = WeightGradient::new(positions, inputs, outputs);
        Self {
            positions,
            inputs,
            outputs,
            gradient,
        }
    }
}

impl Layer for Linear {
    fn forward(&mut self, weights: &[f32], input: &[f32], output: &mut [f32], rows: usize) {
        affine(
            weights,
            input,
            output,
            rows * self.positions,
            self.inputs,
            self.outputs,
        );
    }

    fn backward(
        &mut self,
        weights: &[f32],
        _input: &[f32],
        output_gradient: &[f32],
        input_gradient: &mut [f32],
        rows: usize,
    ) {
        let gradient = Matrix::new(output_gradient, rows * self.positions, self.outputs);
        let weights = Matrix::new(weights, self.inputs, self.outputs);
        matmul(
            input_gradient,
            self.inputs,
            Write::Replace,
            gradient,
            weights.transposed(),
        );
    }

    fn add_squared_norms(
        &mut self,
        input: &[f32],
        output_gradient: &[f32],
        units: &Units<'_>,
        squared_norms: &mut [f64],
    ) {
        self.gradient
            .add_squared_norms(input, output_gradient, units, squared_norms);
    }

    fn add_gradients(
        &mut self,
        input: &[f32],
        output_gradient: &mut [f32],
        units: &Units<'_>,
        factors: Option<&[f32]>,
        sum: &mut [f32],
    ) {
        self.gradient
            .add_gradients(input, output_gradient, units, factors, sum);
    }

    /// Weights that are read once a row, or nearly, are worth waiting for more rows.
    fn fewest_rows(&self) -> usize {
        let weights = self.inputs * self.outputs;
        if self.positions == 1 && weights > 1 << 17 {
            32
        } else {
            2
        }
    }

    fn workspace(&self) -> usize {
        self.gradient.workspace()
    }
}

/// `output = input W + b` for `rows` rows; `weights` holds `W` `[inputs, outputs]`, then `b`.
pub(super) fn affine(
    weights: &[f32],
    input: &[f32],
    output: &mut [f32],
    rows: usize,
    inputs: usize,
    outputs: usize,
) {
    let (weights, bias) = weights.split_at(inputs * outputs);
    output
        .chunks_exact_mut(outputs)
        .for_each(|row| row.copy_from_slice(bias));
    let input = Matrix::new(input, rows, inputs);
    matmul(
        output,
        outputs,
        Write::Add,
        input,
        Matrix::new(weights, inputs, outputs),
    );
}
