//! Silos of different size.

use super::deal::{choose_silos, silos_of_subject};
use super::{Partition, PartitionError, Partitioner, check_silos};
use crate::{Dataset, SpreadConfig, SubjectIndex};
use primitives::{SiloId, SubjectId};
use rand::Rng;
use rand::seq::SliceRandom;

/// Gives silo `i` (from 1) a share of the subjects in proportion to `1 / i^exponent`, at least one.
///
/// Each subject has a home silo. If it spreads, the other silos are drawn with the same weights, and
/// its records are dealt to its silos evenly, so that every one of them holds some.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantity {
    /// How unequal silos are; 0 is even.
    pub exponent: f64,
    /// Over how many silos a subject scatters.
    pub spread: Option<SpreadConfig>,
}

impl Partitioner for Quantity {
    fn partition(
        &self,
        _: &Dataset,
        subjects: &SubjectIndex,
        silos: u32,
        rng: &mut dyn Rng,
    ) -> Result<Partition, PartitionError> {
        check_silos(silos)?;
        let weights: Vec<f64> = (1..=silos)
            .map(|i| f64::from(i).powf(-self.exponent))
            .collect();
        let mut order: Vec<SubjectId> = subjects.subjects().collect();
        order.shuffle(rng);
        let mut placed = Vec::with_capacity(subjects.all_records().len());
        for (&subject, home) in order.iter().zip(homes(&weights, order.len())) {
            let mut records = subjects.records(subject).to_vec();
            records.shuffle(rng);
            let count = silos_of_subject(self.spread, records.len(), silos, rng)?;
            let holders = choose_silos(home, count, &weights, rng);
            placed.extend(records.into_iter().zip(holders.into_iter().cycle()));
        }
        Partition::try_new(silos, subjects, placed.into_iter())
    }
}

/// The home silos of `subjects` subjects: one for each silo, the rest by largest remainder.
pub(crate) fn homes(weights: &[f64], subjects: usize) -> impl Iterator<Item = SiloId> {
    let rest = subjects.saturating_sub(weights.len()) as f64;
    let total: f64 = weights.iter().sum();
    let shares: Vec<f64> = weights.iter().map(|weight| rest * weight / total).collect();
    let mut counts: Vec<usize> = shares
        .iter()
        .map(|share| 1 + share.floor() as usize)
        .collect();
    let mut by_remainder: Vec<usize> = (0..weights.len()).collect();
    by_remainder.sort_by(|&a, &b| {
        shares[b]
            .fract()
            .total_cmp(&shares[a].fract())
            .then(a.cmp(&b))
    });
    let missing = subjects.saturating_sub(counts.iter().sum());
    for &silo in by_remainder.iter().cycle().take(missing) {
        counts[silo] += 1;
    }
    let silos = (0..).map(SiloId);
    silos
        .zip(counts)
        .flat_map(|(silo, count)| std::iter::repeat_n(silo, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_follow_the_weights_and_leave_no_silo_out() {
        let counts = |weights: &[f64], subjects| {
            let mut counts = vec![0; weights.len()];
            homes(weights, subjects)
                .take(subjects)
                .for_each(|silo| counts[silo.index()] += 1);
            counts
        };
        assert_eq!(counts(&[1.0; 4], 10), [3, 3, 2, 2]);
        assert_eq!(counts(&[1.0, 1e-9], 5), [4, 1]);
        assert_eq!(counts(&[4.0, 2.0, 1.0], 10), [5, 3, 2]);
        assert_eq!(counts(&[1.0; 3], 2), [1, 1, 0]);
    }
}
