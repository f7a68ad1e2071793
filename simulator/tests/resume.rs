//! Killed or interrupted at any moment and resumed, a run leaves the same bytes as one that nobody disturbed.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

mod common;

use common::{Place, assert_same, scenario};
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Server state beyond the model, a clip norm that adapts, a cohort that is drawn anew every round, and a budget that
/// is calibrated for.
fn moments_and_cohorts() -> String {
    scenario(&[
        (
            "silos = 3\nrounds = 6",
            "silos = 4\nrounds = 8\nsilos_per_round = 2\nstrategy = { kind = \"fed-adam\", server_learning_rate = 0.05 }",
        ),
        (
            common::NOISE,
            "budget = { unit = \"subject\", epsilon = 9.0, delta = 1e-3 }",
        ),
        (
            "clip_norm = 1.0",
            "clip_norm = { initial = 2.0, quantile = 0.4, learning_rate = 0.3, count_share = 0.1 }",
        ),
    ])
}

/// The coordinator clips and noises; a budget stops the run in its fifth round or so.
fn stopped_by_budget() -> String {
    scenario(&[
        ("averaged-gradient", "silo-noise"),
        (
            common::NOISE,
            "noise_multiplier = 4.0\nbudget = { unit = \"silo\", epsilon = 2.2, delta = 1e-3 }",
        ),
        ("rounds = 6", "rounds = 12"),
        ("", "\n[audit]\ncanaries = 7\nrounds = 2\n"),
    ])
}

/// Silos that come and go, frames that are lost, rounds that are repeated, and silos that are missing from them.
fn bad_network() -> String {
    scenario(&[
        (
            "silos = 3\nrounds = 6",
            "silos = 4\nrounds = 10\nquorum = 3\ndeadline_seconds = 20\non_lost_quorum = \"repeat\"\nmax_repeats = 50",
        ),
        (
            "[model]",
            "[network]\nlatency_ms = 30\njitter_ms = 40\nloss = 0.1\nmegabits_per_second = 1\ntraining_seconds = 8\n\
             training_jitter_seconds = 10\noutages = { kind = \"random\", mean_up_seconds = 60, mean_down_seconds = 15 }\n\n[model]",
        ),
    ])
}

/// The coordinator sees masked sums only, whose noise comes from the silos.
fn masked_sums() -> String {
    scenario(&[
        (
            "silos = 3\nrounds = 6",
            "silos = 4\nrounds = 5\nsilos_per_round = 3\nserver_sees = \"sum\"",
        ),
        ("averaged-gradient", "distributed-noise"),
    ])
}

/// The run folder of an undisturbed run.
fn undisturbed(text: &str) -> (Place, PathBuf) {
    let place = Place::with(text);
    place.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);
    let folder = place.run_folder();
    (place, folder)
}

fn resumed_is_undisturbed(place: &Place, expected: &Path, what: &str) {
    let folder = place.run_folder();
    place
        .siloscope(&["resume", folder.to_str().unwrap(), "-q"])
        .ends(0, &[]);
    assert_same(&folder, expected, what);
}

#[test]
fn killed_after_any_event_and_resumed() {
    for (text, apart) in [
        (scenario(&[]), 1),
        (moments_and_cohorts(), 2),
        (stopped_by_budget(), 2),
        (bad_network(), 2),
        (masked_sums(), 3),
    ] {
        let (_there, expected) = undisturbed(&text);
        let events = fs::read_to_string(expected.join("events.jsonl")).unwrap();
        let disturbed = events.contains("\"missing\"") && events.contains("\"attempts\"");
        assert_eq!(disturbed, text.contains("[network]"), "{events}");
        let stopped = events.contains("budget-reached");
        assert_eq!(stopped, text.contains("epsilon = 2.2"), "{events}");
        let events = events.lines().count();
        let mut early = 0;
        let moments = (1..events).step_by(apart);
        let count = moments.len();
        for after in moments {
            let place = Place::with(&text);
            let seen = place.kill_after(&["run", "./case.toml"], after);
            early += usize::from(seen < events);
            resumed_is_undisturbed(&place, &expected, &format!("killed after event {after}"));
        }
        assert!(
            early > count / 2,
            "only {early} of {count} runs were killed in time"
        );
    }
}

#[test]
fn killed_again_and_again() {
    let text = moments_and_cohorts();
    let (_there, expected) = undisturbed(&text);
    let place = Place::with(&text);
    place.kill_after(&["run", "./case.toml"], 2);
    let folder = place.run_folder();
    for _ in 0..4 {
        place.kill_after(&["resume", folder.to_str().unwrap()], 1);
    }
    resumed_is_undisturbed(&place, &expected, "killed five times");
}

