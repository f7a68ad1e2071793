//! `siloscope attack`: a run's own report made anew to the byte, and other attacks on what was trained long ago.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

mod common;

use common::{Place, assert_same, report, scenario};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// A finished run in a place of its own, with a copy of it in `twin`.
fn finished(text: &str) -> (Place, PathBuf, PathBuf) {
    let place = Place::with(text);
    place.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);
    let folder = place.run_folder();
    let twin = place.copy_of_run("twin");
    (place, folder, twin)
}

/// The attacks of a report, each once and in order.
fn names(report: &Value) -> Vec<String> {
    let attacks = report["leak"]["attacks"].as_array().unwrap();
    let fresh = attacks.iter().filter(|attack| attack["regime"] == "fresh");
    fresh
        .map(|attack| attack["attack"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_runs_own_attacks_give_its_own_report() {
    let (place, folder, twin) = finished(&scenario(&[]));
    for ending in ["report.html", "subjects.parquet", "rounds.parquet"] {
        fs::remove_file(twin.join(ending)).unwrap();
    }
    place
        .siloscope(&["attack", "twin"])
        .ends(0, &["attacked 7 models", "from the signals of the run"]);
    assert_same(&twin, &folder, "attacked anew");
    // Without its signals a run is asked again: the models are there.
    fs::remove_dir_all(twin.join("signals")).unwrap();
    place.siloscope(&["attack", "twin"]).ends(
        0,
        &["loss, probability, margin looked up in the run's checkpoints"],
    );
    fs::remove_dir_all(folder.join("signals")).unwrap();
    assert_same(&twin, &folder, "attacked by its checkpoints");
}

#[test]
fn other_attacks_can_be_asked_for_and_the_first_ones_brought_back() {
    let (place, folder, twin) = finished(&scenario(&[]));
    place.write(
        "others.toml",
        "[[attacks]]\nkind = \"range\"\n[[attacks]]\nkind = \"loss-ratio\"\n",
    );
    let said = place
        .siloscope(&["attack", "twin", "--attacks", "others.toml", "--json", "-q"])
        .ends(0, &[]);
    let envelope: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(envelope["attacked"]["models"], 7);
    assert_eq!(envelope["report"], report(&twin));
    assert_eq!(names(&report(&twin)), ["range/low", "loss-ratio"]);
    let (own, other) = (report(&folder), report(&twin));
    assert_eq!(own["identity"], other["identity"]);
    assert_eq!(own["promise"], other["promise"]);
    let notes = other["notes"].to_string();
    assert!(notes.contains("Attacked again after the run"), "{notes}");

    let set = ["--set", "gates.max_subject_auc=0.5"];
    place
        .siloscope(&[&["attack", "twin"], &set[..]].concat())
        .ends(5, &[]);
    place.siloscope(&["attack", "twin", "-q"]).ends(0, &[]);
    assert_same(&twin, &folder, "brought back");
}

#[test]
fn what_cannot_be_attacked_is_said() {
    let (place, _, twin) = finished(&scenario(&[]));
    let attack = |args: &[&str]| place.siloscope(&[&["attack", "twin"], args].concat());
    attack(&["--set", "federation.rounds=9"])
        .ends(3, &["federation.rounds", "run the scenario anew"]);
    attack(&["--set", "attacks=[]"]).ends(3, &["attacks: there is none"]);
    attack(&["--set", "adversary.known_subjects=29"]).ends(3, &["at most 28"]);
    attack(&["--attacks", "none.toml"]).ends(3, &["none.toml", "cannot be read"]);
    place.write("others.toml", "[training]\nlearning_rate = 1.0\n");
    attack(&["--attacks", "others.toml"]).ends(3, &["others.toml", "decides what is trained"]);
    place
        .siloscope(&["attack", "nowhere"])
        .ends(2, &["not a run folder"]);
    fs::remove_file(twin.join("report.json")).unwrap();
    attack(&[]).ends(1, &["no report yet"]);
}

/// Attacks that need more than the losses of the run: shadows, gradients, copies, plain features, the silos' updates.
fn strong(shadows: u32) -> String {
    let attacks = [
        "lira",
        "rmia",
        "quantile",
        "gradient-norm",
        "loss-across-neighbourhood",
        "update-alignment",
    ];
    let tables: Vec<String> = attacks
        .iter()
        .map(|kind| format!("\n[[attacks]]\nkind = \"{kind}\"\n"))
        .collect();
    let adversary = format!("known_subjects = 5\nview = \"silo-updates\"\nshadows = {shadows}");
    scenario(&[("known_subjects = 5", &adversary), ("", &tables.concat())])
}

#[test]
fn attacks_with_shadows_and_updates_are_made_anew_to_the_byte() {
    let (place, folder, twin) = finished(&strong(6));
    let expected = [
        "lira/online",
        "rmia/online",
        "quantile",
        "gradient-norm",
        "loss-across-neighbourhood",
        "update-alignment/cosine/non-target",
    ];
    assert_eq!(names(&report(&folder))[7..], expected);
    // The twin is beside the run folder's folder, so its shadows are trained there: with the same bytes.
    let again = [
        "6 shadow federations, 6 of them trained now",
        "from the signals of the run",
    ];
    place.siloscope(&["attack", "twin"]).ends(0, &again);
    assert_same(&twin, &folder, "attacked anew");
    // Other attacks on the same training take the shadows that are there, and more are trained beside them.
    let more = ["8 shadow federations, 2 of them trained now"];
    place
        .siloscope(&["attack", "twin", "--set", "adversary.shadows=8"])
        .ends(0, &more);
    let kept = ["6 shadow federations, 0 of them trained now"];
    place.siloscope(&["attack", "twin"]).ends(0, &kept);
    assert_same(&twin, &folder, "with eight at hand, six are used");
    // A scenario that trains the same under another name does not train its shadows again.
    let other = strong(6).replacen("name = \"case\"", "name = \"other\"", 1);
    place.write("other.toml", other);
    let said = place.siloscope(&["run", "./other.toml"]).ends(0, &[]);
    assert!(
        !said.stderr.contains("shadow federation 1 of 6"),
        "{}",
        said.stderr
    );
    let planned = place.siloscope(&["plan", "./other.toml"]).ends(0, &[]);
    assert!(
        planned.stdout.contains("and 6 shadow federations, once"),
        "{}",
        planned.stdout
    );
}

#[test]
fn what_a_run_did_not_record_is_looked_up_or_asked_for_by_name() {
    let (place, _, twin) = finished(&scenario(&[]));
    let attack = |kind: &str, more: &[&str]| {
        let attacks = format!("attacks=[{{ kind = \"{kind}\" }}]");
        let args = [&["attack", "twin", "--set", attacks.as_str()], more].concat();
        place.siloscope(&args)
    };
    attack("gradient-norm", &[]).ends(0, &["gradient-norm looked up in the run's checkpoints"]);
    assert_eq!(names(&report(&twin)), ["gradient-norm"]);
    attack("loss-across-neighbourhood", &[]).ends(0, &["neighbourhood-loss looked up"]);
    attack("lira", &[]).ends(3, &["attacks[0]", "adversary.shadows = at least 4"]);
    attack("lira", &["--set", "adversary.shadows=5"]).ends(3, &["adversary.shadows", "even"]);
    attack("lira", &["--set", "adversary.shadows=4"]).ends(0, &["4 of them trained now"]);
    let view = ["--set", "adversary.view=silo-updates"];
    attack("update-alignment", &view).ends(3, &["did not record", "run the scenario anew"]);
    // Both lookups agree with a run that recorded them from the start.
    let text = strong(0).replace(
        "\n[[attacks]]\nkind = \"lira\"\n\n[[attacks]]\nkind = \"rmia\"\n",
        "",
    );
    let (there, folder, again) = finished(&text);
    fs::remove_dir_all(again.join("signals")).unwrap();
    let tables = [
        "[adversary]\nknown_subjects = 5\n",
        "[[attacks]]\nkind = \"gradient-norm\"\n",
        "[[attacks]]\nkind = \"loss-across-neighbourhood\"\n",
    ];
    there.write("tables.toml", tables.concat());
    there
        .siloscope(&["attack", "twin", "--attacks", "tables.toml"])
        .ends(0, &["looked up"]);
    let of = |report: &Value, name: &str| -> Vec<Value> {
        let attacks = report["leak"]["attacks"].as_array().unwrap().clone();
        attacks
            .into_iter()
            .filter(|attack| attack["attack"] == name)
            .map(|attack| attack["rounds"].clone())
            .collect()
    };
    for name in ["gradient-norm", "loss-across-neighbourhood"] {
        assert_eq!(
            of(&report(&again), name),
            of(&report(&folder), name),
            "{name}"
        );
    }
}

#[test]
fn a_run_killed_while_it_trains_shadows_is_resumed_to_the_byte() {
    let (_there, expected, _) = finished(&strong(6));
    // Seven rounds with the untrained model, after the event of the start: the eighth event is the last before shadows.
    for after in [3, 8] {
        let place = Place::with(&strong(6));
        place.kill_after(&["run", "./case.toml"], after);
        let folder = place.run_folder();
        place
            .siloscope(&["resume", folder.to_str().unwrap(), "-q"])
            .ends(0, &[]);
        assert_same(&folder, &expected, &format!("killed after event {after}"));
    }
}

#[test]
fn a_damaged_shadow_is_named_with_what_to_do() {
    let (place, folder, _) = finished(&strong(4));
    let shadows = place.path("runs/.shadows");
    let plan = fs::read_dir(shadows)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    fs::write(plan.join("shadow-0002.safetensors"), "no").unwrap();
    let run = folder.to_str().unwrap();
    let words = ["shadow-0002.safetensors is damaged", "is trained again"];
    place.siloscope(&["attack", run]).ends(1, &words);
    fs::remove_file(plan.join("shadow-0002.safetensors")).unwrap();
    place
        .siloscope(&["attack", run])
        .ends(0, &["4 shadow federations, 1 of them trained now"]);
}

/// The attacks that were made on every shadow in turn, with fresh records.
fn over_runs(report: &Value) -> Vec<String> {
    let attacks = report["leak"]["over_runs"].as_array().unwrap();
    let fresh = attacks.iter().filter(|attack| attack["regime"] == "fresh");
    fresh
        .map(|attack| attack["attack"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn shadows_record_what_attacks_need_and_are_never_read_for_what_they_lack() {
    let text = scenario(&[
        ("known_subjects = 5", "known_subjects = 5\nshadows = 6"),
        ("", "\n[[attacks]]\nkind = \"lira\"\n"),
    ]);
    let (place, folder, _) = finished(&text);
    let shadows = fs::read_dir(place.path("runs/.shadows")).unwrap();
    let kept = shadows.map(|entry| entry.unwrap().path()).next().unwrap();
    let first = fs::read(kept.join("shadow-0001.safetensors")).unwrap();
    let run = folder.to_str().unwrap();
    let attack = |neighbourhood: &str, trained: &str| {
        let attacks = "attacks=[{ kind = \"lira\" }, { kind = \"gradient-norm\" }, { kind = \"quantile\" }, \
                       { kind = \"loss-across-neighbourhood\" }]";
        let adversary = format!("adversary.neighbourhood={neighbourhood}");
        let words = format!("6 shadow federations, {trained} of them trained now");
        place
            .siloscope(&["attack", run, "--set", attacks, "--set", &adversary])
            .ends(0, &[&words]);
        report(&folder)["leak"]["over_runs"].clone()
    };
    let few = attack("{ copies = 4, deviation = 0.2 }", "6");
    let all = [
        "lira/online",
        "gradient-norm",
        "quantile",
        "loss-across-neighbourhood",
    ];
    assert_eq!(over_runs(&report(&folder)), all);
    // Other copies are other signals; those of before are still there for whoever asks.
    let many = attack("{ copies = 5, deviation = 0.2 }", "6");
    assert_ne!(few, many);
    assert_eq!(attack("{ copies = 4, deviation = 0.2 }", "0"), few);
    // What every shadow records was not touched, and a scenario that asks for less trains nothing.
    assert_eq!(
        fs::read(kept.join("shadow-0001.safetensors")).unwrap(),
        first
    );
    place
        .siloscope(&["attack", run])
        .ends(0, &["6 shadow federations, 0 of them trained now"]);
    // A signal that is gone is recorded again, with the same numbers.
    fs::remove_file(kept.join("shadow-0003-gradient-norm.safetensors")).unwrap();
    assert_eq!(attack("{ copies = 4, deviation = 0.2 }", "1"), few);
    // From scratch the numbers are the same.
    fs::remove_dir_all(&kept).unwrap();
    assert_eq!(attack("{ copies = 4, deviation = 0.2 }", "6"), few);
}
