//! Silo noise: the coordinator clips each silo's whole update and adds noise to their sum.

use super::{Aggregate, AggregateError, Aggregator, CentralCanaries};
use accounting::{ClipNorm, Mechanism, NoiseMultiplier};
use primitives::{ModelVector, Role, Round, Seed, SiloId, Stream, normal};
use protocol::SiloUpdate;
use std::collections::BTreeSet;

/// `(Σ clip(Δᵢ, C) + N(0, (zC)² I)) / n`, with `clip(Δ, C) = Δ · min(1, C / ‖Δ‖₂)` and `n` the cohort's
/// size as planned, a constant: never the number of updates that came.
///
/// One silo more or less moves the sum by at most `C` in L2. A silo that gives no update counts as
/// zero and gains nothing by it. Every silo counts alike, since a weight would move that bound.
///
/// The bound holds for the numbers that are added, not only on paper: clipping aims below `C` by more
/// than rounding can move, and the sum becomes `f32` only after noise was added.
///
/// Source: McMahan et al. 2018 (arXiv 1710.06963), with a fixed denominator.
#[derive(Clone, Debug)]
pub struct ClippedNoisedSum {
    clip_norm: ClipNorm,
    noise_multiplier: NoiseMultiplier,
    cohort_size: usize,
    seed: Seed,
    canaries: Option<CentralCanaries>,
}

impl ClippedNoisedSum {
    /// Clips to `clip_norm`, adds noise of deviation `noise_multiplier · clip_norm` drawn from the
    /// streams of `seed` for [`Role::CentralNoise`], and divides by `cohort_size`.
    ///
    /// # Panics
    /// If `cohort_size` is zero.
    pub fn new(
        clip_norm: ClipNorm,
        noise_multiplier: NoiseMultiplier,
        cohort_size: usize,
        seed: Seed,
    ) -> Self {
        assert!(cohort_size > 0, "a cohort has at least one silo");
        Self {
            clip_norm,
            noise_multiplier,
            cohort_size,
            seed,
            canaries: None,
        }
    }

    /// The same aggregator with an auditor's canaries beside every cohort; they do not change what is divided by.
    #[must_use]
    pub fn with_canaries(mut self, canaries: CentralCanaries) -> Self {
        self.canaries = Some(canaries);
        self
    }
}

impl Aggregator for ClippedNoisedSum {
    fn begin(&self, round: Round, parameters: usize) -> Box<dyn Aggregate> {
        Box::new(ClippedSum {
            how: self.clone(),
            round,
            sum: vec![0.0; parameters],
            cohort: BTreeSet::new(),
        })
    }

    fn mechanism(&self) -> Option<Mechanism> {
        Some(Mechanism::SiloNoise {
            noise_multiplier: self.noise_multiplier,
        })
    }
}

/// The clipped sum so far, before its noise.
#[derive(Debug)]
struct ClippedSum {
    how: ClippedNoisedSum,
    round: Round,
    sum: Vec<f64>,
    cohort: BTreeSet<SiloId>,
}

impl Aggregate for ClippedSum {
    fn add(&mut self, update: &SiloUpdate) {
        self.cohort.insert(update.silo);
        let factor = clip_factor(update.delta.l2_norm(), self.how.clip_norm);
        for (total, &delta) in self.sum.iter_mut().zip(update.delta.as_slice()) {
            *total += factor * f64::from(delta);
        }
    }

    fn finish(&mut self) -> Result<ModelVector, AggregateError> {
        if self.cohort.is_empty() {
            return Err(AggregateError::Empty);
        }
        let (how, round, cohort) = (&self.how, self.round, &self.cohort);
        let before = how
            .canaries
            .as_ref()
            .map(|canaries| canaries.push(round, how.clip_norm, cohort, &mut self.sum));
        let sum = &self.sum;
        let mut noise = vec![0.0_f64; sum.len()];
        let stream = Stream {
            role: Role::CentralNoise,
            silo: SiloId(0),
            round: self.round,
        };
        normal::fill(&mut how.seed.stream(stream), &mut noise);
        let deviation = how.noise_multiplier.get() * how.clip_norm.get();
        let count = how.cohort_size as f64;
        if let (Some(canaries), Some(before)) = (&how.canaries, before) {
            let noised = |at: usize| sum[at] + deviation * noise[at];
            canaries.read(self.round, how.clip_norm, &before, noised);
        }
        let noised = sum
            .iter()
            .zip(&noise)
            .map(|(sum, noise)| sum + deviation * noise);
        Ok(noised
            .map(|sum| (sum / count) as f32)
            .collect::<Vec<_>>()
            .into())
    }
}

