//! The command line.

use crate::audit::over_runs::{FEWEST, MOST};
use crate::exit::Failure;
use crate::sweep::args::SweepCommand;
use clap::{Args, Parser, Subcommand};
use primitives::Digest;
use scenarios::Audited;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;
use training::Device;
use transport::quic::Peer;

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

/// A run to serve.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The run.
    #[command(flatten)]
    pub make: MakeArgs,
    /// How to serve it.
    #[command(flatten)]
    pub settings: ServeSettings,
    /// Stop as by Ctrl-C when stdin ends
    #[arg(long, hide = true)]
    pub tethered: bool,
}

/// How a run is served; kept in its folder, so that `siloscope resume` serves it again.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServeSettings {
    /// The folder with the coordinator's keys, as `siloscope keys init` made it
    #[arg(long, value_name = "DIR")]
    pub keys: PathBuf,
    /// The UDP address to listen on; port 0 lets the system choose
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:4433")]
    pub listen: SocketAddr,
    /// Write address and fingerprint to this file, for silos that wait for it
    #[arg(long, value_name = "FILE")]
    pub rendezvous: Option<PathBuf>,
    /// The host:port to write there instead of this host's own (repeatable)
    #[arg(long, value_name = "HOST:PORT", requires = "rendezvous")]
    pub advertise: Vec<String>,
    /// Let in no certificate whose SHA-256 this file names, one a line; it is read again whenever a silo comes
    #[arg(long, value_name = "FILE")]
    #[serde(default)]
    pub deny: Option<PathBuf>,
    /// Show rounds, silos, bytes and the worst-off subject's epsilon at http://ADDR/metrics, for Prometheus
    #[arg(long, value_name = "ADDR")]
    pub metrics: Option<SocketAddr>,
    /// The links.
    #[command(flatten)]
    pub link: LinkArgs,
}

impl ServeSettings {
    /// The same from whatever folder the run is resumed.
    ///
    /// # Errors
    /// If there is no current folder.
    pub fn absolute(&self) -> Result<Self, Failure> {
        let absolute = |path: &PathBuf| std::path::absolute(path).map_err(Failure::run);
        Ok(Self {
            keys: absolute(&self.keys)?,
            rendezvous: self.rendezvous.as_ref().map(absolute).transpose()?,
            deny: self.deny.as_ref().map(absolute).transpose()?,
            ..self.clone()
        })
    }
}

/// Settings of a link that change no number.
#[derive(Clone, Copy, Debug, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkArgs {
    /// A connection over which nothing has come for so long is lost
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=3600))]
    silence: u32,
}

impl LinkArgs {
    /// How long a link may be silent.
    pub const fn silence(self) -> Duration {
        Duration::from_secs(self.silence as u64)
    }
}

/// A silo that takes part.
#[derive(Debug, Args)]
pub struct JoinArgs {
    /// The coordinator's scenario: a catalogue name or the path of a file
    pub scenario: String,
    /// Change a key of the scenario as the coordinator does, e.g. --set privacy.clip_norm=0.5 (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub set: Vec<String>,
    /// Train on cpu, cuda (cuda:1, …), vulkan or auto, the best that is there, whatever device the plan names: the plan
    /// stays the coordinator's, and updates agree with those of its device to rounding, not to the bit
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<Device>,
    /// Which silo: its number or its name; given several times, one process holds them all
    #[arg(long, value_name = "SILO", required = true)]
    pub silo: Vec<String>,
    /// The folder with this silo's keys, or the one above it
    #[arg(long, value_name = "DIR")]
    pub keys: PathBuf,
    /// Where the coordinator is
    #[arg(
        long,
        value_name = "HOST:PORT",
        conflicts_with = "rendezvous",
        required_unless_present = "rendezvous"
    )]
    pub server: Option<String>,
    /// Admit no other certificate than the one with this SHA-256, which `serve` prints
    #[arg(long, value_name = "HEX", requires = "server", value_parser = crate::keys::fingerprint)]
    pub fingerprint: Option<Digest>,
    /// Wait for the file that `serve --rendezvous` writes, and go where it says
    #[arg(long, value_name = "FILE")]
    pub rendezvous: Option<PathBuf>,
    /// Where the silo keeps its ledger and its last update
    #[arg(long, value_name = "DIR", default_value = "silos")]
    pub out: PathBuf,
    /// Give up when there was no coordinator for so long
    #[arg(long, value_name = "SECONDS", default_value = "600")]
    patience: u32,
    /// The link.
    #[command(flatten)]
    pub link: LinkArgs,
    /// How fast to do it.
    #[command(flatten)]
    pub speed: SpeedArgs,
    /// Stop as by Ctrl-C when stdin ends
    #[arg(long, hide = true)]
    pub tethered: bool,
}

impl JoinArgs {
    /// How long to go without a coordinator.
    pub const fn patience(&self) -> Duration {
        Duration::from_secs(self.patience as u64)
    }
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a federation's authority, the coordinator's keys, and a key pair for each silo
    Init(KeysInitArgs),
    /// Issue keys for one more silo, or anew for one whose keys expire or were lost
    Add(KeysAddArgs),
    /// Show whose keys a folder holds, their fingerprints, and until when they are good
    Show(KeysShowArgs),
}

/// Keys of a new federation.
#[derive(Debug, Args)]
pub struct KeysInitArgs {
    /// The folder to make; it must not be there
    #[arg(value_name = "DIR", default_value = "keys")]
    pub keys: PathBuf,
    /// How many silos the federation has
    #[arg(long, value_name = "N")]
    pub silos: NonZeroU32,
    /// How long the certificates are good
    #[arg(long, value_name = "DAYS", default_value = "365")]
    pub days: NonZeroU32,
}

/// Keys for one peer.
#[derive(Debug, Args)]
pub struct KeysAddArgs {
    /// The folder that `keys init` made, with the authority's key in it
    #[arg(value_name = "DIR")]
    pub keys: PathBuf,
    /// For whom: coordinator, or a silo as 3 or silo-3
    #[arg(value_name = "PEER", value_parser = crate::keys::peer)]
    pub peer: Peer,
    /// Remove the keys that are there
    #[arg(long)]
    pub replace: bool,
    /// How long the certificate is good
    #[arg(long, value_name = "DAYS", default_value = "365")]
    pub days: NonZeroU32,
}

/// Keys to look at.
#[derive(Debug, Args)]
pub struct KeysShowArgs {
    /// A folder that `keys init` made, or one of the folders in it
    #[arg(value_name = "DIR", default_value = "keys")]
    pub keys: PathBuf,
}
