//! What the attacker of a scenario knows and sees.

use attacks::{Neighbourhood, View};
use serde::{Deserialize, Serialize};

/// The `[adversary]` table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdversaryConfig {
    /// Members, and as many non-members, whose membership the adversary knows; thresholds are chosen on
    /// them and they are left out of every figure.
    pub known_subjects: u32,
    /// How much of the federation the adversary sees. An attack that needs more is refused.
    pub view: View,
    /// Shadow federations that the adversary trains, for the attacks that use them: an even number, since they come in
    /// pairs; 16 is few, 64 and more are many. None by default.
    #[serde(skip_serializing_if = "is_none")]
    pub shadows: u32,
    /// The noisy copies of a record that `loss-across-neighbourhood` looks at.
    #[serde(skip_serializing_if = "is_usual")]
    pub neighbourhood: Neighbourhood,
}

/// Defaults are left out of plans, so that a plan is the same as before there was such a key.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_none(shadows: &u32) -> bool {
    *shadows == 0
}

fn is_usual(neighbourhood: &Neighbourhood) -> bool {
    *neighbourhood == Neighbourhood::default()
}

impl Default for AdversaryConfig {
    fn default() -> Self {
        Self {
            known_subjects: 10,
            view: View::EveryRound,
            shadows: 0,
            neighbourhood: Neighbourhood::default(),
        }
    }
}
