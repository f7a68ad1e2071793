//! CSV files hold what the Parquet files of the run folders hold.

use super::{run, sweep};
use crate::common::{Place, scenario};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use std::fs::{self, File};
use std::path::Path;

/// A table by rows, as text: numbers as Rust writes them, null as nothing.
fn parquet(path: &Path) -> Vec<Vec<String>> {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let columns = reader
        .metadata()
        .file_metadata()
        .schema_descr()
        .columns()
        .to_vec();
    let mut rows = vec![
        columns
            .iter()
            .map(|column| column.name().to_owned())
            .collect(),
    ];
    for row in reader.get_row_iter(None).unwrap() {
        let cell = |field: &Field| match field {
            Field::Null => String::new(),
            Field::Int(value) => value.to_string(),
            Field::Double(value) => format!("{value:?}"),
            Field::Str(value) => value.clone(),
            other => panic!("{other}"),
        };
        let row = row.unwrap();
        rows.push(
            row.get_column_iter()
                .map(|(_, field)| cell(field))
                .collect(),
        );
    }
    rows
}

fn csv(path: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).unwrap();
    let row = |line: &str| line.split(',').map(str::to_owned).collect();
    text.lines().map(row).collect()
}

#[test]
fn one_run_is_its_parquet_files_with_its_name_in_front() {
    let (place, folder) = run();
    let name = folder.file_name().unwrap().to_str().unwrap();
    place
        .siloscope(&["export", "csv", name, "--out", "tables"])
        .ends(0, &["of 1 run to tables"]);
    for table in ["rounds", "subjects", "attacks"] {
        let mut expected = parquet(&folder.join(format!("{table}.parquet")));
        for (i, row) in expected.iter_mut().enumerate() {
            row.insert(0, if i == 0 { "run" } else { name }.to_owned());
        }
        let found = csv(&place.path(format!("tables/{table}.csv")));
        assert!(found.len() > 6, "{table}");
        assert_eq!(found, expected, "{table}");
    }
}

#[test]
fn the_attacks_table_agrees_with_the_report() {
    let (_place, folder) = run();
    let report = crate::common::report(&folder);
    let table = parquet(&folder.join("attacks.parquet"));
    let at = |row: &[String], name: &str| {
        let place = table[0].iter().position(|column| column == name);
        row[place.unwrap_or_else(|| panic!("no {name}"))].clone()
    };
    let mut rows = table[1..].iter();
    for attack in report["leak"]["attacks"].as_array().unwrap() {
        for round in attack["rounds"].as_array().unwrap() {
            let row = rows.next().unwrap();
            assert_eq!(at(row, "attack"), attack["attack"].as_str().unwrap());
            assert_eq!(at(row, "regime"), attack["regime"].as_str().unwrap());
            assert_eq!(at(row, "round"), round["round"].to_string());
            assert_eq!(at(row, "members"), attack["members"].to_string());
            let number = |value: &serde_json::Value| format!("{:?}", value.as_f64().unwrap());
            assert_eq!(at(row, "auc"), number(&round["auc"]["value"]));
            assert_eq!(at(row, "auc_low"), number(&round["auc"]["low"]));
            assert_eq!(at(row, "auc_high"), number(&round["auc"]["high"]));
            for tpr in round["tpr_at_fpr"].as_array().unwrap() {
                let name = format!("tpr_at_fpr_{}", tpr["fpr"].as_f64().unwrap());
                let interval = &tpr["tpr"]["interval"];
                let expected = [
                    (name.clone(), &interval["value"]),
                    (format!("{name}_low"), &interval["low"]),
                    (format!("{name}_high"), &interval["high"]),
                ];
                for (name, value) in expected {
                    let value = if tpr["tpr"]["withheld"].is_string() {
                        String::new()
                    } else {
                        number(value)
                    };
                    assert_eq!(at(row, &name), value, "{name}");
                }
            }
        }
    }
    assert!(rows.next().is_none());
}

#[test]
fn many_runs_with_other_attacks_are_one_table() {
    let (place, folder) = run();
    sweep(&place);
    place.write(
        "other.toml",
        scenario(&[
            ("\"case\"", "\"other\""),
            ("kind = \"loss-across-rounds\"", "kind = \"gradient-norm\""),
        ]),
    );
    place
        .siloscope(&["run", "./other.toml", "-q", "--out", "more"])
        .ends(0, &[]);
    place
        .siloscope(&[
            "export",
            "csv",
            folder.to_str().unwrap(),
            "sweep",
            "more",
            "--out",
            "all",
        ])
        .ends(0, &["of 4 runs to all", "left out 1 run"]);
    let rounds = csv(&place.path("all/rounds.csv"));
    assert_eq!(rounds.len(), 1 + 4 * 7);
    assert!(rounds.iter().all(|row| row.len() == rounds[0].len()));
    let of = |name: &str| rounds[0].iter().position(|column| column == name).unwrap();
    let (first, last) = (&rounds[1], &rounds[28]);
    assert!(first[0].starts_with("case-") && last[0].starts_with("other-"));
    for (column, at_first, at_last) in [
        ("auc loss-threshold fresh", true, true),
        ("auc loss-across-rounds/mean fresh", true, false),
        ("auc gradient-norm training-records", false, true),
    ] {
        let filled = |row: &[String]| !row[of(column)].is_empty();
        assert_eq!(
            (filled(&rounds[7]), filled(last)),
            (at_first, at_last),
            "{column}"
        );
    }
    // A run counts once, however often it is named; runs that are called alike are told apart.
    let twice = Place::new();
    let path = |name: &str| place.path(name).to_str().unwrap().to_owned();
    fs::create_dir_all(place.path("again/runs")).unwrap();
    place.copy_of_run("again/runs/0a");
    twice
        .siloscope(&[
            "export",
            "csv",
            &path("sweep"),
            &path("sweep/runs/0a"),
            &path("again"),
            "--out",
            "t",
        ])
        .ends(0, &["of 3 runs"]);
    let mut names: Vec<String> = csv(&twice.path("t/rounds.csv"))[1..]
        .iter()
        .map(|row| row[0].clone())
        .collect();
    names.dedup();
    assert_eq!(names.len(), 3);
    assert!(
        names[0].ends_with("sweep_runs_0a") && names[2].ends_with("again_runs_0a"),
        "{names:?}"
    );
    assert_eq!(names[1], "0b");
}
