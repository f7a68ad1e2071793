//! Quantile regression: what score would this subject have if it were a non-member?
//!
//! Bertran et al.: "Scalable Membership Inference Attacks via Quantile Regression" (arXiv 2307.03694). A
//! regression learns, from subjects that are surely non-members, the `1 − FPR` quantile of the loss-threshold
//! score given plain features of the subject's records. A subject is called a member as far as its own score
//! exceeds that prediction: each subject has its own threshold, and no shadow model is trained.
//!
//! Score: `−L(s) − predicted quantile(s)`, positive for "member at this false-positive rate".

use crate::attack::{AttackError, MembershipAttack, Observation, setting};
use crate::evidence::Evidence;
use crate::learn::QuantileRegression;
use crate::score::{Scores, scores};
use crate::signals::SignalKind;
use crate::threat::View;
use serde::{Deserialize, Serialize};

/// Loss-threshold score less its predicted quantile among non-members like this subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantile {
    /// The false-positive rate at which the threshold is set.
    #[serde(default)]
    pub fpr: TargetFpr,
}

/// A false-positive rate strictly between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct TargetFpr(f64);

/// A rate outside (0, 1).
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "false-positive rate {0} is outside (0, 1): it is the share of non-members accused, e.g. 0.05"
)]
pub struct TargetFprError(f64);

impl Default for TargetFpr {
    fn default() -> Self {
        Self(0.05)
    }
}

impl TryFrom<f64> for TargetFpr {
    type Error = TargetFprError;

    fn try_from(value: f64) -> Result<Self, TargetFprError> {
        if value > 0.0 && value < 1.0 {
            Ok(Self(value))
        } else {
            Err(TargetFprError(value))
        }
    }
}

impl From<TargetFpr> for f64 {
    fn from(fpr: TargetFpr) -> Self {
        fpr.0
    }
}

impl MembershipAttack for Quantile {
    fn name(&self) -> String {
        let fpr = setting("fpr", self.fpr, TargetFpr::default());
        format!("quantile{fpr}")
    }

    fn paper(&self) -> &'static str {
        "Bertran et al., arXiv 2307.03694"
    }

    fn needs(&self) -> Observation {
        Observation {
            features: true,
            known_each: 2,
            ..Observation::of(View::FinalModel, &[SignalKind::Loss])
        }
    }

    fn score(&self, evidence: &Evidence<'_>) -> Result<Scores, AttackError> {
        let losses = evidence.means(SignalKind::Loss)?;
        let features = evidence.features()?;
        let population = evidence.population();
        if population.len() < 2 {
            let held = population.len();
            return Err(AttackError::TooFewKnown {
                kind: "non-members",
                needed: 2,
                held,
            });
        }
        let rows: Vec<&[f64]> = population
            .iter()
            .map(|&position| features[position])
            .collect();
        let targets: Vec<f64> = population
            .iter()
            .map(|&position| -losses[position])
            .collect();
        let usual = QuantileRegression::fit(&rows, &targets, 1.0 - self.fpr.0);
        let excess = |(loss, row): (&f64, &&[f64])| -loss - usual.predict(row);
        Ok(scores(
            evidence.subjects(),
            losses.iter().zip(&features).map(excess),
        )?)
    }
}
