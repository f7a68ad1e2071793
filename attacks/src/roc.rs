//! How well scores separate members from non-members.
//!
//! A ROC is kept as integer counts, so that areas are exact and ties are counted as ties: a member and a
//! non-member with the same score count one half. Nothing here depends on the scores but through their order.

use crate::interval::{Confidence, Interval, proportion_lower_limit, proportion_upper_limit};
use crate::membership::Membership;
use crate::score::{MembershipScore, Scores};
use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, DiscreteCDF};

/// One point of a ROC curve: what share of members is caught at what share of false alarms.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RocPoint {
    /// False-positive rate.
    pub fpr: f64,
    /// True-positive rate.
    pub tpr: f64,
}

/// The ROC of one set of scores: for each threshold, from the strictest to the laxest, how many members and
/// non-members reach it. Starts at (0, 0); each further step is one distinct score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roc {
    steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    caught: u64,
    alarms: u64,
}

/// A ROC needs both kinds of subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{members} members and {non_members} non-members were scored: a ROC needs at least one of each"
)]
pub struct RocError {
    /// Members with a score.
    pub members: usize,
    /// Non-members with a score.
    pub non_members: usize,
}

impl Roc {
    /// The ROC of the subjects of `membership`. Subjects without a score are left out.
    ///
    /// # Errors
    /// If no member or no non-member has a score.
    pub fn of(scores: &Scores, membership: &Membership) -> Result<Self, RocError> {
        let pick = |subjects: &std::collections::BTreeSet<_>| -> Vec<_> {
            subjects
                .iter()
                .filter_map(|subject| scores.get(subject).copied())
                .collect()
        };
        Self::try_new(&pick(membership.members()), &pick(membership.non_members()))
    }

    /// The ROC of these scores.
    ///
    /// # Errors
    /// If either side is empty.
    pub fn try_new(
        members: &[MembershipScore],
        non_members: &[MembershipScore],
    ) -> Result<Self, RocError> {
        if members.is_empty() || non_members.is_empty() {
            let (members, non_members) = (members.len(), non_members.len());
            return Err(RocError {
                members,
                non_members,
            });
        }
        let mut all: Vec<_> = members.iter().map(|&score| (score, true)).collect();
        all.extend(non_members.iter().map(|&score| (score, false)));
        all.sort_unstable_by(|a, b| b.cmp(a));
        let mut steps = vec![Step {
            caught: 0,
            alarms: 0,
        }];
        for tie in all.chunk_by(|a, b| a.0 == b.0) {
            let last = steps[steps.len() - 1];
            let caught = tie.iter().filter(|(_, member)| *member).count();
            let alarms = (tie.len() - caught) as u64;
            steps.push(Step {
                caught: last.caught + caught as u64,
                alarms: last.alarms + alarms,
            });
        }
        Ok(Self { steps })
    }

    fn end(&self) -> Step {
        self.steps[self.steps.len() - 1]
    }

    /// Members that were scored.
    pub fn members(&self) -> u64 {
        self.end().caught
    }

    /// Non-members that were scored.
    pub fn non_members(&self) -> u64 {
        self.end().alarms
    }

    /// The curve from (0, 0) to (1, 1).
    pub fn points(&self) -> Vec<RocPoint> {
        self.steps.iter().map(|&step| self.point(step)).collect()
    }

    fn point(&self, step: Step) -> RocPoint {
        RocPoint {
            fpr: step.alarms as f64 / self.non_members() as f64,
            tpr: step.caught as f64 / self.members() as f64,
        }
    }

    /// Chance that a random member scores above a random non-member, ties counting one half: the exact share
    /// of all pairs (Mann–Whitney).
    pub fn auc(&self) -> f64 {
        area(&self.steps) / (self.members() as f64 * self.non_members() as f64)
    }

    /// Area under the convex hull of the curve: what an adversary gets that may randomise between
    /// thresholds chosen in hindsight. Never below [`Self::auc`], and too high as an estimate of it.
    pub fn hull_auc(&self) -> f64 {
        area(&self.hull()) / (self.members() as f64 * self.non_members() as f64)
    }

    /// Members caught and non-members accused at each corner of the convex hull, from (0, 0) on.
    #[cfg(test)]
    pub(crate) fn hull_counts(&self) -> Vec<(u64, u64)> {
        self.hull()
            .iter()
            .map(|step| (step.caught, step.alarms))
            .collect()
    }

