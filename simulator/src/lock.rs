//! A folder for one process at a time.

use crate::folder::FolderError;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// Keeps other processes of ours out of a folder for as long as it is held.
///
/// It is let go of by name, not by closing the file alone: a process that another thread is just starting holds a copy
/// of every open file for a moment, and with the copy the lock.
#[derive(Debug)]
pub struct FolderLock(File);

impl FolderLock {
    /// Takes the folder.
    ///
    /// # Errors
    /// If another process is in it, or the system refuses.
    pub fn take(folder: &Path) -> Result<Self, FolderError> {
        let (lock, path) = open(folder)?;
        lock.0.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => FolderError::InUse(folder.to_owned()),
            TryLockError::Error(source) => FolderError::io("lock", &path, source),
        })?;
        Ok(lock)
    }

    /// Waits until no other process of ours is in the folder, if it is there.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn wait(folder: &Path) -> Result<(), FolderError> {
        if !folder.is_dir() {
            return Ok(());
        }
        let (lock, path) = open(folder)?;
        lock.0
            .lock()
            .map_err(|source| FolderError::io("lock", &path, source))
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // If it cannot, closing the file does.
        let _ = self.0.unlock();
    }
}

fn open(folder: &Path) -> Result<(FolderLock, PathBuf), FolderError> {
    let path = folder.join(".lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|source| FolderError::io("open", &path, source))?;
    Ok((FolderLock(file), path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_file_does_not_hold_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let lock = FolderLock::take(folder.path()).unwrap();
        let copy = lock.0.try_clone().unwrap();
        assert!(matches!(
            FolderLock::take(folder.path()),
            Err(FolderError::InUse(_))
        ));
        drop(lock);
        FolderLock::take(folder.path()).unwrap();
        FolderLock::wait(folder.path()).unwrap();
        drop(copy);
    }
}
