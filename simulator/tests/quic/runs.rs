//! Runs that end, and runs that are stopped and gone on with.

use crate::common::{Place, assert_same, scenario};
use crate::keys::mode;
use crate::process::{
    Process, address_in, all_end_well, in_memory, moments_and_cohorts, stopped_by_budget,
};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

#[test]
fn over_quic_a_run_leaves_the_same_bytes() {
    let masked_sums = scenario(&[
        (
            "silos = 3\nrounds = 6",
            "silos = 4\nrounds = 5\nsilos_per_round = 3\nserver_sees = \"sum\"",
        ),
        ("averaged-gradient", "distributed-noise"),
    ]);
    for text in [
        scenario(&[]),
        moments_and_cohorts(),
        stopped_by_budget(),
        masked_sums,
    ] {
        let (_there, expected) = in_memory(&text);
        let place = Place::with(&text);
        place
            .siloscope(&["run", "./case.toml", "--transport", "quic"])
            .ends(0, &["is here, from 127.0.0.1"]);
        assert_same(&place.run_folder(), &expected, "over QUIC");
    }
}

#[test]
fn served_and_joined_by_hand_with_a_silo_that_comes_late() {
    let (_there, expected) = in_memory(&scenario(&[]));
    let place = Place::federation(&scenario(&[]), 3);
    // Silos may be there first, and wait for the file.
    let mut early = place.join(1, &[]);
    early.until(&["here.json is not there yet", "trying again"]);
    let mut server = place.serve(&["--metrics", "127.0.0.1:0"]);
    let opening = server.until(&[
        "listening on UDP 127.0.0.1:",
        "metrics at http://127.0.0.1:",
    ]);
    let address = address_in(&opening);
    server.until(&["silo 1 is here"]);
    let metrics = opening
        .split("http://")
        .nth(1)
        .unwrap()
        .trim_end_matches("/metrics");
    // The line is told just before the figures change.
    let page = (0..1000)
        .map(|_| get(metrics, "/metrics"))
        .find(|page| page.contains("\nsiloscope_silos_connected 1\n"))
        .unwrap();
    for line in [
        "HTTP/1.1 200 OK\r\n",
        "\nsiloscope_rounds 6\n",
        "\nsiloscope_epsilon_subject 0\n",
    ] {
        assert!(page.contains(line), "{page}");
    }
    assert!(get(metrics, "/").starts_with("HTTP/1.1 404"));
    let others = [0, 2].map(|silo| {
        let silo = silo.to_string();
        let words = [
            "join",
            "./case.toml",
            "--silo",
            &silo,
            "--keys",
            "keys",
            "--server",
            &address,
        ];
        Process::start(place.command(&words))
    });
    server.wait().ends(0, &["report:"]);
    early.wait().ends(
        0,
        &["trained round 6", "the run is over: all rounds are done"],
    );
    all_end_well(others.into());
    assert_same(&place.run_folder(), &expected, "served");
    assert!(!place.path("here.json").exists());
    for silo in 0..3 {
        assert_eq!(place.spent(silo), [1, 2, 3, 4, 5, 6]);
    }
}

#[test]
fn a_server_killed_at_any_round_is_served_again() {
    let (_there, expected) = in_memory(&moments_and_cohorts());
    for after in [1, 4, 7] {
        let place = Place::federation(&moments_and_cohorts(), 4);
        let mut server = place.serve(&["--jsonl", "-q"]);
        let silos: Vec<_> = (0..4)
            .map(|silo| place.join(silo, &["--silence", "2"]))
            .collect();
        server.events(after);
        server.kill();
        if after == 4 {
            let folder = place.run_folder();
            let resumed = ["resume", folder.to_str().unwrap(), "-q"];
            Process::start(place.command(&resumed)).wait().ends(0, &[]);
        } else {
            place.serve(&["-q"]).wait().ends(0, &[]);
        }
        all_end_well(silos);
        assert_same(
            &place.run_folder(),
            &expected,
            &format!("killed after event {after}"),
        );
    }
}

#[test]
fn a_silo_killed_and_back_spends_no_round_twice() {
    let text = scenario(&[("rounds = 6", "rounds = 30")]);
    let (_there, expected) = in_memory(&text);
    let place = Place::federation(&text, 3);
    let server = place.serve(&["--silence", "1"]);
    let others = [place.join(0, &[]), place.join(1, &[])];
    for round in ["trained round 2", "trained round 9"] {
        let mut silo = place.join(2, &[]);
        silo.until(&[round]);
        silo.kill();
    }
    place.join(2, &[]).wait().ends(0, &["joined before round"]);
    server.wait().ends(0, &["silo 2 is gone"]);
    all_end_well(others.into());
    assert_same(&place.run_folder(), &expected, "a silo killed twice");
    assert_eq!(place.spent(2), (1..=30).collect::<Vec<u64>>());
}

#[test]
fn interrupted_it_tells_its_silos_and_goes_on_later() {
    let text = scenario(&[("rounds = 6", "rounds = 30")]);
    let (_there, expected) = in_memory(&text);
    let place = Place::federation(&text, 3);
    let mut server = place.serve(&["--jsonl"]);
    let mut first = place.join(0, &[]);
    let silos = [place.join(1, &[]), place.join(2, &[])];
    server.events(3);
    server.interrupt();
    server.wait().ends(130, &["siloscope resume runs/case-"]);
    first.until(&["the coordinator was interrupted", "trying again"]);
    // A silo may be interrupted too.
    first.interrupt();
    first.wait().ends(130, &["the same command goes on"]);
    let first = place.join(0, &["-q"]);
    place.serve(&["-q"]).wait().ends(0, &[]);
    first.wait().ends(0, &[]);
    all_end_well(silos.into());
    assert_same(&place.run_folder(), &expected, "interrupted");
}

#[test]
fn interrupted_a_run_over_quic_leaves_no_process_behind() {
    let text = scenario(&[("rounds = 6", "rounds = 20")]);
    let place = Place::with(&text);
    let temporary = place.path("tmp");
    fs::create_dir(&temporary).unwrap();
    let mut command = place.command(&["run", "./case.toml", "--transport", "quic", "--jsonl"]);
    command.env("TMPDIR", &temporary);
    let mut run = Process::start(command);
    run.events(3);
    let private = fs::read_dir(&temporary)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    assert_eq!(mode(&private), 0o700);
    run.interrupt();
    // stdout ends when the last process that holds it has ended.
    let said = run.wait().ends(130, &["siloscope resume"]);
    assert!(said.stdout.contains("interrupted"), "{}", said.stdout);
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
    // The same command goes on, and so does a run that was begun in memory.
    let again = ["run", "./case.toml", "--transport", "quic", "-q"];
    place.siloscope(&again).ends(0, &[]);
    let (_there, expected) = in_memory(&text);
    assert_same(&place.run_folder(), &expected, "interrupted over QUIC");
    let begun = Place::with(&text);
    begun.kill_after(&["run", "./case.toml"], 9);
    begun.siloscope(&again).ends(0, &[]);
    assert_same(&begun.run_folder(), &expected, "begun in memory");
}

/// What a web server on `address` answers.
fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
