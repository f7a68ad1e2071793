//! The folder of a sweep: its list of tasks, and what has become of each.
//!
//! ```text
//! sweeps/<name>/scenario.toml   the scenario with its [sweep]
//!               sweep.json      what is swept: factors, seeds, design
//!               tasks.json      every task, whole: an array that any engine can take
//!               runs/<id>/      one run folder a task; it is done when its report.json is there
//!               failed/<id>.json  why the last try of a task came to nothing
//! ```
//!
//! An id is a digest of what is run. A sweep that is planned again with more levels or seeds keeps what is done.

use super::args::SweepArgs;
use crate::exit::{Exit, Failure};
use crate::folder::{self, FolderError};
use crate::lock::Lock;
use crate::session;
use primitives::Digest;
use scenarios::{Factor, SweepFile, SweepTask};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const FORMAT: u32 = 1;
const HEADER: &str = "sweep.json";
/// The list of tasks in the folder.
pub const TASKS: &str = "tasks.json";

/// What a sweep is, beside its tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepHeader {
    /// Version of the folder.
    pub format: u32,
    /// What it is called.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Digest of the list of tasks.
    pub digest: Digest,
    /// Which points it has.
    pub design: String,
    /// The seeds of its tasks.
    pub seeds: Vec<u64>,
    /// Its factors.
    pub factors: Vec<Factor>,
}

/// Why the last try of a task came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedTask {
    /// What its process ended with; none if it was killed.
    pub exit_code: Option<u8>,
    /// What it said.
    pub message: String,
}

/// What has become of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// Its report is there.
    Done,
    /// Its last try came to nothing.
    Failed(FailedTask),
    /// It was not run yet, is under way, or was lost.
    Missing,
}

/// The folder of a planned sweep.
#[derive(Debug)]
pub struct SweepFolder {
    path: PathBuf,
    header: SweepHeader,
    tasks: Vec<SweepTask>,
}

impl SweepFolder {
    /// The sweep in a folder, or the one that a scenario stands for, written below `out`.
    ///
    /// # Errors
    /// If it is neither, or changes are given for a sweep that is planned.
    pub fn of(args: &SweepArgs) -> Result<Self, Failure> {
        let changes = args.changes();
        let Some(path) = find(&args.sweep) else {
            let file = SweepFile::open(&args.sweep.to_string_lossy(), &changes);
            return Self::write(&file.map_err(Failure::scenario)?, &args.out);
        };
        if !changes.is_empty() {
            let message = format!(
                "{} is planned already, --set and --device change a scenario: give the scenario file instead",
                path.display()
            );
            return Err(Failure::new(Exit::Usage, message));
        }
        Self::open(&path)
    }

    /// Writes the folder of a sweep. What is done there stays.
    ///
    /// # Errors
    /// If the system refuses.
    fn write(file: &SweepFile, out: &Path) -> Result<Self, Failure> {
        let tasks = serde_json::to_vec_pretty(&file.tasks).map_err(Failure::run)?;
        let seeds: BTreeSet<u64> = file.tasks.iter().map(|task| task.seed).collect();
        let header = SweepHeader {
            format: FORMAT,
            name: file.name.clone(),
            description: file.description.clone(),
            digest: Digest::of(&tasks),
            design: file.design.name().to_owned(),
            seeds: seeds.into_iter().collect(),
            factors: file.factors.clone(),
        };
        let path = out.join(&file.name);
        let write = |name: &str, bytes: &[u8]| folder::write_whole(&path.join(name), bytes);
        write("scenario.toml", file.text.as_bytes())?;
        write(TASKS, &tasks)?;
        let bytes = serde_json::to_vec_pretty(&header).map_err(Failure::run)?;
        write(HEADER, &bytes)?;
        Ok(Self {
            path,
            header,
            tasks: file.tasks.clone(),
        })
    }

