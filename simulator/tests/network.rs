//! Rounds on a simulated network: deadlines, silos that are missing, rounds that are repeated or given up.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

mod common;

use common::{Place, report, scenario};
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The scenario of all tests with further keys of `[federation]`, and a `[network]`.
fn on_network(federation: &str, network: &str) -> String {
    scenario(&[
        (
            "silos = 3\nrounds = 6",
            &format!("silos = 3\nrounds = 6\n{federation}"),
        ),
        ("[model]", &format!("[network]\n{network}\n\n[model]")),
    ])
}

fn run(text: &str, code: i32) -> (Place, PathBuf) {
    let place = Place::with(text);
    place
        .siloscope(&["run", "./case.toml", "-q"])
        .ends(code, &[]);
    let folder = place.run_folder();
    (place, folder)
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

fn events(folder: &Path, kind: &str) -> Vec<Value> {
    let lines = read(folder, "events.jsonl");
    let events = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    events
        .filter(|event: &Value| event["event"] == kind)
        .collect()
}

/// The bytes of the last model, without what else its checkpoint holds.
fn last_model(folder: &Path, round: u32) -> Vec<u8> {
    let name = format!("checkpoints/round-{round:04}.safetensors");
    let bytes = fs::read(folder.join(name)).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    tensors.tensor("model").unwrap().data().to_vec()
}

/// ε of the worst-off subject as the report promises it.
fn promised(report: &Value) -> f64 {
    let guarantees = report["promise"]["guarantees"].as_array().unwrap();
    let subject = guarantees.iter().find(|g| g["unit"] == "subject").unwrap();
    subject["epsilon"].as_f64().unwrap()
}

#[test]
fn time_passes_as_the_network_says_and_changes_no_number() {
    let (_there, plain) = run(&scenario(&[]), 0);
    let (_here, folder) = run(&on_network("", "latency_ms = 100\ntraining_seconds = 5"), 0);
    let rounds = events(&folder, "round-finished");
    assert_eq!(rounds.len(), 7);
    assert!(rounds[0].get("network").is_none());
    for (i, round) in rounds.iter().enumerate().skip(1) {
        assert_eq!(round["network"]["seconds"], 5.2);
        assert_eq!(round["network"]["clock_ns"], i as u64 * 5_200_000_000);
        assert!(round["network"]["bytes"].as_u64().unwrap() > 600);
        assert!(round.get("missing").is_none());
    }
    assert_eq!(last_model(&folder, 6), last_model(&plain, 6));
    assert_eq!(read(&folder, "ledger.jsonl"), read(&plain, "ledger.jsonl"));
    let html = read(&folder, "report.html");
    assert!(html.contains("31.2 s"), "six rounds of 5.2 s");
    assert!(!read(&plain, "report.html").contains("Who was missing"));
}

#[test]
fn a_repeated_round_ends_with_the_bytes_of_one_that_nothing_happened_to() {
    let (_there, plain) = run(&scenario(&[]), 0);
    let federation = "deadline_seconds = 10\non_lost_quorum = \"repeat\"";
    let network = "training_seconds = 4\n[[network.silos]]\nsilo = 1\noutages = { kind = \"trace\", seconds = [[2, 25]] }";
    let (_here, folder) = run(&on_network(federation, network), 0);
    let rounds = events(&folder, "round-finished");
    let attempts: Vec<u64> = rounds[1..]
        .iter()
        .map(|round| round.get("attempts").map_or(1, |n| n.as_u64().unwrap()))
        .collect();
    // Asked at 0, 10 and 20 s; the silo is back at 25 s and has trained at 29 s.
    assert_eq!(attempts, [3, 1, 1, 1, 1, 1]);
    assert_eq!(rounds[1]["network"]["clock_ns"], 29_000_000_000_u64);
    assert_eq!(last_model(&folder, 6), last_model(&plain, 6));
    assert_eq!(read(&folder, "ledger.jsonl"), read(&plain, "ledger.jsonl"));
    let report = report(&folder);
    assert!(report["attendance"].get("cost").is_none());
    assert!(read(&folder, "report.html").contains("asked for again <strong>2 times</strong>"));
}

#[test]
fn a_missing_silo_is_charged_and_named() {
    let federation = "deadline_seconds = 10\nquorum = 1";
    let slow = |silo| format!("[[network.silos]]\nsilo = {silo}\ntraining_seconds = 40\n");
    // A subject is in two of three silos, so that everybody is in a slow one.
    let network = format!("training_seconds = 4\n{}{}", slow(1), slow(2));
    let (place, folder) = run(&on_network(federation, &network), 0);
    for round in &events(&folder, "round-finished")[1..] {
        assert_eq!(round["silos"], serde_json::json!([0]));
        assert_eq!(round["missing"][1]["silo"], 2);
        assert_eq!(round["missing"][0]["why"], "no update came in time");
    }
    // Three silos are charged in every round.
    assert_eq!(read(&folder, "ledger.jsonl").lines().count(), 18);
    let report = report(&folder);
    let cost = &report["attendance"]["cost"];
    let (charged, used) = (
        cost["charged"].as_f64().unwrap(),
        cost["used"].as_f64().unwrap(),
    );
    assert!(used < charged, "{used} {charged}");
    assert_eq!(charged.to_bits(), promised(&report).to_bits());
    let html = read(&folder, "report.html");
    assert!(html.contains("<strong>6 of 6 rounds</strong>"));
    let text = place
        .siloscope(&["report", folder.to_str().unwrap()])
        .ends(0, &[]);
    let said = text.stdout + &text.stderr;
    assert!(said.contains("6 of 6 rounds"), "{said}");
    let file = fs::File::open(folder.join("rounds.parquet")).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let rows: Vec<String> = reader
        .get_row_iter(None)
        .unwrap()
        .map(|row| {
            let row = row.unwrap();
            let cells = row.get_column_iter();
            let cells = cells.map(|(name, field)| format!("{name}={field};"));
            cells.collect()
        })
        .collect();
    assert!(rows[0].contains("missing=0;"), "{}", rows[0]);
    for row in &rows[1..] {
        for cell in [
            "missing=2;",
            "missing_silos=\"1 2\";",
            "attempts=1;",
            "virtual_seconds=10",
        ] {
            assert!(row.contains(cell), "no {cell} in {row}");
        }
    }
}

/// What had left the silos when the round was given up is in the ledger, and in the ε of the report.
#[test]
fn a_lost_quorum_ends_the_run_as_partial_and_is_charged() {
    let (end, repeat) = (
        "on_lost_quorum = \"end\"",
        "on_lost_quorum = \"repeat\"\nmax_repeats = 2",
    );
    for (on_lost_quorum, attempts) in [(end, 1), (repeat, 3)] {
        let federation = format!("deadline_seconds = 10\n{on_lost_quorum}");
        let network = "training_seconds = 4\n[[network.silos]]\nsilo = 0\noutages = { kind = \"trace\", seconds = [[9, 999999]] }";
        let text = on_network(&federation, network);
        let (place, folder) = run(&text, 6);
        let given_up = events(&folder, "round-abandoned");
        assert_eq!(given_up.len(), 1);
        assert_eq!(given_up[0]["round"], 3);
        assert_eq!(given_up[0]["missing"][0]["silo"], 0);
        assert_eq!(
            given_up[0]
                .get("attempts")
                .map_or(1, |n| n.as_u64().unwrap()),
            attempts
        );
        let ended = &events(&folder, "run-finished")[0];
        assert_eq!(ended["exit_code"], 6);
        let ledger = read(&folder, "ledger.jsonl");
        let of_round = |round: u32| {
            let start = format!("{{\"round\":{round},");
            ledger
                .lines()
                .filter(|line| line.starts_with(&start))
                .count()
        };
        assert_eq!([1, 2, 3, 4].map(of_round), [3, 3, 3, 0]);
        let report = report(&folder);
        assert_eq!(report["ending"]["how"], "quorum-lost");
        assert_eq!(report["ending"]["rounds_finished"], 2);
        let after_two = report["promise"]["rounds"][2]["subject_worst"]
            .as_f64()
            .unwrap();
        assert!(
            promised(&report) > after_two,
            "the round that was given up is not in ε"
        );
        let html = read(&folder, "report.html");
        assert!(html.contains("the round was given up, and is charged"));
        // The end is the same however often one asks for it.
        place
            .siloscope(&["resume", folder.to_str().unwrap(), "-q"])
            .ends(6, &[]);
        fs::remove_file(folder.join("report.json")).unwrap();
        let copy = place.copy_of_run("before");
        place
            .siloscope(&["resume", folder.to_str().unwrap(), "-q"])
            .ends(6, &[]);
        fs::copy(folder.join("report.json"), copy.join("report.json")).unwrap();
        common::assert_same(&folder, &copy, "found again");
    }
}

#[test]
fn the_catalogue_shows_outages() {
    let place = Place::new();
    place
        .siloscope(&["run", "outages", "-q", "--set", "federation.rounds=5"])
        .ends(0, &[]);
    let report = report(&place.run_folder());
    let rounds = report["attendance"]["rounds"].as_array().unwrap();
    assert!(rounds.iter().any(|round| round.get("missing").is_some()));
}
