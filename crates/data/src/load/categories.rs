//! Columns of names: labels, subjects, silos.

use super::LabelColumn;
use crate::{DataError, Dataset, DatasetParts, Features, Labels, NaturalSilos, Split};
use primitives::{SiloId, SubjectId};
use std::collections::BTreeMap;

/// The most classes a label column may have; more are taken for a column of another kind.
const MAX_CLASSES: usize = 1000;

/// A column of names, each kept once.
#[derive(Default)]
pub(crate) struct Categories {
    codes: Vec<u32>,
    seen: BTreeMap<String, u32>,
}

impl Categories {
    /// Adds one entry.
    pub(crate) fn push(&mut self, name: &str) {
        let next = self.seen.len() as u32;
        let code = match self.seen.get(name) {
            Some(&code) => code,
            None => *self.seen.entry(name.to_owned()).or_insert(next),
        };
        self.codes.push(code);
    }

    /// How many entries there are.
    pub(crate) const fn len(&self) -> usize {
        self.codes.len()
    }

    /// The code of every entry and the name of every code, whole numbers by size, else by alphabet.
    fn finish(self) -> (Vec<u32>, Vec<String>) {
        let mut order: Vec<(String, u32)> = self.seen.into_iter().collect();
        if order.iter().all(|(name, _)| name.parse::<i64>().is_ok()) {
            order.sort_by_key(|(name, _)| name.parse::<i64>().ok());
        }
        let mut rank = vec![0; order.len()];
        for ((_, code), place) in order.iter().zip(0..) {
            rank[*code as usize] = place;
        }
        let codes = self
            .codes
            .into_iter()
            .map(|code| rank[code as usize])
            .collect();
        (codes, order.into_iter().map(|(name, _)| name).collect())
    }
}

/// The label column as a loader gathers it.
pub(crate) enum LabelCells {
    /// Names of classes.
    Classes(Categories),
    /// Numbers.
    Targets(Vec<f32>),
}

impl LabelCells {
    /// No entry yet of such a column.
    pub(crate) fn of(column: &LabelColumn) -> Self {
        match column {
            LabelColumn::Class(_) => Self::Classes(Categories::default()),
            LabelColumn::Target(_) => Self::Targets(Vec::new()),
        }
    }

    /// Adds the entry that a cell of text stands for.
    ///
    /// # Errors
    /// What is allowed, if it stands for none.
    pub(crate) fn push(&mut self, cell: &str) -> Result<(), &'static str> {
        match self {
            Self::Classes(classes) => classes.push(&label_text(cell)?),
            Self::Targets(targets) => {
                let target = cell.parse::<f32>().ok().filter(|target| target.is_finite());
                targets.push(target.ok_or("a finite number")?);
            }
        }
        Ok(())
    }

    /// The label of every entry and the name of every class.
    ///
    /// # Errors
    /// If there are more than a thousand classes; `file` is what the error calls the data.
    fn finish(self, file: &str) -> Result<(Labels, Vec<String>), DataError> {
        let (labels, classes) = match self {
            Self::Classes(classes) => classes.finish(),
            Self::Targets(targets) => return Ok((targets.into(), Vec::new())),
        };
        if classes.len() > MAX_CLASSES {
            return Err(DataError::new(
                file,
                format!("{} different labels", classes.len()),
                format!("at most {MAX_CLASSES} classes"),
                "name a column of classes, not of ids; a column of measurements is written target = \"…\" in place of \
                 label, and is predicted as a number",
            )
            .in_column("label"));
        }
        Ok((labels.into(), classes))
    }
}

/// The columns of a data set as a loader gathers them.
pub(crate) struct Gathered {
    /// The file, for errors.
    pub(crate) name: String,
    /// All features.
    pub(crate) features: Features,
    /// The shape of one record's features.
    pub(crate) shape: Vec<usize>,
    /// The label column.
    pub(crate) labels: LabelCells,
    /// The subject column.
    pub(crate) subjects: Categories,
    /// The silo column.
    pub(crate) silos: Option<Categories>,
    /// The split column.
    pub(crate) splits: Option<Vec<Split>>,
}

impl Gathered {
    /// The data set of these columns.
    ///
    /// # Errors
    /// If it has more than a thousand classes, or [`Dataset::try_new`] refuses it.
    pub(crate) fn into_dataset(self) -> Result<Dataset, DataError> {
        let (labels, classes) = self.labels.finish(&self.name)?;
        let (subjects, subject_names) = self.subjects.finish();
        let natural_silos = self.silos.map(|silos| {
            let (codes, names) = silos.finish();
            NaturalSilos {
                of_records: codes.into_iter().map(SiloId).collect(),
                names,
            }
        });
        Dataset::try_new(DatasetParts {
            name: self.name,
            features: self.features,
            shape: self.shape,
            labels,
            classes,
            subjects: subjects.into_iter().map(SubjectId).collect(),
            subject_names,
            natural_silos,
            splits: self.splits,
        })
    }
}

/// The text that a label is known by: whole numbers lose a decimal part of zero.
///
/// # Errors
/// What is allowed, for a negative, fractional or missing label.
pub(super) fn label_text(cell: &str) -> Result<String, &'static str> {
    const ALLOWED: &str = "a whole number of at least 0, or text";
    match cell.parse::<f64>() {
        Ok(number) if number.fract() == 0.0 && (0.0..=4e9).contains(&number) => {
            Ok((number as u64).to_string())
        }
        Ok(_) => Err(ALLOWED),
        Err(_) if cell.is_empty() => Err(ALLOWED),
        Err(_) => Ok(cell.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_by_size_and_names_by_alphabet() {
        let finish = |names: &[&str]| {
            let mut categories = Categories::default();
            for name in names {
                categories.push(name);
            }
            categories.finish()
        };
        let (codes, names) = finish(&["10", "9", "10", "-1"]);
        assert_eq!(
            (codes, names),
            (
                vec![2, 1, 2, 0],
                ["-1", "9", "10"].map(String::from).to_vec()
            )
        );
        let (codes, names) = finish(&["bo", "ann", "10"]);
        assert_eq!(
            (codes, names),
            (
                vec![2, 1, 0],
                ["10", "ann", "bo"].map(String::from).to_vec()
            )
        );
    }

    #[test]
    fn labels_are_whole_numbers_or_words() {
        assert_eq!(label_text("3.0").as_deref(), Ok("3"));
        assert_eq!(label_text("ill").as_deref(), Ok("ill"));
        for bad in ["-1", "0.5", "nan", "inf", ""] {
            assert!(label_text(bad).is_err(), "{bad}");
        }
    }
}
