//! Silo noise: the coordinator clips each silo's whole update and adds noise to their sum.

use super::{Aggregate, AggregateError, Aggregator};
use accounting::{ClipNorm, Mechanism, NoiseMultiplier};
use primitives::{ModelVector, Role, Round, Seed, SiloId, Stream, normal};
use protocol::SiloUpdate;

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
        }
    }
}

impl Aggregator for ClippedNoisedSum {
    fn begin(&self, round: Round, parameters: usize) -> Box<dyn Aggregate> {
        Box::new(ClippedSum {
            how: self.clone(),
            round,
            sum: vec![0.0; parameters],
            updates: 0,
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
    updates: usize,
}

impl Aggregate for ClippedSum {
    fn add(&mut self, update: &SiloUpdate) {
        self.updates += 1;
        let factor = clip_factor(&update.delta, self.how.clip_norm);
        for (total, &delta) in self.sum.iter_mut().zip(update.delta.as_slice()) {
            *total += factor * f64::from(delta);
        }
    }

    fn finish(&mut self) -> Result<ModelVector, AggregateError> {
        let (how, sum) = (&self.how, &self.sum);
        if self.updates == 0 {
            return Err(AggregateError::Empty);
        }
        let mut noise = vec![0.0_f64; sum.len()];
        let stream = Stream {
            role: Role::CentralNoise,
            silo: SiloId(0),
            round: self.round,
        };
        normal::fill(&mut how.seed.stream(stream), &mut noise);
        let deviation = how.noise_multiplier.get() * how.clip_norm.get();
        let count = how.cohort_size as f64;
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

/// What `delta` is multiplied with so that no rounding leaves it longer than `clip`.
///
/// A sum of `n` squares in `f64` is off by at most `n · 2⁻⁵³` of itself, `1e-7` for a billion
/// parameters; the factor aims below the bound by more than that. An update without a finite norm
/// does not join.
fn clip_factor(delta: &ModelVector, clip: ClipNorm) -> f64 {
    let norm = delta.l2_norm();
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
