//! Who was missing from which round, and what that means for ε.

use crate::events::{AbandonedFigures, Course, RoundFigures};
use crate::statement::{self, Statement};
use accounting::{Holdings, Ledger, LedgerEntry, Odometer, Scope};
use report::model::{Attendance, AttendanceRound, CostOfAbsence, Epsilon, PrivacyUnit};
use scenarios::Resolved;
use std::collections::BTreeMap;

/// The course of the rounds; none if everybody answered whenever asked, the first time, and no network is simulated.
pub fn attendance(
    resolved: &Resolved,
    rounds: &[RoundFigures],
    abandoned: Option<&AbandonedFigures>,
    ledger: &Ledger,
    statement: &Statement,
) -> Option<Attendance> {
    let trained = rounds.iter().filter(|figures| figures.round > 0);
    let finished = trained.map(|figures| round(figures.round, true, &figures.course));
    let given_up = abandoned.map(|figures| round(figures.round, false, &figures.course));
    let rounds: Vec<AttendanceRound> = finished.chain(given_up).collect();
    let plain = |round: &AttendanceRound| {
        round.finished && round.attempts == 1 && round.missing.is_empty() && round.bytes.is_none()
    };
    if rounds.iter().all(plain) {
        return None;
    }
    let unused = rounds
        .iter()
        .any(|round| !round.finished || !round.missing.is_empty());
    Some(Attendance {
        cost: unused.then(|| cost(resolved, &rounds, ledger, statement)),
        rounds,
    })
}

fn round(round: u32, finished: bool, course: &Course) -> AttendanceRound {
    AttendanceRound {
        round,
        finished,
        attempts: course.attempts,
        missing: course.missing.clone(),
        seconds: course.network.map(|network| network.seconds),
        bytes: course.network.map(|network| network.bytes),
    }
}

fn cost(
    resolved: &Resolved,
    rounds: &[AttendanceRound],
    ledger: &Ledger,
    statement: &Statement,
) -> CostOfAbsence {
    let by_round: BTreeMap<u32, &AttendanceRound> =
        rounds.iter().map(|round| (round.round, round)).collect();
    // A noised sum is one release of the whole cohort, whoever is missing from it.
    let used = |entry: &&LedgerEntry| {
        by_round.get(&entry.round()).is_none_or(|round| {
            let missing = |silo: u32| round.missing.iter().any(|missing| missing.silo == silo);
            round.finished && !matches!(entry.scope(), Scope::Silo(silo) if missing(*silo))
        })
    };
    let mut odometer = Odometer::new(statement::accountant());
    for entry in ledger.entries().iter().filter(used) {
        odometer
            .append(entry.clone())
            .expect("a part of a ledger is in order");
    }
    let holdings = Holdings::new(resolved.schedule.holdings().into_values());
    let delta = resolved.file.scenario.privacy.delta();
    let used = odometer.worst_subject(&holdings, delta).epsilon.get();
    let charged = statement
        .promise
        .guarantee(PrivacyUnit::Subject)
        .map_or(Epsilon::INFINITE, |guarantee| guarantee.epsilon);
    CostOfAbsence {
        charged,
        used: used.min(charged.get()).into(),
    }
}
