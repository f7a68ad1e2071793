//! Two factors at a time.

use crate::figure::sweep as figure;
use crate::html::Section;
use crate::html::markup::{escaped, figures, fold, paragraph};
use crate::sweep::{Pair, SweepReport};

/// So many pairs are shown at once.
const SHOWN: usize = 3;

/// So many more can be unfolded.
const FOLDED: usize = 25;

/// The section; none with fewer than two factors that vary.
pub(super) fn section(report: &SweepReport) -> Option<Section> {
    let mut groups: Vec<Vec<&Pair>> = Vec::new();
    for pair in &report.pairs {
        match groups.last_mut() {
            Some(group) if group[0].factors == pair.factors => group.push(pair),
            _ => groups.push(vec![pair]),
        }
    }
    let first = report.pairs.first()?;
    let mut body = paragraph(&format!(
        "Pairs are in the order of what they explain of the {}, the strongest first. Cells are means over all tasks \
         at both levels; a dot marks a cell without any.",
        first.measure.title()
    ));
    for group in groups.iter().take(SHOWN) {
        body += &one(report, group);
    }
    for group in groups.iter().skip(SHOWN).take(FOLDED) {
        body += &fold(&title(group), &pictures(report, group));
    }
    let more = groups.len().saturating_sub(SHOWN + FOLDED);
    if more > 0 {
        body += &paragraph(&format!(
            "{more} weaker pairs are in sweep-report.json, under pairs."
        ));
    }
    Some(Section {
        id: "pairs",
        title: "Two factors at a time",
        body,
    })
}

fn one(report: &SweepReport, group: &[&Pair]) -> String {
    format!(
        "<h3>{}</h3>{}",
        escaped(&title(group)),
        pictures(report, group)
    )
}

fn title(group: &[&Pair]) -> String {
    let [first, second] = &group[0].factors;
    format!("{first} and {second}")
}

fn pictures(report: &SweepReport, group: &[&Pair]) -> String {
    figures(group.iter().map(|pair| figure::pair(report, pair)))
}
