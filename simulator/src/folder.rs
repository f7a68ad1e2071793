//! The run folder: what is on disk, and how it is never half-written.
//!
//! A file is either written whole (`write, fsync, rename`) or appended to and cut back to the length that the
//! last checkpoint recorded. So a run that is killed at any moment leaves a folder from which it can go on.
//! Files are written [behind the back](Disk) of whoever hands them over, in their order.

use crate::disk::{Disk, Job};
use crate::exit::Failure;
use crate::lock::Lock;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What can go wrong with a run folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The system refused.
    #[error("cannot {action} {path}: {source}; {}", remedy_of(source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Another process works in it.
    #[error("folder {0} is in use by another siloscope process: wait for it or stop it")]
    InUse(PathBuf),
    /// It is not a run folder.
    #[error(
        "{0} is not a run folder: it has no plan.json; name a folder that `siloscope run` made (they are under runs/)"
    )]
    NotARun(PathBuf),
    /// A newer version wrote it.
    #[error(
        "run folder {path} has format {found}, this siloscope reads up to {known}: use the siloscope that wrote it, or a newer one"
    )]
    Newer {
        /// The folder.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format known.
        known: u32,
    },
    /// A file of it is damaged.
    #[error("{path} is damaged ({what}): {}", remedy_for(path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

/// What to do when the system refuses.
fn remedy_of(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "check the path; a file that a run folder lacks is restored, or the scenario run anew with --fresh"
        }
        io::ErrorKind::PermissionDenied => {
            "change the permissions or choose another place with --out"
        }
        _ => {
            "free space or choose another place with --out; a run that had begun goes on with `siloscope resume`"
        }
    }
}

/// What to do about a damaged file of a run folder.
fn remedy_for(path: &Path) -> &'static str {
    let folder = path.parent().and_then(Path::file_name);
    let name = path.file_name();
    if folder.is_some_and(|folder| folder == "checkpoints") {
        "remove the file and `siloscope resume` goes on from the round before, or run the scenario anew with --fresh"
    } else if name.is_some_and(|name| name.as_encoded_bytes().starts_with(b"shadow-")) {
        "remove the file and the shadow federation is trained again"
    } else if name.is_some_and(|name| name == "report.json") {
        "remove the file and `siloscope resume` writes it again"
    } else if name.is_some_and(|name| name == "submitted.json") {
        "cancel what is in the engine's queue and remove the file; what is not done is then submitted again"
    } else {
        "restore the file, or run the scenario anew with --fresh"
    }
}

impl FolderError {
    /// The system refused `action` on `path`.
    pub fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

/// A folder that this process alone writes to.
///
/// What is handed over is on disk after [`settle`](Self::settle), or before what [`then`](Self::then) is given.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// Lengths of journals with all that was handed over.
    lengths: Mutex<BTreeMap<String, u64>>,
    // Dropped in this order: the lock is held until everything is written.
    disk: Disk,
    _lock: Lock,
}

impl RunFolder {
    /// Opens `path`, making it if it is not there, and keeps other processes out.
    ///
    /// # Errors
    /// If it cannot be made or is in use.
    pub fn open(path: PathBuf) -> Result<Self, FolderError> {
        fs::create_dir_all(&path)
            .map_err(|source| FolderError::io("make folder", &path, source))?;
        let lock = Lock::folder(&path)?;
        Ok(Self {
            path,
            lengths: Mutex::new(BTreeMap::new()),
            disk: Disk::new(),
            _lock: lock,
        })
    }

    /// Removes it with all that is in it.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn remove(self) -> Result<(), Failure> {
        self.settle()?;
        fs::remove_dir_all(&self.path)
            .map_err(|source| FolderError::io("remove", &self.path, source).into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it.
    pub fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file whole: to a temporary name, flushed to the disk, then renamed.
    ///
    /// # Errors
    /// If something that was handed over before could not be written. If this file cannot, its earlier content is
    /// untouched, and what is handed over next fails.
    pub fn write(&self, name: impl AsRef<Path>, bytes: impl Into<Vec<u8>>) -> Result<(), Failure> {
        self.disk.hand(Job::Write {
            path: self.file(name),
            bytes: bytes.into(),
            seal: false,
        })
    }

    /// Writes a file that says that all that was handed over before it is there.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn seal(&self, name: impl AsRef<Path>, bytes: impl Into<Vec<u8>>) -> Result<(), Failure> {
        self.disk.hand(Job::Write {
            path: self.file(name),
            bytes: bytes.into(),
            seal: true,
        })
    }

