//! The `[federation]` table: how many silos and rounds, who holds what, how updates combine.

use data::{PartitionConfig, SpreadConfig};
use protocol::Compression;
use serde::{Deserialize, Serialize};
use server::{AggregatorConfig, StrategyConfig};

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
}

impl FederationConfig {
    /// Silos that take part in a round.
    pub fn cohort_size(&self) -> u32 {
        self.silos_per_round.unwrap_or(self.silos)
    }
}
