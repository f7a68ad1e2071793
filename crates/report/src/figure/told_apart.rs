//! Runs with the audited subject beside runs without it.

use super::{Figure, histogram};
use crate::chart::Tone;
use crate::format;
use crate::model::{Real, RepeatedAudit};

/// Scores of the judged runs; nothing if a kind has fewer than two.
pub(crate) fn told_apart(audit: &RepeatedAudit) -> Option<Figure> {
    let finite = |scores: &[Real]| -> Vec<f64> {
        scores.iter().filter_map(|score| score.finite()).collect()
    };
    let (with, without) = (finite(&audit.scores.with), finite(&audit.scores.without));
    if with.len() < 2 || without.len() < 2 {
        return None;
    }
    let plot = histogram::of_sides(
        "score, higher speaks for “with”",
        ("with the subject", Tone::Subject, &with),
        ("without it", &without),
    );
    Some(Figure::new(
        "told-apart",
        format!(
            "Histogram of the scores of {} runs with the subject and {} without it.",
            with.len(),
            without.len()
        ),
        format!(
            "The runs that judge, by {}: a run is called one with the subject from {} on. Where bars and outline agree, \
             nobody could tell whether the subject was there.",
            audit.statistic,
            format::trimmed(audit.threshold.get(), 4)
        ),
        plot.draw(),
    ))
}
