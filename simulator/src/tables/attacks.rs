//! What every attack found in every round.

use super::{Column, Table};
use report::RunReport;
use report::model::{AttackReport, AttackRound, Interval, Measurement};

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
        rows.texts("attack", |attack, _| attack.attack.clone()),
        rows.texts("regime", |attack, _| attack.regime.name().to_owned()),
        rows.integers("round", |_, round| round.round),
        rows.integers("members", |attack, _| attack.members),
        rows.integers("non_members", |attack, _| attack.non_members),
        rows.integers("adversary_records", |attack, _| attack.adversary_records),
    ];
    let confidence = |attack: &AttackReport, _: &AttackRound| Some(attack.confidence.get());
    columns.push(rows.reals("confidence", confidence));
    columns.extend(rows.measured("auc", |round| Some(Measurement::Interval(round.auc))));
    let mut rates: Vec<f64> = rows
        .0
        .iter()
        .flat_map(|(_, round)| round.tpr_at_fpr.iter().map(|tpr| tpr.fpr.get()))
        .collect();
    rates.sort_by(|one, other| other.total_cmp(one));
    rates.dedup();
    for rate in rates {
        columns.extend(rows.measured(&format!("tpr_at_fpr_{rate}"), |round| {
            let mut all = round.tpr_at_fpr.iter();
            let found = all.find(|tpr| tpr.fpr.get().total_cmp(&rate).is_eq())?;
            Some(found.tpr.clone())
        }));
    }
    columns.extend(rows.measured("precision", |round| Some(round.precision.clone())));
    columns.extend(rows.measured("recall", |round| Some(round.recall.clone())));
    columns.extend(rows.measured("f1", |round| Some(round.f1.clone())));
    columns.extend(rows.measured("advantage", |round| Some(round.advantage.clone())));
    Table(columns)
}

/// What the rows are made of.
struct Rows<'a>(Vec<(&'a AttackReport, &'a AttackRound)>);

impl Rows<'_> {
    fn texts(
        &self,
        name: &'static str,
        text: impl Fn(&AttackReport, &AttackRound) -> String,
    ) -> Column {
        let all = self.0.iter();
        Column::Texts(
            name,
            all.map(|(attack, round)| text(attack, round)).collect(),
        )
    }

    fn integers(
        &self,
        name: &'static str,
        number: impl Fn(&AttackReport, &AttackRound) -> u32,
    ) -> Column {
        let all = self.0.iter();
        let numbers = all.map(|(attack, round)| number(attack, round).cast_signed());
        Column::Integers(name, numbers.collect())
    }

    fn reals(
        &self,
        name: &str,
        number: impl Fn(&AttackReport, &AttackRound) -> Option<f64>,
    ) -> Column {
        let all = self.0.iter();
        let numbers = all.map(|(attack, round)| number(attack, round));
        Column::Reals(name.to_owned(), numbers.collect())
    }

    /// A value, and the limits of its interval.
    fn measured(
        &self,
        name: &str,
        measurement: impl Fn(&AttackRound) -> Option<Measurement>,
    ) -> [Column; 3] {
        let limit = |of: fn(Interval) -> f64| {
            let measurement = &measurement;
            move |_: &AttackReport, round: &AttackRound| match measurement(round)? {
                Measurement::Interval(interval) => Some(of(interval)),
                Measurement::Value(_) | Measurement::Withheld(_) => None,
            }
        };
        [
            self.reals(name, |_, round| measurement(round)?.value()),
            self.reals(&format!("{name}_low"), limit(|interval| interval.low.get())),
            self.reals(
                &format!("{name}_high"),
                limit(|interval| interval.high.get()),
            ),
        ]
    }
}
