//! A data set whose records belong to subjects.

use crate::features::{combine, digest_of_u32s};
use crate::{DataError, Features, Label, LabelKind, LabelSlice, Labels, SubjectIndex};
use primitives::{Digest, RecordId, SiloId, SubjectId};
use serde::{Deserialize, Serialize};

/// Records with a label and a subject each, perhaps with the silo and the split they come with.
///
/// A *record* is one row ("example", "item" or "sample" in papers); a *subject* is the person it is
/// about. Made by [`Dataset::try_new`], so that every reader may rely on what is checked there.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    parts: DatasetParts,
    width: usize,
    subjects: SubjectIndex,
}

/// What a data set is made of, before it is checked.
#[derive(Clone, Debug, PartialEq)]
pub struct DatasetParts {
    /// What errors and reports call the data: a file or the name of a built-in set.
    pub name: String,
    /// The features of all records.
    pub features: Features,
    /// Shape of one record's features: `[1, 28, 28]` for an image, `[20]` for a table of 20 columns.
    pub shape: Vec<usize>,
    /// The class of every record, as an index into `classes`; or the target of every record.
    pub labels: Labels,
    /// The name of every class; none where labels are targets.
    pub classes: Vec<String>,
    /// The subject of every record, as an index into `subject_names`.
    pub subjects: Vec<SubjectId>,
    /// The name of every subject in the source.
    pub subject_names: Vec<String>,
    /// The silos that the data comes from, if it says so.
    pub natural_silos: Option<NaturalSilos>,
    /// The part that the source puts every record in, if it does.
    pub splits: Option<Vec<Split>>,
}

/// The silos that the data itself names: hospitals, plays, populations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NaturalSilos {
    /// The silo of every record, as an index into `names`.
    pub of_records: Vec<SiloId>,
    /// The name of every silo.
    pub names: Vec<String>,
}

/// The part of the data that a record is published in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// Meant for training.
    Train,
    /// Meant for testing.
    Test,
}

impl Dataset {
    /// Checks the parts and makes a data set of them.
    ///
    /// # Errors
    /// Unless there is a record; every column has one entry a record; features are finite and as
    /// many as the shape says; labels are below the number of classes and at least two classes
    /// occur, or are finite numbers that are not all the same; and every named subject has a record and every record a named subject.
    pub fn try_new(parts: DatasetParts) -> Result<Self, DataError> {
        let records = parts.labels.as_slice().len();
        let fault = |given: String, allowed: &str, remedy: &str| {
            DataError::new(&parts.name, given, allowed, remedy)
        };
        if records == 0 || u32::try_from(records).is_err() {
            return Err(fault(
                format!("{records} records"),
                "between 1 and 2^32 records",
                "check that the file is the one you meant and is complete",
            ));
        }
        for (column, entries) in parts.columns() {
            if entries != records {
                return Err(fault(
                    format!("{entries} entries for {records} records"),
                    "one entry for every record",
                    "check that the parts belong to the same data",
                )
                .in_column(column));
            }
        }
        let width = parts.shape.iter().product();
        if width == 0 || parts.features.width(records) != Some(width) {
            return Err(fault(
                format!("feature shape {:?} over {records} records", parts.shape),
                "a shape whose product is the number of features of a record",
                "give at least one feature, and as many for every record",
            ));
        }
        if let Features::Tokens(windows) = &parts.features {
            let last = windows.text.len().saturating_sub(windows.width);
            if let Some(row) = windows
                .starts
                .iter()
                .position(|&start| start as usize > last)
            {
                return Err(fault(
                    format!("a window that starts at {}", windows.starts[row]),
                    "windows that end inside the text",
                    "shorten the window or leave the record out",
                )
                .at_row(row));
            }
        }
        if let Some(i) = parts.features.first_non_finite() {
            return Err(fault(
                format!("feature {} is not a finite number", i % width),
                "finite numbers",
                "fill the gap or leave the record out",
            )
            .at_row(i / width));
        }
        parts.check_labels()?;
        parts.check_subjects()?;
        parts.check_silos()?;
        let subjects = SubjectIndex::new(
            parts.subject_names.len(),
            parts
                .subjects
                .iter()
                .zip(0..)
                .map(|(&subject, i)| (subject, RecordId(i))),
        );
        Ok(Self {
            parts,
            width,
            subjects,
        })
    }

