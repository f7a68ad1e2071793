//! What the runs of a sweep came to.

use super::rows::Rows;
use super::{Column, Table};
use report::SweepReport;
use report::model::{Measurement, PrivacyUnit, Real};
use report::sweep::{AttackOutcome, Outcomes, TaskReport};

/// A task and one attack on it; a task without any has one row.
struct Row<'a> {
    task: &'a TaskReport,
    outcomes: Option<&'a Outcomes>,
    attack: Option<&'a AttackOutcome>,
}

/// One row a task, attack, statistic and regime, in the order of tasks and of their attacks.
///
/// A factor is a column `factor NAME`: numbers if all its levels are, otherwise words. A task that is not done has one row
/// without numbers.
pub fn sweep(report: &SweepReport) -> Table {
    let rows = Rows(report.tasks.iter().flat_map(rows_of).collect());
    let mut columns = vec![
        rows.integers("task", |row: &Row<'_>| row.task.task.index),
        rows.texts("id", |row| row.task.task.id.clone()),
        rows.integers("point", |row| row.task.task.point),
        Column::Counts(
            "seed",
            rows.0.iter().map(|row| row.task.task.seed).collect(),
        ),
        rows.texts("state", |row| row.task.state.name().to_owned()),
    ];
    for factor in &report.design.factors {
        let level = |row: &Row<'_>| row.task.task.levels[&factor.name].clone();
        let name = format!("factor {}", factor.name);
        columns.push(if rows.0.iter().all(|row| level(row).value.is_some()) {
            rows.reals(&name, |row| level(row).value.map(Real::get))
        } else {
            rows.texts(&name, |row| level(row).label)
        });
    }
    columns.extend(attack(&rows));
    for metric in metrics(&rows) {
        columns.push(rows.reals(metric, |row| {
            let quality = row.outcomes?.utility?;
            (quality.key() == metric).then(|| quality.get())
        }));
    }
    for (unit, name) in PrivacyUnit::ALL
        .into_iter()
        .zip(["record", "subject", "silo"])
    {
        columns.push(rows.reals(&format!("epsilon_{name}"), |row| {
            Some(row.outcomes?.epsilon(unit)?.get())
        }));
        columns.push(rows.reals(&format!("delta_{name}"), |row| {
            let mut all = row.outcomes?.epsilon.iter();
            Some(all.find(|outcome| outcome.unit == unit)?.delta.get())
        }));
    }
    columns.push(rows.reals("rounds", |row| {
        Some(f64::from(row.outcomes?.rounds_finished))
    }));
    columns.push(rows.reals("holds", |row| {
        Some(f64::from(u8::from(row.outcomes?.holds)))
    }));
    Table(columns)
}

/// What an attack found; its name is two columns, `loss-across-rounds` and `slope`.
fn attack(rows: &Rows<Row<'_>>) -> Vec<Column> {
    let part = |row: &Row<'_>, statistic: bool| {
        let name = row.attack.map_or("", |attack| &attack.attack);
        let (kind, of) = name.split_once('/').unwrap_or((name, ""));
        if statistic { of } else { kind }.to_owned()
    };
    let mut columns = vec![
        rows.texts("attack", |row| part(row, false)),
        rows.texts("statistic", |row| part(row, true)),
        rows.texts("regime", |row| {
            let regime = row.attack.map(|attack| attack.regime.name());
            regime.unwrap_or_default().to_owned()
        }),
        rows.reals("members", |row| Some(f64::from(row.attack?.members))),
        rows.reals("non_members", |row| {
            Some(f64::from(row.attack?.non_members))
        }),
    ];
    columns.extend(rows.measured("auc", |row| Some(Measurement::Interval(row.attack?.auc))));
    columns.extend(rows.tpr_at_fpr(|row| row.attack.map_or(&[], |attack| &attack.tpr_at_fpr)));
    columns.extend(rows.measured("advantage", |row| Some(row.attack?.advantage.clone())));
    columns
}

fn rows_of(task: &TaskReport) -> Vec<Row<'_>> {
    let outcomes = task.state.outcomes();
    let row = |attack| Row {
        task,
        outcomes,
        attack,
    };
    match outcomes {
        Some(outcomes) if !outcomes.attacks.is_empty() => {
            outcomes.attacks.iter().map(Some).map(row).collect()
        }
        _ => vec![row(None)],
    }
}

/// What qualities measure, each once, as they first come.
fn metrics(rows: &Rows<Row<'_>>) -> Vec<&'static str> {
    let mut all = Vec::new();
    for quality in rows.0.iter().filter_map(|row| row.outcomes?.utility) {
        if !all.contains(&quality.key()) {
            all.push(quality.key());
        }
    }
    all
}
