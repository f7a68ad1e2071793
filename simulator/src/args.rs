//! The command line.

use crate::audit::over_runs::{FEWEST, MOST};
use crate::exit::Failure;
use crate::network::args::{JoinArgs, KeysCommand, ServeArgs};
use crate::sweep::args::SweepCommand;
use clap::{Args, Parser, Subcommand};
use scenarios::Audited;
use std::num::NonZeroU32;
use std::path::PathBuf;
use training::Device;

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
    /// Many federations from one scenario with a table sweep: plan them, run them here or on a cluster
    #[command(subcommand)]
    Sweep(SweepCommand),
    /// Go on with an interrupted run
    Resume(ResumeArgs),
    /// Attack a finished run again, with its own attacks or others, without training again
    Attack(AttackArgs),
    /// Run a scenario whose silos are other processes, on this host or elsewhere: they come with `join`
    Serve(ServeArgs),
    /// Take part in a served run as one silo
    Join(JoinArgs),
    /// Make and show the keys with which coordinator and silos know each other
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Audit a finished run, without training again, or a scenario over many runs: lower bounds on epsilon against the
    /// ledger's upper ones
    Audit(AuditArgs),
    /// Check a scenario and its data without running it
    Validate(ScenarioArgs),
    /// What a scenario will cost, before anything is trained: noise, epsilon by unit, steps, memory, time
    Plan(PlanArgs),
    /// Write the report of a run again from its folder
    Report(RunFolderArgs),
    /// Put runs side by side: accuracy against epsilon and what attacks found
    Compare(CompareArgs),
    /// Hand finished runs to other tools: TensorBoard, MLflow, CSV
    #[command(subcommand)]
    Export(crate::export::args::ExportCommand),
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
    /// Compute on cpu, cuda (cuda:1, …), vulkan or auto, the best that is there: as --set training.device=…
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<Device>,
}

impl ScenarioArgs {
    /// All changes as `key=value`.
    pub fn changes(&self) -> Vec<String> {
        changes(&self.set, self.device)
    }
}

/// Settings with the one that `--device` stands for.
pub fn changes(set: &[String], device: Option<Device>) -> Vec<String> {
    let device = device.map(|device| format!("training.device=\"{device}\""));
    set.iter().cloned().chain(device).collect()
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
pub fn setting(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((key, _)) if !key.trim().is_empty() => Ok(text.to_owned()),
        Some(_) => Err("it names no key: write it as key=value, e.g. seed=3".to_owned()),
        None => Err("it has no '=': write it as key=value, e.g. seed=3".to_owned()),
    }
}

/// A run to make.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The run.
    #[command(flatten)]
    pub make: MakeArgs,
    /// Where the silos are: in this process, or in processes of their own on this machine
    #[arg(long, value_enum, default_value = "memory")]
    pub transport: TransportArg,
    /// How many processes the silos are spread over with `--transport quic`; up to eight silos have one each, more share as
    /// many as there are cores
    #[arg(long, value_name = "COUNT")]
    pub processes: Option<NonZeroU32>,
    /// SCENARIO is a task of a sweep, as TASKS.json:INDEX or TASKS.json:ID; it is run where its list lies
    #[arg(long, conflicts_with_all = ["set", "device", "out", "transport"])]
    pub task: bool,
    /// Stop as by Ctrl-C when stdin ends
    #[arg(long, hide = true)]
    pub tethered: bool,
}

/// How coordinator and silos are connected; it changes no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TransportArg {
    /// All in this process
    Memory,
    /// Separate processes over QUIC on 127.0.0.1, with keys for this one time
    Quic,
}