    /// Opens the folder of a planned sweep.
    ///
    /// # Errors
    /// If it is none, one of a newer format, or damaged.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let Some(path) = find(path) else {
            let message = format!(
                "{} is not the folder of a sweep: it has no {HEADER}; `siloscope sweep plan SCENARIO` makes one",
                path.display()
            );
            return Err(Failure::new(Exit::Usage, message));
        };
        let file = path.join(HEADER);
        let bytes = folder::read(&file)?;
        let damaged = |path: PathBuf, error: serde_json::Error| FolderError::Damaged {
            path,
            what: error.to_string(),
        };
        let header: SweepHeader =
            serde_json::from_slice(&bytes).map_err(|error| damaged(file, error))?;
        if header.format > FORMAT {
            return Err(FolderError::Newer {
                path,
                found: header.format,
                known: FORMAT,
            }
            .into());
        }
        let tasks = read_tasks(&path.join(TASKS))?;
        Ok(Self {
            path,
            header,
            tasks,
        })
    }

    /// Keeps a second pool out for as long as it is held.
    ///
    /// # Errors
    /// If there is one, or the system refuses.
    pub fn lock(&self) -> Result<Lock, Failure> {
        Ok(Lock::folder(&self.path)?)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is swept.
    pub const fn header(&self) -> &SweepHeader {
        &self.header
    }

    /// Its tasks, in their order.
    pub fn tasks(&self) -> &[SweepTask] {
        &self.tasks
    }

    /// Its list of tasks.
    pub fn list(&self) -> PathBuf {
        self.path.join(TASKS)
    }

    /// What has become of a task.
    ///
    /// # Errors
    /// If what is written of it cannot be read.
    pub fn state(&self, task: &SweepTask) -> Result<TaskState, Failure> {
        TaskPlace::new(&self.path, &task.id).state()
    }

    /// Where a task is run.
    pub fn place(&self, task: &SweepTask) -> TaskPlace {
        TaskPlace::new(&self.path, &task.id)
    }
}

/// Where one task of a sweep is run.
#[derive(Clone, Debug)]
pub struct TaskPlace {
    run: PathBuf,
    failed: PathBuf,
}

impl TaskPlace {
    fn new(sweep: &Path, id: &str) -> Self {
        Self {
            run: sweep.join("runs").join(id),
            failed: sweep.join("failed").join(format!("{id}.json")),
        }
    }

    /// Its run folder.
    pub fn run(&self) -> &Path {
        &self.run
    }

    /// What has become of it.
    ///
    /// # Errors
    /// If what is written of its failure cannot be read.
    pub fn state(&self) -> Result<TaskState, Failure> {
        if session::has_report(&self.run) {
            return Ok(TaskState::Done);
        }
        if !self.failed.exists() {
            return Ok(TaskState::Missing);
        }
        let bytes = folder::read(&self.failed)?;
        let failed = serde_json::from_slice(&bytes).map_err(|error| FolderError::Damaged {
            path: self.failed.clone(),
            what: error.to_string(),
        })?;
        Ok(TaskState::Failed(failed))
    }

    /// Writes down why a try came to nothing.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn fail(&self, failed: &FailedTask) -> Result<(), Failure> {
        let bytes = serde_json::to_vec_pretty(failed).map_err(Failure::run)?;
        Ok(folder::write_whole(&self.failed, &bytes)?)
    }

    /// Forgets that a try came to nothing.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn clear(&self) -> Result<(), Failure> {
        match fs::remove_file(&self.failed) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(FolderError::io("remove", &self.failed, source).into())
            }
            _ => Ok(()),
        }
    }
}

/// A task by its list and its place in it, or its id: `sweeps/study/tasks.json:17`.
///
/// # Errors
/// If there is no such list or no such task in it.
pub fn task(name: &str) -> Result<(SweepTask, TaskPlace), Failure> {
    let usage = |message: String| Failure::new(Exit::Usage, message);
    let (list, which) = name.rsplit_once(':').ok_or_else(|| {
        usage(format!(
            "{name:?} names no task: write TASKS.json:INDEX or TASKS.json:ID, e.g. sweeps/study/tasks.json:17"
        ))
    })?;
    let list = Path::new(list);
    let tasks = read_tasks(list)?;
    let count = tasks.len();
    let found = tasks
        .into_iter()
        .find(|task| task.id == which || task.index.to_string() == which);
    let task = found.ok_or_else(|| {
        usage(format!(
            "{} has {count} tasks, numbered from 0, and none is {which:?}",
            list.display()
        ))
    })?;
    let place = TaskPlace::new(list.parent().unwrap_or(Path::new(".")), &task.id);
    Ok((task, place))
}

fn read_tasks(path: &Path) -> Result<Vec<SweepTask>, Failure> {
    let bytes = folder::read(path)?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let what = error.to_string();
        FolderError::Damaged {
            path: path.to_owned(),
            what,
        }
        .into()
    })
}

/// The folder of a sweep by path, or by its name under `sweeps/`; none if there is none.
fn find(sweep: &Path) -> Option<PathBuf> {
    [sweep.to_owned(), Path::new("sweeps").join(sweep)]
        .into_iter()
        .find(|path| path.join(HEADER).exists())
}
