//! What a factor does: means by level with intervals, over the points they are made of.

use super::{axis, point_means, range};
use crate::chart::{Axis, Estimate, Look, Marker, Plot, Stroke, Tone};
use crate::figure::Figure;
use crate::figure::leak::look;
use crate::format;
use crate::model::Real;
use crate::sweep::{Effect, Grouping, Measure, Over, Scale, SweepReport};

/// More points than this are not drawn beneath the means.
const MOST_DOTS: usize = 600;

/// How far series at the same level are apart, in units.
const APART: f64 = 7.0;

/// One measure of a figure.
struct Series<'a> {
    measure: &'a Measure,
    label: String,
    look: Look,
}

/// AUC of both headlines by level.
pub(crate) fn leak_by_level(report: &SweepReport, grouping: &Grouping) -> Option<Figure> {
    let series: Vec<Series<'_>> = report
        .headlines
        .iter()
        .filter_map(|measure| {
            let (_, regime) = measure.attack()?;
            let (tone, stroke, marker) = look(regime);
            Some(Series {
                measure,
                label: format::regime(regime).to_owned(),
                look: Look {
                    tone,
                    stroke,
                    marker,
                    joined: grouping.numeric,
                },
            })
        })
        .collect();
    let mut names: Vec<&str> = Vec::new();
    for (attack, _) in report.headlines.iter().filter_map(Measure::attack) {
        if !names.contains(&attack) {
            names.push(attack);
        }
    }
    by_level(
        report,
        grouping,
        &series,
        "AUC",
        "auc",
        &names.join(" and "),
    )
}

/// Utility by level.
pub(crate) fn utility_by_level(report: &SweepReport, grouping: &Grouping) -> Option<Figure> {
    let measure = report.utility.as_ref()?;
    let title = measure.title();
    let series = [Series {
        measure,
        label: String::new(),
        look: Look {
            tone: Tone::Record,
            stroke: Stroke::Solid,
            marker: Marker::Square,
            joined: grouping.numeric,
        },
    }];
    by_level(report, grouping, &series, &title, "utility", "")
}

