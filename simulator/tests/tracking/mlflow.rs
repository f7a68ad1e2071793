//! Runs sent to an MLflow server; `benches/tracking` does the same with the real one.

use super::server::Server;
use super::{run, sweep};
use crate::common::report;
use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;

#[test]
fn a_run_arrives_with_parameters_metrics_and_tags_and_only_once() {
    let (place, folder) = run();
    let server = Server::start();
    let name = folder.file_name().unwrap().to_str().unwrap();
    let export = [
        "export",
        "mlflow",
        name,
        "--url",
        &server.url,
        "--experiment",
        "my study",
    ];
    place.siloscope(&export).ends(
        0,
        &[
            "experiment my study",
            "added 1 run, replaced 0, 0 there already",
        ],
    );
    let sent = server.look(|store| {
        assert_eq!(store.experiments[0]["name"], "my study");
        assert_eq!(store.runs.len(), 1);
        store.runs[0].clone()
    });
    assert_eq!(
        (sent.name.as_str(), sent.status.as_str()),
        (name, "FINISHED")
    );
    assert!(sent.times[0].unwrap() > 0 && sent.times[0] <= sent.times[1]);
    let report = report(&folder);
    assert_eq!(
        sent.tag("siloscope.plan"),
        report["identity"]["plan_digest"].as_str()
    );
    assert_eq!(sent.tag("siloscope.ending"), Some("finished"));
    assert_eq!(sent.tag("siloscope.exit_code"), Some("0"));
    let params: BTreeMap<_, _> = sent.params.iter().cloned().collect();
    assert_eq!(params.len(), sent.params.len());
    for (key, value) in [
        ("name", "case"),
        ("seed", "7"),
        ("training.learning_rate", "0.3"),
        ("privacy.protection", "averaged-gradient"),
        ("federation.spread.kind", "fixed"),
        ("attacks.1.kind", "loss-across-rounds"),
        ("data.source.synthetic.subjects", "60"),
        ("plan.noise_multiplier", "1.0"),
    ] {
        assert_eq!(
            params.get(key).map(String::as_str),
            Some(value),
            "{key} of {params:?}"
        );
    }
    // Every number of the report's rounds, infinite or not.
    let metric = |key: &str, step: usize| {
        let mut all = sent.metrics.iter();
        let found = all.find(|metric| metric["key"] == key && metric["step"] == step);
        found.unwrap_or_else(|| panic!("no {key} at {step}"))["value"].clone()
    };
    for step in 0..=6 {
        let utility = &report["utility"]["rounds"][step];
        assert_eq!(metric("utility/accuracy", step), utility["accuracy"]);
        let losses = &report["promise"]["rounds"][step];
        assert_eq!(metric("epsilon/subject", step), losses["subject_worst"]);
        let silo = &losses["silo"];
        let expected = if silo == "inf" {
            "Infinity".into()
        } else {
            silo.clone()
        };
        assert_eq!(metric("epsilon/silo", step), expected);
    }
    let attack = &report["leak"]["attacks"][0];
    let last = attack["rounds"].as_array().unwrap().last().unwrap();
    let key = format!(
        "auc/{}/{}",
        attack["attack"].as_str().unwrap(),
        attack["regime"].as_str().unwrap()
    );
    assert_eq!(metric(&key, 6), last["auc"]["value"]);
    // The clock of a run without a network goes by rounds.
    let times: Vec<i64> = sent
        .metrics
        .iter()
        .filter(|metric| metric["key"] == "utility/loss")
        .map(|metric| metric["timestamp"].as_i64().unwrap() - sent.times[0].unwrap())
        .collect();
    assert_eq!(times, [0, 1000, 2000, 3000, 4000, 5000, 6000]);

    place
        .siloscope(&export)
        .ends(0, &["added 0 runs, replaced 0, 1 there already"]);
    assert_eq!(server.look(|store| store.runs.len()), 1);
}

