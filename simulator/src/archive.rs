//! A finished run, as its folder keeps it: what attacks and audits begin with when nothing is trained again.

use crate::events::RoundFigures;
use crate::exit::Failure;
use crate::folder::{FolderError, RunFolder};
use crate::recorder::{self, LEDGER};
use crate::session;
use accounting::Ledger;
use report::RunReport;
use scenarios::Resolved;
use std::path::PathBuf;

/// A finished run. No other process works in its folder meanwhile.
#[derive(Debug)]
pub struct Archive {
    /// Where it is.
    pub folder: RunFolder,
    /// Its scenario, data and plan, made anew and found to be the same.
    pub resolved: Resolved,
    /// The figures of every round, round 0 first.
    pub rounds: Vec<RoundFigures>,
    /// What was released.
    pub ledger: Ledger,
    /// The report that it ended with, or that was written since.
    pub report: RunReport,
}

impl Archive {
    /// Opens the folder of a finished run.
    ///
    /// # Errors
    /// If it is no run, not finished, in use or damaged, or if its data is no longer what it was.
    pub fn open(path: PathBuf) -> Result<Self, Failure> {
        if !session::has_begun(&path) {
            return Err(FolderError::NotARun(path).into());
        }
        let Some(finished) = session::finished(&path)? else {
            return Err(unfinished(&path));
        };
        let resolved = session::reopen(&path)?;
        let folder = RunFolder::open(path)?;
        let mut ledger = Ledger::new();
        for entry in recorder::lines(folder.path(), LEDGER)? {
            ledger.append(entry).map_err(Failure::run)?;
        }
        let rounds = recorder::rounds(folder.path())?;
        Ok(Self {
            folder,
            resolved,
            rounds,
            ledger,
            report: finished.report,
        })
    }
}

/// The error about a run that has begun and has no report yet.
pub fn unfinished(path: &std::path::Path) -> Failure {
    Failure::run(format!(
        "{0} has no report yet: finish it with `siloscope resume {0}`",
        path.display()
    ))
}
