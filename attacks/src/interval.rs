//! An estimate and how far it may be off.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};
use statrs::function::beta::{beta_reg, inv_beta_reg};

/// A two-sided confidence interval round an estimate: `low <= estimate <= high`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// The estimate.
    pub estimate: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// How often an interval must cover the truth, strictly between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Confidence(f64);

/// A confidence outside (0, 1).
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "confidence {0} is outside (0, 1): it is how often an interval covers the truth, e.g. 0.95"
)]
pub struct ConfidenceError(f64);

impl Confidence {
    /// 95 %: the confidence of every interval of an attack report.
    pub const NINETY_FIVE: Self = Self(0.95);

    /// 99.99 %: for checks that run unasked.
    pub const NINETY_NINE_NINETY_NINE: Self = Self(0.9999);

    /// A confidence.
    ///
    /// # Errors
    /// If it is not strictly between 0 and 1.
    pub fn try_new(value: f64) -> Result<Self, ConfidenceError> {
        if value > 0.0 && value < 1.0 {
            Ok(Self(value))
        } else {
            Err(ConfidenceError(value))
        }
    }

    /// The number itself.
    pub const fn value(self) -> f64 {
        self.0
    }

    /// How often a bound or interval may fail: `α = 1 − confidence`.
    pub fn alpha(self) -> f64 {
        1.0 - self.0
    }

    /// The confidence of each of `count` statements that hold together at this one (Bonferroni).
    pub(crate) fn shared_by(self, count: usize) -> Self {
        Self(1.0 - self.alpha() / count.max(1) as f64)
    }

    /// The normal quantile that leaves `α / 2` above it, e.g. 1.96 for 95 %.
    pub(crate) fn two_sided_z(self) -> f64 {
        standard_normal().inverse_cdf(1.0 - self.alpha() / 2.0)
    }
}

/// The standard normal distribution.
pub(crate) fn standard_normal() -> Normal {
    Normal::standard()
}

impl Interval {
    /// Clopper–Pearson interval of a proportion: covers at least as often as `confidence` says for every true
    /// proportion and every number of trials.
    ///
    /// The estimate of no trials is ½ with the interval [0, 1].
    ///
    /// Source: Clopper, Pearson 1934, Biometrika 26.
    pub fn proportion(successes: u64, trials: u64, confidence: Confidence) -> Self {
        let tail = confidence.alpha() / 2.0;
        Self {
            estimate: if trials == 0 {
                0.5
            } else {
                successes as f64 / trials as f64
            },
            low: proportion_lower_limit(successes, trials, tail),
            high: proportion_upper_limit(successes, trials, tail),
        }
    }

    /// Whether the interval covers `value`.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// One-sided Clopper–Pearson upper limit: at least as large as the true proportion except with chance `alpha`.
///
/// `BetaInv(1 − α; k + 1, n − k)`, and 1 if `k = n`.
///
/// # Panics
/// If there are more successes than trials, or `alpha` is outside (0, 1).
pub fn proportion_upper_limit(successes: u64, trials: u64, alpha: f64) -> f64 {
    assert!(
        successes <= trials,
        "{successes} successes in {trials} trials"
    );
    assert!(
        alpha > 0.0 && alpha < 1.0,
        "the chance {alpha} of failing is outside (0, 1)"
    );
    if successes == trials {
        return 1.0;
    }
    beta_quantile(
        successes as f64 + 1.0,
        (trials - successes) as f64,
        1.0 - alpha,
    )
}

/// One-sided Clopper–Pearson lower limit: at most as large as the true proportion except with chance `alpha`.
///
/// # Panics
/// If there are more successes than trials, or `alpha` is outside (0, 1).
pub fn proportion_lower_limit(successes: u64, trials: u64, alpha: f64) -> f64 {
    assert!(
        successes <= trials,
        "{successes} successes in {trials} trials"
    );
    assert!(
        alpha > 0.0 && alpha < 1.0,
        "the chance {alpha} of failing is outside (0, 1)"
    );
    if successes == 0 {
        return 0.0;
    }
    beta_quantile(successes as f64, (trials - successes) as f64 + 1.0, alpha)
}

/// Quantile of the Beta distribution: statrs's starting point, then bisection to the last bit.
///
/// `inv_beta_reg` alone clamps its start and stops early for very small quantiles, which would make a limit of
/// an audit too tight.
pub(crate) fn beta_quantile(a: f64, b: f64, p: f64) -> f64 {
    let start = inv_beta_reg(a, b, p);
    let (mut low, mut high) = (0.0, 1.0);
    // Bracket closely if the start is good, so that few steps remain.
    for width in [1e-12, 1e-8, 1e-4] {
        let (below, above) = (
            start * (1.0 - width),
            start + (1.0 - start).min(start) * width,
        );
        if beta_reg(a, b, below) <= p && p <= beta_reg(a, b, above) {
            (low, high) = (below, above);
            break;
        }
    }
    for _ in 0..1100 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if beta_reg(a, b, middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

impl TryFrom<f64> for Confidence {
    type Error = ConfidenceError;

    fn try_from(value: f64) -> Result<Self, ConfidenceError> {
        Self::try_new(value)
    }
}

impl From<Confidence> for f64 {
    fn from(confidence: Confidence) -> Self {
        confidence.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_agree_with_closed_forms() {
        // No success in n trials: 1 − α^(1/n); all successes: α^(1/n).
        for n in [1, 10, 1000, 1_000_000] {
            let alpha: f64 = 0.025;
            let root = alpha.powf(1.0 / n as f64);
            let upper = proportion_upper_limit(0, n, alpha);
            assert!((upper / (1.0 - root) - 1.0).abs() < 1e-9, "{n}: {upper}");
            assert!((proportion_lower_limit(n, n, alpha) / root - 1.0).abs() < 1e-12);
        }
        // scipy.stats.beta.ppf(0.025, 10, 91) and (0.975, 11, 90).
        let interval = Interval::proportion(10, 100, Confidence::NINETY_FIVE);
        assert!((interval.low - 0.049_004_689).abs() < 1e-8, "{interval:?}");
        assert!((interval.high - 0.176_222_597).abs() < 1e-8, "{interval:?}");
    }

    #[test]
    fn quantile_inverts_the_distribution_far_into_the_tails() {
        for (a, b) in [
            (0.5, 0.5),
            (0.5, 500.5),
            (1.0, 9999.0),
            (513.0, 1.5),
            (10_000.0, 10_000.0),
        ] {
            for p in [1e-9, 1e-4, 0.025, 0.5, 0.975, 1.0 - 1e-6] {
                let x = beta_quantile(a, b, p);
                assert!(
                    (beta_reg(a, b, x) - p).abs() < 1e-9 * p.max(1e-3),
                    "{a} {b} {p}: {x}"
                );
            }
        }
    }

    #[test]
    fn a_proportion_is_covered_at_least_as_often_as_promised() {
        // Exact: sums the binomial over the outcomes whose interval covers the truth.
        use statrs::distribution::{Binomial, Discrete};
        for n in [5, 40] {
            let intervals: Vec<_> = (0..=n)
                .map(|k| Interval::proportion(k, n, Confidence::NINETY_FIVE))
                .collect();
            for step in 1..100 {
                let truth = f64::from(step) / 100.0;
                let law = Binomial::new(truth, n).unwrap();
                let covered: f64 = (0..=n)
                    .filter(|&k| intervals[k as usize].contains(truth))
                    .map(|k| law.pmf(k))
                    .sum();
                assert!(covered >= 0.95 - 1e-12, "{n} {truth}: {covered}");
            }
        }
    }
}