    fn hull(&self) -> Vec<Step> {
        let mut hull: Vec<Step> = Vec::new();
        for &step in &self.steps {
            while let [.., a, b] = hull[..] {
                let towards = i128::from(b.alarms - a.alarms) * i128::from(step.caught - a.caught);
                let along = i128::from(b.caught - a.caught) * i128::from(step.alarms - a.alarms);
                if towards < along {
                    break;
                }
                hull.pop();
            }
            hull.push(step);
        }
        hull
    }

    /// The AUC with its interval: whatever Hanley and McNeil's score interval or DeLong's admits.
    ///
    /// The former holds all AUCs `θ` with `|θ̂ − θ| ≤ z √V(θ)`, where
    /// `V(θ) = θ(1−θ) [1 + (N−1)(1−θ)/(2−θ) + (N−1) θ/(1+θ)] / (n₊ n₋)` and `N = (n₊ + n₋) / 2`. It has a
    /// width where the classes separate and covers well for few subjects, but supposes that members' and
    /// non-members' scores spread alike, and covers 93 % where one spreads twice as wide. DeLong's supposes
    /// nothing of the kind but shrinks to a point at AUC 1. Together they cover 94 % or more in all of
    /// `tests/coverage.rs`.
    ///
    /// Source: Hanley, McNeil 1982, Radiology 143; Newcombe 2006, Statistics in Medicine 25, method 5;
    /// DeLong, DeLong, Clarke-Pearson 1988, Biometrics 44.
    pub fn auc_interval(&self, confidence: Confidence) -> Interval {
        let estimate = self.auc();
        let z = confidence.two_sided_z();
        let pairs = self.members() as f64 * self.non_members() as f64;
        let extra = f64::midpoint(self.members() as f64, self.non_members() as f64) - 1.0;
        let inside = |auc: f64| {
            let shape = 1.0 + extra * ((1.0 - auc) / (2.0 - auc) + auc / (1.0 + auc));
            let variance = auc * (1.0 - auc) * shape / pairs;
            (estimate - auc).powi(2) <= z * z * variance
        };
        // The admitted AUCs form one interval round the estimate; each end is bisected from outside.
        let end = |outside: f64| {
            let (mut admitted, mut refused) = (estimate, outside);
            if inside(refused) {
                return refused;
            }
            for _ in 0..60 {
                let middle = f64::midpoint(admitted, refused);
                if inside(middle) {
                    admitted = middle;
                } else {
                    refused = middle;
                }
            }
            admitted
        };
        let width = z * self.delong_variance().sqrt();
        Interval {
            estimate,
            low: end(0.0).min(estimate - width).max(0.0),
            high: end(1.0).max(estimate + width).min(1.0),
        }
    }

    /// DeLong's variance of the AUC: the variance of how each member is placed among the non-members, over
    /// their number, and the other way round.
    fn delong_variance(&self) -> f64 {
        let end = self.end();
        let (mut members, mut others) = (Spread::default(), Spread::default());
        for pair in self.steps.windows(2) {
            let (caught, alarms) = (
                pair[1].caught - pair[0].caught,
                pair[1].alarms - pair[0].alarms,
            );
            let above = f64::midpoint(pair[0].alarms as f64, pair[1].alarms as f64);
            members.add(1.0 - above / end.alarms as f64, caught as f64);
            let above = f64::midpoint(pair[0].caught as f64, pair[1].caught as f64);
            others.add(above / end.caught as f64, alarms as f64);
        }
        members.variance_of_mean() + others.variance_of_mean()
    }

    /// Share of members caught by the laxest threshold that accuses at most `fpr` of the non-members, with an
    /// interval for what the laxest threshold of that kind *among all people* would catch.
    ///
    /// The threshold was found on the very non-members at hand, which moves the rate as much as the draw of the
    /// members does, so that the Clopper–Pearson interval at the threshold found would cover too rarely. Of `n`
    /// non-members, as many as `Binomial(n, fpr)` says lie above the threshold that is meant: between `r` and
    /// `s - 1`, but for a chance of `α / 4` on either side. The members above the r-th non-member from the top, less
    /// their Clopper–Pearson margin at `α / 4`, are the lower end; those from the s-th on, and that margin, the
    /// upper end. Holds for any distribution of the scores, ties included; wider than it need be by the union bound.
    ///
    /// Source: Clopper, Pearson 1934, Biometrika 26; order statistics as in David, Nagaraja 2003, section 7.1.
    pub fn tpr_at_fpr(&self, fpr: f64, confidence: Confidence) -> Interval {
        let caught_below = |alarms: u64| {
            let reached = self.steps.partition_point(|step| step.alarms < alarms);
            self.steps[..reached].last().map_or(0, |step| step.caught)
        };
        let caught_from = |alarms: u64| {
            let reached = self.steps.partition_point(|step| step.alarms < alarms);
            self.steps
                .get(reached)
                .map_or(self.members(), |step| step.caught)
        };
        let members = self.members();
        let allowed = fpr * self.non_members() as f64;
        let reached = self
            .steps
            .partition_point(|step| step.alarms as f64 <= allowed);
        // The first step accuses nobody, so at least one is always reached.
        let caught = self.steps[reached - 1].caught;
        let tail = confidence.alpha() / 4.0;
        let (least, most) = above_the_threshold(fpr, self.non_members(), tail);
        Interval {
            estimate: caught as f64 / members as f64,
            low: proportion_lower_limit(caught_below(least), members, tail),
            high: proportion_upper_limit(caught_from(most + 1), members, tail),
        }
    }

