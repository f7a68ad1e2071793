//! `siloscope audit SCENARIO --runs N` through the binary: a correct program passes, a ledger that is contradicted is
//! refuted, trials are kept, and what cannot be audited says why.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

mod common;

use common::{NOISE, Place, Said, scenario};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// Little noise, many steps: a subject's records show.
fn loud() -> String {
    scenario(&[(NOISE, "noise_multiplier = 0.3\ndelta = 1e-3")])
}

fn audit(place: &Place, more: &[&str]) -> Said {
    place.siloscope(&[&["audit", "./case.toml", "--json", "-q"], more].concat())
}

fn found(said: &Said) -> Value {
    let envelope: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(envelope["command"], "audit");
    envelope["audit"].clone()
}

/// A bound, infinite or not.
fn epsilon(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

fn trial_files(place: &Place) -> Vec<PathBuf> {
    let kept = fs::read_dir(place.path("runs/.trials")).unwrap();
    let mut files: Vec<PathBuf> = kept
        .flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap())
        .map(|file| file.unwrap().path())
        .filter(|file| {
            file.extension()
                .is_some_and(|ending| ending == "safetensors")
        })
        .collect();
    files.sort();
    files
}

/// Four correct programs at 99.99 %: that one of them fails was a chance below 1e-3 when the seed was chosen.
#[test]
fn a_correct_program_passes_whoever_is_audited() {
    let place = Place::with(&loud());
    let mut shown = Vec::new();
    for subject in ["member", "planted", "mislabelled", "crafted"] {
        let args = [
            "--runs",
            "80",
            "--subject",
            subject,
            "--confidence",
            "0.9999",
        ];
        let said = audit(&place, &args).ends(0, &[]);
        let audit = found(&said);
        let (lower, upper) = (epsilon(&audit["lower"]), epsilon(&audit["upper"]));
        assert!(lower <= upper, "{subject}: {lower} above {upper}");
        assert_eq!(audit["refuted"], false);
        assert_eq!(
            audit["runs"],
            serde_json::json!({ "with": 40, "without": 40 })
        );
        let calls = &audit["calls"];
        let judged: u64 = ["true_positives", "false_negatives"]
            .map(|call| calls[call].as_u64().unwrap())
            .iter()
            .sum();
        assert_eq!(judged, 20, "{subject}");
        shown.push((subject, lower));
    }
    // The crafted one is as loud as can be: it must show.
    assert!(shown[3].1 > 0.0, "{shown:?}");
    let page = fs::read_dir(place.path("runs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            path.to_string_lossy()
                .ends_with("crafted-audit-80-runs.html")
        });
    let page = fs::read_to_string(page.unwrap()).unwrap();
    assert!(page.contains("The promise stands") && page.contains("crafted gradient"));
}

#[test]
fn trials_are_kept_and_the_same_audit_says_the_same() {
    let place = Place::with(&loud());
    let said = audit(&place, &["--runs", "8"]).ends(0, &[]);
    let first: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(first["trained"], 8);
    let before: Vec<Vec<u8>> = trial_files(&place)
        .iter()
        .map(|file| fs::read(file).unwrap())
        .collect();
    // More of them are trained beside those that are there, and the threads change nothing.
    let more: Value =
        serde_json::from_str(&audit(&place, &["--runs", "12", "--threads", "1"]).stdout).unwrap();
    assert_eq!(more["trained"], 4);
    let again: Value = serde_json::from_str(&audit(&place, &["--runs", "8"]).stdout).unwrap();
    assert_eq!(again["trained"], 0);
    assert_eq!(again["audit"], first["audit"]);
    // One that is gone is made again, with the same bytes.
    let files = trial_files(&place);
    assert_eq!(files.len(), 12);
    fs::remove_file(&files[3]).unwrap();
    let anew: Value =
        serde_json::from_str(&audit(&place, &["--runs", "8", "--threads", "1"]).stdout).unwrap();
    assert_eq!(anew["trained"], 1);
    assert_eq!(fs::read(&files[3]).unwrap(), before[3]);
    // Another subject, noise or seed has trials of its own; other attacks and names have not.
    let trained = |args: &[&str]| {
        let said = audit(&place, &[&["--runs", "8"], args].concat()).ends(0, &[]);
        serde_json::from_str::<Value>(&said.stdout).unwrap()["trained"].clone()
    };
    assert_eq!(trained(&["--set", "name=\"other\""]), 0);
    assert_eq!(trained(&["--set", "attacks=[{ kind = \"range\" }]"]), 0);
    assert_eq!(trained(&["--subject", "mislabelled"]), 8);
    assert_eq!(trained(&["--set", "privacy.noise_multiplier=0.4"]), 8);
}

