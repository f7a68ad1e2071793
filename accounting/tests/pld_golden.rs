//! Values of the numerical accountant against published and independently computed ones.
//!
//! Unless a row says otherwise the reference is dp-accounting 0.6.0 (PLD, add or remove, grid 1e-4), whose
//! own discretisation makes it pessimistic by up to 2e-4. We must not be above it by more than 1e-3, and the
//! reference, being an upper bound itself, must not be below our lower bound.

#![allow(clippy::unwrap_used, reason = "tests panic on purpose")]

use siloscope_accounting::{
    Accountant, ClippedStep, Delta, DpEvent, Epsilon, Mechanism, MixtureOfGaussians,
    NeighboringRelation, NoiseMultiplier, PldAccountant, PrivacyUnit, SamplingRate,
};

fn z(value: f64) -> NoiseMultiplier {
    NoiseMultiplier::try_new(value).unwrap()
}

fn q(value: f64) -> SamplingRate {
    SamplingRate::try_new(value).unwrap()
}

fn subject(noise: f64, rate: f64, records: u32) -> DpEvent {
    DpEvent::MixtureOfGaussians(MixtureOfGaussians::binomial(q(rate), records, z(noise)))
}

fn composed(relation: NeighboringRelation, events: &[(DpEvent, u64)]) -> PldAccountant {
    let mut accountant = PldAccountant::new(relation);
    for (event, times) in events {
        accountant.compose(event, *times).unwrap();
    }
    accountant
}

fn bounds(events: &[(DpEvent, u64)], delta: f64) -> (f64, f64) {
    let accountant = composed(NeighboringRelation::AddOrRemoveOne, events);
    let (lower, upper) = accountant.epsilon_bounds(Delta::try_new(delta).unwrap());
    (lower.get(), upper.get())
}

/// `reference` is given to `digits` decimals.
fn check(events: &[(DpEvent, u64)], delta: f64, reference: f64, digits: i32) {
    let (lower, upper) = bounds(events, delta);
    let rounding = 0.5 * 10f64.powi(-digits);
    let wide = 6e-4 * upper.max(1.0);
    assert!(
        lower <= upper && upper - lower < wide,
        "{events:?}: [{lower}, {upper}]"
    );
    assert!(
        upper <= reference + 1e-3,
        "{events:?}: {upper} is too far above {reference}"
    );
    assert!(
        lower <= reference + rounding,
        "{events:?}: lower bound {lower} above {reference}"
    );
}

/// One step with a count beside its sum, z of the sum 1.25 and of the count 5/3, sampled at 0.1: δ by the trapezoidal
/// rule over the plane of sum and count (numpy, step 0.01, from -11 to 12), adding and removing.
#[test]
fn a_sum_with_a_count_against_quadrature_in_two_dimensions() {
    let adaptive = Mechanism::AdaptiveClip {
        step: ClippedStep::Record {
            sampling_rate: q(0.1),
        },
        gradient_noise: z(1.25),
        count_noise: z(5.0 / 3.0),
    };
    let event = adaptive.event(PrivacyUnit::Record, 1);
    let accountant = composed(NeighboringRelation::AddOrRemoveOne, &[(event, 1)]);
    for (epsilon, adding, removing) in [
        (0.1, 0.018_471_935_097_208_552, 7.526_757_580_858_987e-6),
        (0.5, 0.002_032_538_792_723_422, 0.0),
        (1.0, 0.000_207_121_552_202_119_5, 0.0),
    ] {
        let worse = f64::max(adding, removing);
        let delta = accountant.delta(Epsilon::try_new(epsilon).unwrap()).get();
        assert!(
            delta >= worse * (1.0 - 1e-6),
            "{epsilon}: {delta} < {worse}"
        );
        assert!(
            delta <= worse * (1.0 + 1e-2),
            "{epsilon}: {delta} > {worse}"
        );
    }
}

