//! What the rows of a table are made of, and columns from it.

use super::Column;
use report::model::{Interval, Measurement, TprAtFpr};

/// One thing for each row.
pub(super) struct Rows<R>(pub(super) Vec<R>);

impl<R> Rows<R> {
    pub(super) fn texts(&self, name: &str, text: impl Fn(&R) -> String) -> Column {
        Column::Texts(name.to_owned(), self.0.iter().map(text).collect())
    }

    pub(super) fn integers(&self, name: &'static str, number: impl Fn(&R) -> u32) -> Column {
        let numbers = self.0.iter().map(|row| number(row).cast_signed());
        Column::Integers(name, numbers.collect())
    }

    pub(super) fn reals(&self, name: &str, number: impl Fn(&R) -> Option<f64>) -> Column {
        Column::Reals(name.to_owned(), self.0.iter().map(number).collect())
    }

    /// A value, and the limits of its interval.
    pub(super) fn measured(
        &self,
        name: &str,
        measurement: impl Fn(&R) -> Option<Measurement>,
    ) -> [Column; 3] {
        let limit = |of: fn(Interval) -> f64| {
            let measurement = &measurement;
            move |row: &R| match measurement(row)? {
                Measurement::Interval(interval) => Some(of(interval)),
                Measurement::Value(_) | Measurement::Withheld(_) => None,
            }
        };
        [
            self.reals(name, |row| measurement(row)?.value()),
            self.reals(&format!("{name}_low"), limit(|interval| interval.low.get())),
            self.reals(
                &format!("{name}_high"),
                limit(|interval| interval.high.get()),
            ),
        ]
    }

    /// The true-positive rate at each bound on false positives that a row has, the largest bound first.
    pub(super) fn tpr_at_fpr(&self, points: impl Fn(&R) -> &[TprAtFpr]) -> Vec<Column> {
        let all = self.0.iter().flat_map(&points);
        let mut rates: Vec<f64> = all.map(|point| point.fpr.get()).collect();
        rates.sort_by(|one, other| other.total_cmp(one));
        rates.dedup();
        let of_rate = |rate: f64| {
            self.measured(&format!("tpr_at_fpr_{rate}"), |row| {
                let mut all = points(row).iter();
                let found = all.find(|point| point.fpr.get().total_cmp(&rate).is_eq())?;
                Some(found.tpr.clone())
            })
        };
        rates.into_iter().flat_map(of_rate).collect()
    }
}
