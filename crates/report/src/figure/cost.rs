//! What the model is good for, by round.

use super::Figure;
use crate::RunReport;
use crate::chart::{Axis, Marker, Plot, Stroke, Tone};
use crate::format;
use crate::model::Quality;

/// The lowest R² that a picture shows: far below 0 there is nothing to tell.
pub(crate) const LOWEST_R_SQUARED: f64 = -1.0;

/// Accuracy or R² by round, beside what needs no learning.
pub(crate) fn quality(report: &RunReport) -> Option<Figure> {
    let utility = &report.utility;
    let last = utility.rounds.last()?;
    let points: Vec<(f64, f64)> = utility
        .rounds
        .iter()
        .map(|r| (f64::from(r.round), r.quality.get()))
        .collect();
    let (name, caption, y) = match last.quality {
        Quality::Accuracy(_) => (
            "accuracy",
            format!("Share of {} that the model gets right.", utility.of_what),
            Axis::linear("accuracy", 0.0, 1.0, 5).percent(),
        ),
        Quality::RSquared(_) => (
            "r-squared",
            format!(
                "R² on {}: the share of the targets' variance that the model explains.",
                utility.of_what
            ),
            r_squared_axis(points.iter().map(|point| point.1)),
        ),
    };
    let mut plot = Plot::new(Axis::rounds(last.round), y);
    match (last.quality, utility.baseline) {
        (Quality::Accuracy(_), Some(baseline)) => {
            let majority = baseline.majority.get();
            plot = plot.rule("most frequent answer", Tone::Muted, majority);
        }
        (Quality::Accuracy(_), None) => {}
        (Quality::RSquared(_), _) => {
            plot = plot.rule("always the mean", Tone::Muted, 0.0);
            let below = points.iter().filter(|point| point.1 < LOWEST_R_SQUARED);
            match below.count() {
                0 => {}
                below => plot = plot.remark(&format!("below −1 in {below} rounds")),
            }
        }
    }
    let plot = plot.line(
        "model",
        Tone::Ink,
        Stroke::Solid,
        Some(Marker::Disc),
        points,
    );
    Some(Figure::new(
        name,
        format!(
            "Line chart of {} by round; {} at the end.",
            last.quality.name(),
            format::quality(last.quality)
        ),
        caption,
        plot.draw(),
    ))
}

/// An axis for R²: up to 1, and as far below 0 as there is something to show.
pub(super) fn r_squared_axis(values: impl Iterator<Item = f64>) -> Axis {
    let lowest = values.filter(|value| value.is_finite()).fold(0.0, f64::min);
    Axis::linear("R²", lowest.max(LOWEST_R_SQUARED), 1.0, 5)
}

/// The clip norm by round, where it adapts.
pub(crate) fn clip_norm(report: &RunReport) -> Option<Figure> {
    let rounds = &report.utility.rounds;
    let points: Vec<(f64, f64)> = rounds
        .iter()
        .filter_map(|r| Some((f64::from(r.round), r.clip_norm?.finite()?)))
        .collect();
    let (last, norm) = (rounds.last()?, points.last()?.1);
    let norms = || points.iter().map(|point| point.1);
    let (low, high) = (norms().fold(norm, f64::min), norms().fold(norm, f64::max));
    let plot = Plot::new(Axis::rounds(last.round), Axis::log("clip norm", low, high)).line(
        "clip norm",
        Tone::Ink,
        Stroke::Solid,
        Some(Marker::Disc),
        points,
    );
    Some(Figure::new(
        "clip-norm",
        format!(
            "Line chart of the clip norm by round; {} at the end.",
            format::fixed(norm, 4)
        ),
        "What the next round's local steps begin to clip to. It follows a quantile of the gradients' norms by noised \
         counts, which are part of every ε here.",
        plot.draw(),
    ))
}

/// Loss by round.
pub(crate) fn loss(report: &RunReport) -> Option<Figure> {
    let utility = &report.utility;
    let points: Vec<(f64, f64)> = utility
        .rounds
        .iter()
        .filter_map(|r| Some((f64::from(r.round), r.loss.finite()?)))
        .collect();
    let last = utility.rounds.last().filter(|_| !points.is_empty())?;
    let highest = points.iter().map(|point| point.1).fold(0.0, f64::max);
    let lost = utility.rounds.len() - points.len();
    let mut plot = Plot::new(
        Axis::rounds(last.round),
        Axis::linear(last.quality.loss_unit(), 0.0, highest, 5),
    )
    .line("loss", Tone::Ink, Stroke::Solid, Some(Marker::Disc), points);
    if lost > 0 {
        plot = plot.remark(&format!("not finite in {lost} rounds"));
    }
    Some(Figure::new(
        "loss",
        format!(
            "Line chart of the loss by round; {} {} at the end.",
            format::fixed(last.loss.get(), 3),
            last.quality.loss_unit()
        ),
        match last.quality {
            Quality::Accuracy(_) => "Mean loss on the same records, in nats a record.",
            Quality::RSquared(_) => "Mean squared error on the same records.",
        },
        plot.draw(),
    ))
}
