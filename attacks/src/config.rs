//! Attacks as a scenario names them: the `[[attacks]]` tables.

use crate::attack::MembershipAttack;
use crate::gradient_norm::GradientNorm;
use crate::histogram_forest::{BINS, HistogramForest};
use crate::lira::Lira;
use crate::loss_across_rounds::{LossAcrossRounds, Trend};
use crate::loss_ratio::LossRatio;
use crate::loss_threshold::LossThreshold;
use crate::neighbourhood::LossAcrossNeighbourhood;
use crate::quantile::Quantile;
use crate::range::Range;
use crate::rmia::Rmia;
use crate::update_alignment::UpdateAlignment;
use primitives::Seed;
use serde::{Deserialize, Serialize};

/// One `[[attacks]]` table: `kind` and that attack's settings.
///
/// | kind | settings | least view | needs beside the loss |
/// |---|---|---|---|
/// | `loss-threshold` | | final-model | |
/// | `loss-across-rounds` | `statistic` | every-round | |
/// | `loss-across-neighbourhood` | | final-model | neighbourhood loss |
/// | `loss-ratio` | | every-round | |
/// | `range` | `trim`, `side` | final-model | |
/// | `gradient-norm` | | final-model | gradient norm |
/// | `lira` | `shadows`, `variance` | final-model | margin, shadow runs |
/// | `rmia` | `shadows`, `gamma`, `scale` | final-model | shadow runs |
/// | `quantile` | `fpr` | final-model | plain features |
/// | `histogram-forest` | `bins` | final-model | 3 known subjects of each kind |
/// | `update-alignment` | `statistic`, `calibration` | silo-updates | silo signals |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum AttackConfig {
    /// Mean loss over the adversary's records.
    LossThreshold(LossThreshold),
    /// Trend of the loss over the rounds; every trend if `statistic` is left out.
    LossAcrossRounds(LossAcrossRoundsConfig),
    /// Mean loss over perturbed copies of the records.
    LossAcrossNeighbourhood(LossAcrossNeighbourhood),
    /// Loss over the untrained model's loss.
    LossRatio(LossRatio),
    /// Trimmed mean of the loss.
    Range(Range),
    /// Mean norm of the gradient.
    GradientNorm(GradientNorm),
    /// Likelihood ratio of the margin over shadow runs.
    Lira(Lira),
    /// Relative likelihood against a population over shadow runs.
    Rmia(Rmia),
    /// Loss less its predicted quantile among non-members.
    Quantile(Quantile),
    /// A forest on the spread of the losses, trained on known subjects.
    HistogramForest(HistogramForestConfig),
    /// Agreement of the silos' updates with the subject.
    UpdateAlignment(UpdateAlignment),
}

/// Settings of `kind = "loss-across-rounds"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossAcrossRoundsConfig {
    /// The trend; all of them if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistic: Option<Trend>,
}

/// Settings of `kind = "histogram-forest"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistogramForestConfig {
    /// Bins of the histogram; 10 if left out, and at least 1.
    #[serde(default = "bins")]
    pub bins: std::num::NonZeroUsize,
}

const fn bins() -> std::num::NonZeroUsize {
    std::num::NonZeroUsize::new(BINS).expect("ten is not zero")
}

impl AttackConfig {
    /// The attacks that the table asks for: one, or one for each statistic. Those that learn draw from
    /// [`primitives::Role::Adversary`] streams of `seed`.
    pub fn attacks(&self, seed: Seed) -> Vec<Box<dyn MembershipAttack>> {
        match self {
            Self::LossThreshold(attack) => vec![Box::new(*attack)],
            Self::LossAcrossRounds(LossAcrossRoundsConfig { statistic }) => Trend::ALL
                .into_iter()
                .filter(|trend| statistic.is_none_or(|only| only == *trend))
                .map(|statistic| {
                    Box::new(LossAcrossRounds { statistic }) as Box<dyn MembershipAttack>
                })
                .collect(),
            Self::LossAcrossNeighbourhood(attack) => vec![Box::new(*attack)],
            Self::LossRatio(attack) => vec![Box::new(*attack)],
            Self::Range(attack) => vec![Box::new(*attack)],
            Self::GradientNorm(attack) => vec![Box::new(*attack)],
            Self::Lira(attack) => vec![Box::new(*attack)],
            Self::Rmia(attack) => vec![Box::new(*attack)],
            Self::Quantile(attack) => vec![Box::new(*attack)],
            Self::HistogramForest(HistogramForestConfig { bins }) => {
                vec![Box::new(HistogramForest {
                    bins: bins.get(),
                    seed,
                })]
            }
            Self::UpdateAlignment(attack) => vec![Box::new(*attack)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(table: &str) -> Vec<String> {
        let config: AttackConfig = serde_json::from_str(table).unwrap();
        let attacks = config.attacks(Seed::from_number(0));
        attacks.iter().map(|attack| attack.name()).collect()
    }

    #[test]
    fn a_table_names_its_attacks() {
        assert_eq!(names(r#"{"kind":"loss-threshold"}"#), ["loss-threshold"]);
        assert_eq!(
            names(r#"{"kind":"loss-across-rounds","statistic":"slope"}"#),
            ["loss-across-rounds/slope"]
        );
        assert_eq!(names(r#"{"kind":"loss-across-rounds"}"#).len(), 6);
        assert_eq!(
            names(r#"{"kind":"lira","shadows":"offline"}"#),
            ["lira/offline"]
        );
        assert_eq!(
            names(r#"{"kind":"update-alignment"}"#),
            ["update-alignment/cosine/non-target"]
        );
    }

    #[test]
    fn attacks_that_differ_have_different_names() {
        for (table, name) in [
            (r#"{"kind":"range","trim":0.3}"#, "range/low/trim-0.3"),
            (r#"{"kind":"range","trim":0.5,"side":"high"}"#, "range/high"),
            (
                r#"{"kind":"lira","variance":"per-subject"}"#,
                "lira/online/per-subject-variance",
            ),
            (
                r#"{"kind":"rmia","shadows":"offline","gamma":2.0,"scale":{"fixed":0.3}}"#,
                "rmia/offline/gamma-2/scale-0.3",
            ),
            (r#"{"kind":"rmia","gamma":1.0}"#, "rmia/online"),
            (r#"{"kind":"quantile","fpr":0.01}"#, "quantile/fpr-0.01"),
            (r#"{"kind":"histogram-forest"}"#, "histogram-forest"),
            (
                r#"{"kind":"histogram-forest","bins":20}"#,
                "histogram-forest/bins-20",
            ),
        ] {
            assert_eq!(names(table), [name]);
        }
    }

    #[test]
    fn unknown_keys_and_kinds_are_refused() {
        for table in [
            r#"{"kind":"loss-threshold","statistic":"slope"}"#,
            r#"{"kind":"loss-across-rounds","statistics":"slope"}"#,
            r#"{"kind":"loss-across-rounds","statistic":"steepness"}"#,
            r#"{"kind":"range","trim":1.0}"#,
            r#"{"kind":"histogram-forest","bins":0}"#,
            r#"{"kind":"gut-feeling"}"#,
        ] {
            assert!(
                serde_json::from_str::<AttackConfig>(table).is_err(),
                "{table}"
            );
        }
    }
}
