//! A sweep from its file to its last task, also when tasks fail, are killed or are run one by one.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use common::{Place, SWEEP, assert_same, lasting_files, scenario};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn sweep(changes: &[(&str, &str)]) -> String {
    scenario(&[&[("", SWEEP)], changes].concat())
}

fn tasks(place: &Place) -> Vec<Value> {
    let bytes = fs::read(place.path("sweeps/case/tasks.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// Every lasting file of every run of the sweep, by the task's id.
fn runs(place: &Place) -> BTreeMap<String, BTreeMap<PathBuf, Vec<u8>>> {
    tasks(place)
        .iter()
        .map(|task| task["id"].as_str().unwrap().to_owned())
        .map(|id| {
            let folder = place.path("sweeps/case/runs").join(&id);
            (id, lasting_files(&folder))
        })
        .collect()
}

#[test]
fn a_sweep_is_planned_run_and_found_done() {
    let place = Place::with(&sweep(&[]));
    let said = place
        .siloscope(&["sweep", "plan", "case.toml"])
        .ends(0, &[]);
    for words in [
        "case: 4 tasks, a grid design of 2 points, 2 seeds each",
        "spread  data.source.synthetic.spread: 0, 2",
        "siloscope sweep run sweeps/case",
    ] {
        assert!(said.stdout.contains(words), "{}", said.stdout);
    }
    let said = place.siloscope(&["sweep", "status", "case"]).ends(0, &[]);
    assert!(
        said.stdout
            .contains("0 of 4 tasks done, 0 failed, 4 missing"),
        "{}",
        said.stdout
    );
    place
        .siloscope(&["sweep", "run", "case.toml", "--jobs", "2"])
        .ends(0, &["case: 4 of 4 tasks done, 0 failed, 0 missing"]);
    let first = runs(&place);
    let report = Path::new("report.json");
    assert!(first.len() == 4 && first.values().all(|files| files.contains_key(report)));

    // Nothing is left to do; one more seed adds two tasks and keeps the others.
    place
        .siloscope(&["sweep", "run", "sweeps/case"])
        .ends(0, &["4 tasks, 4 done already"]);
    assert!(runs(&place) == first);
    place
        .siloscope(&["sweep", "run", "case.toml", "--set", "sweep.seeds=3"])
        .ends(0, &["6 tasks, 4 done already", "6 of 6 tasks done"]);
    let more = runs(&place);
    assert!(
        first
            .iter()
            .all(|(name, bytes)| more.get(name) == Some(bytes))
    );

    let said = place
        .siloscope(&["sweep", "status", "case", "--json"])
        .ends(0, &[]);
    let envelope: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(envelope["tasks"]["done"].as_array().unwrap().len(), 6);
}

#[test]
fn a_task_alone_gives_the_same_bytes_as_the_pool_and_as_the_plain_scenario() {
    let pool = Place::with(&sweep(&[]));
    pool.siloscope(&["sweep", "run", "case.toml", "-q"])
        .ends(0, &[]);
    let alone = Place::with(&sweep(&[]));
    alone
        .siloscope(&["sweep", "plan", "case.toml"])
        .ends(0, &[]);
    let list = tasks(&alone);
    for (index, task) in list.iter().enumerate() {
        // By its place or by its id; a second call finds it done.
        let by_place = format!("sweeps/case/tasks.json:{index}");
        let by_id = format!("sweeps/case/tasks.json:{}", task["id"].as_str().unwrap());
        alone
            .siloscope(&["run", "--task", &by_place])
            .ends(0, &["report:"]);
        alone
            .siloscope(&["run", "--task", &by_id])
            .ends(0, &["is finished already"]);
    }
    assert!(runs(&alone) == runs(&pool));

    let plain = Place::new();
    plain.write("scenario.toml", list[3]["scenario"].as_str().unwrap());
    plain
        .siloscope(&["run", "scenario.toml", "-q"])
        .ends(0, &[]);
    let id = list[3]["id"].as_str().unwrap();
    let swept = pool.path("sweeps/case/runs").join(id);
    assert_same(&plain.run_folder(), &swept, "the plain scenario");
}

#[test]
fn a_sweep_that_is_killed_goes_on_and_ends_with_the_same_bytes() {
    let whole = Place::with(&sweep(&[]));
    whole
        .siloscope(&["sweep", "run", "case.toml", "-q"])
        .ends(0, &[]);
    let killed = Place::with(&sweep(&[]));
    let ended = killed.kill_after(&["sweep", "run", "case.toml", "--jobs", "1"], 2);
    assert!((2..5).contains(&ended), "{ended}");
    // The task that was under way may be at its last round still: the same command waits for it.
    killed
        .siloscope(&["sweep", "run", "case.toml"])
        .ends(0, &["4 of 4 tasks done, 0 failed"]);
    assert!(runs(&killed) == runs(&whole));
}

#[test]
fn failed_and_lost_tasks_are_named_and_run_again_by_the_same_command() {
    let place = Place::with(&sweep(&[]));
    place
        .siloscope(&["sweep", "plan", "case.toml"])
        .ends(0, &[]);
    // One task whose run folder cannot be made, one whose process was killed without a word.
    let ids: Vec<String> = tasks(&place)
        .iter()
        .map(|task| task["id"].as_str().unwrap().to_owned())
        .collect();
    let runs_folder = place.path("sweeps/case/runs");
    fs::create_dir_all(&runs_folder).unwrap();
    fs::write(runs_folder.join(&ids[1]), "in the way").unwrap();
    let said = place.siloscope(&["sweep", "run", "sweeps/case"]).ends(
        1,
        &[
            "3 of 4 tasks done, 1 failed",
            "cannot make folder",
            "siloscope sweep run sweeps/case",
        ],
    );
    assert!(
        said.stderr.contains(&format!("failed: task 1 {}", ids[1])),
        "{}",
        said.stderr
    );

    fs::remove_file(runs_folder.join(&ids[1])).unwrap();
    fs::remove_file(runs_folder.join(&ids[2]).join("report.json")).unwrap();
    place.siloscope(&["sweep", "run", "sweeps/case"]).ends(
        0,
        &[
            "2 done already",
            "again: task 1",
            "4 of 4 tasks done, 0 failed",
        ],
    );
    assert!(
        !place
            .path(format!("sweeps/case/failed/{}.json", ids[1]))
            .exists()
    );
}

#[test]
fn a_point_that_its_data_does_not_admit_fails_alone() {
    let place = Place::with(&sweep(&[("[0.0, 2.0]", "[0.0, -2.0]")]));
    place
        .siloscope(&["sweep", "run", "case.toml"])
        .ends(1, &["2 of 4 tasks done, 2 failed", "spread = -2"]);
    place
        .siloscope(&["validate", "case.toml"])
        .ends(3, &["point 1 (spread -2)", "spread = -2"]);
}

#[test]
fn what_is_no_sweep_or_no_task_says_so() {
    let place = Place::with(&sweep(&[]));
    place
        .siloscope(&["run", "case.toml"])
        .ends(3, &["stands for many federations", "siloscope sweep run"]);
    place
        .siloscope(&["sweep", "status", "nowhere"])
        .ends(2, &["is not the folder of a sweep", "siloscope sweep plan"]);
    place
        .siloscope(&["validate", "case.toml"])
        .ends(0, &["a sweep of 4 tasks"]);
    place
        .siloscope(&["sweep", "plan", "case.toml"])
        .ends(0, &[]);
    place
        .siloscope(&["run", "--task", "sweeps/case/tasks.json:4"])
        .ends(2, &["has 4 tasks, numbered from 0, and none is \"4\""]);
    place
        .siloscope(&["run", "--task", "sweeps/case"])
        .ends(2, &["write TASKS.json:INDEX"]);
    place
        .siloscope(&["sweep", "run", "sweeps/case", "--set", "seed=3"])
        .ends(2, &["is planned already"]);
    fs::write(place.path("sweeps/case/tasks.json"), "[{").unwrap();
    place
        .siloscope(&["sweep", "run", "sweeps/case"])
        .ends(1, &["tasks.json is damaged"]);
}

#[test]
fn tasks_that_differ_in_the_attack_alone_share_their_shadows() {
    let shadowed = [
        ("known_subjects = 5", "known_subjects = 5\nshadows = 4"),
        ("", "[[attacks]]\nkind = \"lira\"\n"),
        (
            "",
            "[sweep]\n[[sweep.axes]]\nkey = \"adversary.known_subjects\"\nvalues = [3, 5]\n",
        ),
    ];
    let place = Place::with(&scenario(&shadowed));
    place
        .siloscope(&["sweep", "run", "case.toml", "--jobs", "2"])
        .ends(0, &["2 of 2 tasks done"]);
    let caches: Vec<PathBuf> = fs::read_dir(place.path("sweeps/case/runs/.shadows"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(caches.len(), 1, "{caches:?}");
    let trained = fs::read_dir(&caches[0])
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let trained = trained.filter(|path| {
        path.extension()
            .is_some_and(|ending| ending == "safetensors")
    });
    assert_eq!(trained.count(), 4);

    // One at a time, in a folder of their own, they come to the same.
    let alone = Place::with(&scenario(&shadowed));
    alone
        .siloscope(&["sweep", "run", "case.toml", "--jobs", "1", "-q"])
        .ends(0, &[]);
    assert!(runs(&alone) == runs(&place));
}
