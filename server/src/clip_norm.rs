//! A clip norm that silos adapt and the coordinator carries from round to round.
//!
//! Each silo begins a round with the same clip norm, moves it step by step by its own noised counts, and tells where it
//! ended. The next round begins at the geometric mean of those. All of it is computed from noised counts, and no
//! mechanism's loss depends on the clip norm, so whatever a coordinator hands out, nobody's loss grows.

use accounting::ClipNorm;

/// Where a clip norm that adapts begins, and how far a silo may move it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipNormLaw {
    /// What the first round begins with.
    pub initial: ClipNorm,
    /// How much of its logarithm one silo's steps in one round can change at most.
    pub largest_change: f64,
}

impl ClipNormLaw {
    /// Whether a silo that began a round with `from` can have ended at `to`.
    pub(crate) fn allows(&self, from: ClipNorm, to: ClipNorm) -> bool {
        let change = (to.get() / from.get()).ln().abs();
        change <= self.largest_change * (1.0 + 1e-9) + 1e-9
    }
}

/// The geometric mean of `norms`, summed in the order given; none if there are none.
pub(crate) fn mean(norms: impl IntoIterator<Item = ClipNorm>) -> Option<ClipNorm> {
    let (mut sum, mut count) = (0.0, 0.0);
    for norm in norms {
        sum += norm.get().ln();
        count += 1.0;
    }
    ClipNorm::try_new((sum / count).exp()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn norm(value: f64) -> ClipNorm {
        ClipNorm::try_new(value).unwrap()
    }

    #[test]
    fn the_mean_is_geometric() {
        let mean_of = |norms: &[f64]| mean(norms.iter().map(|&value| norm(value)));
        assert!((mean_of(&[0.5, 8.0]).unwrap().get() - 2.0).abs() < 1e-12);
        assert_eq!(mean_of(&[]), None);
    }

    #[test]
    fn no_silo_moves_it_further_than_its_steps_allow() {
        let law = ClipNormLaw {
            initial: norm(1.0),
            largest_change: 0.5,
        };
        assert!(law.allows(norm(2.0), norm(2.0 * 0.5_f64.exp())));
        assert!(law.allows(norm(2.0), norm(2.0 * (-0.5_f64).exp())));
        assert!(!law.allows(norm(2.0), norm(4.0)));
        assert!(!law.allows(norm(2.0), norm(f64::MIN_POSITIVE)));
        assert!(!law.allows(norm(2.0), norm(f64::MAX)));
    }
}