/// What to run and where to.
#[derive(Debug, Args)]
pub struct MakeArgs {
    /// What to run.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// Where run folders are made
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,
    /// Remove an earlier run of the same plan and start anew
    #[arg(long)]
    pub fresh: bool,
    /// A fault that every silo trains with
    #[cfg(feature = "planted-faults")]
    #[arg(long, value_name = "FAULT", hide = true)]
    pub plant: Option<training::Fault>,
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
    /// A file with [[attacks]], and if need be the tables adversary and gates, to use instead of the scenario's
    #[arg(long, value_name = "FILE", conflicts_with = "scenario")]
    pub attacks: Option<PathBuf>,
    /// Change a key of the tables adversary, attacks or gates, e.g. --set adversary.known_subjects=5 (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub set: Vec<String>,
    /// The models were trained elsewhere: a file with the tables data, model and attacks
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
    /// With --scenario: look at the models on cpu, cuda (cuda:1, …), vulkan or auto, the best that is there
    #[arg(long, value_name = "DEVICE", requires = "scenario")]
    pub device: Option<Device>,
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

/// A finished run to audit, or a scenario to train again and again.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// The run folder, or its name under runs/; with --runs a catalogue name or the path of a scenario file
    pub run: PathBuf,
    /// How often a correct run passes [default: the scenario's, or 0.95]
    #[arg(long, value_name = "LEVEL", value_parser = confidence)]
    pub confidence: Option<attacks::Confidence>,
    /// Rounds that are audited, evenly spaced with the last among them [default: the scenario's, or 5]
    #[arg(long, value_name = "N", conflicts_with = "runs")]
    pub rounds: Option<NonZeroU32>,
    /// Train the scenario so many times, half of them with one subject more, and audit whether that shows
    #[arg(long, value_name = "N", value_parser = runs)]
    pub runs: Option<usize>,
    /// With --runs: whose presence is audited: member (the one with the most to lose), member:NAME, planted, mislabelled
    /// or crafted
    #[arg(long, value_name = "WHO", requires = "runs", default_value = "member", value_parser = audited)]
    pub subject: Audited,
    /// With --runs: change a key of the scenario, e.g. --set privacy.clip_norm=0.5 (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "runs", value_parser = setting)]
    pub set: Vec<String>,
    /// With --runs: compute on cpu, cuda (cuda:1, …), vulkan or auto, the best that is there
    #[arg(long, value_name = "DEVICE", requires = "runs")]
    pub device: Option<Device>,
    /// With --runs: where the audit and what it trains are kept
    #[arg(long, value_name = "DIR", requires = "runs", default_value = "runs")]
    pub out: PathBuf,
    /// A fault that every silo trains with
    #[cfg(feature = "planted-faults")]
    #[arg(long, value_name = "FAULT", hide = true, requires = "runs")]
    pub plant: Option<training::Fault>,
    /// How fast to do it.
    #[command(flatten)]
    pub speed: SpeedArgs,
}

fn runs(text: &str) -> Result<usize, String> {
    let allowed = |&runs: &usize| (FEWEST..=MOST).contains(&runs) && runs.is_multiple_of(2);
    text.parse().ok().filter(allowed).ok_or_else(|| {
        format!(
            "allowed is an even number from {FEWEST} to {MOST}, half of the runs with the subject and half without, e.g. 100"
        )
    })
}

fn audited(text: &str) -> Result<Audited, String> {
    match text {
        "member" => Ok(Audited::Member(None)),
        "planted" => Ok(Audited::Planted { mislabelled: false }),
        "mislabelled" => Ok(Audited::Planted { mislabelled: true }),
        "crafted" => Ok(Audited::Crafted),
        _ => match text.strip_prefix("member:") {
            Some(name) if !name.is_empty() => Ok(Audited::Member(Some(name.to_owned()))),
            _ => {
                Err("allowed are member, member:NAME, planted, mislabelled and crafted".to_owned())
            }
        },
    }
}

fn confidence(text: &str) -> Result<attacks::Confidence, String> {
    let value = text
        .parse()
        .map_err(|_| format!("{text:?} is no number: give one between 0 and 1, e.g. 0.95"))?;
    attacks::Confidence::try_new(value).map_err(|error| error.to_string())
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
