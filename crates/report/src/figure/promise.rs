//! ε by round, and how it is spread over the subjects.

use super::{Figure, histogram};
use crate::RunReport;
use crate::chart::{Axis, Marker, Plot, Stroke, Tone};
use crate::format;
use crate::model::{Epsilon, PrivacyUnit, RoundLoss};

/// Above this ratio of losses a linear axis would flatten the smaller one.
const LOG_FROM: f64 = 40.0;

type Curve = (String, Tone, Stroke, Marker, fn(&RoundLoss) -> Epsilon);

/// The accountant's ε for each unit after each round.
pub(crate) fn epsilon_by_round(report: &RunReport) -> Option<Figure> {
    let nouns = &report.identity.nouns;
    let curves: [Curve; 4] = [
        (
            format!("worst-off {}", nouns.subject.one),
            Tone::Subject,
            Stroke::Solid,
            Marker::Disc,
            |r| r.subject_worst,
        ),
        (
            format!("median {}", nouns.subject.one),
            Tone::Subject,
            Stroke::Dashed,
            Marker::Diamond,
            |r| r.subject_median,
        ),
        (
            nouns.record.one.clone(),
            Tone::Record,
            Stroke::Solid,
            Marker::Triangle,
            |r| r.record,
        ),
        (
            nouns.silo.one.clone(),
            Tone::Silo,
            Stroke::Solid,
            Marker::Square,
            |r| r.silo,
        ),
    ];
    let rounds = &report.promise.rounds;
    let points = |pick: fn(&RoundLoss) -> Epsilon| -> Vec<(f64, f64)> {
        rounds
            .iter()
            .filter_map(|round| Some((f64::from(round.round), pick(round).finite()?)))
            .collect()
    };
    let finals: Vec<f64> = curves
        .iter()
        .filter_map(|curve| points(curve.4).last().map(|point| point.1))
        .filter(|&e| e > 0.0)
        .collect();
    let highest = finals.iter().copied().reduce(f64::max)?;
    let lowest = finals.iter().copied().reduce(f64::min)?;
    let budget = report
        .promise
        .budget
        .and_then(|budget| Some((budget.epsilon.finite()?, budget.unit)))
        .filter(|(limit, _)| *limit < 3.0 * highest);
    let top = budget.map_or(highest, |(limit, _)| highest.max(limit));
    let log = highest / lowest > LOG_FROM;
    let y = if log {
        let floor = rounds
            .iter()
            .flat_map(|round| curves.iter().map(|curve| curve.4(round).get()))
            .filter(|&e| e.is_finite() && e > 0.0)
            .fold(lowest, f64::min);
        Axis::log("ε, upper bound (log scale)", floor.max(highest * 1e-4), top)
    } else {
        Axis::linear("ε, upper bound", 0.0, top, 6)
    };
    let last = rounds.last()?.round;
    let mut plot = Plot::new(Axis::rounds(last), y);
    if let Some((limit, unit)) = budget {
        plot = plot.rule(
            &format!("budget ({})", format::unit(unit, nouns)),
            Tone::Ink,
            limit,
        );
    }
    let mut unbounded = Vec::new();
    for (label, tone, stroke, marker, pick) in curves {
        let mut points = points(pick);
        if log {
            points.retain(|point| point.1 > 0.0);
        }
        if points.iter().any(|point| point.0 > 0.0) {
            plot = plot.line(&label, tone, stroke, Some(marker), points);
        } else {
            unbounded.push(label);
        }
    }
    if !unbounded.is_empty() {
        plot = plot.remark(&format!("∞: {}", unbounded.join(", ")));
    }
    Some(Figure::new(
        "epsilon-by-round",
        alternative(report),
        "The privacy loss adds up. Upper bound on ε after each round, all rounds before it included.",
        plot.draw(),
    ))
}

/// What the chart says, for those who cannot see it.
fn alternative(report: &RunReport) -> String {
    let nouns = &report.identity.nouns;
    report.promise.rounds.last().map_or(String::new(), |end| {
        format!(
            "Line chart of epsilon by round. After round {}: worst-off {} {}, median {}, {} {}, {} {}.",
            end.round,
            nouns.subject.one,
            format::epsilon_upper(end.subject_worst),
            format::epsilon_upper(end.subject_median),
            nouns.record.one,
            format::epsilon_upper(end.record),
            nouns.silo.one,
            format::epsilon_upper(end.silo),
        )
    })
}

/// How many subjects have which ε at the end.
pub(crate) fn epsilon_over_subjects(report: &RunReport) -> Option<Figure> {
    let losses: Vec<f64> = report
        .subjects
        .iter()
        .filter_map(|subject| subject.epsilon?.finite())
        .collect();
    if losses.len() < 2 {
        return None;
    }
    let nouns = &report.identity.nouns;
    let highest = losses.iter().copied().fold(0.0, f64::max);
    if highest <= 0.0 {
        // Only who never took part has a finite loss.
        return None;
    }
    let x = Axis::linear(
        &format!("ε of the {} at the end", nouns.subject.one),
        0.0,
        highest,
        6,
    );
    let bars = histogram::equal(&losses, 0.0, highest * (1.0 + 1e-9), 24);
    let tallest = bars.iter().map(|bar| bar.2).fold(1.0, f64::max);
    let plot = Plot::new(x, Axis::linear(&nouns.subject.many, 0.0, tallest, 5)).bars(
        "",
        Tone::Subject,
        bars,
    );
    let delta = report.promise.guarantee(PrivacyUnit::Subject)?.delta.get();
    Some(Figure::new(
        "epsilon-over-subjects",
        format!(
            "Histogram of epsilon over {} {}; the largest is {}.",
            losses.len(),
            nouns.subject.many,
            format::epsilon_upper(highest.into())
        ),
        format!(
            "Not everybody pays the same: each {} has its own ε at δ\u{a0}=\u{a0}{}, which grows with its {} and \
             with the {} that hold them.",
            nouns.subject.one,
            format::delta(delta),
            nouns.record.many,
            nouns.silo.many
        ),
        plot.draw(),
    ))
}
