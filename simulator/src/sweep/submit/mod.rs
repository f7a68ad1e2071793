//! `sweep submit`: tasks handed to an engine that others have built. Whatever is neither done nor in the engine's queue is
//! handed over, so the same command submits a sweep, and later what has failed or was lost.

mod engine;
mod hyperqueue;
mod record;
mod slurm;

use super::Standing;
use super::args::{EngineArg, SweepSubmitArgs};
use super::folder::{FailedTask, SweepFolder};
use crate::args::OutputArgs;
use crate::commands::print_json;
use crate::exit::{Exit, Failure};
use crate::folder::{self, FolderError};
use crate::progress::{print, tell};
use engine::{Engine, Part, Work, quoted};
use hyperqueue::HyperQueue;
use record::{Job, Record};
use scenarios::SweepTask;
use serde_json::json;
use slurm::Slurm;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

impl EngineArg {
    fn engine(self) -> &'static dyn Engine {
        match self {
            Self::Slurm => &Slurm,
            Self::Hq => &HyperQueue,
        }
    }
}

/// What there is to submit, and why.
struct Due<'a> {
    /// Tasks whose last try failed.
    failed: Vec<(&'a SweepTask, FailedTask)>,
    /// Tasks that were submitted and came to nothing without a word, with the jobs that had them.
    lost: Vec<(&'a SweepTask, String)>,
    /// Indices of these and of all that was never submitted.
    tasks: Vec<usize>,
    /// How many are in a queue or running.
    waiting: usize,
    /// How many are done.
    done: usize,
}

/// Hands over what is not done and not in a queue.
///
/// # Errors
/// If the engine is not there or refuses, or the sweep's folder cannot be written.
pub(super) fn submit(args: &SweepSubmitArgs, output: OutputArgs) -> Result<Exit, Failure> {
    let engine = args.engine.engine();
    if args.limit.is_some() && args.engine == EngineArg::Hq {
        return Err(Failure::new(
            Exit::Usage,
            "--limit: HyperQueue runs as many tasks as its workers have room for: start fewer workers, or ask for more \
             of a resource with --threads or -- --resource",
        ));
    }
    let folder = SweepFolder::of(&args.sweep)?;
    let _alone = folder.lock()?;
    let mut record = Record::read(&folder)?;
    let due = due(&folder, &mut record)?;
    if !output.quiet {
        tell(due.to_text(&folder).trim_end());
    }
    let work = Work {
        name: folder.header().name.clone(),
        folder: std::path::absolute(folder.path()).map_err(Failure::run)?,
        program: std::env::current_exe().map_err(Failure::run)?,
        threads: args.threads,
        limit: args.limit,
        options: args.options.clone(),
    };
    let parts = if due.tasks.is_empty() {
        Vec::new()
    } else {
        engine.parts(&work, &due.tasks)?
    };
    let (commands, jobs) = if args.dry_run {
        let commands = rehearse(engine, &work, &parts);
        if !output.json && !commands.is_empty() {
            print(&shown(&engine.script(&work), &commands))?;
        }
        (commands, Vec::new())
    } else {
        hand_over(args.engine, &work, &parts, &folder, &mut record)?
    };
    if output.json {
        let submitted = if args.dry_run { 0 } else { due.tasks.len() };
        let named = |task: &SweepTask| json!({ "id": task.id, "index": task.index });
        let content = json!({
            "folder": folder.path(), "engine": engine.name(), "dry_run": args.dry_run, "jobs": jobs,
            "commands": commands,
            "due": due.tasks, "submitted": submitted, "waiting": due.waiting, "done": due.done,
            "failed": due.failed.iter().map(|(task, _)| named(task)).collect::<Vec<_>>(),
            "lost": due.lost.iter().map(|(task, _)| named(task)).collect::<Vec<_>>(),
        });
        print_json("sweep submit", Exit::Ok, content)?;
    }
    if !output.quiet && !jobs.is_empty() {
        tell(&format!(
            "submitted {} {} as {} {}; what they say is in {}\nhow they stand: siloscope sweep status {}; what fails or \
             is lost is submitted by the same command",
            due.tasks.len(),
            if due.tasks.len() == 1 {
                "task"
            } else {
                "tasks"
            },
            if jobs.len() == 1 { "job" } else { "jobs" },
            jobs.join(", "),
            work.logs().display(),
            folder.path().display(),
        ));
    }
    Ok(Exit::Ok)
}

/// What is to be submitted. Jobs of which nothing is left in a queue leave the record.
fn due<'a>(folder: &'a SweepFolder, record: &mut Record) -> Result<Due<'a>, Failure> {
    let mut waiting = BTreeSet::new();
    let mut gone: Vec<Job> = Vec::new();
    let mut kept = Vec::new();
    for job in std::mem::take(&mut record.jobs) {
        let engine = job.engine.engine();
        let of_job = engine.waiting(&job)?;
        if of_job.is_empty() {
            gone.push(job);
            continue;
        }
        if job.list != folder.header().digest {
            return Err(Failure::run(format!(
                "{} was planned anew while job {} of {} still has tasks of the list before: wait until it has ended, or \
                 cancel it",
                folder.path().display(),
                job.id,
                engine.name()
            )));
        }
        waiting.extend(of_job);
        kept.push(job);
    }
    let standing = Standing::of(folder)?;
    let lost_by = |task: &SweepTask| {
        let mut had = gone.iter().chain(&kept).rev();
        let job = had.find(|job| job.tasks.values().any(|id| *id == task.id))?;
        Some(format!("job {} of {}", job.id, job.engine.engine().name()))
    };
    let is_due = |task: &&SweepTask| !waiting.contains(&task.index);
    let due = Due {
        tasks: standing
            .left()
            .into_iter()
            .filter(is_due)
            .map(|task| task.index)
            .collect(),
        lost: standing
            .missing
            .iter()
            .copied()
            .filter(is_due)
            .filter_map(|task| Some((task, lost_by(task)?)))
            .collect(),
        done: standing.done.len(),
        waiting: standing
            .left()
            .iter()
            .filter(|task| waiting.contains(&task.index))
            .count(),
        failed: standing
            .failed
            .into_iter()
            .filter(|(task, _)| is_due(task))
            .collect(),
    };
    record.jobs = kept;
    Ok(due)
}

