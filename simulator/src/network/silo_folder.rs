//! What a silo keeps on disk: what it has spent, and the update that it may be asked for again.
//!
//! ```text
//! silo.jsonl                       a line for who it is, then a line for each change: a round that was spent
//! update-round-0003.safetensors    the update of the last one
//! ```
//!
//! The update is written first, then the line, both flushed to the disk, and only then may the update leave.
//! Killed before the line, the silo has spent nothing: it trains the round again, with the same bytes. Killed
//! after it, the silo sends what is stored and never trains that round again.

use crate::checkpoint;
use crate::exit::Failure;
use crate::folder::{self, FolderError, RunFolder};
use accounting::{Ledger, LedgerEntry};
use clients::{Silo, SiloCheckpoint};
use primitives::{Digest, ModelVector, Round, SiloId};
use protocol::SiloUpdate;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

const JOURNAL: &str = "silo.jsonl";

/// The folder of one silo in one run.
pub struct SiloFolder {
    folder: RunFolder,
    owner: Owner,
    /// How many entries of the ledger are in the journal.
    charged: usize,
    /// The update that is stored.
    stored: Option<Round>,
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
    /// SHA-256 of the file that holds the update of that round; none if it was only assumed to be spent.
    update: Option<Digest>,
    /// The last round in whose masked sum the silo has helped to take masks off.
    opened: Option<Round>,
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
        let folder = RunFolder::open(path)?;
        let journal = folder.file(JOURNAL);
        let owner = Owner { silo, plan };
        if !journal.exists() {
            let empty = Self {
                folder,
                owner,
                charged: 0,
                stored: None,
            };
            return Ok((empty, None));
        }
        let damaged = |what: String| FolderError::Damaged {
            path: journal.clone(),
            what,
        };
        let bytes = folder::read(&journal)?;
        // A line that was being written when the silo was killed was never acted on.
        let whole = bytes
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |at| at + 1);
        folder.cut(JOURNAL, whole as u64)?;
        let text =
            std::str::from_utf8(&bytes[..whole]).map_err(|error| damaged(error.to_string()))?;
        let mut lines = text.lines();
        let found: Owner = match lines.next() {
            Some(line) => serde_json::from_str(line).map_err(|error| damaged(error.to_string()))?,
            None => return Err(damaged("its first line is missing".to_owned()).into()),
        };
        if found != owner {
            return Err(Failure::run(format!(
                "{} is the folder of {} in plan {}, not of {silo} in plan {}: name another one with --out",
                folder.path().display(),
                found.silo,
                found.plan.short(),
                plan.short()
            )));
        }
        let mut ledger = Ledger::new();
        let mut last: Option<Change> = None;
        for line in lines {
            let change: Change =
                serde_json::from_str(line).map_err(|error| damaged(error.to_string()))?;
            for entry in &change.charged {
                ledger
                    .append(entry.clone())
                    .map_err(|error| damaged(error.to_string()))?;
            }
            last = Some(change);
        }
        let stored = match &last {
            Some(Change {
                last: Some(round),
                update: Some(digest),
                ..
            }) => read_update(&folder.file(update_file(*round)), *digest)?,
            _ => None,
        };
        let checkpoint = SiloCheckpoint {
            ledger,
            opened: last.as_ref().and_then(|change| change.opened),
            last: last.and_then(|change| change.last),
            stored,
        };
        let kept = Self {
            folder,
            owner,
            charged: checkpoint.ledger.entries().len(),
            stored: checkpoint.stored.as_ref().map(|update| update.round),
        };
        Ok((kept, Some(checkpoint)))
    }

    /// Begins the journal, if it has not begun: from here on, what is not in it was not spent.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn begin(&self) -> Result<(), Failure> {
        if !self.folder.file(JOURNAL).exists() {
            self.append(&self.owner)?;
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
        let stored = silo.stored();
        let digest = match stored {
            Some(update) => {
                let bytes = to_bytes(update)?;
                let digest = Digest::of(&bytes);
                self.folder.write(update_file(update.round), bytes)?;
                Some(digest)
            }
            None => None,
        };
        self.append(&Change {
            last: silo.last(),
            charged: entries[self.charged..].to_vec(),
            update: digest,
            opened: silo.opened(),
        })?;
        self.charged = entries.len();
        let round = stored.map(|update| update.round);
        let before = std::mem::replace(&mut self.stored, round);
        if let Some(before) = before.filter(|_| before != round) {
            // It will not be asked for again; if it cannot be removed, it is only in the way.
            let _ = std::fs::remove_file(self.folder.file(update_file(before)));
        }
        Ok(())
    }

    fn append(&self, line: &impl Serialize) -> Result<(), Failure> {
        let line = serde_json::to_string(line).map_err(Failure::run)? + "\n";
        self.folder.append(JOURNAL, line)?;
        self.folder.settle()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn update_file(round: Round) -> String {
    format!("update-round-{:04}.safetensors", round.0)
}

/// The update as a tensor, and all else that it says as metadata.
fn to_bytes(update: &SiloUpdate) -> Result<Vec<u8>, Failure> {
    let rest = SiloUpdate {
        delta: ModelVector::zeros(0),
        ..update.clone()
    };
    let rest = serde_json::to_string(&rest).map_err(Failure::run)?;
    Ok(checkpoint::vector_file(
        "delta",
        update.delta.as_slice(),
        rest,
    ))
}

/// The stored update, if its file is there and whole. One that is lost cannot be sent again, and must not be
/// trained again: its round is spent.
fn read_update(path: &Path, digest: Digest) -> Result<Option<SiloUpdate>, Failure> {
    let Ok(bytes) = std::fs::read(path) else {
        return Ok(None);
    };
    if Digest::of(&bytes) != digest {
        return Ok(None);
    }
    let (delta, rest) = checkpoint::read_vector_file(path, &bytes, "delta")?;
    let rest: SiloUpdate = serde_json::from_str(&rest).map_err(Failure::run)?;
    Ok(Some(SiloUpdate { delta, ..rest }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use accounting::{Mechanism, NoiseMultiplier, SamplingRate};
    use clients::SiloPlan;
    use protocol::{OpenGate, Release, Task, ToSilo, UpdateMetrics, Welcome};
    use std::io::Write;

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
        let (folder, nothing) = open(dir.path()).unwrap();
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
        assert!(!dir.path().join("update-round-0001.safetensors").exists());
    }

    #[test]
    fn a_lost_update_stays_spent_and_half_a_line_was_never_spent() {
        let dir = tempfile::tempdir().unwrap();
        let (mut folder, _) = open(dir.path()).unwrap();
        let mut silo = silo();
        spend(&mut silo, 1);
        folder.keep(&silo).unwrap();
        drop(folder);
        let journal = dir.path().join(JOURNAL);
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .open(&journal)
            .unwrap();
        file.write_all(b"{\"last\":2,\"cha").unwrap();
        std::fs::write(dir.path().join("update-round-0001.safetensors"), b"torn").unwrap();
        let (_folder, found) = open(dir.path()).unwrap();
        let found = found.unwrap();
        assert_eq!((found.last, found.stored), (Some(Round(1)), None));
        assert_eq!(found.ledger.entries().len(), 1);
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
