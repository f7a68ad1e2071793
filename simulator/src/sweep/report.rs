//! `siloscope sweep report`: what the runs of a sweep say together.

use super::args::SweepReportArgs;
use super::folder::{SweepFolder, TaskState};
use crate::args::OutputArgs;
use crate::commands::{print_json, style};
use crate::exit::{Exit, Failure};
use crate::folder::write_whole;
use crate::progress::{print, tell};
use crate::session;
use crate::tables;
use report::SweepReport;
use report::sweep::{Design, Factor, Level, Outcomes, Scale, State, Task};
use scenarios::SweepTask;
use serde_json::json;

const PAGE: &str = "sweep.html";
const JSON: &str = "sweep-report.json";
const TABLE: &str = "sweep.parquet";

/// Writes page, JSON and table of a sweep beside its tasks, and says what they say.
///
/// # Errors
/// If the folder is no sweep, a file in it is damaged, or no task is done.
pub fn report(args: &SweepReportArgs, output: OutputArgs) -> Result<Exit, Failure> {
    let folder = SweepFolder::open(&args.sweep)?;
    let again = format!("siloscope sweep run {}", folder.path().display());
    let tasks = folder
        .tasks()
        .iter()
        .map(|task| Ok((named(task), state(&folder, task)?)))
        .collect::<Result<Vec<_>, Failure>>()?;
    let report = SweepReport::try_new(design(&folder), tasks, again)
        .map_err(|error| Failure::run(format!("{}: {error}", folder.path().display())))?;
    let files = [
        (PAGE, report.to_html().into_bytes()),
        (JSON, report.to_json().into_bytes()),
        (
            TABLE,
            tables::sweep(&report).to_parquet().map_err(Failure::run)?,
        ),
    ];
    for (name, bytes) in &files {
        write_whole(&folder.path().join(name), bytes)?;
    }
    let page = folder.path().join(PAGE);
    if output.json {
        let counts = report.counts;
        let content = json!({
            "folder": folder.path(),
            "page": page,
            "report": folder.path().join(JSON),
            "table": folder.path().join(TABLE),
            "tasks": counts,
        });
        print_json("sweep report", Exit::Ok, content)?;
    } else if !output.quiet {
        print(&report.to_text(style()))?;
        tell(&format!("page: {}", page.display()));
    }
    Ok(Exit::Ok)
}

fn design(folder: &SweepFolder) -> Design {
    let header = folder.header();
    let factor = |factor: &scenarios::Factor| Factor {
        name: factor.name.clone(),
        key: factor.key.clone(),
        scale: match factor.scale {
            scenarios::Scale::Linear => Scale::Linear,
            scenarios::Scale::Log => Scale::Log,
        },
    };
    Design {
        name: header.name.clone(),
        description: header.description.clone(),
        digest: header.digest.to_string(),
        design: header.design.clone(),
        seeds: header.seeds.clone(),
        factors: header.factors.iter().map(factor).collect(),
    }
}

fn named(task: &SweepTask) -> Task {
    let level = |level: &scenarios::Level| Level {
        label: level.label.clone(),
        value: level.value.map(Into::into),
    };
    let levels = task.levels.iter();
    Task {
        id: task.id.clone(),
        index: task.index as u32,
        point: task.point as u32,
        seed: task.seed,
        levels: levels
            .map(|(factor, at)| (factor.clone(), level(at)))
            .collect(),
    }
}

/// How a task stands. Of its report only the figures are kept, so that memory does not grow with what runs wrote.
fn state(folder: &SweepFolder, task: &SweepTask) -> Result<State, Failure> {
    Ok(match folder.state(task)? {
        TaskState::Done => match session::finished(folder.place(task).run())? {
            Some(finished) => State::Done(Outcomes::from(&finished.report)),
            None => State::Missing,
        },
        TaskState::Failed(failed) => State::Failed {
            exit_code: failed.exit_code,
            message: failed.message,
        },
        TaskState::Missing => State::Missing,
    })
}