/// One-step δ of mixtures: root and normal distribution functions with 30 digits (mpmath).
#[test]
fn one_step() {
    for (records, rate, noise, deltas) in [
        (1, 0.1, 1.0, [0.038_292_5, 0.002_032_54, 0.000_207_121]),
        (2, 0.1, 1.0, [0.075_209_9, 0.014_528_9, 0.003_826_05]),
        (4, 0.1, 1.0, [0.145_151, 0.060_956_4, 0.028_331_0]),
        (10, 0.05, 3.0, [0.065_371_5, 0.001_600_59, 2.890_91e-5]),
    ] {
        let accountant = composed(
            NeighboringRelation::AddOrRemoveOne,
            &[(subject(noise, rate, records), 1)],
        );
        for (epsilon, reference) in [0.0, 0.5, 1.0].into_iter().zip(deltas) {
            let (lower, upper) = accountant.delta_bounds(Epsilon::try_new(epsilon).unwrap());
            let (lower, upper) = (lower.get(), upper.get());
            assert!(
                lower <= reference * (1.0 + 5e-6),
                "{records} {epsilon}: {lower} {reference}"
            );
            assert!(
                upper >= reference * (1.0 - 5e-6),
                "{records} {epsilon}: {upper} {reference}"
            );
            assert!(
                upper <= reference * 1.005,
                "{records} {epsilon}: {upper} {reference}"
            );
            assert!(
                lower >= reference * 0.995,
                "{records} {epsilon}: {lower} {reference}"
            );
        }
    }
}

/// DP-SGD as one record sees it; the brackets are prv-accountant 0.2.0 at error 0.01.
#[test]
fn records() {
    for (noise, rate, steps, dp_accounting, prv) in [
        (
            1.1,
            256.0 / 60000.0,
            14062,
            2.381_686_002_234_784,
            (2.371_46, 2.391_74),
        ),
        (
            0.8,
            0.01,
            10000,
            10.053_658_750_532_756,
            (10.043_14, 10.064_17),
        ),
        (2.0, 0.1, 1000, 8.279_293_381_666_799, (8.268_88, 8.289_70)),
        (
            0.6,
            0.001,
            50000,
            4.380_269_340_535_044,
            (4.369_78, 4.390_42),
        ),
        (1.0, 1.0, 100, 91.817_289_818_101_73, (91.805_04, 91.829_52)),
        (
            5.0,
            0.02,
            1000,
            0.450_015_940_413_691_14,
            (0.439_97, 0.460_04),
        ),
    ] {
        let events = [(DpEvent::sampled_gaussian(q(rate), z(noise)), steps)];
        check(&events, 1e-5, dp_accounting, 9);
        let (lower, upper) = bounds(&events, 1e-5);
        assert!(
            prv.0 <= lower && upper <= prv.1,
            "{noise}: [{lower}, {upper}] outside {prv:?}"
        );
    }
}

#[test]
fn subjects() {
    for (noise, rate, steps, delta, rows) in [
        (
            1.0,
            0.01,
            1000,
            1e-5,
            &[
                (1, 1.8282),
                (2, 3.9791),
                (3, 6.3429),
                (4, 8.8992),
                (5, 11.6380),
                (8, 20.8953),
                (16, 52.7140),
            ][..],
        ),
        (
            2.0,
            0.02,
            500,
            1e-5,
            &[
                (1, 0.9209),
                (2, 1.9849),
                (3, 3.1361),
                (4, 4.3638),
                (5, 5.6630),
                (8, 9.9658),
            ],
        ),
        (
            1.0,
            0.01,
            2000,
            1e-6,
            &[
                (1, 2.9553),
                (2, 6.4326),
                (4, 14.5350),
                (8, 34.8907),
                (16, 90.9012),
            ],
        ),
        (
            2.0,
            0.01,
            2000,
            1e-6,
            &[
                (1, 1.0350),
                (2, 2.2002),
                (4, 4.7684),
                (8, 10.7159),
                (16, 25.5981),
            ],
        ),
    ] {
        for &(records, reference) in rows {
            check(
                &[(subject(noise, rate, records), steps)],
                delta,
                reference,
                4,
            );
        }
    }
}

