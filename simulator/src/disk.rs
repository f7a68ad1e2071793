//! What puts a run folder's files on disk while the run goes on.
//!
//! Waiting for a disk takes a small run longer than training. So files are handed to a thread of their own. It writes
//! them in the order in which they were handed over, and what has come together meanwhile it writes first and then
//! waits for once: each journal, each new file and each folder, not each of them for each round.
//!
//! Some files are *seals*: a plan, a checkpoint, a report in JSON say that whatever was handed over before them is
//! there. A seal gets its name when all that is on disk, so whatever a kill or a power cut leaves, nothing is missing
//! of what the last seal speaks of.

use crate::exit::Failure;
use crate::folder::FolderError;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// Files that may wait to be written; whoever hands over more waits.
const MOST_WAITING: usize = 32;

/// What is done once all that came before is on disk.
type Afterwards = Box<dyn FnOnce() -> Result<(), Failure> + Send>;

/// What is handed over.
pub enum Job {
    /// More of a journal. One that does not last may end early after a power cut.
    Append {
        /// The journal.
        path: PathBuf,
        /// What is added.
        text: String,
        /// Whether seals speak of it.
        lasting: bool,
    },
    /// A whole file, in place of the one before.
    Write {
        /// The file.
        path: PathBuf,
        /// All of it.
        bytes: Vec<u8>,
        /// Whether it says that what came before is there.
        seal: bool,
    },
    /// Something to do then; not if anything failed.
    Then(Afterwards),
    /// Someone waits for what came before.
    Settle(SyncSender<()>),
}

/// The thread that writes.
#[derive(Debug)]
pub struct Disk {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    failed: Arc<Mutex<Option<Failure>>>,
}

impl Disk {
    /// A thread with nothing to do.
    pub fn new() -> Self {
        let (jobs, waiting) = sync_channel(MOST_WAITING);
        let failed = Arc::new(Mutex::new(None));
        let writer = Writer {
            journals: BTreeMap::new(),
            failed: Arc::clone(&failed),
        };
        Self {
            jobs: Some(jobs),
            thread: Some(thread::spawn(move || writer.run(&waiting))),
            failed,
        }
    }

    /// Hands something over.
    ///
    /// # Errors
    /// If something failed that was handed over before: nothing is written after that.
    pub fn hand(&self, job: Job) -> Result<(), Failure> {
        self.check()?;
        if let Some(jobs) = &self.jobs {
            jobs.send(job)
                .expect("the thread ends when this end is dropped");
        }
        Ok(())
    }

    /// Waits until all that was handed over is on disk.
    ///
    /// # Errors
    /// If something of it failed.
    pub fn settle(&self) -> Result<(), Failure> {
        let (settled, wait) = sync_channel(1);
        self.hand(Job::Settle(settled))?;
        // An error would mean that the answer was dropped, and why is known.
        let _ = wait.recv();
        self.check()
    }

    fn check(&self) -> Result<(), Failure> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.clone().map_or(Ok(()), Err)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // What was handed over is written; a panic there has had its say.
            let _ = thread.join();
        }
    }
}

/// The other end of the channel.
struct Writer {
    /// Journals that are open.
    journals: BTreeMap<PathBuf, File>,
    failed: Arc<Mutex<Option<Failure>>>,
}

/// A file under its temporary name.
struct Unnamed {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    seal: bool,
}

/// What a group of jobs has written and not waited for.
#[derive(Default)]
struct Group {
    journals: BTreeSet<PathBuf>,
    folders: BTreeSet<PathBuf>,
    files: Vec<Unnamed>,
    afterwards: Vec<Afterwards>,
    waiting: Vec<SyncSender<()>>,
}

impl Writer {
    fn run(mut self, jobs: &Receiver<Job>) {
        let mut broken = false;
        while let Ok(first) = jobs.recv() {
            let mut group = Group::default();
            let mut outcome = Ok(());
            for job in std::iter::once(first).chain(jobs.try_iter()) {
                match job {
                    Job::Settle(waiting) => group.waiting.push(waiting),
                    _ if broken || outcome.is_err() => {}
                    job => outcome = self.write(job, &mut group),
                }
            }
            let waiting = std::mem::take(&mut group.waiting);
            if !broken && let Err(failure) = outcome.and_then(|()| self.finish(group)) {
                broken = true;
                *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
            }
            for waiting in waiting {
                let _ = waiting.send(());
            }
        }
    }

