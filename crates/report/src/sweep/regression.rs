//! One table for all factors: ordinary least squares of a measure, with standard errors that count points.

use super::design::{Scale, Task};
use super::effect::{CONFIDENCE, Over};
use super::explained::Explained;
use super::grouping::Grouping;
use super::measure::Measure;
use super::values::{Entry, Values};
use crate::model::Real;
use crate::statistics::{FitError, LeastSquares, t_quantile, two_sided_p};
use serde::Serialize;

/// Least squares of one measure on all factors.
///
/// Numeric factors are standardised: a coefficient is the change for one standard deviation of the factor, or of its
/// logarithm where the sweep spaced it so. Other factors are treatment contrasts: the change from the first level.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Regression {
    /// What is regressed.
    pub measure: Measure,
    /// The table, or why there is none.
    #[serde(flatten)]
    pub outcome: RegressionOutcome,
}

/// A table, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegressionOutcome {
    /// The table.
    Fit(Fit),
    /// Why there is none, in words.
    NotFitted(String),
}

/// The table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fit {
    /// Tasks that have a value.
    pub tasks: u32,
    /// Points that they belong to.
    pub points: u32,
    /// Share of the variance over tasks that is explained.
    pub r_squared: Real,
    /// The constant first, then the factors in the sweep's order.
    pub terms: Vec<Term>,
    /// Factors and levels without a coefficient, and why.
    pub left_out: Vec<LeftOut>,
}

/// One coefficient.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Term {
    /// What it is about.
    pub of: TermOf,
    /// The coefficient.
    pub estimate: Real,
    /// How sure it is; none if it leans on a level of which nothing tells how it varies: of a single task, or of seeds
    /// that agree.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub error: Option<TermError>,
}

/// How sure a coefficient is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TermError {
    /// What it counts as independent: points, unless the coefficient leans on a level of a single point.
    pub over: Over,
    /// Degrees of freedom of Student's t.
    pub degrees: Real,
    /// The standard error.
    pub standard_error: Real,
    /// Estimate over standard error.
    pub t: Real,
    /// Chance of a t so far from zero if the coefficient were zero.
    pub p: Real,
    /// Lower limit at 95 %.
    pub low: Real,
    /// Upper limit at 95 %.
    pub high: Real,
}

/// What a coefficient is about.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum TermOf {
    /// The expectation at the first level of every categorical factor and the mean of every numeric one.
    Constant,
    /// One standard deviation more of a numeric factor.
    Deviation {
        /// The factor.
        factor: String,
        /// How long the standard deviation is; of the natural logarithm if `scale` is `log`.
        deviation: Real,
        /// Whether the factor or its logarithm is in the model.
        scale: Scale,
    },
    /// A level instead of the factor's first one, or of one that is left out.
    Contrast {
        /// The factor.
        factor: String,
        /// The level.
        level: String,
        /// The first one, and those that are left out: `none`, or `none or group`.
        against: String,
    },
}

/// What has no coefficient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The factor.
    pub factor: String,
    /// The level, if only that is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// Why, in words.
    pub why: String,
}

struct Column {
    of: TermOf,
    x: Vec<f64>,
}

/// The table of `values` over all `groupings`.
pub(crate) fn regression(tasks: &[Task], groupings: &[Grouping], values: &Values) -> Regression {
    let outcome = match fit(tasks, groupings, values) {
        Ok(fit) => RegressionOutcome::Fit(fit),
        Err(why) => RegressionOutcome::NotFitted(why),
    };
    Regression {
        measure: values.measure.clone(),
        outcome,
    }
}

fn fit(tasks: &[Task], groupings: &[Grouping], values: &Values) -> Result<Fit, String> {
    let entries: Vec<Entry> = values.entries().collect();
    let infinite = entries
        .iter()
        .filter(|entry| entry.value.is_infinite())
        .count();
    if infinite > 0 {
        return Err(format!(
            "it is infinite in {infinite} of {} tasks",
            entries.len()
        ));
    }
    let Some((_, total)) = values.spread() else {
        return Err("it is the same in all tasks".to_owned());
    };
    let mut left_out = Vec::new();
    let mut columns = vec![Column {
        of: TermOf::Constant,
        x: vec![1.0; entries.len()],
    }];
    for grouping in groupings {
        let made = columns_of(grouping, tasks, &entries);
        if made.is_empty() {
            left_out.push(LeftOut {
                factor: grouping.factor.clone(),
                level: None,
                why: "it has one level only among these tasks".to_owned(),
            });
        }
        columns.extend(made);
    }
    let x: Vec<Vec<f64>> = columns.iter().map(|column| column.x.clone()).collect();
    let y: Vec<f64> = entries.iter().map(|entry| entry.value).collect();
    let fit = LeastSquares::fit(&x, &y).map_err(|FitError::Saturated { columns }| {
        format!(
            "{} tasks are too few for {columns} coefficients",
            entries.len()
        )
    })?;
    for (column, on) in &fit.dependent {
        let others: Vec<String> = on
            .iter()
            .filter_map(|k| columns[*k].of.in_words())
            .collect();
        let (factor, level) = columns[*column].of.named();
        left_out.push(LeftOut {
            factor,
            level,
            why: format!("these tasks cannot tell it from {}", others.join(", ")),
        });
    }
    if fit.residual_squares() <= 1e-20 * total {
        return Err(
            "the factors determine it exactly, so there is no error to judge by".to_owned(),
        );
    }
    let points: Vec<usize> = entries.iter().map(|entry| entry.point).collect();
    let of_points = fit.clustered_errors(&points);
    let of_seeds = if of_points.contains(&None) {
        fit.independent_errors()
    } else {
        Vec::new()
    };
    // All regressors are constant within a point, so only clusters less coefficients are left to judge by (Donald,
    // Lang 2007, Review of Economics and Statistics 89).
    let spare = distinct(&points).saturating_sub(fit.kept.len()) as f64;
    // Seeds that agree by luck leave no residual, which is no certainty.
    let least = 1e-9 * (total / entries.len() as f64).sqrt();
    let terms = fit.kept.iter().enumerate().map(|(k, column)| {
        let over_points = of_points[k].map(|error| (error, spare, Over::Points));
        let over_seeds = || {
            let (error, degrees) = (*of_seeds.get(k)?)?;
            Some((error, degrees, Over::Seeds))
        };
        let estimate = fit.coefficients[k];
        Term {
            of: columns[*column].of.beside(&left_out),
            estimate: estimate.into(),
            error: over_points
                .or_else(over_seeds)
                .filter(|(error, _, _)| *error > least)
                .map(|(error, degrees, over)| TermError::new(estimate, error, degrees, over)),
        }
    });
    Ok(Fit {
        tasks: entries.len() as u32,
        points: distinct(&points) as u32,
        r_squared: (1.0 - fit.residual_squares() / total).max(0.0).into(),
        terms: terms.collect(),
        left_out,
    })
}

