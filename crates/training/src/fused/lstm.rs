//! Long short-term memory.

use super::recurrence::{Recurrence, States};
use super::weights::WeightGradient;
use super::{Layer, resize};
use crate::architecture::RecurrentSpec;
use crate::arrangement::Units;
use kernels::{Matrix, Write, matmul, sigmoid, tanh, vectorised};

/// The state of an LSTM after every position. Parameters: `W` `[inputs + hidden, 4 hidden]`, then the bias; columns in
/// the order input, forget, cell, output.
///
/// The weights are shared over time, so their gradient is one sum over all positions and its norm is that of the
/// sum: [`WeightGradient`] with the input and the state before each position side by side.
pub(super) struct Lstm {
    spec: RecurrentSpec,
    gradient: WeightGradient,
    recurrence: Recurrence,
    /// Input and state before each position. Shape: `[rows, positions, inputs + hidden]`.
    joined: Vec<f32>,
    /// What the gates let through. Shape: `[rows, positions, 4 hidden]`.
    gates: Vec<f32>,
    /// Cells after each position. Shape: `[positions, rows, hidden]`.
    cells: Vec<f32>,
    /// The loss's gradient by what the gates' functions read. Shape: as `gates`.
    by_gates: Vec<f32>,
    by_cell: Vec<f32>,
}

impl Lstm {
    pub(super) const fn new(spec: RecurrentSpec) -> Self {
        let RecurrentSpec {
            positions,
            inputs,
            hidden,
        } = spec;
        Self {
            spec,
            gradient: WeightGradient::new(positions, inputs + hidden, 4 * hidden),
            recurrence: Recurrence::new(spec, 4 * hidden),
            joined: Vec::new(),
            gates: Vec::new(),
            cells: Vec::new(),
            by_gates: Vec::new(),
            by_cell: Vec::new(),
        }
    }
}

