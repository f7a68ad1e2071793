//! Audits over independent runs: what to look at is chosen on one half of the runs and judged on the other.
//!
//! Some runs had the audited subject and some had not; each was trained with randomness of its own, so its scores are
//! independent of every other run's, whatever the mechanism is. Several statistics may be computed of each run, fixed
//! beforehand; which of them is used, and at which threshold, may be chosen freely on the first half: the second half
//! knows nothing of it, so Clopper–Pearson limits of its error rates hold as if both had been given
//! (reference: Jagielski, Ullman, Oprea 2020, arXiv 2006.07709, who choose the threshold on runs of their own).

use super::choice::CanaryScores;
use super::counts::Counts;
use crate::interval::Confidence;
use crate::score::MembershipScore;
use accounting::{Delta, Epsilon};

/// What was chosen on the first half of the runs, and the runs that it is judged by.
#[derive(Clone, Debug, PartialEq)]
pub struct HeldOut {
    /// Which of the statistics.
    pub statistic: usize,
    /// Runs with at least this score are called runs with the subject.
    pub threshold: MembershipScore,
    /// The scores of the other half by that statistic.
    pub judged: CanaryScores,
}

impl HeldOut {
    /// Chooses among `statistics`, each the scores of the same runs in the same order, the statistic and the threshold that
    /// refute most on the first half of the runs; where nothing is refuted, those that tell them apart best. `None` if
    /// there are fewer than two runs of either kind, or no statistic.
    ///
    /// The choice is good if the larger half agrees, and sound whatever it is.
    pub fn choose(
        statistics: &[CanaryScores],
        delta: Delta,
        confidence: Confidence,
    ) -> Option<Self> {
        let mut best: Option<((f64, f64), Self)> = None;
        for (statistic, scores) in statistics.iter().enumerate() {
            let (first, judged) = scores.in_order_halved()?;
            for (threshold, counts) in first.thresholds() {
                let merit = (
                    counts.lower_bound(delta.get(), confidence.alpha(), 0.0),
                    advantage(&counts),
                );
                if best.as_ref().is_none_or(|(most, _)| merit > *most) {
                    let chosen = Self {
                        statistic,
                        threshold,
                        judged: judged.clone(),
                    };
                    best = Some((merit, chosen));
                }
            }
        }
        best.map(|(_, chosen)| chosen)
    }

    /// What the threshold makes of the other half.
    pub fn counts(&self) -> Counts {
        self.judged.counts(self.threshold)
    }
}

impl Counts {
    /// The largest lower bound that so many runs can show: if every one of them is called rightly.
    pub fn largest_bound(
        inside: u64,
        outside: u64,
        delta: Delta,
        confidence: Confidence,
    ) -> Epsilon {
        let all_right = Self {
            true_positives: inside,
            false_positives: 0,
            true_negatives: outside,
            false_negatives: 0,
        };
        super::epsilon(all_right.lower_bound(delta.get(), confidence.alpha(), 0.0))
    }
}

