//! Which threshold an audit is judged at, and what choosing it costs.

use super::Auditor;
use super::counts::Counts;
use crate::membership::Membership;
use crate::roc::RocError;
use crate::score::{MembershipScore, Scores};
use rand::Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

/// Scores of canaries that were in and of canaries that were out, at least one of each.
#[derive(Clone, Debug, PartialEq)]
pub struct CanaryScores {
    inside: Vec<MembershipScore>,
    outside: Vec<MembershipScore>,
}

/// How the threshold is found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ThresholdChoice {
    /// Fixed before any score was seen.
    Explicit {
        /// Canaries with at least this score are called in.
        threshold: MembershipScore,
    },
    /// The best of thresholds laid down beforehand by rank (1st, 2nd, …, then ever wider steps), each at `α`
    /// divided by how many there are.
    Bonferroni {},
    /// The best on a random half, judged on the other half.
    Split {},
    /// Many splits, each at `α / 2`; the median counts (Meinshausen, Meier, Bühlmann 2009, theorem 3.1).
    MultiSplit {
        /// How many.
        splits: std::num::NonZeroU32,
    },
}

/// A threshold and what it makes of the canaries.
struct Candidate {
    threshold: MembershipScore,
    counts: Counts,
}

impl CanaryScores {
    /// Scores of canaries that were in, and that were out.
    ///
    /// # Errors
    /// If there is none of either.
    pub fn try_new(
        inside: Vec<MembershipScore>,
        outside: Vec<MembershipScore>,
    ) -> Result<Self, RocError> {
        if inside.is_empty() || outside.is_empty() {
            let (members, non_members) = (inside.len(), outside.len());
            return Err(RocError {
                members,
                non_members,
            });
        }
        Ok(Self { inside, outside })
    }

    /// The scores of the subjects of `membership`: members were in.
    ///
    /// # Errors
    /// If no member, or no non-member, has a score.
    pub fn of(scores: &Scores, membership: &Membership) -> Result<Self, RocError> {
        let scored = |subject| scores.get(subject).copied();
        Self::try_new(
            membership.members().iter().filter_map(scored).collect(),
            membership.non_members().iter().filter_map(scored).collect(),
        )
    }

    /// What `threshold` makes of the canaries.
    pub fn counts(&self, threshold: MembershipScore) -> Counts {
        let called = |scores: &[MembershipScore]| {
            let called = scores.iter().filter(|&&score| score >= threshold).count();
            (called as u64, (scores.len() - called) as u64)
        };
        let (true_positives, false_negatives) = called(&self.inside);
        let (false_positives, true_negatives) = called(&self.outside);
        Counts {
            true_positives,
            false_positives,
            true_negatives,
            false_negatives,
        }
    }

    /// The first half of either side, in the order given, and the rest; `None` if a side has fewer than two.
    pub(super) fn in_order_halved(&self) -> Option<(Self, Self)> {
        let cut = |scores: &[MembershipScore]| {
            let (first, rest) = scores.split_at(scores.len() / 2);
            (first.to_vec(), rest.to_vec())
        };
        let ((inside, rest_inside), (outside, rest_outside)) =
            (cut(&self.inside), cut(&self.outside));
        let first = Self::try_new(inside, outside).ok()?;
        Some((first, Self::try_new(rest_inside, rest_outside).ok()?))
    }

    /// Scores of canaries that were in.
    pub fn inside(&self) -> &[MembershipScore] {
        &self.inside
    }

    /// Scores of canaries that were out.
    pub fn outside(&self) -> &[MembershipScore] {
        &self.outside
    }

    /// Every distinct threshold with what it makes of the canaries, strictest first.
    pub(super) fn thresholds(&self) -> Vec<(MembershipScore, Counts)> {
        let candidates = self.candidates().into_iter();
        candidates
            .map(|candidate| (candidate.threshold, candidate.counts))
            .collect()
    }

    /// Every distinct threshold, strictest first.
    fn candidates(&self) -> Vec<Candidate> {
        let mut all: Vec<_> = self.inside.iter().map(|&score| (score, true)).collect();
        all.extend(self.outside.iter().map(|&score| (score, false)));
        all.sort_unstable_by(|a, b| b.cmp(a));
        let (inside, outside) = (self.inside.len() as u64, self.outside.len() as u64);
        let (mut caught, mut alarms) = (0, 0);
        let candidate = |tie: &[(MembershipScore, bool)]| {
            let members = tie.iter().filter(|(_, inside)| *inside).count() as u64;
            caught += members;
            alarms += tie.len() as u64 - members;
            let counts = Counts {
                true_positives: caught,
                false_positives: alarms,
                true_negatives: outside - alarms,
                false_negatives: inside - caught,
            };
            Candidate {
                threshold: tie[0].0,
                counts,
            }
        };
        all.chunk_by(|a, b| a.0 == b.0).map(candidate).collect()
    }

