//! Audits of a Gaussian mechanism whose ε is known: bounds hold as often as they say, and grow with the canaries.
//!
//! Each bound is made at 95 % in 1,000 seeded repeats. A test fails beyond the most failures that a bound of exactly
//! that confidence has but for a chance of 1e-6 ([`common::most`]: 84 of 1,000).

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use accounting::Delta;
use common::{REPEATS, fewest, gaussian, most};
use primitives::{Role, Seed, Stream};
use rand::{Rng, RngExt};
use siloscope_attacks::audit::{
    Auditor, CanaryScores, Counts, Posterior, RatioBound, ThresholdChoice, gdp_epsilon,
};
use siloscope_attacks::{Confidence, MembershipScore};
use std::collections::BTreeMap;
use std::num::NonZeroU32;

fn delta() -> Delta {
    Delta::try_new(1e-5).unwrap()
}

/// `count` canaries, each in by a fair coin, scored by N(mu, 1) if in and N(0, 1) if out.
fn canaries(count: u32, mu: f64, rng: &mut impl Rng) -> CanaryScores {
    loop {
        let (mut inside, mut outside) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let side = if rng.random() {
                &mut inside
            } else {
                &mut outside
            };
            side.push(gaussian(rng));
        }
        let score = |value: f64| MembershipScore::try_new(value).unwrap();
        let inside = inside.into_iter().map(|value| score(value + mu)).collect();
        if let Ok(scores) = CanaryScores::try_new(inside, outside.into_iter().map(score).collect())
        {
            return scores;
        }
    }
}

/// How many of `repeats` bounds exceed the analytic ε, and their mean.
fn audit(
    auditor: Auditor,
    choice: ThresholdChoice,
    count: u32,
    mu: f64,
    repeats: u32,
) -> (u64, f64) {
    let truth = gdp_epsilon(mu, delta());
    let seed = Seed::from_number(u64::from(count)).child(Role::Canary, auditor as u64);
    let mut rng = seed.stream(Stream::run(Role::Canary));
    let (mut wrong, mut sum) = (0, 0.0);
    for _ in 0..repeats {
        let scores = canaries(count, mu, &mut rng);
        let found = auditor.audit(&scores, choice, delta(), Confidence::NINETY_FIVE, &mut rng);
        wrong += u64::from(found.epsilon > truth);
        sum += found.epsilon.get();
    }
    (wrong, sum / f64::from(repeats))
}

fn check(auditor: Auditor) {
    for mu in [0.0, 1.0, 2.0] {
        for (choice, count) in [
            (
                ThresholdChoice::Explicit {
                    threshold: MembershipScore::try_new(mu).unwrap(),
                },
                200,
            ),
            (ThresholdChoice::Bonferroni {}, 60),
            (ThresholdChoice::Split {}, 60),
        ] {
            let (wrong, _) = audit(auditor, choice, count, mu, REPEATS);
            assert!(
                wrong <= most(0.05),
                "{auditor:?} {choice:?} mu {mu}: wrong {wrong}"
            );
        }
    }
}

#[test]
fn clopper_pearson_bounds_hold() {
    check(Auditor::ClopperPearson);
}

#[test]
fn gaussian_bounds_hold() {
    check(Auditor::GaussianDp);
}

#[test]
fn one_run_bounds_hold() {
    check(Auditor::OneRun);
}

#[test]
fn one_run_bounds_against_a_gaussian_curve_hold() {
    check(Auditor::GaussianOneRun);
}

#[test]
fn many_splits_hold() {
    let choice = ThresholdChoice::MultiSplit {
        splits: NonZeroU32::new(5).unwrap(),
    };
    let (wrong, mean) = audit(Auditor::ClopperPearson, choice, 60, 2.0, REPEATS);
    assert!(wrong <= most(0.05), "wrong {wrong}");
    assert!(mean > 0.0);
}

#[test]
fn power_grows_with_the_canaries() {
    for auditor in [
        Auditor::ClopperPearson,
        Auditor::GaussianDp,
        Auditor::OneRun,
        Auditor::GaussianOneRun,
    ] {
        let mean = |count| audit(auditor, ThresholdChoice::Bonferroni {}, count, 2.0, 30).1;
        let means = [mean(50), mean(200), mean(1000)];
        assert!(
            means[0] < means[1] && means[1] < means[2],
            "{auditor:?}: {means:?}"
        );
    }
}

