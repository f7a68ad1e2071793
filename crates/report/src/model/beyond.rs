//! What the attacks find beyond one run: from run to run, silo by silo, and what exposed subjects have in common.

use super::{Interval, Real, Regime};
use serde::{Deserialize, Serialize};

/// One attack on every shadow federation in turn, after the last round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OverRuns {
    /// As [`super::AttackReport::attack`].
    pub attack: String,
    /// Its name in words.
    pub title: String,
    /// Which records of a subject the adversary holds.
    pub regime: Regime,
    /// Federations that were attacked; every subject was a member of half of them.
    pub runs: u32,
    /// Mean AUC over the federations.
    pub auc: Real,
    /// Standard deviation of the AUC from federation to federation.
    pub deviation: Real,
    /// Share of subjects whose own AUC over the runs is at least so large, one point for each own AUC that occurs.
    pub survival: Vec<SurvivalPoint>,
    /// The same at 0.9 and at 0.99.
    pub exposed: [SurvivalPoint; 2],
}

/// One point of a survival curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SurvivalPoint {
    /// A subject's own AUC over the runs.
    pub auc: Real,
    /// Share of subjects with at least that.
    pub share: Real,
    /// The share with its 95 % Clopper–Pearson interval, point by point: how far it would vary among as many other subjects
    /// of their kind. It takes them for independent; that all are attacked in the same federations is not in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// The same share if nothing leaked: over so few runs some have it by luck.
    pub by_luck: Real,
}

/// How well the silos that hold a member are named, after the last round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceReport {
    /// Which records of a subject the adversary holds.
    pub regime: Regime,
    /// The paper it comes from.
    pub source: String,
    /// Members that were asked about.
    pub members: u32,
    /// Share of them for whom the silo with the smallest loss does hold the subject.
    pub named: Real,
    /// The same share for a silo drawn by lot.
    pub chance: Real,
    /// For each silo: how well its loss tells its subjects from those that only others hold. Silos that hold all or
    /// none of them are left out.
    pub silos: Vec<SiloSource>,
}

/// How well one silo's subjects are told from the others'.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiloSource {
    /// Index into [`super::Shape::silos`].
    pub silo: u32,
    /// Chance that a subject of this silo scores above one that only others hold.
    pub auc: Real,
    /// F1 at a threshold set on known members; none if none of them is known to lie here or elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub f1: Option<Real>,
}

/// What the most exposed subjects have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exposed {
    /// Which records of a subject the adversary holds.
    pub regime: Regime,
    /// The attack, in words, whose verdict counts.
    pub title: String,
    /// What exposure is here, in words.
    pub measure: String,
    /// Subjects compared.
    pub subjects: u32,
    /// How many of them are the most exposed tenth.
    pub most: u32,
    /// One entry for each thing that subjects differ in.
    pub factors: Vec<Factor>,
}

/// One thing that subjects differ in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Factor {
    /// What it is, in words.
    pub name: String,
    /// Rank correlation with exposure (Spearman), with its 95 % interval.
    pub correlation: Interval,
    /// Its mean among the most exposed tenth.
    pub most: Real,
    /// Its mean among the others.
    pub others: Real,
}
