//! What an audit found: lower bounds on ε beside the accountant's upper ones, and whether the noise is the ledger's.

use super::{Check, CheckOutcome, Epsilon, PrivacyUnit, Real};
use serde::{Deserialize, Serialize};

/// The audit of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// How often a correct run passes all tests together, e.g. 0.95.
    pub confidence: Real,
    /// Tests that can fail the run; each is made so sharply that all together keep the confidence.
    pub tests: u32,
    /// The δ of all bounds.
    pub delta: Real,
    /// What the auditor sees, in a sentence.
    pub view: String,
    /// One entry for each unit that was audited, and for each kind of canary.
    pub units: Vec<UnitAudit>,
    /// Whether the noise is what the ledger says.
    pub checks: Vec<Check>,
    /// What was not audited, and why, one sentence each.
    pub not_audited: Vec<String>,
}

/// Bounds for one kind of unit from one kind of canary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnitAudit {
    /// For which unit.
    pub unit: PrivacyUnit,
    /// Who was told apart, in words, e.g. "crafted canary records".
    pub canaries: String,
    /// How many were in.
    pub inside: u64,
    /// How many were out.
    pub outside: u64,
    /// Both bounds after each audited round.
    pub rounds: Vec<AuditRound>,
    /// Every method's answer after the last round.
    pub methods: Vec<AuditMethod>,
    /// What canaries that are in added to the sums, on average, over what the ledger lets them add. `None` if their
    /// contribution cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<Real>,
    /// What is estimated, not bounded, from the canaries' directions in every round's update; empty if nothing can be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub estimates: Vec<RoundEstimate>,
}

/// What one round's update, by its cosines with the canaries' directions, makes plausible: estimates, neither upper nor lower
/// bounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundEstimate {
    /// The round.
    pub round: u32,
    /// ε of this round alone.
    pub alone: Epsilon,
    /// ε of all rounds up to this one.
    pub so_far: Epsilon,
}

/// What is known about ε after one round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditRound {
    /// The round.
    pub round: u32,
    /// The audit: ε is at least this.
    pub lower: Epsilon,
    /// The accountant: ε is at most this.
    pub upper: Epsilon,
    /// By which method the lower bound was found; empty if none found any.
    pub method: String,
    /// Whether a test found the accountant's promise broken: by a lower bound above the upper one, or elsewhere on the
    /// ledger's curve of δ over ε.
    pub refuted: bool,
}

/// One method's answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditMethod {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub source: String,
    /// What its number is.
    pub nature: AuditNature,
    /// The number; infinite if nothing bounds it.
    pub epsilon: Epsilon,
    /// How often a bound so made holds; of an estimate, the level of its interval if it has one.
    pub confidence: Option<Real>,
    /// Whether the run fails if the number exceeds the accountant's.
    pub decides: bool,
}

/// What a number called ε really is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditNature {
    /// A lower bound, whatever the mechanism.
    Bound,
    /// A lower bound if the scores are independent, as they are where the mechanism is the ledger's.
    IndependentBound,
    /// A lower bound if the mechanism is the ledger's but for the strength of its noise.
    NoiseBound,
    /// A lower bound if the mechanism's trade-off curve is a Gaussian's.
    GaussianBound,
    /// A plausible value.
    Estimate,
}

impl Audit {
    /// The entries and rounds in which a promise was found broken.
    pub fn crossings(&self) -> impl Iterator<Item = (&UnitAudit, &AuditRound)> {
        self.units.iter().flat_map(|unit| {
            let broken = unit.refuted();
            broken.map(move |round| (unit, round))
        })
    }

    /// Whether no promise was found broken and the noise passed for the ledger's.
    pub fn passed(&self) -> bool {
        let tripped = |check: &Check| check.outcome == CheckOutcome::Tripped;
        self.crossings().next().is_none() && !self.checks.iter().any(tripped)
    }
}

impl UnitAudit {
    /// Both bounds after the last audited round.
    pub fn last(&self) -> Option<&AuditRound> {
        self.rounds.last()
    }

    /// Rounds after which the ledger's curve does not stand.
    pub fn refuted(&self) -> impl Iterator<Item = &AuditRound> {
        self.rounds.iter().filter(|round| round.refuted)
    }
}

impl AuditRound {
    /// Lower over upper bound: 1 is tight. `None` if the upper one is infinite or zero.
    pub fn tightness(&self) -> Option<f64> {
        let upper = self.upper.finite().filter(|&upper| upper > 0.0)?;
        Some(self.lower.finite()? / upper)
    }
}
