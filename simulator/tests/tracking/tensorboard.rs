//! Event files; what is in them is tested where they are made, and by TensorBoard itself in `benches/tracking`.

use super::{run, sweep};
use crate::common::{Place, scenario};
use report::{RunReport, TENSORBOARD_FILE};
use std::fs;
use std::path::Path;

#[test]
fn every_run_leaves_the_events_of_its_report() {
    let (place, folder) = run();
    let file = folder.join("tensorboard").join(TENSORBOARD_FILE);
    let text = fs::read_to_string(folder.join("report.json")).unwrap();
    let events = RunReport::from_json(&text).unwrap().to_tensorboard();
    assert!(fs::read(&file).unwrap() == events);
    let name = folder.to_str().unwrap();
    for command in [&["report", name][..], &["export", "tensorboard", name]] {
        fs::remove_dir_all(folder.join("tensorboard")).unwrap();
        place.siloscope(command).ends(0, &[]);
        assert!(fs::read(&file).unwrap() == events, "{command:?}");
    }
}

#[test]
fn many_runs_go_below_one_folder_under_their_names() {
    let (place, folder) = run();
    sweep(&place);
    let said = place
        .siloscope(&["export", "tensorboard", "sweep", "runs", "--out", "all"])
        .ends(
            0,
            &[
                "wrote 3 event files",
                "--logdir all",
                "left out 1 run that is not finished",
            ],
        );
    assert_eq!(said.stdout, "");
    let name = folder.file_name().unwrap().to_str().unwrap();
    for run in ["0a", "0b", name] {
        let file = place.path("all").join(run).join(TENSORBOARD_FILE);
        assert!(
            fs::read(file).unwrap()
                == fs::read(folder.join("tensorboard").join(TENSORBOARD_FILE)).unwrap()
        );
    }
    assert_eq!(fs::read_dir(place.path("all")).unwrap().count(), 3);
    let said = place
        .siloscope(&["export", "tensorboard", "sweep", "--json", "-q"])
        .ends(0, &[]);
    let envelope: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(envelope["command"], "export");
    assert_eq!(
        (&envelope["tool"], &envelope["runs"]),
        (&"tensorboard".into(), &2.into())
    );
    assert_eq!(envelope["unfinished"], 1);
    for file in envelope["files"].as_array().unwrap() {
        assert!(place.path(Path::new(file.as_str().unwrap())).exists());
    }
}

#[test]
fn a_run_with_a_network_tells_its_traffic_in_virtual_time() {
    let network = "\n[network]\nlatency_ms = 250\nmegabits_per_second = 1\n";
    let place = Place::with(&scenario(&[("", network)]));
    place.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);
    let text = fs::read_to_string(place.run_folder().join("report.json")).unwrap();
    let report = RunReport::from_json(&text).unwrap();
    let series = report.series();
    let bytes = series.iter().find(|series| series.name == "network/bytes");
    assert_eq!(bytes.unwrap().points.len(), 6);
    // The clock of the events is the driver's own, in the journal of the run.
    let clock = report.clock();
    let events = fs::read_to_string(place.run_folder().join("events.jsonl")).unwrap();
    let mut rounds = 0;
    for line in events.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        if let Some(ended) = event["network"]["clock_ns"].as_f64() {
            let seconds = clock[&(event["round"].as_u64().unwrap() as u32)];
            assert!((seconds - ended / 1e9).abs() < 1e-9, "{seconds} {ended}");
            rounds += u32::from(ended > 0.0);
        }
    }
    assert_eq!(rounds, 6);
}

#[test]
fn what_is_no_finished_run_is_refused() {
    let (place, _folder) = run();
    let half = &sweep(&place)[2];
    fs::create_dir(place.path("empty")).unwrap();
    for (name, code, words) in [
        ("nothing", 2, "is not a run folder"),
        ("empty", 2, "is not a run folder"),
        ("case.toml", 2, "is not a run folder"),
        (half.to_str().unwrap(), 1, "siloscope resume"),
    ] {
        place
            .siloscope(&["export", "tensorboard", name])
            .ends(code, &[name, words]);
    }
    fs::remove_file(place.path("sweep/runs/0a/report.json")).unwrap();
    fs::write(place.path("sweep/runs/0b/report.json"), "{").unwrap();
    place
        .siloscope(&["export", "tensorboard", "sweep"])
        .ends(1, &["0b/report.json is damaged"]);
    fs::remove_file(place.path("sweep/runs/0b/report.json")).unwrap();
    place
        .siloscope(&["export", "tensorboard", "sweep"])
        .ends(1, &["0a has no report yet"]);
    place
        .siloscope(&["export", "tensorboard"])
        .ends(2, &["RUN"]);
}
