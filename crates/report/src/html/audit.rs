//! Two numbers on one axis: what an audit found, and what to suspect if it found too much.

use super::Section;
use super::markup::{Badge, Table, badge, figures, fold, paragraph, shown_rounds};
use super::verdict;
use crate::RunReport;
use crate::figure::bounds;
use crate::format;
use crate::model::{AuditMethod, UnitAudit};

/// What makes an audit cross, and how to tell one cause from another.
const SUSPECTS: [(&str, &str); 7] = [
    (
        "Too little noise: a factor forgotten, a deviation taken for a variance",
        "noise-strength is below 1 in every silo; the canaries' push is about 1",
    ),
    (
        "A silo that adds no noise, or less than the others",
        "noise-strength is below 1 in that silo alone",
    ),
    (
        "Noise that is used again: a generator seeded anew for every step, round or silo",
        "noise-fresh-in-every-step or -round trips while noise-strength passes",
    ),
    (
        "Units join more often than the ledger says: shuffled batches, a rate for another data set",
        "all noise checks pass; the push is the true rate over the ledger's, alike for records and subjects",
    ),
    (
        "A batch is clipped as a whole, not each unit in it",
        "the push is not 1, and not the same for records and subjects; noise-strength is above 1, since the others' share changes with every batch",
    ),
    (
        "Sums divided by the batch that was drawn instead of the expected one",
        "noise-strength is above 1 though nobody asked for more noise, and the push is about 1: small batches blow both up",
    ),
    (
        "The accountant, or the wrong event in the ledger",
        "push and noise are as they should be and the bounds cross all the same; replay ledger.jsonl with another tool",
    ),
];

/// The audit, if there was one.
pub(super) fn section(report: &RunReport) -> Option<Section> {
    let audit = report.audit.as_ref()?;
    let mut body = paragraph(&format!(
        "The accountant proves that ε is at most so much; an audit shows that it is at least so much. {} A correct \
         run passes all {} tests together with a chance of at least {}.",
        audit.view,
        audit.tests,
        format::rate(audit.confidence.get())
    ));
    if audit.crossings().next().is_some() {
        body += &format!("<p>{}</p>", badge(Badge::Bad, "the promise is refuted"));
    }
    for unit in &audit.units {
        let broken: Vec<String> = unit
            .refuted()
            .map(|round| round.round.to_string())
            .collect();
        if !broken.is_empty() {
            body += &paragraph(&format!(
                "For {}, by {}: after round {}.",
                format::with_article(format::unit(unit.unit, &report.identity.nouns)),
                unit.canaries,
                broken.join(", ")
            ));
        }
    }
    body += &figures(bounds(report).into_iter().map(Some));
    for unit in &audit.units {
        body += &methods(report, unit);
        body += &estimates(report, unit);
    }
    if !audit.checks.is_empty() {
        body += &verdict::checks("Is the noise what the ledger says?", &audit.checks);
    }
    for reason in &audit.not_audited {
        body += &paragraph(reason);
    }
    if !audit.passed() {
        body += &suspects(1.0 - audit.confidence.get());
    }
    Some(Section {
        id: "audit",
        title: "Two numbers on one axis",
        body,
    })
}

fn methods(report: &RunReport, unit: &UnitAudit) -> String {
    let name = format::unit(unit.unit, &report.identity.nouns);
    let mut caption = format!(
        "After the last round, for {}: {}, {} in and {} out",
        format::with_article(name),
        unit.canaries,
        unit.inside,
        unit.outside
    );
    if let Some(last) = unit.last() {
        caption += &format!(
            "; the accountant: at most {}",
            format::epsilon_upper(last.upper)
        );
        if let Some(tightness) = last.tightness() {
            caption += &format!("; lower over upper: {}", format::fixed(tightness, 2));
        }
    }
    if let Some(push) = unit.push {
        caption += &format!(
            "; push: {} of what the ledger lets them add",
            format::fixed(push.get(), 2)
        );
    }
    method_table(&caption, &unit.methods)
}

/// What is estimated of every round; nothing if nothing can be.
fn estimates(report: &RunReport, unit: &UnitAudit) -> String {
    if unit.estimates.is_empty() {
        return String::new();
    }
    let caption = format!(
        "Estimates, not bounds, for {}: ε by the cosines of every round's update with the directions of the {} that are in \
         (Andrew et al., arXiv 2302.03098)",
        format::with_article(format::unit(unit.unit, &report.identity.nouns)),
        unit.canaries
    );
    let head = ["#round", "#this round alone", "#all rounds so far"];
    let mut table = Table::new(&caption, &head);
    let shown = shown_rounds(unit.estimates.len());
    for (_, at) in unit.estimates.iter().enumerate().filter(|(k, _)| shown(*k)) {
        table.row([
            at.round.to_string(),
            format::epsilon_lower(at.alone),
            format::epsilon_lower(at.so_far),
        ]);
    }
    fold("Estimates by round", &table.to_html())
}

/// Every method's answer.
pub(super) fn method_table(caption: &str, methods: &[AuditMethod]) -> String {
    let mut table = Table::new(
        caption,
        &[
            "method",
            "what it is",
            "#ε",
            "#confidence",
            "can fail the run",
        ],
    );
    for method in methods {
        let title = if method.source.is_empty() {
            method.name.clone()
        } else {
            format!("{} ({})", method.name, method.source)
        };
        table.row([
            title.as_str(),
            format::nature(method.nature),
            &format::epsilon_lower(method.epsilon),
            &method.confidence.map_or("—".to_owned(), |level| {
                format::trimmed(100.0 * level.get(), 3) + " %"
            }),
            if method.decides { "yes" } else { "no" },
        ]);
    }
    table.to_html()
}

/// What to suspect if a correct program refutes with a chance of `alarm` at most.
pub(super) fn suspects(alarm: f64) -> String {
    let mut table = Table::new("What to suspect, and how to tell", &["suspect", "sign"]);
    for (suspect, sign) in SUSPECTS {
        table.row([suspect, sign]);
    }
    table.to_html()
        + &paragraph(&format!(
            "Run the scenario again with another seed before searching: by chance alone a correct run fails in at most \
             {} of all cases, and then with another seed it passes. docs/audits.md tells more.",
            format::rate(alarm)
        ))
}