/// What a kill between two files of a round leaves behind, made by hand from a finished run.
#[test]
fn killed_between_any_two_files_of_a_round() {
    let (there, expected) = undisturbed(&moments_and_cohorts());
    let checkpoint = |round: u32| format!("checkpoints/round-{round:04}.safetensors");
    let signals = |round: u32| format!("signals/round-{round:04}.safetensors");
    let endings = [
        "report.json",
        "report.html",
        "subjects.parquet",
        "rounds.parquet",
    ];
    let append = |folder: &Path, name: &str, bytes: &[u8]| {
        let mut file = OpenOptions::new()
            .append(true)
            .open(folder.join(name))
            .unwrap();
        file.write_all(bytes).unwrap();
    };
    for last in [0, 1, 4, 8] {
        for torn in 0..6 {
            let name = format!("torn-{last}-{torn}");
            let folder = there.copy_of_run(&name);
            let remove = |file: &str| fs::remove_file(folder.join(file)).unwrap();
            endings.iter().take(1 + torn).for_each(|file| {
                let _ = fs::remove_file(folder.join(file));
            });
            for round in last + 1..=8 {
                remove(&checkpoint(round));
                // The signals of the next round are written before its checkpoint.
                if round > last + 1 || torn % 2 == 0 {
                    remove(&signals(round));
                }
            }
            match torn {
                1 => append(&folder, "events.jsonl", b"{\"event\":\"round-fin"),
                2 => append(&folder, "ledger.jsonl", b"{\"half\": [1, "),
                3 => fs::write(folder.join(checkpoint(last + 1) + ".tmp"), b"half").unwrap(),
                4 => append(&folder, "events.jsonl", &[0xff; 100]),
                _ => {}
            }
            there.siloscope(&["resume", &name, "-q"]).ends(0, &[]);
            // A temporary file that is never written again may stay; it is not part of the run.
            let _ = fs::remove_file(folder.join(checkpoint(last + 1) + ".tmp"));
            assert_same(&folder, &expected, &name);
        }
    }
}

#[test]
fn killed_before_its_first_checkpoint() {
    let (there, expected) = undisturbed(&scenario(&[]));
    for kept in [
        &["plan.json", "scenario.toml", "origin.json"][..],
        &["plan.json", "scenario.toml", "origin.json", "events.jsonl"],
    ] {
        let name = format!("begun-{}", kept.len());
        fs::create_dir(there.path(&name)).unwrap();
        for file in kept {
            fs::copy(expected.join(file), there.path(&name).join(file)).unwrap();
        }
        there.siloscope(&["resume", &name, "-q"]).ends(0, &[]);
        assert_same(&there.path(&name), &expected, &name);
    }
}

#[test]
fn interrupted_says_how_to_go_on() {
    let text = scenario(&[("rounds = 6", "rounds = 60")]);
    let (_there, expected) = undisturbed(&text);
    let place = Place::with(&text);
    let mut child = place
        .command(&["run", "./case.toml", "--jsonl"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.by_ref().take(3).for_each(drop);
    let asked = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(asked.unwrap().success());
    let last = lines.map(Result::unwrap).last().unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    let folder = place.run_folder();
    let name = folder.file_name().unwrap().to_str().unwrap();
    assert!(
        stderr.contains(&format!("siloscope resume runs/{name}")),
        "{stderr}"
    );
    let event: serde_json::Value = serde_json::from_str(&last).unwrap();
    assert_eq!(event["event"], "interrupted");
    // By its name alone: runs are looked for below runs/.
    place.siloscope(&["resume", name, "-q"]).ends(0, &[]);
    assert_same(&folder, &expected, "interrupted");
}

#[test]
fn threads_change_no_byte() {
    let text = moments_and_cohorts();
    let (_there, expected) = undisturbed(&text);
    for threads in ["1", "3"] {
        let place = Place::with(&text);
        place
            .siloscope(&["run", "./case.toml", "-q", "--threads", threads])
            .ends(0, &[]);
        assert_same(
            &place.run_folder(),
            &expected,
            &format!("{threads} threads"),
        );
    }
}

#[test]
fn run_goes_on_with_what_is_there_and_leaves_what_is_finished() {
    let (there, expected) = undisturbed(&scenario(&[]));
    let before = common::lasting_files(&expected);
    there
        .siloscope(&["run", "./case.toml"])
        .ends(0, &["is finished already", "--fresh"]);
    there
        .siloscope(&["resume", expected.to_str().unwrap()])
        .ends(0, &["is finished already"]);
    assert_eq!(common::lasting_files(&expected), before);

    let place = Place::with(&scenario(&[]));
    place.kill_after(&["run", "./case.toml"], 3);
    place.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);
    assert_same(&place.run_folder(), &expected, "run again");

    place
        .siloscope(&["run", "./case.toml", "-q", "--fresh"])
        .ends(0, &[]);
    assert_same(&place.run_folder(), &expected, "run anew");
}
