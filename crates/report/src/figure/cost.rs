//! What the model is good for, by round.

use super::Figure;
use crate::RunReport;
use crate::chart::{Axis, Marker, Plot, Stroke, Tone};
use crate::format;

/// Accuracy by round beside what needs no learning.
pub(crate) fn accuracy(report: &RunReport) -> Option<Figure> {
    let utility = &report.utility;
    let last = utility.rounds.last()?;
    let points = utility
        .rounds
        .iter()
        .map(|r| (f64::from(r.round), r.accuracy.get()))
        .collect();
    let plot = Plot::new(
        Axis::rounds(last.round),
        Axis::linear("accuracy", 0.0, 1.0, 5).percent(),
    )
    .rule(
        "most frequent answer",
        Tone::Muted,
        utility.baseline.majority.get(),
    )
    .line(
        "model",
        Tone::Ink,
        Stroke::Solid,
        Some(Marker::Disc),
        points,
    );
    Some(Figure::new(
        "accuracy",
        format!(
            "Line chart of accuracy by round; {} at the end.",
            format::percent(last.accuracy.get())
        ),
        format!("Share of {} that the model gets right.", utility.of_what),
        plot.draw(),
    ))
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
        Axis::linear("nats", 0.0, highest, 5),
    )
    .line("loss", Tone::Ink, Stroke::Solid, Some(Marker::Disc), points);
    if lost > 0 {
        plot = plot.remark(&format!("not finite in {lost} rounds"));
    }
    Some(Figure::new(
        "loss",
        format!(
            "Line chart of the loss by round; {} nats at the end.",
            format::fixed(last.loss.get(), 3)
        ),
        "Mean loss on the same records, in nats a record.",
        plot.draw(),
    ))
}
