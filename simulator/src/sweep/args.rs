//! The command line of sweeps.

use crate::args::{changes, setting};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use training::Device;

/// What to do with a sweep.
#[derive(Debug, Subcommand)]
pub enum SweepCommand {
    /// Write the list of tasks that a scenario with a table sweep stands for, and say what it will cost
    Plan(SweepPlanArgs),
    /// Run every task that is not done yet, several at a time on this machine
    Run(SweepRunArgs),
    /// Hand every task that is neither done nor in its queue to Slurm or HyperQueue
    Submit(SweepSubmitArgs),
    /// Say which tasks are done, which failed and why, and which are missing
    Status(SweepStatusArgs),
    /// Say what the runs say together: one page, JSON and a Parquet table, also of an unfinished sweep
    Report(SweepReportArgs),
}

/// Which sweep.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// A scenario file with a table sweep, or the folder of a planned sweep
    #[arg(value_name = "SCENARIO|DIR")]
    pub sweep: PathBuf,
    /// Change a key of the scenario before it is swept, e.g. --set sweep.seeds=1 (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub set: Vec<String>,
    /// Compute every task on cpu, cuda (cuda:1, …), vulkan or auto, the best that is here: as --set training.device=…
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<Device>,
    /// Where sweep folders are made
    #[arg(long, value_name = "DIR", default_value = "sweeps")]
    pub out: PathBuf,
}

impl SweepArgs {
    /// All changes as `key=value`.
    pub fn changes(&self) -> Vec<String> {
        changes(&self.set, self.device)
    }
}

/// A sweep to plan.
#[derive(Debug, Args)]
pub struct SweepPlanArgs {
    /// Which.
    #[command(flatten)]
    pub sweep: SweepArgs,
}

/// A sweep to run.
#[derive(Debug, Args)]
pub struct SweepRunArgs {
    /// Which.
    #[command(flatten)]
    pub sweep: SweepArgs,
    /// Tasks run at the same time, each in a process of its own [default: the machine's cores]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Threads of each task
    #[arg(long, value_name = "N", default_value = "1")]
    pub threads: NonZeroUsize,
}

/// A sweep to hand to an engine.
#[derive(Debug, Args)]
pub struct SweepSubmitArgs {
    /// Which.
    #[command(flatten)]
    pub sweep: SweepArgs,
    /// Who runs the tasks
    #[arg(long, value_enum)]
    pub engine: EngineArg,
    /// With Slurm: most tasks of a job that run at the same time
    #[arg(long, value_name = "N")]
    pub limit: Option<NonZeroU32>,
    /// Threads of each task, and the processors it asks for
    #[arg(long, value_name = "N", default_value = "1")]
    pub threads: NonZeroUsize,
    /// Print what would be submitted, and submit nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Options for sbatch or hq submit, e.g. -- --partition=long --mem=4G
    #[arg(last = true, value_name = "OPTION")]
    pub options: Vec<String>,
}

/// Engines that run tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineArg {
    /// Slurm, by sbatch: an array job
    Slurm,
    /// HyperQueue, by hq submit: a task array
    Hq,
}

/// A sweep to report.
#[derive(Debug, Args)]
pub struct SweepReportArgs {
    /// The folder of a planned sweep, or its name under sweeps/
    #[arg(value_name = "DIR")]
    pub sweep: PathBuf,
}

/// A sweep to look at.
#[derive(Debug, Args)]
pub struct SweepStatusArgs {
    /// The folder of a planned sweep, or its name under sweeps/
    #[arg(value_name = "DIR")]
    pub sweep: PathBuf,
}
