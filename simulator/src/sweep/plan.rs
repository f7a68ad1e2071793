//! The list of tasks that a scenario stands for, and what they will cost.

use super::args::SweepPlanArgs;
use super::folder::SweepFolder;
use super::overview::in_words;
use crate::args::{OutputArgs, ScenarioArgs};
use crate::commands::print_json;
use crate::exit::{Exit, Failure};
use crate::foresee::{self, Forecast};
use crate::progress::{print, tell};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use scenarios::{Level, Resolved, ScenarioError, SweepFile, SweepTask};
use serde_json::json;
use std::cmp::Ordering;
use std::fmt::Write as _;

/// Tasks whose cost is foreseen; the others are taken to cost as much in the mean.
const FORESEEN: usize = 8;

/// Levels of a factor that are listed; of more, the first and the last are.
const LISTED: usize = 12;

/// Writes the folder of a sweep and says what is in it.
///
/// # Errors
/// If the scenario or one of its points is not valid, or the system refuses.
pub(super) fn plan(args: &SweepPlanArgs, output: OutputArgs) -> Result<Exit, Failure> {
    let folder = SweepFolder::of(&args.sweep)?;
    let tasks = folder.tasks();
    let seconds = seconds(tasks)?;
    if output.json {
        let content = json!({
            "folder": folder.path(), "sweep": folder.header(), "tasks": tasks, "core_seconds": seconds,
        });
        print_json("sweep plan", Exit::Ok, content)?;
        return Ok(Exit::Ok);
    }
    let header = folder.header();
    let points = tasks.last().map_or(0, |task| task.point + 1);
    let mut text = format!(
        "{}: {} tasks, a {} design of {points} points, {} seeds each\n",
        header.name,
        tasks.len(),
        header.design,
        header.seeds.len()
    );
    let width = header
        .factors
        .iter()
        .map(|factor| factor.name.len())
        .max()
        .unwrap_or(0);
    for factor in &header.factors {
        let key = factor.key.as_deref().unwrap_or("several keys");
        let levels = levels(tasks, &factor.name);
        let _ = writeln!(text, "  {:width$}  {key}: {levels}", factor.name);
    }
    let cores = rayon::current_num_threads();
    let _ = writeln!(
        text,
        "training takes about {} on this machine's {cores} cores, {} core-seconds; attacks, reports and the disk come on top",
        in_words(seconds / cores as f64),
        seconds.round()
    );
    let _ = writeln!(text, "tasks: {}", folder.list().display());
    let _ = writeln!(
        text,
        "run them with: siloscope sweep run {}",
        folder.path().display()
    );
    print(&text)?;
    Ok(Exit::Ok)
}

/// Checks every point of a sweep with its data.
///
/// # Errors
/// If one is not valid; at most a handful of faults is listed.
pub fn validate(args: &ScenarioArgs, output: OutputArgs) -> Result<Exit, Failure> {
    const MOST: usize = 5;
    let sweep = SweepFile::open(&args.scenario, &args.changes()).map_err(Failure::scenario)?;
    let faults: Vec<ScenarioError> = sweep
        .tasks
        .par_iter()
        .filter_map(|task| task.open().and_then(Resolved::new).err())
        .collect();
    if !faults.is_empty() {
        let mut lines: Vec<String> = faults.iter().take(MOST).map(ToString::to_string).collect();
        if faults.len() > MOST {
            lines.push(format!("{} more tasks are not valid", faults.len() - MOST));
        }
        return Err(Failure::scenario(lines.join("\n")));
    }
    if output.json {
        let content = json!({ "name": sweep.name, "tasks": sweep.tasks.len() });
        print_json("validate", Exit::Ok, content)?;
    } else if !output.quiet {
        tell(&format!(
            "{}: valid, a sweep of {} tasks",
            sweep.name,
            sweep.tasks.len()
        ));
    }
    Ok(Exit::Ok)
}

/// Core-seconds of all tasks, from the forecasts of some, evenly spaced.
fn seconds(tasks: &[SweepTask]) -> Result<f64, Failure> {
    let step = tasks.len().div_ceil(FORESEEN).max(1);
    let some: Vec<&SweepTask> = tasks.iter().step_by(step).collect();
    let mut sum = 0.0;
    for task in &some {
        let file = task.open().map_err(Failure::scenario)?;
        let resolved = Resolved::new(file).map_err(Failure::scenario)?;
        sum += core_seconds(&foresee::forecast(&resolved)?);
    }
    Ok(sum / some.len().max(1) as f64 * tasks.len() as f64)
}

fn core_seconds(forecast: &Forecast) -> f64 {
    let cores = rayon::current_num_threads() as f64;
    let shadows = forecast.shadows.as_ref();
    (forecast.seconds + shadows.map_or(0.0, |shadows| shadows.seconds)) * cores
}

/// The levels of a factor: numbers by size, others in the order in which tasks have them.
fn levels(tasks: &[SweepTask], factor: &str) -> String {
    let mut found: Vec<&Level> = Vec::new();
    for level in tasks.iter().filter_map(|task| task.levels.get(factor)) {
        if !found.contains(&level) {
            found.push(level);
        }
    }
    if found.iter().all(|level| level.value.is_some()) {
        found.sort_by(|a, b| a.value.partial_cmp(&b.value).unwrap_or(Ordering::Equal));
    }
    let labels: Vec<&str> = found.iter().map(|level| level.label.as_str()).collect();
    match labels.as_slice() {
        [first, .., last] if labels.len() > LISTED => {
            format!("{first} … {last} ({} levels)", labels.len())
        }
        _ => labels.join(", "),
    }
}
