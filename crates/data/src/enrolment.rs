//! Who joined, where somebody else decided it: a list of subjects and whether they are members.

use crate::load::listed_subjects;
use crate::{DataError, Dataset};
use primitives::{Digest, SubjectId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The `data.membership` table: a CSV or Parquet file that says of each subject whether it is a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentConfig {
    /// The file; its name ends in `.csv` or `.parquet`.
    pub file: PathBuf,
    /// The column with the subject, as the data names it.
    #[serde(default = "EnrolmentConfig::subject")]
    pub subject: String,
    /// The column that says whether it is a member: 1 or 0, true or false, yes or no.
    #[serde(default = "EnrolmentConfig::member")]
    pub member: String,
}

/// Subjects of a data set, by whether they are members. Those that are not listed are neither.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    listed: BTreeMap<SubjectId, bool>,
    digest: Digest,
}

impl EnrolmentConfig {
    /// Reads the list and finds its subjects in `dataset`. A relative path starts at `folder`.
    ///
    /// A subject may be listed more than once, as in a table of records, if all its rows agree.
    ///
    /// # Errors
    /// If the file cannot be read, a cell is neither yes nor no, a subject is not in the data, or its rows disagree.
    pub fn read(&self, folder: &Path, dataset: &Dataset) -> Result<Enrolment, DataError> {
        let path = folder.join(&self.file);
        let rows = listed_subjects(&path, &self.subject, &self.member)?;
        let ids: BTreeMap<&str, SubjectId> = dataset
            .subject_names()
            .iter()
            .zip(0..)
            .map(|(name, id)| (name.as_str(), SubjectId(id)))
            .collect();
        let mut listed = BTreeMap::new();
        let mut canonical = String::new();
        for (row, (name, member)) in rows.iter().enumerate() {
            let fault = |given: String, allowed: &str, remedy: &str| {
                DataError::new(path.display(), given, allowed, remedy)
                    .at_row(row)
                    .in_column(&self.subject)
            };
            let Some(&subject) = ids.get(name.as_str()) else {
                let allowed = format!("a subject of {}", dataset.name());
                let remedy = "write subjects as the data names them, or leave the row out";
                return Err(fault(format!("{name:?}"), &allowed, remedy));
            };
            if listed.insert(subject, *member) == Some(!member) {
                let given = format!("{name:?} as a member and as none");
                return Err(fault(given, "one of the two", "correct one of its rows"));
            }
        }
        for (subject, member) in &listed {
            // Writing to a text cannot fail.
            let _ = writeln!(canonical, "{} {member}", subject.0);
        }
        Ok(Enrolment {
            digest: Digest::of(canonical.as_bytes()),
            listed,
        })
    }

    fn subject() -> String {
        "subject".to_owned()
    }

    fn member() -> String {
        "member".to_owned()
    }
}

impl Enrolment {
    /// Whether `subject` is a member; `None` if it is not listed.
    pub fn of(&self, subject: SubjectId) -> Option<bool> {
        self.listed.get(&subject).copied()
    }

    /// Everyone who is listed, in id order.
    pub fn subjects(&self) -> impl Iterator<Item = SubjectId> {
        self.listed.keys().copied()
    }

    /// The members, in id order.
    pub fn members(&self) -> Vec<SubjectId> {
        let members = self.listed.iter().filter(|&(_, &member)| member);
        members.map(|(&subject, _)| subject).collect()
    }

    /// What tells two lists apart: part of a plan.
    pub const fn digest(&self) -> Digest {
        self.digest
    }
}
