//! What a model takes of a device's memory, and how many replicas fit.

use super::gradient::NormRule;
use crate::architecture::{AttentionSpec, RecurrentSpec};
use crate::{Architecture, LayerSpec};

/// Fewer records of a replica are not worth a pass of their own.
const LEAST_RECORDS: usize = 64;

/// Vectors of a replica as long as the model: model, start, sum, normals, two of an optimiser, and what lies between.
const VECTORS: u64 = 10;

/// Places for at least `units` units: one of eight sizes between two powers of two, so that the batches of many rounds have
/// few shapes. A device chooses its kernels by shape, and takes its time to.
pub(super) const fn places(units: usize) -> usize {
    units.next_multiple_of(match units.next_power_of_two() / 16 {
        0 => 1,
        step => step,
    })
}

/// Estimates of memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Footprint {
    /// A replica, whatever it reads.
    replica: u64,
    /// A unit: what its norm is found by.
    unit: u64,
    /// A record on its way through the model and back.
    record: u64,
}

/// How replicas and their batches are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packing {
    /// Replicas at a time.
    pub(super) replicas: usize,
    /// Units of each at a time.
    pub(super) units: usize,
}

impl Footprint {
    /// That of models of this shape whose units have `records` records.
    pub(super) fn of(architecture: &Architecture, records: usize) -> Self {
        let mut footprint = Self {
            replica: 4 * VECTORS * architecture.parameters() as u64,
            unit: 0,
            record: 4 * architecture.inputs() as u64,
        };
        for layer in architecture.layers() {
            footprint.add(layer, records);
        }
        footprint
    }

    fn add(&mut self, layer: &LayerSpec, records: usize) {
        // A value, its gradient and a probe; and what a layer keeps between.
        let mut numbers = 3 * layer.outputs();
        let mut product = |positions: usize, inputs: usize, outputs: usize| {
            let positions = records * positions;
            let numbers = match NormRule::of(positions, inputs, outputs) {
                NormRule::Outer => 4,
                NormRule::Pairs => 3 * positions * positions,
                NormRule::Formed => 2 * inputs * outputs,
            };
            self.unit += 4 * numbers as u64;
        };
        match layer {
            &LayerSpec::Linear {
                positions,
                inputs,
                outputs,
            } => product(positions, inputs, outputs),
            LayerSpec::Conv2d(spec) => {
                let (output, window) = (spec.output(), spec.window());
                let positions = output.height * output.width;
                numbers += 3 * positions * window * spec.groups;
                for _ in 0..spec.groups {
                    product(positions, window, spec.outputs / spec.groups);
                }
            }
            &LayerSpec::Embedding {
                positions,
                vocabulary,
                width,
            } => {
                numbers += 2 * positions * vocabulary;
                product(positions, vocabulary, width);
            }
            &LayerSpec::Lstm(RecurrentSpec {
                positions,
                inputs,
                hidden,
            }) => {
                numbers += positions * (2 * inputs + 24 * hidden);
                product(positions, inputs + hidden, 4 * hidden);
            }
            &LayerSpec::Gru(RecurrentSpec {
                positions,
                inputs,
                hidden,
            }) => {
                numbers += positions * (2 * inputs + 24 * hidden);
                product(positions, inputs, 3 * hidden);
                product(positions, hidden, 3 * hidden);
            }
            &LayerSpec::Attention(AttentionSpec {
                positions, heads, ..
            }) => numbers += 4 * heads * positions * positions + 2 * layer.inputs(),
            LayerSpec::Normalize(spec) => numbers += 3 * spec.width(),
            LayerSpec::Residual { branch, shortcut } => {
                for layer in branch.iter().chain(shortcut) {
                    self.add(layer, records);
                }
            }
            LayerSpec::Relu { .. }
            | LayerSpec::MaxPool(_)
            | LayerSpec::AveragePool(_)
            | LayerSpec::Shift { .. }
            | LayerSpec::Last { .. }
            | LayerSpec::Mean { .. } => {}
        }
        self.record += 4 * numbers as u64;
    }

    /// Memory of so many replicas with so many units each, of so many records.
    pub(super) const fn bytes(&self, replicas: usize, units: usize, records: usize) -> u64 {
        let unit = self.unit + records as u64 * self.record;
        replicas as u64 * (self.replica + units as u64 * unit)
    }

    /// How to divide `replicas` of at most `units` units, of `records` records each, so that each part takes at most
    /// `memory`: as many replicas as fit with a few units each, then as many units of each as fit. One of each goes through
    /// whatever it takes.
    pub(super) fn pack(
        &self,
        replicas: usize,
        units: usize,
        records: usize,
        memory: u64,
    ) -> Packing {
        let least = units.min(LEAST_RECORDS.div_ceil(records.max(1))).max(1);
        let fitting = memory / self.bytes(1, least, records).max(1);
        let replicas = replicas
            .min(usize::try_from(fitting).unwrap_or(usize::MAX))
            .max(1);
        let each = (memory / replicas as u64).saturating_sub(self.replica);
        let fitting = each
            / self
                .bytes(1, 1, records)
                .saturating_sub(self.replica)
                .max(1);
        let units = units
            .min(usize::try_from(fitting).unwrap_or(usize::MAX))
            .max(1);
        Packing { replicas, units }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{InputShape, ModelConfig};

    fn footprint() -> Footprint {
        let config = ModelConfig::Mlp { hidden: vec![32] };
        let model = config.architecture(InputShape::Features(784), 10).unwrap();
        Footprint::of(&model, 1)
    }

    #[test]
    fn places_are_enough_and_few_too_many() {
        let mut shapes = std::collections::BTreeSet::new();
        for units in 0..=4096 {
            let places = places(units);
            assert!(
                places >= units && 8 * places <= 9 * units.max(1),
                "{units}: {places}"
            );
            shapes.insert(places);
        }
        assert_eq!(
            (places(0), places(7), places(33), shapes.len()),
            (0, 7, 36, 81)
        );
    }

    #[test]
    fn what_fits_is_packed_as_one_and_nothing_exceeds_the_memory() {
        let footprint = footprint();
        let all = footprint.bytes(64, 100, 1);
        let whole = Packing {
            replicas: 64,
            units: 100,
        };
        assert_eq!(footprint.pack(64, 100, 1, all), whole);
        for part in [2, 3, 10, 60] {
            let memory = all / part;
            let packing = footprint.pack(64, 100, 1, memory);
            assert!(footprint.bytes(packing.replicas, packing.units, 1) <= memory);
            assert!(packing.replicas >= 1 && packing.units >= 1 && packing != whole);
        }
        let one = Packing {
            replicas: 1,
            units: 1,
        };
        assert_eq!(
            footprint.pack(64, 100, 1, 0),
            one,
            "something always goes through"
        );
    }
}
