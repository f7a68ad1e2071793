//! What goes into a silo's state machine and what comes out of it, beside messages.

use crate::TrainError;
use accounting::{InvalidEntry, Ledger, LedgerEntry};
use primitives::{Digest, Round, SiloId};
use protocol::{BudgetReached, FinishReason, Refusal, Release, SiloUpdate, Task, Welcome};
use secure_sum::MemberError;
use serde::{Deserialize, Serialize};

/// What a silo does not decide for itself.
#[derive(Clone, Debug, PartialEq)]
pub struct SiloPlan {
    /// The silo.
    pub silo: SiloId,
    /// Digest of the plan that all ends share.
    pub digest: Digest,
    /// What the silo releases in a round, exactly as its trainer will emit it. Empty if only the
    /// coordinator sees its update.
    pub releases: Vec<Release>,
}

/// What a silo must not forget: kept on disk, written before an update leaves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiloCheckpoint {
    /// Everything that the silo has released.
    pub ledger: Ledger,
    /// The last round it has spent on.
    pub last: Option<Round>,
    /// The update of that round, for as long as it may be asked for again.
    pub stored: Option<SiloUpdate>,
    /// The last round in whose masked sum it has helped to take masks off: once a round.
    #[serde(default)]
    pub opened: Option<Round>,
}

/// Heavy work, to be done wherever the driver likes.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingTask {
    /// Whose trainer is to do it.
    pub silo: SiloId,
    /// What is to be done.
    pub task: Task,
}

/// What a silo tells its driver.
#[derive(Clone, Debug, PartialEq)]
pub enum SiloEvent {
    /// The coordinator has put the silo on the roster.
    Joined(Welcome),
    /// The coordinator did not accept something.
    Refused(Refusal),
    /// A round was spent. Its update leaves with the next message.
    Spent {
        /// The round.
        round: Round,
        /// What it cost, which stands in the ledger.
        entries: Vec<LedgerEntry>,
    },
    /// The silo had no memory of earlier rounds and has charged itself for all that it may have released.
    Assumed {
        /// The last round charged.
        up_to: Round,
        /// What the ledger has taken.
        entries: Vec<LedgerEntry>,
    },
    /// The silo helps to take the masks off the sum of a round. Its shares leave with the next message.
    Opened(Round),
    /// The coordinator asked for a step of a masked sum that the silo does not take.
    SumRefused {
        /// The round.
        round: Round,
        /// Why.
        error: MemberError,
    },
    /// A round came to no update. Nothing was spent.
    TrainingFailed {
        /// The round.
        round: Round,
        /// Why: for the silo's own eyes.
        error: TrainError,
    },
    /// The silo's own gate has not admitted a round.
    RoundRefused(BudgetReached),
    /// The run is over.
    Finished(FinishReason),
}

impl SiloPlan {
    /// What a round releases.
    pub(crate) fn entries(&self, round: Round) -> Result<Vec<LedgerEntry>, InvalidEntry> {
        self.releases
            .iter()
            .map(|release| release.entry(round, self.silo))
            .collect()
    }
}
