//! From axes to points: which levels are combined.

use super::config::{Axis, Design, Scale, SweepConfig};
use super::level::{Setting, number};
use crate::diagnosis::{self, Fault};
use primitives::{Role, Seed, Stream};
use rand::{Rng, RngExt};
use std::collections::{BTreeMap, BTreeSet};

/// More points than this are a mistake in the file.
pub(super) const MOST_POINTS: usize = 100_000;

/// The level of every axis, in the order of the axes.
pub(super) type Point = Vec<Setting>;

/// Every point of a sweep, in its order.
///
/// # Errors
/// If the axes do not fit the design; every fault that was found.
pub(super) fn points(sweep: &SweepConfig, scenario_seed: u64) -> Result<Vec<Point>, Vec<Fault>> {
    let faults = faults(sweep);
    if !faults.is_empty() {
        return Err(faults);
    }
    let levels: Vec<Vec<Setting>> = sweep.axes.iter().map(Axis::settings).collect();
    let points = match sweep.design {
        Design::Grid => grid(&levels),
        Design::Zip => (0..levels.first().map_or(0, Vec::len))
            .map(|row| levels.iter().map(|axis| axis[row].clone()).collect())
            .collect(),
        Design::OneAtATime => one_at_a_time(&levels),
        Design::List => list(sweep)?,
        Design::Random => {
            let seed = Seed::from_number(sweep.seed.unwrap_or(scenario_seed));
            let mut rng = seed.stream(Stream::run(Role::Sweep));
            random(sweep, &levels, &mut rng)
        }
    };
    Ok(points)
}

/// Every combination; the last axis changes fastest.
fn grid(levels: &[Vec<Setting>]) -> Vec<Point> {
    levels.iter().fold(vec![Vec::new()], |points, axis| {
        let with = |point: &Point| {
            let point = point.clone();
            axis.iter().map(move |level| {
                let mut longer = point.clone();
                longer.push(level.clone());
                longer
            })
        };
        points.iter().flat_map(with).collect()
    })
}

/// The point of all first levels, then each other level of each axis in its place.
fn one_at_a_time(levels: &[Vec<Setting>]) -> Vec<Point> {
    let first: Point = levels.iter().map(|axis| axis[0].clone()).collect();
    let mut points = vec![first.clone()];
    for (axis, levels) in levels.iter().enumerate() {
        for level in &levels[1..] {
            let mut point = first.clone();
            point[axis] = level.clone();
            points.push(point);
        }
    }
    points
}

/// The points that are written down: a level by its name where the axis has named ones, else a value of its key. Where a
/// point leaves an axis out, the base stands.
fn list(sweep: &SweepConfig) -> Result<Vec<Point>, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut points = Vec::new();
    for (row, written) in sweep.points.iter().enumerate() {
        let mut point = Vec::new();
        for axis in &sweep.axes {
            let field = format!("sweep.points[{row}].{}", axis.name());
            let Some(value) = written.get(axis.name()) else {
                point.push(Setting::left_out());
                continue;
            };
            let settings = axis.settings();
            let found = settings
                .iter()
                .find(|setting| value.as_str() == Some(&setting.level.label));
            match (found, &axis.key) {
                (Some(setting), _) => point.push(setting.clone()),
                (None, Some(key)) => point.push(Setting::of_value(key, value)),
                (None, None) => {
                    let names: Vec<&str> = settings
                        .iter()
                        .map(|setting| setting.level.label.as_str())
                        .collect();
                    faults.push(Fault::new(
                        field,
                        format!(
                            "{value} is no level of this axis; its levels: {}",
                            names.join(", ")
                        ),
                    ));
                }
            }
        }
        let names: BTreeSet<&str> = sweep.axes.iter().map(Axis::name).collect();
        for key in written.keys().filter(|key| !names.contains(key.as_str())) {
            let hint = diagnosis::nearest(key, names.iter().copied())
                .map_or_else(String::new, |near| format!("; did you mean {near}?"));
            faults.push(Fault::new(
                format!("sweep.points[{row}].{key}"),
                format!("there is no axis of that name{hint}"),
            ));
        }
        points.push(point);
    }
    if faults.is_empty() {
        Ok(points)
    } else {
        Err(faults)
    }
}

/// Points drawn one after another, each axis in its order.
fn random(sweep: &SweepConfig, levels: &[Vec<Setting>], rng: &mut impl Rng) -> Vec<Point> {
    let mut point = || {
        let axes = sweep.axes.iter().zip(levels);
        axes.map(|(axis, levels)| match &axis.range {
            Some(range) => drawn(axis, range, rng),
            None => levels[rng.random_range(0..levels.len())].clone(),
        })
        .collect()
    };
    (0..sweep.draws.unwrap_or(0)).map(|_| point()).collect()
}

