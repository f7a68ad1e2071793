//! Finished runs handed to other tools: TensorBoard, MLflow, CSV.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

#[path = "../common/mod.rs"]
mod common;

mod csv;
mod mlflow;
mod server;
mod tensorboard;

use common::{Place, scenario};
use std::path::PathBuf;

/// A finished run.
fn run() -> (Place, PathBuf) {
    let place = Place::with(&scenario(&[]));
    place.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);
    let folder = place.run_folder();
    (place, folder)
}

/// What a sweep leaves: runs below `sweep/runs`, of which the last one is not finished.
fn sweep(place: &Place) -> Vec<PathBuf> {
    std::fs::create_dir(place.path("sweep")).unwrap();
    let runs = ["0a", "0b", "0c"].map(|id| place.copy_of_run(&format!("sweep/runs/{id}")));
    std::fs::remove_file(runs[2].join("report.json")).unwrap();
    runs.to_vec()
}
