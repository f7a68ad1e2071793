//! Whether to believe it: the limits, the checks, the notes.

use super::Section;
use super::markup::{Badge, Table, badge, escaped};
use crate::RunReport;
use crate::format;
use crate::model::{Check, CheckOutcome, Gate, Note, NoteKind, Sense};

/// Limits, checks and notes.
pub(super) fn section(report: &RunReport) -> Option<Section> {
    let mut body = String::new();
    if !report.gates.is_empty() {
        body += &gates(&report.gates);
    }
    if !report.leak.checks.is_empty() {
        let title = "Attacks whose answer is known beforehand";
        body += &checks(title, &report.leak.checks);
    }
    if !report.notes.is_empty() {
        body += &notes(&report.notes);
    }
    (!body.is_empty()).then_some(Section {
        id: "verdict",
        title: "Can this be believed?",
        body,
    })
}

fn gates(gates: &[Gate]) -> String {
    let mut table = Table::new(
        "Limits that the scenario set",
        &["limit", "what", "#allowed", "#found", "held"],
    );
    for gate in gates {
        let sign = match gate.sense {
            Sense::AtMost => "≤",
            Sense::AtLeast => "≥",
        };
        table.markup_row([
            format!("<code>{}</code>", escaped(&gate.name)),
            escaped(&gate.what),
            format!("{sign} {}", format::trimmed(gate.limit.get(), 4)),
            format::trimmed(gate.value.get(), 4),
            if gate.passed {
                badge(Badge::Good, "yes")
            } else {
                badge(Badge::Bad, "no")
            },
        ]);
    }
    table.to_html()
}

/// What should have come out and what did, under a title.
pub(super) fn checks(title: &str, checks: &[Check]) -> String {
    let mut table = Table::new(title, &["check", "should come out", "came out", "outcome"]);
    for check in checks {
        table.markup_row([
            format!("<code>{}</code>", escaped(&check.name)),
            escaped(&check.expected),
            escaped(&check.found),
            match check.outcome {
                CheckOutcome::Passed => badge(Badge::Good, "passed"),
                CheckOutcome::Tripped => badge(Badge::Bad, "tripped"),
                CheckOutcome::Caution => badge(Badge::Neutral, "caution"),
                CheckOutcome::NotRun => badge(Badge::Neutral, "not run"),
            },
        ]);
    }
    let mut html = table.to_html();
    for check in checks.iter().filter(|check| !check.meaning.is_empty()) {
        let badge = match check.outcome {
            CheckOutcome::Tripped => badge(Badge::Bad, "tripped"),
            CheckOutcome::Caution => badge(Badge::Neutral, "caution"),
            CheckOutcome::Passed | CheckOutcome::NotRun => continue,
        };
        html += &format!(
            "<p>{badge} <code>{}</code>: {}</p>",
            escaped(&check.name),
            escaped(&check.meaning)
        );
    }
    html
}

fn notes(notes: &[Note]) -> String {
    let mut html = "<h3>Before you quote a number</h3><ul class=\"notes\">".to_owned();
    for note in notes {
        let lead = match note.kind {
            NoteKind::Warning => "<strong>Warning.</strong> ",
            NoteKind::Limit => "",
        };
        html += &format!("<li>{lead}{}</li>", escaped(&note.text));
    }
    html + "</ul>"
}