#[test]
fn missing_noise_is_caught() {
    // Claimed: noise for μ = 1. An auditor that may assume a Gaussian and independent scores sees noise that is
    // half of that; one run of 4,000 canaries sees a quarter.
    let claim = gdp_epsilon(1.0, delta());
    for (auditor, mu) in [(Auditor::GaussianDp, 2.0), (Auditor::GaussianOneRun, 4.0)] {
        let mut rng = Seed::from_number(6).stream(Stream::run(Role::Canary));
        let mut found = |mu| {
            let scores = canaries(4000, mu, &mut rng);
            let choice = ThresholdChoice::Bonferroni {};
            auditor.audit(&scores, choice, delta(), Confidence::NINETY_FIVE, &mut rng)
        };
        let faulty = found(mu);
        assert!(
            faulty.refutes(claim),
            "{faulty:?} against a claim of {claim}"
        );
        let honest = found(1.0);
        assert!(
            !honest.refutes(claim),
            "{honest:?} against a claim of {claim}"
        );
    }
}

/// The shares of right answers of randomised response at ε and δ = 0: tight for every one-threshold bound.
fn honest(epsilon: f64) -> f64 {
    1.0 / (1.0 + (-epsilon).exp())
}

/// Answers of randomised response at ε about `count` canaries, each in by a fair coin.
fn randomised_response(count: u32, epsilon: f64, rng: &mut impl Rng) -> Counts {
    let mut counts = Counts {
        true_positives: 0,
        false_positives: 0,
        true_negatives: 0,
        false_negatives: 0,
    };
    for _ in 0..count {
        let (inside, right) = (rng.random::<bool>(), rng.random_bool(honest(epsilon)));
        let side = match (inside, right) {
            (true, true) => &mut counts.true_positives,
            (true, false) => &mut counts.false_negatives,
            (false, true) => &mut counts.true_negatives,
            (false, false) => &mut counts.false_positives,
        };
        *side += 1;
    }
    counts
}

/// The answers as scores: 1 for "in" and 0 for "out".
fn as_scores(counts: &Counts) -> Option<CanaryScores> {
    let side = |called: u64, not: u64| {
        let score = |value| MembershipScore::try_new(value).unwrap();
        let mut scores = vec![score(1.0); called as usize];
        scores.resize((called + not) as usize, score(0.0));
        scores
    };
    CanaryScores::try_new(
        side(counts.true_positives, counts.false_negatives),
        side(counts.false_positives, counts.true_negatives),
    )
    .ok()
}

#[test]
fn bounds_and_intervals_hold_for_randomised_response() {
    let mut rng = Seed::from_number(5).stream(Stream::run(Role::Canary));
    let choice = ThresholdChoice::Explicit {
        threshold: MembershipScore::try_new(1.0).unwrap(),
    };
    for (count, epsilon) in [(40, 1.0), (400, 0.5), (400, 1.5), (400, 3.0)] {
        let (mut interval, mut ratio) = (0, 0);
        let mut wrong = [0; 2];
        for _ in 0..REPEATS {
            let counts = randomised_response(count, epsilon, &mut rng);
            let (low, high) = counts.epsilon_interval(Delta::ZERO, Confidence::NINETY_FIVE);
            interval += u64::from(low.get() <= epsilon && epsilon <= high.get());
            ratio += u64::from(RatioBound::ClopperPearson.of(&counts, 0.05).ln() <= epsilon);
            let Some(scores) = as_scores(&counts) else {
                continue;
            };
            for (wrong, auditor) in wrong
                .iter_mut()
                .zip([Auditor::ClopperPearson, Auditor::OneRun])
            {
                let confidence = Confidence::NINETY_FIVE;
                let found = auditor.audit(&scores, choice, Delta::ZERO, confidence, &mut rng);
                *wrong += u64::from(found.epsilon.get() > epsilon);
            }
        }
        let counts = (interval, ratio, wrong);
        assert!(interval >= fewest(0.95), "{count}, {epsilon}: {counts:?}");
        assert!(ratio >= fewest(0.95), "{count}, {epsilon}: {counts:?}");
        assert!(wrong[0] <= most(0.05), "{count}, {epsilon}: {counts:?}");
        assert!(wrong[1] <= most(0.05), "{count}, {epsilon}: {counts:?}");
        // One run loses nothing to a union bound, only to the steps of a binomial: it is not idle either.
        assert!(wrong[1] >= 5, "{count}, {epsilon}: {counts:?}");
    }
}

