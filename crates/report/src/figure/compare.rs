//! Privacy against utility, a point a run.

use super::Figure;
use super::cost::r_squared_axis;
use super::leak::look;
use crate::chart::{Axis, Marker, Plot, Tone};
use crate::compare::{Comparison, Entry};
use crate::model::{PrivacyUnit, Quality, Regime};

/// What the runs' qualities are in the words of a figure, and the axis for them; none if they measure different things.
fn quality_axis(
    comparison: &Comparison<'_>,
    entries: &[Entry<'_>],
) -> Option<(&'static str, Axis)> {
    let qualities = || entries.iter().filter_map(|entry| entry.quality);
    let values = || qualities().map(Quality::get);
    let ([_], Some(first)) = (&comparison.measures()[..], qualities().next()) else {
        return None;
    };
    if let Quality::RSquared(_) = first {
        return Some(("r-squared", r_squared_axis(values())));
    }
    let lowest = values().fold(1.0, f64::min);
    let low = if lowest > 0.6 {
        (lowest * 10.0).floor() / 10.0 - 0.1
    } else {
        0.0
    };
    Some(("accuracy", Axis::linear("accuracy", low, 1.0, 5).percent()))
}

/// Accuracy or R² against what is promised to a subject.
pub(crate) fn quality_by_epsilon(comparison: &Comparison<'_>) -> Option<Figure> {
    let entries = comparison.entries();
    let points: Vec<((f64, f64), String)> = entries
        .iter()
        .filter_map(|entry| {
            let epsilon = entry.epsilon(PrivacyUnit::Subject)?.get();
            Some(((epsilon, entry.quality?.get()), entry.letter.clone()))
        })
        .collect();
    let (name, y) = quality_axis(comparison, &entries)?;
    let finite = || {
        points
            .iter()
            .map(|(point, _)| point.0)
            .filter(|e| e.is_finite() && *e > 0.0)
    };
    let (low, high) = (finite().fold(1.0, f64::min), finite().fold(10.0, f64::max));
    if points.is_empty() {
        return None;
    }
    let x = Axis::log("ε of the worst-off subject (log scale)", low, high).with_infinity();
    let dots = points.iter().map(|((x, y), _)| (*x, *y, 5.0)).collect();
    let plot = Plot::new(x, y)
        .dots("a run", Tone::Subject, Marker::Disc, 1.0, dots)
        .names(points);
    Some(Figure::new(
        format!("{name}-by-epsilon"),
        format!("Scatter plot of {name} against the subject's epsilon, a point a run."),
        "What the promise costs: up is a better model, left a stronger promise.",
        plot.draw(),
    ))
}

/// Accuracy or R² against what the strongest attack learns.
pub(crate) fn quality_by_auc(comparison: &Comparison<'_>) -> Option<Figure> {
    let entries = comparison.entries();
    let aucs = || {
        entries
            .iter()
            .flat_map(|entry| entry.auc.into_iter().flatten())
    };
    let (name, y) = quality_axis(comparison, &entries)?;
    aucs().next()?;
    let x = Axis::linear(
        "AUC of the strongest attack; 0.5 is chance",
        aucs().fold(0.5, f64::min),
        aucs().fold(0.6, f64::max),
        6,
    );
    let mut plot = Plot::new(x, y);
    let mut names = Vec::new();
    for (k, regime) in Regime::ALL.into_iter().enumerate() {
        let (tone, _, marker) = look(regime);
        let points: Vec<_> = entries
            .iter()
            .filter_map(|entry| Some(((entry.auc[k]?, entry.quality?.get()), entry.letter.clone())))
            .collect();
        let dots = points.iter().map(|((x, y), _)| (*x, *y, 5.0)).collect();
        plot = plot.dots(crate::format::regime(regime), tone, marker, 1.0, dots);
        names.extend(points);
    }
    Some(Figure::new(
        format!("{name}-by-auc"),
        format!("Scatter plot of {name} against the strongest attack's AUC, two points a run."),
        "What the protection buys: up is a better model, left a smaller leak.",
        plot.names(names).draw(),
    ))
}
