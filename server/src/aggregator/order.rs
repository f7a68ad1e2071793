//! Aggregators by order statistics of each coordinate: robust to a minority of wild updates.
//!
//! Every silo counts alike. Neither is a privacy mechanism.
//!
//! Source: Yin et al. 2018 (arXiv 1803.01498), definitions 1 and 2.

use super::{Aggregate, AggregateError, Aggregator};
use crate::strategy::ConfigError;
use primitives::{ModelVector, Round};
use protocol::SiloUpdate;
use std::fmt;

/// The mean of each coordinate without its `⌊fraction · silos⌋` smallest and largest values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrimmedMean {
    fraction: f64,
}

/// The median of each coordinate; for an even number of silos the mean of the two middle values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoordinateMedian;

impl TrimmedMean {
    /// Cuts this fraction of the silos from each end.
    ///
    /// # Errors
    /// If `fraction` is outside `[0, 0.5)`.
    pub fn try_new(fraction: f64) -> Result<Self, ConfigError> {
        if (0.0..0.5).contains(&fraction) {
            Ok(Self { fraction })
        } else {
            Err(ConfigError::Trim(fraction))
        }
    }
}

impl Aggregator for TrimmedMean {
    fn begin(&self, _round: Round, parameters: usize) -> Box<dyn Aggregate> {
        let fraction = self.fraction;
        Box::new(ByCoordinate::new(parameters, move |sorted| {
            let cut = (fraction * sorted.len() as f64).floor() as usize;
            mean(&sorted[cut..sorted.len() - cut])
        }))
    }
}

impl Aggregator for CoordinateMedian {
    fn begin(&self, _round: Round, parameters: usize) -> Box<dyn Aggregate> {
        Box::new(ByCoordinate::new(parameters, |sorted| {
            let upper = sorted.len() / 2;
            let lower = (sorted.len() - 1) / 2;
            mean(&sorted[lower..=upper])
        }))
    }
}

/// All updates so far: an order statistic needs every one of them to the end.
struct ByCoordinate<F> {
    parameters: usize,
    deltas: Vec<ModelVector>,
    /// What becomes of the sorted values of one coordinate.
    combine: F,
}

impl<F: Fn(&[f32]) -> f32> ByCoordinate<F> {
    const fn new(parameters: usize, combine: F) -> Self {
        Self {
            parameters,
            deltas: Vec::new(),
            combine,
        }
    }
}

impl<F> fmt::Debug for ByCoordinate<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ByCoordinate({} updates)", self.deltas.len())
    }
}

impl<F: Fn(&[f32]) -> f32 + Send> Aggregate for ByCoordinate<F> {
    fn add(&mut self, update: &SiloUpdate) {
        self.deltas.push(update.delta.clone());
    }

    fn finish(&mut self) -> Result<ModelVector, AggregateError> {
        if self.deltas.is_empty() {
            return Err(AggregateError::Empty);
        }
        let mut column = Vec::with_capacity(self.deltas.len());
        let mut combined = Vec::with_capacity(self.parameters);
        for i in 0..self.parameters {
            column.clear();
            column.extend(self.deltas.iter().map(|delta| delta.as_slice()[i]));
            column.sort_unstable_by(f32::total_cmp);
            combined.push((self.combine)(&column));
        }
        Ok(combined.into())
    }
}

fn mean(values: &[f32]) -> f32 {
    (values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::super::fixture::updates;
    use super::*;

    #[test]
    fn a_wild_silo_is_cut_off() {
        let updates = updates(&[
            (&[1.0, -1.0], 1.0),
            (&[2.0, -2.0], 1.0),
            (&[3.0, -3.0], 1.0),
            (&[1e30, -1e30], 1.0),
            (&[-1e30, 1e30], 1.0),
        ]);
        let trimmed = TrimmedMean::try_new(0.2)
            .unwrap()
            .aggregate(Round(1), &updates);
        assert_eq!(trimmed, Ok(vec![2.0, -2.0].into()));
        assert_eq!(
            CoordinateMedian.aggregate(Round(1), &updates),
            Ok(vec![2.0, -2.0].into())
        );
    }

    #[test]
    fn an_even_number_of_silos_has_two_middle_values() {
        let updates = updates(&[(&[1.0], 1.0), (&[9.0], 1.0), (&[2.0], 1.0), (&[4.0], 1.0)]);
        assert_eq!(
            CoordinateMedian.aggregate(Round(1), &updates),
            Ok(vec![3.0].into())
        );
    }

    #[test]
    fn nothing_is_trimmed_to_nothing() {
        for fraction in [0.5, -0.1, f64::NAN] {
            assert!(TrimmedMean::try_new(fraction).is_err());
        }
    }
}
