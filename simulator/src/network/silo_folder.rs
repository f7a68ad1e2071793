//! What a silo keeps on disk: what it has spent, and the update that it may be asked for again.
//!
//! One journal, which only grows: a line of JSON for who it is, then a line for each change, e.g. a round that was spent, and
//! after the line, if it says so, the bytes of that round's update:
//!
//! ```text
//! {"silo":2,"plan":"1f…"}
//! {"last":1,"charged":[…],"update":{"bytes":814264,"digest":"7a…"},"opened":null}
//! … 814264 bytes, a safetensors file …
//! ```
//!
//! What belongs to a round is appended in one piece and flushed once before the update leaves. Killed before the end of
//! the piece, the silo has spent nothing: the piece is cut off, and the round is trained again, with the same bytes.
//! Killed after it, the silo sends what is stored and never trains that round again. Updates of earlier rounds are in the way;
//! when there is much of them, the journal is written anew without them.

use crate::checkpoint;
use crate::exit::Failure;
use crate::folder::{self, FolderError};
use crate::lock::Lock;
use accounting::{Ledger, LedgerEntry};
use clients::{Silo, SiloCheckpoint};
use primitives::{Digest, ModelVector, Round, SiloId};
use protocol::SiloUpdate;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

const JOURNAL: &str = "silo.journal";

/// Bytes of earlier updates that may lie in a journal whatever their size; beyond that, twice as many as the last one has.
const MOST_STALE: u64 = 64 << 20;

/// The folder of one silo in one run.
pub struct SiloFolder {
    path: PathBuf,
    owner: Owner,
    /// Open for appending, once it has begun.
    journal: Option<File>,
    /// How many entries of the ledger are in the journal.
    charged: usize,
    /// Bytes of all updates in the journal.
    updates: u64,
    /// [`MOST_STALE`].
    most_stale: u64,
    /// Keeps other processes out.
    _lock: Lock,
}

/// The first line: a folder is of one silo of one plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Owner {
    silo: SiloId,
    plan: Digest,
}

/// What has changed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    /// The last round that is spent from here on.
    last: Option<Round>,
    /// What the silo's ledger has taken.
    charged: Vec<LedgerEntry>,
    /// The update of that round, which follows; none if the round was only assumed to be spent.
    update: Option<Stored>,
    /// The last round in whose masked sum the silo has helped to take masks off.
    opened: Option<Round>,
}

/// An update that follows its line.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    bytes: u64,
    /// SHA-256 of them.
    digest: Digest,
}

/// A journal as it was found.
struct Found<'a> {
    owner: Owner,
    changes: Vec<Change>,
    /// The bytes after the last change.
    stored: &'a [u8],
    /// Bytes of all updates.
    updates: u64,
    /// Where the last whole piece ends.
    end: usize,
}

impl SiloFolder {
    /// Opens the folder of `silo` in a run of `plan`, with what was kept in it; a silo that has kept nothing has
    /// never taken part, or has lost its memory.
    ///
    /// # Errors
    /// If another process works in it, it is another silo's, or it is damaged.
    pub fn open(
        path: PathBuf,
        silo: SiloId,
        plan: Digest,
    ) -> Result<(Self, Option<SiloCheckpoint>), Failure> {
        fs::create_dir_all(&path)
            .map_err(|source| FolderError::io("make folder", &path, source))?;
        let lock = Lock::folder(&path)?;
        let mut empty = Self {
            path,
            owner: Owner { silo, plan },
            journal: None,
            charged: 0,
            updates: 0,
            most_stale: MOST_STALE,
            _lock: lock,
        };
        let journal = empty.path.join(JOURNAL);
        if !journal.exists() {
            return Ok((empty, None));
        }
        let damaged = |what: String| FolderError::Damaged {
            path: journal.clone(),
            what,
        };
        let bytes = folder::read(&journal)?;
        let found = Found::read(&bytes).map_err(damaged)?;
        if found.owner != empty.owner {
            return Err(Failure::run(format!(
                "{} is the folder of {} in plan {}, not of {silo} in plan {}: name another one with --out",
                empty.path.display(),
                found.owner.silo,
                found.owner.plan.short(),
                plan.short()
            )));
        }
        let checkpoint = found.checkpoint(&journal).map_err(damaged)?;
        let file = OpenOptions::new().append(true).open(&journal);
        let file = file.and_then(|file| file.set_len(found.end as u64).map(|()| file));
        let file = file.map_err(|source| FolderError::io("open", &journal, source))?;
        empty.journal = Some(file);
        empty.charged = checkpoint.ledger.entries().len();
        empty.updates = found.updates;
        Ok((empty, Some(checkpoint)))
    }