    /// The same data with one more subject, and it: its records are copies of `records`, each with the class beside it.
    ///
    /// # Errors
    /// If a label is not of the data's kind, a class is not one of the data's, there is no record, or there would be too many.
    pub fn with_subject(
        &self,
        name: &str,
        records: &[(RecordId, Label)],
    ) -> Result<(Self, SubjectId), DataError> {
        let mut parts = self.parts.clone();
        let subject = SubjectId(parts.subject_names.len() as u32);
        parts.subject_names.push(name.to_owned());
        let originals: Vec<RecordId> = records.iter().map(|&(record, _)| record).collect();
        parts.features.repeat(&originals, self.width);
        for &(original, label) in records {
            if !parts.labels.push(label) {
                let (given, allowed) = (format!("{label:?}"), "a label like the others");
                return Err(DataError::new(
                    name,
                    given,
                    allowed,
                    "give what the data predicts",
                ));
            }
            parts.subjects.push(subject);
            if let Some(silos) = &mut parts.natural_silos {
                silos.of_records.push(silos.of_records[original.index()]);
            }
            if let Some(splits) = &mut parts.splits {
                splits.push(splits[original.index()]);
            }
        }
        Ok((Self::try_new(parts)?, subject))
    }

    /// What errors and reports call the data.
    pub fn name(&self) -> &str {
        &self.parts.name
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.parts.labels.as_slice().len()
    }

    /// Whether there are none; never true, for a data set is checked.
    pub fn is_empty(&self) -> bool {
        self.parts.labels.as_slice().is_empty()
    }

    /// Every record, in order.
    pub fn records(&self) -> impl Iterator<Item = RecordId> + use<> {
        (0..self.len() as u32).map(RecordId)
    }

    /// Shape of one record's features.
    pub fn shape(&self) -> &[usize] {
        &self.parts.shape
    }

    /// Features a record: the product of the shape.
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Memory that the features take, in bytes.
    pub fn feature_bytes(&self) -> usize {
        self.parts.features.bytes()
    }

    /// The features of all records.
    pub const fn features(&self) -> &Features {
        &self.parts.features
    }

    /// Writes the features of `record` to `out`. Shape of `out`: `[width]`.
    ///
    /// # Panics
    /// If `out` has another length, or the record is of another data set.
    pub fn copy_features(&self, record: RecordId, out: &mut [f32]) {
        assert_eq!(
            out.len(),
            self.width,
            "a buffer for one record has the record's width"
        );
        self.parts.features.copy(record, out);
    }

    /// Puts the features and labels of `records` into the buffers, replacing what they hold.
    ///
    /// Shapes afterwards: `features` `[records × width]`, `labels` `[records]`. The buffers keep
    /// their memory, so a loop over batches allocates once.
    pub fn gather(&self, records: &[RecordId], features: &mut Vec<f32>, labels: &mut Labels) {
        features.resize(records.len() * self.width, 0.0);
        labels.gather(&self.parts.labels, records);
        for (&record, out) in records.iter().zip(features.chunks_exact_mut(self.width)) {
            self.parts.features.copy(record, out);
        }
    }

    /// Whether a class or a number is to be predicted.
    pub fn label_kind(&self) -> LabelKind {
        match self.parts.labels {
            Labels::Classes(_) => LabelKind::Classes(self.parts.classes.len()),
            Labels::Targets(_) => LabelKind::Targets,
        }
    }

