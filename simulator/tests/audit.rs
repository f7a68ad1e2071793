//! Audits through the binary: a correct run passes, a ledger that claims too much is refuted, and what cannot be audited
//! says why.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

mod common;

use common::{Place, assert_same, report, scenario};
use serde_json::Value;
use std::fs;

/// The case with two hundred canaries a unit; a correct run fails one in ten thousand times.
fn audited(changes: &[(&str, &str)]) -> String {
    let mut all = vec![
        ("kind = \"logistic\"", "kind = \"mlp\"\nhidden = [64]"),
        (
            "",
            "\n[audit]\ncanaries = 200\nrounds = 2\nconfidence = 0.9999\n",
        ),
    ];
    all.extend(changes);
    scenario(&all)
}

/// The protection of the case with a clip norm that adapts.
const ADAPTIVE: &str =
    "protection = \"averaged-gradient\"\nclip_norm = { initial = 1.0, quantile = 0.5 }";

/// A bound of the report, infinite or not.
fn epsilon(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

/// Units, with the last round's lower and upper bound.
fn bounds(audit: &Value) -> Vec<(String, f64, f64)> {
    let units = audit["units"].as_array().unwrap().iter();
    units
        .map(|unit| {
            let last = unit["rounds"].as_array().unwrap().last().unwrap();
            let name = unit["unit"].as_str().unwrap().to_owned();
            (name, epsilon(&last["lower"]), epsilon(&last["upper"]))
        })
        .collect()
}

/// Seven correct runs at 99.99 %: the chance that seeds were chosen with which one of them fails was below 1e-3.
#[test]
fn correct_runs_pass_whatever_protects_them() {
    let protection = "protection = \"averaged-gradient\"";
    let grouped = "protection = \"group\"\ngroup_size = 4";
    let mut tightest = 0.0;
    let sampled = "protection = \"subject-sampling\"\nrecords_per_subject = 2";
    for (change, seed, units) in [
        ("protection = \"record\"", "7", 2),
        (protection, "7", 2),
        (protection, "8", 2),
        (grouped, "7", 2),
        (sampled, "7", 2),
        ("protection = \"silo-noise\"", "7", 3),
        (ADAPTIVE, "7", 2),
    ] {
        let seed = format!("seed = {seed}");
        let mut text = audited(&[(protection, change), ("seed = 7", &seed)]);
        if change == ADAPTIVE {
            text = text.replacen("clip_norm = 1.0\n", "", 1);
        }
        let place = Place::with(&text);
        place.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);
        let audit = &report(&place.run_folder())["audit"];
        let found = bounds(audit);
        assert_eq!(found.len(), units, "{change}");
        for (unit, lower, upper) in &found {
            assert!(lower <= upper, "{change}, {unit}: {lower} above {upper}");
        }
        let ratios = found.iter().map(|(_, lower, upper)| lower / upper);
        tightest = ratios.fold(tightest, f64::max);
        assert!(!audit["checks"].as_array().unwrap().is_empty(), "{change}");
    }
    assert!(tightest > 0.2, "nothing was shown: {tightest}");
}

