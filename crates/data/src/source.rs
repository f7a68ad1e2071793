//! Where records come from, as a scenario writes it.
//!
//! A source is a name (`"mnist_writers"`) or a table whose first key says the kind:
//! `{ csv = "people.csv", label = "ill", subject = "person" }`. The table is read whole and then sorted
//! out by kind, so that a key that does not belong is named together with those that do.

use crate::builtin::BuiltIn;
use crate::load::{self, Columns, LabelColumn};
use crate::synthetic::SyntheticConfig;
use crate::{DataError, Dataset};
use primitives::Seed;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::path::{Path, PathBuf};

/// Where records come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A set that travels with the program, by name.
    BuiltIn(&'static BuiltIn),
    /// A Parquet file with one row a record.
    Parquet(PathBuf, Columns),
    /// A CSV file with a header and one row a record.
    Csv(PathBuf, Columns),
    /// Images and labels as MNIST publishes them, and a CSV file with the subject of every image.
    Idx {
        /// IDX file of images.
        images: PathBuf,
        /// IDX file of labels.
        labels: PathBuf,
        /// CSV file with the columns `subject` and, if wanted, `silo` and `split`; one row an image.
        subjects: PathBuf,
    },
    /// A JSON file as LEAF writes it, or a folder of them.
    Leaf(PathBuf),
    /// A generator.
    Synthetic(SyntheticConfig),
}

/// The keys that a table of records takes besides its file.
const TABULAR: &str = "label or target, subject, silo, split, features and shape";

/// A source table as it is written.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(skip_serializing_if = "Option::is_none")]
    parquet: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    csv: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idx: Option<IdxFiles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leaf: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    synthetic: Option<SyntheticConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    silo: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    split: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    features: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shape: Option<Vec<usize>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subjects: Option<PathBuf>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct IdxFiles {
    images: PathBuf,
    labels: PathBuf,
}

impl Source {
    /// The built-in set of this name.
    ///
    /// # Errors
    /// If there is none; the error lists those there are.
    pub fn built_in(name: &str) -> Result<Self, UnknownBuiltIn> {
        BuiltIn::by_name(name)
            .map(Self::BuiltIn)
            .ok_or_else(|| UnknownBuiltIn(name.to_owned()))
    }

    /// Loads or generates the data; see [`crate::DataConfig::load`].
    ///
    /// # Errors
    /// If a file cannot be read or holds something that cannot be used.
    pub fn load(&self, folder: &Path, seed: &Seed) -> Result<Dataset, DataError> {
        match self {
            Self::BuiltIn(set) => set.load(),
            Self::Parquet(path, columns) => load::parquet_file(&folder.join(path), columns),
            Self::Csv(path, columns) => load::csv_file(&folder.join(path), columns),
            Self::Idx {
                images,
                labels,
                subjects,
            } => load::idx_files(
                &folder.join(images),
                &folder.join(labels),
                &folder.join(subjects),
            ),
            Self::Leaf(path) => load::leaf_files(&folder.join(path)),
            Self::Synthetic(config) => config.generate(seed),
        }
    }

    /// The files that are read, made absolute or relative to where `folder` is: what a plan hashes.
    pub fn files(&self, folder: &Path) -> Vec<PathBuf> {
        match self {
            Self::BuiltIn(_) | Self::Synthetic(_) => Vec::new(),
            Self::Parquet(path, _) | Self::Csv(path, _) | Self::Leaf(path) => {
                vec![folder.join(path)]
            }
            Self::Idx {
                images,
                labels,
                subjects,
            } => [images, labels, subjects]
                .map(|path| folder.join(path))
                .to_vec(),
        }
    }
}

/// A name that no built-in set has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no built-in data set is called {0:?}; there are {names}; a file is written as a table, e.g. \
     {{ csv = \"people.csv\", label = \"ill\", subject = \"person\" }}",
    names = crate::builtin::names()
)]
pub struct UnknownBuiltIn(String);

/// A source table whose keys do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum SourceError {
    #[error(
        "a source table has exactly one of the keys parquet, csv, idx, leaf, synthetic; given {0}"
    )]
    Kinds(usize),
    #[error("source.{key} does not belong to a source of kind {kind}; {kind} takes {allowed}")]
    Foreign {
        key: &'static str,
        kind: &'static str,
        allowed: &'static str,
    },
    #[error(
        "a source has a label (a class to predict) or a target (a number to predict), not both: leave one out"
    )]
    LabelAndTarget,
    #[error("a source of kind {kind} needs the key {key}: {meaning}")]
    Missing {
        kind: &'static str,
        key: &'static str,
        meaning: &'static str,
    },
}

impl TryFrom<Table> for Source {
    type Error = SourceError;

