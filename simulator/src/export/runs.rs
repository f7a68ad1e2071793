//! Which runs to export, and what is read of each.

use super::args::RunsArgs;
use crate::archive;
use crate::commands;
use crate::exit::Failure;
use crate::folder::FolderError;
use crate::session;
use report::RunReport;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The runs that were named.
#[derive(Debug)]
pub struct Found {
    /// Finished runs: a name of its own for each, and its folder.
    pub runs: Vec<(String, PathBuf)>,
    /// Runs of folders of runs that are not finished.
    pub unfinished: usize,
}

/// A finished run.
#[derive(Debug)]
pub struct Run {
    /// Its name among the others: its folder's.
    pub name: String,
    /// Where it is.
    pub folder: PathBuf,
    /// What it found.
    pub report: RunReport,
    /// How a process of it ended.
    pub exit: crate::exit::Exit,
}

impl Run {
    /// Reads a run that was [found](find).
    ///
    /// # Errors
    /// If it is damaged.
    pub fn open((name, folder): &(String, PathBuf)) -> Result<Self, Failure> {
        let finished = commands::open_finished(folder)?;
        Ok(Self {
            name: name.clone(),
            folder: finished.folder,
            report: finished.report,
            exit: finished.exit,
        })
    }
}

/// The runs behind the paths of a command line: each names a run, or a folder with runs in it or in its `runs/`, as a
/// sweep's has them. Each run counts once.
///
/// # Errors
/// If a path holds no finished run.
pub fn find(args: &RunsArgs) -> Result<Found, Failure> {
    let mut folders = Vec::new();
    let mut unfinished = 0;
    for named in &args.runs {
        let path = commands::find_run(named);
        if session::has_begun(&path) {
            if !session::has_report(&path) {
                return Err(archive::unfinished(&path));
            }
            folders.push(path);
            continue;
        }
        let (finished, others): (Vec<_>, Vec<_>) = runs_below(&path)?
            .into_iter()
            .partition(|run| session::has_report(run));
        if finished.is_empty() {
            return Err(match others.first() {
                Some(first) => archive::unfinished(first),
                None => FolderError::NotARun(path).into(),
            });
        }
        unfinished += others.len();
        folders.extend(finished);
    }
    let mut seen = BTreeSet::new();
    folders.retain(|folder| seen.insert(fs::canonicalize(folder).unwrap_or(folder.clone())));
    Ok(Found {
        runs: named_apart(folders),
        unfinished,
    })
}

/// The run folders in `path/runs`, or else in `path`, by name.
fn runs_below(path: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let below = path.join("runs");
    let folder = if below.is_dir() {
        below
    } else {
        path.to_owned()
    };
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let refused = |source| FolderError::io("list", &folder, source);
    let mut runs = Vec::new();
    for entry in fs::read_dir(&folder).map_err(refused)? {
        let run = entry.map_err(refused)?.path();
        if session::has_begun(&run) {
            runs.push(run);
        }
    }
    runs.sort();
    Ok(runs)
}

/// Runs are called by their folders; those that are called alike, by their paths.
fn named_apart(folders: Vec<PathBuf>) -> Vec<(String, PathBuf)> {
    let name = |folder: &PathBuf| {
        // `.` has no name of its own.
        let whole = fs::canonicalize(folder).unwrap_or(folder.clone());
        whole
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    for folder in &folders {
        *times.entry(name(folder)).or_default() += 1;
    }
    let called = |folder: PathBuf| {
        let name = name(&folder);
        if times[&name] == 1 {
            return (name, folder);
        }
        let path = fs::canonicalize(&folder).unwrap_or(folder.clone());
        let path = path
            .to_string_lossy()
            .trim_start_matches('/')
            .replace('/', "_");
        (path, folder)
    };
    folders.into_iter().map(called).collect()
}
