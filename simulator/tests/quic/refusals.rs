//! Who is refused, and that both ends say why.

use crate::common::{Place, scenario};
use crate::process::Process;
use crate::wire::{Wire, join};
use primitives::SiloId;
use protocol::{Join, PROTOCOL_VERSION, ToCoordinator};
use transport::quic::{Peer, Term};

#[test]
fn another_plan_is_refused_by_name_at_both_ends() {
    let place = Place::federation(&scenario(&[]), 3);
    let mut server = place.serve(&[]);
    let silo = place.join(0, &["--set", "seed=8"]);
    silo.wait().ends(
        1,
        &[
            "the coordinator refuses this silo: plan",
            "run the same scenario on both ends",
        ],
    );
    server.until(&["refused silo 0: plan", "run the same scenario on both ends"]);
}

#[test]
fn strangers_are_refused_by_name_at_both_ends() {
    let place = Place::federation(&scenario(&[]), 3);
    let mut server = place.serve(&[]);

    // Keys of another federation.
    let other = Place::federation(&scenario(&[]), 3);
    let foreign = other.path("keys");
    let words = ["--keys", foreign.to_str().unwrap()];
    let silo = {
        let mut all = vec![
            "join",
            "./case.toml",
            "--silo",
            "1",
            "--rendezvous",
            "here.json",
        ];
        all.extend(words);
        Process::start(place.command(&all))
    };
    silo.wait().ends(
        1,
        &["refused: the other end's certificate is not of this federation"],
    );
    server.until(&[
        "turned away 127.0.0.1",
        "this end's certificate is not of this federation",
    ]);

    // Keys that have expired.
    let expired = place
        .authority()
        .issue(Peer::Silo(SiloId(1)), Term::last_year())
        .unwrap();
    place.put_keys(1, &expired);
    place.join(1, &[]).wait().ends(
        1,
        &["refused by the other end: this end's certificate has expired"],
    );
    server.until(&[
        "turned away 127.0.0.1",
        "the other end's certificate has expired",
    ]);

    // The keys of another silo, under this one's name.
    let others = place
        .authority()
        .issue(Peer::Silo(SiloId(2)), Term::days_from_now(1))
        .unwrap();
    place.put_keys(1, &others);
    place
        .join(1, &[])
        .wait()
        .ends(1, &["these are the keys of silo 2, not of silo 1"]);

    // A silo that the authority knows and the scenario does not.
    place
        .siloscope(&["keys", "add", "keys", "7", "-q"])
        .ends(0, &[]);
    place
        .join(7, &[])
        .wait()
        .ends(2, &["--silo 7: the scenario has the silos 0 to 2"]);
    let mut link = Wire::connect(&place, 7);
    link.say(ToCoordinator::Join(join(7, place.plan())));
    server.until(&["turned away silo 7", "silo 7 is not in the plan"]);
    assert!(link.ended().contains("silo 7 is not in the plan"));
}

#[test]
fn a_second_connection_is_refused_by_name_at_both_ends() {
    let place = Place::federation(&scenario(&[]), 3);
    let mut server = place.serve(&["--silence", "1"]);
    let mut first = place.join(0, &[]);
    server.until(&["silo 0 is here"]);
    first.until(&["silo 0 of case"]);
    place
        .join(0, &["--out", "elsewhere", "--silence", "1"])
        .wait()
        .ends(1, &["silo 0 is connected already: one process a silo"]);
    server.until(&["turned away silo 0", "connected already"]);
    place
        .join(0, &[])
        .wait()
        .ends(1, &["is in use by another siloscope process"]);
}

