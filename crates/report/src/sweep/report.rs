//! The report of a sweep as a value.

use super::design::{Design, Factor, Level, Task};
use super::effect::{Effect, effect};
use super::grouping::Grouping;
use super::measure::Measure;
use super::outcome::State;
use super::pair::{Pair, pair};
use super::point::{PointSummary, points};
use super::regression::{Regression, regression};
use super::values::Values;
use crate::model::{Real, Regime};
use serde::Serialize;
use std::collections::BTreeMap;

/// What a sweep found: everything that its page, its text and its files say.
///
/// Equal folders give equal reports, byte for byte.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SweepReport {
    /// What was swept.
    pub design: Design,
    /// The command that runs what has failed or is missing.
    pub again: String,
    /// How many tasks there are, and how they stand.
    pub counts: Counts,
    /// The AUC that stands for each regime: that of the attack with the highest mean over the tasks, picked after the
    /// fact, among those that most tasks have a value of.
    pub headlines: Vec<Measure>,
    /// The model's quality, if it was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utility: Option<Measure>,
    /// Every measure over the levels of every factor that varies; in a one-at-a-time design over the points in which no
    /// other factor does.
    pub effects: Vec<Effect>,
    /// Headlines and utility over every two factors that vary; by what the pair explains of the first headline, or of
    /// utility if there is no attack. None in a one-at-a-time design, where two never vary together.
    pub pairs: Vec<Pair>,
    /// Every measure on all factors.
    pub regressions: Vec<Regression>,
    /// One row a point.
    pub points: Vec<PointSummary>,
    /// One row a task.
    pub tasks: Vec<TaskReport>,
    /// How tasks were grouped, for figures.
    #[serde(skip)]
    pub(crate) groupings: Vec<Grouping>,
}

/// Tasks by how they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All of them.
    pub tasks: u32,
    /// Those with a report.
    pub done: u32,
    /// Those whose last try failed.
    pub failed: u32,
    /// The others.
    pub missing: u32,
}

/// A task and how it stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskReport {
    /// The task.
    #[serde(flatten)]
    pub task: Task,
    /// How it stands.
    #[serde(flatten)]
    pub state: State,
}

/// Points by the levels of one factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PointGroups {
    /// The factor; none if there is only one group.
    pub(crate) factor: Option<String>,
    /// Names of the groups.
    pub(crate) names: Vec<String>,
    /// The group of each point, in the order of points.
    pub(crate) of_point: Vec<usize>,
}

/// What the factor is called, or its key ends in, that decides what is promised.
const PROTECTION: &str = "protection";

/// Why a sweep has no report.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SweepError {
    /// It has no task.
    #[error("the sweep has no task: give its factors levels and plan it again")]
    NoTask,
    /// A task without a level for a factor.
    #[error(
        "task {task} has no level of the factor {factor:?}: its list of tasks is not of this sweep"
    )]
    NoLevel {
        /// The task's place in the list.
        task: u32,
        /// The factor.
        factor: String,
    },
    /// Tasks of one point at different levels.
    #[error(
        "task {task} has other levels than an earlier task of its point {point}, which may differ in the seed only"
    )]
    Point {
        /// The task's place in the list.
        task: u32,
        /// The point.
        point: u32,
    },
    /// None of its tasks is done.
    #[error(
        "none of {tasks} tasks is done ({failed} failed), so there is nothing to report; {again} runs them"
    )]
    NothingDone {
        /// Tasks.
        tasks: u32,
        /// Those that failed.
        failed: u32,
        /// The command that runs them.
        again: String,
    },
}

impl SweepReport {
    /// The report of `tasks` of `design`, each with its state. `again` is the command that runs what is not done.
    ///
    /// # Errors
    ///
    /// [`SweepError`] if there is no task, or none that is done; if a task has no level for a factor, or tasks of one point
    /// have different ones.
    pub fn try_new(
        design: Design,
        tasks: Vec<(Task, State)>,
        again: String,
    ) -> Result<Self, SweepError> {
        let count =
            |is: fn(&State) -> bool| tasks.iter().filter(|(_, state)| is(state)).count() as u32;
        let counts = Counts {
            tasks: tasks.len() as u32,
            done: count(|state| matches!(state, State::Done(_))),
            failed: count(|state| matches!(state, State::Failed { .. })),
            missing: count(|state| matches!(state, State::Missing)),
        };
        if counts.tasks == 0 {
            return Err(SweepError::NoTask);
        }
        if counts.done == 0 {
            return Err(SweepError::NothingDone {
                tasks: counts.tasks,
                failed: counts.failed,
                again,
            });
        }
        let (tasks, states): (Vec<Task>, Vec<State>) = tasks.into_iter().unzip();
        check(&design, &tasks)?;
        let all: Vec<Values> = Measure::all(&states)
            .into_iter()
            .map(|measure| Values::new(measure, &tasks, &states))
            .collect();
        let groupings: Vec<Grouping> = design
            .factors
            .iter()
            .map(|factor| Grouping::new(factor, &tasks))
            .collect();
        let varying: Vec<&Grouping> = groupings.iter().filter(|g| g.varies()).collect();
        let shown: Vec<&Values> = Regime::ALL
            .into_iter()
            .filter_map(|regime| headline(&all, regime))
            .collect();
        let utility = all
            .iter()
            .find(|values| matches!(values.measure, Measure::Utility { .. }));
        let headlines: Vec<Measure> = shown.iter().map(|v| v.measure.clone()).collect();
        let effects = varying.iter().flat_map(|grouping| {
            let first = &tasks[0].levels;
            let tells = |task: usize| design.tells_of(&grouping.factor, &tasks[task].levels, first);
            all.iter()
                .map(move |values| effect(grouping, &values.only(tells)))
        });
        let effects: Vec<Effect> = effects.collect();
        let pairs = if design.is_one_at_a_time() {
            Vec::new()
        } else {
            pairs(&varying, shown.iter().copied().chain(utility))
        };
        Ok(Self {
            counts,
            effects,
            pairs,
            regressions: all
                .iter()
                .map(|values| regression(&tasks, &groupings, values))
                .collect(),
            points: points(
                &tasks,
                &states,
                utility.map(|values| &values.measure),
                &headlines,
            ),
            headlines,
            utility: utility.map(|values| values.measure.clone()),
            tasks: tasks
                .into_iter()
                .zip(states)
                .map(|(task, state)| TaskReport { task, state })
                .collect(),
            groupings,
            design,
            again,
        })
    }

