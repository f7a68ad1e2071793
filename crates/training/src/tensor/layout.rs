//! How the units of many replicas lie in one tensor.

use crate::arrangement::Part;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// Every replica has as many units, and every unit as many places for records, as the largest needs. Places that are
/// not needed hold some record with weight zero: what is added for them is zero to the bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) replicas: usize,
    /// Units a replica.
    pub(super) units: usize,
    /// Records a unit.
    pub(super) records: usize,
}

/// Some units of every replica in their places.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    pub(super) layout: Layout,
    /// The row of each place, whatever the caller numbers. Shape: `[replicas, units, records]`.
    pub(super) rows: Vec<u32>,
    /// What a place's loss is multiplied with before its unit's gradient is clipped; zero where there is no record.
    pub(super) before: Vec<f32>,
    /// What a unit's gradient is multiplied with after it was clipped; zero where there is no unit. Shape:
    /// `[replicas, units]`.
    pub(super) after: Vec<f32>,
}

impl Layout {
    /// Places for records.
    pub(super) const fn places(&self) -> usize {
        self.replicas * self.units * self.records
    }

    /// Joins the positions of a unit's records: a unit of several records is one of more positions.
    /// `x`: `[replicas, units · records, positions, channels]`; result: `[replicas · units, records · positions, channels]`.
    pub(super) fn by_unit<B: Backend>(&self, x: Tensor<B, 4>) -> Tensor<B, 3> {
        let [_, _, positions, channels] = x.dims();
        x.reshape([
            self.replicas * self.units,
            self.records * positions,
            channels,
        ])
    }
}

impl Placed {
    /// Puts the units of each replica's part into their places; a replica without a part has none. `row` says what a
    /// replica's row is called.
    pub(super) fn new(
        layout: Layout,
        parts: &[Option<Part<'_>>],
        row: impl Fn(usize, u32) -> u32,
    ) -> Self {
        let mut placed = Self {
            layout,
            rows: vec![0; layout.places()],
            before: vec![0.0; layout.places()],
            after: vec![0.0; layout.replicas * layout.units],
        };
        for (replica, part) in parts.iter().enumerate() {
            let Some(part) = part else { continue };
            for unit in 0..part.units.len() {
                let place = replica * layout.units + unit;
                let mine = part.units.rows(unit);
                placed.after[place] = part.after[mine.start];
                for (record, i) in mine.enumerate() {
                    let place = place * layout.records + record;
                    placed.rows[place] = row(replica, part.rows[i]);
                    placed.before[place] = part.before[i];
                }
            }
        }
        placed
    }
}
