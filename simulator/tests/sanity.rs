//! Statistical sanity of whole runs. All seeds are fixed, so a test passes always or never; what is stated is the
//! chance that a correct program would have failed it when the seeds were chosen.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

mod common;

use common::{Place, report, scenario};
use serde_json::Value;

/// People in their own places, so that a model can learn them by heart.
const SOURCE: &str = "{ synthetic = { kind = \"subjects\", subjects = 60, records_per_subject = 8, features = 6, classes = 3, test_subjects = 20 } }";
/// Two-sided quantile of the normal law at 1e-6.
const ONE_IN_A_MILLION: f64 = 4.8916;
const SEEDS: u64 = 5;

/// A world of `subjects` people, all alike if `alike`, trained for so long that records are learnt by heart.
fn world(alike: bool, privacy: &str, seed: u64) -> String {
    let law = if alike {
        "spread = 0.0, shift = 0.0, "
    } else {
        ""
    };
    let source = format!(
        "{{ synthetic = {{ kind = \"subjects\", subjects = 120, records_per_subject = 8, features = 10, classes = 3, {law}label_noise = 0.25, test_subjects = 20 }} }}"
    );
    scenario(&[
        ("seed = 7", &format!("seed = {seed}")),
        (SOURCE, &source),
        ("fresh_fraction = 0.25", "fresh_fraction = 0.5"),
        ("records_per_adversary = 2", "records_per_adversary = 4"),
        ("kind = \"logistic\"", "kind = \"mlp\"\nhidden = [32]"),
        ("rounds = 6", "rounds = 8"),
        ("local_steps = 3", "local_steps = 20"),
        (PROTECTION, privacy),
    ])
}

/// What [`scenario`] has for a protection.
const PROTECTION: &str =
    "protection = \"averaged-gradient\"\nclip_norm = 1.0\nnoise_multiplier = 1.0\ndelta = 1e-3\n";
const OPEN: &str = "protection = \"none\"\n";
const STRICT: &str = "protection = \"averaged-gradient\"\nclip_norm = 1.0\nbudget = { unit = \"subject\", epsilon = 1.0, delta = 1e-3 }\n";

/// The AUC of the loss threshold after the last round, with its interval.
struct Auc {
    value: f64,
    low: f64,
    high: f64,
    members: f64,
    others: f64,
}

fn auc(alike: bool, privacy: &str, regime: &str, seed: u64) -> Auc {
    last_auc(&Place::with(&world(alike, privacy, seed)), regime)
}

/// Runs the scenario of `place`.
fn last_auc(place: &Place, regime: &str) -> Auc {
    place.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);
    let report = report(&place.run_folder());
    let attacks = report["leak"]["attacks"].as_array().unwrap();
    let attack = attacks
        .iter()
        .find(|attack| attack["attack"] == "loss-threshold" && attack["regime"] == regime)
        .unwrap();
    let last = &attack["rounds"].as_array().unwrap().last().unwrap()["auc"];
    let number = |value: &Value| value.as_f64().unwrap();
    Auc {
        value: number(&last["value"]),
        low: number(&last["low"]),
        high: number(&last["high"]),
        members: number(&attack["members"]),
        others: number(&attack["non_members"]),
    }
}

/// How many deviations the mean AUC of the seeds lies from one half, by the law of Mann and Whitney's statistic
/// where members and non-members are alike: variance (m + n + 1) / (12 m n) each.
fn deviations(aucs: &[Auc]) -> f64 {
    let count = aucs.len() as f64;
    let mean = aucs.iter().map(|auc| auc.value).sum::<f64>() / count;
    let (m, n) = (aucs[0].members, aucs[0].others);
    (mean - 0.5) / ((m + n + 1.0) / (12.0 * m * n) / count).sqrt()
}

fn of_seeds(alike: bool, privacy: &str, regime: &str) -> Vec<Auc> {
    (1..=SEEDS)
        .map(|seed| auc(alike, privacy, regime, seed))
        .collect()
}

/// Null hypothesis: members and non-members are alike. False alarms: 1e-6 for the mean; at most 1.2e-3 for fewer
/// than three of five intervals at 95 %.
#[test]
fn people_who_are_all_alike_cannot_be_told_by_fresh_records() {
    let aucs = of_seeds(true, OPEN, "fresh");
    let off = deviations(&aucs);
    assert!(off.abs() < ONE_IN_A_MILLION, "{off}");
    let around_half = aucs
        .iter()
        .filter(|auc| auc.low <= 0.5 && 0.5 <= auc.high)
        .count();
    assert!(around_half >= 3, "{around_half} of {SEEDS}");
}