    /// The class or the target of every record.
    pub fn labels(&self) -> LabelSlice<'_> {
        self.parts.labels.as_slice()
    }

    /// The class of `record`, as an index into [`Dataset::classes`].
    ///
    /// # Panics
    /// If labels are targets, or the record is of another data set.
    pub fn class(&self, record: RecordId) -> u32 {
        match &self.parts.labels {
            Labels::Classes(classes) => classes[record.index()],
            Labels::Targets(_) => panic!("records of {} have targets", self.parts.name),
        }
    }

    /// The target of every record, where a number is to be predicted.
    pub fn targets(&self) -> Option<&[f32]> {
        match &self.parts.labels {
            Labels::Classes(_) => None,
            Labels::Targets(targets) => Some(targets),
        }
    }

    /// The name of every class; none where labels are targets.
    pub fn classes(&self) -> &[String] {
        &self.parts.classes
    }

    /// The subject of `record`.
    pub fn subject(&self, record: RecordId) -> SubjectId {
        self.parts.subjects[record.index()]
    }

    /// The records of every subject.
    pub const fn subjects(&self) -> &SubjectIndex {
        &self.subjects
    }

    /// The name of every subject in the source.
    pub fn subject_names(&self) -> &[String] {
        &self.parts.subject_names
    }

    /// The silos that the data comes from, if it says so.
    pub const fn natural_silos(&self) -> Option<&NaturalSilos> {
        self.parts.natural_silos.as_ref()
    }

    /// The part that `record` is published in, if the source says so.
    pub fn split(&self, record: RecordId) -> Option<Split> {
        self.parts
            .splits
            .as_ref()
            .map(|splits| splits[record.index()])
    }

    /// Whether the source publishes some records for testing.
    pub fn has_test_split(&self) -> bool {
        self.parts
            .splits
            .as_ref()
            .is_some_and(|splits| splits.contains(&Split::Test))
    }

    /// A digest of the content: features, shape, labels, classes, subjects, silos, splits, not the name.
    pub fn digest(&self) -> Digest {
        let parts = &self.parts;
        let texts = |names: &[String]| {
            combine(
                &names
                    .iter()
                    .map(|name| Digest::of(name.as_bytes()))
                    .collect::<Vec<_>>(),
            )
        };
        let silos = parts
            .natural_silos
            .as_ref()
            .map_or(Digest::of(b""), |silos| {
                combine(&[
                    digest_of_u32s(silos.of_records.iter().map(|silo| silo.0)),
                    texts(&silos.names),
                ])
            });
        let splits = parts.splits.as_ref().map_or(Digest::of(b""), |splits| {
            Digest::of(&splits.iter().map(|&split| split as u8).collect::<Vec<_>>())
        });
        combine(&[
            parts.features.digest(),
            digest_of_u32s(parts.shape.iter().map(|&side| side as u32)),
            parts.labels.digest(),
            texts(&parts.classes),
            digest_of_u32s(parts.subjects.iter().map(|subject| subject.0)),
            texts(&parts.subject_names),
            silos,
            splits,
        ])
    }
}

impl DatasetParts {
    /// The columns that must have an entry for every record.
    fn columns(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let silos = self
            .natural_silos
            .as_ref()
            .map(|silos| ("silo", silos.of_records.len()));
        let splits = self.splits.as_ref().map(|splits| ("split", splits.len()));
        [Some(("subject", self.subjects.len())), silos, splits]
            .into_iter()
            .flatten()
    }

    fn check_labels(&self) -> Result<(), DataError> {
        match &self.labels {
            Labels::Classes(classes) => self.check_classes(classes),
            Labels::Targets(targets) => self.check_targets(targets),
        }
    }

    fn check_targets(&self, targets: &[f32]) -> Result<(), DataError> {
        let fault = |given: String, allowed: &str, remedy: &str| {
            DataError::new(&self.name, given, allowed, remedy).in_column("target")
        };
        if !self.classes.is_empty() {
            let given = format!("targets and {} classes", self.classes.len());
            return Err(fault(given, "one of the two", "leave one out"));
        }
        if matches!(self.features, Features::Tokens(_)) {
            return Err(fault(
                "targets of texts".to_owned(),
                "texts whose label is the character after them",
                "give the texts' numbers as features instead",
            ));
        }
        if let Some(row) = targets.iter().position(|target| !target.is_finite()) {
            let given = format!("{}", targets[row]);
            let remedy = "correct the target or leave the row out";
            return Err(fault(given, "a finite number", remedy).at_row(row));
        }
        let first = targets[0];
        if targets
            .iter()
            .all(|target| target.to_bits() == first.to_bits())
        {
            let given = format!("the target {first} throughout");
            let remedy = "choose another column, or check that the file is complete";
            return Err(fault(given, "targets that differ", remedy));
        }
        Ok(())
    }