#[test]
fn trials_that_contradict_the_ledger_refute_it() {
    // So much noise that the ledger promises ε below 2; what the trials show is overwritten by what shows everything.
    let place = Place::with(&scenario(&[(
        NOISE,
        "noise_multiplier = 8.0\ndelta = 1e-3",
    )]));
    let args = ["--runs", "120", "--subject", "crafted"];
    let said = audit(&place, &args).ends(0, &[]);
    assert!(epsilon(&found(&said)["upper"]) < 2.0, "{}", said.stdout);
    let files = trial_files(&place);
    let (without, with) = (&files[0], &files[1]);
    let numbers = |file: &PathBuf, value: f32| {
        let mut bytes = fs::read(file).unwrap();
        let start = bytes.len() - 4;
        bytes[start..].copy_from_slice(&value.to_le_bytes());
        bytes
    };
    let (silent, loud) = (numbers(without, -9.0), numbers(with, 9.0));
    for (trial, file) in files.iter().enumerate() {
        fs::write(file, if trial % 2 == 1 { &loud } else { &silent }).unwrap();
    }
    let said = audit(&place, &args).ends(5, &[]);
    let audit = found(&said);
    assert_eq!(audit["refuted"], true);
    assert!(epsilon(&audit["lower"]) > epsilon(&audit["upper"]));
    let told = place.siloscope(&[&["audit", "./case.toml"], &args[..]].concat());
    told.ends(
        5,
        &[
            "The audit refutes the promise",
            "0 of them trained now",
            "30 of 30",
        ],
    );
    fs::write(&files[5], "no").unwrap();
    place
        .siloscope(&[&["audit", "./case.toml"], &args[..]].concat())
        .ends(1, &["trial-0005.safetensors is damaged"]);
}

#[test]
fn what_cannot_be_audited_is_said_before_anything_is_trained() {
    let place = Place::with(&scenario(&[]));
    let audit = |args: &[&str]| place.siloscope(&[&["audit", "./case.toml"], args].concat());
    audit(&["--runs", "7"]).ends(2, &["an even number from 8"]);
    audit(&["--runs", "many"]).ends(2, &["an even number from 8"]);
    audit(&["--runs", "8", "--subject", "loudest"]).ends(2, &["mislabelled and crafted"]);
    audit(&["--runs", "8", "--rounds", "2"]).ends(2, &["--rounds"]);
    audit(&["--subject", "planted"]).ends(2, &["--runs"]);
    audit(&["--runs", "8", "--subject", "member:nobody"])
        .ends(3, &["\"nobody\" is no member", "members are"]);
    let distributed = [
        "--set",
        "federation.server_sees=\"sum\"",
        "--set",
        "privacy={ protection = \"distributed-noise\", clip_norm = 1.0, noise_multiplier = 1.0, delta = 1e-3 }",
    ];
    let crafted = ["--runs", "8", "--subject", "crafted"];
    audit(&[&crafted[..], &distributed].concat()).ends(3, &["distributed-noise", "silo-noise"]);
    assert!(!place.path("runs").exists());
    // A member's records can be looked for whatever the mechanism is.
    audit(&[&["--runs", "8", "-q"], &distributed[..]].concat()).ends(0, &[]);
}

#[test]
fn a_trial_that_diverges_is_named() {
    let nothing = scenario(&[
        (
            "protection = \"averaged-gradient\"\nclip_norm = 1.0",
            "protection = \"none\"",
        ),
        (NOISE, ""),
        ("learning_rate = 0.3", "learning_rate = 1e38"),
    ]);
    let place = Place::with(&nothing);
    place
        .siloscope(&["audit", "./case.toml", "--runs", "8"])
        .ends(
            1,
            &[
                "trial ",
                "the audited subject",
                "update has an L2 norm",
                "none is left out",
            ],
        );
}
