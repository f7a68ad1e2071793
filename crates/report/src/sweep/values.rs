//! One measure over the tasks of a sweep.

use super::design::Task;
use super::measure::Measure;
use super::outcome::State;

/// The values of one measure, one for each task that has one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Values {
    /// What is measured.
    pub(crate) measure: Measure,
    entries: Vec<Entry>,
}

/// One value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Entry {
    /// Index of its task.
    pub(crate) task: usize,
    /// The task's point.
    pub(crate) point: usize,
    /// The value; perhaps infinite.
    pub(crate) value: f64,
}

impl Values {
    /// `measure` over `tasks`, whose states are in the same order.
    pub(crate) fn new(measure: Measure, tasks: &[Task], states: &[State]) -> Self {
        let of = |(k, (task, state)): (usize, (&Task, &State))| {
            Some(Entry {
                task: k,
                point: task.point as usize,
                value: measure.of(state.outcomes()?)?,
            })
        };
        let entries = tasks.iter().zip(states).enumerate().filter_map(of);
        Self {
            entries: entries.collect(),
            measure,
        }
    }

    /// The values of those tasks for which `keep` is true.
    pub(crate) fn only(&self, keep: impl Fn(usize) -> bool) -> Self {
        let entries = self.entries().filter(|entry| keep(entry.task));
        Self {
            measure: self.measure.clone(),
            entries: entries.collect(),
        }
    }

    /// The values, in the order of tasks.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry> {
        self.entries.iter().copied()
    }

    /// Mean and sum of squared distances from it; none if nothing varies or a value is infinite.
    pub(crate) fn spread(&self) -> Option<(f64, f64)> {
        let n = self.entries.len() as f64;
        let mean = self.entries().map(|entry| entry.value).sum::<f64>() / n;
        let total: f64 = self
            .entries()
            .map(|entry| (entry.value - mean).powi(2))
            .sum();
        // Values that are equal but for the rounding of their mean do not vary.
        let rounding = n * (1e-12 * (1.0 + mean.abs())).powi(2);
        (total.is_finite() && total > rounding).then_some((mean, total))
    }
}
