//! What is clipped before gradients are summed.

use accounting::ClipNorm;
use serde::{Deserialize, Serialize};

/// What a step clips, and so what one unit can move its sum by.
///
/// | clipping | one record more or less moves the sum by at most | one subject |
/// |---|---|---|
/// | `Nothing` | no bound | no bound |
/// | `Records` | `C` | `C` a record |
/// | `RecordsInSubjectMeans` | `C` | `C` |
/// | `SubjectMeans` | `2C` | `C` |
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clipping {
    /// Plain sum of the records' gradients.
    Nothing,
    /// Each record's gradient.
    Records(ClipBound),
    /// Each record's gradient; then a subject's records are averaged (HiGradAvgDP of Marathe et al. 2022,
    /// arXiv 2206.03617) and the averages are summed.
    RecordsInSubjectMeans(ClipBound),
    /// A subject's records are averaged, and the average is clipped.
    SubjectMeans(ClipBound),
}

/// A bound `C` on the norm of a gradient, and how it is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipBound {
    /// `C`.
    pub norm: ClipNorm,
    /// How it is kept.
    pub style: ClipStyle,
}

/// How a gradient is brought below its bound `C`. The guarantee is the same for all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClipStyle {
    /// Longer ones are shortened to `C`.
    #[default]
    Flat,
    /// The part by each of `L` layers that learn is shortened to `C / √L`; a residual block is one layer.
    PerLayer,
    /// All are brought to nearly `C`: multiplied by `C / (norm + 0.01)` (Bu et al. 2022, arXiv 2206.07136).
    Automatic,
}

/// What happened in one clipped sum. Not protected: for the eyes of the simulation alone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClipReport {
    /// Records read.
    pub records: usize,
    /// Gradients that had a norm to bound: records, or subjects with [`Clipping::SubjectMeans`].
    pub units: usize,
    /// How many of them were longer than the clip norm.
    pub clipped: usize,
    /// `Σ (b − 1/2)`, `b` being 1 for a gradient within the clip norm and 0 for a longer one; where gradients are
    /// averaged over a subject, so are these. One unit of what is protected moves it by at most 1/2.
    pub balance: f64,
    /// Sum of the records' losses.
    pub loss: f64,
}

/// Norms come out of `f32` arithmetic that may leave them a little too small; clipping aims below `C` by this
/// part, so that no clipped gradient is longer than `C`. `2⁻¹⁷ ≈ 7.6e-6`, thirty times the largest error seen.
pub(crate) const ROUNDING_MARGIN: f64 = 1.0 / (1 << 17) as f64;

impl ClipBound {
    /// What a gradient of norm `norm`, a finite number, is multiplied with if it is one of `parts` that share the bound.
    pub fn factor(&self, norm: f64, parts: usize) -> f64 {
        let bound = self.norm.get() / (parts as f64).sqrt() * (1.0 - ROUNDING_MARGIN);
        match self.style {
            ClipStyle::Automatic => bound / (norm + 0.01),
            ClipStyle::Flat | ClipStyle::PerLayer if norm <= bound => 1.0,
            ClipStyle::Flat | ClipStyle::PerLayer => bound / norm,
        }
    }
}

impl From<ClipNorm> for ClipBound {
    /// The bound, kept flat.
    fn from(norm: ClipNorm) -> Self {
        Self {
            norm,
            style: ClipStyle::Flat,
        }
    }
}

impl ClipReport {
    /// Counts a gradient that was multiplied with `factor` to bring it within its bound, and counts `weight` times.
    pub(crate) fn count(&mut self, factor: f64, weight: f64) {
        let longer = factor < 1.0;
        self.clipped += usize::from(longer);
        self.balance += if longer { -weight } else { weight } / 2.0;
    }

    /// Counts another sum as well.
    pub fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.units += other.units;
        self.clipped += other.clipped;
        self.balance += other.balance;
        self.loss += other.loss;
    }
}

impl Clipping {
    /// The bound, if there is one.
    pub const fn bound(&self) -> Option<ClipBound> {
        match self {
            Self::Nothing => None,
            Self::Records(bound)
            | Self::RecordsInSubjectMeans(bound)
            | Self::SubjectMeans(bound) => Some(*bound),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_style_leaves_a_gradient_longer_than_its_bound() {
        let norm = ClipNorm::try_new(2.0).unwrap();
        let bound = |style| ClipBound { norm, style };
        for length in [0.0, 1e-9, 0.5, 1.999, 2.0, 8.0, 1e30] {
            for (style, parts) in [
                (ClipStyle::Flat, 1),
                (ClipStyle::PerLayer, 4),
                (ClipStyle::Automatic, 1),
            ] {
                let clipped = length * bound(style).factor(length, parts);
                assert!(
                    clipped < 2.0 / f64::from(parts as u32).sqrt(),
                    "{style:?} {length}"
                );
            }
        }
    }

    #[test]
    fn a_short_gradient_is_left_alone_and_a_long_one_is_no_shorter_than_needed() {
        let flat = ClipBound::from(ClipNorm::try_new(2.0).unwrap());
        assert!(flat.factor(0.0, 1) >= 1.0 && flat.factor(1.9, 1) >= 1.0);
        assert!((flat.factor(8.0, 1) * 8.0 - 2.0).abs() < 2e-5);
        assert!((flat.factor(8.0, 4) * 8.0 - 1.0).abs() < 2e-5);
    }
}
