//! The report's figures: each is one question, its picture, and words that say how to read it.
//!
//! The HTML page shows them in place; [`all`] gives the same pictures as files of their own, sized for
//! one column of a paper.

mod audit;
mod compare;
mod cost;
mod curves;
mod histogram;
mod leak;
mod promise;
mod shape;
mod subjects;
mod survival;
pub(crate) mod sweep;
mod told_apart;

pub(crate) use audit::bounds;
pub(crate) use compare::{quality_by_auc, quality_by_epsilon};
pub(crate) use cost::{LOWEST_R_SQUARED, clip_norm, loss, quality};
pub use curves::{AxisLabel, Curve, curves};
pub(crate) use leak::{auc, roc, roc_low};
pub(crate) use promise::{epsilon_by_round, epsilon_over_subjects};
pub(crate) use shape::{matrix, records_per_silo, records_per_subject, silos_per_subject};
pub(crate) use subjects::{exposure, scores};
pub(crate) use survival::survival;
pub(crate) use told_apart::told_apart;

use crate::RunReport;
use crate::chart;
use crate::model::Regime;

/// A figure with its caption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// A name for a file, e.g. `auc-loss-threshold`.
    pub name: String,
    /// What it shows and how to read it.
    pub caption: String,
    alt: String,
    painted: String,
}

impl Figure {
    pub(crate) fn new(
        name: impl Into<String>,
        alt: impl Into<String>,
        caption: impl Into<String>,
        painted: String,
    ) -> Self {
        Self {
            // A file name and an id, whatever the attack is called.
            name: name
                .into()
                .replace(|c: char| !c.is_ascii_alphanumeric(), "-"),
            caption: caption.into(),
            alt: alt.into(),
            painted,
        }
    }

    /// The picture as an SVG file, in colours for paper.
    pub fn to_svg(&self) -> String {
        chart::standalone(&self.painted, &self.alt)
    }

    pub(crate) fn to_inline(&self) -> String {
        chart::inline(&self.painted, &self.alt)
    }
}

/// Every figure that the report's numbers allow, in the page's order.
pub fn all(report: &RunReport) -> Vec<Figure> {
    let mut figures = Vec::new();
    figures.extend(epsilon_by_round(report));
    figures.extend(epsilon_over_subjects(report));
    for attack in attack_names(report) {
        figures.extend(auc(report, attack));
        figures.extend(roc(report, attack));
        figures.extend(roc_low(report, attack));
    }
    for regime in Regime::ALL {
        figures.extend(survival(report, regime));
        figures.extend(scores(report, regime));
        figures.extend(exposure(report, regime));
    }
    figures.extend(quality(report));
    figures.extend(loss(report));
    figures.extend(clip_norm(report));
    figures.extend(matrix(report));
    figures.extend(silos_per_subject(report));
    figures.extend(records_per_subject(report));
    figures.extend(records_per_silo(report));
    figures.extend(bounds(report));
    figures
}

/// The attacks' names in the report's order, each once.
pub(crate) fn attack_names(report: &RunReport) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for attack in &report.leak.attacks {
        if !names.contains(&attack.attack.as_str()) {
            names.push(&attack.attack);
        }
    }
    names
}
