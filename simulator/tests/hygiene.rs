//! Models that were trained elsewhere, and checks that every attack brings along: each is seen to trip.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

mod common;

use common::{Place, assert_same, report, scenario};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// What `docs/examples/foreign_checkpoints.py simulator/tests/foreign --subjects 45 --records 4 --features 4
/// --hidden 6 --rounds 4 --silos 2 --known 3` wrote, in a place of its own.
fn foreign() -> Place {
    let place = Place::new();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign");
    fs::create_dir(place.path("checkpoints")).unwrap();
    for file in ["people.csv", "members.csv", "attack.toml", "losses.json"] {
        fs::copy(from.join(file), place.path(file)).unwrap();
    }
    for round in 0..=4 {
        let file = format!("checkpoints/round-{round:04}.safetensors");
        fs::copy(from.join(&file), place.path(&file)).unwrap();
    }
    place
}

const ATTACK: [&str; 4] = ["attack", "checkpoints", "--scenario", "attack.toml"];

/// The outcome of every check, by name.
fn outcomes(report: &Value) -> Vec<(String, String)> {
    let checks = report["leak"]["checks"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    checks
        .iter()
        .map(|check| (text(&check["name"]), text(&check["outcome"])))
        .collect()
}

fn outcome(report: &Value, name: &str) -> String {
    let found = outcomes(report)
        .into_iter()
        .find(|(check, _)| check == name);
    found
        .unwrap_or_else(|| panic!("no {name} in {:?}", outcomes(report)))
        .1
}

#[test]
fn checkpoints_that_numpy_trained_are_attacked_like_any_run() {
    let place = foreign();
    place.siloscope(&ATTACK).ends(0, &["report:"]);
    let run = place.run_folder();
    let found = report(&run);
    // The losses that the script computed itself, in double precision.
    let losses: Value =
        serde_json::from_slice(&fs::read(place.path("losses.json")).unwrap()).unwrap();
    let rounds = found["utility"]["rounds"].as_array().unwrap();
    assert_eq!(rounds.len(), 5);
    for (ours, theirs) in rounds.iter().zip(losses.as_array().unwrap()) {
        let (ours, theirs) = (&ours["loss"], &theirs["population_loss"]);
        let error = (ours.as_f64().unwrap() / theirs.as_f64().unwrap() - 1.0).abs();
        assert!(error < 1e-5, "{ours} for {theirs}");
    }
    assert_eq!(
        found["leak"]["attacks"][0]["members"], 12,
        "15 members, 3 known"
    );
    // Nothing is known of the training, so nothing is promised.
    let guarantees = found["promise"]["guarantees"].as_array().unwrap();
    for guarantee in guarantees {
        assert_eq!(guarantee["epsilon"], "inf");
        let why = guarantee["why_infinite"].as_str().unwrap();
        assert!(why.contains("no ledger"), "{why}");
    }
    let settings = found["settings"].to_string();
    assert!(!settings.contains("local_steps"), "made up: {settings}");

    // The same again is found again; the run folder is one like any other, but cannot be trained on.
    place.siloscope(&ATTACK).ends(0, &["was attacked before"]);
    let name = run.file_name().unwrap().to_str().unwrap();
    let copy = place.copy_of_run("copy");
    place.siloscope(&["attack", name]).ends(0, &["report:"]);
    assert_same(&run, &copy, "attacked again");
    fs::copy(copy.join("scenario.toml"), place.path("kept.toml")).unwrap();
    place
        .siloscope(&["run", "./kept.toml"])
        .ends(3, &["trained elsewhere", "siloscope attack DIR"]);
}

#[test]
fn a_ledger_that_came_along_is_replayed() {
    let place = foreign();
    let entry = |round: u32, silo: u32| {
        format!(
            "{{\"round\":{round},\"scope\":{{\"silo\":{silo}}},\"mechanism\":{{\"record\":{{\"sampling_rate\":0.1,\
             \"noise_multiplier\":2.0}}}},\"steps\":5}}\n"
        )
    };
    let ledger: String = (1..=4)
        .flat_map(|round| [entry(round, 0), entry(round, 1)])
        .collect();
    place.write("ledger.jsonl", &ledger);
    let with = [&ATTACK[..], &["--ledger", "ledger.jsonl"]].concat();
    place.siloscope(&with).ends(0, &[]);
    let guarantees = report(&place.run_folder())["promise"]["guarantees"].clone();
    let epsilon = guarantees[0]["epsilon"].as_f64().unwrap();
    assert!(epsilon > 0.1 && epsilon < 5.0, "{epsilon}");
    assert!(
        fs::read_to_string(place.run_folder().join("ledger.jsonl"))
            .unwrap()
            .lines()
            .count()
            == 8
    );
    for (text, words) in [
        ("", "it has no entry"),
        ("{}\n", "line 1 is no entry"),
        (
            &*entry(4, 0),
            "silo 1 holds training records and released nothing",
        ),
        (&*[entry(4, 0), entry(4, 1), entry(4, 7)].concat(), "silo 7"),
        (
            &*[entry(3, 0), entry(3, 1)].concat(),
            "it ends with round 3",
        ),
    ] {
        place.write("ledger.jsonl", text);
        place.siloscope(&with).ends(3, &[words]);
    }
}

#[test]
fn checkpoints_that_do_not_fit_are_named() {
    let place = foreign();
    let with = |setting: &str| [&ATTACK[..], &["--set", setting]].concat().join(" ");
    let refused = |command: &str, words: &[&str]| {
        let args: Vec<&str> = command.split(' ').collect();
        place.siloscope(&args).ends(3, words);
    };
    refused(
        &with("model.hidden=[7]"),
        &[
            "round-0000.safetensors",
            "needs weight [7, 4], bias [7]",
            "fc1.weight [6, 4]",
        ],
    );
    refused(&with("model.hidden=[6,6]"), &["2 modules", "3 layers"]);
    refused(
        &with("checkpoints.names=[\"fc2\",\"fc1\"]"),
        &["parameter layer 1", "fc2.weight [3, 6]"],
    );
    refused(
        &with("checkpoints.names=[\"fc1\",\"out\"]"),
        &["no module \"out\"", "fc1, fc2"],
    );
    refused(
        "attack members.csv --scenario attack.toml",
        &["members.csv", "give a folder"],
    );
    refused(
        "attack checkpoints --scenario nowhere.toml",
        &["nowhere.toml", "cannot be read"],
    );
    fs::copy(
        place.path("checkpoints/round-0001.safetensors"),
        place.path("checkpoints/again-1.safetensors"),
    )
    .unwrap();
    refused(
        &ATTACK.join(" "),
        &["again-1.safetensors", "a round has one model"],
    );
    fs::rename(
        place.path("checkpoints/again-1.safetensors"),
        place.path("checkpoints/final.safetensors"),
    )
    .unwrap();
    refused(
        &ATTACK.join(" "),
        &["final.safetensors", "no number in its name"],
    );
    place.write("checkpoints/final.safetensors", "not tensors");
    fs::rename(
        place.path("checkpoints/final.safetensors"),
        place.path("checkpoints/round-5.safetensors"),
    )
    .unwrap();
    refused(
        &ATTACK.join(" "),
        &["round-5.safetensors", "is no safetensors file"],
    );
    // Nothing was begun that could not be finished.
    assert!(!fs::exists(place.path("runs")).unwrap());
}

/// Sixty people, the first thirty of them members, whose first feature is `shift` higher.
fn shifted(shift: i32) -> Place {
    let place = Place::new();
    let (mut people, mut members) = (
        String::from("x,y,ill,person\n"),
        String::from("subject,member\n"),
    );
    for person in 0..80 {
        let member = person < 30;
        for record in 0..6 {
            let noise = |k: i32| (person * 7919 + record * 104_729 + k * 1299) % 1000;
            let x = noise(1) - 500 + if member { shift } else { 0 };
            writeln!(people, "{x},{},{},p{person}", noise(2), noise(3) % 2).unwrap();
        }
        if person < 60 {
            writeln!(members, "p{person},{}", i32::from(member)).unwrap();
        }
    }
    place.write("people.csv", people);
    place.write("members.csv", members);
    let source = "source = { csv = \"people.csv\", label = \"ill\", subject = \"person\" }\nmembership = { file = \"members.csv\" }";
    let start = common::SCENARIO.find("source = ").unwrap();
    let end = start + common::SCENARIO[start..].find('\n').unwrap();
    let text = [&common::SCENARIO[..start], source, &common::SCENARIO[end..]].concat();
    place.write(
        "case.toml",
        text.replace("fresh_fraction = 0.25", "fresh_fraction = 0.34"),
    );
    place
}

#[test]
fn members_that_differ_by_their_records_fail_the_run() {
    // Nothing planted: every check passes.
    let place = shifted(0);
    place.siloscope(&["run", "./case.toml"]).ends(0, &[]);
    let found = report(&place.run_folder());
    let names: Vec<_> = outcomes(&found)
        .into_iter()
        .map(|(name, outcome)| format!("{name}: {outcome}"))
        .collect();
    assert_eq!(names.len(), 9, "{names:?}");
    assert!(
        names.iter().all(|check| check.ends_with(": passed")),
        "{names:?}"
    );
    // Planted: who is a member shows in the records, model or no model.
    let place = shifted(600);
    place.siloscope(&["run", "./case.toml"]).ends(
        5,
        &[
            "blind-baseline",
            "Members and non-members differ by their records",
        ],
    );
    let found = report(&place.run_folder());
    for regime in ["fresh", "training"] {
        assert_eq!(
            outcome(&found, &format!("blind-baseline ({regime} records)")),
            "tripped"
        );
        assert_eq!(
            outcome(&found, &format!("permuted-membership ({regime} records)")),
            "passed"
        );
    }
    assert_eq!(outcome(&found, "disjoint-calibration"), "passed");
}

/// A run that learns its members by heart, with its scenario as `case.toml`.
fn by_heart() -> Place {
    let protection = "protection = \"averaged-gradient\"\nclip_norm = 1.0\nnoise_multiplier = 1.0\ndelta = 1e-3\n";
    let people = "subjects = 60, records_per_subject = 8";
    let place = Place::with(&scenario(&[
        (
            people,
            "subjects = 160, label_noise = 0.4, records_per_subject = 8",
        ),
        (protection, "protection = \"none\"\n"),
        ("kind = \"logistic\"", "kind = \"mlp\"\nhidden = [64]"),
        ("records_per_adversary = 2", "records_per_adversary = 6"),
        ("local_steps = 3", "local_steps = 100"),
    ]));
    place.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);
    place
}