    /// Whether a point with `levels` tells of `factor`.
    pub(crate) fn tells_of(&self, factor: &str, levels: &BTreeMap<String, Level>) -> bool {
        let first = &self.tasks[0].task.levels;
        self.design.tells_of(factor, levels, first)
    }

    /// The effect of a factor on a measure.
    pub fn effect(&self, factor: &str, measure: &Measure) -> Option<&Effect> {
        let mut effects = self.effects.iter();
        effects.find(|effect| effect.factor == factor && effect.measure == *measure)
    }

    /// The regression of a measure.
    pub fn regression(&self, measure: &Measure) -> Option<&Regression> {
        let mut all = self.regressions.iter();
        all.find(|regression| regression.measure == *measure)
    }

    /// What points are told apart by in figures of all of them: the protection if it is swept, or else the first factor
    /// that is not numeric.
    pub(crate) fn groups_of_points(&self) -> PointGroups {
        let is_protection = |grouping: &&Grouping| {
            let mut factors = self.design.factors.iter();
            let factor = factors.find(|factor| factor.name == grouping.factor);
            let key = factor.and_then(|factor| factor.key.as_deref());
            grouping.factor == PROTECTION || key.is_some_and(|key| key.ends_with(PROTECTION))
        };
        let varying = || self.groupings.iter().filter(|grouping| grouping.varies());
        let chosen = varying()
            .find(is_protection)
            .or_else(|| varying().find(|grouping| !grouping.numeric));
        let Some(grouping) = chosen else {
            return PointGroups {
                factor: None,
                names: vec!["a point".to_owned()],
                of_point: vec![0; self.points.len()],
            };
        };
        let group = |point: &PointSummary| {
            let mut tasks = self.tasks.iter();
            let task = tasks.position(|task| task.task.point == point.point);
            task.map_or(0, |task| grouping.of_task[task])
        };
        PointGroups {
            factor: Some(grouping.factor.clone()),
            names: grouping.groups.iter().map(|g| g.label.clone()).collect(),
            of_point: self.points.iter().map(group).collect(),
        }
    }

    /// Headlines and utility: what its figures and tables show.
    pub fn shown(&self) -> impl Iterator<Item = &Measure> {
        self.headlines.iter().chain(&self.utility)
    }

    /// Tasks that are not done.
    pub fn unfinished(&self) -> impl Iterator<Item = &TaskReport> {
        self.tasks
            .iter()
            .filter(|task| task.state.outcomes().is_none())
    }
}

/// Whether tasks have a level for each factor, and the same ones if they are of one point.
fn check(design: &Design, tasks: &[Task]) -> Result<(), SweepError> {
    let mut points: BTreeMap<u32, &Task> = BTreeMap::new();
    for task in tasks {
        let lacks = |factor: &&Factor| !task.levels.contains_key(&factor.name);
        if let Some(factor) = design.factors.iter().find(lacks) {
            return Err(SweepError::NoLevel {
                task: task.index,
                factor: factor.name.clone(),
            });
        }
        if points.entry(task.point).or_insert(task).levels != task.levels {
            return Err(SweepError::Point {
                task: task.index,
                point: task.point,
            });
        }
    }
    Ok(())
}

/// The AUC of the attack that is strongest in `regime` over the whole sweep.
fn headline(all: &[Values], regime: Regime) -> Option<&Values> {
    let of_regime = || {
        all.iter()
            .filter(move |values| values.measure.auc_regime() == Some(regime))
    };
    let most = of_regime().map(|values| values.entries().count()).max()?;
    let mean = |values: &Values| values.entries().map(|entry| entry.value).sum::<f64>();
    of_regime()
        .filter(|values| values.entries().count() == most)
        .reduce(|best, next| if mean(next) > mean(best) { next } else { best })
}

/// All pairs of factors, the strongest first, each with every measure.
fn pairs<'a>(varying: &[&Grouping], shown: impl Iterator<Item = &'a Values>) -> Vec<Pair> {
    let shown: Vec<&Values> = shown.collect();
    let mut of_pair: Vec<Vec<Pair>> = Vec::new();
    for (k, first) in varying.iter().enumerate() {
        for second in &varying[k + 1..] {
            of_pair.push(
                shown
                    .iter()
                    .map(|values| pair(first, second, values))
                    .collect(),
            );
        }
    }
    // A stable sort: pairs that explain as much keep the order of the factors.
    let strength = |pairs: &Vec<Pair>| {
        let first = pairs.first().and_then(|pair| pair.explained);
        first.map_or(-1.0, Real::get)
    };
    of_pair.sort_by(|a, b| strength(b).total_cmp(&strength(a)));
    of_pair.concat()
}
