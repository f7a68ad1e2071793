//! Two factors at a time: what they explain together, and what more than each on its own.

use super::explained::Explained;
use super::grouping::Grouping;
use super::measure::Measure;
use super::regression::additive;
use super::values::Values;
use crate::model::Real;
use serde::Serialize;

/// One measure over the levels of two factors.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// Both factors, in the sweep's order.
    pub factors: [String; 2],
    /// What is measured.
    pub measure: Measure,
    /// Levels of the first factor.
    pub rows: Vec<String>,
    /// Levels of the second.
    pub columns: Vec<String>,
    /// Mean at each level of the first (rows) and the second factor; none where no task has a value.
    pub means: Vec<Vec<Option<Real>>>,
    /// Share of the variance over tasks that the cells explain, less what as many cells without meaning would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explained: Option<Real>,
    /// Share of it that the two factors explain only together: cells beyond a sum of one term a factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interplay: Option<Real>,
}

/// The means of each cell of two groupings.
pub(crate) fn pair(first: &Grouping, second: &Grouping, values: &Values) -> Pair {
    let cell = |task: usize| (first.of_task[task], second.of_task[task]);
    let mut sums = vec![vec![(0.0, 0_u32); second.groups.len()]; first.groups.len()];
    for entry in values.entries() {
        let (row, column) = cell(entry.task);
        sums[row][column].0 += entry.value;
        sums[row][column].1 += 1;
    }
    let mean =
        |(sum, count): &(f64, u32)| (*count > 0).then(|| Real::from(sum / f64::from(*count)));
    let labels = |grouping: &Grouping| {
        let groups = grouping.groups.iter();
        groups.map(|group| group.label.clone()).collect()
    };
    let cells = Explained::by_groups(values, cell);
    let alone = additive([first, second], values);
    Pair {
        factors: [first.factor.clone(), second.factor.clone()],
        measure: values.measure.clone(),
        rows: labels(first),
        columns: labels(second),
        means: sums
            .iter()
            .map(|row| row.iter().map(mean).collect())
            .collect(),
        explained: cells.and_then(|cells| cells.adjusted()).map(Real::from),
        interplay: cells
            .zip(alone)
            .and_then(|(cells, alone)| cells.beyond(&alone))
            .map(Real::from),
    }
}