#[test]
fn a_ledger_that_claims_thrice_the_noise_is_refuted_and_the_right_one_passes_again() {
    // Bounds at this confidence take more canaries than the other tests need.
    let many = [
        ("hidden = [64]", "hidden = [256]"),
        ("canaries = 200", "canaries = 1000"),
    ];
    let place = Place::with(&audited(&many));
    place.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);
    let folder = place.run_folder();
    place.copy_of_run("twin");
    let ledger = folder.join("ledger.jsonl");
    let honest = fs::read_to_string(&ledger).unwrap();
    let claimed = honest.replace("\"noise_multiplier\":1.0", "\"noise_multiplier\":3.0");
    assert_ne!(claimed, honest);
    fs::write(&ledger, claimed).unwrap();
    let run = folder.to_str().unwrap();
    place.siloscope(&["audit", run]).ends(
        5,
        &["The audit refutes the promise", "refuted", "in round 3, 6"],
    );
    let page = fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(page.contains("the promise is refuted") && page.contains("What to suspect"));
    let found = report(&folder);
    let strength = &found["audit"]["checks"][0];
    assert_eq!(strength["name"], "noise-strength");
    assert_eq!(strength["outcome"], "tripped");
    assert!(strength["found"].as_str().unwrap().contains("0.33"));

    fs::write(&ledger, honest).unwrap();
    place.siloscope(&["audit", run, "-q"]).ends(0, &[]);
    assert_same(&folder, &place.path("twin"), "audited again");
    place
        .siloscope(&["audit", run, "--rounds", "1", "--confidence", "0.9", "-q"])
        .ends(0, &[]);
    let audit = &report(&folder)["audit"];
    assert_eq!(audit["confidence"], 0.9);
    assert_eq!(audit["units"][0]["rounds"].as_array().unwrap().len(), 1);
}

/// Sixteen Gaussian sums of sensitivity C and noise C, which one shot takes for what they are: an estimate near the truth.
#[test]
fn one_shot_estimates_are_there_for_every_round() {
    let text = audited(&[
        (
            "protection = \"averaged-gradient\"",
            "protection = \"silo-noise\"",
        ),
        ("hidden = [64]", "hidden = [256]"),
        ("canaries = 200", "canaries = 400"),
    ]);
    let place = Place::with(&text);
    place.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);
    let audit = &report(&place.run_folder())["audit"];
    for unit in audit["units"].as_array().unwrap() {
        let estimates = unit["estimates"].as_array().unwrap();
        let rounds: Vec<u64> = estimates
            .iter()
            .map(|at| at["round"].as_u64().unwrap())
            .collect();
        assert_eq!(rounds, [1, 2, 3, 4, 5, 6]);
        assert_eq!(estimates[0]["alone"], estimates[0]["so_far"]);
        let methods = unit["methods"].as_array().unwrap();
        let one_shot = methods.iter().find(|method| method["name"] == "one shot");
        assert_eq!(one_shot.unwrap()["epsilon"], estimates[5]["so_far"]);
        assert_eq!(one_shot.unwrap()["nature"], "estimate");
        if unit["unit"] == "silo" {
            // μ = 1 a round and √6 over six, at δ = 1e-3: ε = 3.14 and 9.93 by the Gaussian's curve. The fit to some 200
            // canaries errs by some tenths of μ.
            let at = |k: usize, key: &str| epsilon(&estimates[k][key]);
            assert!((at(0, "alone") - 3.1).abs() < 1.5, "{}", at(0, "alone"));
            assert!((at(5, "alone") - 3.1).abs() < 1.5, "{}", at(5, "alone"));
            assert!((at(5, "so_far") - 9.93).abs() < 2.5, "{}", at(5, "so_far"));
        }
    }
    let page = fs::read_to_string(place.run_folder().join("report.html")).unwrap();
    assert!(page.contains("one shot: an estimate") && page.contains("Estimates by round"));
}

/// Noise of the sum that is a third of the ledger's is seen where the clip norm adapts, too.
#[test]
fn noise_is_checked_where_the_clip_norm_adapts() {
    let text = audited(&[(
        "protection = \"averaged-gradient\"\nclip_norm = 1.0",
        ADAPTIVE,
    )]);
    let place = Place::with(&text);
    place.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);
    let folder = place.run_folder();
    let ledger = folder.join("ledger.jsonl");
    let honest = fs::read_to_string(&ledger).unwrap();
    let gradient_noise = honest
        .split("\"gradient_noise\":")
        .nth(1)
        .and_then(|rest| rest.split([',', '}']).next())
        .unwrap()
        .to_owned();
    let claimed = 3.0 * gradient_noise.parse::<f64>().unwrap();
    let claimed = honest.replace(
        &format!("\"gradient_noise\":{gradient_noise}"),
        &format!("\"gradient_noise\":{claimed}"),
    );
    fs::write(&ledger, claimed).unwrap();
    let run = folder.to_str().unwrap();
    place.siloscope(&["audit", run, "-q"]).ends(5, &[]);
    let strength = &report(&folder)["audit"]["checks"][0];
    assert_eq!(strength["name"], "noise-strength");
    assert!(
        strength["found"].as_str().unwrap().contains("0.33"),
        "{strength}"
    );
    fs::write(&ledger, honest).unwrap();
    place.siloscope(&["audit", run, "-q"]).ends(0, &[]);
}

