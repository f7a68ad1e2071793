//! The event file of a run holds its series, names what they are, and flatters no bound.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

mod events;
mod fixture;

use events::read;
use siloscope_report::model::{Attendance, AttendanceRound, MissingSilo};
use siloscope_report::{Rounding, RunReport};

#[test]
fn every_number_of_every_series_is_there_and_no_bound_is_flattered() {
    for report in [
        fixture::report(fixture::PRIVATE),
        fixture::report(fixture::BARE),
        fixture::regression(),
    ] {
        let events = read(&report.to_tensorboard());
        let (head, rounds) = events.split_first().unwrap();
        assert_eq!((head.version.as_str(), head.step), ("brain.Event:2", 0));
        assert_eq!(rounds.len(), report.utility.rounds.len());
        let mut numbers = 0;
        for series in report.series() {
            let first = series.points[0].0;
            for (round, exact) in series.points {
                let event = &rounds[round as usize];
                assert_eq!(event.step, u64::from(round));
                let said = event.descriptions.get(&series.name);
                assert_eq!(said, (round == first).then_some(&series.what));
                let (kept, exact) = (f64::from(event.scalars[&series.name]), exact.get());
                match series.rounding {
                    Rounding::Up => assert!(kept >= exact, "{} {kept} {exact}", series.name),
                    Rounding::Down => assert!(kept <= exact, "{} {kept} {exact}", series.name),
                    Rounding::Nearest => {}
                }
                assert!(kept.to_bits() == exact.to_bits() || (kept / exact - 1.0).abs() < 1.2e-7);
                numbers += 1;
            }
        }
        let kept: usize = rounds.iter().map(|event| event.scalars.len()).sum();
        assert_eq!(kept, numbers);
    }
}

#[test]
fn names_are_the_reports_own() {
    let report = fixture::report(fixture::PRIVATE);
    let series = report.series();
    let at = |name: &str, round: u32| {
        let series = series.iter().find(|series| series.name == name);
        let points = &series.unwrap_or_else(|| panic!("no {name}")).points;
        points.iter().find(|point| point.0 == round).unwrap().1
    };
    let last = report.ending.rounds_finished;
    let losses = report.promise.rounds.last().unwrap();
    let utility = report.utility.rounds.last().unwrap();
    assert_eq!(at("utility/accuracy", last), utility.quality.get().into());
    assert_eq!(at("utility/loss", last), utility.loss);
    assert_eq!(at("epsilon/record", last), losses.record.into());
    assert_eq!(at("epsilon/subject", last), losses.subject_worst.into());
    assert_eq!(
        at("epsilon/subject_median", last),
        losses.subject_median.into()
    );
    assert_eq!(at("epsilon/silo", last), losses.silo.into());
    for attack in &report.leak.attacks {
        let place = format!("{}/{}", attack.attack, attack.regime.name());
        let found = attack.last().unwrap();
        assert_eq!(at(&format!("auc/{place}"), last), found.auc.value);
        for tpr in &found.tpr_at_fpr {
            if let Some(value) = tpr.tpr.value() {
                let name = format!("tpr_at_fpr_{}/{place}", tpr.fpr.get());
                assert_eq!(at(&name, last), value.into(), "{name}");
            }
        }
    }
    let audit = report.audit.as_ref().unwrap();
    for unit in &audit.units {
        let canaries = unit.canaries.replace(' ', "-");
        let place = format!("audit/{}/{canaries}", unit.unit.name());
        let bounds = unit.last().unwrap();
        assert_eq!(at(&format!("{place}/lower"), last), bounds.lower.into());
        assert_eq!(at(&format!("{place}/upper"), last), bounds.upper.into());
    }
    let mut names: Vec<&str> = series.iter().map(|series| series.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), series.len());
    // What MLflow admits in a name.
    let admitted = |letter: char| letter.is_alphanumeric() || "/_-. :".contains(letter);
    assert!(names.iter().all(|name| name.chars().all(admitted)));
}

fn attended(round: u32, seconds: f64, missing: u32) -> AttendanceRound {
    let silo = |silo| MissingSilo {
        silo,
        why: "late".to_owned(),
    };
    AttendanceRound {
        round,
        finished: true,
        attempts: 1 + missing,
        missing: (0..missing).map(silo).collect(),
        seconds: Some(seconds.into()),
        bytes: Some(u64::from(round) * 1000),
    }
}

#[test]
fn wall_time_is_virtual_and_traffic_is_told_where_it_is_simulated() {
    let mut report = fixture::report(fixture::PRIVATE);
    let plain = read(&report.to_tensorboard());
    for (round, event) in plain[1..].iter().enumerate() {
        assert_eq!(event.wall_time.to_bits(), (round as f64).to_bits());
        assert!(!event.scalars.keys().any(|tag| tag.starts_with("network")));
    }
    let rounds = (1..=report.ending.rounds_finished).map(|round| attended(round, 0.5, round % 3));
    report.attendance = Some(Attendance {
        rounds: rounds.collect(),
        cost: None,
    });
    let simulated = read(&report.to_tensorboard());
    for (round, event) in simulated[1..].iter().enumerate() {
        assert_eq!(event.wall_time.to_bits(), (round as f64 / 2.0).to_bits());
        if round > 0 {
            let number = |tag: &str| f64::from(event.scalars[tag]);
            assert_eq!(
                number("network/bytes").to_bits(),
                (round as f64 * 1000.0).to_bits()
            );
            assert_eq!(number("network/seconds").to_bits(), 0.5_f64.to_bits());
            assert_eq!(number("network/missing_silos") as usize, round % 3);
            assert_eq!(number("network/attempts") as usize, 1 + round % 3);
        }
    }
}

#[test]
fn a_report_without_rounds_is_an_event_file_still() {
    let events = read(&fixture::empty().to_tensorboard());
    assert_eq!(events[0].version, "brain.Event:2");
    assert!(events[1..].iter().all(|event| event.step == 0));
}

/// The JSON form of a report loses nothing that the event file tells.
#[test]
fn a_report_that_was_read_back_gives_the_same_file() {
    let report = fixture::report(fixture::BARE);
    let back = RunReport::from_json(&report.to_json()).unwrap();
    assert!(back.to_tensorboard() == report.to_tensorboard());
}
