//! Initial-model loss ratio: how much of a subject's untrained loss is left.
//!
//! The "fine-tuned loss ratio" of Pandora's White-Box (Wang et al., arXiv 2402.17012), with the untrained
//! model as the base model: `L_R(s) / L_0(s)`. It is the loss threshold calibrated by the initial model, which
//! costs nothing: how hard a subject is for any model cancels in part. Score: `−L_R(s) / L_0(s)`.

use crate::attack::{AttackError, MembershipAttack, Observation};
use crate::evidence::Evidence;
use crate::score::{Scores, scores};
use crate::signals::SignalKind;
use crate::threat::View;
use primitives::Round;
use serde::{Deserialize, Serialize};

/// Loss of the attacked model over loss of the untrained model, both averaged over `A_s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossRatio {}

impl MembershipAttack for LossRatio {
    fn name(&self) -> String {
        "loss-ratio".to_owned()
    }

    fn paper(&self) -> &'static str {
        "FLoRa of Wang et al., arXiv 2402.17012"
    }

    fn needs(&self) -> Observation {
        Observation::of(View::EveryRound, &[SignalKind::Loss])
    }

    fn score(&self, evidence: &Evidence<'_>) -> Result<Scores, AttackError> {
        // Checkpoints that were trained elsewhere may begin later.
        if evidence.rounds().next() != Some(Round::UNTRAINED) {
            return Err(AttackError::NotObserved(Round::UNTRAINED));
        }
        let untrained = evidence.trace(SignalKind::Loss)?[0];
        let trained = evidence.means(SignalKind::Loss)?;
        // A subject that cost nothing before training tells nothing: its ratio counts as 1.
        let ratio =
            |(&after, &before): (&f64, &f64)| if before > 0.0 { after / before } else { 1.0 };
        Ok(scores(
            evidence.subjects(),
            trained.iter().zip(untrained).map(|pair| -ratio(pair)),
        )?)
    }
}
