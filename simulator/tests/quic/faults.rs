//! Connections that break, and silos that break the rules.

use crate::common::{Place, assert_same, scenario};
use crate::process::{all_end_well, in_memory};
use crate::wire::{Wire, join};
use primitives::SiloId;
use protocol::{Compression, ToCoordinator, encode};
use transport::Link;

#[test]
fn a_connection_lost_in_the_middle_of_an_update() {
    let (_there, expected) = in_memory(&scenario(&[]));
    let place = Place::federation(&scenario(&[]), 3);
    let mut server = place.serve(&["--silence", "1"]);
    let others = [place.join(0, &[]), place.join(1, &[])];
    server.until(&["listening"]);
    let mut link = Wire::connect(&place, 2);
    link.say(ToCoordinator::Join(join(2, place.plan())));
    let task = link.task();
    let update = ToCoordinator::Update(protocol::SiloUpdate {
        round: task.round,
        silo: SiloId(2),
        delta: task.model,
        weight: 1.0,
        releases: Vec::new(),
        metrics: protocol::UpdateMetrics::Withheld,
        clip_norm: None,
    });
    // The head of the message, and none of its chunks.
    let head = encode(update, Compression::None).unwrap().next().unwrap();
    let sent = link.link.traffic().sent + head.wire_len() as u64;
    link.link.send(head).unwrap();
    while link.link.traffic().sent < sent {
        link.runtime.block_on(tokio::task::yield_now());
    }
    drop(link);
    server.until(&["silo 2 is gone"]);
    // A silo that knows that it has spent nothing; one that knows nothing would not train this round.
    let run = place.run_folder();
    let folder = place
        .path("silos")
        .join(run.file_name().unwrap())
        .join("silo-2");
    std::fs::create_dir_all(&folder).unwrap();
    let memory = format!("{{\"silo\":2,\"plan\":\"{}\"}}\n", place.plan());
    std::fs::write(folder.join("silo.journal"), memory).unwrap();
    let silo = place.join(2, &[]);
    server.wait().ends(0, &[]);
    silo.wait().ends(0, &[]);
    all_end_well(others.into());
    assert_same(
        &place.run_folder(),
        &expected,
        "lost in the middle of an update",
    );
}

#[test]
fn a_silo_that_breaks_the_rules_is_cut_off_and_counts_as_missing() {
    type Misdeed = fn(&mut Wire, &primitives::ModelVector);
    let garbage: Misdeed = |wire, _| wire.send(vec![0x42; 100]);
    let flood: Misdeed = |wire, _| {
        for _ in 0..400 {
            wire.say(ToCoordinator::Join(join(2, wire.plan)));
        }
    };
    let huge: Misdeed = |wire, model| wire.update(vec![0.0; 10 * model.len()]);
    let not_finite: Misdeed = |wire, model| wire.update(vec![f32::NAN; model.len()]);
    let short: Misdeed = |wire, model| wire.update(vec![0.0; model.len() - 1]);
    for (name, misdeed, cut_off, words) in [
        ("garbage", garbage, true, "frame begins with"),
        ("flood", flood, true, "needless messages"),
        ("huge", huge, true, "is longer than the limit of"),
        ("not finite", not_finite, false, "infinite or not a number"),
        ("short", short, false, "the model has"),
    ] {
        let place = Place::federation(&scenario(&[]), 3);
        let mut server = place.serve(&[]);
        let others = [place.join(0, &[]), place.join(1, &[])];
        server.until(&["listening"]);
        let mut wire = Wire::connect(&place, 2);
        wire.say(ToCoordinator::Join(join(2, place.plan())));
        let task = wire.task();
        misdeed(&mut wire, &task.model);
        if cut_off {
            server.until(&["silo 2 is cut off and out of this run", words]);
            let ended = wire.ended();
            // Of two limits on floods, the link's own may be the first that the flood meets.
            let at_link = name == "flood" && ended.contains("flood: more than");
            assert!(ended.contains(words) || at_link, "{name}: {ended}");
        } else {
            server.until(&["refused silo 2", words]);
        }
        // Every silo of a round is needed here, so the run ends early, and says so.
        server.wait().ends(6, &[]);
        for other in others {
            other
                .wait()
                .ends(6, &["2 updates in round 1, at least 3 are needed"]);
        }
    }
}

/// Its silos may have answered, and whoever reads the ledger of a run that nobody goes on with must know.
#[test]
fn a_round_that_was_asked_for_is_spent() {
    let place = Place::federation(&scenario(&[]), 3);
    let mut server = place.serve(&[]);
    let others = [place.join(0, &[]), place.join(1, &[])];
    server.until(&["listening"]);
    let mut wire = Wire::connect(&place, 2);
    wire.say(ToCoordinator::Join(join(2, place.plan())));
    wire.task();
    server.kill();
    let folder = place.run_folder();
    let ledger = std::fs::read_to_string(folder.join("ledger.jsonl")).unwrap();
    assert_eq!(ledger, "");
    let said = place
        .siloscope(&["account", folder.to_str().unwrap()])
        .ends(0, &[]);
    assert!(said.stdout.contains("3 ledger entries"), "{}", said.stdout);
    drop(others);
}

#[test]
fn a_silo_that_broke_the_rules_stays_out() {
    let place = Place::federation(&scenario(&[]), 3);
    let mut server = place.serve(&[]);
    server.until(&["listening"]);
    let mut wire = Wire::connect(&place, 2);
    wire.send(vec![0x42; 100]);
    server.until(&["silo 2 is cut off and out of this run", "frame begins with"]);
    let again = Wire::connect(&place, 2).ended_after_hello();
    assert!(
        again.contains("silo 2 is out of this run: frame begins with"),
        "{again}"
    );
    server.until(&["turned away silo 2", "out of this run"]);
}

#[test]
fn a_silo_that_never_comes_is_not_waited_for_for_ever() {
    let text = scenario(&[(
        "rounds = 6",
        "rounds = 1\nquorum = 2\ndeadline_seconds = 3.0\non_lost_quorum = \"repeat\"",
    )]);
    let place = Place::federation(&text, 3);
    let server = place.serve(&[]);
    let here = [place.join(0, &[]), place.join(1, &[])];
    server.wait().ends(
        0,
        &["round 1 went on without silo 2: no update came in time"],
    );
    all_end_well(here.into());
    let report = crate::common::report(&place.run_folder());
    assert_eq!(report["ending"]["rounds_finished"], 1);
}
