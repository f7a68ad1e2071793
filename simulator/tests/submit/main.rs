//! Sweeps handed to engines: `benches/engines` does the same with real ones.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

#[path = "../common/mod.rs"]
mod common;

mod engine;

use engine::Cluster;
use std::fs;

#[test]
fn slurm_gets_a_sweep_and_later_what_failed_or_was_lost() {
    let cluster = Cluster::new();
    cluster
        .submit(
            "slurm",
            &["--limit", "2", "--", "--partition=long", "--mem=4G"],
        )
        .ends(
            0,
            &[
                "0 of 4 tasks done",
                "4 to submit",
                "submitted 4 tasks as job 41",
            ],
        );
    let calls = cluster.calls();
    let script = cluster.file("slurm.sh");
    let script = fs::canonicalize(script).unwrap().display().to_string();
    let [call] = &calls[..] else {
        panic!("{calls:?}")
    };
    for word in [
        "--parsable",
        "--array=0-3%2",
        "--cpus-per-task=1",
        "--job-name=siloscope-case",
    ] {
        assert!(call.contains(&word.to_owned()), "no {word} in {call:?}");
    }
    assert_eq!(
        call[call.len() - 4..],
        ["--partition=long", "--mem=4G", &script, "0"]
    );
    assert!(cluster.file("logs").is_dir());

    // Nothing twice: all of it is in the queue.
    cluster.submit("slurm", &[]).ends(
        0,
        &["0 of 4 tasks done, 4 in the queue or running, 0 to submit"],
    );
    assert!(cluster.calls().is_empty());

    // Two tasks are done, one fails since its folder cannot be made, and the job forgets the last one.
    let run = |number| cluster.run("slurm.sh", "SLURM_ARRAY_TASK_ID", number, &["0"]);
    assert_eq!((run("0"), run("1")), (0, 0));
    let in_the_way = cluster.file("runs").join(cluster.id(2));
    fs::write(&in_the_way, "").unwrap();
    assert_eq!(run("2"), 1);
    cluster.leave("41", "3\n");
    cluster.submit("slurm", &[]).ends(
        0,
        &[
            "2 of 4 tasks done, 1 in the queue or running, 1 to submit",
            "again: task 2 (spread 2, seed 7), which failed: cannot",
        ],
    );
    assert!(cluster.calls()[0].contains(&"--array=2".to_owned()));
    cluster.leave("41", "");
    cluster.leave("42", "2\n");
    cluster.submit("slurm", &[]).ends(
        0,
        &[
            "1 in the queue or running, 1 to submit",
            "again: task 3 (spread 2, seed 8), which was lost: job 41 of slurm ended without it",
            "submitted 1 task as job 43",
        ],
    );
    assert!(cluster.calls()[0].contains(&"--array=3".to_owned()));

    fs::remove_file(in_the_way).unwrap();
    assert_eq!((run("2"), run("3")), (0, 0));
    for job in ["42", "43"] {
        cluster.leave(job, "");
    }
    cluster.submit("slurm", &[]).ends(
        0,
        &["4 of 4 tasks done, 0 in the queue or running, 0 to submit"],
    );
    assert!(cluster.calls().is_empty());
    let record = fs::read_to_string(cluster.file("submitted.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["jobs"], serde_json::json!([]));
}

#[test]
fn long_sweeps_are_several_arrays_and_a_limit_holds_over_all() {
    let cluster = Cluster::new();
    cluster.write("longest", "3");
    cluster
        .submit("slurm", &["--limit", "1"])
        .ends(0, &["submitted 4 tasks as jobs 41, 42"]);
    let calls = cluster.calls();
    assert!(calls[0].contains(&"--array=0-2%1".to_owned()));
    assert!(!calls[0].iter().any(|word| word.starts_with("--dependency")));
    assert!(calls[1].contains(&"--array=0%1".to_owned()));
    assert!(calls[1].contains(&"--dependency=afterany:41".to_owned()));
    assert_eq!(calls[1].last().unwrap(), "3");
    // The second job's number 0 is task 3.
    assert_eq!(
        cluster.run("slurm.sh", "SLURM_ARRAY_TASK_ID", "0", &["3"]),
        0
    );
    assert!(
        cluster
            .file("runs")
            .join(cluster.id(3))
            .join("report.json")
            .exists()
    );
    cluster.submit("slurm", &[]).ends(
        0,
        &["1 of 4 tasks done, 3 in the queue or running, 0 to submit"],
    );
}

#[test]
fn a_dry_run_prints_and_submits_nothing() {
    let cluster = Cluster::new();
    let said = cluster
        .submit(
            "slurm",
            &["--dry-run", "--threads", "3", "--", "--comment=it's"],
        )
        .ends(0, &["4 to submit"]);
    for words in [
        "#!/bin/bash",
        "--threads 3",
        "--array=0-3 ",
        "--cpus-per-task=3",
        "'--comment=it'\\''s'",
    ] {
        assert!(said.stdout.contains(words), "no {words} in {}", said.stdout);
    }
    let said = cluster.submit("hq", &["--dry-run", "--json"]).ends(0, &[]);
    let envelope: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(envelope["command"], "sweep submit");
    assert_eq!(
        (&envelope["submitted"], &envelope["engine"]),
        (&0.into(), &"hq".into())
    );
    assert_eq!(envelope["due"], serde_json::json!([0, 1, 2, 3]));
    let command = envelope["commands"][0].as_array().unwrap();
    assert!(command[0] == "hq" && command.contains(&"--array=0-3".into()));
    assert!(cluster.calls().is_empty());
    for file in ["slurm.sh", "hq.sh", "submitted.json", "logs"] {
        assert!(!cluster.file(file).exists(), "{file}");
    }
}

#[test]
fn hyperqueue_gets_a_sweep_and_later_what_failed_or_was_lost() {
    let cluster = Cluster::new();
    cluster.write("ended", "");
    cluster
        .submit("hq", &[])
        .ends(1, &["no HyperQueue server answers", "hq server start"]);
    cluster.write("server", "abc");
    cluster
        .submit("hq", &["--threads", "2", "--", "--priority=5"])
        .ends(0, &["submitted 4 tasks as job 1"]);
    let call = cluster.calls().remove(0);
    for word in ["--array=0-3", "--cpus=2", "--priority=5", "--stdout=none"] {
        assert!(call.contains(&word.to_owned()), "no {word} in {call:?}");
    }
    assert_eq!(call[call.len() - 3..call.len() - 1], ["--", "bash"]);
    cluster
        .submit("hq", &[])
        .ends(0, &["4 in the queue or running, 0 to submit"]);
    assert_eq!(cluster.run("hq.sh", "HQ_TASK_ID", "3", &[]), 0);
    cluster.write("ended", "3 finished\n2 failed\n");
    cluster.submit("hq", &[]).ends(
        0,
        &[
            "1 of 4 tasks done, 2 in the queue or running, 1 to submit",
            "again: task 2 (spread 2, seed 7), which was lost: job 1 of hq ended without it",
        ],
    );
    // Another server counts from 1 again: what the first one had is lost.
    cluster.write("server", "def");
    cluster.calls();
    cluster.submit("hq", &[]).ends(
        0,
        &["1 of 4 tasks done, 0 in the queue or running, 3 to submit"],
    );
    assert!(cluster.calls()[0].contains(&"--array=0-2".to_owned()));
}

#[test]
fn what_an_engine_says_against_it_is_told_and_nothing_is_written_down() {
    let cluster = Cluster::new();
    cluster.write(
        "refusal",
        "sbatch: error: invalid partition specified: long\n",
    );
    cluster.submit("slurm", &[]).ends(
        1,
        &["sbatch refuses: sbatch: error: invalid partition specified: long"],
    );
    fs::remove_file(cluster.0.path("fake/refusal")).unwrap();
    cluster.write("answer", "welcome\n");
    cluster.submit("slurm", &[]).ends(
        1,
        &["\"welcome\"", "not the number of a job", "squeue --me"],
    );
    cluster.write("longest", "0");
    cluster
        .submit("slurm", &[])
        .ends(1, &["takes no array jobs"]);
    assert!(!cluster.file("submitted.json").exists());
    cluster
        .submit("hq", &["--limit", "2"])
        .ends(2, &["--limit", "HyperQueue"]);
    cluster.submit("pbs", &[]).ends(2, &["slurm", "hq"]);
    fs::remove_file(cluster.0.path("fake/scontrol")).unwrap();
    let mut command = cluster
        .0
        .command(&["sweep", "submit", "case", "--engine", "slurm"]);
    command.env("PATH", cluster.0.path("fake"));
    common::said(command).ends(1, &["cannot start scontrol", "siloscope sweep run"]);
}

#[test]
fn a_list_that_has_changed_waits_for_what_is_in_the_queue() {
    let cluster = Cluster::new();
    cluster.submit("slurm", &[]).ends(0, &["job 41"]);
    cluster.calls();
    let more = ["sweep", "plan", "case.toml", "--set", "sweep.seeds=3"];
    cluster.0.siloscope(&more).ends(0, &[]);
    cluster.submit("slurm", &[]).ends(
        1,
        &["was planned anew while job 41 of slurm still has tasks"],
    );
    assert!(cluster.calls().is_empty());
    cluster.leave("41", "");
    cluster.submit("slurm", &[]).ends(
        0,
        &["0 of 6 tasks done", "6 to submit", "which was lost: job 41"],
    );
    fs::write(cluster.file("submitted.json"), "{").unwrap();
    cluster.submit("slurm", &[]).ends(
        1,
        &[
            "submitted.json is damaged",
            "cancel what is in the engine's queue",
        ],
    );
}
