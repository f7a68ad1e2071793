//! Histogram and forest: learn from a few known subjects how members' losses are spread.
//!
//! Meeus, Jain, Rei, de Montjoye: "Did the Neurons Read your Book?" (arXiv 2310.15007), with the document
//! replaced by a subject and the token by a record. The losses of `A_s` become mean, least, greatest,
//! deviation and a histogram over bins of equal mass among known subjects; a random forest (500 trees, depth
//! 5, at least 3 subjects a leaf, as in the paper) learns from the known subjects. Score: its probability.
//!
//! A forest has seen the subjects it was trained on, so known subjects are scored by forests trained on the
//! other known subjects (cross-validation); otherwise the threshold found on them would be too strict.

use crate::attack::{AttackError, MembershipAttack, Observation, setting};
use crate::evidence::Evidence;
use crate::learn::{Forest, ForestSettings, out_of_fold};
use crate::score::{Scores, scores};
use crate::signals::SignalKind;
use crate::threat::View;
use primitives::{Role, Seed, Stream};

/// A forest on the spread of a subject's losses, trained on known subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistogramForest {
    /// Bins of the histogram.
    pub bins: usize,
    /// Where the forest's randomness comes from.
    pub seed: Seed,
}

/// Bins where a scenario does not say how many.
pub(crate) const BINS: usize = 10;

const FOREST: ForestSettings = ForestSettings {
    trees: 500,
    depth: 5,
    leaf: 3,
};

/// Mean, least, greatest and deviation, then the share of losses in each bin.
fn features(losses: &[f32], edges: &[f64]) -> Vec<f64> {
    let count = losses.len() as f64;
    let values = || losses.iter().map(|&loss| f64::from(loss));
    let mean = values().sum::<f64>() / count;
    let deviation = (values().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt();
    let least = values().fold(f64::INFINITY, f64::min);
    let greatest = values().fold(f64::NEG_INFINITY, f64::max);
    let mut row = vec![mean, least, greatest, deviation];
    row.resize(4 + edges.len() + 1, 0.0);
    for value in values() {
        row[4 + edges.partition_point(|&edge| edge <= value)] += 1.0 / count;
    }
    row
}

/// `bins − 1` inner edges that share `pool` out evenly.
fn edges(mut pool: Vec<f64>, bins: usize) -> Vec<f64> {
    pool.sort_unstable_by(f64::total_cmp);
    (1..bins).map(|bin| pool[bin * pool.len() / bins]).collect()
}

impl MembershipAttack for HistogramForest {
    fn name(&self) -> String {
        let bins = setting("bins", self.bins as f64, BINS as f64);
        format!("histogram-forest{bins}")
    }

    fn paper(&self) -> &'static str {
        "Meeus et al., arXiv 2310.15007"
    }

    fn needs(&self) -> Observation {
        Observation {
            known_each: FOREST.leaf as u32,
            ..Observation::of(View::FinalModel, &[SignalKind::Loss])
        }
    }

    fn score(&self, evidence: &Evidence<'_>) -> Result<Scores, AttackError> {
        let subjects = evidence.subjects();
        let losses = (0..subjects.len())
            .map(|position| evidence.records(SignalKind::Loss, position))
            .collect::<Result<Vec<_>, _>>()?;
        let known: Vec<(usize, bool)> = (subjects.iter().enumerate())
            .filter_map(|(position, &subject)| Some((position, evidence.known().of(subject)?)))
            .collect();
        // One for each fold of the cross-validation below.
        for (kind, wanted) in [("members", true), ("non-members", false)] {
            let held = known.iter().filter(|(_, member)| *member == wanted).count();
            if held < FOREST.leaf {
                return Err(AttackError::TooFewKnown {
                    kind,
                    needed: FOREST.leaf,
                    held,
                });
            }
        }
        let pool = known.iter().flat_map(|&(position, _)| losses[position]);
        let edges = edges(
            pool.map(|&loss| f64::from(loss)).collect(),
            self.bins.max(1),
        );
        let rows: Vec<Vec<f64>> = losses
            .iter()
            .map(|losses| features(losses, &edges))
            .collect();
        let training: Vec<&[f64]> = known
            .iter()
            .map(|&(position, _)| rows[position].as_slice())
            .collect();
        let labels: Vec<bool> = known.iter().map(|&(_, member)| member).collect();
        let stream = Stream {
            round: evidence.round(),
            ..Stream::run(Role::Adversary)
        };
        let mut rng = self.seed.stream(stream);
        let forest = Forest::fit(&training, &labels, FOREST, &mut rng);
        let mut values: Vec<f64> = rows.iter().map(|row| forest.probability(row)).collect();
        let cross = out_of_fold(
            &training,
            &labels,
            FOREST.leaf,
            &mut rng,
            |rows, labels, rng| {
                let forest = Forest::fit(rows, labels, FOREST, rng);
                move |row: &[f64]| forest.probability(row)
            },
        );
        known
            .iter()
            .zip(cross)
            .for_each(|(&(position, _), score)| values[position] = score);
        Ok(scores(subjects, values)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_sums_up_the_losses_and_shares_them_out() {
        let edges = edges((0..8).map(f64::from).collect(), 4);
        assert_eq!(edges, [2.0, 4.0, 6.0]);
        let row = features(&[1.0, 2.0, 3.0, 6.0], &edges);
        assert_eq!(row[..3], [3.0, 1.0, 6.0]);
        assert!((row[3] - 3.5_f64.sqrt()).abs() < 1e-12);
        assert_eq!(row[4..], [0.25, 0.5, 0.0, 0.25]);
    }
}
