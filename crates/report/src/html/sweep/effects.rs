//! What each factor does: figures by level, and the numbers behind them.

use crate::figure::sweep as figure;
use crate::format;
use crate::html::Section;
use crate::html::markup::{Table, escaped, figures, fold, paragraph};
use crate::model::Regime;
use crate::sweep::{Effect, Grouping, LevelMean, Measure, SweepReport};

/// The section; none if nothing varies.
pub(super) fn section(report: &SweepReport) -> Option<Section> {
    let varying = || report.groupings.iter().filter(|grouping| grouping.varies());
    varying().next()?;
    let mut body = String::new();
    if report.design.is_one_at_a_time() {
        body += &paragraph(
            "One factor at a time: each is compared over the points at which all others are at their first level.",
        );
    }
    body += &shares(report);
    for grouping in varying() {
        body += &format!("<h3>{}</h3>", escaped(&grouping.factor));
        body += &figures([
            figure::leak_by_level(report, grouping),
            figure::utility_by_level(report, grouping),
        ]);
        let numbers = levels(report, grouping) + &attacks(report, grouping);
        body += &fold(
            &format!("{}: the numbers, and every attack", grouping.factor),
            &numbers,
        );
    }
    for grouping in report
        .groupings
        .iter()
        .filter(|grouping| !grouping.varies())
    {
        body += &paragraph(&format!("{} has one level only.", grouping.factor));
    }
    Some(Section {
        id: "effects",
        title: "What each factor does",
        body,
    })
}

/// Which factor explains how much of what.
fn shares(report: &SweepReport) -> String {
    let titles: Vec<String> = report.shown().map(|m| format!("#{}", m.short())).collect();
    let mut head = vec!["factor"];
    head.extend(titles.iter().map(String::as_str));
    let mut table = Table::new(
        "Share of the variance that a factor explains on its own",
        &head,
    );
    for grouping in report.groupings.iter().filter(|grouping| grouping.varies()) {
        let mut row = vec![grouping.factor.clone()];
        row.extend(report.shown().map(|measure| {
            let effect = report.effect(&grouping.factor, measure);
            let share = effect.and_then(|effect| effect.explained);
            share.map_or("—".to_owned(), |share| format::percent(share.get()))
        }));
        table.row(row);
    }
    table.to_html()
}

/// Means and intervals of headlines and utility.
fn levels(report: &SweepReport, grouping: &Grouping) -> String {
    let titles: Vec<String> = report
        .shown()
        .map(|measure| format!("#{} [interval]", measure.short()))
        .collect();
    let mut head = vec!["level", "#points", "#tasks"];
    head.extend(titles.iter().map(String::as_str));
    let caption = format!("{}: means by level with 95 % intervals", grouping.factor);
    let mut table = Table::new(&caption, &head);
    for group in &grouping.groups {
        let of = |measure: &Measure| {
            let effect = report.effect(&grouping.factor, measure)?;
            effect
                .levels
                .iter()
                .find(|level| level.level == group.label)
        };
        let Some(first) = report.shown().find_map(of) else {
            continue;
        };
        let mut row = vec![
            group.label.clone(),
            first.points.to_string(),
            first.tasks.to_string(),
        ];
        row.extend(
            report
                .shown()
                .map(|measure| of(measure).map_or("—".to_owned(), |level| mean(measure, level))),
        );
        table.row(row);
    }
    table.to_html()
}

fn mean(measure: &Measure, level: &LevelMean) -> String {
    let mean = measure.written(level.mean.get());
    match level.interval {
        None => mean,
        Some(interval) => format!(
            "{mean} [{}, {}]",
            measure.written(interval.low.get()),
            measure.written(interval.high.get())
        ),
    }
}

/// Mean of every other measure by level: attacks down, levels across.
fn attacks(report: &SweepReport, grouping: &Grouping) -> String {
    let of_factor = |effect: &&Effect| effect.factor == grouping.factor;
    let mut html = String::new();
    let titles: Vec<String> = grouping
        .groups
        .iter()
        .map(|g| format!("#{}", g.label))
        .collect();
    for regime in Regime::ALL {
        let mut head = vec!["measure"];
        head.extend(titles.iter().map(String::as_str));
        let caption = format!("Means by {}: {}", grouping.factor, format::regime(regime));
        let mut table = Table::new(&caption, &head);
        let mut any = false;
        for effect in report.effects.iter().filter(of_factor) {
            let Some((attack, of)) = effect.measure.attack() else {
                continue;
            };
            if of != regime {
                continue;
            }
            any = true;
            let what = match &effect.measure {
                Measure::TprAtFpr { fpr, .. } => {
                    format!("{attack}, TPR at {} FPR", format::rate(fpr.get()))
                }
                Measure::Advantage { .. } => format!("{attack}, advantage"),
                _ => format!("{attack}, AUC"),
            };
            let mut row = vec![what];
            row.extend(grouping.groups.iter().map(|group| {
                let level = effect
                    .levels
                    .iter()
                    .find(|level| level.level == group.label);
                level.map_or("—".to_owned(), |level| {
                    effect.measure.written(level.mean.get())
                })
            }));
            table.row(row);
        }
        if any {
            html += &table.to_html();
        }
    }
    html
}