    /// Writes without waiting for the disk.
    fn write(&mut self, job: Job, group: &mut Group) -> Result<(), Failure> {
        match job {
            Job::Append {
                path,
                text,
                lasting,
            } => {
                self.append(&path, &text, group)
                    .map_err(|source| FolderError::io("append to", &path, source))?;
                if lasting {
                    group.journals.insert(path);
                }
            }
            Job::Write { path, bytes, seal } => {
                let unnamed = unnamed(path, &bytes, seal, group)?;
                group.files.retain(|file| file.path != unnamed.path);
                group.files.push(unnamed);
            }
            Job::Then(afterwards) => group.afterwards.push(afterwards),
            Job::Settle(waiting) => group.waiting.push(waiting),
        }
        Ok(())
    }

    fn append(&mut self, path: &Path, text: &str, group: &mut Group) -> io::Result<()> {
        if !self.journals.contains_key(path) {
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            self.journals.insert(path.to_owned(), file);
            group.folders.insert(folder_of(path));
        }
        let journal = self.journals.get_mut(path).expect("it was opened");
        journal.write_all(text.as_bytes())
    }

    /// Waits for the disk, gives files their names, seals last, and does what was to be done then.
    fn finish(&mut self, group: Group) -> Result<(), Failure> {
        for path in &group.journals {
            self.journals[path]
                .sync_data()
                .map_err(|source| FolderError::io("append to", path, source))?;
        }
        let (seals, others): (Vec<_>, Vec<_>) = group.files.into_iter().partition(|file| file.seal);
        for file in others.iter().chain(&seals) {
            file.file
                .sync_all()
                .map_err(|source| FolderError::io("write", &file.path, source))?;
        }
        let mut folders = group.folders;
        for files in [others, seals] {
            for file in &files {
                fs::rename(&file.temporary, &file.path)
                    .map_err(|source| FolderError::io("write", &file.path, source))?;
                folders.insert(folder_of(&file.path));
            }
            // A name lasts once its folder does.
            for folder in std::mem::take(&mut folders) {
                File::open(&folder)
                    .and_then(|handle| handle.sync_all())
                    .map_err(|source| FolderError::io("write", &folder, source))?;
            }
        }
        group
            .afterwards
            .into_iter()
            .try_for_each(|afterwards| afterwards())
    }
}

/// Writes `bytes` beside `path`.
fn unnamed(path: PathBuf, bytes: &[u8], seal: bool, group: &mut Group) -> Result<Unnamed, Failure> {
    let folder = folder_of(&path);
    if !folder.is_dir() {
        fs::create_dir_all(&folder)
            .map_err(|source| FolderError::io("make folder", &folder, source))?;
        group.folders.insert(folder_of(&folder));
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = folder.join(name);
    let write = || -> io::Result<File> {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        Ok(file)
    };
    let file = write().map_err(|source| FolderError::io("write", &path, source))?;
    Ok(Unnamed {
        file,
        temporary,
        path,
        seal,
    })
}

/// The folder of a file: the parent of a bare name is the empty path, which cannot be opened.
pub fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    fn write(path: PathBuf, text: &str, seal: bool) -> Job {
        let bytes = text.as_bytes().to_vec();
        Job::Write { path, bytes, seal }
    }

    #[test]
    fn what_is_done_afterwards_sees_everything_before_it_and_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let (told, heard) = channel();
        let disk = Disk::new();
        for round in 0..100 {
            let journal = dir.path().join("journal");
            let checkpoint = dir.path().join(format!("deep/{round}"));
            let text = "line\n".to_owned();
            let append = Job::Append {
                path: journal.clone(),
                text,
                lasting: true,
            };
            disk.hand(append).unwrap();
            disk.hand(write(checkpoint.clone(), "first", true)).unwrap();
            disk.hand(write(checkpoint.clone(), "last", true)).unwrap();
            let told = told.clone();
            let seen = move || {
                let length = fs::metadata(&journal).unwrap().len();
                let sealed = fs::read_to_string(&checkpoint).unwrap();
                told.send((round, length >= 5 * (round + 1), sealed))
                    .unwrap();
                Ok(())
            };
            disk.hand(Job::Then(Box::new(seen))).unwrap();
        }
        disk.settle().unwrap();
        drop(told);
        let heard: Vec<_> = heard.iter().collect();
        let expected = (0..100).map(|round| (round, true, "last".to_owned()));
        assert!(heard.into_iter().eq(expected));
        assert_eq!(fs::read_dir(dir.path().join("deep")).unwrap().count(), 100);
    }

    #[test]
    fn after_a_failure_nothing_is_written_and_everybody_is_told() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), b"in the way").unwrap();
        let disk = Disk::new();
        disk.hand(write(dir.path().join("file/below"), "", false))
            .unwrap();
        let failure = disk.settle().unwrap_err();
        assert!(failure.message.contains("cannot make folder"), "{failure}");
        assert!(
            disk.hand(write(dir.path().join("later"), "", true))
                .is_err()
        );
        assert!(disk.settle().is_err());
        drop(disk);
        assert!(!dir.path().join("later").exists());
    }
}
