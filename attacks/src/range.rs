//! Range attack: a subject is a member if *some* of what the adversary holds looks trained on.
//!
//! Tao, Shokri: "Range Membership Inference Attacks" (arXiv 2408.05131). A query is a set of records; its
//! score is a trimmed mean of the records' scores. Of the subject's records, those that look least (or most)
//! like members are left out, since a few records that the model never met would otherwise hide the rest.

use crate::attack::{AttackError, MembershipAttack, Observation, setting};
use crate::evidence::Evidence;
use crate::score::{Scores, scores};
use crate::signals::SignalKind;
use crate::threat::View;
use serde::{Deserialize, Serialize};

/// Trimmed mean of `−loss` over the adversary's records of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// Share of the records that is left out, rounded down to whole records.
    #[serde(default)]
    pub trim: Trim,
    /// Which end is left out.
    #[serde(default)]
    pub side: TrimSide,
}

/// A share in [0, 1).
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Trim(f64);

/// A share outside [0, 1).
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "trim {0} is outside [0, 1): it is the share of a subject's records that is left out, e.g. 0.5"
)]
pub struct TrimError(f64);

/// Which records a trimmed mean leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrimSide {
    /// Those that look least like members.
    #[default]
    Low,
    /// Those that look most like members.
    High,
}

impl Trim {
    /// A share.
    ///
    /// # Errors
    /// If it is outside [0, 1).
    pub fn try_new(value: f64) -> Result<Self, TrimError> {
        if (0.0..1.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err(TrimError(value))
        }
    }
}

impl Default for Trim {
    /// Half of the records.
    fn default() -> Self {
        Self(0.5)
    }
}

impl TryFrom<f64> for Trim {
    type Error = TrimError;

    fn try_from(value: f64) -> Result<Self, TrimError> {
        Self::try_new(value)
    }
}

impl From<Trim> for f64 {
    fn from(trim: Trim) -> Self {
        trim.0
    }
}

impl Range {
    fn of(&self, losses: &[f32]) -> f64 {
        let mut sorted: Vec<f64> = losses.iter().map(|&loss| -f64::from(loss)).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let dropped = (self.trim.0 * sorted.len() as f64).floor() as usize;
        let kept = match self.side {
            TrimSide::Low => &sorted[dropped..],
            TrimSide::High => &sorted[..sorted.len() - dropped],
        };
        kept.iter().sum::<f64>() / kept.len() as f64
    }
}

impl MembershipAttack for Range {
    fn name(&self) -> String {
        let side = match self.side {
            TrimSide::Low => "low",
            TrimSide::High => "high",
        };
        let trim = setting("trim", self.trim, Trim::default());
        format!("range/{side}{trim}")
    }

    fn paper(&self) -> &'static str {
        "Tao and Shokri, arXiv 2408.05131"
    }

    fn needs(&self) -> Observation {
        Observation::of(View::FinalModel, &[SignalKind::Loss])
    }

    fn score(&self, evidence: &Evidence<'_>) -> Result<Scores, AttackError> {
        let subjects = evidence.subjects();
        let of = |position| {
            evidence
                .records(SignalKind::Loss, position)
                .map(|l| self.of(l))
        };
        let values = (0..subjects.len()).map(of).collect::<Result<Vec<_>, _>>()?;
        Ok(scores(subjects, values)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_records_are_dropped_from_the_named_end() {
        let range = |trim, side| Range {
            trim: Trim::try_new(trim).unwrap(),
            side,
        };
        let losses = [4.0, 1.0, 2.0, 3.0, 10.0];
        assert_eq!(range(0.0, TrimSide::Low).of(&losses), -4.0);
        assert_eq!(range(0.5, TrimSide::Low).of(&losses), -2.0);
        assert_eq!(range(0.5, TrimSide::High).of(&losses), -17.0 / 3.0);
        assert_eq!(range(0.99, TrimSide::Low).of(&losses), -1.0);
        assert_eq!(range(0.5, TrimSide::Low).of(&[3.0]), -3.0);
        assert!(Trim::try_new(1.0).is_err());
    }
}