#[test]
fn a_runs_own_checkpoints_say_the_same_as_foreign_ones() {
    let place = by_heart();
    let run = place.run_folder();
    let checkpoints = run.join("checkpoints");
    let args = [
        "attack",
        checkpoints.to_str().unwrap(),
        "--scenario",
        "./case.toml",
        "--out",
        "again",
    ];
    place.siloscope(&args).ends(0, &[]);
    let again = fs::read_dir(place.path("again"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let (own, foreign) = (report(&run), report(&again));
    assert_eq!(own["leak"], foreign["leak"]);
    assert_eq!(own["subjects"], foreign["subjects"]);
    assert_eq!(own["utility"], foreign["utility"]);
}

#[test]
fn the_split_of_a_scenario_can_be_trained_on_elsewhere() {
    let place = Place::with(common::SCENARIO);
    place
        .siloscope(&["plan", "./case.toml", "--records", "split.csv"])
        .ends(0, &[]);
    let text = fs::read_to_string(place.path("split.csv")).unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').collect())
        .collect();
    assert_eq!(rows.len(), 80 * 8);
    let count = |word: &str| rows.iter().filter(|row| row[2] == word).count();
    // Thirty members and thirty others, a quarter of whose eight records each is held out; twenty people for accuracy.
    assert_eq!((count("train"), count("non-member")), (180, 180));
    assert_eq!(
        (count("fresh"), count("population"), count("unused")),
        (120, 160, 0)
    );
    assert!(
        rows.iter()
            .all(|row| row[3].is_empty() == (row[2] != "train"))
    );
}

#[test]
fn a_model_that_was_trained_before_round_0_fails_the_run() {
    let place = by_heart();
    // Planted: the trained model is passed off as the untrained one.
    let trained = place
        .run_folder()
        .join("checkpoints/round-0006.safetensors");
    fs::create_dir(place.path("late")).unwrap();
    for round in 0..2 {
        fs::copy(
            &trained,
            place.path(format!("late/round-{round}.safetensors")),
        )
        .unwrap();
    }
    let args = [
        "attack",
        "late",
        "--scenario",
        "./case.toml",
        "--set",
        "federation.rounds=1",
        "--out",
        "again",
    ];
    place
        .siloscope(&args)
        .ends(5, &["untrained-model (training records)"]);
    let again = fs::read_dir(place.path("again"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let found = report(&again);
    assert_eq!(
        outcome(&found, "untrained-model (training records)"),
        "tripped"
    );
    assert_eq!(
        outcome(&found, "blind-baseline (training records)"),
        "passed"
    );
    // Without round 0 there is nothing to start from.
    fs::remove_file(place.path("late/round-0.safetensors")).unwrap();
    place
        .siloscope(&args)
        .ends(3, &["no file is of round 0", "the model before training"]);
}