    fn check_classes(&self, labels: &[u32]) -> Result<(), DataError> {
        let mut seen = vec![false; self.classes.len()];
        for (row, &label) in labels.iter().enumerate() {
            match seen.get_mut(label as usize) {
                Some(seen) => *seen = true,
                None => {
                    return Err(DataError::new(
                        &self.name,
                        format!("class {label}"),
                        format!("a class below {}", self.classes.len()),
                        "name every class that occurs",
                    )
                    .at_row(row)
                    .in_column("label"));
                }
            }
        }
        if seen.iter().filter(|&&seen| seen).count() < 2 {
            return Err(DataError::new(
                &self.name,
                "records of one class only",
                "at least two classes",
                "choose another label column, or check that the file is complete",
            )
            .in_column("label"));
        }
        Ok(())
    }

    fn check_subjects(&self) -> Result<(), DataError> {
        let mut seen = vec![false; self.subject_names.len()];
        for (row, &subject) in self.subjects.iter().enumerate() {
            match seen.get_mut(subject.index()) {
                Some(seen) => *seen = true,
                None => {
                    return Err(DataError::new(
                        &self.name,
                        subject.to_string(),
                        format!("a subject below {}", self.subject_names.len()),
                        "name every subject that occurs",
                    )
                    .at_row(row)
                    .in_column("subject"));
                }
            }
        }
        match seen.iter().position(|&seen| !seen) {
            Some(i) => Err(DataError::new(
                &self.name,
                format!("subject {:?} without a record", self.subject_names[i]),
                "subjects with at least one record",
                "leave the subject out",
            )
            .in_column("subject")),
            None => Ok(()),
        }
    }

