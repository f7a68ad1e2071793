//! What each factor does: the mean of every measure at every level.

use super::explained::Explained;
use super::grouping::Grouping;
use super::measure::Measure;
use super::values::Values;
use crate::model::Real;
use crate::statistics::clustered_mean;
use serde::Serialize;

/// Confidence of every interval of a sweep's report.
pub(crate) const CONFIDENCE: f64 = 0.95;

/// One measure over the levels of one factor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Effect {
    /// The factor.
    pub factor: String,
    /// What is measured.
    pub measure: Measure,
    /// One entry a level, or a range of levels, that has a value.
    pub levels: Vec<LevelMean>,
    /// Share of the variance over tasks that the levels explain, less what as many levels without meaning would. None
    /// if nothing varies, a value is infinite, or there are as many levels as values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explained: Option<Real>,
}

/// A mean over the tasks at one level.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LevelMean {
    /// The level, or the range of levels.
    pub level: String,
    /// Where it lies on an axis, if the factor is numeric.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Real>,
    /// Points with a value here.
    pub points: u32,
    /// Tasks with a value here.
    pub tasks: u32,
    /// The mean over those tasks; infinite if one of them is.
    pub mean: Real,
    /// Its interval at 95 %, where there is one, held to what the measure can be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<LevelInterval>,
}

/// The interval of a mean.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LevelInterval {
    /// Lower limit.
    pub low: Real,
    /// Upper limit.
    pub high: Real,
    /// What it counts as independent.
    pub over: Over,
}

/// What an interval or a standard error counts as independent of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Over {
    /// Points: seeds of one point may share their data.
    Points,
    /// Seeds, since there is one point only: it holds for that point alone.
    Seeds,
}

impl Over {
    /// What it counts, in a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Points => "points",
            Self::Seeds => "seeds",
        }
    }
}

/// The mean of each group of `grouping`, as far as it has values.
pub(crate) fn effect(grouping: &Grouping, values: &Values) -> Effect {
    let levels = grouping.groups.iter().enumerate().filter_map(|(k, group)| {
        let inside: Vec<_> = values
            .entries()
            .filter(|entry| grouping.of_task[entry.task] == k)
            .collect();
        let by_point: Vec<_> = inside
            .iter()
            .map(|entry| (entry.point, entry.value))
            .collect();
        let over_points = clustered_mean(&by_point, CONFIDENCE)?;
        let (found, over) = if over_points.clusters > 1 {
            (over_points, Over::Points)
        } else {
            let by_task: Vec<_> = inside
                .iter()
                .map(|entry| (entry.task, entry.value))
                .collect();
            (clustered_mean(&by_task, CONFIDENCE)?, Over::Seeds)
        };
        let interval = found
            .half_width
            // Seeds that agree by luck are no certainty.
            .filter(|half| half.is_finite() && *half > 0.0)
            .map(|half| LevelInterval {
                low: values.measure.within(found.mean - half).into(),
                high: values.measure.within(found.mean + half).into(),
                over,
            });
        Some(LevelMean {
            level: group.label.clone(),
            at: group.at.map(Real::from),
            points: over_points.clusters as u32,
            tasks: inside.len() as u32,
            mean: found.mean.into(),
            interval,
        })
    });
    Effect {
        factor: grouping.factor.clone(),
        measure: values.measure.clone(),
        levels: levels.collect(),
        explained: Explained::by_groups(values, |task| grouping.of_task[task])
            .and_then(|share| share.adjusted())
            .map(Real::from),
    }
}
