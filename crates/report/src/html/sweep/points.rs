//! One row a point.

use super::folded_beyond;
use crate::format;
use crate::html::Section;
use crate::html::markup::Table;
use crate::sweep::SweepReport;

/// More rows than this are folded.
const MOST_ROWS: usize = 40;

/// The section.
pub(super) fn section(report: &SweepReport) -> Section {
    let mut head = vec!["#point".to_owned()];
    for (factor, grouping) in report.design.factors.iter().zip(&report.groupings) {
        let side = if grouping.numeric { "#" } else { "" };
        head.push(format!("{side}{}", factor.name));
    }
    head.extend(
        report
            .shown()
            .map(|measure| format!("#{}", measure.short())),
    );
    head.extend(["#ε subject", "#done", "#held"].map(String::from));
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let mut table = Table::new("Points: means over their seeds, and the largest ε", &head);
    for point in &report.points {
        let mut row = vec![point.point.to_string()];
        let factors = report.design.factors.iter();
        row.extend(factors.map(|factor| point.levels[&factor.name].label.clone()));
        let means = point.auc.iter().copied().zip(&report.headlines);
        let utility = report
            .utility
            .iter()
            .map(|measure| (point.utility, measure));
        row.extend(means.chain(utility).map(|(mean, measure)| {
            mean.map_or("—".to_owned(), |mean| measure.written(mean.get()))
        }));
        row.push(point.epsilon.map_or("—".to_owned(), format::epsilon_upper));
        row.push(format!("{} of {}", point.done, point.tasks));
        row.push(format!("{} of {}", point.held, point.done));
        table.row(row);
    }
    let count = report.points.len();
    Section {
        id: "points",
        title: "All points",
        body: folded_beyond(
            MOST_ROWS,
            count,
            &format!("All {count} points"),
            table.to_html(),
        ),
    }
}
