//! What a person sees while a sweep is under way: a bar on a terminal, a line a task elsewhere.

use super::folder::TaskState;
use crate::args::OutputArgs;
use crate::exit::Failure;
use crate::progress::{print, tell};
use indicatif::{ProgressBar, ProgressStyle};
use scenarios::SweepTask;
use serde_json::json;
use std::cell::Cell;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::time::Duration;

/// Tells people and programs how a sweep goes.
#[derive(Debug)]
pub struct Overview {
    output: OutputArgs,
    bar: Option<ProgressBar>,
    all: usize,
    jobs: usize,
    done: Cell<usize>,
    failed: Cell<usize>,
    /// What the tasks that ended took together.
    took: Cell<Duration>,
    ended: Cell<u32>,
}

impl Overview {
    /// `done` of `all` tasks are behind; the others are run `jobs` at a time.
    pub fn new(output: OutputArgs, done: usize, all: usize, jobs: usize) -> Self {
        let shown = !output.quiet && std::io::stderr().is_terminal();
        let bar = shown.then(|| {
            let style = ProgressStyle::with_template("{bar:24} {msg}")
                .expect("the template is a constant")
                .progress_chars("━╸─");
            let bar = ProgressBar::new(all as u64).with_style(style);
            bar.with_position(done as u64)
        });
        Self {
            output,
            bar,
            all,
            jobs,
            done: Cell::new(done),
            failed: Cell::new(0),
            took: Cell::new(Duration::ZERO),
            ended: Cell::new(0),
        }
    }

    /// So many tasks are running.
    pub fn running(&self, running: usize) {
        if let Some(bar) = &self.bar {
            bar.set_message(self.line(running));
        }
    }

    /// A task has ended, and `running` others are still running.
    ///
    /// # Errors
    /// If stdout is closed.
    pub fn ended(
        &self,
        task: &SweepTask,
        state: &TaskState,
        took: Duration,
        running: usize,
    ) -> Result<(), Failure> {
        let (word, why) = match state {
            TaskState::Done => {
                self.done.set(self.done.get() + 1);
                ("done", None)
            }
            TaskState::Failed(failed) => {
                self.failed.set(self.failed.get() + 1);
                ("failed", Some(failed.message.as_str()))
            }
            TaskState::Missing => ("interrupted", None),
        };
        self.took.set(self.took.get() + took);
        self.ended.set(self.ended.get() + 1);
        if self.output.jsonl {
            let event = json!({
                "event": "task-ended", "id": task.id, "index": task.index, "state": word, "why": why,
                "seconds": took.as_secs_f64(),
            });
            print(&format!("{event}\n"))?;
        }
        let line = self.line(running);
        let about = format!("task {} ({}): {word}", task.index, task.place());
        match &self.bar {
            Some(bar) => {
                if let Some(why) = why {
                    bar.suspend(|| tell(&format!("{about}: {why}")));
                }
                bar.set_position((self.done.get() + self.failed.get()) as u64);
                bar.set_message(line);
            }
            None if self.output.quiet => {}
            None => {
                let why = why.map_or_else(String::new, |why| format!(": {why}"));
                tell(&format!("{about}{why} · {line}"));
            }
        }
        Ok(())
    }

    /// The sweep is over for now.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, running: usize) -> String {
        let (done, failed) = (self.done.get(), self.failed.get());
        let mut line = format!("{done} of {} done", self.all);
        if failed > 0 {
            let _ = write!(line, ", {failed} failed");
        }
        if running > 0 {
            let _ = write!(line, ", {running} running");
        }
        let waiting = self.all.saturating_sub(done + failed + running);
        if self.ended.get() > 0 && running > 0 {
            // What runs is taken to be half done.
            let mean = self.took.get().as_secs_f64() / f64::from(self.ended.get());
            let left = mean * (waiting as f64 + running as f64 / 2.0) / self.jobs as f64;
            let _ = write!(line, ", about {} left", in_words(left));
        }
        line
    }
}

/// A time in words.
pub fn in_words(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}
