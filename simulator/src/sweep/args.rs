//! The command line of sweeps.

use crate::args::setting;
use clap::{Args, Subcommand};
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// What to do with a sweep.
#[derive(Debug, Subcommand)]
pub enum SweepCommand {
    /// Write the list of tasks that a scenario with a [sweep] stands for, and say what it will cost
    Plan(SweepPlanArgs),
    /// Run every task that is not done yet, several at a time on this machine
    Run(SweepRunArgs),
    /// Say which tasks are done, which failed and why, and which are missing
    Status(SweepStatusArgs),
    /// Say what the runs say together: one page, JSON and a Parquet table, also of an unfinished sweep
    Report(SweepReportArgs),
}

/// Which sweep.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// A scenario file with a [sweep], or the folder of a planned sweep
    #[arg(value_name = "SCENARIO|DIR")]
    pub sweep: PathBuf,
    /// Change a key of the scenario before it is swept, e.g. --set sweep.seeds=1 (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub set: Vec<String>,
    /// Where sweep folders are made
    #[arg(long, value_name = "DIR", default_value = "sweeps")]
    pub out: PathBuf,
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
