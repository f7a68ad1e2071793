//! What the accountant promises: ε for a record, for every subject and for a silo.

use super::{Epsilon, Real};
use serde::{Deserialize, Serialize};

/// The promise of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrivacyStatement {
    /// The protection's name in the scenario, e.g. `averaged-gradient`.
    pub protection: String,
    /// What the protection does, in one sentence.
    pub mechanism: String,
    /// One guarantee a unit, in the order record, subject, silo.
    pub guarantees: Vec<Guarantee>,
    /// The loss after each round; round 0 is the untrained model. δ as in [`Self::guarantees`].
    pub rounds: Vec<RoundLoss>,
    /// The target that was set, and how much of it was spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// What else one must know to read the numbers, one sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Who sees what, and whether the promise holds against them.
    pub observers: Vec<Observer>,
}

impl PrivacyStatement {
    /// The guarantee for `unit`.
    pub fn guarantee(&self, unit: PrivacyUnit) -> Option<&Guarantee> {
        self.guarantees
            .iter()
            .find(|guarantee| guarantee.unit == unit)
    }
}

/// Whose presence is hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrivacyUnit {
    /// One row.
    Record,
    /// A person, with all records in all silos.
    Subject,
    /// An organisation, with everything it holds.
    Silo,
}

impl PrivacyUnit {
    /// All units, from small to large.
    pub const ALL: [Self; 3] = [Self::Record, Self::Subject, Self::Silo];

    /// Its name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Subject => "subject",
            Self::Silo => "silo",
        }
    }
}

/// When two data sets are neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NeighboringRelation {
    /// One has a unit more.
    AddOrRemoveOne,
    /// One unit differs.
    ReplaceOne,
    /// One unit is a blank in the other.
    ReplaceSpecial,
}

/// (ε, δ) for one unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guarantee {
    /// Whose presence is hidden.
    pub unit: PrivacyUnit,
    /// The bound that counts: the smallest proven one; for subjects, of the worst-off subject.
    pub epsilon: Epsilon,
    /// For subjects, the median subject's ε.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median: Option<Epsilon>,
    /// The δ that belongs to ε.
    pub delta: Real,
    /// The neighbouring relation ε is about.
    pub relation: NeighboringRelation,
    /// The accountant that proved ε, e.g. `PLD`.
    pub accountant: String,
    /// What each accountant that was asked says.
    pub by_accountant: Vec<AccountantBound>,
    /// Why there is no bound, if ε is infinite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why_infinite: Option<String>,
}

/// What one accountant proved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccountantBound {
    /// Its name, e.g. `RDP` or `PLD`.
    pub accountant: String,
    /// ε is at most this.
    pub upper: Epsilon,
    /// And no analysis of this mechanism can prove less than this, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower: Option<Epsilon>,
}

/// The loss after a round, all rounds before it included.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundLoss {
    /// The round; 0 is the untrained model.
    pub round: u32,
    /// The worst-off record's loss.
    pub record: Epsilon,
    /// The worst-off subject's loss.
    pub subject_worst: Epsilon,
    /// The median subject's loss.
    pub subject_median: Epsilon,
    /// The worst-off silo's loss.
    pub silo: Epsilon,
}

/// The loss that was allowed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// For which unit.
    pub unit: PrivacyUnit,
    /// The ε allowed.
    pub epsilon: Epsilon,
    /// The δ allowed.
    pub delta: Real,
    /// The ε spent at that δ.
    pub spent: Epsilon,
}

/// Somebody who might look, and what the promise is worth against them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observer {
    /// Who, e.g. "anyone who gets the final model".
    pub who: String,
    /// What they see, e.g. "the model after every round".
    pub sees: String,
    /// Whether the stated ε holds against them.
    pub covered: bool,
    /// Why it does or does not, in one sentence.
    pub why: String,
    /// Whether this run attacked the model from where they stand.
    pub attacked: bool,
}
