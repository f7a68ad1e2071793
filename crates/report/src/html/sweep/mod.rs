//! The report of a sweep as one HTML file, in the look of a run's.

mod effects;
mod opening;
mod pairs;
mod points;
mod regression;
mod unfinished;

use super::markup::{escaped, figures, fold, paragraph};
use super::{Section, document};
use crate::figure::sweep as figure;
use crate::sweep::SweepReport;

impl SweepReport {
    /// The report as one HTML page.
    pub fn to_html(&self) -> String {
        let sections: Vec<Section> = [
            unfinished::section(self),
            Some(opening::swept(self)),
            effects::section(self),
            pairs::section(self),
            frontier(self),
            regression::section(self),
            Some(points::section(self)),
            Some(reading()),
        ]
        .into_iter()
        .flatten()
        .collect();
        let body = opening::header(self) + &super::sections(&sections) + &opening::footer(self);
        document(&format!("{} · Siloscope sweep", self.design.name), &body)
    }
}

fn frontier(report: &SweepReport) -> Option<Section> {
    let by_epsilon = figure::utility_by_epsilon(report);
    let unbounded = by_epsilon.is_none();
    let by_auc = report
        .headlines
        .iter()
        .map(|m| figure::utility_by_auc(report, m));
    let mut body = figures(std::iter::once(by_epsilon).chain(by_auc));
    if body.is_empty() {
        return None;
    }
    if unbounded {
        body += &paragraph(
            "No point promises a subject anything (ε = ∞), so there is no figure of what a promise costs.",
        );
    }
    Some(Section {
        id: "frontier",
        title: "Privacy against utility",
        body,
    })
}

/// What the words of the page mean.
fn reading() -> Section {
    let items = [
        (
            "Task and point",
            "A task is one run. A point is the tasks that differ in their seed alone; its figures are means over its seeds, and its ε is the largest of them.",
        ),
        (
            "Interval",
            "A 95 % t interval of a mean that counts points as independent of each other and not their seeds, since these may share data (cluster-robust, CR1). Points at one level differ in their other factors, and the interval holds that too: it says how sure the mean over such points is. Differences between levels are sharper in the regression. Where a level has one point only, the interval counts its seeds, and says nothing about other points.",
        ),
        (
            "Explained",
            "The share of a measure’s variance over tasks that a factor’s levels, or the cells of a pair, account for, less what as many groups without meaning would (adjusted R²).",
        ),
        (
            "Regression",
            "Ordinary least squares on all factors at once. A numeric factor’s coefficient is the change for one standard deviation of it, or of its logarithm where the sweep spaces it so; another factor’s is the change from its first level. Standard errors are clustered by point (CR1), and t has as many degrees of freedom as there are points beyond the coefficients. A term that leans on a level of a single point has no such error: it counts that point’s seeds (HC2, degrees of freedom by Bell and McCaffrey). p-values are not corrected for how many there are.",
        ),
        (
            "Strongest attack",
            "The one with the highest mean AUC over the sweep, picked after the fact, which favours the attacker. Every attack is in the tables below the figures and in the files.",
        ),
    ];
    let list: String = items
        .iter()
        .map(|(word, meaning)| format!("<dt>{}</dt><dd>{}</dd>", escaped(word), escaped(meaning)))
        .collect();
    Section {
        id: "reading",
        title: "How to read this",
        body: format!("<dl class=\"glossary\">{list}</dl>"),
    }
}

/// `body` itself if there is little of it, otherwise to be unfolded.
fn folded_beyond(most: usize, count: usize, summary: &str, body: String) -> String {
    if count > most {
        fold(summary, &body)
    } else {
        body
    }
}
