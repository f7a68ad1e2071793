//! What a table `[sweep]` stands for.

#![allow(clippy::unwrap_used, missing_docs, clippy::float_cmp, reason = "tests")]

use proptest::prelude::*;
use siloscope_scenarios::{Design, ScenarioFile, SweepFile, SweepTask};
use std::collections::BTreeSet;
use std::path::PathBuf;
use tempfile::TempDir;

const BASE: &str = r#"name = "study"
seed = 7
description = "what is swept"
[data]
source = { synthetic = { kind = "subjects", subjects = 60, seed = 1 } }
fresh_fraction = 0.5
[federation]
silos = 2
rounds = 3
[model]
kind = "logistic"
[training]
local_steps = 2
sampling_rate = 0.2
learning_rate = 0.3
[privacy]
protection = "none"
"#;

struct Written(TempDir, PathBuf);

fn written(sweep: &str) -> Written {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("study.toml");
    std::fs::write(&path, format!("{BASE}{sweep}")).unwrap();
    Written(folder, path)
}

fn open(sweep: &str) -> SweepFile {
    let Written(_folder, path) = written(sweep);
    SweepFile::open(path.to_str().unwrap(), &[]).unwrap()
}

fn fault(sweep: &str) -> String {
    let Written(_folder, path) = written(sweep);
    let error = SweepFile::open(path.to_str().unwrap(), &[]).unwrap_err();
    error.to_string()
}

fn places(sweep: &SweepFile) -> Vec<String> {
    sweep.tasks.iter().map(SweepTask::place).collect()
}

const TWO: &str = r#"
[[sweep.axes]]
key = "data.source.synthetic.spread"
values = [0.0, 1.5]
[[sweep.axes]]
name = "depth"
key = "model"
values = [{ kind = "logistic" }, { kind = "mlp", hidden = [8] }]
"#;

#[test]
fn a_grid_has_every_level_with_every_other_and_each_seed() {
    let sweep = open(&format!("[sweep]\nseeds = 2\n{TWO}"));
    let expected = [
        "depth { kind = \"logistic\" }, spread 0, seed 7",
        "depth { kind = \"logistic\" }, spread 0, seed 8",
        "depth { hidden = [8], kind = \"mlp\" }, spread 0, seed 7",
        "depth { hidden = [8], kind = \"mlp\" }, spread 0, seed 8",
        "depth { kind = \"logistic\" }, spread 1.5, seed 7",
        "depth { kind = \"logistic\" }, spread 1.5, seed 8",
        "depth { hidden = [8], kind = \"mlp\" }, spread 1.5, seed 7",
        "depth { hidden = [8], kind = \"mlp\" }, spread 1.5, seed 8",
    ];
    assert_eq!(places(&sweep), expected);
    assert_eq!((sweep.design, sweep.name.as_str()), (Design::Grid, "study"));
    let points: Vec<usize> = sweep.tasks.iter().map(|task| task.point).collect();
    assert_eq!(points, [0, 0, 1, 1, 2, 2, 3, 3]);
    let ids: BTreeSet<&str> = sweep.tasks.iter().map(|task| task.id.as_str()).collect();
    assert_eq!(ids.len(), 8);
}

#[test]
fn a_task_is_the_scenario_that_one_would_write_by_hand() {
    let sweep = open(&format!("[sweep]\nseeds = [11]\n{TWO}"));
    let by_hand = BASE
        .replace("seed = 7", "seed = 11")
        .replace("subjects = 60,", "subjects = 60, spread = 1.5,")
        .replace("kind = \"logistic\"", "kind = \"mlp\"\nhidden = [8]");
    let Written(_folder, path) = written("");
    std::fs::write(&path, by_hand).unwrap();
    let by_hand = ScenarioFile::open(path.to_str().unwrap(), &[]).unwrap();
    let task = sweep.tasks.last().unwrap().open().unwrap();
    assert_eq!(task.scenario, by_hand.scenario);
}

#[test]
fn ids_tell_what_is_run_apart_and_nothing_else() {
    let one = open(&format!("[sweep]\n{TWO}"));
    let more = open(&format!("[sweep]\nseeds = 3\n{TWO}").replace("[0.0, 1.5]", "[3.0, 1.5, 0.0]"));
    let renamed = open(&format!("[sweep]\n{TWO}").replace("\"depth\"", "\"model\""));
    let ids = |sweep: &SweepFile| {
        sweep
            .tasks
            .iter()
            .map(|task| task.id.clone())
            .collect::<BTreeSet<_>>()
    };
    assert!(ids(&more).is_superset(&ids(&one)));
    assert_eq!(ids(&renamed), ids(&one));
    assert_eq!(ids(&one).len(), 4);
    assert_eq!(ids(&more).len(), 18);
}

