//! The run folder: what is on disk, and how it is never half-written.
//!
//! A file is either written whole (`write, fsync, rename`) or appended to and cut back to the length that the
//! last checkpoint recorded. So a run that is killed at any moment leaves a folder from which it can go on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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
    #[error("run folder {0} is in use by another siloscope process: wait for it or stop it")]
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
    } else {
        "restore the file, or run the scenario anew with --fresh"
    }
}

/// A folder that this process alone writes to.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    _lock: File,
}

impl RunFolder {
    /// Opens `path`, making it if it is not there, and keeps other processes out.
    ///
    /// # Errors
    /// If it cannot be made or is in use.
    pub fn open(path: PathBuf) -> Result<Self, FolderError> {
        fs::create_dir_all(&path).map_err(|source| io_error("make folder", &path, source))?;
        let lock_path = path.join(".lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(|source| io_error("open", &lock_path, source))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => FolderError::InUse(path.clone()),
            fs::TryLockError::Error(source) => io_error("lock", &lock_path, source),
        })?;
        Ok(Self { path, _lock: lock })
    }

    /// Removes it with all that is in it.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn remove(self) -> Result<(), FolderError> {
        fs::remove_dir_all(&self.path).map_err(|source| io_error("remove", &self.path, source))
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
    /// If the system refuses; the file's earlier content is then untouched.
    pub fn write(&self, name: impl AsRef<Path>, bytes: &[u8]) -> Result<(), FolderError> {
        write_whole(&self.file(name), bytes)
    }

    /// Appends lines to a journal and returns its new length in bytes.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn append(&self, name: &str, text: &str) -> Result<u64, FolderError> {
        let path = self.file(name);
        let grow = || -> io::Result<u64> {
            let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
            file.write_all(text.as_bytes())?;
            file.sync_data()?;
            Ok(file.metadata()?.len())
        };
        grow().map_err(|source| io_error("append to", &path, source))
    }

    /// Cuts a journal back to the length a checkpoint recorded.
    ///
    /// # Errors
    /// If the system refuses, or if the journal is shorter than recorded.
    pub fn cut(&self, name: &str, length: u64) -> Result<(), FolderError> {
        let path = self.file(name);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|source| io_error("open", &path, source))?;
        let found = file
            .metadata()
            .map_err(|source| io_error("read", &path, source))?
            .len();
        if found < length {
            let what = format!("{found} bytes long, the checkpoint recorded {length}");
            return Err(FolderError::Damaged { path, what });
        }
        file.set_len(length)
            .map_err(|source| io_error("cut", &path, source))
    }
}

/// Reads a whole file of a run folder.
///
/// # Errors
/// If it cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, FolderError> {
    fs::read(path).map_err(|source| io_error("read", path, source))
}

/// Writes a file whole, making its folder if need be.
///
/// # Errors
/// If the system refuses; the file's earlier content is then untouched.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|source| io_error("make folder", folder, source))?;
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
    write().map_err(|source| io_error("write", path, source))
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> FolderError {
    FolderError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_cut_back_to_what_was_recorded() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::open(dir.path().join("run")).unwrap();
        let kept = folder.append("ledger.jsonl", "one\n").unwrap();
        folder.append("ledger.jsonl", "tw").unwrap();
        folder.cut("ledger.jsonl", kept).unwrap();
        assert_eq!(
            fs::read_to_string(folder.file("ledger.jsonl")).unwrap(),
            "one\n"
        );
        assert!(matches!(
            folder.cut("ledger.jsonl", 99),
            Err(FolderError::Damaged { .. })
        ));
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
