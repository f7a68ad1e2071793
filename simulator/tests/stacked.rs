//! Backends that train many silos and federations as one computation, by the one that needs no device: `burn`.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

mod common;

use common::{Place, assert_same, distance, lasting_files, report, scenario};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Federations at a time, if their models are small. A test of two groups has more.
const GROUP: usize = 64;

/// What two backends may differ by in a loss, margin, gradient norm or alignment. All are of the order of 1 to 10; a f32 holds
/// 6e-8 of 1, and eighteen steps with rates of 0.3 add up and amplify some tens of roundings.
const TOLERANCE: f64 = 1e-4;

/// The scenario of all tests on `backend`, with shadow federations, and attacks that read every signal of them.
fn shadowed(backend: &str, shadows: usize, changes: &[(&str, &str)]) -> String {
    let attacks = ["lira", "gradient-norm", "loss-across-neighbourhood"];
    let tables = attacks.map(|kind| format!("\n[[attacks]]\nkind = \"{kind}\"\n"));
    let adversary = format!("known_subjects = 5\nview = \"silo-updates\"\nshadows = {shadows}");
    let training = format!("[training]\nbackend = \"{backend}\"");
    let own = [
        ("[training]", training.as_str()),
        ("known_subjects = 5", &adversary),
        ("", &tables.concat()),
    ];
    scenario(&[&own, changes].concat())
}

/// Silos that come and go, lost frames and repeated rounds: federations that ask for different things at a time.
const BAD_NETWORK: [(&str, &str); 2] = [
    (
        "silos = 3\nrounds = 6",
        "silos = 4\nrounds = 6\nquorum = 3\ndeadline_seconds = 20\non_lost_quorum = \"repeat\"\nmax_repeats = 50",
    ),
    (
        "[model]",
        "[network]\nlatency_ms = 30\njitter_ms = 40\nloss = 0.1\ntraining_seconds = 8\ntraining_jitter_seconds = 10\n\
         outages = { kind = \"random\", mean_up_seconds = 60, mean_down_seconds = 15 }\n\n[model]",
    ),
];

/// A finished run in a place of its own.
fn finished(text: &str) -> (Place, PathBuf) {
    let place = Place::with(text);
    place.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);
    let folder = place.run_folder();
    (place, folder)
}

/// What is kept beside the runs of a place in `kind`, by name; the locks are left out.
fn kept(place: &Place, kind: &str) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for plan in fs::read_dir(place.path("runs").join(kind)).unwrap() {
        for file in fs::read_dir(plan.unwrap().path()).unwrap() {
            let file = file.unwrap().path();
            if file.extension().is_some_and(|end| end == "safetensors") {
                let name = file.file_name().unwrap().to_str().unwrap().to_owned();
                assert!(files.insert(name, fs::read(&file).unwrap()).is_none());
            }
        }
    }
    files
}

/// Checks that everything kept in two places is the same to the tolerance, and is not the same bytes by having been computed
/// alike.
#[track_caller]
fn assert_near(found: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>) {
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(expected));
    assert!(!found.is_empty());
    for (name, bytes) in found {
        let apart = distance(bytes, &expected[name]);
        assert!(apart <= TOLERANCE, "{name}: {apart:e} apart");
    }
    assert_ne!(found, expected);
}

/// The signals of a run folder, by file.
fn signals(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    lasting_files(folder)
        .into_iter()
        .filter(|(name, _)| name.starts_with("signals"))
        .map(|(name, bytes)| (name.to_str().unwrap().to_owned(), bytes))
        .collect()
}

#[test]
fn shadows_in_a_stack_say_what_they_say_one_by_one() {
    for changes in [&[][..], &BAD_NETWORK] {
        let (alone, own) = finished(&shadowed("fused", 6, changes));
        let (stacked, other) = finished(&shadowed("burn", 6, changes));
        assert_near(&kept(&stacked, ".shadows"), &kept(&alone, ".shadows"));
        assert_near(&signals(&other), &signals(&own));
        assert_eq!(kept(&stacked, ".shadows").len(), 3 * 6);
        // What is no matter of rounding is the same.
        assert_eq!(report(&other)["promise"], report(&own)["promise"]);
    }
}

