//! What coordinator and silo say to each other.
//!
//! ```text
//! silo          coordinator
//!  │ Join ──────────▶│   version, plan digest, identity
//!  │◀────── Welcome  │   (or Refuse)
//!  │◀──────── Train  │   once a round, to the cohort
//!  │ Update ────────▶│   (or Decline; where only sums are seen, Summand)
//!  │       …         │
//!  │◀─────── Finish  │
//! ```
//!
//! Where summands are masked, the steps of the masked sum ([`ToMember`], [`FromMember`]) go to and fro in
//! `Masking` messages beside that.
//!
//! The coordinator never needs to be asked twice and a silo never spends twice: any message may be
//! repeated, and a repeated message changes nothing.

use crate::{Decline, FinishReason, Refusal, SiloUpdate, Summand, Task};
use primitives::{Digest, Round, SiloId};
use secure_sum::{FromMember, ToMember};
use serde::{Deserialize, Serialize};

/// What messages mean. Raised by every change to a message, its fields or their order.
pub const PROTOCOL_VERSION: u16 = 5;

/// From the coordinator to one silo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToSilo {
    /// The silo is on the roster.
    Welcome(Welcome),
    /// Train, and answer with an update.
    Train(Task),
    /// What the silo sent was not accepted.
    Refuse(Refusal),
    /// The run is over; nothing more will be asked.
    Finish(FinishReason),
    /// A step of a masked sum.
    Masking(Masking<ToMember>),
}

/// From one silo to the coordinator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToCoordinator {
    /// The silo wants to be on the roster.
    Join(Join),
    /// What the silo learned in a round.
    Update(SiloUpdate),
    /// The silo takes no part in a round, and says why.
    Decline {
        /// The round that the silo was asked to train in.
        round: Round,
        /// Why it does not.
        reason: Decline,
    },
    /// What the silo gives to a sum of which nobody sees a summand.
    Summand(Summand),
    /// A step of a masked sum.
    Masking(Masking<FromMember>),
}

/// A step of the masked sum of one attempt at a round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Masking<S> {
    /// The round.
    pub round: Round,
    /// Which attempt at it: every attempt has keys of its own.
    pub attempt: u32,
    /// The step.
    pub step: S,
}

/// The silo's introduction. Its first field never moves, so that every version can read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// [`PROTOCOL_VERSION`] of the silo.
    pub version: u16,
    /// Who joins. The link must agree.
    pub silo: SiloId,
    /// Digest of the plan that the silo runs.
    pub plan: Digest,
}

/// The coordinator's answer to a silo that may take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The round that is under way or comes next.
    pub round: Round,
    /// Rounds of the whole run.
    pub rounds: u32,
    /// The last round that this silo was asked for, as far as the coordinator can tell: rather one too late than one
    /// too early. A silo that has lost its ledger charges itself for all rounds up to it.
    pub asked: Option<Round>,
}
