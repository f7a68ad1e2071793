//! The groups that a factor puts tasks into: its levels, or ranges of them where there are many.

use super::design::{Factor, Level, Scale, Task};
use crate::format;
use std::collections::BTreeMap;

/// A numeric factor with more different values than this is cut into ranges.
const MOST_VALUES: usize = 8;

/// The level that does nothing.
const NONE: &str = "none";

/// Into so many ranges.
const RANGES: usize = 5;

/// The groups of one factor, in the order in which they are shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Grouping {
    /// The factor's name.
    pub(crate) factor: String,
    /// Whether its levels are numbers.
    pub(crate) numeric: bool,
    /// How its numbers are spaced; evenly if a logarithm would have none of them.
    pub(crate) scale: Scale,
    /// Whether groups are ranges of levels.
    pub(crate) ranges: bool,
    /// The least and the greatest level, if levels are numbers; otherwise zeros.
    pub(crate) extent: (f64, f64),
    /// The groups.
    pub(crate) groups: Vec<Group>,
    /// The group of each task.
    pub(crate) of_task: Vec<usize>,
}

/// One group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    /// What it is called.
    pub(crate) label: String,
    /// Where it lies on an axis, if levels are numbers: the level, or the mean of a range's levels over its points.
    pub(crate) at: Option<f64>,
}

impl Grouping {
    /// The groups of `factor` over `tasks`.
    ///
    /// Levels that are no numbers keep the order in which they first come, but `none` is always the first: what others
    /// are held against. Numbers among them, as where some points leave the factor out, follow by size. Numbers alone are sorted; more than eight
    /// different ones are cut at quantiles of the points' values, so that each range has about as many points, and
    /// equal values are never parted.
    pub(crate) fn new(factor: &Factor, tasks: &[Task]) -> Self {
        let levels: Vec<&Level> = tasks
            .iter()
            .map(|task| &task.levels[&factor.name])
            .collect();
        let values: Option<Vec<f64>> = levels
            .iter()
            .map(|level| level.value?.finite())
            .collect::<Option<_>>();
        let Some(values) = values.filter(|values| !values.is_empty()) else {
            return Self::by_label(factor, &levels);
        };
        let mut different = values.clone();
        different.sort_by(f64::total_cmp);
        different.dedup();
        let log = factor.scale == Scale::Log && different.first().is_some_and(|&low| low > 0.0);
        let scale = if log { Scale::Log } else { Scale::Linear };
        let ranges = different.len() > MOST_VALUES;
        let (groups, of_value) = if ranges {
            ranges_of(&different, &per_point(&values, tasks), scale)
        } else {
            (
                exact(&different, &levels, &values),
                (0..different.len()).collect(),
            )
        };
        let place = |value: &f64| different.partition_point(|other| other < value);
        Self {
            factor: factor.name.clone(),
            numeric: true,
            scale,
            ranges,
            extent: (different[0], different[different.len() - 1]),
            groups,
            of_task: values.iter().map(|value| of_value[place(value)]).collect(),
        }
    }

    fn by_label(factor: &Factor, levels: &[&Level]) -> Self {
        let mut different: Vec<&Level> = Vec::new();
        for level in levels {
            if different.iter().all(|other| other.label != level.label) {
                different.push(level);
            }
        }
        // A stable sort: words keep their order.
        let number = |level: &Level| match level.value {
            Some(value) => value.get(),
            None if level.label == NONE => f64::NEG_INFINITY,
            None => f64::MIN,
        };
        different.sort_by(|a, b| number(a).total_cmp(&number(b)));
        let place = |level: &&Level| {
            let same = |other: &&Level| other.label == level.label;
            different.iter().position(same).unwrap_or(0)
        };
        let of_task = levels.iter().map(place).collect();
        let group = |level: &Level| Group {
            label: level.label.clone(),
            at: None,
        };
        Self {
            factor: factor.name.clone(),
            numeric: false,
            scale: Scale::Linear,
            ranges: false,
            extent: (0.0, 0.0),
            groups: different.into_iter().map(group).collect(),
            of_task,
        }
    }

    /// Whether there is more than one group.
    pub(crate) fn varies(&self) -> bool {
        self.groups.len() > 1
    }
}

/// The value of each point once.
fn per_point(values: &[f64], tasks: &[Task]) -> Vec<f64> {
    let points: BTreeMap<u32, f64> = tasks
        .iter()
        .zip(values)
        .map(|(task, value)| (task.point, *value))
        .collect();
    let mut values: Vec<f64> = points.into_values().collect();
    values.sort_by(f64::total_cmp);
    values
}

/// A group a value, called as it was written.
fn exact(different: &[f64], levels: &[&Level], values: &[f64]) -> Vec<Group> {
    let label = |value: &f64| {
        let same = values
            .iter()
            .position(|other| other.total_cmp(value).is_eq());
        same.map_or(String::new(), |k| levels[k].label.clone())
    };
    let group = |value: &f64| Group {
        label: label(value),
        at: Some(*value),
    };
    different.iter().map(group).collect()
}

