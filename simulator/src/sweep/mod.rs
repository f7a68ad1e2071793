//! Sweeps: many federations from one file, on this machine or by whatever engine runs `siloscope run --task`.

pub mod args;
mod folder;
mod overview;
mod plan;
mod pool;
mod report;
mod submit;
mod task;

pub use plan::validate;
pub use task::run as run_task;

use crate::args::OutputArgs;
use crate::commands::print_json;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::progress::{print, tell};
use args::{SweepCommand, SweepRunArgs, SweepStatusArgs};
use folder::{FailedTask, SweepFolder, TaskState};
use overview::Overview;
use pool::Workers;
use scenarios::SweepTask;
use serde_json::json;
use std::fmt::Write as _;
use std::num::NonZeroUsize;
use tokio::runtime::Handle;

/// Does what is asked with a sweep.
///
/// # Errors
/// As each verb says.
pub fn sweep(
    command: &SweepCommand,
    output: OutputArgs,
    interrupt: &Interrupt,
) -> Result<Exit, Failure> {
    match command {
        SweepCommand::Plan(args) => plan::plan(args, output),
        SweepCommand::Run(args) => run(args, output, interrupt),
        SweepCommand::Submit(args) => submit::submit(args, output),
        SweepCommand::Status(args) => status(args, output),
        SweepCommand::Report(args) => report::report(args, output),
    }
}

/// What has become of the tasks of a sweep.
struct Standing<'a> {
    done: Vec<&'a SweepTask>,
    failed: Vec<(&'a SweepTask, FailedTask)>,
    missing: Vec<&'a SweepTask>,
}

impl<'a> Standing<'a> {
    fn of(folder: &'a SweepFolder) -> Result<Self, Failure> {
        let mut standing = Self {
            done: Vec::new(),
            failed: Vec::new(),
            missing: Vec::new(),
        };
        for task in folder.tasks() {
            match folder.state(task)? {
                TaskState::Done => standing.done.push(task),
                TaskState::Failed(failed) => standing.failed.push((task, failed)),
                TaskState::Missing => standing.missing.push(task),
            }
        }
        Ok(standing)
    }

    /// What is not done, in the order of the list.
    fn left(&self) -> Vec<&'a SweepTask> {
        let failed = self.failed.iter().map(|(task, _)| *task);
        let mut left: Vec<_> = failed.chain(self.missing.iter().copied()).collect();
        left.sort_by_key(|task| task.index);
        left
    }

    /// For people: how many of each, and every failed task by name.
    fn to_text(&self, folder: &SweepFolder) -> String {
        let mut text = format!(
            "{}: {} of {} tasks done, {} failed, {} missing\n",
            folder.header().name,
            self.done.len(),
            folder.tasks().len(),
            self.failed.len(),
            self.missing.len()
        );
        for (task, failed) in &self.failed {
            let _ = writeln!(
                text,
                "failed: task {} {} ({}): {}",
                task.index,
                task.id,
                task.place(),
                failed.message
            );
        }
        if !self.left().is_empty() {
            let _ = writeln!(
                text,
                "run what is left with: siloscope sweep run {}",
                folder.path().display()
            );
        }
        text
    }

    /// For programs.
    fn to_json(&self) -> serde_json::Value {
        let named = |task: &SweepTask| json!({ "id": task.id, "index": task.index });
        let failed = |(task, failed): &(&SweepTask, FailedTask)| {
            let FailedTask { exit_code, message } = failed;
            json!({ "id": task.id, "index": task.index, "exit_code": exit_code, "message": message })
        };
        json!({
            "done": self.done.iter().copied().map(named).collect::<Vec<_>>(),
            "failed": self.failed.iter().map(failed).collect::<Vec<_>>(),
            "missing": self.missing.iter().copied().map(named).collect::<Vec<_>>(),
        })
    }
}

/// Runs what is not done yet.
fn run(args: &SweepRunArgs, output: OutputArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    let folder = SweepFolder::of(&args.sweep)?;
    let _alone = folder.lock()?;
    let before = Standing::of(&folder)?;
    let left = before.left();
    let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let workers = Workers {
        jobs: args.jobs.unwrap_or(cores),
        threads: args.threads,
    };
    if !output.quiet {
        tell(&format!(
            "{}: {} tasks, {} done already, {} at a time → {}",
            folder.header().name,
            folder.tasks().len(),
            before.done.len(),
            workers.jobs,
            folder.path().display()
        ));
        for (task, failed) in &before.failed {
            let place = task.place();
            tell(&format!(
                "again: task {} ({place}), which failed: {}",
                task.index, failed.message
            ));
        }
    }
    let overview = Overview::new(
        output,
        before.done.len(),
        folder.tasks().len(),
        workers.jobs.get(),
    );
    let pool = pool::run(&folder, &left, workers, &overview, interrupt);
    let ran = Handle::current().block_on(pool);
    overview.end();
    ran?;
    let after = Standing::of(&folder)?;
    let exit = if interrupt.is_asked_for() {
        Exit::Interrupted
    } else if !after.failed.is_empty() {
        Exit::Failed
    } else {
        Exit::Ok
    };
    conclude("sweep run", &folder, &after, exit, output)?;
    Ok(exit)
}

/// Says what has become of each task.
fn status(args: &SweepStatusArgs, output: OutputArgs) -> Result<Exit, Failure> {
    let folder = SweepFolder::open(&args.sweep)?;
    let standing = Standing::of(&folder)?;
    if output.json {
        let content = json!({ "folder": folder.path(), "tasks": standing.to_json() });
        print_json("sweep status", Exit::Ok, content)?;
    } else {
        print(&standing.to_text(&folder))?;
    }
    Ok(Exit::Ok)
}

/// Says how a sweep stands: to people on stderr, to programs on stdout.
fn conclude(
    command: &str,
    folder: &SweepFolder,
    standing: &Standing<'_>,
    exit: Exit,
    output: OutputArgs,
) -> Result<(), Failure> {
    if output.json {
        let content = json!({ "folder": folder.path(), "tasks": standing.to_json() });
        print_json(command, exit, content)?;
    }
    if output.jsonl {
        let event = json!({
            "event": "sweep-ended", "done": standing.done.len(), "failed": standing.failed.len(),
            "missing": standing.missing.len(), "exit_code": exit.code(),
        });
        print(&format!("{event}\n"))?;
    }
    if !output.quiet {
        tell(standing.to_text(folder).trim_end());
    }
    Ok(())
}