impl TermError {
    fn new(estimate: f64, error: f64, degrees: f64, over: Over) -> Self {
        let t = estimate / error;
        let half = t_quantile(f64::midpoint(1.0, CONFIDENCE), degrees) * error;
        Self {
            over,
            degrees: degrees.into(),
            standard_error: error.into(),
            t: t.into(),
            p: two_sided_p(t, degrees).into(),
            low: (estimate - half).into(),
            high: (estimate + half).into(),
        }
    }
}

/// The columns of one factor; none if it does not vary over `entries`.
fn columns_of(grouping: &Grouping, tasks: &[Task], entries: &[Entry]) -> Vec<Column> {
    let factor = grouping.factor.clone();
    if !grouping.numeric {
        return contrasts(grouping, entries);
    }
    let number = |entry: &Entry| {
        let value = tasks[entry.task].levels[&factor].value;
        let value = value.map_or(f64::NAN, Real::get);
        match grouping.scale {
            Scale::Linear => value,
            Scale::Log => value.ln(),
        }
    };
    let x: Vec<f64> = entries.iter().map(number).collect();
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let deviation = (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    if x.iter().all(|other| other.total_cmp(&x[0]).is_eq()) {
        return Vec::new();
    }
    vec![Column {
        of: TermOf::Deviation {
            factor,
            deviation: deviation.into(),
            scale: grouping.scale,
        },
        x: x.iter().map(|x| (x - mean) / deviation).collect(),
    }]
}

/// One column for each group of `grouping` that has an entry, but the first.
fn contrasts(grouping: &Grouping, entries: &[Entry]) -> Vec<Column> {
    let there = |k: &usize| {
        entries
            .iter()
            .any(|entry| grouping.of_task[entry.task] == *k)
    };
    let mut there = (0..grouping.groups.len()).filter(there);
    let Some(first) = there.next() else {
        return Vec::new();
    };
    there
        .map(|k| Column {
            of: TermOf::Contrast {
                factor: grouping.factor.clone(),
                level: grouping.groups[k].label.clone(),
                against: grouping.groups[first].label.clone(),
            },
            x: entries
                .iter()
                .map(|entry| f64::from(u8::from(grouping.of_task[entry.task] == k)))
                .collect(),
        })
        .collect()
}

/// What a sum of one term for each group of each of `groupings` explains.
pub(crate) fn additive(groupings: [&Grouping; 2], values: &Values) -> Option<Explained> {
    let entries: Vec<Entry> = values.entries().collect();
    let (_, total) = values.spread()?;
    let mut x = vec![vec![1.0; entries.len()]];
    for grouping in groupings {
        x.extend(
            contrasts(grouping, &entries)
                .into_iter()
                .map(|column| column.x),
        );
    }
    let y: Vec<f64> = entries.iter().map(|entry| entry.value).collect();
    let fit = LeastSquares::fit(&x, &y).ok()?;
    let share = 1.0 - fit.residual_squares() / total;
    Some(Explained::new(values, share, fit.kept.len()))
}

fn distinct(clusters: &[usize]) -> usize {
    let all: std::collections::BTreeSet<_> = clusters.iter().collect();
    all.len()
}

impl TermOf {
    /// The same where some levels have no coefficient: others are then held against those too.
    fn beside(&self, left_out: &[LeftOut]) -> Self {
        let mut of = self.clone();
        if let Self::Contrast {
            factor, against, ..
        } = &mut of
        {
            for left in left_out.iter().filter(|left| left.factor == *factor) {
                let level = left.level.iter();
                level.for_each(|level| *against = format!("{against} or {level}"));
            }
        }
        of
    }

    /// What it is, in words; nothing of the constant.
    fn in_words(&self) -> Option<String> {
        match self {
            Self::Constant => None,
            Self::Deviation { factor, .. } => Some(factor.clone()),
            Self::Contrast { factor, level, .. } => Some(format!("{factor} = {level}")),
        }
    }

    fn named(&self) -> (String, Option<String>) {
        match self {
            Self::Constant => ("constant".to_owned(), None),
            Self::Deviation { factor, .. } => (factor.clone(), None),
            Self::Contrast { factor, level, .. } => (factor.clone(), Some(level.clone())),
        }
    }
}
