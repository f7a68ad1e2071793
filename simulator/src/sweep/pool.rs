//! Tasks run several at a time on this machine, each in a process of its own.
//!
//! A process a task keeps memory flat over a sweep of any length, and a task that is killed or panics takes no other
//! with it. It is the same call that a cluster's engine makes: `siloscope run --task`.

use super::folder::{FailedTask, SweepFolder, TaskState};
use super::overview::Overview;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::process::{self, Started};
use scenarios::SweepTask;
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::process::ChildStdin;
use tokio::task::JoinSet;

/// How many tasks at a time, and how many threads for each.
#[derive(Clone, Copy, Debug)]
pub struct Workers {
    /// Tasks at a time.
    pub jobs: NonZeroUsize,
    /// Threads of each.
    pub threads: NonZeroUsize,
}

/// A process that has ended.
struct Ended {
    index: usize,
    status: ExitStatus,
    said: String,
    took: Duration,
}

/// Runs `tasks` until each has had its turn, or somebody asks to stop: what is under way then stops after its round
/// and can be resumed.
///
/// # Errors
/// If a process cannot be started or waited for, or the sweep's folder cannot be written.
pub async fn run(
    folder: &SweepFolder,
    tasks: &[&SweepTask],
    workers: Workers,
    overview: &Overview,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let mut waiting: VecDeque<&SweepTask> = tasks.iter().copied().collect();
    let mut tethers: BTreeMap<usize, Option<ChildStdin>> = BTreeMap::new();
    let mut running: JoinSet<Result<Ended, Failure>> = JoinSet::new();
    loop {
        let stop = interrupt.is_asked_for();
        if stop {
            tethers.clear();
        }
        while !stop && running.len() < workers.jobs.get() {
            let Some(task) = waiting.pop_front() else {
                break;
            };
            let list = folder.list();
            let started = process::start(words(&list, task, workers.threads), Stdio::piped())?;
            let Started { process, tether } = started;
            tethers.insert(task.index, tether);
            running.spawn(wait(task.index, process));
            overview.running(running.len());
        }
        if running.is_empty() {
            return Ok(());
        }
        tokio::select! {
            Some(ended) = running.join_next() => {
                let ended = ended.map_err(Failure::run)??;
                tethers.remove(&ended.index);
                let task = &folder.tasks()[ended.index];
                let state = settle(folder, task, &ended)?;
                // The next one takes its place at once.
                let waiting = if stop { 0 } else { waiting.len() };
                let busy = workers.jobs.get().min(running.len() + waiting);
                overview.ended(task, &state, ended.took, busy)?;
            }
            () = interrupt.asked(), if !stop => {}
        }
    }
}

/// The words that run a task.
fn words(list: &std::path::Path, task: &SweepTask, threads: NonZeroUsize) -> Vec<OsString> {
    let mut name = list.as_os_str().to_owned();
    name.push(format!(":{}", task.index));
    let threads = threads.to_string();
    let mut words: Vec<OsString> = vec!["run".into(), "--task".into(), name];
    words.extend(["--threads", &threads, "--quiet", "--tethered"].map(OsString::from));
    words
}

async fn wait(index: usize, mut process: tokio::process::Child) -> Result<Ended, Failure> {
    let begun = Instant::now();
    let mut said = Vec::new();
    if let Some(mut stderr) = process.stderr.take() {
        stderr.read_to_end(&mut said).await.map_err(Failure::run)?;
    }
    let status = process.wait().await.map_err(Failure::run)?;
    Ok(Ended {
        index,
        status,
        said: String::from_utf8_lossy(&said).trim().to_owned(),
        took: begun.elapsed(),
    })
}

/// What has become of a task whose process has ended. One that could not say itself why it came to nothing is written
/// down here.
fn settle(folder: &SweepFolder, task: &SweepTask, ended: &Ended) -> Result<TaskState, Failure> {
    let state = folder.state(task)?;
    let interrupted = ended.status.code() == Some(Exit::Interrupted.code().into());
    if state != TaskState::Missing || interrupted {
        return Ok(state);
    }
    let failed = FailedTask {
        exit_code: ended.status.code().and_then(|code| u8::try_from(code).ok()),
        message: if ended.said.is_empty() {
            format!("its process ended without a word ({})", ended.status)
        } else {
            ended.said.clone()
        },
    };
    folder.place(task).fail(&failed)?;
    Ok(TaskState::Failed(failed))
}
