//! `siloscope export`: finished runs for other tools to show. What is exported is read from run folders; nothing of them
//! is changed but `tensorboard/`, which every run leaves anyway.

pub mod args;
mod csv;
mod mlflow;
mod runs;

use crate::args::OutputArgs;
use crate::commands::print_json;
use crate::exit::{Exit, Failure};
use crate::folder;
use crate::progress::tell;
use args::{ExportCommand, TensorboardArgs};
use runs::Found;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Where the events for TensorBoard are in a run folder.
pub fn event_file() -> PathBuf {
    Path::new("tensorboard").join(report::TENSORBOARD_FILE)
}

/// Hands runs to a tool.
///
/// # Errors
/// If a run cannot be read, or the tool's files cannot be written, or its server does not take them.
pub fn export(command: &ExportCommand, output: OutputArgs) -> Result<Exit, Failure> {
    match command {
        ExportCommand::Tensorboard(args) => tensorboard(args, output),
        ExportCommand::Mlflow(args) => mlflow::export(args, output),
        ExportCommand::Csv(args) => csv::export(args, output),
    }
}

/// Writes an event file for each run: in its folder, or all below one.
fn tensorboard(args: &TensorboardArgs, output: OutputArgs) -> Result<Exit, Failure> {
    let found = runs::find(&args.runs)?;
    let mut files = Vec::new();
    for run in found.runs.iter().map(runs::Run::open) {
        let run = run?;
        let file = match &args.out {
            Some(out) => out.join(&run.name).join(report::TENSORBOARD_FILE),
            None => run.folder.join(event_file()),
        };
        folder::write_whole(&file, &run.report.to_tensorboard())?;
        files.push(file);
    }
    let whole = args.out.clone().unwrap_or_else(|| above(&found));
    conclude(
        "tensorboard",
        &found,
        output,
        &json!({ "files": files }),
        &format!(
            "wrote {}; look at them with: tensorboard --logdir {}",
            counted(files.len(), "event file"),
            whole.display()
        ),
    )
}

/// The folder that holds the only run, or else the folder of the first.
fn above(found: &Found) -> PathBuf {
    let first = &found.runs[0].1;
    match found.runs.len() {
        1 => first.clone(),
        _ => crate::disk::folder_of(first),
    }
}

/// Says what was exported and what was not.
fn conclude(
    tool: &str,
    found: &Found,
    output: OutputArgs,
    content: &serde_json::Value,
    words: &str,
) -> Result<Exit, Failure> {
    if output.json {
        let mut all =
            json!({ "tool": tool, "runs": found.runs.len(), "unfinished": found.unfinished });
        if let (Some(all), Some(content)) = (all.as_object_mut(), content.as_object()) {
            all.extend(content.clone());
        }
        print_json("export", Exit::Ok, all)?;
    }
    if !output.quiet {
        tell(words);
        if found.unfinished > 0 {
            tell(&format!(
                "left out {} that {} not finished",
                counted(found.unfinished, "run"),
                if found.unfinished == 1 { "is" } else { "are" }
            ));
        }
    }
    Ok(Exit::Ok)
}

fn counted(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
