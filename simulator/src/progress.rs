//! What a person sees while a run is under way: a bar on a terminal, a line a round elsewhere.

use crate::args::OutputArgs;
use crate::events::{Event, RoundFigures};
use crate::exit::Failure;
use indicatif::{ProgressBar, ProgressStyle};
use report::RoundLine;
use report::model::{Epsilon, Real};
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Says something to people, on stderr. If nobody can hear it, the work goes on all the same.
pub fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Writes to stdout, for programs.
///
/// # Errors
/// If stdout is closed or full.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::run(format!("cannot write to stdout: {error}")))
}

/// Tells people and programs how a run goes. Clones share one bar.
#[derive(Clone, Debug)]
pub struct Progress {
    output: OutputArgs,
    bar: Option<ProgressBar>,
    trainings: Trainings,
}

/// How far trainings are that several threads make, such as shadow federations.
#[derive(Clone, Debug, Default)]
struct Trainings {
    noun: &'static str,
    done: Arc<AtomicUsize>,
    all: usize,
}

impl Progress {
    /// Nothing is shown before the first call.
    pub fn new(output: OutputArgs) -> Self {
        Self {
            output,
            bar: None,
            trainings: Trainings::default(),
        }
    }

    /// Nothing is ever shown.
    pub fn quiet() -> Self {
        Self::new(OutputArgs {
            json: false,
            jsonl: false,
            quiet: true,
            verbose: 0,
        })
    }

    /// Whether people are told anything but errors.
    pub const fn speaks(&self) -> bool {
        !self.output.quiet
    }

    /// Says something to people, on stderr, above the bar if there is one.
    pub fn say(&self, text: &str) {
        if !self.speaks() {
            return;
        }
        match &self.bar {
            Some(bar) => bar.suspend(|| tell(text)),
            None => tell(text),
        }
    }

    /// Rounds begin: `done` of `rounds` are behind.
    pub fn begin(&mut self, done: u32, rounds: u32) {
        if !self.speaks() || !std::io::stderr().is_terminal() {
            return;
        }
        let bar = ProgressBar::new(u64::from(rounds))
            .with_style(style("{bar:24}"))
            .with_position(u64::from(done));
        bar.reset_eta();
        self.bar = Some(bar);
    }

    /// A round is finished and on disk.
    pub fn round(&self, figures: &RoundFigures, rounds: u32, budget: Option<Epsilon>) {
        let line = RoundLine {
            round: figures.round,
            rounds,
            quality: Some(figures.quality),
            epsilon: Some(figures.epsilon_subject),
            budget,
            auc_fresh: figures.auc_fresh.map(Real::get),
            auc_training: figures.auc_training.map(Real::get),
        }
        .to_text();
        match &self.bar {
            Some(bar) => {
                bar.set_message(line);
                bar.set_position(u64::from(figures.round));
                restyle(bar);
            }
            None => self.say(&line),
        }
    }

    /// Trainings begin, each called `noun`: `done` of `all` are kept from before.
    pub fn begin_trainings(&mut self, noun: &'static str, done: usize, all: usize) {
        self.begin(done as u32, all as u32);
        self.trainings = Trainings {
            noun,
            done: Arc::new(AtomicUsize::new(done)),
            all,
        };
    }

    /// A training is made and kept.
    pub fn training(&self) {
        let Trainings { noun, done, all } = &self.trainings;
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        let line = format!("{noun} {done} of {all}");
        match &self.bar {
            Some(bar) => {
                bar.set_message(line);
                bar.set_position(done as u64);
                restyle(bar);
            }
            None => self.say(&line),
        }
    }

    /// What the silos are doing: on the bar, if there is one.
    pub fn silos(&self, members: &impl std::fmt::Display) {
        let Some(bar) = &self.bar else {
            return;
        };
        bar.set_prefix(members.to_string());
        restyle(bar);
    }

    /// Rounds are over.
    pub fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Hands an event to programs that asked for them.
    ///
    /// # Errors
    /// If stdout is closed.
    pub fn event(&self, event: &Event) -> Result<(), Failure> {
        if self.output.jsonl {
            print(&event.to_line())
        } else {
            Ok(())
        }
    }
}

/// Shows what there is to show: the last round, what the silos of a network are doing, and, once something is done, the time
/// that is left.
fn restyle(bar: &ProgressBar) {
    let (round, silos) = (!bar.message().is_empty(), !bar.prefix().is_empty());
    let parts = [
        (round, "{msg}"),
        (silos, "{prefix}"),
        (round && bar.position() > 0, "{eta} left"),
    ];
    let shown: Vec<&str> = parts
        .iter()
        .filter_map(|&(is_there, part)| is_there.then_some(part))
        .collect();
    bar.set_style(style(&format!("{{bar:24}} {}", shown.join(" · "))));
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("the templates are constants")
        .progress_chars("━╸─")
}
