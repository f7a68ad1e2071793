//! Runs whose data has numbers to predict: what they report, what they refuse, and what a model can reach at most.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

mod common;

use common::{Place, SCENARIO, assert_same, report, scenario};
use data::{RegressionWorld, Split};
use primitives::Seed;
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;

/// What [`SCENARIO`] draws and learns, and what these tests put in its place.
const CLASSES: &str = "{ synthetic = { kind = \"subjects\", subjects = 60, records_per_subject = 8, features = 6, classes = 3, test_subjects = 20 } }";
const NUMBERS: &str = "{ synthetic = { kind = \"subject-regression\", subjects = 60, records_per_subject = 8, features = 6, test_subjects = 20, seed = 5 } }";
const PROTECTION: &str =
    "protection = \"averaged-gradient\"\nclip_norm = 1.0\nnoise_multiplier = 1.0\ndelta = 1e-3\n";

/// [`SCENARIO`] over numbers, with further changes.
fn numbers(changes: &[(&str, &str)]) -> String {
    let kind = [
        (CLASSES, NUMBERS),
        ("kind = \"logistic\"", "kind = \"linear\""),
        ("learning_rate = 0.3", "learning_rate = 0.03"),
    ];
    scenario(&[&kind[..], changes].concat())
}

fn rounds(report: &Value) -> Vec<(f64, f64)> {
    let number = |round: &Value, key: &str| round[key].as_f64().unwrap();
    let rounds = report["utility"]["rounds"].as_array().unwrap().iter();
    rounds
        .map(|round| (number(round, "r_squared"), number(round, "loss")))
        .collect()
}

/// R² is one less the mean squared error over the variance of the population's targets, which is computed here anew.
#[test]
fn a_run_reports_r_squared_and_nowhere_accuracy() {
    let place = Place::with(&numbers(&[
        ("known_subjects = 5", "known_subjects = 5\nshadows = 4"),
        ("", "\n[[attacks]]\nkind = \"lira\"\n"),
    ]));
    let said = place
        .siloscope(&["run", "./case.toml", "--jsonl", "-q"])
        .ends(0, &[]);
    let folder = place.run_folder();
    let found = report(&folder);
    let world = RegressionWorld {
        records_per_subject: 8.into(),
        features: 6,
        test_subjects: 20,
        seed: Some(5),
        ..RegressionWorld::new(60)
    };
    let dataset = world.generate(&Seed::from_number(0)).unwrap();
    let test = dataset
        .records()
        .filter(|&record| dataset.split(record) == Some(Split::Test));
    let targets: Vec<f64> = test
        .map(|record| f64::from(dataset.targets().unwrap()[record.index()]))
        .collect();
    assert_eq!(found["utility"]["test_records"], targets.len());
    let mean = targets.iter().sum::<f64>() / targets.len() as f64;
    let variance = targets.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / targets.len() as f64;
    for (r_squared, loss) in rounds(&found) {
        assert!(
            (r_squared - (1.0 - loss / variance)).abs() < 1e-12,
            "{r_squared} {loss}"
        );
    }
    let names: Vec<&str> = found["leak"]["attacks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attack| attack["attack"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"lira/online"), "{names:?}");
    let page = fs::read_to_string(folder.join("report.html")).unwrap();
    for text in [&found.to_string(), &said.stdout, &page] {
        assert!(
            !text.contains("ccuracy") && !text.contains("nats"),
            "{text}"
        );
    }
    let table = fs::read(folder.join("rounds.parquet")).unwrap();
    let has = |name: &[u8]| table.windows(name.len()).any(|window| window == name);
    assert!(has(b"r_squared") && !has(b"accuracy"));
    // A run that was attacked again from its folder says the same.
    let copy = place.copy_of_run("copy");
    place
        .siloscope(&["attack", copy.to_str().unwrap(), "-q"])
        .ends(0, &[]);
    assert_same(&copy, &folder, "attacked again");
}

#[test]
fn a_gate_asks_for_an_r_squared() {
    let place = Place::with(&numbers(&[("", "\n[gates]\nmin_r_squared = 0.99\n")]));
    place.siloscope(&["run", "./case.toml", "-q"]).ends(5, &[]);
    let gate = &report(&place.run_folder())["gates"][0];
    assert_eq!(gate["name"], "min_r_squared");
    assert_eq!(gate["passed"], false);
}

/// A linear model of a linear world: what it cannot explain is the noise, of variance 1, and what people's own levels add,
/// 0. Over 1,000 records of the population the mean of the squared noise leaves 1 ± 5 √(2/1,000) with probability 6e-7;
/// what the fit over some 960 records adds is 7/960 on average.
#[test]
fn a_linear_model_of_a_linear_world_is_left_with_its_noise() {
    let world = NUMBERS
        .replace(
            "test_subjects = 20",
            "test_subjects = 125, shift = 0.0, noise = 1.0",
        )
        .replace(
            "subjects = 60, records_per_subject = 8",
            "subjects = 200, records_per_subject = 8",
        );
    let place = Place::with(&numbers(&[
        (NUMBERS, &world),
        (PROTECTION, "protection = \"none\"\n"),
        ("local_steps = 3", "local_steps = 30"),
        ("rounds = 6", "rounds = 10"),
    ]));
    place.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);
    let found = report(&place.run_folder());
    let (r_squared, loss) = *rounds(&found).last().unwrap();
    let slack = 5.0 * (2.0_f64 / 1_000.0).sqrt();
    assert!((1.0 - slack..1.0 + slack + 0.05).contains(&loss), "{loss}");
    assert!(r_squared > 0.2, "{r_squared}");
    // The untrained model explains nothing.
    assert!(rounds(&found)[0].0 < 0.2);
}