#[test]
fn the_other_designs() {
    let zip = open(&format!("[sweep]\ndesign = \"zip\"\n{TWO}"));
    assert_eq!(
        places(&zip)[1],
        "depth { hidden = [8], kind = \"mlp\" }, spread 1.5, seed 7"
    );
    assert_eq!(zip.tasks.len(), 2);

    let star = open(
        r#"[sweep]
design = "one-at-a-time"
[[sweep.axes]]
key = "federation.rounds"
values = [3, 1, 5]
[[sweep.axes]]
key = "federation.silos"
values = [2, 4]
"#,
    );
    let expected = [
        "rounds 3, silos 2, seed 7",
        "rounds 1, silos 2, seed 7",
        "rounds 5, silos 2, seed 7",
        "rounds 3, silos 4, seed 7",
    ];
    assert_eq!(places(&star), expected);

    let list = open(
        r#"[sweep]
design = "list"
points = [{ rounds = 4, protection = "record" }, { rounds = 9, protection = "none" }, { protection = "none" }]
[[sweep.axes]]
key = "federation.rounds"
[[sweep.axes]]
name = "protection"
levels = [
  { name = "none", set = { "privacy.protection" = "none" } },
  { name = "record", set = { privacy = { protection = "record", clip_norm = 1.0, noise_multiplier = 1.0, delta = 1e-3 } } },
]
"#,
    );
    assert_eq!(
        places(&list),
        [
            "protection record, rounds 4, seed 7",
            "protection none, rounds 9, seed 7",
            "protection none, rounds —, seed 7",
        ]
    );
    assert_eq!(list.tasks[2].open().unwrap().scenario.federation.rounds, 3);
    assert_eq!(list.tasks[0].levels["rounds"].value, Some(4.0));
    assert_eq!(list.tasks[0].levels["protection"].value, None);
}

const DRAWN: &str = r#"
[[sweep.axes]]
key = "training.learning_rate"
range = [0.01, 1.0]
scale = "log"
[[sweep.axes]]
key = "federation.rounds"
range = [1, 4]
[[sweep.axes]]
key = "federation.silos"
values = [2, 3]
"#;

/// 2,000 draws at α = 1e-6 a count: ± 4.9 standard deviations.
#[test]
fn drawn_points_are_uniform_over_levels_whole_numbers_and_logarithms() {
    let sweep = open(&format!(
        "[sweep]\ndesign = \"random\"\ndraws = 2000\nseed = 3\n{DRAWN}"
    ));
    let n: f64 = sweep.tasks.len() as f64;
    // Few of the drawn points meet: three of four figures of a rate, times eight.
    assert!(n > 1_700.0, "{n}");
    let share = |hit: &dyn Fn(&SweepTask) -> bool| {
        sweep.tasks.iter().filter(|task| hit(task)).count() as f64 / n
    };
    let value = |task: &SweepTask, axis: &str| task.levels[axis].value.unwrap();
    for rounds in 1..=4 {
        let share = share(&|task| value(task, "rounds") == f64::from(rounds));
        assert!(
            (share - 0.25).abs() < 4.9 * f64::sqrt(0.1875 / n),
            "{rounds}: {share}"
        );
    }
    let half = share(&|task| value(task, "learning_rate") < 0.1);
    assert!((half - 0.5).abs() < 4.9 * f64::sqrt(0.25 / n), "{half}");
    let again = open(&format!(
        "[sweep]\ndesign = \"random\"\ndraws = 2000\nseed = 3\n{DRAWN}"
    ));
    assert_eq!(places(&sweep), places(&again));
    let other = open(&format!(
        "[sweep]\ndesign = \"random\"\ndraws = 2000\nseed = 4\n{DRAWN}"
    ));
    assert_ne!(places(&sweep), places(&other));
}

