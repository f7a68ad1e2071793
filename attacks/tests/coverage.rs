//! Intervals cover the truth as often as they say.
//!
//! Each test repeats a seeded experiment 1,000 times and counts how often the interval holds the known truth. It fails
//! below the fewest hits that an interval of exactly the stated confidence has but for a chance of 1e-6
//! ([`common::fewest`]: 916 of 1,000 at 95 %); what is exact is also held from above ([`common::most`]).

#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests")]

mod common;

use common::{REPEATS, fewest, gaussian, most};
use primitives::{Role, Seed, Stream, SubjectId};
use rand::Rng;
use siloscope_attacks::{
    Confidence, Membership, MembershipScore, Roc, RunScores, auc_difference, survival,
};
use statrs::distribution::{ContinuousCDF, Normal};
use std::collections::BTreeSet;

const NOMINAL: Confidence = Confidence::NINETY_FIVE;

fn generator(seed: u64) -> impl Rng {
    Seed::from_number(seed).stream(Stream::run(Role::Bootstrap))
}

fn scores(count: usize, mut draw: impl FnMut() -> f64) -> Vec<MembershipScore> {
    (0..count)
        .map(|_| MembershipScore::try_new(draw()).unwrap())
        .collect()
}

/// N(shift, spread²) for members against N(0, 1) for the others, in whole multiples of `grid` if it is not 0.
#[derive(Clone, Copy, Debug)]
struct Law {
    shift: f64,
    spread: f64,
    grid: f64,
}

impl Law {
    const fn new(shift: f64, spread: f64) -> Self {
        Self {
            shift,
            spread,
            grid: 0.0,
        }
    }

    fn draw(self, members: usize, others: usize, rng: &mut impl Rng) -> Roc {
        let Self {
            shift,
            spread,
            grid,
        } = self;
        let round = |value: f64| {
            if grid > 0.0 {
                (value / grid).floor() * grid
            } else {
                value
            }
        };
        let inside = scores(members, || round(shift + spread * gaussian(rng)));
        let outside = scores(others, || round(gaussian(rng)));
        Roc::try_new(&inside, &outside).unwrap()
    }

    /// The share of all members whom the laxest threshold catches that accuses at most `fpr` of all others.
    fn tpr_at_fpr(self, fpr: f64) -> f64 {
        let normal = Normal::standard();
        let mut threshold = normal.inverse_cdf(1.0 - fpr);
        if self.grid > 0.0 {
            threshold = (threshold / self.grid).ceil() * self.grid;
        }
        normal.cdf((self.shift - threshold) / self.spread)
    }
}

/// How many of the repeats hold.
fn hits(seed: u64, mut holds: impl FnMut(&mut dyn Rng) -> bool) -> u64 {
    let mut rng = generator(seed);
    (0..REPEATS).filter(|_| holds(&mut rng)).count() as u64
}

#[test]
fn the_interval_of_the_auc_covers_the_true_auc() {
    let normal = Normal::standard();
    for (truth, spread) in [
        (0.5, 1.0),
        (0.6, 1.0),
        (0.75, 1.0),
        (0.9, 1.0),
        (0.98, 1.0),
        (0.5, 2.0),
        (0.7, 2.0),
        (0.7, 0.5),
    ] {
        let law = Law::new(normal.inverse_cdf(truth) * 1.0_f64.hypot(spread), spread);
        for (members, others) in [(8, 8), (15, 15), (40, 20), (20, 40), (100, 100)] {
            let covered = hits(members as u64, |mut rng| {
                let roc = law.draw(members, others, &mut rng);
                roc.auc_interval(NOMINAL).contains(truth)
            });
            assert!(
                covered >= fewest(0.95),
                "AUC {truth}, spread {spread}, {members} + {others}: covered {covered}"
            );
        }
    }
}

#[test]
fn the_interval_of_a_rate_at_a_false_alarm_rate_covers_the_true_rate() {
    for law in [
        Law::new(0.0, 1.0),
        Law::new(1.0, 1.0),
        Law::new(2.5, 1.0),
        Law::new(1.0, 3.0),
        Law {
            grid: 0.25,
            ..Law::new(1.0, 1.0)
        },
    ] {
        for (fpr, members, others) in [(0.05, 60, 200), (0.05, 1000, 200), (0.01, 100, 1000)] {
            let truth = law.tpr_at_fpr(fpr);
            let covered = hits(members as u64, |mut rng| {
                let roc = law.draw(members, others, &mut rng);
                roc.tpr_at_fpr(fpr, NOMINAL).contains(truth)
            });
            assert!(
                covered >= fewest(0.95),
                "{law:?} at {fpr}, {members} + {others}: covered {covered}"
            );
        }
    }
}

#[test]
fn an_interval_that_takes_the_threshold_as_given_would_not() {
    // Why `tpr_at_fpr` allows for the threshold: many members against few others, where Clopper–Pearson at the
    // threshold found is far too narrow.
    let law = Law::new(1.0, 1.0);
    let truth = law.tpr_at_fpr(0.05);
    let covered = hits(1, |mut rng| {
        let roc = law.draw(1000, 200, &mut rng);
        let found = roc.tpr_at_fpr(0.05, NOMINAL).estimate;
        let caught = (1000.0 * found).round() as u64;
        siloscope_attacks::Interval::proportion(caught, 1000, NOMINAL).contains(truth)
    });
    assert!(covered < 700, "covered {covered}");
}

