//! What must hold for every event, rate and noise, and what must hold at the far ends.

#![allow(clippy::unwrap_used, reason = "tests panic on purpose")]

use proptest::prelude::*;
use siloscope_accounting::{
    Accountant, Delta, DpEvent, Epsilon, MixtureOfGaussians, NeighboringRelation, NoiseMultiplier,
    RdpAccountant, SamplingRate,
};

fn z(value: f64) -> NoiseMultiplier {
    NoiseMultiplier::try_new(value).unwrap()
}

fn q(value: f64) -> SamplingRate {
    SamplingRate::try_new(value).unwrap()
}

fn mixture(rate: f64, records: u32, noise: f64) -> DpEvent {
    DpEvent::MixtureOfGaussians(MixtureOfGaussians::binomial(q(rate), records, z(noise)))
}

fn cost(events: &[(DpEvent, u64)], delta: f64) -> f64 {
    let mut accountant = RdpAccountant::new(NeighboringRelation::AddOrRemoveOne);
    for (event, times) in events {
        accountant.compose(event, *times).unwrap();
    }
    accountant.epsilon(Delta::try_new(delta).unwrap()).get()
}

/// Rounding upwards may lift a value that should be equal by this much.
const ROUNDING: f64 = 1e-9;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn less_noise_more_records_higher_rates_and_smaller_deltas_never_cost_less(
        rate in 1e-4..0.5_f64,
        noise in 0.5..8.0_f64,
        records in 1..12_u32,
        steps in 1..2000_u64,
        ln_delta in -25.0..-3.0_f64,
    ) {
        let delta = ln_delta.exp();
        let base = cost(&[(mixture(rate, records, noise), steps)], delta);
        let at_least = |other: f64| other >= base * (1.0 - ROUNDING);
        prop_assert!(at_least(cost(&[(mixture(rate, records, noise * 0.9), steps)], delta)));
        prop_assert!(at_least(cost(&[(mixture(rate, records + 1, noise), steps)], delta)));
        prop_assert!(at_least(cost(&[(mixture(rate * 1.1, records, noise), steps)], delta)));
        prop_assert!(at_least(cost(&[(mixture(rate, records, noise), steps + 1)], delta)));
        prop_assert!(at_least(cost(&[(mixture(rate, records, noise), steps)], delta * 0.9)));
    }

    #[test]
    fn order_and_nesting_do_not_matter(rate in 1e-4..1.0_f64, noise in 0.5..8.0_f64, times in 1..50_u64) {
        let (a, b) = (DpEvent::sampled_gaussian(q(rate), z(noise)), mixture(rate, 3, noise));
        let c = DpEvent::Laplace { noise_multiplier: z(noise) };
        let forwards = cost(&[(a.clone(), times), (b.clone(), 1), (c.clone(), 2)], 1e-6);
        let backwards = cost(&[(c.clone(), 2), (b.clone(), 1), (a.clone(), times)], 1e-6);
        let nested = DpEvent::Composed(vec![b, DpEvent::Composed(vec![c.repeated(2), a.repeated(times)])]);
        let nested = cost(&[(nested, 1)], 1e-6);
        prop_assert!((forwards / backwards - 1.0).abs() < ROUNDING);
        prop_assert!((forwards / nested - 1.0).abs() < ROUNDING);
    }

    #[test]
    fn the_two_questions_agree(rate in 1e-3..0.5_f64, noise in 0.6..5.0_f64, steps in 1..500_u64) {
        let mut accountant = RdpAccountant::new(NeighboringRelation::AddOrRemoveOne);
        accountant.compose(&mixture(rate, 2, noise), steps).unwrap();
        let asked = Delta::try_new(1e-6).unwrap();
        let epsilon = accountant.epsilon(asked);
        let back = accountant.delta(epsilon).get();
        prop_assert!(back <= 1e-6 * (1.0 + 1e-6), "{epsilon}: {back}");
        prop_assert!(accountant.epsilon(Delta::try_new(back.max(1e-300)).unwrap()).get() >= epsilon.get() * (1.0 - 1e-6));
    }

    #[test]
    fn sampling_always_is_no_sampling(noise in 0.3..20.0_f64, steps in 1..100_u64, records in 1..9_u32) {
        let plain = cost(&[(DpEvent::gaussian(z(noise)), steps)], 1e-5);
        let sampled = cost(&[(DpEvent::sampled_gaussian(q(1.0), z(noise)), steps)], 1e-5);
        prop_assert!((plain / sampled - 1.0).abs() < ROUNDING);
        let group = cost(&[(mixture(1.0, records, noise * f64::from(records)), steps)], 1e-5);
        prop_assert!((plain / group - 1.0).abs() < ROUNDING);
        // Nearly always is nearly no sampling, and never costs more.
        let nearly = cost(&[(DpEvent::sampled_gaussian(q(1.0 - 1e-9), z(noise)), steps)], 1e-5);
        prop_assert!(nearly <= plain * (1.0 + ROUNDING) && nearly >= plain * 0.999);
    }

    /// One record in a mixture is the sampled Gaussian: closed sums against quadrature at whole orders.
    #[test]
    fn quadrature_is_the_twin_of_the_closed_sum(rate in 1e-6..0.9_f64, noise in 0.3..30.0_f64, steps in 1..10_000_u64) {
        let closed = cost(&[(DpEvent::sampled_gaussian(q(rate), z(noise)), steps)], 1e-7);
        let integrated = cost(&[(mixture(rate, 1, noise), steps)], 1e-7);
        let close = (closed / integrated - 1.0).abs() < 1e-7 || closed.max(integrated) < 1e-9;
        // What hardly differs from one drowns in the rounding of an integral, which then errs towards more loss.
        let drowned = closed < 0.05;
        prop_assert!(close || drowned && integrated > closed, "{closed} {integrated}");
    }

    /// A replacement costs at least as much as a removal and at most as much as without sampling.
    #[test]
    fn replacements_lie_between(rate in 1e-3..0.9_f64, noise in 0.6..10.0_f64, steps in 1..200_u64) {
        let replaced = DpEvent::SampledReplacement { sampling_rate: q(rate), noise_multiplier: z(noise) };
        let replaced = cost(&[(replaced, steps)], 1e-6);
        let removed = cost(&[(DpEvent::sampled_gaussian(q(rate), z(noise)), steps)], 1e-6);
        let unsampled = cost(&[(DpEvent::gaussian(z(noise / 2.0)), steps)], 1e-6);
        prop_assert!(replaced >= removed * (1.0 - ROUNDING) && replaced <= unsampled * (1.0 + ROUNDING));
    }
}