    /// Appends lines to a journal and returns the length that this makes, in bytes.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn append(&self, name: &str, text: String) -> Result<u64, Failure> {
        let mut lengths = self.lengths.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.file(name);
        let known = match lengths.get(name) {
            Some(&length) => length,
            None => fs::metadata(&path).map_or(0, |found| found.len()),
        };
        let length = known + text.len() as u64;
        lengths.insert(name.to_owned(), length);
        self.disk.hand(Job::Append {
            path,
            text,
            lasting: true,
        })?;
        Ok(length)
    }

    /// Appends lines to a file whose end may be lost in a power cut.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn jot(&self, name: &str, text: String) -> Result<(), Failure> {
        self.disk.hand(Job::Append {
            path: self.file(name),
            text,
            lasting: false,
        })
    }

    /// Does something once all that was handed over before is on disk; not if any of it could not be written.
    ///
    /// # Errors
    /// As [`write`](Self::write); a failure of `afterwards` counts like one of writing.
    pub fn then(
        &self,
        afterwards: impl FnOnce() -> Result<(), Failure> + Send + 'static,
    ) -> Result<(), Failure> {
        self.disk.hand(Job::Then(Box::new(afterwards)))
    }

    /// Waits until all that was handed over is on disk.
    ///
    /// # Errors
    /// If any of it could not be written.
    pub fn settle(&self) -> Result<(), Failure> {
        self.disk.settle()
    }

    /// Removes a file, if it is there. What was handed over before need not be on disk yet.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn discard(&self, name: &str) -> Result<(), FolderError> {
        let path = self.file(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(FolderError::io("remove", &path, source))
            }
            _ => Ok(()),
        }
    }

    /// Cuts a journal back to the length a checkpoint recorded.
    ///
    /// # Errors
    /// If the system refuses, or if the journal is shorter than recorded.
    pub fn cut(&self, name: &str, length: u64) -> Result<(), Failure> {
        self.settle()?;
        let path = self.file(name);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|source| FolderError::io("open", &path, source))?;
        let found = file
            .metadata()
            .map_err(|source| FolderError::io("read", &path, source))?
            .len();
        if found < length {
            let what = format!("{found} bytes long, the checkpoint recorded {length}");
            return Err(FolderError::Damaged { path, what }.into());
        }
        file.set_len(length)
            .map_err(|source| FolderError::io("cut", &path, source))?;
        let mut lengths = self.lengths.lock().unwrap_or_else(PoisonError::into_inner);
        lengths.insert(name.to_owned(), length);
        Ok(())
    }
}

/// Reads a whole file of a run folder.
///
/// # Errors
/// If it cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, FolderError> {
    fs::read(path).map_err(|source| FolderError::io("read", path, source))
}

/// Writes a file whole, making its folder if need be.
///
/// # Errors
/// If the system refuses; the file's earlier content is then untouched.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|source| FolderError::io("make folder", folder, source))?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = folder.join(name);
    let write = || -> io::Result<()> {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        // The rename itself is durable once the folder is.
        File::open(if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        })?
        .sync_all()
    };
    write().map_err(|source| FolderError::io("write", path, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_cut_back_to_what_was_recorded() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::open(dir.path().join("run")).unwrap();
        let kept = folder.append("ledger.jsonl", "one\n".to_owned()).unwrap();
        folder.append("ledger.jsonl", "tw".to_owned()).unwrap();
        folder.cut("ledger.jsonl", kept).unwrap();
        assert_eq!(folder.append("ledger.jsonl", "x".to_owned()).unwrap(), 5);
        folder.cut("ledger.jsonl", kept).unwrap();
        assert_eq!(
            fs::read_to_string(folder.file("ledger.jsonl")).unwrap(),
            "one\n"
        );
        let failure = folder.cut("ledger.jsonl", 99).unwrap_err();
        assert!(failure.message.contains("is damaged"), "{failure}");
    }

    #[test]
    fn a_second_process_is_kept_out() {
        let dir = tempfile::tempdir().unwrap();
        let _first = RunFolder::open(dir.path().to_owned()).unwrap();
        assert!(matches!(
            RunFolder::open(dir.path().to_owned()),
            Err(FolderError::InUse(_))
        ));
    }

    #[test]
    fn a_whole_file_replaces_the_one_before_and_leaves_no_temporary() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/plan.json");
        write_whole(&path, b"1").unwrap();
        write_whole(&path, b"22").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"22");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
