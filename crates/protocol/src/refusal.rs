//! Why something was not accepted, by name, in words that both ends can show.

use primitives::{Digest, Round, SiloId};
use serde::{Deserialize, Serialize};

/// Why the coordinator did not accept what a silo sent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The silo speaks another version of the protocol.
    #[error(
        "protocol version {silo} is not the coordinator's {coordinator}: run the same release on both ends"
    )]
    ProtocolVersion {
        /// The coordinator's version.
        coordinator: u16,
        /// The silo's version.
        silo: u16,
    },
    /// The silo runs another plan.
    #[error("plan {} is not the coordinator's {}: run the same scenario on both ends", .silo.short(), .coordinator.short())]
    PlanDigest {
        /// The coordinator's plan.
        coordinator: Digest,
        /// The silo's plan.
        silo: Digest,
    },
    /// The plan has no such silo.
    #[error("{silo} is not in the plan")]
    UnknownSilo {
        /// Who came.
        silo: SiloId,
    },
    /// A message names another silo than the link it came over.
    #[error("message names {named}, but it came over the link of {link}")]
    Identity {
        /// The silo that the link belongs to.
        link: SiloId,
        /// The silo that the message names.
        named: SiloId,
    },
    /// An update from a silo that has not joined.
    #[error("{silo} has not joined")]
    NotJoined {
        /// Who came.
        silo: SiloId,
    },
    /// Bytes that are no message.
    #[error("the bytes received are not a message of this protocol")]
    Malformed,
    /// An update or a decline for a round that is not under way.
    #[error("message is for {found}, under way is {expected}")]
    WrongRound {
        /// The round under way, or the last one if none is.
        expected: Round,
        /// The round of the message.
        found: Round,
    },
    /// An update from a silo that was not asked this round.
    #[error("the silo is not in the cohort of {round}")]
    NotInCohort {
        /// The round under way.
        round: Round,
    },
    /// An update from a silo whose earlier answer has put it out of this round.
    #[error("the silo's earlier answer has put it out of {round}")]
    OutOfRound {
        /// The round under way.
        round: Round,
    },
    /// An update for another model.
    #[error("update has {found} parameters, the model has {expected}")]
    WrongShape {
        /// Parameters of the model.
        expected: u64,
        /// Parameters of the update.
        found: u64,
    },
    /// An update with a value that is infinite or not a number.
    #[error("update holds a value that is infinite or not a number")]
    NotFinite,
    /// A weight that the plan does not allow.
    #[error("weight {found} is not allowed: {}", if *.uniform { "every silo weighs 1" } else { "a silo weighs its number of records, a positive whole number" })]
    Weight {
        /// The weight of the update.
        found: f64,
        /// Whether all silos weigh the same in this run.
        uniform: bool,
    },
    /// The update was made by another mechanism, or in more or fewer steps, than the plan accounts for.
    #[error("update was not made by the mechanism that the plan accounts for")]
    UnplannedMechanism,
    /// The update tells about private records what the plan does not release.
    #[error("update reveals its records or its loss while a protection is on")]
    UnplannedMetrics,
    /// An update that is larger than training can make it, or than the plan allows.
    #[error("update has an L2 norm of {found:e}, allowed is at most {limit:e}")]
    HugeUpdate {
        /// The update's norm.
        found: f64,
        /// The largest norm allowed.
        limit: f64,
    },
    /// Messages without end that bring nothing.
    #[error(
        "too many needless messages: nothing of this silo is taken in until {round} is over or asked for again"
    )]
    Flood {
        /// The round under way, or the next one.
        round: Round,
    },
    /// An update where only sums are seen, or a summand where updates are.
    #[error("{}", if *.summed { "the plan lets the coordinator see sums only, and this is an update" } else { "the plan lets the coordinator see every update, and this is a summand" })]
    Sight {
        /// Whether only sums are seen in this run.
        summed: bool,
    },
    /// A step of a masked sum that does not come now, or does not fit the silos of the sum.
    #[error("this step of the masked sum is not the one under way, or does not fit its silos")]
    SumStep,
    /// The clip norm at the update's end is none that the plan's steps lead to.
    #[error("update ends with a clip norm that the plan's local steps do not lead to")]
    UnplannedClipNorm,
}

/// Why a silo takes no part in a round that it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Decline {
    /// The round would spend more than the silo's own budget.
    #[error("the round does not fit in the silo's own privacy budget")]
    BudgetReached,
    /// The silo has spent on a later round, or on this one, and cannot train it again.
    #[error("the silo has already spent on {last}")]
    AlreadySpent {
        /// The last round that the silo spent on.
        last: Round,
    },
    /// The silo takes no part in the masked sum as it was asked to: it would not hide the silo's summand.
    #[error("the masked sum as asked for would not hide the silo's summand")]
    UnsafeSum,
    /// Local training ended in an error, which the silo keeps to itself: it may tell about records.
    #[error("local training failed")]
    TrainingFailed,
    /// A masked sum is under way that this silo knows no secrets of: it was started anew, or has opened another sum of
    /// the round.
    #[error("the silo was started anew and knows no secrets of the masked sum under way")]
    SumForgotten,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum FinishReason {
    /// All rounds are done.
    #[error("all rounds are done")]
    RoundsDone,
    /// One more round would overspend the privacy budget.
    #[error("one more round would overspend the privacy budget")]
    BudgetReached,
    /// Too few silos of a cohort gave an update.
    #[error("{accepted} updates in {round}, at least {quorum} are needed")]
    QuorumLost {
        /// The round that could not end.
        round: Round,
        /// Updates accepted.
        accepted: u32,
        /// Updates needed.
        quorum: u32,
    },
    /// The masks of a sum cannot be taken off: a silo has given a wrong share of a secret.
    #[error(
        "the masks of {round} cannot be taken off: the shares of a secret of {silo} do not fit what it has shown"
    )]
    WrongShares {
        /// The round whose sum is lost.
        round: Round,
        /// Whose secret it is; whose share is wrong cannot be told.
        silo: SiloId,
    },
    /// The model's parameters left the finite numbers.
    #[error("the model diverged in {round}: a parameter is infinite or not a number")]
    Diverged {
        /// The round whose step it was.
        round: Round,
    },
}
