//! What a coordinator tells its driver.

use accounting::LedgerEntry;
use primitives::{ModelVector, Round, SiloId};
use protocol::{BudgetReached, Decline, FinishReason, Refusal, SiloUpdate, ToSilo};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A message to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Transmit {
    /// To whom.
    pub to: SiloId,
    /// What.
    pub message: ToSilo,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum CoordinatorEvent {
    /// A silo is on the roster, for the first time since the coordinator was made.
    SiloJoined(SiloId),
    /// What a silo sent was not accepted.
    SiloRefused {
        /// The silo whose link it came over.
        silo: SiloId,
        /// Why.
        reason: Refusal,
    },
    /// A silo sent so much that was needless that nothing of it is taken in until the next attempt: its link may
    /// be closed.
    SiloCutOff {
        /// The silo whose link it came over.
        silo: SiloId,
        /// The round under way, or the next one.
        round: Round,
    },
    /// A silo of the cohort takes no part in a round.
    SiloDeclined {
        /// The silo.
        silo: SiloId,
        /// The round.
        round: Round,
        /// Why.
        reason: Decline,
    },
    /// The gate has admitted a round and its cohort is asked: the tasks leave with the next messages.
    RoundStarted {
        /// The round.
        round: Round,
        /// Who is asked.
        cohort: BTreeSet<SiloId>,
        /// What was admitted, and is spent from now on, whatever becomes of the round. A driver whose silos
        /// outlive it writes this to its ledger before the tasks leave.
        entries: Vec<LedgerEntry>,
    },
    /// A round had no quorum and its cohort is asked again. Nothing more is spent: see
    /// [`Coordinator`](crate::Coordinator).
    RoundRepeated {
        /// The round.
        round: Round,
        /// Which attempt begins; 2 is the first repeat.
        attempt: u32,
        /// Updates accepted so far, which are kept.
        accepted: u32,
        /// Updates needed.
        quorum: u32,
    },
    /// A round was started and comes to nothing. The run is over, and what was admitted is charged.
    RoundAbandoned(AbandonedRound),
    /// The gate has not admitted a round. The run is over.
    RoundRefused(BudgetReached),
    /// A round is done.
    RoundFinished(RoundOutcome),
    /// The run is over.
    Finished(FinishReason),
}

/// What a round has come to.
#[derive(Clone, Debug, PartialEq)]
pub struct RoundOutcome {
    /// The round.
    pub round: Round,
    /// The model after it.
    pub model: ModelVector,
    /// What the round released: exactly what the gate has admitted. The accepted updates were checked
    /// against it; a silo that was asked and whose update was not used is charged all the same, since
    /// the update may have left it.
    pub entries: Vec<LedgerEntry>,
    /// The updates that made the model: the coordinator's own view, which the model's receivers lack. Their deltas are
    /// empty unless the plan keeps them.
    pub updates: BTreeMap<SiloId, SiloUpdate>,
    /// Silos of the cohort whose update was not used, and why.
    pub missing: BTreeMap<SiloId, Missing>,
    /// How often the cohort was asked.
    pub attempts: u32,
}

/// A round that was started and has made no model.
#[derive(Clone, Debug, PartialEq)]
pub struct AbandonedRound {
    /// The round.
    pub round: Round,
    /// What the gate has admitted for it: updates have left silos, or may have.
    pub entries: Vec<LedgerEntry>,
    /// Silos of the cohort without an accepted update, and why.
    pub missing: BTreeMap<SiloId, Missing>,
    /// How often the cohort was asked.
    pub attempts: u32,
}

/// Why a silo that was asked has no part in a round's model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Missing {
    /// Nothing usable came in time.
    Silent,
    /// It took no part.
    Declined(Decline),
    /// What it sent was not accepted.
    Refused(Refusal),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("no update came in time"),
            Self::Declined(reason) => write!(f, "declined: {reason}"),
            Self::Refused(reason) => write!(f, "refused: {reason}"),
        }
    }
}