#[test]
fn canaries_change_neither_who_takes_part_nor_what_is_promised() {
    let told = |text: &str| {
        let place = Place::with(text);
        place.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);
        let report = report(&place.run_folder());
        let people = report["subjects"].as_array().unwrap().iter();
        let people: Vec<Value> = people
            .map(|person| serde_json::json!([person["pool"], person["holdings"]]))
            .collect();
        (people, report["promise"].clone(), report["shape"].clone())
    };
    let with = audited(&[]);
    let (without, _) = with.split_once("[audit]").unwrap();
    assert_eq!(told(&with), told(without));
}

#[test]
fn real_people_are_audited_if_their_coins_were_independent_and_refused_otherwise() {
    let coins = (
        "fresh_fraction = 0.25",
        "fresh_fraction = 0.25\nmembership_law = \"coins\"",
    );
    let place = Place::with(&scenario(&[coins]));
    place.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);
    assert!(report(&place.run_folder())["audit"].is_null());
    let run = place.run_folder();
    place
        .siloscope(&["audit", run.to_str().unwrap(), "-q"])
        .ends(0, &[]);
    let audit = &report(&run)["audit"];
    let found = bounds(audit);
    assert_eq!(found.len(), 2);
    assert!(
        found
            .iter()
            .all(|(unit, lower, upper)| unit == "subject" && lower <= upper)
    );
    let sides = |unit: &Value| unit["inside"].as_u64().unwrap() + unit["outside"].as_u64().unwrap();
    assert_eq!(sides(&audit["units"][0]), 60);

    let place = Place::with(&scenario(&[]));
    place.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);
    let run = place.run_folder();
    place.siloscope(&["audit", run.to_str().unwrap()]).ends(
        1,
        &[
            "there is nothing to audit",
            "[audit] table",
            "membership_law = \"coins\"",
        ],
    );
}

#[test]
fn an_audit_that_cannot_be_is_refused_before_anything_is_trained() {
    let nothing = "protection = \"none\"";
    let noise = common::NOISE;
    let bare = scenario(&[
        (
            "protection = \"averaged-gradient\"\nclip_norm = 1.0",
            nothing,
        ),
        (noise, ""),
        ("", "\n[audit]\n"),
    ]);
    Place::with(&bare)
        .siloscope(&["validate", "./case.toml"])
        .ends(3, &["audit: protection = \"none\" promises nothing"]);
    let crowded = scenario(&[("", "\n[audit]\ncanaries = 40\n")]);
    Place::with(&crowded)
        .siloscope(&["validate", "./case.toml"])
        .ends(
            3,
            &["audit.canaries", "the model has 21", "give at most 10"],
        );
    let misspelt = scenario(&[("", "\n[audit]\ncanarys = 40\n")]);
    Place::with(&misspelt)
        .siloscope(&["validate", "./case.toml"])
        .ends(3, &["audit.canarys", "canaries"]);
    let place = Place::with(&scenario(&[]));
    place
        .siloscope(&["audit", "runs/none"])
        .ends(2, &["is not a run folder"]);
    place
        .siloscope(&["audit", "runs/none", "--confidence", "95"])
        .ends(2, &["confidence 95 is outside (0, 1)"]);
}