    /// Thresholds that are laid down before any score is seen: "the k-th highest score", for k on a fixed grid.
    ///
    /// Error rates are compared at the k-th highest score of those in, and of those out: either is independent
    /// of the other side, and Clopper–Pearson limits hold for order statistics of their own side too. Guesses
    /// in one run must not depend on who was in, so there it is the k-th highest score of all.
    fn ranked(&self, auditor: Auditor) -> Vec<Candidate> {
        let highest = |scores: &[&[MembershipScore]]| {
            let mut sorted = scores.concat();
            sorted.sort_unstable_by(|a, b| b.cmp(a));
            let at = |rank| {
                let threshold: MembershipScore = sorted[rank - 1];
                Candidate {
                    threshold,
                    counts: self.counts(threshold),
                }
            };
            ranks(sorted.len()).map(at).collect::<Vec<_>>()
        };
        match auditor {
            Auditor::ClopperPearson | Auditor::GaussianDp => {
                let mut candidates = highest(&[&self.inside]);
                candidates.extend(highest(&[&self.outside]));
                candidates
            }
            Auditor::OneRun | Auditor::GaussianOneRun => highest(&[&self.inside, &self.outside]),
        }
    }

    /// Two random halves, each with half of either side; `None` if a side has fewer than two.
    fn halves(&self, rng: &mut impl Rng) -> Option<(Self, Self)> {
        let mut split = |scores: &[MembershipScore]| {
            let mut order = scores.to_vec();
            order.shuffle(rng);
            let other = order.split_off(order.len() / 2);
            (order, other)
        };
        let (inside, other_inside) = split(&self.inside);
        let (outside, other_outside) = split(&self.outside);
        let first = Self::try_new(inside, outside).ok()?;
        Some((
            first,
            Self {
                inside: other_inside,
                outside: other_outside,
            },
        ))
    }
}

/// 1, 2, 3, 4, 5, then steps of a fifth, up to `count`.
fn ranks(count: usize) -> impl Iterator<Item = usize> {
    let next = |rank: &usize| Some(rank + (rank / 5).max(1));
    std::iter::successors(Some(1), next).take_while(move |&rank| rank <= count)
}

/// The most that any candidate refutes, each at significance `alpha`, and where.
fn best(
    auditor: Auditor,
    candidates: &[Candidate],
    delta: f64,
    alpha: f64,
) -> (f64, Option<MembershipScore>) {
    let mut best = (0.0, None);
    for candidate in candidates {
        let evidence = auditor.evidence(&candidate.counts, delta, alpha, best.0);
        if evidence > best.0 {
            best = (evidence, Some(candidate.threshold));
        }
    }
    best
}

impl ThresholdChoice {
    /// How much `scores` refute at significance `alpha`, on the scale of `auditor`.
    pub(crate) fn evidence(
        self,
        auditor: Auditor,
        scores: &CanaryScores,
        delta: f64,
        alpha: f64,
        rng: &mut impl Rng,
    ) -> f64 {
        match self {
            Self::Explicit { threshold } => {
                auditor.evidence(&scores.counts(threshold), delta, alpha, 0.0)
            }
            Self::Bonferroni {} => {
                let candidates = scores.ranked(auditor);
                best(auditor, &candidates, delta, alpha / candidates.len() as f64).0
            }
            Self::Split {} => split(auditor, scores, delta, alpha, rng),
            Self::MultiSplit { splits } => {
                let one = |_| split(auditor, scores, delta, alpha / 2.0, rng);
                let mut evidence: Vec<f64> = (0..splits.get()).map(one).collect();
                evidence.sort_unstable_by(f64::total_cmp);
                // The lower median: never above the median.
                evidence[(evidence.len() - 1) / 2]
            }
        }
    }
}

