//! What an attack is: something that turns observed signals into one score a subject.

use crate::evidence::Evidence;
use crate::score::{ScoreError, Scores};
use crate::signals::SignalKind;
use crate::silo_signals::SiloSignalKind;
use crate::threat::View;
use primitives::Round;

/// One way to tell members from non-members, as a paper describes it.
///
/// An implementation is a value: it holds its settings, no state, and gives the same scores for the same
/// evidence. It sees the labels of the known subjects only ([`Evidence::known`]).
pub trait MembershipAttack {
    /// The name in scenarios and reports, with the statistic after a slash if there are several, and then every setting that
    /// is not the usual one: attacks that differ have different names.
    fn name(&self) -> String;

    /// Where the attack comes from.
    fn paper(&self) -> &'static str;

    /// What must be observed for it to work.
    fn needs(&self) -> Observation;

    /// One score for each subject of `evidence`, higher = member.
    ///
    /// Callers use [`score`], which refuses evidence that is weaker than [`Self::needs`].
    ///
    /// # Errors
    /// If the evidence lacks something, or a score is not finite.
    fn score(&self, evidence: &Evidence<'_>) -> Result<Scores, AttackError>;
}

/// The part of an attack's name that tells a setting, e.g. `/trim-0.3`; nothing if it is the usual one.
pub(crate) fn setting(name: &str, value: impl Into<f64>, usual: impl Into<f64>) -> String {
    let (value, usual): (f64, f64) = (value.into(), usual.into());
    if value.to_bits() == usual.to_bits() {
        String::new()
    } else {
        format!("/{name}-{value}")
    }
}

/// What an attack must observe: what a run has to compute for it, and what a threat model has to grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The least view that suffices.
    pub view: View,
    /// Signals of every queried record.
    pub signals: &'static [SignalKind],
    /// Signals of every silo's update.
    pub silo_signals: &'static [SiloSignalKind],
    /// Shadow runs, at least.
    pub shadow_runs: usize,
    /// Whether plain features of every subject's records are needed.
    pub features: bool,
    /// Known members, and as many known non-members, at least.
    pub known_each: u32,
    /// Silos in every round's cohort, at least.
    pub silos: u32,
}

impl Observation {
    /// `signals` under `view`, and nothing else.
    pub const fn of(view: View, signals: &'static [SignalKind]) -> Self {
        Self {
            view,
            signals,
            silo_signals: &[],
            shadow_runs: 0,
            features: false,
            known_each: 0,
            silos: 0,
        }
    }
}

/// Why an attack gave no scores.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AttackError {
    /// The threat model does not grant what the attack needs.
    #[error(
        "needs the view {needs}, the threat model grants {granted}: widen the view or leave the attack out"
    )]
    ViewTooWeak {
        /// The least view that suffices.
        needs: View,
        /// The view that the threat model grants.
        granted: View,
    },
    /// A signal was not computed.
    #[error("needs the signal {0}, which was not computed in this run")]
    NoSignal(SignalKind),
    /// The round was not observed.
    #[error("{0} was not observed: it has no signals")]
    NotObserved(Round),
    /// There are not enough shadow runs.
    #[error(
        "needs at least {needed} shadow runs, {held} are there: set shadow_runs = {needed} or more"
    )]
    TooFewShadows {
        /// Shadow runs needed.
        needed: usize,
        /// Shadow runs at hand.
        held: usize,
    },
    /// Shadow runs or silo updates belong to other records.
    #[error("{0} were asked about other records, or another regime, than the attacked model")]
    OtherQueries(&'static str),
    /// Nobody recorded the silos' updates.
    #[error(
        "needs what the coordinator sees of each silo's update, which was not recorded in this run"
    )]
    NoSiloUpdates,
    /// One silo cannot be held against others.
    #[error("needs updates of at least {needed} silos in every round, {round} has {held}")]
    TooFewSilos {
        /// Silos needed.
        needed: usize,
        /// Silos in the round.
        held: usize,
        /// The round.
        round: Round,
    },
    /// A subject has no plain features.
    #[error("needs plain features of every subject's records, which are not there")]
    NoFeatures,
    /// Too few subjects of known membership to learn from.
    #[error(
        "needs at least {needed} queried {kind} to learn from, {held} are there: raise known_subjects"
    )]
    TooFewKnown {
        /// Which kind of subject.
        kind: &'static str,
        /// Subjects needed.
        needed: usize,
        /// Subjects at hand.
        held: usize,
    },
    /// A score came out infinite or not a number.
    #[error(transparent)]
    Score(#[from] ScoreError),
}

/// An attack that failed, by name.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("attack {attack}: {reason}")]
pub struct AttackFailed {
    /// Its [`MembershipAttack::name`].
    pub attack: String,
    /// Why.
    #[source]
    pub reason: AttackError,
}

/// Runs `attack` on `evidence`, after checking that the threat model grants what the attack needs.
///
/// # Errors
/// If it does not, or the attack fails.
pub fn score(
    attack: &dyn MembershipAttack,
    evidence: &Evidence<'_>,
) -> Result<Scores, AttackFailed> {
    evidence
        .check(attack.needs())
        .and_then(|()| attack.score(evidence))
        .map_err(|reason| AttackFailed {
            attack: attack.name(),
            reason,
        })
}
