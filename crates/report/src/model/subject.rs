//! One row a subject: what lies where, what was promised, what an attack makes of it.

use super::{Epsilon, Interval, Real, Regime};
use serde::{Deserialize, Serialize};

/// A subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// Its id.
    pub id: u32,
    /// Which pool it is in.
    pub pool: Pool,
    /// Training records by silo, in silo order, silos without any left out. Empty for non-members.
    pub holdings: Vec<Holding>,
    /// Its loss at the end, at the δ of the subject guarantee; none for those who were not trained on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epsilon: Option<Epsilon>,
    /// What each attack makes of it after the last round.
    pub scores: Vec<SubjectScore>,
    /// Place among the members by exposure, 1 the most exposed; none for the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure_rank: Option<u32>,
}

impl Subject {
    /// Training records over all silos.
    pub fn records(&self) -> u64 {
        self.holdings
            .iter()
            .map(|holding| u64::from(holding.records))
            .sum()
    }
}

/// The pool a subject is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pool {
    /// Trained on.
    Member,
    /// Not trained on, and scored by the attacks.
    NonMember,
    /// Neither: the model is measured on its records.
    Population,
}

/// Training records of a subject in one silo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// Index into [`super::Shape::silos`].
    pub silo: u32,
    /// How many, at least one.
    pub records: u32,
}

/// What one attack makes of one subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubjectScore {
    /// As [`super::AttackReport::attack`].
    pub attack: String,
    /// As [`super::AttackReport::regime`].
    pub regime: Regime,
    /// The membership score: higher speaks for "member".
    pub score: Real,
    /// Share of the evaluated non-members that score lower, ties half, in [0, 1].
    pub percentile: Real,
    /// A member's exposure in bits: how often the evaluated non-members are halved before it stands out. None for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure: Option<Real>,
    /// Its own AUC over the shadow federations, if the attack was made on those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_auc: Option<Interval>,
}