#[test]
fn the_interval_of_a_difference_of_aucs_covers_the_true_difference() {
    // Two attacks on the same subjects with correlated scores; the true AUCs are Φ(μ / √2). The percentile interval
    // covers a little less than it says: it is held to 93 %.
    let normal = Normal::standard();
    let auc = |shift: f64| normal.cdf(shift / 2_f64.sqrt());
    let ids: Vec<_> = (0..100).map(SubjectId).collect();
    let membership = Membership::try_new(ids[..50].to_vec(), ids[50..].to_vec()).unwrap();
    for (one, other) in [(1.0, 0.5), (0.5, 0.5), (2.0, 0.0)] {
        let truth = auc(one) - auc(other);
        let covered = hits(8, |mut rng| {
            let (mut a, mut b) = (Vec::new(), Vec::new());
            for id in 0..100 {
                let shared = 0.8 * gaussian(&mut rng);
                let member = f64::from(u8::from(id < 50));
                a.push(one * member + shared + 0.6 * gaussian(&mut rng));
                b.push(other * member + shared + 0.6 * gaussian(&mut rng));
            }
            let a = siloscope_attacks::scores(&ids, a).unwrap();
            let b = siloscope_attacks::scores(&ids, b).unwrap();
            auc_difference(&a, &b, &membership, NOMINAL, &mut rng)
                .unwrap()
                .contains(truth)
        });
        assert!(
            covered >= fewest(0.93),
            "{one} and {other}: covered {covered}"
        );
    }
}

#[test]
fn more_subjects_find_a_weak_signal_more_often() {
    // N(0.5, 1) against N(0, 1), AUC 0.638: how often each interval lies above chance.
    let law = Law::new(0.5, 1.0);
    let found = |count: usize| {
        let auc = hits(3, |mut rng| {
            let roc = law.draw(count, count, &mut rng);
            roc.auc_interval(NOMINAL).low > 0.5
        });
        let tpr = hits(4, |mut rng| {
            let roc = law.draw(2 * count, 2 * count, &mut rng);
            roc.tpr_at_fpr(0.05, NOMINAL).low > 0.05
        });
        (auc, tpr)
    };
    let (few, some, many) = (found(30), found(100), found(300));
    assert!(
        few.0 < some.0 && some.0 < many.0,
        "{few:?} {some:?} {many:?}"
    );
    assert!(
        few.1 < some.1 && some.1 < many.1,
        "{few:?} {some:?} {many:?}"
    );
    assert!(many.0 > 990, "{many:?}");
}

/// `runs` attacks on 1,000 subjects, each a member of every other run, with `gap` more if it is.
fn runs(runs: u32, gap: f64) -> RunScores {
    let ids: Vec<_> = (0..1000).map(SubjectId).collect();
    let mut rng = generator(u64::from(runs));
    let mut all = RunScores::default();
    for run in 0..runs {
        let is_member = |id: u32| (id + run).is_multiple_of(2);
        let values: Vec<f64> = (0..1000)
            .map(|id| gaussian(&mut rng) + if is_member(id) { gap } else { 0.0 })
            .collect();
        let members: BTreeSet<_> = ids.iter().copied().filter(|id| is_member(id.0)).collect();
        all.push(&siloscope_attacks::scores(&ids, values).unwrap(), &members);
    }
    all
}

#[test]
fn the_interval_of_one_subject_over_few_runs_covers_its_true_auc() {
    let normal = Normal::standard();
    for count in [8, 16, 32] {
        for gap in [0.0, 1.0, 2.0] {
            let truth = normal.cdf(gap / 2_f64.sqrt());
            let own = runs(count, gap).auc(NOMINAL);
            let covered = own.values().filter(|auc| auc.contains(truth)).count() as u64;
            assert!(
                covered >= fewest(0.95),
                "{count} runs, gap {gap}: covered {covered}"
            );
        }
    }
}

#[test]
fn the_survival_curve_of_the_null_is_that_of_chance_and_no_more() {
    // Nobody is exposed: of a subject's 16 scores any 8 are as likely to be those of the runs it was in, so that
    // its AUC exceeds a bound as often as the Mann–Whitney statistic of 8 and 8 does.
    let (inside, outside) = (8, 8);
    let law = mann_whitney(inside, outside);
    let curve = survival(&runs(16, 0.0).auc(NOMINAL));
    for auc in [0.55, 0.65, 0.75, 0.85, 0.95] {
        let wins = auc * (inside * outside) as f64;
        let chance: f64 = (0..law.len())
            .filter(|&u| u as f64 >= wins)
            .map(|u| law[u])
            .sum();
        let share = curve
            .iter()
            .find(|point| point.auc >= auc)
            .map_or(0.0, |point| point.share);
        let found = (share * f64::from(REPEATS)).round() as u64;
        assert!(
            (fewest(chance)..=most(chance)).contains(&found),
            "AUC {auc}: {found} of 1000, chance {chance}"
        );
    }
}

/// Chance of each number of pairs that `inside` scores win against `outside`, if all orders are equally likely.
///
/// The highest score is one inside, which wins against all outside, or one outside, which loses to all inside:
/// `N(i, j, u) = N(i - 1, j, u - j) + N(i, j - 1, u)` orders.
fn mann_whitney(inside: usize, outside: usize) -> Vec<f64> {
    let most = inside * outside;
    let mut orders = vec![vec![0.0; most + 1]; inside + 1];
    for row in &mut orders {
        row[0] = 1.0;
    }
    for j in 1..=outside {
        for i in 1..=inside {
            for u in j..=most {
                orders[i][u] += orders[i - 1][u - j];
            }
        }
    }
    let total: f64 = orders[inside].iter().sum();
    orders[inside].iter().map(|count| count / total).collect()
}