#[test]
fn a_message_that_names_another_silo_is_refused_by_name_at_both_ends() {
    let place = Place::federation(&scenario(&[]), 3);
    let mut server = place.serve(&[]);
    server.until(&["listening"]);
    let mut link = Wire::connect(&place, 0);
    link.say(ToCoordinator::Join(join(1, place.plan())));
    let words = "message names silo 1, but it came over the link of silo 0";
    server.until(&["refused silo 0", words]);
    assert!(link.ended().contains(words));
    let mut link = Wire::connect(&place, 0);
    link.say(ToCoordinator::Join(Join {
        version: PROTOCOL_VERSION + 1,
        ..join(0, place.plan())
    }));
    server.until(&["refused silo 0", "protocol version"]);
    assert!(link.ended().contains("run the same release on both ends"));
}

#[test]
fn wrong_words_are_refused_before_anything_starts() {
    let place = Place::federation(&scenario(&[]), 3);
    let join = |words: &[&str]| {
        let mut all = vec!["join", "./case.toml", "--silo", "0", "--keys", "keys"];
        all.extend(words);
        place.siloscope(&all)
    };
    join(&[]).ends(2, &["--server <HOST:PORT>"]);
    join(&["--server", "127.0.0.1:9", "--fingerprint", "12"]).ends(2, &["64 hexadecimal digits"]);
    place.write("there.json", "{}");
    join(&["--rendezvous", "there.json", "--patience", "0"])
        .ends(1, &["is not a rendezvous file of this siloscope"]);
    join(&["--rendezvous", "none.json", "--patience", "0"])
        .ends(1, &["no coordinator for 0 s", "none.json is not there yet"]);
    place
        .siloscope(&[
            "serve",
            "./case.toml",
            "--keys",
            "keys/silo-1",
            "--listen",
            "127.0.0.1:0",
        ])
        .ends(2, &["holds the keys of silo 1, not of the coordinator"]);
    place
        .siloscope(&[
            "join",
            "./case.toml",
            "--silo",
            "0",
            "--keys",
            "keys/silo-1",
            "--server",
            "h:1",
        ])
        .ends(2, &["holds the keys of silo 1, not of silo 0"]);
}

#[test]
fn a_certificate_on_the_deny_list_is_refused_by_name_at_both_ends() {
    let place = Place::federation(&scenario(&[]), 3);
    let stolen = place.credentials(Peer::Silo(SiloId(1))).fingerprint();
    std::fs::write(place.path("denied"), format!("# stolen\n{stolen}\n")).unwrap();
    let mut server = place.serve(&["--deny", "denied"]);
    let words = format!("certificate {stolen} is on the coordinator's deny list");
    place.join(1, &[]).wait().ends(1, &[&words]);
    server.until(&["turned away silo 1", &words]);
    // New keys for the same silo are let in.
    place
        .siloscope(&["keys", "add", "keys", "silo-1", "--replace", "-q"])
        .ends(0, &[]);
    let silos: Vec<_> = (0..3).map(|silo| place.join(silo, &[])).collect();
    server.wait().ends(0, &["silo 1 is here"]);
    crate::process::all_end_well(silos);
    std::fs::write(place.path("denied"), "silo-1\n").unwrap();
    place
        .serve(&["--deny", "denied", "--fresh"])
        .wait()
        .ends(2, &["denied, line 1: \"silo-1\" is no fingerprint"]);
}

#[test]
fn one_process_holds_several_silos() {
    let (_there, expected) = crate::process::in_memory(&scenario(&[]));
    let place = Place::federation(&scenario(&[]), 3);
    place
        .join(0, &["--silo", "silo-0"])
        .wait()
        .ends(2, &["--silo silo-0: silo 0 is named twice"]);
    let server = place.serve(&[]);
    let others = place.join(0, &["--silo", "2"]);
    let one = place.join(1, &[]);
    server.wait().ends(0, &[]);
    others
        .wait()
        .ends(0, &["silo 0: trained round 6", "silo 2: trained round 6"]);
    one.wait().ends(0, &["trained round 6"]);
    crate::common::assert_same(&place.run_folder(), &expected, "two silos in one process");
    for silo in 0..3 {
        assert_eq!(place.spent(silo), [1, 2, 3, 4, 5, 6]);
    }
}