#[test]
fn approximate_ratio_bounds_hold_where_counts_are_large() {
    // TPR 0.8 of 300, FPR 0.2 of 300; asymptotic bounds, held to 93 % and labelled estimates.
    let mut rng = Seed::from_number(7).stream(Stream::run(Role::Canary));
    let bounds = [
        RatioBound::KatzLog,
        RatioBound::AdjustedLog,
        RatioBound::Bailey,
        RatioBound::InverseSinh,
    ];
    let mut covered = [0; 4];
    for _ in 0..REPEATS {
        let mut called = |chance: f64| (0..300).filter(|_| rng.random_bool(chance)).count() as u64;
        let (caught, accused) = (called(0.8), called(0.2));
        let counts = Counts {
            true_positives: caught,
            false_positives: accused,
            true_negatives: 300 - accused,
            false_negatives: 300 - caught,
        };
        for (covered, bound) in covered.iter_mut().zip(bounds) {
            *covered += u64::from(bound.of(&counts, 0.05) <= 4.0);
        }
    }
    for (covered, bound) in covered.into_iter().zip(bounds) {
        assert!(covered >= fewest(0.93), "{bound:?}: covered {covered}");
    }
}

#[test]
fn the_posterior_covers_as_often_as_it_says_on_average_over_its_prior() {
    // What a credible interval promises, and all that it promises: both rates drawn from the Jeffreys prior, ε what
    // they imply at δ = 0. Exact, so it is held from both sides. Twenty canaries a side: a posterior takes some
    // hundredths of a second, and most of the 441 outcomes come up again and again.
    const CANARIES: u64 = 20;
    let mut rng = Seed::from_number(11).stream(Stream::run(Role::Canary));
    let mut posteriors: BTreeMap<(u64, u64), Posterior> = BTreeMap::new();
    let mut covered = 0;
    for _ in 0..REPEATS {
        // Beta(1/2, 1/2) is the arcsine law.
        let mut rate = || {
            let angle = std::f64::consts::FRAC_PI_2 * rng.random::<f64>();
            angle.sin().powi(2)
        };
        let (fnr, fpr) = (rate(), rate());
        let mut wrong = |chance: f64| {
            let calls = (0..CANARIES).filter(|_| rng.random_bool(chance));
            calls.count() as u64
        };
        let (missed, accused) = (wrong(fnr), wrong(fpr));
        let counts = Counts {
            true_positives: CANARIES - missed,
            false_positives: accused,
            true_negatives: CANARIES - accused,
            false_negatives: missed,
        };
        // The least ε that admits the rates, from the four inequalities.
        let sides = [
            (fnr, fpr),
            (fpr, fnr),
            (1.0 - fnr, 1.0 - fpr),
            (1.0 - fpr, 1.0 - fnr),
        ];
        let implied = |(one, other): (f64, f64)| ((1.0 - one) / other).ln();
        let truth = sides.map(implied).into_iter().fold(0.0, f64::max);
        let found = posteriors
            .entry((missed, accused))
            .or_insert_with(|| Posterior::of(&counts, Delta::ZERO, Confidence::NINETY_FIVE));
        covered += u64::from(found.low.get() <= truth && truth <= found.high.get());
    }
    let expected = fewest(0.95)..=most(0.95);
    assert!(expected.contains(&covered), "covered {covered}");
}

#[test]
fn more_canaries_narrow_the_posterior_and_raise_the_bound() {
    let mean = |count: u32| {
        let mut rng = Seed::from_number(3).stream(Stream::run(Role::Canary));
        let (mut width, mut bound) = (0.0, 0.0);
        for _ in 0..12 {
            let counts = randomised_response(count, 1.5, &mut rng);
            let found = Posterior::of(&counts, Delta::ZERO, Confidence::NINETY_FIVE);
            width += found.high.get() - found.low.get();
            bound += counts
                .epsilon_interval(Delta::ZERO, Confidence::NINETY_FIVE)
                .0
                .get();
        }
        (width, bound)
    };
    let (few, some, many) = (mean(50), mean(200), mean(1000));
    assert!(
        few.0 > some.0 && some.0 > many.0,
        "{few:?} {some:?} {many:?}"
    );
    assert!(
        few.1 < some.1 && some.1 < many.1,
        "{few:?} {some:?} {many:?}"
    );
}
