//! What programs and people get to read: envelopes, event streams, exit codes, and no colour where none belongs.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

mod common;

use common::{Place, report, scenario};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;

fn json(text: &str) -> Value {
    assert!(text.ends_with('\n') && text.lines().count() == 1, "{text}");
    serde_json::from_str(text).unwrap()
}

fn envelope(place: &Place, args: &[&str], code: i32) -> Value {
    let said = place
        .siloscope(&[args, &["--json", "-q"]].concat())
        .ends(code, &[]);
    assert_eq!(said.stderr, "", "{args:?}");
    let envelope = json(&said.stdout);
    assert_eq!(envelope["schema"], "siloscope/result");
    assert_eq!(envelope["schema_version"], 1);
    assert_eq!(envelope["command"], args[0]);
    assert_eq!(envelope["exit_code"], code);
    envelope
}

#[test]
fn json_is_one_envelope_on_stdout() {
    let place = Place::with(&scenario(&[]));
    let validated = envelope(&place, &["validate", "./case.toml"], 0);
    let planned = envelope(&place, &["plan", "./case.toml"], 0);
    assert_eq!(planned["forecast"]["plan"], validated["plan"]);
    let ran = envelope(&place, &["run", "./case.toml"], 0);
    let folder = place.run_folder();
    assert_eq!(ran["report"], report(&folder));
    assert_eq!(place.path(ran["folder"].as_str().unwrap()), folder);
    // What was foreseen is what was spent.
    let promised = ran["report"]["promise"]["guarantees"].as_array().unwrap();
    let subject = promised.iter().find(|g| g["unit"] == "subject").unwrap();
    assert_eq!(planned["forecast"]["epsilon_subject"], subject["epsilon"]);

    let run = folder.to_str().unwrap();
    assert_eq!(
        envelope(&place, &["report", run], 0)["report"],
        ran["report"]
    );
    let sets = envelope(&place, &["datasets"], 0);
    assert!(sets["datasets"].as_array().unwrap().len() >= 3);
    assert_eq!(sets["synthetic"].as_array().unwrap().len(), 4);
    let page = envelope(&place, &["compare", run, run, "--out", "both.html"], 0);
    assert_eq!(page["page"], "both.html");
    assert!(
        fs::read_to_string(place.path("both.html"))
            .unwrap()
            .contains("<svg")
    );
}

#[test]
fn jsonl_ends_with_a_terminal_event_and_is_what_the_folder_keeps() {
    let place = Place::with(&scenario(&[]));
    let said = place
        .siloscope(&["run", "./case.toml", "--jsonl", "-q"])
        .ends(0, &[]);
    let events = fs::read_to_string(place.run_folder().join("events.jsonl")).unwrap();
    assert_eq!(said.stdout, events);
    let events: Vec<Value> = events
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names: Vec<&str> = events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(names[0], "run-started");
    assert_eq!(events[0]["schema_version"], 1);
    assert_eq!(names[1..8], ["round-finished"; 7]);
    assert_eq!(names[8..], ["run-finished"]);
    assert_eq!(events[8]["exit_code"], 0);
}

#[test]
fn quiet_is_silent_and_nothing_is_coloured_off_a_terminal() {
    let place = Place::with(&scenario(&[]));
    let quiet = place.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    for (variable, value) in [("NO_COLOR", "1"), ("TERM", "xterm-256color")] {
        let mut command = place.command(&["run", "./case.toml", "--fresh"]);
        command.env(variable, value);
        let said = common::said(command).ends(0, &["round 6/6", "report: runs/case-"]);
        assert_eq!(said.stdout, "");
        assert!(!said.stderr.contains('\u{1b}'), "{}", said.stderr);
    }
    let logged = place
        .siloscope(&["run", "./case.toml", "--fresh", "-v"])
        .ends(0, &["DEBUG"]);
    assert!(!logged.stderr.contains('\u{1b}'), "{}", logged.stderr);
}

#[test]
fn a_failing_gate_is_exit_code_five_each_time_it_is_asked() {
    let place = Place::with(&scenario(&[(
        "",
        "\n[gates]\nmax_subject_epsilon = 0.5\nmin_accuracy = 0.0\n",
    )]));
    let ran = envelope(&place, &["run", "./case.toml"], 5);
    let gates = ran["report"]["gates"].as_array().unwrap();
    let passed: Vec<_> = gates
        .iter()
        .map(|gate| (&gate["name"], &gate["passed"]))
        .collect();
    assert_eq!(passed.len(), 2);
    assert!(passed.contains(&(&Value::from("max_subject_epsilon"), &Value::from(false))));
    assert!(passed.contains(&(&Value::from("min_accuracy"), &Value::from(true))));
    let folder = place.run_folder();
    let run = folder.to_str().unwrap();
    place
        .siloscope(&["run", "./case.toml"])
        .ends(5, &["is finished already"]);
    place.siloscope(&["resume", run]).ends(5, &[]);
    // A report that can be written again is no failure.
    place.siloscope(&["report", run]).ends(0, &[]);
}

#[test]
fn the_whole_catalogue_validates() {
    let place = Place::new();
    let listed = place.siloscope(&["init"]).ends(0, &[]).stdout;
    let names: Vec<&str> = listed
        .lines()
        .map(|line| line.split_whitespace().next().unwrap())
        .collect();
    assert!(names.len() >= 10, "{listed}");
    for name in names {
        place
            .siloscope(&["validate", name])
            .ends(0, &[&format!("{name}: valid, plan ")]);
    }
}

