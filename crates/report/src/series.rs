//! A run as series of numbers, one number a round: what trackers of experiments draw.
//!
//! One list for all of them, so that TensorBoard and MLflow show the same names and numbers. A name is a path whose
//! first part groups what belongs together.

use crate::RunReport;
use crate::format;
use crate::model::{AttackReport, Measurement, Noun, PrivacyUnit, Quality, Real};
use std::collections::BTreeMap;

/// A number after each round, where there is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its name, e.g. `auc/loss-threshold/fresh`.
    pub name: String,
    /// What it is, in words, with its unit.
    pub what: String,
    /// Which way it may be rounded where a tracker keeps less than 64 bits.
    pub rounding: Rounding,
    /// Round and number, in the order of rounds; round 0 is the untrained model.
    pub points: Vec<(u32, Real)>,
}

/// Which way a number may be rounded without saying more than is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// To whatever is nearest.
    Nearest,
    /// Never down: it is an upper bound.
    Up,
    /// Never up: it is a lower bound.
    Down,
}

impl RunReport {
    /// Everything that has a number a round, and something to say about it.
    pub fn series(&self) -> Vec<Series> {
        let mut all = utility(self);
        all.extend(promise(self));
        all.extend(self.leak.attacks.iter().flat_map(attack));
        all.extend(course(self));
        all.extend(audit(self));
        all.retain(|series| !series.points.is_empty());
        all
    }

    /// When each round of a series ended, in seconds of virtual time since the run began. Where no network is simulated
    /// nothing takes time, and a round counts as a second.
    pub fn clock(&self) -> BTreeMap<u32, f64> {
        let attended = || self.attendance.iter().flat_map(|all| &all.rounds);
        let simulated = attended().any(|at| at.seconds.is_some());
        let seconds: BTreeMap<u32, f64> = attended()
            .filter_map(|at| Some((at.round, at.seconds?.get())))
            .collect();
        let mut now = 0.0;
        let rounds = self.utility.rounds.iter().map(|at| at.round);
        rounds
            .map(|round| {
                now += seconds.get(&round).copied().unwrap_or(0.0);
                (round, if simulated { now } else { f64::from(round) })
            })
            .collect()
    }
}

fn series(name: &str, what: String, rounding: Rounding, points: Vec<(u32, Real)>) -> Series {
    Series {
        name: name.to_owned(),
        what,
        rounding,
        points,
    }
}

/// The points at which there is a number.
fn points<'a, T: 'a>(
    of: impl IntoIterator<Item = &'a T>,
    point: impl Fn(&T) -> Option<(u32, Real)>,
) -> Vec<(u32, Real)> {
    of.into_iter().filter_map(point).collect()
}

fn utility(report: &RunReport) -> Vec<Series> {
    let rounds = &report.utility.rounds;
    let of_what = &report.utility.of_what;
    let Some(quality) = rounds.first().map(|at| at.quality) else {
        return Vec::new();
    };
    let measure = match quality {
        Quality::Accuracy(_) => "Share of right answers",
        Quality::RSquared(_) => "R²",
    };
    vec![
        series(
            &format!("utility/{}", quality.key()),
            format!("{measure} on {of_what}."),
            Rounding::Nearest,
            points(rounds, |at| Some((at.round, at.quality.get().into()))),
        ),
        series(
            "utility/loss",
            format!(
                "Mean loss a record, in {}, on {of_what}.",
                quality.loss_unit()
            ),
            Rounding::Nearest,
            points(rounds, |at| Some((at.round, at.loss))),
        ),
        series(
            "training/clip_norm",
            "The clip norm with which the next round begins.".to_owned(),
            Rounding::Nearest,
            points(rounds, |at| Some((at.round, at.clip_norm?))),
        ),
    ]
}

fn promise(report: &RunReport) -> [Series; 4] {
    let rounds = &report.promise.rounds;
    let nouns = &report.identity.nouns;
    let about = |who: &str, unit: PrivacyUnit, noun: &Noun| {
        let delta = report
            .promise
            .guarantee(unit)
            .map_or_else(String::new, |promised| {
                let relation = format::relation(promised.relation);
                format!(" at δ = {} ({relation})", promised.delta.get())
            });
        format!("Upper bound on ε of the {who} {}{delta}.", noun.one)
    };
    let worst = "worst-off";
    [
        series(
            "epsilon/record",
            about(worst, PrivacyUnit::Record, &nouns.record),
            Rounding::Up,
            points(rounds, |at| Some((at.round, at.record.into()))),
        ),
        series(
            "epsilon/subject",
            about(worst, PrivacyUnit::Subject, &nouns.subject),
            Rounding::Up,
            points(rounds, |at| Some((at.round, at.subject_worst.into()))),
        ),
        series(
            "epsilon/subject_median",
            about("median", PrivacyUnit::Subject, &nouns.subject),
            Rounding::Up,
            points(rounds, |at| Some((at.round, at.subject_median.into()))),
        ),
        series(
            "epsilon/silo",
            about(worst, PrivacyUnit::Silo, &nouns.silo),
            Rounding::Up,
            points(rounds, |at| Some((at.round, at.silo.into()))),
        ),
    ]
}

