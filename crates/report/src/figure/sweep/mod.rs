//! The figures of a sweep's report.

mod effect;
mod frontier;
mod pair;

pub(crate) use effect::{leak_by_level, utility_by_level};
pub(crate) use frontier::{utility_by_auc, utility_by_epsilon};
pub(crate) use pair::pair;

use crate::chart::Axis;
use crate::sweep::{Measure, SweepReport};

/// Axis of a measure from `low` to `high`.
fn axis(measure: &Measure, label: &str, (low, high): (f64, f64)) -> Axis {
    let axis = Axis::linear(label, low, high, 6);
    if measure.is_share() {
        axis.percent()
    } else {
        axis
    }
}

/// The least and the greatest of `values` and `at_least`, held to what the measure can be.
fn range(
    measure: &Measure,
    at_least: Option<(f64, f64)>,
    values: impl Iterator<Item = f64>,
) -> Option<(f64, f64)> {
    let (least, greatest) = measure.limits();
    values
        .filter(|value| value.is_finite())
        .fold(at_least, |range, value| {
            let (low, high) = range.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        })
        .map(|(low, high)| (low.max(least), high.min(greatest)))
}

/// The means of `measure` over each point, in the order of points.
fn point_means(report: &SweepReport, measure: &Measure) -> Vec<Option<f64>> {
    let headline = report.headlines.iter().position(|other| other == measure);
    let of_point = report.points.iter().map(|point| match headline {
        Some(k) => point.auc[k],
        None => point.utility,
    });
    of_point.map(|mean| mean?.finite()).collect()
}
