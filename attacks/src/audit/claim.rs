//! Testing a whole privacy curve, not one point of it.
//!
//! A ledger promises more than one (ε, δ): it promises `δ(ε)` for every ε. Each pair bounds the error rates of every
//! test between "in" and "out", and where a test errs about equally on both sides, which is where few canaries tell
//! most, it is the pairs with a large δ that bind. So a claim is refuted if the Clopper–Pearson limits of both rates
//! break any of its pairs: all pairs are judged by the same two limits, and looking at more of them costs nothing.
//!
//! The limits need scores that are independent of each other. Crafted canaries have such scores if the mechanism is
//! what the ledger says: their directions are orthogonal, the noise is isotropic and fresh, and what the others add is
//! known and taken out. A correct run is therefore refuted with a chance of at most `α`, whatever was trained.
//!
//! [`least_private`] inverts the test over a family of claims, the ledger's own with its noise scaled: the claims that
//! are not refuted reach up to some strength of noise, and the ε of that strength is a lower bound if the mechanism is
//! the ledger's but for the strength of its noise. For a Gaussian mechanism this is the audit of Nasr et al. 2023
//! (arXiv 2302.07956); for sub-sampled and composed ones it uses their own curves.

use super::choice::CanaryScores;
use super::counts::Counts;
use super::{Auditor, EmpiricalEpsilon};
use crate::interval::{Confidence, proportion_upper_limit};
use crate::score::MembershipScore;
use accounting::{Delta, Epsilon};

/// A promise: δ for some ε, each pair holding at the same time.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim(Vec<(Epsilon, Delta)>);

impl Claim {
    /// A claim of these pairs.
    pub const fn new(pairs: Vec<(Epsilon, Delta)>) -> Self {
        Self(pairs)
    }

    /// The claim that keeps the weaker promise at every ε: `other` has pairs for the same ε.
    #[must_use]
    pub fn weaker(&self, other: &Self) -> Self {
        let pairs = self.0.iter().zip(&other.0);
        Self(
            pairs
                .map(|(&(epsilon, a), &(_, b))| (epsilon, if a >= b { a } else { b }))
                .collect(),
        )
    }

    /// Whether `scores` refute the claim at significance `alpha`: at any of `thresholds`, which were laid down before
    /// a score was seen, each at its share of `alpha`.
    pub fn is_refuted(
        &self,
        scores: &CanaryScores,
        thresholds: &[MembershipScore],
        alpha: f64,
    ) -> bool {
        let share = alpha / thresholds.len() as f64;
        thresholds
            .iter()
            .any(|&threshold| self.is_broken_by(&scores.counts(threshold), share))
    }

    fn is_broken_by(&self, counts: &Counts, alpha: f64) -> bool {
        let fnr = proportion_upper_limit(counts.false_negatives, counts.inside(), alpha / 2.0);
        let fpr = proportion_upper_limit(counts.false_positives, counts.outside(), alpha / 2.0);
        self.0.iter().any(|&(epsilon, delta)| {
            let grow = epsilon.get().exp();
            let broken = |one: f64, other: f64| 1.0 - one - grow * other > delta.get();
            broken(fnr, fpr) || broken(fpr, fnr)
        })
    }
}

/// Thresholds for scores that are log-likelihood ratios, laid down by the promised ε alone.
pub fn laid_thresholds(promised: Epsilon) -> Vec<MembershipScore> {
    let scale = promised.get().clamp(0.1, 20.0);
    [-0.25, 0.0, 0.25, 0.5]
        .into_iter()
        .filter_map(|part| MembershipScore::try_new(part * scale).ok())
        .collect()
}

/// The noise, relative to the ledger's, up to which a ledger's claim is not refuted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NoiseAtMost {
    /// At most so many times what the ledger says: below 1 the ledger is refuted.
    Times(f64),
    /// The scores do not bound it within the search.
    Unbounded,
}

/// The search's ends: an eighth and eight times the ledger's noise.
const WIDEST: f64 = 8.0;
/// Halvings of the logarithmic range: the bound is found within 4 %.
const HALVINGS: u32 = 6;