/// The same records of a subject in one silo or in several.
#[test]
fn splits_over_silos() {
    for (split, reference) in [
        (&[4][..], 4.3638),
        (&[3, 1], 3.3104),
        (&[2, 2], 2.8869),
        (&[1, 1, 1, 1], 1.9334),
        (&[8], 9.9658),
        (&[4, 4], 6.4451),
        (&[2, 2, 2, 2], 4.2444),
    ] {
        let events: Vec<_> = split
            .iter()
            .map(|&records| (subject(2.0, 0.02, records), 500))
            .collect();
        check(&events, 1e-5, reference, 4);
    }
}

/// Only the sum over silos is seen: the noise of all of them counts.
#[test]
fn secure_sum() {
    for (silos, records, reference) in [(4.0, 4, 1.8323), (4.0, 8, 4.0153), (10.0, 4, 1.0828)] {
        let noise = 2.0 * f64::sqrt(silos);
        check(&[(subject(noise, 0.02, records), 500)], 1e-5, reference, 4);
    }
}

/// One clipped mean a subject: it joins if any of its records does.
#[test]
fn averaged_gradient() {
    for (noise, rate, steps, records, reference) in [
        (2.0, 0.02, 500, 4, 4.1565),
        (1.0, 0.01, 1000, 4, 8.3473),
        (1.0, 0.01, 1000, 8, 18.3923),
    ] {
        let joins = 1.0 - f64::powi(1.0 - rate, records);
        check(
            &[(DpEvent::sampled_gaussian(q(joins), z(noise)), steps)],
            1e-5,
            reference,
            4,
        );
    }
}

/// Values that the tests of tensorflow_privacy and jax_privacy state.
#[test]
fn stated_by_libraries() {
    // n = 10,000, batch 64, noise 2, 5 epochs, microbatches halve the noise.
    let step = |noise: f64, records| subject(noise, 0.0064, records);
    let steps = 5 * 10_000 / 64;
    let (_, upper) = bounds(&[(step(1.0, 1), steps)], 1e-6);
    assert!((upper - 1.199).abs() < 2e-3, "{upper}");
    let (_, upper) = bounds(&[(step(1.0, 2), steps)], 1e-6);
    assert!((upper - 2.532).abs() < 3e-3, "{upper}");
    // noise 3, 512 steps, rate 0.1, δ 1e-6.
    let (_, upper) = bounds(&[(DpEvent::sampled_gaussian(q(0.1), z(3.0)), 512)], 1e-6);
    assert!((upper - 3.77).abs() < 6e-3, "{upper}");
    let (_, upper) = bounds(&[(DpEvent::sampled_gaussian(q(0.1), z(9.66)), 512)], 1e-6);
    assert!((upper - 1.0).abs() < 2e-3, "{upper}");
}

/// Plain Gaussians against the analytic formula (Balle and Wang 2018), computed with 50 digits.
#[test]
fn plain_gaussian() {
    for (noise, steps, delta, reference) in GAUSSIANS {
        let (lower, upper) = bounds(&[(DpEvent::gaussian(z(noise)), steps)], delta);
        let ulps = 1.0 + 1e-14;
        assert!(
            lower <= reference * ulps && reference <= upper * ulps,
            "{noise} {lower} {upper} {reference}"
        );
        assert!(
            (upper - reference).abs() < 1e-6 * reference.max(1.0),
            "{noise} {upper} {reference}"
        );
        assert!(
            (reference - lower).abs() < 1e-6 * reference.max(1.0),
            "{noise} {lower} {reference}"
        );
    }
}

const GAUSSIANS: [(f64, u64, f64, f64); 9] = [
    (1.0, 1, 1e-5, 4.377_178_095_681_225),
    (1.0, 100, 1e-5, 91.817_289_624_663_75),
    (0.05, 1, 1e-5, 284.391_849_497_742_45),
    (0.05, 10_000_000, 1e-15, 2_000_502_253.778_395_2),
    (4.0, 10, 1e-5, 3.341_409_469_239_345),
    (1e4, 10_000_000, 1e-15, 2.430_832_566_883_772_3),
    (100.0, 1, 1e-9, 0.048_866_393_015_703_27),
    (2.0, 1, 0.1, 0.286_496_101_756_825_9),
    (1e4, 1, 1e-15, 0.000_642_228_867_446_609_1),
];
