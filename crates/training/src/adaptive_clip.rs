//! A clip norm that follows a quantile of the gradients' norms.
//!
//! A clip norm far below the gradients' norms throws signal away, one far above them adds noise for nothing, and the
//! norms shrink as training goes on. So every step also counts how many of what it clips were within the clip norm
//! `C`, adds noise to that count, and moves `C` towards the norm that the part `quantile` of them does not exceed:
//!
//! ```text
//! count  = Σ (b − 1/2) + N(0, (z_c / 2)²)        b = 1 if the norm is at most C, else 0; averaged where gradients are
//! share  = 1/2 + count / expected batch           kept within [0, 1]
//! C     ←  C · exp(−learning_rate · (share − quantile))
//! ```
//!
//! `C` follows from noised numbers alone. Sum and count together cost what one sum of the stated noise multiplier `z`
//! would: [`accounting::mechanism`] has the derivation. `count_share` says which part of that loss the count takes.
//!
//! Source: Andrew, Thakkar, McMahan, Ramaswamy 2021 (arXiv 1905.03871), with the count's noise in proportion to `z`, so
//! that it can be calibrated with it, and the share kept within its range.

use accounting::{ClipNorm, InvalidParameter, NoiseMultiplier};
use serde::{Deserialize, Serialize};

/// How far a clip norm may move from where it began, as a factor.
const FURTHEST: f64 = 1e6;

/// How a clip norm adapts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Table", into = "Table")]
pub struct AdaptiveClip {
    initial: ClipNorm,
    quantile: f64,
    learning_rate: f64,
    count_share: f64,
}

/// Settings that cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum AdaptiveClipError {
    /// No clip norm to begin with.
    #[error(transparent)]
    Initial(#[from] InvalidParameter),
    /// Outside `(0, 1)`.
    #[error(
        "quantile = {0} is outside (0, 1): it is the part of the gradients that the clip norm should leave alone, e.g. 0.5"
    )]
    Quantile(f64),
    /// Not a positive number.
    #[error(
        "learning_rate = {0} of the clip norm: a number above 0 and at most 1 is needed, e.g. 0.2"
    )]
    LearningRate(f64),
    /// Outside `(0, 1)`.
    #[error(
        "count_share = {0} is outside (0, 1): it is the part of the privacy loss that counting takes, e.g. 0.02"
    )]
    CountShare(f64),
}

impl AdaptiveClip {
    /// A clip norm that begins at `initial`.
    ///
    /// # Errors
    /// If a setting is outside its range.
    pub fn try_new(
        initial: ClipNorm,
        quantile: f64,
        learning_rate: f64,
        count_share: f64,
    ) -> Result<Self, AdaptiveClipError> {
        let inside = |value: f64| value > 0.0 && value < 1.0;
        if !inside(quantile) {
            return Err(AdaptiveClipError::Quantile(quantile));
        }
        if !(learning_rate > 0.0 && learning_rate <= 1.0) {
            return Err(AdaptiveClipError::LearningRate(learning_rate));
        }
        if !inside(count_share) {
            return Err(AdaptiveClipError::CountShare(count_share));
        }
        Ok(Self {
            initial,
            quantile,
            learning_rate,
            count_share,
        })
    }

    /// What the first step clips to.
    pub const fn initial(&self) -> ClipNorm {
        self.initial
    }

    /// The part of the gradients that should be within the clip norm.
    pub const fn quantile(&self) -> f64 {
        self.quantile
    }

    /// The noise multipliers of the sum (÷ `C`) and of the count (÷ 1/2) that together cost as much as `z`.
    pub fn noises(&self, z: NoiseMultiplier) -> (NoiseMultiplier, NoiseMultiplier) {
        accounting::split_noise(z, self.count_share)
    }

    /// How fast the clip norm follows.
    pub(crate) const fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// The least and the most that the clip norm may become.
    pub(crate) const fn range(&self) -> (f64, f64) {
        let initial = self.initial.get();
        (initial / FURTHEST, initial * FURTHEST)
    }

    /// The clip norm after a step that clipped to `norm` and found this share within it, noise included.
    pub fn next(&self, norm: ClipNorm, share: f64) -> ClipNorm {
        let off = share.clamp(0.0, 1.0) - self.quantile;
        let next = norm.get() * (-self.learning_rate * off).exp();
        let (least, most) = self.range();
        ClipNorm::try_new(next.clamp(least, most)).unwrap_or(norm)
    }

    /// The clip norm that `steps` steps from `from` on led to, where single precision computed them and came to `to`: as far
    /// as they can lead, since a coordinator takes what is further for a silo that does not keep to the plan. None if `to`
    /// is no clip norm.
    pub(crate) fn reached(&self, from: ClipNorm, to: f64, steps: u32) -> Option<ClipNorm> {
        let furthest = self.largest_change(steps).exp();
        let to = to.clamp(from.get() / furthest, from.get() * furthest);
        let (least, most) = self.range();
        ClipNorm::try_new(to.clamp(least, most)).ok()
    }