/// The other half of the null: the very same people are told by their training records, which are learnt by heart. Chance is
/// rejected at 1e-6.
#[test]
fn people_who_are_all_alike_are_told_by_their_training_records() {
    let off = deviations(&of_seeds(true, OPEN, "training-records"));
    assert!(off > ONE_IN_A_MILLION, "{off}");
}

/// Null hypothesis of a program that hides what it learnt: chance. It is rejected at 1e-6, by the mean and by every
/// single interval at 95 %.
#[test]
fn without_privacy_training_records_give_their_people_away() {
    let aucs = of_seeds(false, OPEN, "training-records");
    let off = deviations(&aucs);
    assert!(off > ONE_IN_A_MILLION, "{off}");
    for auc in &aucs {
        assert!(auc.low > 0.5, "{} from {}", auc.value, auc.low);
    }
}

/// [`scenario`] without protection over another source and model, trained for longer, with half of every subject's
/// `records` fresh.
fn unprotected(source: &str, records: u32, model: &str, step: &str, seed: u64) -> Place {
    Place::with(&scenario(&[
        ("seed = 7", &format!("seed = {seed}")),
        (SOURCE, source),
        ("fresh_fraction = 0.25", "fresh_fraction = 0.5"),
        (
            "records_per_adversary = 2",
            &format!("records_per_adversary = {}", records / 2),
        ),
        ("kind = \"logistic\"", model),
        ("rounds = 6", "rounds = 12"),
        ("local_steps = 3", "local_steps = 20"),
        ("learning_rate = 0.3", step),
        (PROTECTION, OPEN),
    ]))
}

/// People who write, read by an LSTM; at `distinctiveness` 0 by one common chain.
fn writers(distinctiveness: f64, seed: u64) -> Place {
    let source = format!(
        "{{ synthetic = {{ kind = \"subject-sequences\", subjects = 120, records_per_subject = 24, vocabulary = 8, length = 4, distinctiveness = {distinctiveness:?}, test_subjects = 20 }} }}"
    );
    let model = "kind = \"lstm\"\nembedding = 4\nhidden = 16\nlayers = 1";
    let adam = "learning_rate = 0.02\noptimizer = { kind = \"adam\" }";
    unprotected(&source, 24, model, adam, seed)
}

/// The same for people who write: false alarms 1e-6 for the mean of those alike; those who differ are rejected as chance
/// at 1e-6.
#[test]
fn writers_are_told_by_fresh_texts_as_far_as_they_differ() {
    let of_seeds = |distinctiveness| -> Vec<Auc> {
        let seeds = 1..=SEEDS;
        seeds
            .map(|seed| last_auc(&writers(distinctiveness, seed), "fresh"))
            .collect()
    };
    let off = deviations(&of_seeds(0.0));
    assert!(off.abs() < ONE_IN_A_MILLION, "{off}");
    let off = deviations(&of_seeds(8.0));
    assert!(off > ONE_IN_A_MILLION, "{off}");
}

/// People of whom a number is predicted; all alike without `shift`.
fn levels(shift: f64, seed: u64) -> Place {
    let spread = if shift > 0.0 { 1.0 } else { 0.0 };
    let source = format!(
        "{{ synthetic = {{ kind = \"subject-regression\", subjects = 120, records_per_subject = 8, features = 10, spread = {spread:?}, shift = {shift:?}, test_subjects = 20 }} }}"
    );
    let model = "kind = \"mlp\"\nhidden = [64]";
    unprotected(&source, 8, model, "learning_rate = 0.03", seed)
}

/// The same where a number is predicted: false alarms 1e-6 for the mean of those alike; those who differ are rejected as
/// chance at 1e-6.
#[test]
fn people_are_told_by_fresh_numbers_as_far_as_their_levels_differ() {
    let of_seeds = |shift| -> Vec<Auc> {
        let seeds = 1..=SEEDS;
        seeds
            .map(|seed| last_auc(&levels(shift, seed), "fresh"))
            .collect()
    };
    let off = deviations(&of_seeds(0.0));
    assert!(off.abs() < ONE_IN_A_MILLION, "{off}");
    let off = deviations(&of_seeds(3.0));
    assert!(off > ONE_IN_A_MILLION, "{off}");
}

/// ε = 1 for a whole subject: an attack has an AUC of at most 0.73 by the promise, and finds nothing in fact. False
/// alarms: 1e-6.
#[test]
fn a_strict_budget_for_people_leaves_chance() {
    let aucs = of_seeds(false, STRICT, "training-records");
    let off = deviations(&aucs);
    assert!(off.abs() < ONE_IN_A_MILLION, "{off}");
}