/// A value of a range: whole if both ends are, else with four significant digits, so that it is written as it is.
fn drawn(axis: &Axis, range: &[toml::Value; 2], rng: &mut impl Rng) -> Setting {
    let key = axis.key.as_deref().unwrap_or_default();
    let u: f64 = rng.random();
    let ends = [&range[0], &range[1]].map(|end| number(end).unwrap_or_default());
    let between = |u: f64, [low, high]: [f64; 2]| match axis.scale {
        Scale::Linear => low + u * (high - low),
        Scale::Log => (low.ln() + u * (high.ln() - low.ln())).exp(),
    };
    let value = if let [toml::Value::Integer(low), toml::Value::Integer(high)] = range {
        // Half a step beyond both ends, so that these are drawn as often as the others.
        let wide = [*low as f64 - 0.5, *high as f64 + 0.5];
        let value = between(u, wide).round() as i64;
        toml::Value::Integer(value.clamp(*low, *high))
    } else {
        let value: f64 = format!("{:.3e}", between(u, ends))
            .parse()
            .expect("a number that was just written");
        toml::Value::Float(value.clamp(ends[0], ends[1]))
    };
    Setting::of_value(key, &value)
}

/// What is wrong with the axes on their own and together.
fn faults(sweep: &SweepConfig) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut names = BTreeMap::new();
    for (i, axis) in sweep.axes.iter().enumerate() {
        let field = format!("sweep.axes[{i}]");
        faults.extend(of_axis(axis, sweep.design).map(|message| Fault::new(&field, message)));
        if let Some(before) = names.insert(axis.name(), i) {
            let message = format!(
                "axes {before} and {i} are both called {:?}: give one of them another `name`",
                axis.name()
            );
            faults.push(Fault::new(field, message));
        }
    }
    faults.extend(of_design(sweep));
    faults
}

/// What is wrong with an axis.
fn of_axis(axis: &Axis, design: Design) -> Option<String> {
    let ways = [
        !axis.values.is_empty(),
        axis.range.is_some(),
        !axis.levels.is_empty(),
    ];
    let given = ways.iter().filter(|way| **way).count();
    if axis.key.is_none() && axis.levels.is_empty() {
        return Some(
            "has neither `key` (with `values` or a `range`) nor `levels`: say what it changes"
                .to_owned(),
        );
    }
    if axis.key.is_some() && !axis.levels.is_empty() {
        return Some(
            "has `key` and `levels`: named levels say themselves which keys they set; remove one"
                .to_owned(),
        );
    }
    if axis.name().is_empty() {
        return Some("has no name: give it a `name`".to_owned());
    }
    if given > 1 || (given == 0 && design != Design::List) {
        return Some("give one of `values`, `range` and `levels`".to_owned());
    }
    if axis.range.is_some() && design != Design::Random {
        return Some(format!(
            "has a `range`, which only a random design draws from; this one is {:?}: give `values`",
            design.name()
        ));
    }
    axis.range.as_ref().and_then(|[low, high]| {
        let (Some(low), Some(high)) = (number(low), number(high)) else {
            return Some("the ends of a `range` are numbers".to_owned());
        };
        if low.is_nan() || low >= high || !high.is_finite() {
            return Some(format!(
                "range [{low}, {high}] is empty: give the lower end first"
            ));
        }
        let positive = low > 0.0 || axis.scale == Scale::Linear;
        (!positive)
            .then(|| format!("range [{low}, {high}] on a log scale: its lower end must be above 0"))
    })
}

/// What is wrong with the axes together.
fn of_design(sweep: &SweepConfig) -> Vec<Fault> {
    let mut faults = Vec::new();
    let design = sweep.design.name();
    let mut at = |field: &str, message: String| faults.push(Fault::new(field, message));
    if sweep.axes.is_empty() && sweep.design != Design::Grid {
        at(
            "sweep.axes",
            format!("is empty: a {design} sweep needs at least one axis"),
        );
    }
    if !sweep.points.is_empty() && sweep.design != Design::List {
        at(
            "sweep.points",
            format!("belongs to `design = \"list\"`, this one is {design:?}: remove it"),
        );
    }
    for (field, given) in [
        ("draws", sweep.draws.is_some()),
        ("seed", sweep.seed.is_some()),
    ] {
        if given && sweep.design != Design::Random {
            let message =
                format!("belongs to `design = \"random\"`, this one is {design:?}: remove it");
            at(&format!("sweep.{field}"), message);
        }
    }
    let sizes: Vec<usize> = sweep
        .axes
        .iter()
        .map(|axis| axis.values.len() + axis.levels.len())
        .collect();
    let wanted = match sweep.design {
        Design::Grid => sizes
            .iter()
            .fold(1, |all: usize, &size| all.saturating_mul(size)),
        Design::Zip | Design::OneAtATime => sizes.iter().sum(),
        Design::List => sweep.points.len(),
        Design::Random => sweep.draws.unwrap_or(0) as usize,
    };
    match sweep.design {
        Design::Zip if sizes.windows(2).any(|two| two[0] != two[1]) => {
            at(
                "sweep.axes",
                format!("have {sizes:?} levels, and a zip takes them together: give each as many"),
            );
        }
        Design::List if sweep.points.is_empty() => {
            at(
                "sweep.points",
                "is empty: write a table for each point, e.g. points = [{ spread = 0.5 }]"
                    .to_owned(),
            );
        }
        Design::Random if wanted == 0 => {
            at(
                "sweep.draws",
                "is missing or 0: say how many points to draw, e.g. draws = 100".to_owned(),
            );
        }
        _ => {}
    }
    if wanted > MOST_POINTS {
        at(
            "sweep",
            format!(
                "has {wanted} points, at most {MOST_POINTS} are allowed: take fewer levels, or draw from them with `design = \"random\"`"
            ),
        );
    }
    faults
}
