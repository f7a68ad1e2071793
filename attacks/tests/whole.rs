//! Attack, check and report together, as a run uses them.

#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "tests")]

mod common;

use common::{shadows, signals, silo_signals, subjects};
use primitives::{Role, Round, Seed, SiloId, Stream, SubjectId};
use siloscope_attacks::{
    AttackConfig, AttackSubjects, Confidence, Evidence, JudgeError, RunScores, Scores, Signals,
    SourceInference, View, hygiene, score, survival,
};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn an_attack_that_learns_from_known_subjects_is_not_told_the_others() {
    // The whole path from labels to scores, under shuffled labels: chance, at a false-alarm rate of 1e-4 each.
    let signals = signals(4, 200, 3, 1.0);
    let subjects = subjects(200);
    for kind in ["loss-threshold", "histogram-forest"] {
        let table = format!(r#"{{"kind":"{kind}"}}"#);
        let config: AttackConfig = serde_json::from_str(&table).unwrap();
        let attack = &config.attacks(Seed::from_number(2))[0];
        let path = |subjects: &AttackSubjects| -> Result<Scores, JudgeError> {
            let view = View::FinalModel;
            let evidence = Evidence::new(view, &signals, Round(3), subjects.known()).unwrap();
            Ok(score(&**attack, &evidence)?)
        };
        let mut rng = Seed::from_number(1).stream(Stream::run(Role::Bootstrap));
        let permuted = hygiene::permuted_membership(&subjects, 40, &mut rng, path).unwrap();
        let found = BTreeMap::from([(kind.to_owned(), permuted.clone())]);
        let check = hygiene::Permuted::check(&found, subjects.evaluated(), hygiene::GATE);
        assert!(check.passed(), "{kind}: {check:?}");
        assert!(permuted.p_value < 0.05, "{kind}: {permuted:?}");
    }
}

#[test]
fn the_silo_that_holds_a_subject_is_named_far_above_chance() {
    let signals = signals(3, 100, 6, 0.0);
    let silos = silo_signals(3, 100, 6, 2.0);
    let subjects = subjects(100);
    let evidence = |view| {
        let evidence = Evidence::new(view, &signals, Round(6), subjects.known()).unwrap();
        evidence.with_silo_updates(&silos)
    };
    assert!(SourceInference::of(&evidence(View::EveryRound)).is_err());
    let inference = SourceInference::of(&evidence(View::SiloUpdates)).unwrap();
    let holders = |subjects: &BTreeSet<SubjectId>| -> BTreeMap<_, _> {
        subjects
            .iter()
            .map(|&s| (s, BTreeSet::from([SiloId(s.0 % 5)])))
            .collect()
    };
    let known = holders(subjects.known().members());
    let report = inference
        .judge(&known, &holders(subjects.evaluated().members()))
        .unwrap();
    assert_eq!(report.subjects, 40);
    assert!((report.chance - 0.2).abs() < 1e-12);
    assert!(report.single > 0.9, "{report:?}");
    assert!(
        report.silos.values().all(|silo| silo.auc > 0.9),
        "{report:?}"
    );
}

#[test]
fn shadow_runs_show_who_is_exposed_and_the_null_shows_nobody() {
    // Every shadow run is attacked as if it were the target: 32 runs, each subject a member of 16.
    let exposed_share = |gap: f64| {
        let (count, runs) = (60, 32);
        let shadows = shadows(6, count, 1, gap, runs);
        let ids: Vec<_> = (0..count).map(SubjectId).collect();
        let mut scores = RunScores::default();
        for run in shadows.at(Round(1)).unwrap() {
            let losses = run.means(siloscope_attacks::SignalKind::Loss).unwrap();
            let run_scores = siloscope_attacks::scores(&ids, losses.iter().map(|loss| -loss));
            let members = ids.iter().copied().filter(|&id| run.has(id)).collect();
            scores.push(&run_scores.unwrap(), &members);
        }
        let aucs = scores.auc(Confidence::NINETY_FIVE);
        assert_eq!(aucs.len(), 60);
        let curve = survival(&aucs);
        curve
            .iter()
            .find(|point| point.auc >= 0.9)
            .map_or(0.0, |point| point.share)
    };
    assert_eq!(exposed_share(0.0), 0.0);
    assert!(exposed_share(1.0) > 0.5);
}

#[test]
fn stored_rounds_give_the_same_scores_as_those_that_were_computed() {
    let signals = signals(9, 80, 4, 1.0);
    let subjects = subjects(80);
    let stored = serde_json::to_string(&(signals.queries(), signals.rounds())).unwrap();
    let (queries, rounds): (_, Vec<_>) = serde_json::from_str(&stored).unwrap();
    let mut read = Signals::new(signals.regime(), queries);
    for round in rounds {
        read.push(round).unwrap();
    }
    assert_eq!(read, signals);
    let config: AttackConfig = serde_json::from_str(r#"{"kind":"loss-across-rounds"}"#).unwrap();
    for attack in config.attacks(Seed::from_number(0)) {
        let of = |signals| {
            let view = View::EveryRound;
            let evidence = Evidence::new(view, signals, Round(4), subjects.known()).unwrap();
            score(&*attack, &evidence).unwrap()
        };
        assert_eq!(of(&read), of(&signals));
    }
}