/// The most noise that `scores` leave possible at significance `alpha`. `claim_at(s)` is the claim of the ledger with
/// its noise multiplied by `s`; if it has none, that much noise counts as not refuted.
pub fn least_private(
    scores: &CanaryScores,
    thresholds: &[MembershipScore],
    alpha: f64,
    mut claim_at: impl FnMut(f64) -> Option<Claim>,
) -> NoiseAtMost {
    let mut refuted = |scale: f64| {
        claim_at(scale).is_some_and(|claim| claim.is_refuted(scores, thresholds, alpha))
    };
    // The ledger itself is on the grid: whether it is refuted does not hang on the search.
    let (mut low, mut high) = if refuted(1.0) {
        (1.0 / WIDEST, 1.0)
    } else {
        (1.0, WIDEST)
    };
    if high > 1.0 && !refuted(high) {
        return NoiseAtMost::Unbounded;
    }
    for _ in 0..HALVINGS {
        let middle = (low * high).sqrt();
        if refuted(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    NoiseAtMost::Times(high)
}

impl Auditor {
    /// Audits `scores` at thresholds that were laid down before a score was seen, each at its share of `α`.
    pub fn audit_at(
        self,
        scores: &CanaryScores,
        thresholds: &[MembershipScore],
        delta: Delta,
        confidence: Confidence,
    ) -> EmpiricalEpsilon {
        let share = confidence.alpha() / thresholds.len() as f64;
        let evidence = thresholds.iter().fold(0.0, |best, &threshold| {
            self.evidence(&scores.counts(threshold), delta.get(), share, best)
                .max(best)
        });
        EmpiricalEpsilon {
            auditor: self,
            nature: self.nature(),
            epsilon: self.epsilon(evidence, delta),
            delta,
            confidence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::gaussian::gdp_delta;
    use super::*;
    use crate::interval::standard_normal;
    use primitives::{Role, Seed, Stream};
    use rand::RngExt;
    use statrs::distribution::ContinuousCDF;

    /// What a `mu`-GDP mechanism promises.
    fn gaussian(mu: f64) -> Claim {
        let pairs = (0..16).map(|i| {
            let epsilon = f64::from(i) * 0.3;
            let delta = gdp_delta(mu, epsilon);
            (Epsilon::from_computed(epsilon), Delta::from_computed(delta))
        });
        Claim::new(pairs.collect())
    }

    /// `count` log-likelihood ratios of N(mu, 1) against N(0, 1) a side, from draws with the separation `truth`.
    fn scores(count: u32, mu: f64, truth: f64, seed: u64) -> CanaryScores {
        let mut rng = Seed::from_number(seed).stream(Stream::run(Role::Canary));
        let mut draw = |shift: f64| {
            let uniform: f64 = rng.random_range(f64::MIN_POSITIVE..1.0);
            let x = shift + standard_normal().inverse_cdf(uniform);
            MembershipScore::try_new(mu * x - mu * mu / 2.0).unwrap()
        };
        let inside = (0..count).map(|_| draw(truth)).collect();
        let outside = (0..count).map(|_| draw(0.0)).collect();
        CanaryScores::try_new(inside, outside).unwrap()
    }

    #[test]
    fn a_true_claim_is_refuted_no_oftener_than_stated() {
        // 400 seeded repeats at α = 0.05: 40 or more refusals have a chance below 1e-4 (binomial).
        let thresholds = laid_thresholds(Epsilon::from_computed(4.0));
        let refuted = |truth: f64| {
            let one =
                |seed| gaussian(1.0).is_refuted(&scores(100, 1.0, truth, seed), &thresholds, 0.05);
            (0..400).filter(|&seed| one(seed)).count()
        };
        assert!(refuted(1.0) < 40, "{}", refuted(1.0));
        assert!(
            refuted(2.0) > 350,
            "half the noise must be seen: {}",
            refuted(2.0)
        );
    }

    #[test]
    fn the_noise_is_bounded_near_the_truth() {
        let thresholds = laid_thresholds(Epsilon::from_computed(4.0));
        for (truth, low, high) in [(1.0, 1.0, 1.35), (2.0, 0.5, 0.7)] {
            let scores = scores(2000, 1.0, truth, 9);
            let claim_at = |scale: f64| Some(gaussian(1.0 / scale));
            let NoiseAtMost::Times(found) = least_private(&scores, &thresholds, 0.01, claim_at)
            else {
                panic!("{truth}: unbounded")
            };
            assert!(found > low && found < high, "{truth}: {found}");
        }
        let indistinct = scores(20, 1.0, 0.0, 4);
        let claim_at = |scale: f64| Some(gaussian(1.0 / scale));
        assert_eq!(
            least_private(&indistinct, &thresholds, 0.01, claim_at),
            NoiseAtMost::Unbounded
        );
    }

    #[test]
    fn the_weaker_claim_is_refuted_last() {
        let scores = scores(500, 1.0, 1.5, 1);
        let thresholds = laid_thresholds(Epsilon::from_computed(4.0));
        let (strong, weak) = (gaussian(0.7), gaussian(1.6));
        assert!(strong.is_refuted(&scores, &thresholds, 0.05));
        assert!(!weak.is_refuted(&scores, &thresholds, 0.05));
        assert_eq!(strong.weaker(&weak), weak);
        assert_eq!(weak.weaker(&strong), weak);
    }
}
