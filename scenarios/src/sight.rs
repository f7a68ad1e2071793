//! What the coordinator sees of a round: every update, or their sum.

use crate::diagnosis::Fault;
use crate::file::Scenario;
use crate::privacy::Protection;
use accounting::NoiseMultiplier;
use attacks::View;
use protocol::Weights;
use secure_sum::{DistributedNoise, FixedPoint, MOST_MEMBERS, SumCode, SumPlan};
use serde::{Deserialize, Serialize};

/// What the coordinator sees of a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerSees {
    /// Every silo's update.
    #[default]
    Updates,
    /// Their sum, as integers of fixed point, and nothing else.
    Sum,
}

/// How it comes that the coordinator sees sums only.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SecureAggregation {
    /// By masks that cancel in the sum (Bonawitz et al. 2017).
    Masked {
        /// How many silos take masks off, and must take part to the end; the smallest majority if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        threshold: Option<u32>,
        /// The largest magnitude of a coordinate of an update; 16 if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        range: Option<f64>,
    },
    /// By a trusted party, which sees the summands and shows their sum. The same numbers without the cost of the masks.
    Trusted {
        /// The largest magnitude of a coordinate of an update; 16 if left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        range: Option<f64>,
    },
}

impl Default for SecureAggregation {
    fn default() -> Self {
        Self::Masked {
            threshold: None,
            range: None,
        }
    }
}

/// Where a scenario says nothing: no weight of a model in use here moves by as much in a round.
const RANGE: f64 = 16.0;

impl SecureAggregation {
    const fn range(self) -> Option<f64> {
        match self {
            Self::Masked { range, .. } | Self::Trusted { range } => range,
        }
    }

    /// The threshold for a cohort of that size, if there are masks.
    pub fn threshold(self, cohort: u32) -> Option<u32> {
        match self {
            Self::Masked { threshold, .. } => Some(threshold.unwrap_or(cohort / 2 + 1)),
            Self::Trusted { .. } => None,
        }
    }
}

/// How a scenario's rounds are summed; none if updates are seen.
///
/// # Errors
/// If the ring cannot carry the range or the noise.
pub(crate) fn sum_plan(
    scenario: &Scenario,
    noise_multiplier: Option<NoiseMultiplier>,
) -> Result<Option<SumPlan>, Fault> {
    let federation = &scenario.federation;
    if federation.server_sees == ServerSees::Updates {
        return Ok(None);
    }
    let cohort = federation.cohort_size();
    let how = federation.secure_aggregation.unwrap_or_default();
    let code = match (scenario.privacy.protection, noise_multiplier) {
        (Protection::DistributedNoise { clip_norm }, Some(noise_multiplier)) => {
            let shares = federation.fewest_updates();
            DistributedNoise::try_new(clip_norm.get(), noise_multiplier.get(), cohort, shares)
                .map(SumCode::Noised)
                .map_err(|error| Fault::new("privacy.noise_multiplier", error.to_string()))
        }
        _ => FixedPoint::try_new(how.range().unwrap_or(RANGE), cohort)
            .map(SumCode::Plain)
            .map_err(|error| Fault::new("federation.secure_aggregation", error.to_string())),
    };
    Ok(Some(SumPlan {
        code: code?,
        cohort,
        threshold: how.threshold(cohort),
    }))
}

/// What does not go together with what the coordinator sees.
pub(crate) fn faults(scenario: &Scenario, faults: &mut Vec<Fault>) {
    let (federation, protection) = (&scenario.federation, scenario.privacy.protection);
    let noised = matches!(protection, Protection::DistributedNoise { .. });
    let mut fault = |field: &str, message: &str| faults.push(Fault::new(field, message));
    if federation.server_sees == ServerSees::Updates {
        if federation.secure_aggregation.is_some() {
            fault(
                "federation.secure_aggregation",
                "the coordinator sees every update, so nothing is aggregated securely: add server_sees = \"sum\", or \
                 remove secure_aggregation",
            );
        }
        if noised {
            fault(
                "federation.server_sees",
                "protection = \"distributed-noise\" gives each silo a share of the noise that protects the sum alone: \
                 add server_sees = \"sum\"",
            );
        }
        return;
    }
    if matches!(protection, Protection::SiloNoise { .. }) {
        fault(
            "federation.server_sees",
            "protection = \"silo-noise\" has the coordinator clip every update, which it does not see with server_sees = \
             \"sum\": use protection = \"distributed-noise\", or server_sees = \"updates\"",
        );
    }
    if federation.aggregator != server::AggregatorConfig::Mean {
        fault(
            "federation.aggregator",
            "trimmed means and medians look at every update, and server_sees = \"sum\" shows none: use { kind = \"mean\" }",
        );
    }
    if federation.strategy.weights() != Weights::Uniform {
        fault(
            "federation.strategy",
            "weights by records are not carried by a sum of updates: with server_sees = \"sum\" use weights = \"uniform\"",
        );
    }
    if federation.compression.is_lossy() {
        fault(
            "federation.compression",
            "summands are integers that cannot be rounded once they are masked: with server_sees = \"sum\" use \"none\" or \
             \"zstd\"",
        );
    }
    if federation.max_update_norm.is_some() {
        fault(
            "federation.max_update_norm",
            "with server_sees = \"sum\" nobody sees an update's norm: remove max_update_norm",
        );
    }
    if scenario.adversary.view == View::SiloUpdates {
        fault(
            "adversary.view",
            "view = \"silo-updates\" is what a coordinator sees that sees every update; with federation.server_sees = \
             \"sum\" nobody does: use \"every-round\" or \"final-model\", or server_sees = \"updates\"",
        );
    }
    let how = federation.secure_aggregation.unwrap_or_default();
    if noised && how.range().is_some() {
        fault(
            "federation.secure_aggregation",
            "range is not used with protection = \"distributed-noise\", where clip_norm bounds every update: remove it",
        );
    }
    let cohort = federation.cohort_size();
    if let Some(threshold) = how.threshold(cohort) {
        let fewest = federation.fewest_updates();
        let suits = threshold >= 2 && 2 * threshold > cohort && threshold <= fewest;
        if cohort as usize > MOST_MEMBERS || !suits {
            let message = format!(
                "threshold = {threshold} for {cohort} silos a round, of which {fewest} must answer; a masked sum takes 2 to \
                 {MOST_MEMBERS} silos and a threshold of more than half of them, at least 2 and at most as many as \
                 must answer"
            );
            faults.push(Fault::new("federation.secure_aggregation", message));
        }
    }
    if let Err(unfit) = sum_plan(scenario, None) {
        faults.push(unfit);
    }
}