    /// Largest true-positive less false-positive rate over all thresholds, chosen in hindsight: 0 for a curve
    /// on or below the diagonal.
    pub fn advantage(&self) -> f64 {
        let gain = |&step| self.point(step).tpr - self.point(step).fpr;
        self.steps.iter().map(gain).fold(0.0, f64::max)
    }
}

/// Weighted sums of values in [0, 1].
#[derive(Default)]
struct Spread {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Spread {
    fn add(&mut self, value: f64, count: f64) {
        self.count += count;
        self.sum += count * value;
        self.squares += count * value * value;
    }

    /// Unbiased variance over the count; 0 for a single value.
    fn variance_of_mean(&self) -> f64 {
        let deviations = self.squares - self.sum * self.sum / self.count;
        deviations.max(0.0) / (self.count - 1.0).max(1.0) / self.count
    }
}

/// How many of `non_members` lie above the threshold that accuses `fpr` of all people: no fewer than the first and
/// no more than the second number, each but for a chance of at most `tail`.
fn above_the_threshold(fpr: f64, non_members: u64, tail: f64) -> (u64, u64) {
    let law = Binomial::new(fpr.clamp(0.0, 1.0), non_members)
        .expect("a rate between 0 and 1 is a chance");
    let fewer = |&count: &u64| law.cdf(count) <= tail;
    let not_enough = |&count: &u64| law.cdf(count) < 1.0 - tail;
    (
        (0..non_members).take_while(fewer).count() as u64,
        (0..non_members).take_while(not_enough).count() as u64,
    )
}

/// Area under a polygon of counts, in pairs.
fn area(steps: &[Step]) -> f64 {
    let twice: u64 = steps
        .windows(2)
        .map(|pair| (pair[1].alarms - pair[0].alarms) * (pair[0].caught + pair[1].caught))
        .sum();
    twice as f64 / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scores(values: &[f64]) -> Vec<MembershipScore> {
        values
            .iter()
            .map(|&value| MembershipScore::try_new(value).unwrap())
            .collect()
    }

    fn roc(members: &[f64], non_members: &[f64]) -> Roc {
        Roc::try_new(&scores(members), &scores(non_members)).unwrap()
    }

    /// The obvious twin: every pair, one by one.
    fn pairwise(members: &[f64], non_members: &[f64]) -> f64 {
        let mut wins = 0.0;
        for &member in members {
            for &other in non_members {
                wins += if member > other {
                    1.0
                } else {
                    f64::from(u8::from(member == other)) / 2.0
                };
            }
        }
        wins / (members.len() * non_members.len()) as f64
    }

    #[test]
    fn golden_areas_of_all_pairs_and_of_the_hull() {
        // In {0, 4, 6, 7} against out {1, 2, 3, 5}: jax_privacy reports the hull's value as its AUROC.
        let roc = roc(&[0.0, 4.0, 6.0, 7.0], &[1.0, 2.0, 3.0, 5.0]);
        assert_eq!(roc.auc(), 11.0 / 16.0);
        assert_eq!(roc.hull_auc(), 13.0 / 16.0);
        assert_eq!(roc.advantage(), 0.5);
    }

    #[test]
    fn ties_count_one_half_and_one_sided_input_is_refused() {
        assert_eq!(roc(&[1.0, 1.0], &[1.0, 1.0, 1.0]).auc(), 0.5);
        assert_eq!(roc(&[1.0, 1.0], &[1.0]).points().len(), 2);
        let error = Roc::try_new(&scores(&[1.0]), &[]).unwrap_err();
        assert_eq!(
            error,
            RocError {
                members: 1,
                non_members: 0
            }
        );
    }

    #[test]
    fn members_caught_at_a_bounded_false_alarm_rate() {
        let non_members: Vec<f64> = (0..100).map(f64::from).collect();
        let roc = roc(&[200.0, 99.0, 94.5, 93.5, 1.0], &non_members);
        let at = |fpr| roc.tpr_at_fpr(fpr, Confidence::NINETY_FIVE).estimate;
        assert_eq!(at(0.0), 0.2);
        // One alarm (99) is tied with a member: both come or neither.
        assert_eq!(at(0.01), 0.4);
        assert_eq!(at(0.05), 0.6);
        assert_eq!(at(0.06), 0.8);
        assert_eq!(at(1.0), 1.0);
        // Of 100, at least 1 and at most 10 lie above the threshold of 5 %: P(B = 0) = 0.0059, P(B > 10) = 0.0115.
        assert_eq!(above_the_threshold(0.05, 100, 0.05 / 4.0), (1, 10));
        let interval = roc.tpr_at_fpr(0.05, Confidence::NINETY_FIVE);
        // One of five members lies above the first non-member, four of five above the eleventh.
        let tail = Confidence::NINETY_FIVE.alpha() / 4.0;
        assert_eq!(interval.low, proportion_lower_limit(1, 5, tail));
        assert_eq!(interval.high, proportion_upper_limit(4, 5, tail));
    }

    #[test]
    fn the_interval_has_a_width_where_the_classes_separate() {
        let all: Vec<f64> = (0..20).map(f64::from).collect();
        let apart = roc(&all[10..], &all[..10]).auc_interval(Confidence::NINETY_FIVE);
        assert_eq!((apart.estimate, apart.high), (1.0, 1.0));
        assert!(apart.low > 0.6 && apart.low < 0.95, "{apart:?}");
        let tied = roc(&[0.0; 30], &[0.0; 30]).auc_interval(Confidence::NINETY_FIVE);
        assert!(
            (tied.low + tied.high - 1.0).abs() < 1e-12,
            "symmetric at one half: {tied:?}"
        );
    }

    #[test]
    fn delongs_variance_by_hand() {
        // Members 3, 1 against 2, 0: placements 1 and ½ of members, ½ and 1 of non-members.
        let variance = roc(&[3.0, 1.0], &[2.0, 0.0]).delong_variance();
        assert!(
            (variance - (0.125 / 2.0 + 0.125 / 2.0)).abs() < 1e-15,
            "{variance}"
        );
        assert_eq!(roc(&[3.0, 2.0], &[1.0, 0.0]).delong_variance(), 0.0);
    }

    fn values() -> impl Strategy<Value = Vec<f64>> {
        proptest::collection::vec((-20i32..20).prop_map(f64::from), 1..30)
    }

    proptest! {
        #[test]
        fn the_area_is_the_share_of_ordered_pairs(a in values(), b in values()) {
            let area = roc(&a, &b).auc();
            prop_assert!((area - pairwise(&a, &b)).abs() < 1e-12);
            prop_assert!(roc(&a, &b).hull_auc() >= area);
        }

        #[test]
        fn swapped_membership_mirrors_the_curve(a in values(), b in values()) {
            let negated = |values: &[f64]| values.iter().map(|v| -v).collect::<Vec<_>>();
            let mirrored = roc(&negated(&b), &negated(&a));
            prop_assert!((roc(&a, &b).auc() - mirrored.auc()).abs() < 1e-12);
            prop_assert!((roc(&a, &b).auc() + roc(&b, &a).auc() - 1.0).abs() < 1e-12);
            let swapped: Vec<_> = roc(&b, &a).points().iter().map(|p| (p.tpr, p.fpr)).collect();
            let points: Vec<_> = roc(&a, &b).points().iter().map(|p| (p.fpr, p.tpr)).collect();
            prop_assert_eq!(points, swapped);
        }

        #[test]
        fn a_monotone_change_of_scale_changes_nothing(a in values(), b in values()) {
            let stretch = |values: &[f64]| values.iter().map(|v| (v / 7.0).exp()).collect::<Vec<_>>();
            prop_assert_eq!(roc(&a, &b), roc(&stretch(&a), &stretch(&b)));
        }

        #[test]
        fn the_interval_holds_the_estimate(a in values(), b in values()) {
            let interval = roc(&a, &b).auc_interval(Confidence::NINETY_FIVE);
            prop_assert!(0.0 <= interval.low && interval.low <= interval.estimate);
            prop_assert!(interval.estimate <= interval.high && interval.high <= 1.0);
        }
    }
}
