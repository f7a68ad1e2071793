//! From attack scores to a lower bound on ε.
//!
//! Canaries (planted subjects, or ordinary ones whose inclusion was flipped) were in the training data or not;
//! an attack gave each a score. If "in" and "out" can be told apart better than (ε, δ)-DP allows, the mechanism
//! does not satisfy it. Each [`Auditor`] turns the counts at one threshold into the largest ε that is refuted:
//!
//! | auditor | needs | the number is |
//! |---|---|---|
//! | [`Auditor::ClopperPearson`] | scores that are independent: one canary a run, or one run a canary | a bound |
//! | [`Auditor::GaussianDp`] | the same | a bound if the mechanism is Gaussian |
//! | [`Auditor::OneRun`] | one run, each canary in by its own fair coin | a bound |
//! | [`Auditor::GaussianOneRun`] | the same | a bound if the mechanism is Gaussian |
//! | [`Claim`], [`least_private`] | the same | a bound if the mechanism is the ledger's but for its noise's strength |
//! | [`HeldOut`] | independent runs with and without one subject | the scores that the first needs |
//! | [`Posterior`] | as the first | an estimate |
//! | [`RatioBound`] | as the first | an estimate, but for Clopper–Pearson |
//! | [`one_shot_estimate`] | canary directions in the update | an estimate |
//!
//! A threshold that was chosen on the scores it is judged by has to pay for the choice ([`ThresholdChoice`]).
//! jax_privacy divides α by the number of thresholds on the convex hull; but the hull is chosen on the same
//! data, so here the thresholds are laid down beforehand, by rank. jax_privacy's Gaussian auditor also takes the
//! absolute value of a negative μ, which turns two loose limits into a large ε; here a negative μ refutes
//! nothing.
//!
//! The right-hand side of the comparison is the accountant's upper bound for the same unit and δ: a bound that
//! crosses it at the stated confidence is a bug, in the code, in the accounting or in the canaries' coins.

mod choice;
mod claim;
mod config;
mod counts;
mod f_one_run;
mod gaussian;
mod gdp;
mod held_out;
mod law;
mod noise;
mod one_run;
mod one_shot;
mod posterior;
mod ratio;

pub use choice::{CanaryScores, ThresholdChoice};
pub use claim::{Claim, NoiseAtMost, laid_thresholds, least_private};
pub use config::AuditConfig;
pub use counts::Counts;
pub use gaussian::gdp_epsilon;
pub use held_out::HeldOut;
pub use law::CanaryLaw;
pub use noise::{NoiseCheck, NoiseCheckKind, NoiseReadings};
pub use one_shot::{OneShotError, one_shot_estimate};
pub use posterior::Posterior;
pub use ratio::RatioBound;

use crate::interval::Confidence;
use accounting::{Delta, Epsilon};
use rand::Rng;
use serde::{Deserialize, Serialize};

/// How counts of right and wrong calls become an ε.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auditor {
    /// Clopper–Pearson limits of both error rates (Jagielski et al., arXiv 2006.07709).
    ClopperPearson,
    /// The μ of a Gaussian mechanism from the same limits (Nasr et al., arXiv 2302.07956).
    GaussianDp,
    /// Right guesses in one run (Steinke et al., arXiv 2305.08846).
    OneRun,
    /// Right guesses in one run against a Gaussian's curve (Mahloujifar et al., arXiv 2410.22235).
    GaussianOneRun,
}

/// What a number called ε really is. Shown wherever the number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nature {
    /// ε is at least this, at the stated confidence, whatever the mechanism.
    LowerBound,
    /// ε is at least this, at the stated confidence, if the mechanism's trade-off curve is a Gaussian's.
    GaussianLowerBound,
    /// A plausible value.
    Estimate,
}

/// An ε that was measured rather than promised.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmpiricalEpsilon {
    /// How it was found.
    pub auditor: Auditor,
    /// What kind of number it is.
    pub nature: Nature,
    /// The number, in nats.
    pub epsilon: Epsilon,
    /// The δ it belongs to.
    pub delta: Delta,
    /// How often a bound so made holds.
    pub confidence: Confidence,
}

impl Auditor {
    /// What kind of number the auditor gives.
    pub const fn nature(self) -> Nature {
        match self {
            Self::ClopperPearson | Self::OneRun => Nature::LowerBound,
            Self::GaussianDp | Self::GaussianOneRun => Nature::GaussianLowerBound,
        }
    }

    /// Audits `scores`, with the threshold chosen as `choice` says.
    ///
    /// `rng` is drawn from only by choices that split.
    pub fn audit(
        self,
        scores: &CanaryScores,
        choice: ThresholdChoice,
        delta: Delta,
        confidence: Confidence,
        rng: &mut impl Rng,
    ) -> EmpiricalEpsilon {
        let evidence = choice.evidence(self, scores, delta.get(), confidence.alpha(), rng);
        let epsilon = self.epsilon(evidence, delta);
        EmpiricalEpsilon {
            auditor: self,
            nature: self.nature(),
            epsilon,
            delta,
            confidence,
        }
    }

    /// How much `counts`, at a threshold fixed beforehand, refute at significance `alpha`: at least `floor`, and
    /// on the auditor's own scale, which is ε or, for [`Self::GaussianDp`], μ.
    fn evidence(self, counts: &Counts, delta: f64, alpha: f64, floor: f64) -> f64 {
        let canaries = counts.inside() + counts.outside();
        let guesses = counts.true_positives + counts.false_positives;
        let right = counts.true_positives;
        match self {
            Self::ClopperPearson => counts.lower_bound(delta, alpha, floor),
            Self::GaussianDp => gdp::lower_bound(counts, alpha).max(floor),
            Self::OneRun => one_run::lower_bound(canaries, guesses, right, delta, alpha, floor),
            Self::GaussianOneRun => {
                f_one_run::lower_bound(canaries, guesses, right, delta, alpha, floor)
            }
        }
    }

    /// ε on the auditor's own scale to ε.
    fn epsilon(self, evidence: f64, delta: Delta) -> Epsilon {
        match self {
            Self::GaussianDp => gdp_epsilon(evidence, delta),
            _ => epsilon(evidence),
        }
    }
}

impl EmpiricalEpsilon {
    /// Whether the measurement contradicts a promise of `claim` at the same δ, neighbours and unit: a bug, at
    /// the stated confidence.
    pub fn refutes(&self, claim: Epsilon) -> bool {
        self.nature != Nature::Estimate && self.epsilon > claim
    }
}

/// An ε that was computed, and so is no less than zero.
fn epsilon(value: f64) -> Epsilon {
    Epsilon::try_new(value.max(0.0)).expect("zero or more is an epsilon")
}