fn split(
    auditor: Auditor,
    scores: &CanaryScores,
    delta: f64,
    alpha: f64,
    rng: &mut impl Rng,
) -> f64 {
    let Some((choose, judge)) = scores.halves(rng) else {
        return 0.0;
    };
    let (_, threshold) = best(auditor, &choose.candidates(), delta, alpha);
    threshold.map_or(0.0, |at| {
        auditor.evidence(&judge.counts(at), delta, alpha, 0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interval::standard_normal;
    use crate::roc::Roc;
    use primitives::{Role, Seed, Stream};
    use statrs::distribution::ContinuousCDF;

    /// Scores at the quantiles of N(shift, 1) and N(0, 1).
    fn quantiles(count: u32, shift: f64) -> CanaryScores {
        let score = |shift: f64, i: u32| {
            let u = (f64::from(i) + 0.5) / f64::from(count);
            MembershipScore::try_new(shift + standard_normal().inverse_cdf(u)).unwrap()
        };
        let of = |shift| (0..count).map(|i| score(shift, i)).collect();
        CanaryScores {
            inside: of(shift),
            outside: of(0.0),
        }
    }

    #[test]
    fn ranks_widen_and_stay_within_the_scores() {
        assert_eq!(
            ranks(20).collect::<Vec<_>>(),
            [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 19]
        );
        assert!(ranks(10_000).count() < 55);
        // Thresholds of a run do not depend on who was in.
        let scores = quantiles(50, 0.7);
        let swapped = CanaryScores {
            inside: scores.outside.clone(),
            outside: scores.inside.clone(),
        };
        let at = |scores: &CanaryScores| -> Vec<_> {
            scores
                .ranked(Auditor::OneRun)
                .iter()
                .map(|c| c.threshold)
                .collect()
        };
        assert_eq!(at(&scores), at(&swapped));
    }

    #[test]
    fn candidates_count_what_a_threshold_counts() {
        let scores = quantiles(50, 0.7);
        for candidate in scores.candidates() {
            assert_eq!(candidate.counts, scores.counts(candidate.threshold));
        }
        assert_eq!(scores.candidates().len(), 100);
    }

    #[test]
    fn golden_one_run_bounds_over_the_hull() {
        // jax_privacy's auditing_test: 10,000 + 10,000 scores, δ = 1e-6, 95 %, α divided by the thresholds on
        // the hull and (0, 0).
        for (shift, steinke, mahloujifar) in [
            (1.0, 1.13346, 2.164_749),
            (2.0, 2.311_945, 4.721_807_5),
            (4.0, 4.395_568, 9.133_752),
        ] {
            let scores = quantiles(10_000, shift);
            let hull = Roc::try_new(&scores.inside, &scores.outside)
                .unwrap()
                .hull_counts();
            let alpha = 0.05 / hull.len() as f64;
            let on_hull = |candidate: &Candidate| {
                let counts = candidate.counts;
                hull.contains(&(counts.true_positives, counts.false_positives))
            };
            let candidates: Vec<_> = scores.candidates().into_iter().filter(on_hull).collect();
            let (found, _) = best(Auditor::OneRun, &candidates, 1e-6, alpha);
            assert!((found - steinke).abs() < 1e-4, "one run, {shift}: {found}");
            let (found, _) = best(Auditor::GaussianOneRun, &candidates, 1e-6, alpha);
            assert!((found - mahloujifar).abs() < 1e-4, "f-DP, {shift}: {found}");
        }
    }

    #[test]
    fn every_choice_stays_below_the_analytic_epsilon_of_quantile_scores() {
        let scores = quantiles(2000, 2.0);
        let delta = accounting::Delta::try_new(1e-5).unwrap();
        let truth = super::super::gdp_epsilon(2.0, delta).get();
        let mut rng = Seed::from_number(1).stream(Stream::run(Role::Bootstrap));
        let confidence = crate::Confidence::NINETY_FIVE;
        let choices = [
            ThresholdChoice::Explicit {
                threshold: MembershipScore::try_new(2.5).unwrap(),
            },
            ThresholdChoice::Bonferroni {},
            ThresholdChoice::Split {},
            ThresholdChoice::MultiSplit {
                splits: std::num::NonZeroU32::new(9).unwrap(),
            },
        ];
        for auditor in [
            Auditor::ClopperPearson,
            Auditor::GaussianDp,
            Auditor::OneRun,
            Auditor::GaussianOneRun,
        ] {
            for choice in choices {
                let found = auditor.audit(&scores, choice, delta, confidence, &mut rng);
                let epsilon = found.epsilon.get();
                assert!(
                    epsilon > 1.0 && epsilon < truth,
                    "{auditor:?} {choice:?}: {epsilon}"
                );
            }
        }
    }
}
