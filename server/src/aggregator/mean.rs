//! The weighted mean.

use super::{Aggregate, AggregateError, Aggregator};
use primitives::{ModelVector, Round};
use protocol::SiloUpdate;

/// `Σ wᵢ Δᵢ / Σ wᵢ` over the silos that answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightedMean;

/// The sums so far.
#[derive(Debug)]
struct WeightedSum {
    sum: Vec<f64>,
    weights: f64,
    updates: usize,
}

impl Aggregator for WeightedMean {
    fn begin(&self, _round: Round, parameters: usize) -> Box<dyn Aggregate> {
        Box::new(WeightedSum {
            sum: vec![0.0; parameters],
            weights: 0.0,
            updates: 0,
        })
    }
}

impl Aggregate for WeightedSum {
    fn add(&mut self, update: &SiloUpdate) {
        self.updates += 1;
        self.weights += update.weight;
        for (total, &delta) in self.sum.iter_mut().zip(update.delta.as_slice()) {
            *total += update.weight * f64::from(delta);
        }
    }

    fn finish(&mut self) -> Result<ModelVector, AggregateError> {
        let weights = self.weights;
        if self.updates == 0 {
            return Err(AggregateError::Empty);
        }
        if !weights.is_finite() || weights <= 0.0 {
            return Err(AggregateError::Weights(weights));
        }
        Ok(self
            .sum
            .iter()
            .map(|total| (total / weights) as f32)
            .collect::<Vec<_>>()
            .into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::updates;
    use super::*;

    #[test]
    fn a_silo_counts_by_its_weight() {
        let updates = updates(&[(&[1.0, 0.0], 1.0), (&[5.0, 8.0], 3.0)]);
        assert_eq!(
            WeightedMean.aggregate(Round(1), &updates),
            Ok(vec![4.0, 6.0].into())
        );
    }

    #[test]
    fn weights_of_nothing_are_an_error() {
        let updates = updates(&[(&[1.0], 0.0)]);
        assert_eq!(
            WeightedMean.aggregate(Round(1), &updates),
            Err(AggregateError::Weights(0.0))
        );
    }
}
