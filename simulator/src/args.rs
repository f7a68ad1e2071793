//! The command line.

use crate::exit::Failure;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Simulates cross-silo federations, accounts for records, subjects and silos, and attacks what was trained.
#[derive(Debug, Parser)]
#[command(
    name = "siloscope",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
#[command(
    after_help = "Exit codes: 0 ok · 1 run failed · 2 usage · 3 scenario invalid · 4 budget refused · \
5 a gate failed · 6 partial · 130 interrupted, resumable"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How to say it.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What is printed, and where.
#[derive(Clone, Copy, Debug, Args)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "flags are what a command line has"
)]
pub struct OutputArgs {
    /// One JSON envelope on stdout when done
    #[arg(long, global = true, conflicts_with = "jsonl")]
    pub json: bool,
    /// One JSON event a line on stdout while running, the last one terminal
    #[arg(long, global = true)]
    pub jsonl: bool,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more (-v decisions, -vv messages)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a scenario: a catalogue name (quickstart, smoke, ...) or a path
    Run(RunArgs),
    /// Go on with an interrupted run
    Resume(ResumeArgs),
    /// Attack a finished run again, with its own attacks or others, without training again
    Attack(AttackArgs),
    /// Check a scenario and its data without running it
    Validate(ScenarioArgs),
    /// What a scenario will cost, before anything is trained: noise, epsilon by unit, steps, memory, time
    Plan(PlanArgs),
    /// Write the report of a run again from its folder
    Report(RunFolderArgs),
    /// Put runs side by side: accuracy against epsilon and what attacks found
    Compare(CompareArgs),
    /// The accountant as a calculator: epsilon, delta, noise, steps, rate, curve; or a run's ledger replayed
    Account(crate::account::args::AccountArgs),
    /// List the built-in data sets and how to bring your own
    Datasets,
    /// List the catalogue, or write one of its scenarios to a file to start from
    Init(InitArgs),
    /// Print a completion script
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
}

/// Which scenario, with which changes.
#[derive(Clone, Debug, Args)]
pub struct ScenarioArgs {
    /// A catalogue name or the path of a scenario file
    pub scenario: String,
    /// Change a key of the scenario, e.g. --set privacy.clip_norm=0.5 (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub set: Vec<String>,
}

/// A scenario to look ahead at.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Which.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// Write which record is trained on where, one row a record: for whoever trains on this split elsewhere
    #[arg(long, value_name = "CSV")]
    pub records: Option<PathBuf>,
}

/// A setting has a key and a value; whether the scenario has such a key is found when it is read.
fn setting(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((key, _)) if !key.trim().is_empty() => Ok(text.to_owned()),
        Some(_) => Err("it names no key: write it as key=value, e.g. seed=3".to_owned()),
        None => Err("it has no '=': write it as key=value, e.g. seed=3".to_owned()),
    }
}

/// A run to make.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// What to run.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// Where run folders are made
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,
    /// Remove an earlier run of the same plan and start anew
    #[arg(long)]
    pub fresh: bool,
    /// How fast to do it.
    #[command(flatten)]
    pub speed: SpeedArgs,
}

/// Settings that change how long a run takes and nothing else.
#[derive(Clone, Copy, Debug, Args)]
pub struct SpeedArgs {
    /// Silos trained at the same time [default: the machine's cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<std::num::NonZeroUsize>,
}

impl SpeedArgs {
    /// Sets the number of threads of this process.
    ///
    /// # Errors
    /// If the threads cannot be made.
    pub fn apply(self) -> Result<(), Failure> {
        let Some(threads) = self.threads else {
            return Ok(());
        };
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.get())
            .build_global()
            .map_err(Failure::run)
    }
}

/// A run to go on with.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// The run folder, or its name under runs/
    pub run: PathBuf,
    /// How fast to do it.
    #[command(flatten)]
    pub speed: SpeedArgs,
}

/// A finished run to attack, or models that were trained elsewhere.
#[derive(Debug, Args)]
pub struct AttackArgs {
    /// The run folder, or its name under runs/; with --scenario a folder with one safetensors file a round
    pub run: PathBuf,
    /// A file with [[attacks]], and if need be [adversary] and [gates], to use instead of the scenario's
    #[arg(long, value_name = "FILE", conflicts_with = "scenario")]
    pub attacks: Option<PathBuf>,
    /// Change a key of [adversary], [[attacks]] or [gates], e.g. --set adversary.known_subjects=5 (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub set: Vec<String>,
    /// The models were trained elsewhere: a file with their [data], [model] and [[attacks]]
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// With --scenario: what was released during training, one entry of a ledger a line
    #[arg(long, value_name = "FILE", requires = "scenario")]
    pub ledger: Option<PathBuf>,
    /// With --scenario: where run folders are made
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,
    /// How fast to do it.
    #[command(flatten)]
    pub speed: SpeedArgs,
}

/// A run that is there.
#[derive(Debug, Args)]
pub struct RunFolderArgs {
    /// The run folder, or its name under runs/
    pub run: PathBuf,
}

/// Runs to compare.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Two or more run folders
    #[arg(required = true, num_args = 2..)]
    pub runs: Vec<PathBuf>,
    /// Where the page goes
    #[arg(long, value_name = "FILE", default_value = "compare.html")]
    pub out: PathBuf,
}

/// A scenario to start from.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// A catalogue name; without it the catalogue is listed
    pub name: Option<String>,
    /// The file to write [default: NAME.toml]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}