/// Ranges with about as many of `points` each, and the range of each of the `different` values. Both are sorted.
fn ranges_of(different: &[f64], points: &[f64], scale: Scale) -> (Vec<Group>, Vec<usize>) {
    let below = |value: f64| points.partition_point(|&other| other < value);
    let mut of_value: Vec<usize> = different
        .iter()
        .map(|&value| {
            // The middle of the value's own points decides, so that none of them is parted from another.
            let upto = points.partition_point(|&other| other <= value);
            let middle = f64::midpoint(below(value) as f64, upto as f64);
            ((middle / points.len() as f64 * RANGES as f64) as usize).min(RANGES - 1)
        })
        .collect();
    // A value with many points can leave the ranges beside it empty: close the gaps.
    let mut used = of_value.clone();
    used.dedup();
    for range in &mut of_value {
        *range = used.partition_point(|other| other < range);
    }
    let groups = (0..used.len()).map(|range| {
        let first = of_value.partition_point(|&other| other < range);
        let last = of_value.partition_point(|&other| other <= range) - 1;
        let (low, high) = (different[first], different[last]);
        let inside = || points.iter().copied().filter(|v| (low..=high).contains(v));
        let mean =
            |of: fn(f64) -> f64| inside().map(of).sum::<f64>() / inside().count().max(1) as f64;
        let at = match scale {
            Scale::Linear => mean(|v| v),
            Scale::Log => mean(f64::ln).exp(),
        };
        let label = if first == last {
            format::figures(low)
        } else {
            format!("{}–{}", format::figures(low), format::figures(high))
        };
        Group {
            label,
            at: Some(at),
        }
    });
    (groups.collect(), of_value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tasks(levels: &[(&str, Option<f64>)]) -> Vec<Task> {
        let task = |(k, (label, value)): (usize, &(&str, Option<f64>))| Task {
            id: format!("{k:016x}"),
            index: k as u32,
            point: k as u32,
            seed: 7,
            levels: BTreeMap::from([(
                "f".to_owned(),
                Level {
                    label: (*label).to_owned(),
                    value: value.map(Into::into),
                },
            )]),
        };
        levels.iter().enumerate().map(task).collect()
    }

    fn factor(scale: Scale) -> Factor {
        Factor {
            name: "f".to_owned(),
            key: None,
            scale,
        }
    }

    fn labels(grouping: &Grouping) -> Vec<&str> {
        grouping.groups.iter().map(|g| g.label.as_str()).collect()
    }

    #[test]
    fn few_numbers_are_groups_and_words_keep_their_order() {
        let numbers = tasks(&[("2", Some(2.0)), ("0.5", Some(0.5)), ("2", Some(2.0))]);
        let found = Grouping::new(&factor(Scale::Log), &numbers);
        assert_eq!(
            (labels(&found), &found.of_task[..]),
            (vec!["0.5", "2"], &[1, 0, 1][..])
        );
        assert!(found.numeric && found.scale == Scale::Log);

        let words = tasks(&[
            ("group", None),
            ("none", None),
            ("group", None),
            ("10", Some(10.0)),
            ("3", Some(3.0)),
        ]);
        let found = Grouping::new(&factor(Scale::Log), &words);
        assert_eq!(labels(&found), ["none", "group", "3", "10"]);
        assert!(!found.numeric && found.scale == Scale::Linear);
    }

    #[test]
    fn zero_has_no_logarithm() {
        let tasks = tasks(&[("0", Some(0.0)), ("1", Some(1.0))]);
        assert_eq!(
            Grouping::new(&factor(Scale::Log), &tasks).scale,
            Scale::Linear
        );
    }

    #[test]
    fn many_numbers_become_ranges_of_equal_size() {
        let levels: Vec<_> = (0..50).map(|k| ("x", Some(f64::from(k * k)))).collect();
        let found = Grouping::new(&factor(Scale::Linear), &tasks(&levels));
        assert_eq!(
            labels(&found),
            ["0–81", "100–361", "400–841", "900–1521", "1600–2401"]
        );
        assert!(found.ranges);
        for range in 0..5 {
            assert_eq!(found.of_task.iter().filter(|g| **g == range).count(), 10);
        }
        // numpy.mean of k² for k = 0..9.
        assert_eq!(found.groups[0].at, Some(28.5));
    }

    proptest! {
        /// Every task has a group, groups are in the order of values and none is empty.
        #[test]
        fn ranges_cover_once_and_in_order(values in prop::collection::vec(0_u8..60, 1..120)) {
            let levels: Vec<_> = values.iter().map(|v| ("x", Some(f64::from(*v)))).collect();
            let found = Grouping::new(&factor(Scale::Linear), &tasks(&levels));
            for group in 0..found.groups.len() {
                prop_assert!(found.of_task.contains(&group));
            }
            for (a, x) in found.of_task.iter().zip(&values) {
                for (b, y) in found.of_task.iter().zip(&values) {
                    prop_assert!(x >= y || a <= b);
                }
            }
        }
    }
}
