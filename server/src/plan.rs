//! Everything that a coordinator is told before its run.

use crate::{ClipNormLaw, CohortLaw, Positive};
use accounting::{InvalidEntry, LedgerEntry, Mechanism};
use primitives::{Digest, Round, SiloId};
use protocol::{Release, Weights};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What a coordinator does not decide for itself. Checked by [`Coordinator`](crate::Coordinator)
/// when it is made.
#[derive(Clone, Debug, PartialEq)]
pub struct CoordinatorPlan {
    /// Digest of the plan that all silos must share.
    pub digest: Digest,
    /// Rounds of the run.
    pub rounds: u32,
    /// The roster, and how cohorts are drawn from it.
    pub cohorts: CohortLaw,
    /// What each silo of the roster releases in a round, exactly as its trainer will emit it. An empty
    /// list is a silo whose update only the coordinator sees.
    pub releases: BTreeMap<SiloId, Vec<Release>>,
    /// How much each silo counts.
    pub weights: Weights,
    /// Whether silos keep counts and losses to themselves.
    pub protected: bool,
    /// The largest L2 norm of an update; larger ones are refused. Not with an aggregator that clips and noises
    /// the updates itself: there the clip norm is the bound, and who is refused would tell about updates that
    /// nobody but the coordinator may see.
    pub max_update_norm: Option<Positive>,
    /// Whether a round's outcome holds every update's delta: for those who look at single updates, at the price of
    /// their memory.
    pub keep_deltas: bool,
    /// How the clip norm of local steps adapts, if it does.
    pub clip_norm: Option<ClipNormLaw>,
    /// How a round ends when silos do not answer.
    pub patience: Patience,
}

/// How a round ends when silos do not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// An attempt at a round ends this long after it began; `None` waits for ever. As long does the first
    /// round wait for the roster once a quorum of it is there.
    pub deadline: Option<Duration>,
    /// The fewest updates with which a round may end, at least one.
    pub quorum: u32,
    /// What becomes of a round without a quorum.
    pub lost_quorum: LostQuorum,
}

/// What becomes of a round without a quorum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LostQuorum {
    /// The run ends.
    #[default]
    End,
    /// The same cohort is asked for the same round again; after so many repeats the run ends.
    Repeat {
        /// Repeats of one round, after its first attempt.
        at_most: u32,
    },
}

impl Patience {
    /// Waits for ever for `quorum` updates.
    pub const fn endless(quorum: u32) -> Self {
        Self {
            deadline: None,
            quorum,
            lost_quorum: LostQuorum::End,
        }
    }

    /// Whether a round may be asked for once more after so many attempts.
    pub(crate) const fn allows_another(&self, attempts: u32) -> bool {
        match self.lost_quorum {
            LostQuorum::End => false,
            LostQuorum::Repeat { at_most } => attempts <= at_most,
        }
    }
}

/// A plan that no coordinator can follow.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// A silo of the roster has no list of releases, or the other way round.
    #[error("{0} is either on the roster or has releases planned, but not both")]
    Releases(SiloId),
    /// A release that no ledger takes.
    #[error(transparent)]
    Entry(#[from] InvalidEntry),
    /// Counts would be told.
    #[error(
        "weights by records cannot be used while a protection is on: counts of records are data"
    )]
    WeightsRevealCounts,
    /// A quorum that no cohort can reach, or none.
    #[error("quorum {quorum} is outside 1..={cohort}, the size of a cohort")]
    Quorum {
        /// The quorum.
        quorum: u32,
        /// Silos of a cohort.
        cohort: usize,
    },
    /// A quorum that does not carry a sum.
    #[error(
        "quorum {quorum} is below {fewest}: sums of fewer silos cannot be unmasked, or lack the noise that is promised"
    )]
    QuorumBelowSum {
        /// The quorum.
        quorum: u32,
        /// The fewest silos whose sum may be seen.
        fewest: u32,
    },
    /// A limit on what nobody sees, or weights that a sum does not carry.
    #[error(
        "where the coordinator sees sums only, it knows no update's norm and every silo counts alike: leave out the \
         largest update norm, and weigh silos uniformly"
    )]
    UnseenUpdates,
    /// A limit on norms beside a clip norm.
    #[error(
        "a largest update norm cannot be set where the coordinator clips and noises the updates: who is refused \
         would tell about single updates, and the clip norm bounds them already"
    )]
    NormBesideNoise,
}

impl CoordinatorPlan {
    /// Checks what the parts must be to each other.
    pub(crate) fn check(&self, central: Option<Mechanism>) -> Result<(), PlanError> {
        let roster = self.cohorts.roster();
        let planned: BTreeSet<SiloId> = self.releases.keys().copied().collect();
        if let Some(&silo) = roster.symmetric_difference(&planned).next() {
            return Err(PlanError::Releases(silo));
        }
        self.entries(Round::UNTRAINED.next(), roster, central)?;
        if self.protected && self.weights == Weights::Records {
            return Err(PlanError::WeightsRevealCounts);
        }
        let (quorum, cohort) = (self.patience.quorum, self.cohorts.size());
        if quorum == 0 || quorum as usize > cohort {
            return Err(PlanError::Quorum { quorum, cohort });
        }
        if central.is_some() && self.max_update_norm.is_some() {
            return Err(PlanError::NormBesideNoise);
        }
        Ok(())
    }

    /// What a round of `cohort` releases: each silo's own, in the order of their ids, and then what the
    /// coordinator does with all of them.
    pub(crate) fn entries(
        &self,
        round: Round,
        cohort: &BTreeSet<SiloId>,
        central: Option<Mechanism>,
    ) -> Result<Vec<LedgerEntry>, InvalidEntry> {
        let own = cohort.iter().flat_map(|&silo| {
            self.releases
                .get(&silo)
                .into_iter()
                .flatten()
                .map(move |release| release.entry(round, silo))
        });
        let silos = || cohort.iter().map(|silo| silo.0).collect();
        let central = central.map(|mechanism| LedgerEntry::noised_sum(round.0, silos(), mechanism));
        own.chain(central).collect()
    }
}
