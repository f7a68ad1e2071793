//! Clipping the units of all replicas on the device.

use super::arithmetic::Arithmetic;
use super::gradient::Gradient;
use crate::clipping::ROUNDING_MARGIN;
use crate::{Architecture, ClipStyle, LayerSpec};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// What clips: the bound of each replica, and how it is kept.
#[derive(Clone, Debug)]
pub(super) struct Clip<B: Backend> {
    /// `C`. Shape: `[replicas, 1]`.
    pub(super) norms: Tensor<B, 2>,
    pub(super) style: ClipStyle,
}

/// Clipped gradients of a part of every replica's batch, and what happened to them.
pub(super) struct ClippedSum<B: Backend> {
    /// Shape: `[replicas, parameters]`.
    pub(super) sum: Tensor<B, 2>,
    /// How many gradients were longer than their bound, and the balance of [`crate::ClipReport`]. Shape:
    /// `[replicas, 2]`. None if nothing clips.
    pub(super) counts: Option<Tensor<B, 2>>,
}

/// Where the parameters end that are clipped together, part by part: each layer that learns, or the whole model.
pub(super) fn part_ends(architecture: &Architecture, style: Option<ClipStyle>) -> Vec<usize> {
    if style != Some(ClipStyle::PerLayer) {
        return vec![architecture.parameters()];
    }
    let sizes = architecture.layers().iter().map(LayerSpec::parameters);
    let ends = sizes.filter(|&size| size > 0).scan(0, |end, size| {
        *end += size;
        Some(*end)
    });
    ends.collect()
}

/// Clips every unit's gradient and sums them. `after`: what each counts then, zero where there is no unit; shape:
/// `[replicas, units]`.
///
/// A norm that is not finite leaves a factor that is no number, and what is no number stays so to the end of the round,
/// where it is found.
pub(super) fn clipped_sum<B: Arithmetic>(
    gradients: Vec<Gradient<B>>,
    after: &Tensor<B, 2>,
    clip: Option<&Clip<B>>,
    part_ends: &[usize],
) -> ClippedSum<B> {
    let [replicas, units] = after.dims();
    let mut gradients = gradients.into_iter().peekable();
    let (mut sums, mut counts) = (Vec::new(), None);
    for &end in part_ends {
        let within = |gradient: &Gradient<B>| gradient.end() <= end;
        let mine: Vec<_> = std::iter::from_fn(|| gradients.next_if(within)).collect();
        let mut factors = after.clone();
        if let Some(clip) = clip {
            let squared = mine.iter().map(Gradient::squared_norms);
            let Some(squared) = squared.reduce(|total, more| total + more) else {
                continue;
            };
            let norms = squared.clamp_min(0.0).sqrt().reshape([replicas, units]);
            let factor = clip.factors(norms, part_ends.len());
            let counted = count(&factor, after);
            counts = Some(match counts {
                Some(counts) => counts + counted,
                None => counted,
            });
            factors = factors * factor;
        }
        sums.extend(
            mine.into_iter()
                .map(|gradient| gradient.weighted_sum(factors.clone())),
        );
    }
    ClippedSum {
        sum: Tensor::cat(sums, 1),
        counts,
    }
}

impl<B: Backend> Clip<B> {
    /// What gradients are multiplied with that share the bound among `parts`: [`crate::ClipBound::factor`].
    fn factors(&self, norms: Tensor<B, 2>, parts: usize) -> Tensor<B, 2> {
        let share = (1.0 - ROUNDING_MARGIN) / (parts as f64).sqrt();
        let bounds = self.norms.clone() * share;
        // Zero, unless the norm is infinite.
        let finite = norms.clone() * 0.0;
        let factors = match self.style {
            ClipStyle::Automatic => bounds / (norms + 0.01),
            // The least norm only keeps the quotient finite.
            ClipStyle::Flat | ClipStyle::PerLayer => {
                (bounds / norms.clamp_min(1e-30)).clamp_max(1.0)
            }
        };
        factors + finite
    }
}

/// Longer gradients, and the balance. Shape: `[replicas, 2]`.
fn count<B: Backend>(factors: &Tensor<B, 2>, after: &Tensor<B, 2>) -> Tensor<B, 2> {
    let longer = factors.clone().lower_elem(1.0).float();
    let there = after.clone().greater_elem(0.0).float();
    let balance = after.clone() * (longer.clone() * -1.0 + 0.5);
    Tensor::cat(vec![(longer * there).sum_dim(1), balance.sum_dim(1)], 1)
}
