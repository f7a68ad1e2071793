//! Which jobs of which engine have which tasks: `submitted.json` in the sweep's folder.

use super::engine::{Handle, Part};
use crate::exit::Failure;
use crate::folder::{self, FolderError};
use crate::sweep::args::EngineArg;
use crate::sweep::folder::SweepFolder;
use primitives::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const RECORD: &str = "submitted.json";
const FORMAT: u32 = 1;

/// A job that was handed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// To which engine.
    pub engine: EngineArg,
    /// Its id there.
    pub id: String,
    /// Which server gave the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The index of the task whose number in the job is 0.
    pub offset: usize,
    /// Digest of the list that the indices are of.
    pub list: Digest,
    /// The ids of its tasks by index.
    pub tasks: BTreeMap<usize, String>,
}

/// All jobs that may have something left to run.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    format: u32,
    /// The jobs, the oldest first.
    pub jobs: Vec<Job>,
}

impl Job {
    /// A job that its engine knows as `handle`.
    pub fn new(engine: EngineArg, handle: Handle, part: &Part, folder: &SweepFolder) -> Self {
        let id = |&task: &usize| (task, folder.tasks()[task].id.clone());
        Self {
            engine,
            id: handle.id,
            server: handle.server,
            offset: part.offset,
            list: folder.header().digest,
            tasks: part.tasks.iter().map(id).collect(),
        }
    }
}

impl Record {
    /// The record of a sweep; an empty one if nothing was submitted.
    ///
    /// # Errors
    /// If it is damaged, or of a newer format.
    pub fn read(sweep: &SweepFolder) -> Result<Self, Failure> {
        let path = sweep.path().join(RECORD);
        if !path.exists() {
            return Ok(Self {
                format: FORMAT,
                jobs: Vec::new(),
            });
        }
        let bytes = folder::read(&path)?;
        let record: Self =
            serde_json::from_slice(&bytes).map_err(|error| FolderError::Damaged {
                path: path.clone(),
                what: error.to_string(),
            })?;
        if record.format > FORMAT {
            return Err(FolderError::Newer {
                path,
                found: record.format,
                known: FORMAT,
            }
            .into());
        }
        Ok(record)
    }

    /// Writes it.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write(&self, sweep: &SweepFolder) -> Result<(), Failure> {
        let bytes = serde_json::to_vec_pretty(self).map_err(Failure::run)?;
        Ok(folder::write_whole(&sweep.path().join(RECORD), &bytes)?)
    }
}
