//! Runs side by side: the defence's price against what it buys.

use crate::RunReport;
use crate::format;
use crate::model::{Epsilon, Guarantee, PrivacyUnit, Quality, Regime};
use crate::text::{TextStyle, columns, fits};
use crate::words;

/// Two or more reports that can be compared.
#[derive(Clone, Debug)]
pub struct Comparison<'a>(Vec<&'a RunReport>);

/// Why reports cannot be compared.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompareError {
    /// Fewer than two.
    #[error("{0} report given: a comparison needs at least two")]
    TooFew(usize),
    /// Written by siloscopes that mean different things by the same field.
    #[error(
        "{first} has schema version {first_version} and {other} has {other_version}: repeat the older run with \
         this siloscope"
    )]
    Versions {
        /// A run.
        first: String,
        /// Its version.
        first_version: u32,
        /// The run that differs.
        other: String,
        /// Its version.
        other_version: u32,
    },
}

/// What is compared of one run.
pub(crate) struct Entry<'a> {
    pub(crate) letter: String,
    pub(crate) report: &'a RunReport,
    pub(crate) quality: Option<Quality>,
    pub(crate) auc: [Option<f64>; 2],
}

impl Entry<'_> {
    pub(crate) fn epsilon(&self, unit: PrivacyUnit) -> Option<Epsilon> {
        self.report
            .promise
            .guarantee(unit)
            .map(|guarantee| guarantee.epsilon)
    }
}

impl<'a> Comparison<'a> {
    /// `reports` side by side, in the order given.
    ///
    /// # Errors
    ///
    /// [`CompareError`] if there are fewer than two reports or their schema versions differ.
    pub fn try_new(reports: &'a [RunReport]) -> Result<Self, CompareError> {
        let [first, others @ ..] = reports else {
            return Err(CompareError::TooFew(0));
        };
        if others.is_empty() {
            return Err(CompareError::TooFew(1));
        }
        if let Some(other) = others
            .iter()
            .find(|other| other.schema_version != first.schema_version)
        {
            return Err(CompareError::Versions {
                first: first.identity.name.clone(),
                first_version: first.schema_version,
                other: other.identity.name.clone(),
                other_version: other.schema_version,
            });
        }
        Ok(Self(reports.iter().collect()))
    }

    pub(crate) fn entries(&self) -> Vec<Entry<'a>> {
        let auc = |report, regime| {
            words::strongest(report, regime)?
                .last()
                .map(|last| last.auc.value.get())
        };
        self.0
            .iter()
            .enumerate()
            .map(|(k, report)| Entry {
                letter: letter(k),
                report,
                quality: report.utility.rounds.last().map(|last| last.quality),
                auc: Regime::ALL.map(|regime| auc(report, regime)),
            })
            .collect()
    }

    /// What the runs' qualities measure, each once.
    pub(crate) fn measures(&self) -> Vec<&'static str> {
        let entries = self.entries();
        let names = entries.iter().filter_map(|entry| entry.quality);
        let mut names: Vec<&str> = names.map(Quality::name).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Headings, then a row a run.
    pub(crate) fn table(&self) -> Vec<Vec<String>> {
        let measures = self.measures();
        let mixed = measures.len() > 1;
        let head = [
            "",
            "run",
            "protection",
            match measures[..] {
                [measure] => measure,
                [] => "accuracy",
                _ => "quality",
            },
            "ε subject",
            "ε record",
            "ε silo",
            "δ",
            "AUC fresh",
            "AUC training",
            "rounds",
        ];
        let mut table = vec![head.map(String::from).to_vec()];
        for entry in self.entries() {
            let epsilon = |unit| {
                entry
                    .epsilon(unit)
                    .map_or("—".to_owned(), format::epsilon_upper)
            };
            let auc = |k: usize| entry.auc[k].map_or("—".to_owned(), |auc| format::fixed(auc, 3));
            let delta = entry
                .report
                .promise
                .guarantee(PrivacyUnit::Subject)
                .map_or("—".to_owned(), |guarantee| {
                    format::delta(guarantee.delta.get())
                });
            table.push(vec![
                entry.letter.clone(),
                entry.report.identity.name.clone(),
                entry.report.promise.protection.clone(),
                entry.quality.map_or("—".to_owned(), |quality| {
                    let shown = format::quality(quality);
                    if mixed {
                        format!("{} {shown}", quality.name())
                    } else {
                        shown
                    }
                }),
                epsilon(PrivacyUnit::Subject),
                epsilon(PrivacyUnit::Record),
                epsilon(PrivacyUnit::Silo),
                delta,
                auc(0),
                auc(1),
                entry.report.ending.rounds_finished.to_string(),
            ]);
        }
        table
    }

    /// What makes the comparison unfair, in words.
    pub fn cautions(&self) -> Vec<String> {
        let mut all = Vec::new();
        let subject = |report: &'a RunReport| report.promise.guarantee(PrivacyUnit::Subject);
        if self.differ(|report| subject(report).map(|g: &Guarantee| g.delta)) {
            all.push(
                "The ε are at different δ, so a smaller one need not be the stronger promise."
                    .to_owned(),
            );
        }
        if self.differ(|report| subject(report).map(|g| g.relation)) {
            all.push("The ε are about different neighbouring relations; replacing one costs about twice as much as adding or removing one.".to_owned());
        }
        if self.differ(|report| report.shape.subjects) || self.differ(|report| report.shape.records)
        {
            let quality = self.measures().join(", ");
            all.push(format!("The runs have different numbers of subjects or records, so {quality} and AUC differ for reasons other than the protection."));
        }
        if self.measures().len() > 1 {
            all.push(
                "Some runs predict classes and some numbers: accuracy and R² cannot be compared."
                    .to_owned(),
            );
        }
        if self.differ(|report| report.identity.seed) {
            all.push(
                "The runs have different seeds, so part of the difference is chance.".to_owned(),
            );
        }
        if self.differ(|report| report.ending.rounds_finished) {
            all.push("The runs finished different numbers of rounds.".to_owned());
        }
        all
    }

    fn differ<T: PartialEq>(&self, of: impl Fn(&'a RunReport) -> T) -> bool {
        self.0.windows(2).any(|pair| of(pair[0]) != of(pair[1]))
    }

    /// The comparison for a terminal.
    pub fn to_text(&self, style: TextStyle) -> String {
        let mut table = self.table();
        if !fits(&table, style.width) {
            table = transposed(&table);
        }
        let mut text = columns(&table, style.width);
        for caution in self.cautions() {
            text += &format!("\nnote: {caution}");
        }
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text
    }

    /// The comparison as one HTML page.
    pub fn to_html(&self) -> String {
        crate::html::compare_page(self)
    }
}

/// Rows as columns.
fn transposed(table: &[Vec<String>]) -> Vec<Vec<String>> {
    let columns = table.first().map_or(0, Vec::len);
    (0..columns)
        .map(|k| table.iter().filter_map(|row| row.get(k).cloned()).collect())
        .collect()
}

/// A, B, … Z, then 27, 28, …
fn letter(k: usize) -> String {
    match u8::try_from(k) {
        Ok(k) if k < 26 => char::from(b'A' + k).to_string(),
        _ => (k + 1).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_runs_are_short() {
        assert_eq!([letter(0), letter(25), letter(26)], ["A", "Z", "27"]);
    }
}