impl Layer for Lstm {
    fn forward(&mut self, weights: &[f32], input: &[f32], output: &mut [f32], rows: usize) {
        let RecurrentSpec {
            positions,
            inputs,
            hidden,
        } = self.spec;
        let (width, wide) = (inputs + hidden, 4 * hidden);
        resize(&mut self.joined, rows * positions * width);
        resize(&mut self.gates, rows * positions * wide);
        resize(&mut self.cells, rows * positions * hidden);
        for (joined, x) in self
            .joined
            .chunks_exact_mut(width)
            .zip(input.chunks_exact(inputs))
        {
            joined[..inputs].copy_from_slice(x);
        }
        let (matrix, bias) = weights.split_at(width * wide);
        for gates in self.gates.chunks_exact_mut(wide) {
            gates.copy_from_slice(bias);
        }
        let x = Matrix::strided(&self.joined, rows * positions, inputs, width);
        matmul(
            &mut self.gates,
            wide,
            Write::Add,
            x,
            Matrix::new(matrix, inputs, wide),
        );
        let mut states = States {
            values: &mut self.joined,
            width,
            start: inputs,
        };
        let all_cells = &mut self.cells;
        self.recurrence.forward(
            &matrix[inputs * wide..],
            &mut states,
            &mut self.gates,
            output,
            |place, gates, _, state| {
                let (before, cells) = all_cells.split_at_mut(place.position * rows * hidden);
                let before = &before[before.len() - before.len().min(rows * hidden)..];
                let mine = place.row * hidden..(place.row + 1) * hidden;
                step(gates, before.get(mine.clone()), &mut cells[mine], state);
            },
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
        let RecurrentSpec {
            positions,
            inputs,
            hidden,
        } = self.spec;
        let wide = 4 * hidden;
        resize(&mut self.by_gates, rows * positions * wide);
        self.by_cell.clear();
        resize(&mut self.by_cell, rows * hidden);
        let (gates, cells, by_cells) = (&self.gates, &self.cells, &mut self.by_cell);
        self.recurrence.backward(
            &weights[inputs * wide..(inputs + hidden) * wide],
            &mut self.by_gates,
            Write::Replace,
            |place, by_gates, by_state| {
                let mine = place.row * hidden..(place.row + 1) * hidden;
                let cell = |position: usize| &cells[position * rows * hidden..][mine.clone()];
                step_back(
                    &gates[place.at * wide..(place.at + 1) * wide],
                    place.position.checked_sub(1).map(cell),
                    cell(place.position),
                    &output_gradient[place.at * hidden..(place.at + 1) * hidden],
                    by_state,
                    &mut by_cells[mine.clone()],
                    by_gates,
                );
            },
        );
        let gates = Matrix::new(&self.by_gates, rows * positions, wide);
        let by_input = Matrix::new(weights, inputs, wide).transposed();
        matmul(input_gradient, inputs, Write::Replace, gates, by_input);
    }

    fn add_squared_norms(
        &mut self,
        _input: &[f32],
        _output_gradient: &[f32],
        units: &Units<'_>,
        squared_norms: &mut [f64],
    ) {
        self.gradient
            .add_squared_norms(&self.joined, &self.by_gates, units, squared_norms);
    }

    fn add_gradients(
        &mut self,
        _input: &[f32],
        _output_gradient: &mut [f32],
        units: &Units<'_>,
        factors: Option<&[f32]>,
        sum: &mut [f32],
    ) {
        self.gradient
            .add_gradients(&self.joined, &mut self.by_gates, units, factors, sum);
    }

    fn learns_from_backward(&self) -> bool {
        true
    }

    /// Every position is a product of its own with as many rows.
    fn fewest_rows(&self) -> usize {
        32
    }

    fn workspace(&self) -> usize {
        let RecurrentSpec {
            positions,
            inputs,
            hidden,
        } = self.spec;
        positions * (inputs + 10 * hidden) + self.gradient.workspace()
    }
}

/// One position of one row: turns what the gates read into what they let through, and moves cell and state.
fn step(gates: &mut [f32], before: Option<&[f32]>, cell: &mut [f32], state: &mut [f32]) {
    let hidden = cell.len();
    let (input, rest) = gates.split_at_mut(hidden);
    let (forget, rest) = rest.split_at_mut(hidden);
    let (candidate, output) = rest.split_at_mut(hidden);
    vectorised(
        #[inline(always)]
        || {
            for j in 0..hidden {
                input[j] = sigmoid(input[j]);
                forget[j] = sigmoid(forget[j]);
                candidate[j] = tanh(candidate[j]);
                output[j] = sigmoid(output[j]);
                cell[j] = input[j] * candidate[j];
            }
            if let Some(before) = before {
                for j in 0..hidden {
                    cell[j] += forget[j] * before[j];
                }
            }
            for j in 0..hidden {
                state[j] = output[j] * tanh(cell[j]);
            }
        },
    );
}

/// The way back through [`step`]. `by_cell` comes in from the position after and leaves for the one before.
fn step_back(
    gates: &[f32],
    before: Option<&[f32]>,
    cell: &[f32],
    by_output: &[f32],
    by_state: &[f32],
    by_cell: &mut [f32],
    by_gates: &mut [f32],
) {
    let hidden = cell.len();
    let (input, rest) = gates.split_at(hidden);
    let (forget, rest) = rest.split_at(hidden);
    let (candidate, output) = rest.split_at(hidden);
    let (by_input, rest) = by_gates.split_at_mut(hidden);
    let (by_forget, rest) = rest.split_at_mut(hidden);
    let (by_candidate, by_out) = rest.split_at_mut(hidden);
    vectorised(
        #[inline(always)]
        || {
            for j in 0..hidden {
                let by_state = by_output[j] + by_state[j];
                let bent = tanh(cell[j]);
                let by = by_cell[j] + by_state * output[j] * (1.0 - bent * bent);
                by_out[j] = by_state * bent * output[j] * (1.0 - output[j]);
                by_input[j] = by * candidate[j] * input[j] * (1.0 - input[j]);
                by_candidate[j] = by * input[j] * (1.0 - candidate[j] * candidate[j]);
                by_forget[j] = by * forget[j] * (1.0 - forget[j]);
                by_cell[j] = by * forget[j];
            }
            match before {
                Some(before) => {
                    for j in 0..hidden {
                        by_forget[j] *= before[j];
                    }
                }
                None => by_forget.fill(0.0),
            }
        },
    );
}