#[test]
fn a_run_whose_report_has_changed_or_whose_export_broke_off_is_replaced() {
    let (place, folder) = run();
    let server = Server::start();
    let name = folder.to_str().unwrap();
    let export = ["export", "mlflow", name, "--url", &server.url];
    place
        .siloscope(&export)
        .ends(0, &["experiment siloscope", "added 1 run"]);
    // Other attacks make another report of the same plan.
    place
        .siloscope(&[
            "attack",
            name,
            "--set",
            "attacks=[{kind=\"gradient-norm\"}]",
            "-q",
        ])
        .ends(0, &[]);
    place
        .siloscope(&export)
        .ends(0, &["added 0 runs, replaced 1"]);
    // What broke off lacks the tag that is written last.
    server.look(|store| {
        let tags = &mut store.runs[1].tags;
        tags.retain(|tag| tag.0 != "siloscope.report");
    });
    place
        .siloscope(&export)
        .ends(0, &["added 0 runs, replaced 1"]);
    place.siloscope(&export).ends(0, &["1 there already"]);
    let runs = server.look(|store| store.runs.clone());
    let deleted: Vec<bool> = runs.iter().map(|run| run.deleted).collect();
    assert_eq!(deleted, [true, true, false]);
    let attacked = |run: &super::server::Run, kind: &str| {
        let key = format!("auc/{kind}/training-records");
        run.metrics
            .iter()
            .any(|metric| metric["key"] == key.as_str())
    };
    assert!(attacked(&runs[0], "loss-threshold") && !attacked(&runs[0], "gradient-norm"));
    assert!(!attacked(&runs[2], "loss-threshold") && attacked(&runs[2], "gradient-norm"));
}

#[test]
fn a_sweep_is_sent_whole_and_equal_plans_are_one_run() {
    let (place, _folder) = run();
    sweep(&place);
    let server = Server::start();
    let said = place
        .siloscope(&["export", "mlflow", "sweep", "--url", &server.url, "--json"])
        .ends(0, &["left out 1 run that is not finished"]);
    let envelope: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    // Both folders are copies of one run.
    assert_eq!(
        (&envelope["added"], &envelope["kept"]),
        (&1.into(), &1.into())
    );
    assert_eq!(envelope["experiment"], "100");
    let sent = envelope["mlflow"].as_array().unwrap();
    assert_eq!(sent.len(), 2);
    assert_eq!(
        (&sent[0]["run"], &sent[0]["mlflow_run"]),
        (&"0a".into(), &"0".into())
    );
}

#[test]
fn what_goes_wrong_is_said_with_the_servers_words() {
    let (place, folder) = run();
    let name = folder.to_str().unwrap();
    let export = |url: &str, code: i32, words: &[&str]| {
        place
            .siloscope(&["export", "mlflow", name, "--url", url])
            .ends(code, words);
    };
    // A port on which nobody listens any more.
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    export(
        &format!("http://{closed}"),
        1,
        &["cannot reach an MLflow server", "mlflow server"],
    );
    let page = Server::always("404 Not Found", "<html>nothing here</html>");
    export(&page.url, 1, &["does not answer like MLflow", "status 404"]);
    let page = Server::always("200 OK", "<html>welcome</html>");
    export(&page.url, 1, &["does not answer like MLflow", "status 200"]);
    let refusing = Server::always(
        "403 Forbidden",
        r#"{"error_code": "PERMISSION_DENIED", "message": "ask the owner"}"#,
    );
    export(
        &refusing.url,
        1,
        &["refused", "403", "PERMISSION_DENIED", "ask the owner"],
    );
    export("https://127.0.0.1:5000", 2, &["plain http://", "ssh -L"]);
    export("127.0.0.1:5000", 2, &["http://HOST:PORT"]);
    let server = Server::start();
    server.look(|store| {
        store.experiments.push(serde_json::json!({
            "experiment_id": "7", "encoded": "siloscope", "lifecycle_stage": "deleted",
        }));
    });
    export(
        &server.url,
        1,
        &["experiment siloscope was deleted", "--experiment"],
    );
}

#[test]
fn a_plan_that_is_damaged_is_named() {
    let (place, folder) = run();
    fs::write(folder.join("plan.json"), "{").unwrap();
    let server = Server::start();
    place
        .siloscope(&[
            "export",
            "mlflow",
            folder.to_str().unwrap(),
            "--url",
            &server.url,
        ])
        .ends(1, &["plan.json is damaged"]);
    assert!(server.look(|store| store.runs.is_empty()));
}