    fn try_from(table: Table) -> Result<Self, SourceError> {
        let kinds = [
            table.parquet.is_some(),
            table.csv.is_some(),
            table.idx.is_some(),
            table.leaf.is_some(),
            table.synthetic.is_some(),
        ];
        let given = kinds.iter().filter(|&&given| given).count();
        if given != 1 {
            return Err(SourceError::Kinds(given));
        }
        let (kind, allowed) = match kinds.iter().position(|&given| given) {
            Some(0) => ("parquet", TABULAR),
            Some(1) => ("csv", TABULAR),
            Some(2) => ("idx", "subjects"),
            Some(3) => ("leaf", "no other key"),
            _ => ("synthetic", "no other key"),
        };
        let tabular = kinds[0] || kinds[1];
        let present = [
            ("label", table.label.is_some(), tabular),
            ("target", table.target.is_some(), tabular),
            ("subject", table.subject.is_some(), tabular),
            ("silo", table.silo.is_some(), tabular),
            ("split", table.split.is_some(), tabular),
            ("features", table.features.is_some(), tabular),
            ("shape", table.shape.is_some(), tabular),
            ("subjects", table.subjects.is_some(), kinds[2]),
        ];
        if let Some((key, ..)) = present.into_iter().find(|&(_, given, fits)| given && !fits) {
            return Err(SourceError::Foreign { key, kind, allowed });
        }
        let need = |value: Option<String>, key, meaning| {
            value.ok_or(SourceError::Missing { kind, key, meaning })
        };
        if let Some(idx) = table.idx {
            let meaning = "a CSV file with a column subject and one row an image";
            let missing = SourceError::Missing {
                kind,
                key: "subjects",
                meaning,
            };
            let subjects = table.subjects.ok_or(missing)?;
            return Ok(Self::Idx {
                images: idx.images,
                labels: idx.labels,
                subjects,
            });
        }
        if let Some(path) = table.leaf {
            return Ok(Self::Leaf(path));
        }
        if let Some(config) = table.synthetic {
            return Ok(Self::Synthetic(config));
        }
        let columns = Columns {
            label: match (table.label, table.target) {
                (Some(label), None) => LabelColumn::Class(label),
                (None, Some(target)) => LabelColumn::Target(target),
                (Some(_), Some(_)) => return Err(SourceError::LabelAndTarget),
                (None, None) => {
                    let meaning = "the column with the class of a record; or target: the column with the number that is to be predicted";
                    return Err(SourceError::Missing {
                        kind,
                        key: "label",
                        meaning,
                    });
                }
            },
            subject: need(
                table.subject,
                "subject",
                "the column that says whom a record is about",
            )?,
            silo: table.silo,
            split: table.split,
            features: table.features,
            shape: table.shape,
        };
        Ok(match (table.parquet, table.csv) {
            (Some(path), _) => Self::Parquet(path, columns),
            (None, path) => Self::Csv(path.unwrap_or_default(), columns),
        })
    }
}

impl From<&Source> for Table {
    fn from(source: &Source) -> Self {
        let tabular = |columns: &Columns| Self {
            label: match &columns.label {
                LabelColumn::Class(name) => Some(name.clone()),
                LabelColumn::Target(_) => None,
            },
            target: match &columns.label {
                LabelColumn::Class(_) => None,
                LabelColumn::Target(name) => Some(name.clone()),
            },
            subject: Some(columns.subject.clone()),
            silo: columns.silo.clone(),
            split: columns.split.clone(),
            features: columns.features.clone(),
            shape: columns.shape.clone(),
            ..Self::default()
        };
        match source.clone() {
            Source::BuiltIn(_) => Self::default(),
            Source::Parquet(path, columns) => Self {
                parquet: Some(path),
                ..tabular(&columns)
            },
            Source::Csv(path, columns) => Self {
                csv: Some(path),
                ..tabular(&columns)
            },
            Source::Idx {
                images,
                labels,
                subjects,
            } => Self {
                idx: Some(IdxFiles { images, labels }),
                subjects: Some(subjects),
                ..Self::default()
            },
            Source::Leaf(path) => Self {
                leaf: Some(path),
                ..Self::default()
            },
            Source::Synthetic(config) => Self {
                synthetic: Some(config),
                ..Self::default()
            },
        }
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::BuiltIn(set) => serializer.serialize_str(set.name),
            other => Table::from(other).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrTable;

        impl<'de> Visitor<'de> for NameOrTable {
            type Value = Source;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "the name of a built-in data set or a table that names a file or a generator",
                )
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Source, E> {
                Source::built_in(name).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Source, A::Error> {
                let table = Table::deserialize(MapAccessDeserializer::new(map))?;
                Source::try_from(table).map_err(A::Error::custom)
            }
        }

        deserializer.deserialize_any(NameOrTable)
    }
}
