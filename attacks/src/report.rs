//! What an attack found, round by round.

use crate::attack::{AttackFailed, MembershipAttack, score};
use crate::evidence::Evidence;
use crate::interval::{Confidence, Interval};
use crate::membership::AttackSubjects;
use crate::roc::{Roc, RocError, RocPoint};
use crate::score::Scores;
use crate::threat::ThreatModel;
use crate::threshold::{Calibrated, calibrate};
use primitives::Round;
use serde::{Deserialize, Serialize};

/// The false-positive rates at which the true-positive rate is reported.
pub const FALSE_POSITIVE_RATES: [f64; 3] = [0.05, 0.01, 0.001];

/// One attack under one threat model, over all attacked rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttackReport {
    /// The attack's name, e.g. `loss-across-rounds/slope`.
    pub attack: String,
    /// Where it comes from.
    pub paper: String,
    /// What the adversary observed and held.
    pub threat: ThreatModel,
    /// Confidence of every interval below.
    pub confidence: Confidence,
    /// Success after each attacked round, in order; round 0 is the untrained model.
    pub rounds: Vec<RoundResult>,
    /// The ROC after the last attacked round, from (0, 0) to (1, 1).
    pub roc: Vec<RocPoint>,
    /// Every subject's score after the last attacked round, known subjects included.
    pub scores: Scores,
}

/// Success of an attack on the model of one round, over the evaluated subjects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundResult {
    /// The round.
    pub round: Round,
    /// Members that were evaluated.
    pub members: u64,
    /// Non-members that were evaluated.
    pub non_members: u64,
    /// Chance that a member scores above a non-member (all pairs), with its interval ([`Roc::auc_interval`]).
    pub auc: Interval,
    /// Members caught at [`FALSE_POSITIVE_RATES`].
    pub tpr_at_fpr: Vec<TprAtFpr>,
    /// Largest true-positive less false-positive rate over all thresholds, chosen in hindsight.
    pub advantage: f64,
    /// What the threshold found on the known subjects does; `None` if no subject is known.
    pub calibrated: Option<Calibrated>,
}

/// Share of members caught while at most `fpr` of the non-members are accused.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TprAtFpr {
    /// Bound on the false-positive rate.
    pub fpr: f64,
    /// The true-positive rate, or why it is withheld.
    pub tpr: Tpr,
}

/// A true-positive rate, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tpr {
    /// The rate with its interval, which allows for the threshold having been found on the same non-members.
    Estimated(Interval),
    /// Fewer than `10 / fpr` non-members: the threshold would rest on a handful of subjects.
    TooFewNonMembers {
        /// Non-members needed.
        needed: u64,
        /// Non-members evaluated.
        held: u64,
    },
}

/// Why a round could not be judged.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum JudgeError {
    /// The attack gave no scores.
    #[error(transparent)]
    Attack(#[from] AttackFailed),
    /// The scores do not cover both kinds of subject.
    #[error(transparent)]
    Roc(#[from] RocError),
    /// The evidence is another adversary's.
    #[error("evidence of {given:?} cannot go into a report of {expected:?}")]
    OtherThreat {
        /// The threat model of the evidence.
        given: ThreatModel,
        /// The threat model of the report.
        expected: ThreatModel,
    },
    /// The attack was told of other subjects than those kept apart from the evaluation.
    #[error(
        "the evidence knows other subjects than those kept apart: the attack would be judged on them"
    )]
    OtherKnown,
}

impl RoundResult {
    /// Judges `scores` on the evaluated subjects, with the threshold calibrated on the known ones.
    ///
    /// # Errors
    /// If no evaluated member, or no evaluated non-member, has a score.
    pub fn judge(
        round: Round,
        scores: &Scores,
        subjects: &AttackSubjects,
        confidence: Confidence,
    ) -> Result<Self, RocError> {
        let evaluated = subjects.evaluated();
        let roc = Roc::of(scores, evaluated)?;
        let threshold = calibrate(scores, subjects.known());
        Ok(Self {
            round,
            members: roc.members(),
            non_members: roc.non_members(),
            auc: roc.auc_interval(confidence),
            tpr_at_fpr: FALSE_POSITIVE_RATES
                .into_iter()
                .map(|fpr| TprAtFpr {
                    fpr,
                    tpr: Tpr::of(&roc, fpr, confidence),
                })
                .collect(),
            advantage: roc.advantage(),
            calibrated: threshold.map(|at| Calibrated::at(at, scores, evaluated)),
        })
    }
}

impl Tpr {
    fn of(roc: &Roc, fpr: f64, confidence: Confidence) -> Self {
        let needed = (10.0 / fpr).round() as u64;
        let held = roc.non_members();
        if held < needed {
            return Self::TooFewNonMembers { needed, held };
        }
        Self::Estimated(roc.tpr_at_fpr(fpr, confidence))
    }

    /// The rate, if it is given.
    pub const fn estimate(&self) -> Option<f64> {
        match self {
            Self::Estimated(interval) => Some(interval.estimate),
            Self::TooFewNonMembers { .. } => None,
        }
    }
}

impl AttackReport {
    /// A report of `attack` before any round.
    pub fn new(attack: &dyn MembershipAttack, threat: ThreatModel, confidence: Confidence) -> Self {
        Self {
            attack: attack.name(),
            paper: attack.paper().to_owned(),
            threat,
            confidence,
            rounds: Vec::new(),
            roc: Vec::new(),
            scores: Scores::new(),
        }
    }

    /// Attacks the round of `evidence` and appends what came out, judged on the evaluated `subjects`.
    ///
    /// # Errors
    /// If the attack is refused or fails, the scores do not cover both kinds of evaluated subject, or the
    /// evidence belongs to another threat model or knows other subjects. The report is unchanged then.
    pub fn attack(
        &mut self,
        attack: &dyn MembershipAttack,
        evidence: &Evidence<'_>,
        subjects: &AttackSubjects,
    ) -> Result<&RoundResult, JudgeError> {
        if evidence.threat() != self.threat {
            let (given, expected) = (evidence.threat(), self.threat);
            return Err(JudgeError::OtherThreat { given, expected });
        }
        if evidence.known() != subjects.known() {
            return Err(JudgeError::OtherKnown);
        }
        let scores = score(attack, evidence)?;
        let round = evidence.round();
        let result = RoundResult::judge(round, &scores, subjects, self.confidence)?;
        self.roc = Roc::of(&scores, subjects.evaluated())?.points();
        self.scores = scores;
        self.rounds.push(result);
        Ok(&self.rounds[self.rounds.len() - 1])
    }
}