/// Finite and sound, or infinite; never NaN, never a hang.
#[test]
fn the_far_ends_are_answered() {
    for noise in [0.0, 0.05, 0.2, 1.0, 100.0, 1e4] {
        for rate in [1e-7, 1e-3, 0.5, 1.0 - 1e-12, 1.0] {
            for records in [1, 7, 300] {
                let mut accountant = RdpAccountant::new(NeighboringRelation::AddOrRemoveOne);
                accountant
                    .compose(&mixture(rate, records, noise), 1)
                    .unwrap();
                for steps in [1, 10_000_000 - 1, u64::MAX] {
                    accountant
                        .compose(&mixture(rate, records, noise), steps)
                        .unwrap();
                    let mut last = f64::INFINITY;
                    for delta in [0.0, 1e-300, 1e-15, 1e-5, 0.5, 1.0] {
                        let epsilon = accountant.epsilon(Delta::try_new(delta).unwrap()).get();
                        assert!(
                            epsilon <= last,
                            "{noise} {rate} {records} {steps} {delta}: {epsilon}"
                        );
                        last = epsilon;
                    }
                    let back = accountant.delta(Epsilon::try_new(1.0).unwrap()).get();
                    assert!((0.0..=1.0).contains(&back));
                }
            }
        }
    }
}

/// Without sampling the exact δ of a Gaussian is known, and no accountant may promise less:
/// `δ(ε) = Φ(1/(2z) - ε z) - e^ε Φ(-1/(2z) - ε z)` (Balle and Wang 2018, arXiv 1805.06530, Theorem 8).
#[test]
fn never_below_the_exact_gaussian() {
    let phi = |x: f64| 0.5 * statrs::function::erf::erfc(-x / std::f64::consts::SQRT_2);
    for noise in [0.3, 1.0, 3.0, 10.0] {
        for steps in [1_u32, 10, 1000] {
            let one = noise / f64::from(steps).sqrt();
            let mut accountant = RdpAccountant::new(NeighboringRelation::AddOrRemoveOne);
            accountant
                .compose(&DpEvent::gaussian(z(noise)), u64::from(steps))
                .unwrap();
            for delta in [1e-2, 1e-5, 1e-9] {
                let epsilon = accountant.epsilon(Delta::try_new(delta).unwrap()).get();
                let exact = phi(0.5 / one - epsilon * one)
                    - epsilon.exp() * phi(-0.5 / one - epsilon * one);
                assert!(
                    epsilon > 300.0 || exact <= delta,
                    "{noise} {steps} {delta}: {epsilon} {exact}"
                );
            }
        }
    }
}
