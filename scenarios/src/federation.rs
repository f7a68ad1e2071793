//! The `[federation]` table: how many silos and rounds, who holds what, how updates combine.

use crate::sight::{SecureAggregation, ServerSees};
use data::{PartitionConfig, SpreadConfig};
use protocol::Compression;
use serde::{Deserialize, Serialize};
use server::{AggregatorConfig, LostQuorum, Patience, Positive, StrategyConfig};
use transport::Seconds;

/// The federation's shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FederationConfig {
    /// How many silos there are.
    pub silos: u32,
    /// How many rounds are trained.
    pub rounds: u32,
    /// How many silos take part in a round, drawn uniformly; all of them if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silos_per_round: Option<u32>,
    /// How records are put into silos.
    #[serde(default)]
    pub partition: PartitionConfig,
    /// Over how many silos one subject's records scatter; one if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<SpreadConfig>,
    /// The server's algorithm.
    #[serde(default)]
    pub strategy: StrategyConfig,
    /// How the silos' updates become one.
    #[serde(default)]
    pub aggregator: AggregatorConfig,
    /// How updates travel: the lossy ways change the run's numbers.
    #[serde(default)]
    pub compression: Compression,
    /// The fewest updates with which a round may end; the whole cohort if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<u32>,
    /// How long a round waits for updates; for ever if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_seconds: Option<Seconds>,
    /// What becomes of a round without a quorum.
    #[serde(default, skip_serializing_if = "OnLostQuorum::is_end")]
    pub on_lost_quorum: OnLostQuorum,
    /// How often one round is repeated at most, where rounds are; three times if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_repeats: Option<u32>,
    /// The largest L2 norm of a silo's update; larger ones are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_update_norm: Option<Positive>,
    /// What the coordinator sees of a round.
    #[serde(default)]
    pub server_sees: ServerSees,
    /// How it comes that it sees sums only; by masks if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secure_aggregation: Option<SecureAggregation>,
}

/// What becomes of a round without a quorum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnLostQuorum {
    /// The run ends there, with exit code 6.
    #[default]
    End,
    /// The same cohort is asked again. Nobody spends twice for it.
    Repeat,
}

impl OnLostQuorum {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    const fn is_end(&self) -> bool {
        matches!(self, Self::End)
    }
}

impl FederationConfig {
    /// Silos that take part in a round.
    pub fn cohort_size(&self) -> u32 {
        self.silos_per_round.unwrap_or(self.silos)
    }

    /// How rounds end when silos do not answer.
    pub fn patience(&self) -> Patience {
        Patience {
            deadline: self.deadline_seconds.map(Seconds::duration),
            quorum: self.fewest_updates(),
            lost_quorum: match self.on_lost_quorum {
                OnLostQuorum::End => LostQuorum::End,
                OnLostQuorum::Repeat => LostQuorum::Repeat {
                    at_most: self.max_repeats.unwrap_or(3),
                },
            },
        }
    }

    /// The fewest updates with which a round may end.
    pub fn fewest_updates(&self) -> u32 {
        self.quorum.unwrap_or_else(|| self.cohort_size())
    }
}
