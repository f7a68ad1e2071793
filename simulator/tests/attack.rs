//! `siloscope attack`: a run's own report made anew to the byte, and other attacks on what was trained long ago.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

mod common;

use common::{Place, assert_same, report, scenario};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// A finished run in a place of its own, with a copy of it in `twin`.
fn finished(text: &str) -> (Place, PathBuf, PathBuf) {
    let place = Place::with(text);
    place.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);
    let folder = place.run_folder();
    let twin = place.copy_of_run("twin");
    (place, folder, twin)
}

/// The attacks of a report, each once and in order.
fn names(report: &Value) -> Vec<String> {
    let attacks = report["leak"]["attacks"].as_array().unwrap();
    let fresh = attacks.iter().filter(|attack| attack["regime"] == "fresh");
    fresh
        .map(|attack| attack["attack"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_runs_own_attacks_give_its_own_report() {
    let (place, folder, twin) = finished(&scenario(&[]));
    for ending in ["report.html", "subjects.parquet", "rounds.parquet"] {
        fs::remove_file(twin.join(ending)).unwrap();
    }
    place
        .siloscope(&["attack", "twin"])
        .ends(0, &["attacked 7 models", "from the signals of the run"]);
    assert_same(&twin, &folder, "attacked anew");
    // Without its signals a run is asked again: the models are there.
    fs::remove_dir_all(twin.join("signals")).unwrap();
    place.siloscope(&["attack", "twin"]).ends(
        0,
        &["loss, probability, margin looked up in the run's checkpoints"],
    );
    fs::remove_dir_all(folder.join("signals")).unwrap();
    assert_same(&twin, &folder, "attacked by its checkpoints");
}

#[test]
fn other_attacks_can_be_asked_for_and_the_first_ones_brought_back() {
    let (place, folder, twin) = finished(&scenario(&[]));
    place.write(
        "others.toml",
        "[[attacks]]\nkind = \"range\"\n[[attacks]]\nkind = \"loss-ratio\"\n",
    );
    let said = place
        .siloscope(&["attack", "twin", "--attacks", "others.toml", "--json", "-q"])
        .ends(0, &[]);
    let envelope: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(envelope["attacked"]["models"], 7);
    assert_eq!(envelope["report"], report(&twin));
    assert_eq!(names(&report(&twin)), ["range/low", "loss-ratio"]);
    let (own, other) = (report(&folder), report(&twin));
    assert_eq!(own["identity"], other["identity"]);
    assert_eq!(own["promise"], other["promise"]);
    let notes = other["notes"].to_string();
    assert!(notes.contains("Attacked again after the run"), "{notes}");

    let set = ["--set", "gates.max_subject_auc=0.5"];
    place
        .siloscope(&[&["attack", "twin"], &set[..]].concat())
        .ends(5, &[]);
    place.siloscope(&["attack", "twin", "-q"]).ends(0, &[]);
    assert_same(&twin, &folder, "brought back");
}

#[test]
fn what_cannot_be_attacked_is_said() {
    let (place, _, twin) = finished(&scenario(&[]));
    let attack = |args: &[&str]| place.siloscope(&[&["attack", "twin"], args].concat());
    attack(&["--set", "federation.rounds=9"])
        .ends(3, &["federation.rounds", "run the scenario anew"]);
    attack(&["--set", "attacks=[]"]).ends(3, &["attacks: there is none"]);
    attack(&["--set", "adversary.known_subjects=29"]).ends(3, &["at most 28"]);
    attack(&["--attacks", "none.toml"]).ends(3, &["none.toml", "cannot be read"]);
    place.write("others.toml", "[training]\nlearning_rate = 1.0\n");
    attack(&["--attacks", "others.toml"]).ends(3, &["others.toml", "decides what is trained"]);
    place
        .siloscope(&["attack", "nowhere"])
        .ends(2, &["not a run folder"]);
    fs::remove_file(twin.join("report.json")).unwrap();
    attack(&[]).ends(1, &["no report yet"]);
}