/// True-positive rate less false-positive rate.
fn advantage(counts: &Counts) -> f64 {
    let rate = |part: u64, all: u64| part as f64 / all.max(1) as f64;
    rate(counts.true_positives, counts.inside()) - rate(counts.false_positives, counts.outside())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Auditor, ThresholdChoice};
    use crate::interval::standard_normal;
    use primitives::{Role, Seed, Stream};
    use rand::RngExt;
    use statrs::distribution::ContinuousCDF;

    fn delta() -> Delta {
        Delta::try_new(1e-5).unwrap()
    }

    /// Scores of `runs` runs of either kind by two statistics: the first tells nothing, the second `shift` deviations.
    fn statistics(runs: usize, shift: f64, seed: u64) -> [CanaryScores; 2] {
        let mut rng = Seed::from_number(seed).stream(Stream::run(Role::Canary));
        let mut side = |shift: f64| -> Vec<MembershipScore> {
            let mut draw = || {
                let uniform: f64 = rng.random_range(f64::MIN_POSITIVE..1.0);
                MembershipScore::try_new(shift + standard_normal().inverse_cdf(uniform)).unwrap()
            };
            (0..runs).map(|_| draw()).collect()
        };
        [0.0, shift].map(|shift| CanaryScores::try_new(side(shift), side(0.0)).unwrap())
    }

    fn bound(statistics: &[CanaryScores], confidence: Confidence) -> f64 {
        let chosen = HeldOut::choose(statistics, delta(), confidence).unwrap();
        let explicit = ThresholdChoice::Explicit {
            threshold: chosen.threshold,
        };
        let mut rng = Seed::from_number(0).stream(Stream::run(Role::Bootstrap));
        let found =
            Auditor::ClopperPearson.audit(&chosen.judged, explicit, delta(), confidence, &mut rng);
        found.epsilon.get()
    }

    #[test]
    fn the_statistic_that_tells_is_chosen_and_judged_on_the_other_half() {
        let statistics = statistics(200, 3.0, 5);
        let chosen = HeldOut::choose(&statistics, delta(), Confidence::NINETY_FIVE).unwrap();
        assert_eq!(chosen.statistic, 1);
        assert_eq!(chosen.judged.inside(), &statistics[1].inside()[100..]);
        assert_eq!(chosen.judged.outside(), &statistics[1].outside()[100..]);
        // A slow search over every pair of a score of the first half as threshold agrees.
        let [first_inside, first_outside] =
            [statistics[1].inside(), statistics[1].outside()].map(|side| side[..100].to_vec());
        let half = CanaryScores::try_new(first_inside.clone(), first_outside.clone()).unwrap();
        let refuted = |threshold: MembershipScore| {
            half.counts(threshold)
                .lower_bound(1e-5, Confidence::NINETY_FIVE.alpha(), 0.0)
        };
        let all = first_inside.into_iter().chain(first_outside);
        let most = all.map(refuted).fold(0.0, f64::max);
        assert!((refuted(chosen.threshold) - most).abs() < 1e-12);
    }

    #[test]
    fn a_bound_on_runs_that_are_alike_is_above_nought_no_oftener_than_stated() {
        // 1,000 seeded repeats at α = 0.1, ε = 0: 150 or more bounds above 0 have a chance below 1e-6 (binomial).
        let ninety = Confidence::try_new(0.9).unwrap();
        let wrong = (0..1000)
            .filter(|&seed| bound(&statistics(20, 0.0, seed), ninety) > 0.0)
            .count();
        assert!(wrong < 150, "{wrong}");
        // Judged on the half that it was chosen on, it would be: this is what the other half is for.
        let cheated = (0..200).filter(|&repeat| {
            let mut several = (0..10).flat_map(|seed| statistics(20, 0.0, 10 * repeat + seed));
            let refuted = |scores: CanaryScores| {
                let mut thresholds = scores.thresholds().into_iter();
                thresholds.any(|(_, counts)| counts.lower_bound(1e-5, 0.1, 0.0) > 0.0)
            };
            several.any(refuted)
        });
        assert!(cheated.count() > 40);
    }

    #[test]
    fn a_bound_stays_below_the_truth_and_grows_with_the_runs() {
        // Two Gaussians 1.5 apart are 1.5-GDP. At 99.99 % one of the three is wrong once in 3,000 seeds.
        let truth = super::super::gdp_epsilon(1.5, delta()).get();
        let level = Confidence::NINETY_NINE_NINETY_NINE;
        let bounds = [100, 400, 1600].map(|runs| bound(&statistics(runs, 1.5, 3), level));
        assert!(bounds.iter().all(|&bound| bound < truth), "{bounds:?}");
        assert!(bounds[2] > bounds[1] && bounds[1] > 0.0, "{bounds:?}");
    }

    #[test]
    fn golden_largest_bounds() {
        // All of n called rightly: the limits are 1 − 0.025^(1/n), so ε = ln(0.025^(1/n) − δ) − ln(1 − 0.025^(1/n)).
        for runs in [8_u64, 32, 100] {
            let right = 0.025_f64.powf(1.0 / runs as f64);
            let expected = ((right - 1e-5) / (1.0 - right)).ln().max(0.0);
            let found = Counts::largest_bound(runs, runs, delta(), Confidence::NINETY_FIVE);
            assert!(
                (found.get() - expected).abs() < 1e-6,
                "{runs}: {found} {expected}"
            );
        }
        let none = Counts::largest_bound(2, 2, delta(), Confidence::NINETY_FIVE);
        assert!(none.get().abs() < 1e-12);
    }

    #[test]
    fn too_few_runs_choose_nothing() {
        let [one, _] = statistics(1, 1.0, 1);
        assert_eq!(
            HeldOut::choose(&[one], delta(), Confidence::NINETY_FIVE),
            None
        );
        assert_eq!(HeldOut::choose(&[], delta(), Confidence::NINETY_FIVE), None);
    }
}
