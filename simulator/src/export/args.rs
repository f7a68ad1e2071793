//! The command line of `export`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// For which tool.
#[derive(Debug, Subcommand)]
pub enum ExportCommand {
    /// Write the events that TensorBoard reads
    Tensorboard(TensorboardArgs),
    /// Send runs to an MLflow server: parameters, metrics of every round, tags
    Mlflow(MlflowArgs),
    /// Write rounds, subjects and attacks as CSV files that hold all runs
    Csv(CsvArgs),
}

/// Finished runs.
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// Run folders, their names under runs/, or folders of runs such as a sweep's
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
}

/// Event files to write.
#[derive(Debug, Args)]
pub struct TensorboardArgs {
    /// Which runs.
    #[command(flatten)]
    pub runs: RunsArgs,
    /// Write all runs below this folder [default: below tensorboard/ in each run folder]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// Runs to send.
#[derive(Debug, Args)]
pub struct MlflowArgs {
    /// Which runs.
    #[command(flatten)]
    pub runs: RunsArgs,
    /// Where the MLflow server is, e.g. http://127.0.0.1:5000
    #[arg(long, value_name = "URL")]
    pub url: String,
    /// The experiment that the runs belong to; it is made if it is not there
    #[arg(long, value_name = "NAME", default_value = "siloscope")]
    pub experiment: String,
}

/// Tables to write.
#[derive(Debug, Args)]
pub struct CsvArgs {
    /// Which runs.
    #[command(flatten)]
    pub runs: RunsArgs,
    /// Where rounds.csv, subjects.csv and attacks.csv go
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}
