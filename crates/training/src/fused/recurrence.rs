//! What recurrent layers share: the walk over positions, and back.

use super::resize;
use crate::architecture::RecurrentSpec;
use kernels::{Matrix, Packed, Write, matmul_packed};

/// The product of states with a weight matrix `U` `[hidden, wide]`, position after position.
///
/// `U` is packed once for a walk and not at every position. A *place* is a position of a row; places lie row by row.
pub(super) struct Recurrence {
    positions: usize,
    hidden: usize,
    wide: usize,
    matrix: Packed,
    turned: Packed,
    /// The loss's gradient by the state. Shape: `[rows, hidden]`.
    by_state: Vec<f32>,
}

/// One position of one row.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) position: usize,
    pub(super) row: usize,
    /// Its number among all places.
    pub(super) at: usize,
}

/// States before every place: `hidden` numbers at `at · width + start`.
pub(super) struct States<'a> {
    pub(super) values: &'a mut [f32],
    pub(super) width: usize,
    pub(super) start: usize,
}

impl Recurrence {
    pub(super) const fn new(spec: RecurrentSpec, wide: usize) -> Self {
        Self {
            positions: spec.positions,
            hidden: spec.hidden,
            wide,
            matrix: Packed::new(),
            turned: Packed::new(),
            by_state: Vec::new(),
        }
    }

    /// Adds `h U` to `products` at every place, `[rows, positions, wide]`, and lets `step` make the state after it from
    /// them and the state before. The first states are zeros; the others are put where they are read.
    pub(super) fn forward(
        &mut self,
        matrix: &[f32],
        states: &mut States<'_>,
        products: &mut [f32],
        output: &mut [f32],
        mut step: impl FnMut(Place, &mut [f32], &[f32], &mut [f32]),
    ) {
        let Self {
            positions,
            hidden,
            wide,
            ..
        } = *self;
        let rows = products.len() / (positions * wide);
        self.matrix.pack(Matrix::new(matrix, hidden, wide));
        for position in 0..positions {
            if position > 0 {
                let before = &states.values[position * states.width + states.start..];
                let before = Matrix::strided(before, rows, hidden, positions * states.width);
                let products = &mut products[position * wide..];
                let stride = positions * wide;
                matmul_packed(products, stride, Write::Add, before, &self.matrix);
            }
            for row in 0..rows {
                let at = row * positions + position;
                let place = Place { position, row, at };
                let before = at * states.width + states.start;
                if position == 0 {
                    states.values[before..before + hidden].fill(0.0);
                }
                let state = &mut output[at * hidden..(at + 1) * hidden];
                step(
                    place,
                    &mut products[at * wide..(at + 1) * wide],
                    &states.values[before..before + hidden],
                    state,
                );
                if position + 1 < positions {
                    let next = before + states.width;
                    states.values[next..next + hidden].copy_from_slice(state);
                }
            }
        }
    }

    /// The way back. `step` is given the loss's gradient by the state after a place, writes that by the place's products,
    /// and leaves what reaches the state before it by other ways if `write` is [`Write::Add`].
    pub(super) fn backward(
        &mut self,
        matrix: &[f32],
        by_products: &mut [f32],
        write: Write,
        mut step: impl FnMut(Place, &mut [f32], &mut [f32]),
    ) {
        let Self {
            positions,
            hidden,
            wide,
            ..
        } = *self;
        let rows = by_products.len() / (positions * wide);
        self.by_state.clear();
        resize(&mut self.by_state, rows * hidden);
        self.turned
            .pack(Matrix::new(matrix, hidden, wide).transposed());
        for position in (0..positions).rev() {
            for row in 0..rows {
                let at = row * positions + position;
                step(
                    Place { position, row, at },
                    &mut by_products[at * wide..(at + 1) * wide],
                    &mut self.by_state[row * hidden..(row + 1) * hidden],
                );
            }
            if position > 0 {
                let by_products = &by_products[position * wide..];
                let by_products = Matrix::strided(by_products, rows, wide, positions * wide);
                matmul_packed(&mut self.by_state, hidden, write, by_products, &self.turned);
            }
        }
    }
}