/// Spearman's rank correlation of pairs, ties at their mean rank.
fn spearman(pairs: &[(f64, f64)]) -> f64 {
    let ranks = |values: Vec<f64>| -> Vec<f64> {
        let rank = |value: &f64| {
            let below = values.iter().filter(|other| *other < value).count();
            let alike = values
                .iter()
                .filter(|other| other.total_cmp(value).is_eq())
                .count();
            below as f64 + (alike - 1) as f64 / 2.0
        };
        values.iter().map(rank).collect()
    };
    let x = ranks(pairs.iter().map(|pair| pair.0).collect());
    let y = ranks(pairs.iter().map(|pair| pair.1).collect());
    let centre = (pairs.len() - 1) as f64 / 2.0;
    let product = |a: &[f64], b: &[f64]| -> f64 {
        let pairs = a.iter().zip(b);
        pairs.map(|(a, b)| (a - centre) * (b - centre)).sum()
    };
    product(&x, &y) / (product(&x, &x) * product(&y, &y)).sqrt()
}

/// If the noise did nothing, ρ √(n - 1) would be standard normal over thirty runs, and exceed 3.09 with a chance of
/// 1e-3: so often would a program whose noise does nothing pass.
#[test]
fn the_more_noise_the_harder_it_is_to_find_people() {
    let mut pairs = Vec::new();
    for noise in [0.3, 1.5, 8.0] {
        let privacy = format!(
            "protection = \"record\"\nclip_norm = 1.0\nnoise_multiplier = {noise:?}\ndelta = 1e-3\n"
        );
        for seed in 1..=10 {
            let found = auc(false, &privacy, "training-records", seed);
            pairs.push((noise, found.value));
        }
    }
    let rho = spearman(&pairs);
    assert!(-rho * 29_f64.sqrt() > 3.09, "{rho}: {pairs:?}");
}

/// The same of people who differ more in what their labels mean, with fresh records.
#[test]
fn the_more_people_differ_the_easier_it_is_to_find_them() {
    let mut pairs = Vec::new();
    for shift in [0.0, 2.0, 8.0] {
        for seed in 11..=20 {
            let text = world(false, OPEN, seed);
            let law = format!("classes = 3, shift = {shift:?}, within = 0.3, ");
            let place = Place::with(&text.replace("classes = 3, ", &law));
            pairs.push((shift, last_auc(&place, "fresh").value));
        }
    }
    let rho = spearman(&pairs);
    assert!(rho * 29_f64.sqrt() > 3.09, "{rho}: {pairs:?}");
}

/// A run of [`world`] with sixteen shadow federations: the attack `lira` over them, in one regime.
fn lira_over_runs(alike: bool, regime: &str) -> Value {
    let text = world(alike, OPEN, 11).replacen(
        "known_subjects = 5",
        "known_subjects = 5\nshadows = 16",
        1,
    ) + "\n[[attacks]]\nkind = \"lira\"\n";
    let place = Place::with(&text);
    place.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);
    let report = report(&place.run_folder());
    let all = report["leak"]["over_runs"].as_array().unwrap();
    let lira = |over: &&Value| over["attack"] == "lira/online" && over["regime"] == regime;
    all.iter().find(lira).unwrap().clone()
}

/// Null hypothesis: members and non-members are alike, in each of sixteen federations of which at least every other is
/// independent. False alarms: 1e-6 for the mean.
#[test]
fn shadows_do_not_help_where_everybody_is_alike() {
    let over = lira_over_runs(true, "fresh");
    assert_eq!(over["runs"], 16);
    let (m, n) = (55.0, 55.0);
    let deviation = ((m + n + 1.0_f64) / (12.0 * m * n) / 8.0).sqrt();
    let off = (over["auc"].as_f64().unwrap() - 0.5) / deviation;
    assert!(off.abs() < ONE_IN_A_MILLION, "{off}");
}

/// Null hypothesis of shadows that do not have in them who they should: chance. Rejected at 1e-6 by the mean, and far more
/// people than by luck are found in nine of ten pairs of runs.
#[test]
fn shadows_give_everybody_away_by_their_training_records() {
    let over = lira_over_runs(false, "training-records");
    let deviation = ((55.0 + 55.0 + 1.0_f64) / (12.0 * 55.0 * 55.0) / 8.0).sqrt();
    let off = (over["auc"].as_f64().unwrap() - 0.5) / deviation;
    assert!(off > ONE_IN_A_MILLION, "{off}");
    let at = &over["exposed"][0];
    let share = |what: &str| at[what].as_f64().unwrap();
    assert!(share("by_luck") < 0.01 && share("share") > 0.1, "{at}");
}