    /// Begins the journal, if it has not begun: from here on, what is not in it was not spent.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn begin(&mut self) -> Result<(), Failure> {
        if self.journal.is_none() {
            self.rewrite(&line(&self.owner)?)?;
        }
        Ok(())
    }

    /// Keeps what `silo` has spent and stored since it was kept last. When this returns, its update may leave.
    ///
    /// # Errors
    /// If the system refuses; no update must leave then.
    pub fn keep(&mut self, silo: &Silo) -> Result<(), Failure> {
        self.begin()?;
        let entries = silo.ledger().entries();
        let update = silo.stored().map(to_bytes).transpose()?.unwrap_or_default();
        let bytes = update.len() as u64;
        let anew = self.updates > self.most_stale.max(2 * bytes);
        let charged = if anew { 0 } else { self.charged };
        let mut piece = line(&Change {
            last: silo.last(),
            charged: entries[charged..].to_vec(),
            update: silo.stored().map(|_| Stored {
                bytes,
                digest: Digest::of(&update),
            }),
            opened: silo.opened(),
        })?;
        piece.extend(update);
        if anew {
            let mut journal = line(&self.owner)?;
            journal.extend(piece);
            self.rewrite(&journal)?;
            self.updates = bytes;
        } else {
            self.append(&piece)?;
            self.updates += bytes;
        }
        self.charged = entries.len();
        Ok(())
    }

    fn append(&mut self, piece: &[u8]) -> Result<(), Failure> {
        let journal = self.journal.as_mut().expect("it has begun");
        journal
            .write_all(piece)
            .and_then(|()| journal.sync_data())
            .map_err(|source| FolderError::io("append to", &self.path.join(JOURNAL), source).into())
    }

    /// Puts `bytes` in the place of the journal.
    fn rewrite(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let path = self.path.join(JOURNAL);
        folder::write_whole(&path, bytes)?;
        let file = OpenOptions::new().append(true).open(&path);
        self.journal = Some(file.map_err(|source| FolderError::io("open", &path, source))?);
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl<'a> Found<'a> {
    /// Reads all whole pieces of a journal; says what is wrong if there is another end than that of a piece that was
    /// being written.
    fn read(journal: &'a [u8]) -> Result<Self, String> {
        let (owner, mut rest) = next_line(journal)?.ok_or("its first line is missing")?;
        let mut found = Self {
            owner,
            changes: Vec::new(),
            stored: &[],
            updates: 0,
            end: journal.len() - rest.len(),
        };
        while let Some((change, after)) = next_line::<Change>(rest)? {
            let bytes = change.update.map_or(0, |update| update.bytes);
            let Some((stored, after)) = usize::try_from(bytes)
                .ok()
                .and_then(|bytes| after.split_at_checked(bytes))
            else {
                break;
            };
            found.changes.push(change);
            found.stored = stored;
            found.updates += bytes;
            rest = after;
            found.end = journal.len() - rest.len();
        }
        Ok(found)
    }

    /// What the silo knew when the last change was kept.
    fn checkpoint(&self, journal: &Path) -> Result<SiloCheckpoint, String> {
        let mut ledger = Ledger::new();
        for entry in self.changes.iter().flat_map(|change| &change.charged) {
            ledger
                .append(entry.clone())
                .map_err(|error| error.to_string())?;
        }
        let last = self.changes.last();
        let stored = last.and_then(|change| change.update);
        // One that is damaged cannot be sent again, and must not be trained again: its round is spent.
        let stored = stored.filter(|update| update.digest == Digest::of(self.stored));
        let stored = stored.map(|_| from_bytes(journal, self.stored)).transpose();
        Ok(SiloCheckpoint {
            ledger,
            opened: last.and_then(|change| change.opened),
            last: last.and_then(|change| change.last),
            stored: stored.map_err(|failure| failure.message)?,
        })
    }
}

fn line(of: &impl Serialize) -> Result<Vec<u8>, Failure> {
    let mut line = serde_json::to_vec(of).map_err(Failure::run)?;
    line.push(b'\n');
    Ok(line)
}

/// The line that `bytes` begin with, and what follows it; none if it is not whole.
fn next_line<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<Option<(T, &[u8])>, String> {
    let Some(end) = bytes.iter().position(|&byte| byte == b'\n') else {
        return Ok(None);
    };
    let value = serde_json::from_slice(&bytes[..end]).map_err(|error| error.to_string())?;
    Ok(Some((value, &bytes[end + 1..])))
}

/// The update as a tensor, and all else that it says as metadata.
fn to_bytes(update: &SiloUpdate) -> Result<Vec<u8>, Failure> {
    let rest = SiloUpdate {
        delta: ModelVector::default(),
        round: update.round,
        silo: update.silo,
        weight: update.weight,
        releases: update.releases.clone(),
        metrics: update.metrics,
        clip_norm: update.clip_norm,
    };
    let rest = serde_json::to_string(&rest).map_err(Failure::run)?;
    Ok(checkpoint::vector_file(
        "delta",
        update.delta.as_slice(),
        rest,
    ))
}

/// What [`to_bytes`] has written.
fn from_bytes(journal: &Path, bytes: &[u8]) -> Result<SiloUpdate, Failure> {
    let (delta, rest) = checkpoint::read_vector_file(journal, bytes, "delta")?;
    let rest: SiloUpdate = serde_json::from_str(&rest).map_err(Failure::run)?;
    Ok(SiloUpdate { delta, ..rest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use accounting::{Mechanism, NoiseMultiplier, SamplingRate};
    use clients::SiloPlan;
    use protocol::{OpenGate, Release, Task, ToSilo, UpdateMetrics, Welcome};

    const PLAN: &[u8] = b"plan";

    fn releases() -> Vec<Release> {
        vec![Release {
            mechanism: Mechanism::Record {
                noise_multiplier: NoiseMultiplier::try_new(1.1).unwrap(),
                sampling_rate: SamplingRate::try_new(0.1).unwrap(),
            },
            steps: 3,
        }]
    }

    fn update(round: u32) -> SiloUpdate {
        SiloUpdate {
            round: Round(round),
            silo: SiloId(2),
            delta: vec![0.1, -0.0, f32::MIN_POSITIVE, round as f32].into(),
            weight: 1.0,
            releases: releases(),
            metrics: UpdateMetrics::Withheld,
            clip_norm: None,
        }
    }

    fn plan() -> SiloPlan {
        SiloPlan {
            silo: SiloId(2),
            digest: Digest::of(PLAN),
            releases: releases(),
        }
    }

    /// A silo that knows that it has spent nothing.
    fn silo() -> Silo {
        Silo::restore(plan(), Box::new(OpenGate), SiloCheckpoint::default())
    }

    fn spend(silo: &mut Silo, round: u32) {
        let model = ModelVector::zeros(4);
        let round = Round(round);
        silo.handle(ToSilo::Train(Task {
            round,
            model,
            clip_norm: None,
        }));
        silo.poll_task().unwrap();
        silo.handle_trained(round, Ok(update(round.0)));
    }

    fn open(path: &Path) -> Result<(SiloFolder, Option<SiloCheckpoint>), Failure> {
        SiloFolder::open(path.to_owned(), SiloId(2), Digest::of(PLAN))
    }

    #[test]
    fn what_was_spent_is_known_after_a_restart_bit_for_bit() {
        let dir = tempfile::tempdir().unwrap();
        let (mut folder, nothing) = open(dir.path()).unwrap();
        assert_eq!(nothing, None);
        folder.begin().unwrap();
        drop(folder);
        let (mut folder, empty) = open(dir.path()).unwrap();
        assert_eq!(empty, Some(SiloCheckpoint::default()));
        let mut silo = silo();
        for round in [1, 4] {
            spend(&mut silo, round);
            folder.keep(&silo).unwrap();
        }
        drop(folder);
        let (_folder, found) = open(dir.path()).unwrap();
        let found = found.unwrap();
        assert_eq!(found, silo.checkpoint());
        let bits = |update: &SiloUpdate| -> Vec<u32> {
            update
                .delta
                .as_slice()
                .iter()
                .map(|value| value.to_bits())
                .collect()
        };
        assert_eq!(bits(&found.stored.unwrap()), bits(&update(4)));
    }

    /// Killed while a round was written, at whatever byte.
    #[test]
    fn half_a_piece_was_never_spent() {
        let dir = tempfile::tempdir().unwrap();
        let journal = dir.path().join(JOURNAL);
        let mut silo = silo();
        let (mut folder, _) = open(dir.path()).unwrap();
        spend(&mut silo, 1);
        folder.keep(&silo).unwrap();
        let (one, first) = (fs::read(&journal).unwrap(), silo.checkpoint());
        spend(&mut silo, 2);
        folder.keep(&silo).unwrap();
        drop(folder);
        let two = fs::read(&journal).unwrap();
        for length in one.len()..=two.len() {
            fs::write(&journal, &two[..length]).unwrap();
            let (mut folder, found) = open(dir.path()).unwrap();
            let is_whole = length == two.len();
            let expected = if is_whole {
                silo.checkpoint()
            } else {
                first.clone()
            };
            assert_eq!(found, Some(expected), "{length} bytes");
            if !is_whole {
                folder.keep(&silo).unwrap();
                assert_eq!(fs::read(&journal).unwrap(), two, "{length} bytes");
            }
        }
    }

    #[test]
    fn a_damaged_update_stays_spent() {
        let dir = tempfile::tempdir().unwrap();
        let journal = dir.path().join(JOURNAL);
        let (mut folder, _) = open(dir.path()).unwrap();
        let mut silo = silo();
        spend(&mut silo, 1);
        folder.keep(&silo).unwrap();
        drop(folder);
        let mut bytes = fs::read(&journal).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&journal, bytes).unwrap();
        let (_folder, found) = open(dir.path()).unwrap();
        let found = found.unwrap();
        assert_eq!((found.last, found.stored), (Some(Round(1)), None));
        assert_eq!(found.ledger.entries().len(), 1);
    }

    #[test]
    fn a_journal_does_not_grow_by_every_update() {
        let dir = tempfile::tempdir().unwrap();
        let journal = dir.path().join(JOURNAL);
        let (mut folder, _) = open(dir.path()).unwrap();
        folder.most_stale = 0;
        let mut silo = silo();
        for round in 1..=50 {
            spend(&mut silo, round);
            folder.keep(&silo).unwrap();
            let update = to_bytes(silo.stored().unwrap()).unwrap().len() as u64;
            assert!(folder.updates <= 3 * update, "round {round}");
            let lines = 400 * u64::from(round) + 400;
            let length = fs::metadata(&journal).unwrap().len();
            assert!(length <= folder.updates + lines, "round {round}: {length}");
        }
        drop(folder);
        let (_folder, found) = open(dir.path()).unwrap();
        assert_eq!(found, Some(silo.checkpoint()));
    }

    #[test]
    fn what_a_silo_without_memory_assumes_is_kept_once() {
        let dir = tempfile::tempdir().unwrap();
        let (mut folder, _) = open(dir.path()).unwrap();
        let mut silo = Silo::new(plan(), Box::new(OpenGate));
        let model = ModelVector::zeros(4);
        silo.handle(ToSilo::Welcome(Welcome {
            round: Round(1),
            rounds: 9,
            asked: None,
        }));
        silo.handle(ToSilo::Train(Task {
            round: Round(1),
            model,
            clip_norm: None,
        }));
        // Charged before it trains, and not spent yet.
        folder.keep(&silo).unwrap();
        drop(folder);
        let (mut folder, found) = open(dir.path()).unwrap();
        assert_eq!(found, Some(silo.checkpoint()));
        assert_eq!(silo.ledger().entries().len(), 1);
        silo.poll_task().unwrap();
        silo.handle_trained(Round(1), Ok(update(1)));
        folder.keep(&silo).unwrap();
        drop(folder);
        let (_folder, found) = open(dir.path()).unwrap();
        assert_eq!(found, Some(silo.checkpoint()));
        assert_eq!(silo.ledger().entries().len(), 1);
    }

    #[test]
    fn a_folder_is_of_one_silo_of_one_plan() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).unwrap().0.begin().unwrap();
        let other = SiloFolder::open(dir.path().to_owned(), SiloId(3), Digest::of(PLAN));
        let error = other.err().unwrap();
        assert!(error.message.contains("is the folder of silo 2"), "{error}");
    }
}