/// A table with a column of numbers, as a user brings it.
#[test]
fn a_column_of_numbers_is_a_target() {
    let mut table = "person,age,dose,days\n".to_owned();
    for record in 0..400_u32 {
        let (person, age, dose) = (record / 8, record % 13, record * 7 % 11);
        let days = 0.5 * f64::from(age) - 0.25 * f64::from(dose) + f64::from(person % 3);
        let (age, dose) = (f64::from(age) / 10.0, f64::from(dose) / 10.0);
        writeln!(table, "p{person},{age},{dose},{days}").unwrap();
    }
    let text = numbers(&[(
        NUMBERS,
        "{ csv = \"days.csv\", target = \"days\", subject = \"person\" }",
    )]);
    let place = Place::with(&text);
    place.write("days.csv", &table);
    place.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);
    assert_eq!(rounds(&report(&place.run_folder())).len(), 7);
    place.write("days.csv", table.replace("p1,", "p1,x"));
    let refused = place.siloscope(&["validate", "./case.toml"]);
    refused.ends(3, &["days.csv, row 9, column \"age\""]);
}

#[test]
fn what_numbers_do_not_go_with_is_refused_with_what_does() {
    let mistakes: [(&str, &str, &[&str]); 5] = [
        (
            "kind = \"linear\"",
            "kind = \"logistic\"",
            &["model", "choose model.kind = \"linear\""],
        ),
        (
            "kind = \"linear\"",
            "kind = \"lstm\"",
            &["model", "reads texts"],
        ),
        (
            "",
            "\n[gates]\nmin_accuracy = 0.5\n",
            &["gates.min_accuracy", "use min_r_squared"],
        ),
        (
            "[model]",
            "partition = { kind = \"dirichlet\", alpha = 0.5 }\n\n[model]",
            &["federation", "has targets and no classes"],
        ),
        (
            "known_subjects = 5",
            "known_subjects = 5\nshadows = 4\n\n[[attacks]]\nkind = \"rmia\"",
            &["attacks[0]", "use lira"],
        ),
    ];
    for (from, to, words) in mistakes {
        let place = Place::with(&numbers(&[(from, to)]));
        place.siloscope(&["validate", "./case.toml"]).ends(3, words);
    }
    let place = Place::with(&(SCENARIO.to_owned() + "\n[gates]\nmin_r_squared = 0.5\n"));
    place
        .siloscope(&["validate", "./case.toml"])
        .ends(3, &["gates.min_r_squared", "use min_accuracy"]);
    let place = Place::with(&SCENARIO.replace("kind = \"logistic\"", "kind = \"linear\""));
    place
        .siloscope(&["validate", "./case.toml"])
        .ends(3, &["choose model.kind = \"logistic\""]);
}
