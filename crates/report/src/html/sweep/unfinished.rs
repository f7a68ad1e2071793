//! Tasks that have no report: which, why, and what runs them.

use super::folded_beyond;
use crate::html::Section;
use crate::html::markup::{Badge, Table, badge, escaped};
use crate::sweep::{State, SweepReport};

/// More rows than this are folded.
const MOST_ROWS: usize = 30;

/// The section, if a task is not done.
pub(super) fn section(report: &SweepReport) -> Option<Section> {
    let count = report.unfinished().count();
    if count == 0 {
        return None;
    }
    let mut table = Table::new(
        "Tasks without a report",
        &["#task", "#id", "levels", "#seed", "state", "why"],
    );
    for task in report.unfinished() {
        let kind = match task.state {
            State::Failed { .. } => Badge::Bad,
            State::Done(_) | State::Missing => Badge::Neutral,
        };
        table.markup_row([
            task.task.index.to_string(),
            format!("<code>{}</code>", escaped(&task.task.id)),
            escaped(&task.task.in_words(&report.design.factors)),
            task.task.seed.to_string(),
            badge(kind, task.state.name()),
            escaped(&task.state.why()),
        ]);
    }
    let list = folded_beyond(
        MOST_ROWS,
        count,
        &format!("All {count} tasks without a report"),
        table.to_html(),
    );
    Some(Section {
        id: "unfinished",
        title: "Failed and missing",
        body: format!(
            "<p>No figure below knows of these tasks. This runs them, and no other:</p><pre>{}</pre>{list}",
            escaped(&report.again)
        ),
    })
}
