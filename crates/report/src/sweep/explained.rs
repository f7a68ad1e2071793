//! How much of a measure's variance something explains.

use super::values::Values;
use std::collections::{BTreeMap, BTreeSet};

/// A share of the variance over tasks, and what it was bought with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Explained {
    /// R²: one less the variance that is left over all of it.
    plain: f64,
    /// Free numbers of what explains it: groups, or coefficients.
    parameters: usize,
    points: usize,
    tasks: usize,
}

impl Explained {
    /// What a division into groups explains; `group` says which a task is in. None if there is nothing to explain.
    pub(crate) fn by_groups<G: Ord>(values: &Values, group: impl Fn(usize) -> G) -> Option<Self> {
        let (mean, total) = values.spread()?;
        let mut groups: BTreeMap<G, (f64, f64)> = BTreeMap::new();
        for entry in values.entries() {
            let (count, sum) = groups.entry(group(entry.task)).or_default();
            *count += 1.0;
            *sum += entry.value - mean;
        }
        let between: f64 = groups.values().map(|(count, sum)| sum * sum / count).sum();
        Some(Self::new(values, between / total, groups.len()))
    }

    /// R² of a model with so many coefficients.
    pub(crate) fn new(values: &Values, plain: f64, parameters: usize) -> Self {
        let points: BTreeSet<usize> = values.entries().map(|entry| entry.point).collect();
        Self {
            plain: plain.clamp(0.0, 1.0),
            parameters,
            points: points.len(),
            tasks: values.entries().count(),
        }
    }

    /// What is left of it after what as many numbers without meaning would explain: `1 - (1 - R²)(n - 1) / (n - c)`
    /// with `c` parameters, but never less than zero.
    ///
    /// Groups hold whole points, so `n` counts points: they are what could fall into groups by chance. Where there are
    /// no more of them than parameters it counts tasks, and where tasks are as few there is no answer.
    ///
    /// Source: Ezekiel 1930, Methods of Correlation Analysis.
    pub(crate) fn adjusted(&self) -> Option<f64> {
        Some(self.adjusted_over(self.spare()?))
    }

    /// What it explains beyond a model that it contains, both adjusted alike.
    pub(crate) fn beyond(&self, part: &Self) -> Option<f64> {
        let n = self.spare()?;
        Some((self.adjusted_over(n) - part.adjusted_over(n)).max(0.0))
    }

    /// How many of what there are more of than parameters.
    fn spare(&self) -> Option<usize> {
        [self.points, self.tasks]
            .into_iter()
            .find(|&n| n > self.parameters)
    }

    fn adjusted_over(&self, n: usize) -> f64 {
        let left = (1.0 - self.plain) * (n as f64 - 1.0) / (n - self.parameters) as f64;
        (1.0 - left).max(0.0)
    }
}