fn attack(attack: &AttackReport) -> Vec<Series> {
    let place = format!("{}/{}", attack.attack, attack.regime.name());
    let whose = format!("{}, {}", attack.title, attack.threat_model);
    let of_rounds = |group: &str, what: &str, value: &dyn Fn(usize) -> Option<Real>| {
        let numbers = attack.rounds.iter().enumerate();
        series(
            &format!("{group}/{place}"),
            format!("{what}: {whose}."),
            Rounding::Nearest,
            numbers
                .filter_map(|(i, at)| Some((at.round, value(i)?)))
                .collect(),
        )
    };
    let measured = |measurement: &Measurement| measurement.value().map(Real::from);
    let mut all = vec![
        of_rounds(
            "auc",
            "Chance that a member scores above a non-member",
            &|i| Some(attack.rounds[i].auc.value),
        ),
        of_rounds(
            "advantage",
            "True-positive rate less false-positive rate at a threshold set on known subjects",
            &|i| measured(&attack.rounds[i].advantage),
        ),
    ];
    let mut rates: Vec<f64> = attack
        .rounds
        .iter()
        .flat_map(|at| at.tpr_at_fpr.iter().map(|tpr| tpr.fpr.get()))
        .collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    for rate in rates {
        let at_rate = |i: usize| {
            let mut all = attack.rounds[i].tpr_at_fpr.iter();
            let found = all.find(|tpr| tpr.fpr.get().total_cmp(&rate).is_eq())?;
            measured(&found.tpr)
        };
        all.push(of_rounds(
            &format!("tpr_at_fpr_{rate}"),
            &format!(
                "Share of members caught while at most {} of the non-members are accused",
                format::rate(rate)
            ),
            &at_rate,
        ));
    }
    all
}

/// What rounds took, where that was simulated or somebody was missing.
fn course(report: &RunReport) -> Vec<Series> {
    let Some(attendance) = &report.attendance else {
        return Vec::new();
    };
    let rounds = &attendance.rounds;
    let silos = &report.identity.nouns.silo.many;
    let count = |number: usize| Real::from(number as f64);
    vec![
        series(
            "network/bytes",
            "Bytes over all links in this round, what was sent again included.".to_owned(),
            Rounding::Nearest,
            points(rounds, |at| Some((at.round, Real::from(at.bytes? as f64)))),
        ),
        series(
            "network/seconds",
            "What the round took, in seconds of virtual time.".to_owned(),
            Rounding::Nearest,
            points(rounds, |at| Some((at.round, at.seconds?))),
        ),
        series(
            "network/missing_silos",
            format!("How many {silos} were asked and have no part in the model."),
            Rounding::Nearest,
            points(rounds, |at| Some((at.round, count(at.missing.len())))),
        ),
        series(
            "network/attempts",
            format!("How often the {silos} of the round were asked; 1 is the first time."),
            Rounding::Nearest,
            points(rounds, |at| Some((at.round, count(at.attempts as usize)))),
        ),
    ]
}

fn audit(report: &RunReport) -> Vec<Series> {
    let Some(audit) = &report.audit else {
        return Vec::new();
    };
    let of_unit = |unit: &crate::model::UnitAudit| {
        let canaries = unit
            .canaries
            .replace(|letter: char| !letter.is_alphanumeric(), "-");
        let place = format!("audit/{}/{canaries}", unit.unit.name());
        let about = format!(
            "of the {} at δ = {}, from {}",
            unit.unit.name(),
            audit.delta.get(),
            unit.canaries
        );
        [
            series(
                &format!("{place}/lower"),
                format!("The audit's lower bound on ε {about}."),
                Rounding::Down,
                points(&unit.rounds, |at| Some((at.round, at.lower.into()))),
            ),
            series(
                &format!("{place}/upper"),
                format!("The accountant's upper bound on ε {about}."),
                Rounding::Up,
                points(&unit.rounds, |at| Some((at.round, at.upper.into()))),
            ),
        ]
    };
    audit.units.iter().flat_map(of_unit).collect()
}
