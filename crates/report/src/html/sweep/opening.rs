//! The first screen, and what was swept.

use crate::format;
use crate::html::Section;
use crate::html::markup::{self, Badge, Table, Tile, badge, escaped, sentence};
use crate::sweep::{Grouping, Measure, Scale, SweepReport, findings};

/// Title, how many tasks are done, findings and key figures.
pub(super) fn header(report: &SweepReport) -> String {
    let design = &report.design;
    let mut html = format!(
        "<header><p class=\"kicker\">Siloscope sweep report</p><h1>{}</h1>",
        escaped(&design.name)
    );
    if !design.description.is_empty() {
        html += &format!("<p class=\"lede\">{}</p>", escaped(&design.description));
    }
    html += &format!("<p class=\"badges\">{}</p>", badges(report));
    let sentences: String = findings(report).iter().map(sentence).collect();
    html += &format!("<div class=\"findings\">{sentences}</div>");
    html + &markup::tiles(&tiles(report)) + "</header>"
}

fn badges(report: &SweepReport) -> String {
    let counts = report.counts;
    let done = format!("{} of {} tasks done", counts.done, counts.tasks);
    let kind = if counts.done == counts.tasks {
        Badge::Good
    } else {
        Badge::Neutral
    };
    let mut all = vec![badge(kind, &done)];
    if counts.failed > 0 {
        all.push(badge(Badge::Bad, &format!("{} failed", counts.failed)));
    }
    if counts.missing > 0 {
        all.push(badge(
            Badge::Neutral,
            &format!("{} missing", counts.missing),
        ));
    }
    let held: u32 = report.points.iter().map(|point| point.held).sum();
    let (kind, text) = if held == counts.done {
        (Badge::Good, "limits and checks held in all".to_owned())
    } else {
        let otherwise = counts.done - held;
        (
            Badge::Bad,
            format!("limits or checks failed in {otherwise}"),
        )
    };
    all.push(badge(kind, &text));
    all.join(" ")
}

fn tiles(report: &SweepReport) -> Vec<Tile> {
    let range = |values: Vec<f64>, measure: &Measure| {
        let low = values.iter().copied().reduce(f64::min)?;
        let high = values.iter().copied().reduce(f64::max)?;
        Some(match measure {
            _ if measure.is_share() => format!(
                "{}–{}\u{a0}%",
                format::fixed(100.0 * low, 0),
                format::fixed(100.0 * high, 0)
            ),
            _ => format!("{}–{}", format::fixed(low, 2), format::fixed(high, 2)),
        })
    };
    let mut tiles = Vec::new();
    for (k, measure) in report.headlines.iter().enumerate() {
        let means = report
            .points
            .iter()
            .filter_map(|p| p.auc[k]?.finite())
            .collect();
        let (Some(value), Some((attack, regime))) = (range(means, measure), measure.attack())
        else {
            continue;
        };
        tiles.push(Tile {
            tone: match regime {
                crate::model::Regime::Fresh => "fresh",
                crate::model::Regime::TrainingRecords => "training",
            },
            title: format!("AUC, {}", format::regime(regime)),
            value,
            under: format!("{attack}, over the points"),
        });
    }
    if let Some(measure) = &report.utility {
        let means = report
            .points
            .iter()
            .filter_map(|p| p.utility?.finite())
            .collect();
        tiles.extend(range(means, measure).map(|value| Tile {
            tone: "record",
            title: measure.title(),
            value,
            under: "over the points".to_owned(),
        }));
    }
    tiles.push(Tile {
        tone: "ink",
        title: "Points".to_owned(),
        value: format::count(report.points.len() as u64),
        under: format!("{} tasks", format::count(u64::from(report.counts.tasks))),
    });
    tiles
}

/// The factors and their levels.
pub(super) fn swept(report: &SweepReport) -> Section {
    let design = &report.design;
    let mut table = Table::new("Factors", &["factor", "key", "levels", "spaced"]);
    for (factor, grouping) in design.factors.iter().zip(&report.groupings) {
        let key = factor.key.as_ref().map_or("several".to_owned(), |key| {
            format!("<code>{}</code>", escaped(key))
        });
        let spaced = match (grouping.numeric, grouping.scale) {
            (false, _) => "—",
            (true, Scale::Linear) => "evenly",
            (true, Scale::Log) => "by logarithm",
        };
        table.markup_row([
            escaped(&factor.name),
            key,
            escaped(&levels(grouping)),
            spaced.to_owned(),
        ]);
    }
    let seeds: Vec<String> = design.seeds.iter().map(u64::to_string).collect();
    let mut body = if design.factors.is_empty() {
        String::new()
    } else {
        table.to_html()
    };
    body += &format!(
        "<dl class=\"facts\"><dt>design</dt><dd>{}</dd><dt>seeds</dt><dd>{}</dd><dt>digest</dt><dd><code>{}</code></dd></dl>",
        escaped(&design.design),
        seeds.join(", "),
        escaped(&design.digest)
    );
    Section {
        id: "swept",
        title: "What was swept",
        body,
    }
}

fn levels(grouping: &Grouping) -> String {
    if grouping.ranges {
        let (low, high) = grouping.extent;
        return format!("{} to {}", format::figures(low), format::figures(high));
    }
    let labels: Vec<&str> = grouping.groups.iter().map(|g| g.label.as_str()).collect();
    labels.join(", ")
}

/// What to know before passing the page on.
pub(super) fn footer(report: &SweepReport) -> String {
    format!(
        "<footer><p>Before you pass this on: the attacks’ figures are computed from the data without noise. What was \
         promised covers the models, not this page.</p><p>Every number here, and more, is in \
         <code>sweep-report.json</code> and <code>sweep.parquet</code> beside this file, and in each run’s own \
         report. Of {} tasks {} had one.</p></footer>",
        report.counts.tasks, report.counts.done
    )
}