#[test]
fn faults_say_where_they_are_and_what_to_do() {
    let cases = [
        (
            "[sweep]\nseeds = 0\n",
            "line 19: sweep.seeds: gives no seed",
        ),
        ("[sweep]\ndesing = \"grid\"\n", "did you mean `design`"),
        (
            "[sweep]\ndraws = 5\n",
            "sweep.draws: belongs to `design = \"random\"`",
        ),
        (
            "[sweep]\ndesign = \"random\"\n[[sweep.axes]]\nkey = \"federation.rounds\"\nrange = [5, 2]\n",
            "range [5, 2] is empty",
        ),
        (
            "[sweep]\n[[sweep.axes]]\nkey = \"federation.rounds\"\nrange = [2, 5]\n",
            "which only a random design draws from",
        ),
        (
            "[sweep]\n[[sweep.axes]]\nkey = \"federation.rounds\"\n",
            "give one of `values`, `range` and `levels`",
        ),
        (
            "[sweep]\n[[sweep.axes]]\nvalues = [1]\n",
            "say what it changes",
        ),
        (
            "[sweep]\n[[sweep.axes]]\nkey = \"seed\"\nvalues = [1]\n",
            "seed: cannot be an axis",
        ),
        (
            "[sweep]\n[[sweep.axes]]\nkey = \"federation.round\"\nvalues = [1, 2]\n",
            "did you mean `rounds`",
        ),
        (
            "[sweep]\n[[sweep.axes]]\nkey = \"federation.rounds\"\nvalues = [1, 0]\n",
            "[point 1 (rounds 0)]",
        ),
        (
            "[sweep]\n[[sweep.axes]]\nkey = \"federation.rounds\"\nvalues = [2, 2]\n",
            "points 0 and 1 are the same scenario",
        ),
        (
            "[sweep]\n[[sweep.axes]]\nkey = \"federation.rounds.deep\"\nvalues = [2]\n",
            "`rounds` is not a table",
        ),
        (
            "[sweep]\ndesign = \"list\"\npoints = [{ round = 2 }]\n[[sweep.axes]]\nkey = \"federation.rounds\"\n",
            "points[0].round: there is no axis of that name; did you mean rounds?",
        ),
    ];
    for (sweep, expected) in cases {
        let said = fault(sweep);
        assert!(said.contains(expected), "{sweep}\nsaid: {said}");
    }
}

#[test]
fn a_sweep_is_no_scenario_and_says_so() {
    let Written(_folder, path) = written("[sweep]\nseeds = 2\n");
    let path = path.to_str().unwrap();
    assert!(SweepFile::is_one(path));
    let said = ScenarioFile::open(path, &[]).unwrap_err().to_string();
    assert!(
        said.contains("line 18: sweep: stands for many federations: `siloscope sweep run`"),
        "{said}"
    );
    assert!(!SweepFile::is_one("smoke"));
    assert_eq!(SweepFile::open("smoke", &[]).unwrap().tasks.len(), 1);
}

proptest! {
    #[test]
    fn a_grid_has_as_many_tasks_as_the_product(
        silos in proptest::collection::btree_set(1u32..9, 1..4),
        rounds in proptest::collection::btree_set(1u32..9, 1..4),
        seeds in 1u32..4,
    ) {
        let text = format!(
            "[sweep]\nseeds = {seeds}\n[[sweep.axes]]\nkey = \"federation.silos\"\nvalues = {silos:?}\n[[sweep.axes]]\nkey = \"federation.rounds\"\nvalues = {rounds:?}\n"
        ).replace('{', "[").replace('}', "]");
        let sweep = open(&text);
        let all: BTreeSet<_> = sweep.tasks.iter().map(|task| (task.place(), task.id.clone())).collect();
        prop_assert_eq!(all.len(), silos.len() * rounds.len() * seeds as usize);
        for (index, task) in sweep.tasks.iter().enumerate() {
            prop_assert_eq!(task.index, index);
            let scenario = task.open().unwrap().scenario;
            prop_assert_eq!(scenario.seed, task.seed);
            prop_assert_eq!(f64::from(scenario.federation.rounds), task.levels["rounds"].value.unwrap());
        }
    }
}

#[test]
fn every_paper_pack_is_valid() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/papers");
    let packs = std::fs::read_dir(folder)
        .unwrap()
        .map(|pack| pack.unwrap().path());
    let files: Vec<PathBuf> = packs
        .flat_map(|pack| std::fs::read_dir(pack).unwrap())
        .map(|file| file.unwrap().path())
        .filter(|file| file.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    let sweeps: Vec<SweepFile> = files
        .iter()
        .map(|file| SweepFile::open(file.to_str().unwrap(), &[]).unwrap())
        .collect();
    let names: BTreeSet<&str> = sweeps.iter().map(|sweep| sweep.name.as_str()).collect();
    assert_eq!(names.len(), files.len(), "two sweeps would share a folder");
    // What the study of 2022 varied, in several hundred configurations.
    let factors = sweeps
        .iter()
        .find(|sweep| sweep.name == "subject-mia-factors")
        .unwrap();
    let points: BTreeSet<usize> = factors.tasks.iter().map(|task| task.point).collect();
    assert!(points.len() >= 300);
}
