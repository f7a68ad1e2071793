//! Where a scenario computes: named, chosen, refused, and kept in the plan.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use common::{Place, SWEEP, assert_same, scenario};
use std::fs;

const RATE: &str = "learning_rate = 0.3";

/// A scenario with this line in `[training]`.
fn with(line: &str) -> String {
    scenario(&[(RATE, &format!("{RATE}\n{line}"))])
}

#[test]
fn what_is_no_device_is_told_which_there_are() {
    let allowed = [
        "\"gpu\" is no device",
        "\"cpu\"",
        "\"cuda:1\"",
        "\"vulkan\"",
        "\"auto\"",
    ];
    let place = Place::with(&scenario(&[]));
    for verb in ["run", "plan", "validate"] {
        place
            .siloscope(&[verb, "./case.toml", "--device", "gpu"])
            .ends(2, &[&["--device"], &allowed[..]].concat());
    }
    place
        .siloscope(&["sweep", "plan", "./case.toml", "--device", "gpu"])
        .ends(2, &allowed);
    Place::with(&with("device = \"gpu\""))
        .siloscope(&["run", "./case.toml"])
        .ends(3, &[&["line 21: training.device"], &allowed[..]].concat());
}

#[test]
fn a_backend_is_the_cpus_alone() {
    Place::with(&with("backend = \"cuda\""))
        .siloscope(&["run", "./case.toml"])
        .ends(
            3,
            &[
                "line 21: training.backend",
                "\"cuda\"",
                "\"fused\"",
                "\"burn\"",
                "device = \"cuda\"",
            ],
        );
    Place::with(&with("backend = \"fused\""))
        .siloscope(&["run", "./case.toml", "--device", "cuda"])
        .ends(
            3,
            &[
                ": training.backend: backend = \"fused\"",
                "device = \"cuda:0\"",
                "remove `backend`",
            ],
        );
}

#[test]
#[cfg(not(feature = "cuda"))]
fn a_build_without_cuda_says_so_before_any_work() {
    let place = Place::with(&with("device = \"cuda:1\""));
    for verb in ["run", "plan", "validate"] {
        let words = [
            "error: scenario ./case.toml, line 21: training.device",
            "device = \"cuda:1\"",
            "--features cuda",
            "device = \"cpu\"",
        ];
        place.siloscope(&[verb, "./case.toml"]).ends(3, &words);
    }
    assert!(!place.path("runs").exists());
    let words = ["./case.toml: training.device", "device = \"cuda:0\""];
    let option = ["--device", "cuda"];
    for args in [
        &["run", "./case.toml"][..],
        &["run", "./case.toml", "--transport", "quic"],
        &["audit", "./case.toml", "--runs", "40"],
    ] {
        let args = [args, &option[..]].concat();
        place.siloscope(&args).ends(3, &words);
    }
    assert!(!place.path("runs").exists());
}

#[test]
#[cfg(not(feature = "vulkan"))]
fn a_build_without_vulkan_says_so() {
    Place::with(&scenario(&[]))
        .siloscope(&["run", "./case.toml", "--device", "vulkan"])
        .ends(
            3,
            &["training.device", "--features vulkan", "device = \"cpu\""],
        );
}

/// A silo's host may have other hardware than the plan's: only what it computes on has to be there.
#[test]
#[cfg(not(feature = "cuda"))]
fn a_silo_needs_its_own_device_and_not_the_plans() {
    let place = Place::with(&with("device = \"cuda\""));
    let join = [
        "join",
        "./case.toml",
        "--silo",
        "0",
        "--keys",
        "nowhere",
        "--server",
        "localhost:1",
    ];
    place
        .siloscope(&join)
        .ends(3, &["training.device", "--features cuda"]);
    let args = [&join[..], &["--device", "cpu"]].concat();
    let said = place.siloscope(&args).ends(2, &["nowhere holds no keys"]);
    assert!(!said.stderr.contains("training.device"), "{}", said.stderr);
}