    fn check_silos(&self) -> Result<(), DataError> {
        let Some(silos) = &self.natural_silos else {
            return Ok(());
        };
        match silos
            .of_records
            .iter()
            .position(|silo| silo.index() >= silos.names.len())
        {
            Some(row) => Err(DataError::new(
                &self.name,
                silos.of_records[row].to_string(),
                format!("a silo below {}", silos.names.len()),
                "name every silo that occurs",
            )
            .at_row(row)
            .in_column("silo")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> DatasetParts {
        DatasetParts {
            name: "three.csv".to_owned(),
            features: Features::Floats(vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
            shape: vec![2],
            labels: vec![0, 1, 1].into(),
            classes: vec!["no".to_owned(), "yes".to_owned()],
            subjects: vec![SubjectId(0), SubjectId(1), SubjectId(0)],
            subject_names: vec!["ann".to_owned(), "bo".to_owned()],
            natural_silos: None,
            splits: None,
        }
    }

    #[test]
    fn batches_hold_the_records_asked_for_in_their_order() {
        let dataset = Dataset::try_new(parts()).unwrap();
        let (mut features, mut labels) = (vec![9.0; 100], Labels::from(vec![9; 100]));
        dataset.gather(&[RecordId(2), RecordId(0)], &mut features, &mut labels);
        assert_eq!(features, [4.0, 5.0, 0.0, 1.0]);
        assert_eq!(labels.as_slice(), LabelSlice::Classes(&[1, 0]));
        assert_eq!(
            dataset.subjects().records(SubjectId(0)),
            [RecordId(0), RecordId(2)]
        );
    }

    #[test]
    fn another_subject_has_copies_under_its_own_classes() {
        let dataset = Dataset::try_new(DatasetParts {
            splits: Some(vec![Split::Train, Split::Test, Split::Train]),
            ..parts()
        })
        .unwrap();
        let copies = [
            (RecordId(2), Label::Class(0)),
            (RecordId(1), Label::Class(1)),
        ];
        let (more, subject) = dataset.with_subject("cy", &copies).unwrap();
        assert_eq!((more.len(), subject), (5, SubjectId(2)));
        assert_eq!(more.subjects().records(subject), [RecordId(3), RecordId(4)]);
        assert_eq!((more.class(RecordId(3)), more.class(RecordId(4))), (0, 1));
        assert_eq!(more.split(RecordId(4)), Some(Split::Test));
        let mut features = [0.0; 2];
        more.copy_features(RecordId(3), &mut features);
        assert_eq!(features.map(f32::to_bits), [4.0_f32, 5.0].map(f32::to_bits));
        for record in dataset.records() {
            assert_eq!(more.class(record), dataset.class(record));
            assert_eq!(more.subject(record), dataset.subject(record));
        }
        let refused = |label| dataset.with_subject("cy", &[(RecordId(2), label)]).is_err();
        assert!(refused(Label::Class(7)) && refused(Label::Target(0.5)));
        assert!(dataset.with_subject("cy", &[]).is_err());
    }

    #[test]
    fn the_digest_sees_content_and_not_the_name() {
        let digest = |change: fn(&mut DatasetParts)| {
            let mut parts = parts();
            change(&mut parts);
            Dataset::try_new(parts).unwrap().digest()
        };
        let base = digest(|_| {});
        assert_eq!(base, digest(|parts| parts.name = "other".to_owned()));
        assert_ne!(base, digest(|parts| parts.labels = vec![0, 1, 0].into()));
        assert_ne!(base, digest(|parts| parts.subjects.swap(0, 1)));
        assert_ne!(
            base,
            digest(|parts| parts.splits = Some(vec![Split::Train; 3]))
        );
        assert_ne!(base, digest(|parts| parts.shape = vec![1, 2]));
    }

    #[test]
    fn parts_that_do_not_fit_are_refused_with_the_place() {
        let refusal = |change: fn(&mut DatasetParts)| {
            let mut parts = parts();
            change(&mut parts);
            Dataset::try_new(parts).unwrap_err()
        };
        let error = refusal(|parts| parts.labels = vec![0, 1, 2].into());
        assert_eq!((error.row(), error.column()), (Some(3), Some("label")));
        let error =
            refusal(|parts| parts.features = Features::Floats(vec![0., 0., 0., f32::NAN, 0., 0.]));
        assert_eq!(error.row(), Some(2));
        let error = refusal(|parts| parts.subject_names.push("cy".to_owned()));
        assert!(
            error.to_string().contains("\"cy\" without a record"),
            "{error}"
        );
        let error = refusal(|parts| parts.subjects[1] = SubjectId(7));
        assert_eq!((error.row(), error.column()), (Some(2), Some("subject")));
        let error = refusal(|parts| parts.labels = vec![1, 1, 1].into());
        assert!(
            error.to_string().contains("at least two classes"),
            "{error}"
        );
        let error = refusal(|parts| parts.splits = Some(vec![Split::Train]));
        assert_eq!(error.column(), Some("split"));
        assert!(
            refusal(|parts| parts.shape = vec![3])
                .to_string()
                .contains("[3]")
        );
        assert!(
            refusal(|parts| parts.labels = Labels::default())
                .to_string()
                .contains("0 records")
        );
    }

    #[test]
    fn targets_are_finite_numbers_that_differ() {
        let made = |targets: Vec<f32>, classes: usize| {
            Dataset::try_new(DatasetParts {
                labels: targets.into(),
                classes: vec!["a".to_owned(); classes],
                ..parts()
            })
        };
        let dataset = made(vec![0.5, -1.0, 7.0], 0).unwrap();
        assert_eq!(dataset.label_kind(), LabelKind::Targets);
        assert_eq!(dataset.targets(), Some(&[0.5, -1.0, 7.0][..]));
        let error = made(vec![0.5, f32::NAN, 7.0], 0).unwrap_err();
        assert_eq!((error.row(), error.column()), (Some(2), Some("target")));
        let error = made(vec![0.5; 3], 0).unwrap_err().to_string();
        assert!(error.contains("targets that differ"), "{error}");
        let error = made(vec![0.5, 1.0, 2.0], 1).unwrap_err().to_string();
        assert!(error.contains("targets and 1 classes"), "{error}");
    }
}
