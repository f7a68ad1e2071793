//! Silos that differ in their share of every class.

use super::deal::{choose_silos, draw_index, silos_of_subject};
use super::{Partition, PartitionError, Partitioner, check_silos};
use crate::{Dataset, LabelSlice, SpreadConfig, SubjectIndex};
use primitives::SiloId;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

/// Draws, for every class, how its records divide over the silos, from a symmetric Dirichlet law.
///
/// Without a spread a record goes to any silo with its class's probability, so that a subject's
/// records follow their classes. With one, the subject's silos are drawn first, each gets one of its
/// records, and the other records choose among them with their class's probabilities. A silo that
/// comes out empty is an error.
///
/// Source: Hsu, Qi, Brown 2019 (arXiv 1909.06335), with proportions drawn per class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dirichlet {
    /// Concentration, above 0.
    pub alpha: f64,
    /// Over how many silos a subject scatters.
    pub spread: Option<SpreadConfig>,
}

impl Partitioner for Dirichlet {
    fn partition(
        &self,
        dataset: &Dataset,
        subjects: &SubjectIndex,
        silos: u32,
        rng: &mut dyn Rng,
    ) -> Result<Partition, PartitionError> {
        check_silos(silos)?;
        let LabelSlice::Classes(classes) = dataset.labels() else {
            let data = dataset.name().to_owned();
            return Err(PartitionError::NoClasses { data });
        };
        let shares: Vec<Vec<f64>> = dataset
            .classes()
            .iter()
            .map(|_| proportions(&vec![self.alpha; silos as usize], rng))
            .collect();
        let even = vec![1.0; silos as usize];
        let mut placed = Vec::with_capacity(subjects.all_records().len());
        for subject in subjects.subjects() {
            let mut records = subjects.records(subject).to_vec();
            records.shuffle(rng);
            let holders: Vec<SiloId> = if self.spread.is_some() {
                let count = silos_of_subject(self.spread, records.len(), silos, rng)?;
                let home = SiloId(rng.random_range(0..silos));
                choose_silos(home, count, &even, rng)
            } else {
                (0..silos).map(SiloId).collect()
            };
            let first = if self.spread.is_some() {
                holders.len()
            } else {
                0
            };
            placed.extend(
                records[..first]
                    .iter()
                    .copied()
                    .zip(holders.iter().copied()),
            );
            for &record in &records[first..] {
                let share = &shares[classes[record.index()] as usize];
                let weights: Vec<f64> = holders.iter().map(|silo| share[silo.index()]).collect();
                placed.push((record, holders[draw_index(&weights, rng)]));
            }
        }
        Partition::try_new(silos, subjects, placed.into_iter())
    }
}

/// One draw of the Dirichlet law with these `concentrations`, all above 0: as many shares, that add up to 1.
pub(crate) fn proportions(concentrations: &[f64], rng: &mut dyn Rng) -> Vec<f64> {
    let log_draw = |&concentration: &f64| log_gamma_draw(concentration, rng);
    let logs: Vec<f64> = concentrations.iter().map(log_draw).collect();
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logs
        .iter()
        .map(|log| (log - most).exp().max(f64::MIN_POSITIVE))
        .collect();
    let total: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / total).collect()
}

/// The logarithm of a draw from Gamma(`shape`, 1), which for a small shape would underflow itself.
///
/// Rejection from Student's t law with two degrees of freedom, and `G(a) = G(a + 1) · U^(1/a)` for
/// shapes up to 1.
///
/// Source: Best 1978, as algorithm XG in Devroye 1986 (Non-Uniform Random Variate Generation), IX.3.
fn log_gamma_draw(shape: f64, rng: &mut dyn Rng) -> f64 {
    if shape <= 1.0 {
        let boost = uniform_above_zero(rng).ln() / shape;
        return log_gamma_draw(shape + 1.0, rng) + boost;
    }
    let (b, c) = (shape - 1.0, 3.0 * shape - 0.75);
    loop {
        let (u, v) = (rng.random::<f64>(), uniform_above_zero(rng));
        let w = u * (1.0 - u);
        let y = (c / w).sqrt() * (u - 0.5);
        let x = b + y;
        if w > 0.0 && x > 0.0 && (64.0 * w.powi(3) * v * v).ln() <= 2.0 * (b * (x / b).ln() - y) {
            return x.ln();
        }
    }
}

/// A uniform draw from `(0, 1]`.
fn uniform_above_zero(rng: &mut dyn Rng) -> f64 {
    1.0 - rng.random::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use primitives::{Role, Seed, Stream};

    /// H0: draws of Gamma(a, 1) have mean a and variance a. Over 20,000 draws the mean leaves
    /// ± 4.9 standard errors with probability 1e-6; so does the second moment about a, whose
    /// variance is 2a² + 6a.
    #[test]
    fn gamma_draws_have_their_moments() {
        let mut rng = Seed::from_number(1).stream(Stream::run(Role::Partition));
        let n = 20_000;
        for a in [0.3, 1.0, 1.7, 20.0] {
            let draws: Vec<f64> = (0..n).map(|_| log_gamma_draw(a, &mut rng).exp()).collect();
            let mean = draws.iter().sum::<f64>() / f64::from(n);
            let variance = draws.iter().map(|x| (x - a).powi(2)).sum::<f64>() / f64::from(n);
            assert!(
                (mean - a).abs() < 4.9 * (a / f64::from(n)).sqrt(),
                "{a}: {mean}"
            );
            let error = ((2.0 * a * a + 6.0 * a) / f64::from(n)).sqrt();
            assert!((variance - a).abs() < 4.9 * error, "{a}: {variance}");
        }
    }

    #[test]
    fn proportions_add_up_even_where_a_draw_would_underflow() {
        let mut rng = Seed::from_number(2).stream(Stream::run(Role::Partition));
        for alpha in [1e-4, 0.1, 1.0, 1e6] {
            let shares = proportions(&[alpha; 50], &mut rng);
            assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            assert!(shares.iter().all(|&share| share > 0.0));
        }
    }
}