impl Due<'_> {
    fn to_text(&self, folder: &SweepFolder) -> String {
        let mut text = format!(
            "{}: {} of {} tasks done, {} in the queue or running, {} to submit\n",
            folder.header().name,
            self.done,
            folder.tasks().len(),
            self.waiting,
            self.tasks.len()
        );
        for (task, failed) in &self.failed {
            text += &again(task, "which failed", &failed.message);
        }
        for (task, job) in &self.lost {
            text += &again(task, "which was lost", &format!("{job} ended without it"));
        }
        text
    }
}

fn again(task: &SweepTask, what: &str, why: &str) -> String {
    let place = task.place();
    format!("again: task {} ({place}), {what}: {why}\n", task.index)
}

/// The commands that would hand over the parts. What the job before a part will be called nobody knows yet.
fn rehearse(engine: &dyn Engine, work: &Work, parts: &[Part]) -> Vec<Vec<String>> {
    let command = |(i, part)| engine.words(work, part, (i > 0).then_some("JOB_BEFORE"));
    parts.iter().enumerate().map(command).collect()
}

/// A script and commands, for people.
fn shown((path, script): &(PathBuf, String), commands: &[Vec<String>]) -> String {
    let mut text = format!("{}:\n{script}\n", path.display());
    for command in commands {
        let words: Vec<String> = command.iter().map(|word| quoted(word)).collect();
        text += &words.join(" ");
        text.push('\n');
    }
    text
}

/// Submits each part and writes down, one by one, what was submitted. Gives the commands and the jobs' ids.
fn hand_over(
    to: EngineArg,
    work: &Work,
    parts: &[Part],
    folder: &SweepFolder,
    record: &mut Record,
) -> Result<(Vec<Vec<String>>, Vec<String>), Failure> {
    let engine = to.engine();
    let (mut commands, mut jobs) = (Vec::new(), Vec::<String>::new());
    if parts.is_empty() {
        record.write(folder)?;
        return Ok((commands, jobs));
    }
    let (path, script) = engine.script(work);
    folder::write_whole(&path, script.as_bytes())?;
    // Engines do not make the folder that their logs go to.
    fs::create_dir_all(work.logs())
        .map_err(|source| FolderError::io("make folder", &work.logs(), source))?;
    for part in parts {
        let words = engine.words(work, part, jobs.last().map(String::as_str));
        let handle = engine.submit(&words)?;
        commands.push(words);
        jobs.push(handle.id.clone());
        record.jobs.push(Job::new(to, handle, part, folder));
        record.write(folder)?;
    }
    Ok((commands, jobs))
}
