//! What every attack found in every round.

use super::Table;
use super::rows::Rows;
use report::RunReport;
use report::model::{AttackReport, AttackRound, Measurement};

/// An attack and what it found in one round.
type Found<'a> = (&'a AttackReport, &'a AttackRound);

/// One row an attack, regime and round: AUC, true-positive rates, and what a threshold set on known subjects gives, each
/// with its interval where it has one.
pub fn attacks(report: &RunReport) -> Table {
    let attacks = &report.leak.attacks;
    let rows = Rows(
        attacks
            .iter()
            .flat_map(|attack| attack.rounds.iter().map(move |round| (attack, round)))
            .collect(),
    );
    let mut columns = vec![
        rows.texts("attack", |(attack, _): &Found<'_>| attack.attack.clone()),
        rows.texts("regime", |(attack, _)| attack.regime.name().to_owned()),
        rows.integers("round", |(_, round)| round.round),
        rows.integers("members", |(attack, _)| attack.members),
        rows.integers("non_members", |(attack, _)| attack.non_members),
        rows.integers("adversary_records", |(attack, _)| attack.adversary_records),
        rows.reals("confidence", |(attack, _)| Some(attack.confidence.get())),
    ];
    columns.extend(rows.measured("auc", |(_, round)| Some(Measurement::Interval(round.auc))));
    columns.extend(rows.tpr_at_fpr(|(_, round)| &round.tpr_at_fpr));
    columns.extend(rows.measured("precision", |(_, round)| Some(round.precision.clone())));
    columns.extend(rows.measured("recall", |(_, round)| Some(round.recall.clone())));
    columns.extend(rows.measured("f1", |(_, round)| Some(round.f1.clone())));
    columns.extend(rows.measured("advantage", |(_, round)| Some(round.advantage.clone())));
    Table(columns)
}
