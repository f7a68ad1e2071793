//! MLflow: a run of an experiment for each run folder.
//!
//! A run is known again by its plan: equal plans are equal runs. What MLflow holds of it is left alone if it is of the
//! same report; else it is replaced, since MLflow can add to metrics and not take back. The tag that names the report is
//! written last, so that an export that broke off counts as none.

mod client;
mod entities;

use super::args::MlflowArgs;
use super::runs::Run;
use super::{conclude, counted, runs};
use crate::args::OutputArgs;
use crate::exit::{Exit, Failure};
use crate::folder;
use crate::session;
use client::{Client, MlflowError};
use primitives::Digest;
use serde_json::{Value, json};
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Names the run.
const PLAN_TAG: &str = "siloscope.plan";
/// Says of which report everything is there.
const REPORT_TAG: &str = "siloscope.report";
/// What MLflow takes at a time.
const METRICS_A_BATCH: usize = 1000;
const PARAMS_A_BATCH: usize = 100;

/// What became of a run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Added,
    Replaced,
    Kept,
}

/// Sends runs to a server.
///
/// # Errors
/// If a run cannot be read, or the server does not take it; runs before it are there then.
pub fn export(args: &MlflowArgs, output: OutputArgs) -> Result<Exit, Failure> {
    let client = Client::new(&args.url)?;
    let found = runs::find(&args.runs)?;
    let experiment = experiment(&client, &args.experiment)?;
    let mut sent = Vec::new();
    let mut listed = Vec::new();
    for run in &found.runs {
        let run = Run::open(run)?;
        let (what, id) = send(&client, &experiment, &run)?;
        listed.push(json!({ "run": run.name, "mlflow_run": id }));
        sent.push(what);
    }
    let times = |what: Sent| sent.iter().filter(|&&sent| sent == what).count();
    let (added, replaced, kept) = (times(Sent::Added), times(Sent::Replaced), times(Sent::Kept));
    conclude(
        "mlflow",
        &found,
        output,
        &json!({ "experiment": experiment, "added": added, "replaced": replaced, "kept": kept, "mlflow": listed }),
        &format!(
            "experiment {} at {}: added {}, replaced {replaced}, {kept} there already",
            args.experiment,
            args.url,
            counted(added, "run"),
        ),
    )
}

/// The id of the experiment, which is made if it is not there.
fn experiment(client: &Client, name: &str) -> Result<String, Failure> {
    let found = match client.get("experiments/get-by-name", "experiment_name", name) {
        Err(error) if error.is_missing() => None,
        found => Some(found?),
    };
    let Some(found) = found else {
        let made = client.post("experiments/create", &json!({ "name": name }))?;
        return text(&made["experiment_id"]);
    };
    if found["experiment"]["lifecycle_stage"] == "deleted" {
        return Err(Failure::run(format!(
            "MLflow's experiment {name} was deleted there: restore it, or name another one with --experiment"
        )));
    }
    text(&found["experiment"]["experiment_id"])
}

fn send(client: &Client, experiment: &str, run: &Run) -> Result<(Sent, String), Failure> {
    let plan_file = run.folder.join(session::PLAN);
    let report_file = run.folder.join(session::REPORT_JSON);
    let bytes = folder::read(&plan_file)?;
    let plan: Value = serde_json::from_slice(&bytes).map_err(Failure::run)?;
    let digest = Digest::of(&bytes).to_string();
    let report = Digest::of(&folder::read(&report_file)?).to_string();
    let mut sent = Sent::Added;
    for old in there(client, experiment, &digest)? {
        if old.1 == report {
            return Ok((Sent::Kept, old.0));
        }
        client.post("runs/delete", &json!({ "run_id": old.0 }))?;
        sent = Sent::Replaced;
    }
    let began = modified_ms(&plan_file)?;
    let ended = modified_ms(&report_file)?;
    let tags = entities::tags(&run.report, &digest, run.exit.code());
    let created = client.post(
        "runs/create",
        &json!({
            "experiment_id": experiment,
            "run_name": run.name,
            "start_time": began,
            "tags": entities::pairs(&tags),
        }),
    )?;
    let id = text(&created["run"]["info"]["run_id"])?;
    log(client, &id, run, &plan, began)?;
    let whole = json!({ "run_id": id, "tags": [{ "key": REPORT_TAG, "value": report }] });
    client.post("runs/log-batch", &whole)?;
    let status = match run.exit {
        Exit::Ok => "FINISHED",
        _ => "FAILED",
    };
    client.post(
        "runs/update",
        &json!({ "run_id": id, "status": status, "end_time": ended }),
    )?;
    Ok((sent, id))
}

/// Sends parameters and metrics in as many pieces as it takes.
fn log(client: &Client, id: &str, run: &Run, plan: &Value, began: i64) -> Result<(), MlflowError> {
    for params in entities::pairs(&entities::params(plan)).chunks(PARAMS_A_BATCH) {
        client.post("runs/log-batch", &json!({ "run_id": id, "params": params }))?;
    }
    let metrics = entities::metrics(&run.report.series(), began, &run.report.clock());
    for metrics in metrics.chunks(METRICS_A_BATCH) {
        client.post(
            "runs/log-batch",
            &json!({ "run_id": id, "metrics": metrics }),
        )?;
    }
    Ok(())
}

/// MLflow's runs of a plan: their ids, and the report that each holds all of.
fn there(client: &Client, experiment: &str, plan: &str) -> Result<Vec<(String, String)>, Failure> {
    let found = client.post(
        "runs/search",
        &json!({
            "experiment_ids": [experiment],
            "filter": format!("tags.`{PLAN_TAG}` = '{plan}'"),
            "max_results": 100,
        }),
    )?;
    let runs = found["runs"].as_array().cloned().unwrap_or_default();
    let known = |run: &Value| {
        let mut tags = run["data"]["tags"].as_array().into_iter().flatten();
        let tag = tags.find(|tag| tag["key"] == REPORT_TAG);
        let report = tag
            .and_then(|tag| tag["value"].as_str())
            .unwrap_or_default();
        Ok((text(&run["info"]["run_id"])?, report.to_owned()))
    };
    runs.iter().map(known).collect()
}

/// A text that an answer must have.
fn text(value: &Value) -> Result<String, Failure> {
    value.as_str().map(str::to_owned).ok_or_else(|| {
        Failure::run(
            "the MLflow server's answer has no id where one must be: is it a release before 2.0?",
        )
    })
}

/// When a file was written, in milliseconds since 1970.
fn modified_ms(file: &Path) -> Result<i64, Failure> {
    let written = std::fs::metadata(file)
        .and_then(|found| found.modified())
        .map_err(|source| folder::FolderError::io("read", file, source))?;
    let since = written.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(since.as_millis() as i64)
}
