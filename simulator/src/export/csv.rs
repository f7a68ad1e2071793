//! CSV: what the Parquet files of a run folder hold, for all runs in one file each.

use super::args::CsvArgs;
use super::{conclude, counted, runs};
use crate::args::OutputArgs;
use crate::exit::{Exit, Failure};
use crate::folder;
use crate::recorder;
use crate::tables;
use serde_json::json;

/// Writes `rounds.csv`, `subjects.csv` and `attacks.csv`.
///
/// # Errors
/// If a run cannot be read or a file not written.
pub fn export(args: &CsvArgs, output: OutputArgs) -> Result<Exit, Failure> {
    let found = runs::find(&args.runs)?;
    let [mut rounds, mut subjects, mut attacks] = [Vec::new(), Vec::new(), Vec::new()];
    for run in &found.runs {
        let run = runs::Run::open(run)?;
        let figures = recorder::rounds(&run.folder)?;
        rounds.push((run.name.clone(), tables::rounds(&figures, &run.report)));
        subjects.push((run.name.clone(), tables::subjects(&run.report)));
        attacks.push((run.name, tables::attacks(&run.report)));
    }
    let mut files = Vec::new();
    for (name, tables) in [
        ("rounds.csv", rounds),
        ("subjects.csv", subjects),
        ("attacks.csv", attacks),
    ] {
        let file = args.out.join(name);
        let text = tables::stacked(&tables).map_err(Failure::run)?;
        folder::write_whole(&file, &text)?;
        files.push(file);
    }
    conclude(
        "csv",
        &found,
        output,
        &json!({ "files": files }),
        &format!(
            "wrote rounds.csv, subjects.csv and attacks.csv of {} to {}",
            counted(found.runs.len(), "run"),
            args.out.display()
        ),
    )
}
