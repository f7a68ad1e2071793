//! What it cost: the model's quality by round.

use super::Section;
use super::markup::{Table, figures, fold, paragraph, shown_rounds};
use crate::RunReport;
use crate::figure;
use crate::format;
use crate::model::Quality;

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
    let found = match last.quality {
        Quality::Accuracy(accuracy) => format!("{} right", format::percent(accuracy.get())),
        Quality::RSquared(_) => format!("an R² of {}", format::quality(last.quality)),
    };
    let without_learning = match utility.baseline {
        Some(baseline) => format!(
            "guessing evenly gives {} and always giving the most frequent answer {}",
            format::percent(baseline.chance.get()),
            format::percent(baseline.majority.get())
        ),
        None => "always giving the targets' mean gives 0".to_owned(),
    };
    let mut body = paragraph(&format!(
        "Measured on {} {} that no silo trained on: {found} at the end, where {without_learning}. What the protection \
         itself costs shows beside a run without it: siloscope compare.",
        format::count(utility.test_records),
        report.identity.nouns.record.many,
    ));
    body += &figures([
        figure::quality(report),
        figure::loss(report),
        figure::clip_norm(report),
    ]);
    let quality = format!("#{}", last.quality.name());
    let loss = format!("#loss ({})", last.quality.loss_unit());
    let mut table = Table::new("Quality after each round", &["#round", &quality, &loss]);
    let shown = shown_rounds(utility.rounds.len());
    for (_, round) in utility.rounds.iter().enumerate().filter(|(k, _)| shown(*k)) {
        table.row([
            round.round.to_string(),
            format::quality(round.quality),
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
