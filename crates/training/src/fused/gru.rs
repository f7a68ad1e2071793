//! Gated recurrent units.

use super::linear::affine;
use super::recurrence::{Recurrence, States};
use super::weights::WeightGradient;
use super::{Layer, resize};
use crate::architecture::RecurrentSpec;
use crate::arrangement::Units;
use kernels::{Matrix, Write, matmul, sigmoid, tanh, vectorised};

/// The state of a GRU after every position. Parameters: `W` `[inputs, 3 hidden]`, its bias, `U` `[hidden, 3 hidden]`,
/// its bias; columns in the order reset, update, new.
///
/// Two weight matrices, each shared over time, so each is one [`WeightGradient`] over all positions.
pub(super) struct Gru {
    spec: RecurrentSpec,
    of_inputs: WeightGradient,
    of_states: WeightGradient,
    recurrence: Recurrence,
    /// State before each position. Shape: `[rows, positions, hidden]`.
    states: Vec<f32>,
    /// First `x W + b`, then what the gates let through. Shape: `[rows, positions, 3 hidden]`.
    gates: Vec<f32>,
    /// `h U + c`. Shape: as `gates`.
    recurrent: Vec<f32>,
    /// The loss's gradients by `x W + b` and by `h U + c`. Shape: as `gates`.
    by_inputs: Vec<f32>,
    by_states: Vec<f32>,
}

impl Gru {
    pub(super) const fn new(spec: RecurrentSpec) -> Self {
        let RecurrentSpec {
            positions,
            inputs,
            hidden,
        } = spec;
        Self {
            spec,
            of_inputs: WeightGradient::new(positions, inputs, 3 * hidden),
            of_states: WeightGradient::new(positions, hidden, 3 * hidden),
            recurrence: Recurrence::new(spec, 3 * hidden),
            states: Vec::new(),
            gates: Vec::new(),
            recurrent: Vec::new(),
            by_inputs: Vec::new(),
            by_states: Vec::new(),
        }
    }

    /// Where the parameters of the states begin.
    const fn split(&self) -> usize {
        (self.spec.inputs + 1) * 3 * self.spec.hidden
    }
}

impl Layer for Gru {
    fn forward(&mut self, weights: &[f32], input: &[f32], output: &mut [f32], rows: usize) {
        let RecurrentSpec {
            positions,
            inputs,
            hidden,
        } = self.spec;
        let wide = 3 * hidden;
        for buffer in [&mut self.gates, &mut self.recurrent] {
            resize(buffer, rows * positions * wide);
        }
        resize(&mut self.states, rows * positions * hidden);
        let (of_inputs, of_states) = weights.split_at(self.split());
        affine(
            of_inputs,
            input,
            &mut self.gates,
            rows * positions,
            inputs,
            wide,
        );
        let (matrix, bias) = of_states.split_at(hidden * wide);
        for recurrent in self.recurrent.chunks_exact_mut(wide) {
            recurrent.copy_from_slice(bias);
        }
        let mut states = States {
            values: &mut self.states,
            width: hidden,
            start: 0,
        };
        let all_gates = &mut self.gates;
        self.recurrence.forward(
            matrix,
            &mut states,
            &mut self.recurrent,
            output,
            |place, recurrent, before, state| {
                let gates = &mut all_gates[place.at * wide..(place.at + 1) * wide];
                step(gates, recurrent, before, state);
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
        let wide = 3 * hidden;
        for buffer in [&mut self.by_inputs, &mut self.by_states] {
            resize(buffer, rows * positions * wide);
        }
        let (of_inputs, of_states) = weights.split_at(self.split());
        let (gates, recurrent, states) = (&self.gates, &self.recurrent, &self.states);
        let by_inputs = &mut self.by_inputs;
        self.recurrence.backward(
            &of_states[..hidden * wide],
            &mut self.by_states,
            Write::Add,
            |place, by_states, by_state| {
                let products = place.at * wide..(place.at + 1) * wide;
                let state = place.at * hidden..(place.at + 1) * hidden;
                step_back(
                    &gates[products.clone()],
                    &recurrent[products.clone()],
                    &states[state.clone()],
                    &output_gradient[state],
                    by_state,
                    &mut by_inputs[products],
                    by_states,
                );
            },
        );
        let by_inputs = Matrix::new(&self.by_inputs, rows * positions, wide);
        let matrix = Matrix::new(of_inputs, inputs, wide).transposed();
        matmul(input_gradient, inputs, Write::Replace, by_inputs, matrix);
    }

    fn add_squared_norms(
        &mut self,
        input: &[f32],
        _output_gradient: &[f32],
        units: &Units<'_>,
        squared_norms: &mut [f64],
    ) {
        self.of_inputs
            .add_squared_norms(input, &self.by_inputs, units, squared_norms);
        self.of_states
            .add_squared_norms(&self.states, &self.by_states, units, squared_norms);
    }

    fn add_gradients(
        &mut self,
        input: &[f32],
        _output_gradient: &mut [f32],
        units: &Units<'_>,
        factors: Option<&[f32]>,
        sum: &mut [f32],
    ) {
        let (of_inputs, of_states) = sum.split_at_mut(self.split());
        self.of_inputs
            .add_gradients(input, &mut self.by_inputs, units, factors, of_inputs);
        self.of_states
            .add_gradients(&self.states, &mut self.by_states, units, factors, of_states);
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
            positions, hidden, ..
        } = self.spec;
        13 * positions * hidden + self.of_inputs.workspace() + self.of_states.workspace()
    }
}

/// One position of one row: turns what the gates read into what they let through, and writes the state after it.
fn step(gates: &mut [f32], recurrent: &[f32], before: &[f32], state: &mut [f32]) {
    let hidden = state.len();
    let (reset, rest) = gates.split_at_mut(hidden);
    let (update, new) = rest.split_at_mut(hidden);
    vectorised(
        #[inline(always)]
        || {
            for j in 0..hidden {
                reset[j] = sigmoid(reset[j] + recurrent[j]);
                update[j] = sigmoid(update[j] + recurrent[hidden + j]);
                new[j] = tanh(new[j] + reset[j] * recurrent[2 * hidden + j]);
                state[j] = new[j] + update[j] * (before[j] - new[j]);
            }
        },
    );
}

/// The way back through [`step`]. `by_state` comes in from the position after and leaves, without what goes through
/// the weights, for the one before.
fn step_back(
    gates: &[f32],
    recurrent: &[f32],
    before: &[f32],
    by_output: &[f32],
    by_state: &mut [f32],
    by_inputs: &mut [f32],
    by_states: &mut [f32],
) {
    let hidden = before.len();
    let (reset, rest) = gates.split_at(hidden);
    let (update, new) = rest.split_at(hidden);
    vectorised(
        #[inline(always)]
        || {
            for j in 0..hidden {
                let by = by_output[j] + by_state[j];
                let by_new = by * (1.0 - update[j]) * (1.0 - new[j] * new[j]);
                let by_update = by * (before[j] - new[j]) * update[j] * (1.0 - update[j]);
                let by_reset = by_new * recurrent[2 * hidden + j] * reset[j] * (1.0 - reset[j]);
                by_inputs[j] = by_reset;
                by_inputs[hidden + j] = by_update;
                by_inputs[2 * hidden + j] = by_new;
                by_states[j] = by_reset;
                by_states[hidden + j] = by_update;
                by_states[2 * hidden + j] = by_new * reset[j];
                by_state[j] = by * update[j];
            }
        },
    );
}
