//! A folder, or a piece of work, for one process at a time.

use crate::folder::FolderError;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

/// What keeps processes of ours apart in a folder.
const OF_FOLDER: &str = ".lock";

/// Keeps other processes of ours out for as long as it is held.
///
/// It is let go of by name, not by closing the file alone: a process that another thread is just starting holds a copy
/// of every open file for a moment, and with the copy the lock.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Takes the lock that this file is, made if it is not there; none if another process has it.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn try_take(path: &Path) -> Result<Option<Self>, FolderError> {
        let lock = Self::open(path)?;
        match lock.0.try_lock() {
            Ok(()) => Ok(Some(lock)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(FolderError::io("lock", path, source)),
        }
    }

    /// Takes the lock that this file is, once no other process has it.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn take(path: &Path) -> Result<Self, FolderError> {
        let lock = Self::open(path)?;
        let taken = lock.0.lock();
        taken.map_err(|source| FolderError::io("lock", path, source))?;
        Ok(lock)
    }

    /// Takes a folder.
    ///
    /// # Errors
    /// If another process is in it, or the system refuses.
    pub fn folder(folder: &Path) -> Result<Self, FolderError> {
        Self::try_take(&folder.join(OF_FOLDER))?
            .ok_or_else(|| FolderError::InUse(folder.to_owned()))
    }

    /// Waits until no other process of ours is in the folder, if it is there.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn wait(folder: &Path) -> Result<(), FolderError> {
        if folder.is_dir() {
            Self::take(&folder.join(OF_FOLDER))?;
        }
        Ok(())
    }

    fn open(path: &Path) -> Result<Self, FolderError> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(|source| FolderError::io("open", path, source))?;
        Ok(Self(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // If it cannot, closing the file does.
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_file_does_not_hold_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::folder(folder.path()).unwrap();
        let copy = lock.0.try_clone().unwrap();
        assert!(matches!(
            Lock::folder(folder.path()),
            Err(FolderError::InUse(_))
        ));
        drop(lock);
        Lock::folder(folder.path()).unwrap();
        Lock::wait(folder.path()).unwrap();
        drop(copy);
    }
}