#[test]
#[cfg(not(any(feature = "cuda", feature = "vulkan")))]
fn auto_is_the_cpu_where_there_is_nothing_better() {
    let plain = Place::with(&scenario(&[]));
    plain.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);

    let asked = Place::with(&scenario(&[]));
    asked
        .siloscope(&["run", "./case.toml", "--device", "auto"])
        .ends(0, &["device: cpu, by auto"]);
    let plan = fs::read_to_string(asked.run_folder().join("plan.json")).unwrap();
    assert!(!plan.contains("device"), "{plan}");
    assert_eq!(
        asked.run_folder().file_name(),
        plain.run_folder().file_name()
    );

    let written = Place::with(&with("device = \"auto\" # whatever there is"));
    written
        .siloscope(&["run", "./case.toml"])
        .ends(0, &["device: cpu, by auto"]);
    let kept = fs::read_to_string(written.run_folder().join("scenario.toml")).unwrap();
    assert_eq!(kept, with("device = \"cpu\" # whatever there is"));
    // The texts differ, and nothing else does.
    fs::write(written.run_folder().join("scenario.toml"), scenario(&[])).unwrap();
    assert_same(&written.run_folder(), &plain.run_folder(), "auto");

    let said = plain.siloscope(&["plan", "./case.toml"]).ends(0, &[]);
    assert!(said.stdout.contains("device     cpu"), "{}", said.stdout);
}

#[test]
#[cfg(not(any(feature = "cuda", feature = "vulkan")))]
fn a_task_of_a_sweep_has_the_device_that_was_found_when_it_was_planned() {
    let ids = |args: &[&str]| {
        let place = Place::with(&scenario(&[("", SWEEP)]));
        let args = [&["sweep", "plan", "./case.toml"], args].concat();
        place.siloscope(&args).ends(0, &[]);
        let list = fs::read_to_string(place.path("sweeps/case/tasks.json")).unwrap();
        assert!(!list.contains("auto"), "{list}");
        let tasks: serde_json::Value = serde_json::from_str(&list).unwrap();
        let tasks = tasks.as_array().unwrap().clone();
        tasks
            .iter()
            .map(|task| task["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let plain = ids(&[]);
    assert_eq!(plain.len(), 4);
    assert_eq!(ids(&["--device", "auto"]), plain);
    assert_eq!(ids(&["--device", "cpu"]), plain);
}

#[test]
fn a_planned_sweep_keeps_its_device() {
    let place = Place::with(&scenario(&[("", SWEEP)]));
    place
        .siloscope(&["sweep", "plan", "./case.toml"])
        .ends(0, &[]);
    place
        .siloscope(&["sweep", "run", "sweeps/case", "--device", "cpu"])
        .ends(2, &["is planned already", "--device"]);
}

/// A run that was made elsewhere on a GPU, brought to a machine or a build that has none.
#[test]
#[cfg(not(feature = "cuda"))]
fn a_run_without_its_device_is_not_resumed_and_not_changed() {
    let place = Place::with(&with("device = \"cpu\""));
    place.kill_after(&["run", "./case.toml"], 4);
    let folder = place.run_folder();
    let here = fs::read_to_string(folder.join("scenario.toml")).unwrap();
    let plan = fs::read_to_string(folder.join("plan.json")).unwrap();
    fs::write(folder.join("scenario.toml"), with("device = \"cuda\"")).unwrap();
    let elsewhere = plan.replace("\"backend\": \"fused\"", "\"device\": \"cuda:0\"");
    assert_ne!(elsewhere, plan);
    fs::write(folder.join("plan.json"), elsewhere).unwrap();
    let before = common::lasting_files(&folder);
    let run = folder.to_str().unwrap();
    place.siloscope(&["resume", run]).ends(
        3,
        &[
            "scenario.toml, line 21: training.device",
            "device = \"cuda:0\"",
            "--features cuda",
        ],
    );
    assert!(common::lasting_files(&folder) == before);

    fs::write(folder.join("scenario.toml"), here).unwrap();
    fs::write(folder.join("plan.json"), plan).unwrap();
    place.siloscope(&["resume", run]).ends(0, &[]);
}