/// What an update of length `norm` is multiplied with so that no rounding leaves it longer than `clip`.
///
/// A sum of `n` squares in `f64` is off by at most `n · 2⁻⁵³` of itself, `1e-7` for a billion
/// parameters; the factor aims below the bound by more than that. An update without a finite norm
/// does not join.
pub(super) fn clip_factor(norm: f64, clip: ClipNorm) -> f64 {
    let bound = clip.get() * (1.0 - 1e-6);
    if norm <= bound {
        1.0
    } else if norm.is_finite() {
        bound / norm
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::updates;
    use super::*;
    use proptest::prelude::*;

    fn aggregator(clip: f64, z: f64, cohort_size: usize) -> ClippedNoisedSum {
        let clip = ClipNorm::try_new(clip).unwrap();
        let z = NoiseMultiplier::try_new(z).unwrap();
        ClippedNoisedSum::new(clip, z, cohort_size, Seed::from_number(5))
    }

    #[test]
    fn the_denominator_is_the_planned_cohort() {
        let updates = updates(&[(&[1.0, 2.0], 1.0), (&[3.0, -2.0], 1.0)]);
        let mean = aggregator(100.0, 0.0, 4).aggregate(Round(1), &updates);
        assert_eq!(mean, Ok(vec![1.0, 0.0].into()));
    }

    #[test]
    fn weights_do_not_count() {
        let light = updates(&[(&[1.0], 1.0), (&[3.0], 1.0)]);
        let heavy = updates(&[(&[1.0], 900.0), (&[3.0], 1.0)]);
        let aggregator = aggregator(1.0, 1.0, 2);
        assert_eq!(
            aggregator.aggregate(Round(1), &light),
            aggregator.aggregate(Round(1), &heavy)
        );
    }

    /// The noise of 40 000 parameters has the deviation that the ledger is told: `zC / n`. Its mean
    /// square has deviation `√(2/40000)` of itself; 4.9 deviations are exceeded with chance 1e-6.
    #[test]
    fn the_noise_is_what_the_ledger_says() {
        let zeros = vec![0.0; 40_000];
        let aggregator = aggregator(2.0, 1.5, 3);
        let noise = aggregator
            .aggregate(Round(7), &updates(&[(&zeros, 1.0)]))
            .unwrap();
        let square = noise.l2_norm().powi(2) / 40_000.0;
        assert!(
            (square - 1.0).abs() < 4.9 * (2.0_f64 / 40_000.0).sqrt(),
            "{square}"
        );
        let again = aggregator
            .aggregate(Round(7), &updates(&[(&zeros, 1.0)]))
            .unwrap();
        let other = aggregator
            .aggregate(Round(8), &updates(&[(&zeros, 1.0)]))
            .unwrap();
        assert_eq!(noise, again);
        assert_ne!(noise, other);
        let noise_multiplier = NoiseMultiplier::try_new(1.5).unwrap();
        assert_eq!(
            aggregator.mechanism(),
            Some(Mechanism::SiloNoise { noise_multiplier })
        );
    }

    #[test]
    fn a_canary_pushes_by_the_clip_norm_and_its_reading_is_the_push_and_the_noise() {
        use crate::{CentralCanaries, CentralCanary, Push};
        let canary = |coordinate, silos, push| CentralCanary {
            coordinate,
            silos: (0..silos).map(SiloId).collect(),
            push,
        };
        let canaries = CentralCanaries {
            canaries: vec![
                canary(1, 1, Push::Forth),
                canary(2, 3, Push::Back),
                canary(3, 1, Push::None),
            ],
            probe: primitives::Probe::default(),
        };
        let zeros = [0.0; 4];
        let real = updates(&[(&[0.3, -0.4, 0.1, 0.2], 1.0), (&zeros, 1.0)]);
        for round in [Round(2), Round(3)] {
            let quiet = aggregator(2.0, 0.0, 1).with_canaries(canaries.clone());
            let sum = quiet.aggregate(round, &real).unwrap();
            let sign = if round == Round(2) { 1.0 } else { -1.0 };
            // Of the three silos of the second canary two take part.
            let expected = [0.3, -0.4 + sign * 2.0, 0.1 - sign * 4.0, 0.2];
            for (found, expected) in sum.as_slice().iter().zip(expected) {
                assert!((found - expected).abs() < 2e-5, "{sum:?}");
            }
            let readings = canaries.probe.take(round).remove(&None).unwrap();
            for (found, expected) in readings.iter().zip([1.0, -2.0, 0.0]) {
                assert!((found - expected).abs() < 2e-5, "{readings:?}");
            }
        }
        let noisy = aggregator(2.0, 1.5, 1);
        let plain = noisy.aggregate(Round(2), &real).unwrap();
        noisy
            .with_canaries(canaries.clone())
            .aggregate(Round(2), &real)
            .unwrap();
        let readings = canaries.probe.take(Round(2)).remove(&None).unwrap();
        let noise = f64::from(plain.as_slice()[3]) - 0.2;
        assert!((f64::from(readings[2]) - noise / 2.0).abs() < 1e-6);
    }

    proptest! {
        /// One silo more moves the sum by at most `C`, however long its update is.
        #[test]
        fn a_silo_moves_the_sum_by_at_most_the_clip_norm(
            first in prop::collection::vec(-1e3f32..1e3, 8),
            second in prop::collection::vec(-1e20f32..1e20, 8),
            clip in 1e-3f64..1e3,
        ) {
            let aggregator = aggregator(clip, 0.0, 1);
            let without = aggregator.aggregate(Round(1), &updates(&[(&first, 1.0)])).unwrap();
            let with = updates(&[(&first, 1.0), (&second, 1.0)]);
            let with = aggregator.aggregate(Round(1), &with).unwrap();
            let moved = with.as_slice().iter().zip(without.as_slice());
            let moved: f64 = moved.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
            // What is measured here was rounded to `f32`, which the sum itself is not.
            prop_assert!(moved.sqrt() <= clip * (1.0 + 1e-5));
        }
    }
}
