//! One row a point: what its tasks came to on average.

use super::design::{Level, Task};
use super::measure::Measure;
use super::outcome::State;
use crate::model::{Epsilon, PrivacyUnit, Real};
use serde::Serialize;
use std::collections::BTreeMap;

/// A point of a sweep over its seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PointSummary {
    /// The point.
    pub point: u32,
    /// The level of every factor.
    pub levels: BTreeMap<String, Level>,
    /// Its tasks.
    pub tasks: u32,
    /// Those that are done.
    pub done: u32,
    /// Those of them whose limits, checks and audits held.
    pub held: u32,
    /// Mean utility of the tasks that are done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utility: Option<Real>,
    /// Mean of each headline's AUC, in their order.
    pub auc: Vec<Option<Real>>,
    /// ε of the worst-off subject, the largest over the seeds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epsilon: Option<Epsilon>,
}

/// A row for each point, in the order in which they first come.
pub(crate) fn points(
    tasks: &[Task],
    states: &[State],
    utility: Option<&Measure>,
    headlines: &[Measure],
) -> Vec<PointSummary> {
    let mut order: Vec<u32> = Vec::new();
    let mut by_point: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (k, task) in tasks.iter().enumerate() {
        let members = by_point.entry(task.point).or_default();
        if members.is_empty() {
            order.push(task.point);
        }
        members.push(k);
    }
    let summary = |point: &u32| {
        let members = &by_point[point];
        let done = || members.iter().filter_map(|k| states[*k].outcomes());
        let mean = |measure: &Measure| {
            let values: Vec<f64> = done().filter_map(|outcomes| measure.of(outcomes)).collect();
            let sum: f64 = values.iter().sum();
            (!values.is_empty()).then(|| Real::from(sum / values.len() as f64))
        };
        let epsilons = done().filter_map(|outcomes| outcomes.epsilon(PrivacyUnit::Subject));
        PointSummary {
            point: *point,
            levels: tasks[members[0]].levels.clone(),
            tasks: members.len() as u32,
            done: done().count() as u32,
            held: done().filter(|outcomes| outcomes.holds).count() as u32,
            utility: utility.and_then(mean),
            auc: headlines.iter().map(mean).collect(),
            epsilon: epsilons.reduce(|a, b| if b > a { b } else { a }),
        }
    };
    order.iter().map(summary).collect()
}

/// The points that no other beats: none has as little of the first (a loss or a leak) and as much of the second (the
/// model's use) and more of one. By the first; equal points count once.
pub(crate) fn frontier(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let mut best = f64::NEG_INFINITY;
    sorted.retain(|point| {
        let better = point.1 > best;
        best = best.max(point.1);
        better
    });
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_what_nothing_beats_is_on_the_frontier() {
        let points = [
            (2.0, 0.7),
            (1.0, 0.5),
            (3.0, 0.6),
            (2.0, 0.8),
            (f64::INFINITY, 0.9),
        ];
        let expected = [(1.0, 0.5), (2.0, 0.8), (f64::INFINITY, 0.9)];
        assert_eq!(frontier(&points), expected);
        assert_eq!(frontier(&[]), []);
    }

    proptest! {
        /// The definition, pair by pair.
        #[test]
        fn the_frontier_is_what_no_other_point_beats(cells in prop::collection::vec((0_u8..9, 0_u8..9), 0..40)) {
            let points: Vec<_> = cells.iter().map(|(x, y)| (f64::from(*x), f64::from(*y))).collect();
            let beaten = |p: &(f64, f64)| points.iter().any(|q| q.0 <= p.0 && q.1 >= p.1 && q != p);
            let mut twin: Vec<_> = points.iter().copied().filter(|p| !beaten(p)).collect();
            twin.sort_by(|a, b| a.0.total_cmp(&b.0));
            twin.dedup();
            prop_assert_eq!(frontier(&points), twin);
        }
    }
}