#[test]
fn init_writes_a_scenario_that_is_the_catalogue_s() {
    let place = Place::new();
    place
        .siloscope(&["init", "smoke"])
        .ends(0, &["wrote smoke.toml"]);
    let written = envelope(&place, &["validate", "./smoke.toml"], 0);
    assert_eq!(
        written["plan"],
        envelope(&place, &["validate", "smoke"], 0)["plan"]
    );
    // A setting that says what is already there changes nothing; another one makes another plan.
    let set =
        |setting| envelope(&place, &["validate", "smoke", "--set", setting], 0)["plan"].clone();
    assert_eq!(set("seed=7"), written["plan"]);
    assert_ne!(set("seed=8"), written["plan"]);
}

#[test]
fn report_writes_the_page_again() {
    let place = Place::with(&scenario(&[]));
    place.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);
    let page = place.run_folder().join("report.html");
    let before = fs::read(&page).unwrap();
    fs::remove_file(&page).unwrap();
    place
        .siloscope(&["report", place.run_folder().to_str().unwrap()])
        .ends(0, &["leaked"]);
    assert!(fs::read(&page).unwrap() == before);
}

#[test]
fn compare_shows_a_difference() {
    let place = Place::with(&scenario(&[]));
    place.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);
    let first = place.run_folder();
    place
        .siloscope(&[
            "run",
            "./case.toml",
            "-q",
            "--out",
            "more",
            "--set",
            "privacy.noise_multiplier=4.0",
        ])
        .ends(0, &[]);
    let second = fs::read_dir(place.path("more"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let said = place
        .siloscope(&["compare", first.to_str().unwrap(), second.to_str().unwrap()])
        .ends(0, &["page: compare.html"]);
    assert!(said.stdout.contains("case"), "{}", said.stdout);
}

/// What `siloscope datasets` gives for an example is run as it stands, with more rows.
#[test]
fn the_worked_example_of_own_data_works() {
    let place = Place::new();
    let said = place.siloscope(&["datasets"]).ends(0, &[]);
    let part = |heading: &str| -> String {
        let (_, rest) = said.stdout.split_once(heading).unwrap();
        let lines = rest.lines().skip(1);
        let indented = lines.take_while(|line| line.starts_with("  "));
        indented.flat_map(|line| [line.trim(), "\n"]).collect()
    };
    let mut table = part("A worked example.");
    assert_eq!(table.lines().count(), 4, "{table}");
    for row in 0..240 {
        let ill = if row * 7 % 5 < 2 { "yes" } else { "no" };
        let age = f64::from(row % 17) / 10.0;
        writeln!(table, "q{},south,{age},0.5,{ill}", row / 6).unwrap();
    }
    place.write("visits.csv", table);
    place.write("visits.toml", part("visits.toml beside it:"));
    for verb in ["validate", "run"] {
        place.siloscope(&[verb, "./visits.toml"]).ends(0, &[]);
    }
}

#[test]
fn completions_and_data_sets_are_listed() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let said = place.siloscope(&["completions", shell]).ends(0, &[]);
        assert!(said.stdout.contains("resume"), "{shell}");
    }
    let said = place.siloscope(&["datasets"]).ends(0, &[]);
    for words in ["mnist_writers", "licence", "synthetic", "target = "] {
        assert!(said.stdout.contains(words), "{words}");
    }
    for kind in data::synthetic_kinds() {
        assert!(said.stdout.contains(kind.example), "{}", kind.name);
    }
    assert!(
        place
            .siloscope(&["--help"])
            .ends(0, &[])
            .stdout
            .contains("130 interrupted")
    );
    assert!(
        place
            .siloscope(&["--version"])
            .ends(0, &[])
            .stdout
            .starts_with("siloscope ")
    );
}

/// A run whose coordinator sees masked sums, and one whose sums a trusted party makes: the same model after every round, the
/// same ledger, and a report that differs in the settings and in who could see what.
#[test]
fn masked_and_trusted_sums_end_with_the_same_model_ledger_and_report() {
    for protection in ["distributed-noise", "averaged-gradient", "none"] {
        let runs = ["masked", "trusted"].map(|kind| {
            let text = scenario(&[
                (
                    "rounds = 6",
                    &format!(
                        "rounds = 3\nserver_sees = \"sum\"\nsecure_aggregation = {{ kind = \"{kind}\" }}"
                    ),
                ),
                ("averaged-gradient", protection),
            ]);
            let text = match protection {
                "none" => text.replace("clip_norm = 1.0\nnoise_multiplier = 1.0\ndelta = 1e-3\n", ""),
                _ => text,
            };
            let place = Place::with(&text);
            place.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);
            place
        });
        let [masked, trusted] = runs.each_ref().map(Place::run_folder);
        let read = |folder: &std::path::Path, file: &str| fs::read(folder.join(file)).unwrap();
        assert_eq!(
            read(&masked, "ledger.jsonl"),
            read(&trusted, "ledger.jsonl")
        );
        for round in 0..=3 {
            // Tensors follow the header, which names the plan; its length is a little-endian u64 in front.
            let tensors = |folder| {
                let bytes = read(folder, &format!("checkpoints/round-{round:04}.safetensors"));
                let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
                rest[u64::from_le_bytes(*length) as usize..].to_vec()
            };
            assert_eq!(
                tensors(&masked),
                tensors(&trusted),
                "{protection}, round {round}"
            );
        }
        let [masked, trusted] = [report(&masked), report(&trusted)].map(|mut report| {
            report["identity"]["plan_digest"].take();
            report["promise"]["observers"].take();
            let settings = report["settings"].as_array_mut().unwrap();
            settings.retain(|group| group["name"] != "federation");
            report
        });
        assert_eq!(masked, trusted, "{protection}");
    }
}
