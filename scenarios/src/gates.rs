//! Limits that a run must keep, for pipelines: a run that breaks one ends with exit code 5.

use serde::{Deserialize, Serialize};

/// The `[gates]` table. Every gate is optional; a gate that is set must be kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gates {
    /// Largest AUC that any attack may reach on subjects after the last round, in either record regime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_subject_auc: Option<f64>,
    /// Largest ε that any subject may have spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_subject_epsilon: Option<f64>,
    /// Largest ε that any record may have spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_record_epsilon: Option<f64>,
    /// Smallest accuracy on the population's records after the last round, where classes are predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_accuracy: Option<f64>,
    /// Smallest R² there, where numbers are predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_r_squared: Option<f64>,
}

impl Gates {
    /// The gates that are set, with the field each is written in and the values that make sense for it.
    pub(crate) fn set(
        &self,
    ) -> impl Iterator<Item = (&'static str, f64, std::ops::RangeInclusive<f64>)> {
        [
            ("gates.max_subject_auc", self.max_subject_auc, 0.5..=1.0),
            (
                "gates.max_subject_epsilon",
                self.max_subject_epsilon,
                0.0..=f64::MAX,
            ),
            (
                "gates.max_record_epsilon",
                self.max_record_epsilon,
                0.0..=f64::MAX,
            ),
            ("gates.min_accuracy", self.min_accuracy, 0.0..=1.0),
            ("gates.min_r_squared", self.min_r_squared, 0.0..=1.0),
        ]
        .into_iter()
        .filter_map(|(field, limit, range)| limit.map(|limit| (field, limit, range)))
    }
}