#[test]
fn threads_change_no_byte_of_a_stack() {
    for changes in [&[][..], &BAD_NETWORK] {
        let text = shadowed("burn", 6, changes);
        let (there, expected) = finished(&text);
        for threads in ["1", "5"] {
            let place = Place::with(&text);
            place
                .siloscope(&["run", "./case.toml", "-q", "--threads", threads])
                .ends(0, &[]);
            assert_eq!(kept(&place, ".shadows"), kept(&there, ".shadows"));
            assert_same(&place.run_folder(), &expected, threads);
        }
    }
}

/// Reads what a child tells people until it has trained so many, and gives back what it says after that.
fn until(child: &mut Child, line: &str) -> impl Iterator<Item = String> + use<> {
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut lines = lines.map(Result::unwrap);
    assert!(lines.any(|said| said.contains(line)), "never {line}");
    lines
}

#[test]
fn killed_between_two_groups_of_shadows_and_resumed() {
    const ALL: usize = GROUP + 8;
    let text = scenario(&[
        ("[training]", "[training]\nbackend = \"burn\""),
        ("rounds = 6", "rounds = 2"),
        (
            "known_subjects = 5",
            &format!("known_subjects = 5\nshadows = {ALL}"),
        ),
        ("", "\n[[attacks]]\nkind = \"lira\"\n"),
    ]);
    let (there, expected) = finished(&text);
    let whole = kept(&there, ".shadows");
    assert_eq!(whole.len(), ALL);
    let place = Place::with(&text);
    // Somebody else is at all of the second group, so the run waits for them when the first is kept.
    let plan = fs::read_dir(there.path("runs/.shadows")).unwrap().next();
    let folder = place
        .path("runs/.shadows")
        .join(plan.unwrap().unwrap().file_name());
    fs::create_dir_all(&folder).unwrap();
    let claimed: Vec<File> = (GROUP..ALL)
        .map(|shadow| File::create(folder.join(format!("shadow-{shadow:04}.lock"))).unwrap())
        .inspect(|lock| lock.lock().unwrap())
        .collect();
    let mut child = place
        .command(&["run", "./case.toml"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let rest = until(&mut child, &format!("shadow federation {GROUP} of {ALL}"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(rest.count(), 0);
    drop(claimed);
    let before = kept(&place, ".shadows");
    assert_eq!(before.len(), GROUP);
    let run = place.run_folder();
    let said = place
        .siloscope(&["resume", run.to_str().unwrap()])
        .ends(0, &[]);
    let mut lines = said
        .stderr
        .lines()
        .filter(|line| line.contains("shadow federation"));
    let first = format!("shadow federation {} of {ALL}", GROUP + 1);
    assert!(lines.next().unwrap().contains(&first), "{}", said.stderr);
    assert_eq!(kept(&place, ".shadows"), whole);
    assert_same(&run, &expected, "killed");
}

#[test]
fn a_stack_that_is_interrupted_ends_soon_and_keeps_what_is_done() {
    let runs = (2 * GROUP).to_string();
    let text = scenario(&[
        ("[training]", "[training]\nbackend = \"burn\""),
        ("rounds = 6", "rounds = 24"),
    ]);
    let place = Place::with(&text);
    let args = [
        "audit",
        "./case.toml",
        "--runs",
        &runs,
        "--subject",
        "mislabelled",
    ];
    let mut child = place
        .command(&args)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // All of the first group end together; the second has all of its rounds before it.
    let rest = until(&mut child, &format!("trial 1 of {runs}"));
    let asked = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(asked.unwrap().success());
    let rest: String = rest.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    assert!(rest.contains("those that are done are kept"), "{rest}");
    let before = kept(&place, ".trials");
    assert_eq!(before.len(), GROUP);
    let said = place
        .siloscope(&[&args[..], &["--json", "-q"]].concat())
        .ends(0, &[]);
    let answer: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(answer["trained"], GROUP);
    let after = kept(&place, ".trials");
    assert!(before.iter().all(|(name, bytes)| after[name] == *bytes));
}

/// A model whose last bits show beside whom it was trained.
const LAYERS: (&str, &str) = ("kind = \"logistic\"", "kind = \"mlp\"\nhidden = [16]");

#[test]
fn a_group_that_is_kept_in_part_is_completed_to_the_byte() {
    let (place, folder) = finished(&shadowed("burn", 10, &[LAYERS]));
    let whole = kept(&place, ".shadows");
    let plan = fs::read_dir(place.path("runs/.shadows")).unwrap().next();
    let plan = plan.unwrap().unwrap().path();
    let lost = |name: &&String| {
        let of_two = name.starts_with("shadow-0003") || name.starts_with("shadow-0007");
        of_two || *name == "shadow-0009-gradient-norm.safetensors"
    };
    let lost: Vec<&String> = whole.keys().filter(lost).collect();
    assert_eq!(lost.len(), 7, "{lost:?}");
    for name in lost {
        fs::remove_file(plan.join(name)).unwrap();
    }
    place
        .siloscope(&["attack", folder.to_str().unwrap()])
        .ends(0, &["10 shadow federations, 3 of them trained now"]);
    assert_eq!(kept(&place, ".shadows"), whole);

    let args = [
        "audit",
        "./case.toml",
        "--runs",
        "8",
        "--subject",
        "mislabelled",
    ];
    let audit = || {
        let said = place.siloscope(&[&args[..], &["--json", "-q"]].concat());
        let said: serde_json::Value = serde_json::from_str(&said.ends(0, &[]).stdout).unwrap();
        said["trained"].as_u64().unwrap()
    };
    assert_eq!(audit(), 8);
    let whole = kept(&place, ".trials");
    let plan = fs::read_dir(place.path("runs/.trials")).unwrap().next();
    fs::remove_file(plan.unwrap().unwrap().path().join("trial-0005.safetensors")).unwrap();
    assert_eq!(audit(), 1);
    assert_eq!(kept(&place, ".trials"), whole);
}

#[test]
fn trials_in_a_stack_show_what_they_show_one_by_one() {
    for subject in ["mislabelled", "crafted"] {
        let trials = |backend: &str| {
            let place = Place::with(&shadowed(backend, 6, &[]));
            let args = [
                "audit",
                "./case.toml",
                "--runs",
                "8",
                "--subject",
                subject,
                "-q",
            ];
            place.siloscope(&args).ends(0, &[]);
            kept(&place, ".trials")
        };
        let (stacked, alone) = (trials("burn"), trials("fused"));
        assert_eq!(stacked.len(), 8);
        assert_near(&stacked, &alone);
    }
}

#[test]
fn a_federation_that_diverges_in_a_stack_is_named_and_hangs_nobody() {
    let text = scenario(&[
        (
            "protection = \"averaged-gradient\"\nclip_norm = 1.0",
            "protection = \"none\"",
        ),
        (common::NOISE, ""),
        (
            "learning_rate = 0.3",
            "learning_rate = 1e38\nbackend = \"burn\"",
        ),
    ]);
    let place = Place::with(&text);
    place
        .siloscope(&["audit", "./case.toml", "--runs", "8"])
        .ends(
            1,
            &["trial 0, without the audited subject", "none is left out"],
        );
}

#[test]
fn a_plan_forecasts_a_stack_whatever_the_cores() {
    let forecast = |backend: &str, cohort: &str, threads: &str| {
        let cohort = format!("rounds = 6\nsilos_per_round = {cohort}");
        let place = Place::with(&shadowed(backend, 6, &[("rounds = 6", &cohort)]));
        let mut command = place.command(&["plan", "./case.toml", "--json", "-q"]);
        command.env("RAYON_NUM_THREADS", threads);
        let said = common::said(command).ends(0, &[]);
        let plan: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        let forecast = plan["forecast"].clone();
        for seconds in [&forecast["seconds"], &forecast["shadows"]["seconds"]] {
            assert!(seconds.as_f64().unwrap() > 0.0, "{forecast}");
        }
        forecast["memory"].as_u64().unwrap()
    };
    // A network of 6 features and 21 parameters: 2048 records, a gradient and a model.
    let network = 4 * 6 * 2048 + 8 * 4 * 21;
    let two = forecast("burn", "2", "1");
    assert_eq!(forecast("burn", "2", "5"), two);
    assert_eq!(forecast("burn", "3", "5"), two + network);
    assert_eq!(forecast("fused", "2", "5"), two + 3 * network);
}