    /// The most that `steps` steps can change of the clip norm's logarithm.
    pub fn largest_change(&self, steps: u32) -> f64 {
        self.learning_rate * self.quantile.max(1.0 - self.quantile) * f64::from(steps)
    }
}

/// The table as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    initial: f64,
    #[serde(default = "quantile")]
    quantile: f64,
    #[serde(default = "learning_rate")]
    learning_rate: f64,
    #[serde(default = "count_share")]
    count_share: f64,
}

const fn quantile() -> f64 {
    0.5
}

const fn learning_rate() -> f64 {
    0.2
}

const fn count_share() -> f64 {
    0.02
}

impl TryFrom<Table> for AdaptiveClip {
    type Error = AdaptiveClipError;

    fn try_from(table: Table) -> Result<Self, AdaptiveClipError> {
        let initial = ClipNorm::try_new(table.initial)?;
        Self::try_new(
            initial,
            table.quantile,
            table.learning_rate,
            table.count_share,
        )
    }
}

impl From<AdaptiveClip> for Table {
    fn from(adaptive: AdaptiveClip) -> Self {
        Self {
            initial: adaptive.initial.get(),
            quantile: adaptive.quantile,
            learning_rate: adaptive.learning_rate,
            count_share: adaptive.count_share,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn norm(value: f64) -> ClipNorm {
        ClipNorm::try_new(value).unwrap()
    }

    fn adaptive(quantile: f64) -> AdaptiveClip {
        AdaptiveClip::try_new(norm(1.0), quantile, 0.2, 0.02).unwrap()
    }

    /// Norms spread evenly over [0, 4]: the clip norm that leaves the part γ alone is 4γ.
    #[test]
    fn the_clip_norm_finds_its_quantile() {
        for quantile in [0.1, 0.5, 0.8] {
            let adaptive = adaptive(quantile);
            let mut at = adaptive.initial();
            for _ in 0..500 {
                at = adaptive.next(at, at.get() / 4.0);
            }
            assert!((at.get() - 4.0 * quantile).abs() < 1e-3, "{quantile} {at}");
        }
    }

    /// Opacus 1.6.0, AdaClipDPOptimizer.update_max_grad_norm in single precision: clip norm 1.5, 12 of 20 unclipped and
    /// no noise on that, target 0.5, rate 0.2.
    #[test]
    fn a_step_agrees_with_opacus() {
        let next = adaptive(0.5).next(norm(1.5), 12.0 / 20.0).get();
        assert!((next - 1.470_298_051_8).abs() < 1e-7, "{next}");
    }

    #[test]
    fn no_share_leads_anywhere_that_is_no_clip_norm() {
        let adaptive = adaptive(0.5);
        for share in [f64::NEG_INFINITY, -7.0, 0.3, 9.0, f64::INFINITY, f64::NAN] {
            let mut at = adaptive.initial();
            for _ in 0..1000 {
                let next = adaptive.next(at, share);
                let change = (next.get() / at.get()).ln().abs();
                assert!(
                    change <= adaptive.largest_change(1) + 1e-12,
                    "{share} {at} {next}"
                );
                at = next;
            }
            assert!((1e-6..=1e6).contains(&at.get()), "{share} {at}");
        }
    }

    #[test]
    fn single_precision_leads_no_further_than_the_steps() {
        let adaptive = adaptive(0.3);
        let from = norm(0.7);
        let change = |to: f64| (adaptive.reached(from, to, 3).unwrap().get() / 0.7).ln();
        let largest = adaptive.largest_change(3);
        assert!((change(0.8) - (0.8_f64 / 0.7).ln()).abs() < 1e-12);
        for (to, expected) in [(2.0, largest), (0.1, -largest), (0.0, -largest)] {
            assert!((change(to) - expected).abs() < 1e-12, "{to}");
        }
        assert_eq!(adaptive.reached(from, f64::NAN, 3), None);
    }

    #[test]
    fn what_makes_no_sense_is_refused_at_its_key() {
        for (q, rate, share, word) in [
            (0.0, 0.2, 0.02, "quantile"),
            (1.0, 0.2, 0.02, "quantile"),
            (0.5, 0.0, 0.02, "learning_rate"),
            (0.5, f64::NAN, 0.02, "learning_rate"),
            (0.5, 0.2, 0.0, "count_share"),
            (0.5, 0.2, 1.0, "count_share"),
        ] {
            let error = AdaptiveClip::try_new(norm(1.0), q, rate, share).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