fn by_level(
    report: &SweepReport,
    grouping: &Grouping,
    series: &[Series<'_>],
    what: &str,
    slug: &str,
    of: &str,
) -> Option<Figure> {
    let effects: Vec<&Effect> = series
        .iter()
        .filter_map(|series| report.effect(&grouping.factor, series.measure))
        .filter(|effect| !effect.levels.is_empty())
        .collect();
    let first = series.first()?;
    if effects.is_empty() {
        return None;
    }
    // One range for all factors, so that their figures can be compared.
    let values = series
        .iter()
        .flat_map(|series| extremes(report, series.measure));
    let range = range(first.measure, first.measure.reference_range(), values)?;
    let values = axis(first.measure, what, range);
    let mut plot = if grouping.numeric {
        Plot::new(levels_axis(grouping), values)
    } else {
        let names: Vec<String> = grouping.groups.iter().map(|g| g.label.clone()).collect();
        Plot::new(values, Axis::names(&grouping.factor, &names)).with_rows(names.len())
    };
    for series in series {
        plot = dots(plot, report, grouping, series);
    }
    if let Some(chance) = first.measure.chance() {
        plot = if grouping.numeric {
            plot.rule("chance", Tone::Ink, chance)
        } else {
            plot.post("chance", Tone::Ink, chance)
        };
    }
    let middle = (series.len() as f64 - 1.0) / 2.0;
    for (k, series) in series.iter().enumerate() {
        let effect = report.effect(&grouping.factor, series.measure)?;
        let shift = APART * (k as f64 - middle);
        plot = plot.estimates(
            &series.label,
            series.look,
            shift,
            estimates(effect, grouping),
        );
    }
    let of = if of.is_empty() {
        String::new()
    } else {
        format!(" of {of}")
    };
    let levels = if grouping.ranges {
        "in each fifth of the points by"
    } else {
        "at each level of"
    };
    Some(Figure::new(
        format!("sweep-{slug}-by-{}", grouping.factor),
        format!("Mean {what} by {}. {}", grouping.factor, in_words(&effects)),
        format!(
            "Mean {what}{of} {levels} {}. {} Small dots are points, each the mean over its seeds.{}",
            grouping.factor,
            whiskers(&effects),
            below(report, first.measure)
        ),
        plot.draw(),
    ))
}

/// That something lies below the axis, if it does.
fn below(report: &SweepReport, measure: &Measure) -> String {
    let (least, _) = measure.limits();
    let means = point_means(report, measure);
    match means.iter().flatten().filter(|mean| **mean < least).count() {
        0 => String::new(),
        count => format!(
            " {count} points below {} are drawn there.",
            format::fixed(least, 0)
        ),
    }
}

fn levels_axis(grouping: &Grouping) -> Axis {
    let at: Vec<f64> = grouping
        .groups
        .iter()
        .filter_map(|group| group.at)
        .collect();
    let log = grouping.scale == Scale::Log;
    let label = if log {
        format!("{} (log scale)", grouping.factor)
    } else {
        grouping.factor.clone()
    };
    if !grouping.ranges {
        let texts: Vec<String> = grouping.groups.iter().map(|g| g.label.clone()).collect();
        return Axis::at(&label, &at, &texts, log);
    }
    let (low, high) = grouping.extent;
    if log {
        Axis::log(&label, low, high)
    } else {
        Axis::linear(&label, low, high, 6)
    }
}

/// Everything of `measure` that figures show: points, means and the ends of intervals over several points.
fn extremes(report: &SweepReport, measure: &Measure) -> Vec<f64> {
    let mut all: Vec<f64> = point_means(report, measure).into_iter().flatten().collect();
    for effect in report
        .effects
        .iter()
        .filter(|effect| effect.measure == *measure)
    {
        for level in &effect.levels {
            all.push(level.mean.get());
            if let Some(interval) = level.interval {
                // What two points or seeds say is so wide that nothing else would be seen.
                if level.tasks > 2 && level.points != 2 {
                    all.extend([interval.low.get(), interval.high.get()]);
                }
            }
        }
    }
    all
}

fn dots(plot: Plot, report: &SweepReport, grouping: &Grouping, series: &Series<'_>) -> Plot {
    if report.points.len() > MOST_DOTS {
        return plot;
    }
    let means = point_means(report, series.measure);
    let place = |k: usize| {
        let levels = &report.points[k].levels;
        if !report.tells_of(&grouping.factor, levels) {
            return None;
        }
        let level = &levels[&grouping.factor];
        if grouping.numeric {
            return level.value.and_then(Real::finite);
        }
        let group = grouping
            .groups
            .iter()
            .position(|g| g.label == level.label)?;
        // Dots of one level are spread out by the golden ratio, the same way each time.
        Some(group as f64 + 0.56 * ((k as f64 * 0.618_033_988_75).fract() - 0.5))
    };
    let dots = (0..means.len()).filter_map(|k| {
        let (value, level) = (means[k]?, place(k)?);
        Some(if grouping.numeric {
            (level, value, 1.8)
        } else {
            (value, level, 1.8)
        })
    });
    plot.dots("", series.look.tone, Marker::Disc, 0.4, dots.collect())
}

fn estimates(effect: &Effect, grouping: &Grouping) -> Vec<Estimate> {
    let place = |label: &str, at: Option<Real>| match at {
        Some(at) => Some(at.get()),
        None => grouping
            .groups
            .iter()
            .position(|group| group.label == label)
            .map(|k| k as f64),
    };
    effect
        .levels
        .iter()
        .filter(|level| level.mean.finite().is_some())
        .filter_map(|level| {
            Some(Estimate {
                level: place(&level.level, level.at)?,
                value: level.mean.get(),
                interval: level.interval.map(|i| (i.low.get(), i.high.get())),
            })
        })
        .collect()
}

/// What whiskers are, in a sentence.
fn whiskers(effects: &[&Effect]) -> &'static str {
    let mut over = effects
        .iter()
        .flat_map(|effect| &effect.levels)
        .filter_map(|level| Some(level.interval?.over));
    let first = over.next();
    match (first, over.any(|other| Some(other) != first)) {
        (None, _) => "There is one task a level, so there are no intervals.",
        (Some(Over::Points), false) => {
            "Whiskers are 95\u{a0}% intervals over points, whose other factors differ."
        }
        (Some(Over::Seeds), false) => {
            "Whiskers are 95\u{a0}% intervals over the seeds of one point a level, and hold for these points alone."
        }
        (Some(_), true) => {
            "Whiskers are 95\u{a0}% intervals over points, or over seeds where a level has one point."
        }
    }
}

fn in_words(effects: &[&Effect]) -> String {
    let of_level = |effect: &Effect| {
        let levels = effect.levels.iter();
        let words = levels
            .map(|level| format!("{} at {}", format::fixed(level.mean.get(), 3), level.level));
        words.collect::<Vec<_>>().join(", ")
    };
    let all: Vec<String> = effects
        .iter()
        .map(|effect| format!("{}: {}.", effect.measure.title(), of_level(effect)))
        .collect();
    all.join(" ")
}
