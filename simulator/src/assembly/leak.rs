//! What the attacks found, in the report's terms.

use super::exposed::exposed;
use crate::attack::{Findings, OverRuns};
use attacks::hygiene::Outcome;
use attacks::{
    AttackReport, Confidence, Interval, RecordRegime, RoundResult, SourceInference, SourceReport,
    Tpr, View,
};
use primitives::{SiloId, SubjectId};
use report::model as shown;
use scenarios::World;
use shown::{Measurement, Regime};
use std::collections::BTreeMap;

/// The report's section on what leaked. `adversary_records`: how many records of a subject the adversary holds.
/// `silos`: how many silos hold each member.
pub fn leak(
    findings: &Findings,
    world: &World,
    silos: &BTreeMap<SubjectId, usize>,
    adversary_records: u32,
) -> shown::Leak {
    shown::Leak {
        attacks: findings
            .reports
            .iter()
            .map(|report| attack(report, adversary_records))
            .collect(),
        over_runs: findings.over_runs.iter().map(over_runs).collect(),
        sources: findings.sources.iter().map(source).collect(),
        exposed: exposed(world, silos, findings),
        checks: findings.checks.iter().map(check).collect(),
    }
}

fn over_runs(over: &OverRuns) -> shown::OverRuns {
    let pairs = (over.by_luck.len() - 1) as f64;
    let all = over.subjects.len() as u64;
    let point = |auc: f64, pairs_won: f64| {
        let exposed = over.subjects.values().filter(|own| own.estimate >= auc);
        let share = Interval::proportion(exposed.count() as u64, all, Confidence::NINETY_FIVE);
        shown::SurvivalPoint {
            auc: auc.into(),
            share: (if all == 0 { 0.0 } else { share.estimate }).into(),
            interval: (all > 0).then(|| interval(share)),
            by_luck: over.by_luck[pairs_won as usize].into(),
        }
    };
    // A tie counts one half; down, so that luck is not made less than it is.
    let own = |at: &attacks::Survival| point(at.auc, (at.auc * pairs + 1e-9).floor());
    let at_least = |auc: f64| point(auc, (auc * pairs - 1e-9).ceil());
    shown::OverRuns {
        attack: over.attack.clone(),
        title: title(&over.attack),
        regime: regime(over.regime),
        runs: over.aucs.len() as u32,
        auc: over.mean().into(),
        deviation: over.deviation().into(),
        survival: over.survival.iter().map(own).collect(),
        exposed: [at_least(0.9), at_least(0.99)],
    }
}

fn source((of, report): &(RecordRegime, SourceReport)) -> shown::SourceReport {
    let silo = |(silo, source): (&SiloId, &attacks::SiloSource)| shown::SiloSource {
        silo: silo.0,
        auc: source.auc.into(),
        f1: source.calibrated.map(|at| at.f1.into()),
    };
    shown::SourceReport {
        regime: regime(*of),
        source: SourceInference::PAPER.to_owned(),
        members: report.subjects as u32,
        named: report.single.into(),
        chance: report.chance.into(),
        silos: report.silos.iter().map(silo).collect(),
    }
}

/// The report's word for a regime.
pub const fn regime(regime: RecordRegime) -> Regime {
    match regime {
        RecordRegime::Fresh => Regime::Fresh,
        RecordRegime::Training => Regime::TrainingRecords,
    }
}

fn attack(report: &AttackReport, adversary_records: u32) -> shown::AttackReport {
    let last = report.rounds.last();
    shown::AttackReport {
        attack: report.attack.clone(),
        title: title(&report.attack),
        source: report.paper.clone(),
        threat_model: threat_model(report.threat.view),
        regime: regime(report.threat.regime),
        adversary_records,
        members: last.map_or(0, |round| round.members as u32),
        non_members: last.map_or(0, |round| round.non_members as u32),
        confidence: report.confidence.value().into(),
        rounds: report.rounds.iter().map(round).collect(),
        roc: report
            .roc
            .iter()
            .map(|point| shown::RocPoint {
                fpr: point.fpr.into(),
                tpr: point.tpr.into(),
            })
            .collect(),
    }
}

fn round(result: &RoundResult) -> shown::AttackRound {
    let calibrated = |value: fn(&attacks::Calibrated) -> Option<f64>, why: &str| match &result
        .calibrated
    {
        None => Measurement::Withheld("no subject is known, so no threshold was set".to_owned()),
        Some(calibrated) => value(calibrated).map_or_else(
            || Measurement::Withheld(why.to_owned()),
            |value| Measurement::Value(value.into()),
        ),
    };
    shown::AttackRound {
        round: result.round.0,
        auc: interval(result.auc),
        tpr_at_fpr: result
            .tpr_at_fpr
            .iter()
            .map(|at| shown::TprAtFpr {
                fpr: at.fpr.into(),
                tpr: tpr(at.tpr),
            })
            .collect(),
        precision: calibrated(
            |c| c.precision,
            "nobody is called a member at this threshold",
        ),
        recall: calibrated(|c| Some(c.recall), ""),
        f1: calibrated(|c| Some(c.f1), ""),
        advantage: calibrated(|c| Some(c.advantage), ""),
    }
}

fn tpr(tpr: Tpr) -> Measurement {
    match tpr {
        Tpr::Estimated(found) => Measurement::Interval(interval(found)),
        Tpr::TooFewNonMembers { needed, held } => {
            Measurement::Withheld(format!("needs {needed} non-members, {held} were evaluated"))
        }
    }
}

fn interval(interval: Interval) -> shown::Interval {
    shown::Interval::new(interval.estimate, interval.low, interval.high)
}

fn check(check: &attacks::hygiene::Check) -> shown::Check {
    shown::Check {
        name: check.name.clone(),
        expected: check.expected.clone(),
        found: check.found.clone(),
        outcome: match check.outcome {
            Outcome::Passed => shown::CheckOutcome::Passed,
            Outcome::NotRun => shown::CheckOutcome::NotRun,
            Outcome::Caution => shown::CheckOutcome::Caution,
            Outcome::Tripped => shown::CheckOutcome::Tripped,
        },
        meaning: check.meaning.clone(),
    }
}

/// `loss-across-rounds/total-drop` as "Loss across rounds, total drop".
pub(super) fn title(name: &str) -> String {
    let words = name.replace('-', " ").replace('/', ", ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

fn threat_model(view: View) -> String {
    match view {
        View::FinalModel => "the losses under the final model",
        View::EveryRound => "the losses under the model of every round",
        View::SiloUpdates => "the model of every round and every silo's update",
    }
    .to_owned()
}
