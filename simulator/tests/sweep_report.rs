//! The report of a sweep: what it says of the runs, also of those that are not there.

#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use common::{Place, report, scenario};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

const SWEEP: &str = r#"
[sweep]
seeds = 2
[[sweep.axes]]
key = "data.source.synthetic.spread"
values = [0.0, 2.0]
[[sweep.axes]]
name = "protection"
levels = [
    { name = "none", set = { privacy = { protection = "none" } } },
    { name = "record", set = { "privacy.protection" = "record" } },
]
"#;

const FILES: [&str; 3] = ["sweep.html", "sweep-report.json", "sweep.parquet"];

fn swept() -> Place {
    let place = Place::with(&scenario(&[("", SWEEP)]));
    place
        .siloscope(&["sweep", "run", "case.toml", "-q"])
        .ends(0, &[]);
    place
}

fn folder(place: &Place) -> PathBuf {
    place.path("sweeps/case")
}

fn json(place: &Place) -> Value {
    let bytes = fs::read(folder(place).join("sweep-report.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn bytes(place: &Place) -> Vec<Vec<u8>> {
    let read = |name| fs::read(folder(place).join(name)).unwrap();
    FILES.into_iter().map(read).collect()
}

fn rows(place: &Place) -> Vec<BTreeMap<String, Field>> {
    let file = fs::File::open(folder(place).join("sweep.parquet")).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let row = |row: Result<parquet::record::Row, _>| {
        let row = row.unwrap();
        row.get_column_iter()
            .map(|(name, field)| (name.clone(), field.clone()))
            .collect()
    };
    reader.get_row_iter(None).unwrap().map(row).collect()
}

fn text(field: &Field) -> &str {
    match field {
        Field::Str(text) => text,
        other => panic!("{other}"),
    }
}

fn real(field: &Field) -> Option<f64> {
    match field {
        Field::Double(value) => Some(*value),
        Field::Null => None,
        other => panic!("{other}"),
    }
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

#[test]
fn a_sweep_is_reported_and_agrees_with_its_runs() {
    let place = swept();
    let said = place
        .siloscope(&["sweep", "report", "case"])
        .ends(0, &["page: sweeps/case/sweep.html"]);
    for words in [
        "8 of 8 tasks are done: 4 points of a grid design over 2 factors, with 2 seeds each.",
        "AUC of loss-",
        "protection = record",
        "A subject is promised something in 4 of 8 runs",
    ] {
        assert!(
            said.stdout.contains(words),
            "no {words:?} in {}",
            said.stdout
        );
    }
    let page = fs::read_to_string(folder(&place).join("sweep.html")).unwrap();
    assert!(page.contains("What each factor does</h2>") && page.contains("spread and protection"));

    let whole = json(&place);
    let rows = rows(&place);
    let tasks = whole["tasks"].as_array().unwrap();
    let mut left = rows.iter();
    for task in tasks {
        let run = folder(&place)
            .join("runs")
            .join(task["id"].as_str().unwrap());
        let own = report(&run);
        let quality = own["utility"]["rounds"].as_array().unwrap().last().unwrap();
        assert_eq!(task["utility"]["accuracy"], quality["accuracy"]);
        for (found, attack) in task["attacks"]
            .as_array()
            .unwrap()
            .iter()
            .zip(own["leak"]["attacks"].as_array().unwrap())
        {
            let last = attack["rounds"].as_array().unwrap().last().unwrap();
            assert_eq!(found["attack"], attack["attack"]);
            assert_eq!(found["auc"], last["auc"]);
            let row = left.next().unwrap();
            let name = [text(&row["attack"]), text(&row["statistic"])].join("/");
            assert_eq!(name.trim_end_matches('/'), attack["attack"]);
            assert_eq!(text(&row["regime"]), attack["regime"]);
            assert_eq!(text(&row["id"]), task["id"]);
            assert_eq!(text(&row["state"]), "done");
            assert_eq!(row["seed"], Field::ULong(task["seed"].as_u64().unwrap()));
            assert_eq!(real(&row["auc"]), last["auc"]["value"].as_f64());
            assert_eq!(real(&row["accuracy"]), quality["accuracy"].as_f64());
            assert_eq!(
                real(&row["factor spread"]),
                task["levels"]["spread"]["value"].as_f64()
            );
            assert_eq!(
                text(&row["factor protection"]),
                task["levels"]["protection"]["label"]
            );
            let subject = number(&own["promise"]["guarantees"][1]["epsilon"]);
            assert_eq!(real(&row["epsilon_subject"]), Some(subject));
            let tpr = &last["tpr_at_fpr"][0];
            let column = format!("tpr_at_fpr_{}", tpr["fpr"]);
            let stated = tpr["tpr"]["value"]
                .as_f64()
                .or(tpr["tpr"]["interval"]["value"].as_f64());
            assert_eq!(real(&row[&column]), stated, "{column}");
        }
    }
    assert_eq!(left.count(), 0);
    // A mean of two points with two seeds each, from the runs themselves.
    let effect = whole["effects"]
        .as_array()
        .unwrap()
        .iter()
        .find(|effect| effect["factor"] == "spread" && effect["measure"]["kind"] == "utility");
    let level = &effect.unwrap()["levels"][1];
    let accuracies: Vec<f64> = tasks
        .iter()
        .filter(|task| task["levels"]["spread"]["label"] == "2")
        .map(|task| task["utility"]["accuracy"].as_f64().unwrap())
        .collect();
    let mean = accuracies.iter().sum::<f64>() / 4.0;
    assert!((level["mean"].as_f64().unwrap() - mean).abs() < 1e-12);
    assert_eq!((&level["points"], &level["tasks"]), (&2.into(), &4.into()));

    let first = bytes(&place);
    place
        .siloscope(&["sweep", "report", "sweeps/case", "-q"])
        .ends(0, &[]);
    assert!(bytes(&place) == first);
    let said = place
        .siloscope(&["sweep", "report", "case", "--json"])
        .ends(0, &[]);
    let envelope: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(envelope["tasks"]["done"], 8);
    assert_eq!(envelope["page"], "sweeps/case/sweep.html");
}

#[test]
fn what_is_not_done_is_named_and_what_is_damaged_stops_it() {
    let place = swept();
    let ids: Vec<String> = {
        place
            .siloscope(&["sweep", "report", "case", "-q"])
            .ends(0, &[]);
        let whole = json(&place);
        let ids = whole["tasks"].as_array().unwrap().iter();
        ids.map(|task| task["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let runs = folder(&place).join("runs");
    let report_of = |id: &str| runs.join(id).join("report.json");
    // One was lost, one failed.
    fs::remove_file(report_of(&ids[1])).unwrap();
    fs::remove_file(report_of(&ids[6])).unwrap();
    fs::create_dir_all(folder(&place).join("failed")).unwrap();
    let failed = folder(&place).join(format!("failed/{}.json", ids[6]));
    fs::write(
        &failed,
        r#"{"exit_code":4,"message":"the budget admits no round"}"#,
    )
    .unwrap();
    let said = place.siloscope(&["sweep", "report", "case"]).ends(0, &[]);
    let stdout = said.stdout.replace('\n', " ");
    for words in [
        "6 of 8 tasks are done",
        "1 failed and 1 missing",
        "exit code 4: the budget admits no round",
        "run them with: siloscope sweep run sweeps/case",
    ] {
        assert!(stdout.contains(words), "no {words:?} in {}", said.stdout);
    }
    let rows = rows(&place);
    let states: Vec<&str> = rows.iter().map(|row| text(&row["state"])).collect();
    assert_eq!(
        states.iter().filter(|state| **state == "missing").count(),
        1
    );
    let row = rows
        .iter()
        .find(|row| text(&row["state"]) == "failed")
        .unwrap();
    assert_eq!(
        (real(&row["auc"]), text(&row["id"])),
        (None, ids[6].as_str())
    );

    fs::write(&failed, "{").unwrap();
    let name = format!("failed/{}.json is damaged", ids[6]);
    place
        .siloscope(&["sweep", "report", "case"])
        .ends(1, &[&name]);
    fs::remove_file(&failed).unwrap();
    fs::write(report_of(&ids[0]), "{}").unwrap();
    let name = format!("{}/report.json is damaged", ids[0]);
    place
        .siloscope(&["sweep", "report", "case"])
        .ends(1, &[&name]);
    for id in &ids {
        let _ = fs::remove_file(report_of(id));
    }
    place.siloscope(&["sweep", "report", "case"]).ends(
        1,
        &[
            "sweeps/case: none of 8 tasks is done",
            "siloscope sweep run sweeps/case",
        ],
    );
    place
        .siloscope(&["sweep", "report", "nowhere"])
        .ends(2, &["is not the folder of a sweep"]);
}
