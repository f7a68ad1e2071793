//! Runs side by side on one page.

use super::document;
use super::markup::{Table, escaped, figures};
use crate::compare::Comparison;
use crate::figure;
use crate::words;

/// The page.
pub(crate) fn page(comparison: &Comparison<'_>) -> String {
    let table = comparison.table();
    let (head, rows) = table.split_first().expect("a comparison has headings");
    // Names to the left, numbers to the right.
    let head: Vec<String> = head
        .iter()
        .enumerate()
        .map(|(column, text)| {
            if column < 3 {
                text.clone()
            } else {
                format!("#{text}")
            }
        })
        .collect();
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let mut summary = Table::new("After the last round; AUC of the strongest attack", &head);
    for row in rows {
        summary.row(row);
    }
    let mut body = "<header><p class=\"kicker\">Siloscope comparison</p><h1>What protection costs, and what it buys</h1></header><main><section>".to_owned();
    body += &summary.to_html();
    for caution in comparison.cautions() {
        body += &format!("<p><strong>Note.</strong> {}</p>", escaped(&caution));
    }
    body += &figures([
        figure::quality_by_epsilon(comparison),
        figure::quality_by_auc(comparison),
    ]);
    body += "</section>";
    for entry in comparison.entries() {
        let identity = &entry.report.identity;
        body += &format!(
            "<section><h2>{} · {}</h2><p><code>{}</code>, seed {}</p><div class=\"findings small\">{}</div></section>",
            entry.letter,
            escaped(&identity.name),
            escaped(&identity.command),
            identity.seed,
            words::findings(entry.report)
                .iter()
                .map(super::markup::sentence)
                .collect::<String>()
        );
    }
    body += "</main>";
    document("Siloscope comparison", &body)
}
