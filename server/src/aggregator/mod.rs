//! How the updates of a round become one.
//!
//! Every aggregate takes the silos in the order of their ids and sums in `f64`, so that the order in
//! which updates arrive cannot change a byte of the result. What needs no update twice keeps none: a mean
//! of a thousand silos takes the memory of one.

mod canary;
mod config;
mod mean;
mod noised_sum;
mod order;

pub use canary::{CentralCanaries, CentralCanary, Push};
pub use config::AggregatorConfig;
pub use mean::WeightedMean;
pub use noised_sum::ClippedNoisedSum;
pub use order::{CoordinateMedian, TrimmedMean};

use accounting::Mechanism;
use primitives::{ModelLengthError, ModelVector, Round, SiloId};
use protocol::SiloUpdate;
use std::collections::BTreeMap;
use std::fmt;

/// Combines the updates of a cohort.
pub trait Aggregator: fmt::Debug + Send {
    /// The aggregate of `round` before its first update, for models of so many `parameters`.
    fn begin(&self, round: Round, parameters: usize) -> Box<dyn Aggregate>;

    /// What the aggregator itself does for privacy in a round, as it goes into the ledger with the
    /// cohort's name: [`Mechanism::SiloNoise`] or nothing.
    fn mechanism(&self) -> Option<Mechanism> {
        None
    }

    /// One update made of the silos' updates, which must be of one length.
    ///
    /// # Errors
    /// If there is no update, if they differ in length, or if their weights add up to nothing.
    fn aggregate(
        &self,
        round: Round,
        updates: &BTreeMap<SiloId, SiloUpdate>,
    ) -> Result<ModelVector, AggregateError> {
        let first = updates.values().next().ok_or(AggregateError::Empty)?;
        let mut aggregate = self.begin(round, first.delta.len());
        for update in updates.values() {
            first.delta.check_length(&update.delta)?;
            aggregate.add(update);
        }
        aggregate.finish()
    }
}

/// The combination of a round's updates under way.
pub trait Aggregate: fmt::Debug + Send {
    /// Takes in one more update. Updates come in the order of their silos' ids and have the model's shape.
    fn add(&mut self, update: &SiloUpdate);

    /// One update made of all of them. Asked once, at the end.
    ///
    /// # Errors
    /// If there is none, or if their weights add up to nothing.
    fn finish(&mut self) -> Result<ModelVector, AggregateError>;
}

/// Updates that cannot be combined.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum AggregateError {
    /// There is none.
    #[error("there is no update to aggregate")]
    Empty,
    /// They are of different models.
    #[error(transparent)]
    Length(#[from] ModelLengthError),
    /// The weights do not add up to a positive number.
    #[error("weights add up to {0}, which must be above 0")]
    Weights(f64),
}

#[cfg(test)]
pub(crate) mod fixture {
    use super::*;
    use protocol::UpdateMetrics;

    /// Updates of silos 0, 1, … with these deltas and weights.
    pub(crate) fn updates(deltas: &[(&[f32], f64)]) -> BTreeMap<SiloId, SiloUpdate> {
        let update = |(silo, (delta, weight)): (u32, &(&[f32], f64))| {
            let update = SiloUpdate {
                round: Round(1),
                silo: SiloId(silo),
                delta: delta.to_vec().into(),
                weight: *weight,
                clip_norm: None,
                releases: Vec::new(),
                metrics: UpdateMetrics::Withheld,
            };
            (SiloId(silo), update)
        };
        (0..).zip(deltas).map(update).collect()
    }
}

#[cfg(test)]
mod conformance {
    //! What every aggregator must do.

    use super::*;
    use accounting::{ClipNorm, NoiseMultiplier};
    use primitives::Seed;
    use proptest::prelude::*;

    fn all() -> Vec<Box<dyn Aggregator>> {
        let clip = ClipNorm::try_new(1e6).unwrap();
        let quiet = NoiseMultiplier::try_new(1e-12).unwrap();
        vec![
            Box::new(ClippedNoisedSum::new(clip, quiet, 5, Seed::from_number(1))),
            Box::new(WeightedMean),
            Box::new(TrimmedMean::try_new(0.2).unwrap()),
            Box::new(CoordinateMedian),
        ]
    }

    #[test]
    fn no_updates_and_unlike_updates_are_errors() {
        for aggregator in all() {
            let none = BTreeMap::new();
            assert_eq!(
                aggregator.aggregate(Round(1), &none),
                Err(AggregateError::Empty)
            );
            let unlike = fixture::updates(&[(&[1.0], 1.0), (&[1.0, 2.0], 1.0)]);
            let error = aggregator.aggregate(Round(1), &unlike).unwrap_err();
            assert!(matches!(error, AggregateError::Length(_)), "{aggregator:?}");
        }
    }

    proptest! {
        #[test]
        fn equal_updates_aggregate_to_themselves(
            delta in prop::collection::vec(-10.0f32..10.0, 1..20),
        ) {
            let updates = fixture::updates(&[(&delta[..], 1.0); 5]);
            for aggregator in all() {
                let mean = aggregator.aggregate(Round(1), &updates).unwrap();
                for (found, expected) in mean.as_slice().iter().zip(&delta) {
                    prop_assert!((found - expected).abs() <= 1e-4, "{:?}", aggregator);
                }
            }
        }

        #[test]
        fn which_silo_sent_what_matters_little(
            mut deltas in prop::collection::vec(prop::collection::vec(-10.0f32..10.0, 3), 5),
            turn in 0usize..5,
        ) {
            let pairs = |deltas: &[Vec<f32>]| {
                let pairs: Vec<_> = deltas.iter().map(|delta| (&delta[..], 1.0)).collect();
                fixture::updates(&pairs)
            };
            let before = pairs(&deltas);
            deltas.rotate_left(turn);
            let after = pairs(&deltas);
            for aggregator in all() {
                let before = aggregator.aggregate(Round(1), &before).unwrap();
                let after = aggregator.aggregate(Round(1), &after).unwrap();
                prop_assert!(before.minus(&after).unwrap().l2_norm() < 1e-4, "{:?}", aggregator);
            }
        }
    }
}
