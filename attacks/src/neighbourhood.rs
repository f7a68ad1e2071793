//! Loss-Across-Neighbourhood: not only a member's records have a small loss, but what lies round them.
//!
//! Suri, Kanani, Marathe, Peterson: "Subject Membership Inference Attacks in Federated Learning"
//! (arXiv 2206.03317, version 1) and claim 4 of US 12,130,929: each record is replaced by noisy copies of
//! itself before the loss is averaged and held against a threshold. Whoever computes the signal draws the
//! copies ([`SignalKind::NeighbourhoodLoss`]); it makes sense for continuous features only. Score: minus the
//! mean.

use crate::attack::{AttackError, MembershipAttack, Observation};
use crate::evidence::Evidence;
use crate::score::{Scores, scores};
use crate::signals::SignalKind;
use crate::threat::View;
use serde::{Deserialize, Serialize};

/// Mean loss over perturbed copies of the adversary's records of a subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossAcrossNeighbourhood {}

/// The copies that stand for a record's surroundings: Gaussian noise of its own on every feature.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked", into = "Unchecked")]
pub struct Neighbourhood {
    copies: u32,
    deviation: f64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Unchecked {
    copies: u32,
    deviation: f64,
}

/// Copies that make no neighbourhood.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum NeighbourhoodError {
    /// None, or more than anybody has time for.
    #[error("copies = {0} is outside 1 to 1024: noisy copies of each record, e.g. 16")]
    Copies(u32),
    /// No noise, or no number.
    #[error(
        "deviation = {0} is no noise: allowed is a finite number above 0, in units of each feature's own deviation, e.g. 0.2"
    )]
    Deviation(f64),
}

impl Neighbourhood {
    /// Copies and their noise.
    ///
    /// # Errors
    /// If there is no copy or no noise.
    pub fn try_new(copies: u32, deviation: f64) -> Result<Self, NeighbourhoodError> {
        if !(1..=1024).contains(&copies) {
            return Err(NeighbourhoodError::Copies(copies));
        }
        if !(deviation.is_finite() && deviation > 0.0) {
            return Err(NeighbourhoodError::Deviation(deviation));
        }
        Ok(Self { copies, deviation })
    }

    /// Noisy copies of each record.
    pub const fn copies(self) -> u32 {
        self.copies
    }

    /// Deviation of the noise on a feature, in units of the feature's own deviation in the population.
    pub const fn deviation(self) -> f64 {
        self.deviation
    }
}

impl Default for Neighbourhood {
    fn default() -> Self {
        Self {
            copies: 16,
            deviation: 0.2,
        }
    }
}

impl Default for Unchecked {
    fn default() -> Self {
        Neighbourhood::default().into()
    }
}

impl TryFrom<Unchecked> for Neighbourhood {
    type Error = NeighbourhoodError;

    fn try_from(given: Unchecked) -> Result<Self, NeighbourhoodError> {
        Self::try_new(given.copies, given.deviation)
    }
}

impl From<Neighbourhood> for Unchecked {
    fn from(checked: Neighbourhood) -> Self {
        Self {
            copies: checked.copies,
            deviation: checked.deviation,
        }
    }
}

impl MembershipAttack for LossAcrossNeighbourhood {
    fn name(&self) -> String {
        "loss-across-neighbourhood".to_owned()
    }

    fn paper(&self) -> &'static str {
        "Suri et al., arXiv 2206.03317v1"
    }

    fn needs(&self) -> Observation {
        Observation::of(View::FinalModel, &[SignalKind::NeighbourhoodLoss])
    }

    fn score(&self, evidence: &Evidence<'_>) -> Result<Scores, AttackError> {
        let losses = evidence.means(SignalKind::NeighbourhoodLoss)?;
        Ok(scores(
            evidence.subjects(),
            losses.iter().map(|loss| -loss),
        )?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_neighbourhood_has_copies_and_noise() {
        let read = |text: &str| serde_json::from_str::<Neighbourhood>(text);
        assert_eq!(read("{}").unwrap(), Neighbourhood::default());
        assert_eq!(read(r#"{"copies":4}"#).unwrap().copies(), 4);
        for wrong in [
            r#"{"copies":0}"#,
            r#"{"deviation":0.0}"#,
            r#"{"radius":1.0}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
