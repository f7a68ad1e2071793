//! What it cost: the model's quality by round.

use super::Section;
use super::markup::{Table, figures, fold, paragraph, shown_rounds};
use crate::RunReport;
use crate::figure;
use crate::format;

/// The section.
pub(super) fn section(report: &RunReport) -> Section {
    let utility = &report.utility;
    let Some(last) = utility.rounds.last() else {
        let body = paragraph("The model was not measured.");
        return Section {
            id: "cost",
            title: "What it cost",
            body,
        };
    };
    let mut body = paragraph(&format!(
        "Measured on {} {} that no silo trained on: {} right at the end, where guessing evenly gives {} and \
         always giving the most frequent answer {}. What the protection itself costs shows beside a run without \
         it: siloscope compare.",
        format::count(utility.test_records),
        report.identity.nouns.record.many,
        format::percent(last.accuracy.get()),
        format::percent(utility.baseline.chance.get()),
        format::percent(utility.baseline.majority.get()),
    ));
    body += &figures([
        figure::accuracy(report),
        figure::loss(report),
        figure::clip_norm(report),
    ]);
    let mut table = Table::new(
        "Quality after each round",
        &["#round", "#accuracy", "#loss (nats)"],
    );
    let shown = shown_rounds(utility.rounds.len());
    for (_, round) in utility.rounds.iter().enumerate().filter(|(k, _)| shown(*k)) {
        table.row([
            round.round.to_string(),
            format::percent(round.accuracy.get()),
            format::fixed(round.loss.get(), 4),
        ]);
    }
    body += &fold("The numbers: quality by round", &table.to_html());
    Section {
        id: "cost",
        title: "What it cost",
        body,
    }
}
