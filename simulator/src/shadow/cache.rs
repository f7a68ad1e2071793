//! Where shadow runs are kept: `.shadows/<digest>/shadow-NNNN.safetensors`, beside the run folders.
//!
//! The digest is of everything that decides what a shadow says: the plan, less who attacks and how, its name and its
//! gates. A file holds the signals of all rounds and is written whole, so a shadow is there or not. A lock for each
//! keeps two processes from training the same one.

use crate::folder::{self, FolderError};
use crate::observer::{OF_SHADOWS, Observer};
use attacks::{RoundSignals, SignalKind, Signals};
use primitives::{Digest, Round};
use safetensors::{Dtype, SafeTensors, View};
use scenarios::{AdversaryConfig, Gates, Plan};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// Kept shadow runs of one plan.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

/// The right to train one shadow.
#[derive(Debug)]
pub struct Claim {
    _lock: File,
}

/// What every round's model of one shadow said, for one regime and kind, round after round. Shape: `[rounds, records]`.
struct Block {
    shape: [usize; 2],
    values: Vec<f32>,
}

impl Cache {
    /// The shadow runs of `plan`, below the folder that holds its run.
    pub fn of(plan: &Plan, out: &Path) -> Self {
        let folder = out.join(".shadows").join(digest(plan).to_string());
        Self { folder }
    }

    /// Which of the first `count` shadows are not there.
    pub fn missing(&self, count: usize) -> Vec<usize> {
        (0..count).filter(|&shadow| !self.has(shadow)).collect()
    }

    /// Whether a shadow is there.
    pub fn has(&self, shadow: usize) -> bool {
        self.file(shadow).exists()
    }

    /// Claims a shadow, if nobody else is at it; `wait` until nobody is.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn claim(&self, shadow: usize, wait: bool) -> Result<Option<Claim>, FolderError> {
        let io = |action, path: &Path| {
            let path = path.to_owned();
            move |source| FolderError::Io {
                action,
                path,
                source,
            }
        };
        fs::create_dir_all(&self.folder).map_err(io("make folder", &self.folder))?;
        let path = self.folder.join(format!("shadow-{shadow:04}.lock"));
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(io("open", &path))?;
        if wait {
            lock.lock().map_err(io("lock", &path))?;
        } else {
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(source)) => return Err(io("lock", &path)(source)),
            }
        }
        Ok(Some(Claim { _lock: lock }))
    }

    /// Keeps what a shadow said in all rounds, by regime.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write(
        &self,
        shadow: usize,
        observer: &Observer<'_>,
        rounds: &[Vec<RoundSignals>],
    ) -> Result<(), FolderError> {
        let mut blocks: BTreeMap<String, Block> = BTreeMap::new();
        for seen in rounds {
            for ((regime, queries), signals) in observer.regimes().zip(seen) {
                for (kind, column) in &signals.columns {
                    let block = blocks.entry(format!("{regime}.{kind}")).or_insert(Block {
                        shape: [0, queries.records()],
                        values: Vec::with_capacity(rounds.len() * column.len()),
                    });
                    block.shape[0] += 1;
                    block.values.extend_from_slice(column);
                }
            }
        }
        let bytes =
            safetensors::serialize(blocks, None).expect("blocks of f32 under different names");
        folder::write_whole(&self.file(shadow), &bytes)
    }

    /// What a shadow said, by regime.
    ///
    /// # Errors
    /// If its file cannot be read or does not fit the observer's queries.
    pub fn read(
        &self,
        shadow: usize,
        observer: &Observer<'_>,
    ) -> Result<Vec<Signals>, FolderError> {
        let path = self.file(shadow);
        let bytes = folder::read(&path)?;
        let damaged = |what: String| FolderError::Damaged {
            path: path.clone(),
            what,
        };
        let tensors =
            SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
        let regime = |(regime, queries): (attacks::RecordRegime, &attacks::Queries)| {
            let records = queries.records();
            let columns = OF_SHADOWS
                .into_iter()
                .map(|kind| Ok((kind, block(&tensors, &format!("{regime}.{kind}"), records)?)))
                .collect::<Result<Vec<(SignalKind, Vec<f32>)>, String>>()?;
            let rounds = columns[0].1.len() / records;
            let mut signals = Signals::new(regime, queries.clone());
            for round in 0..rounds {
                let of_round = |(kind, values): &(SignalKind, Vec<f32>)| {
                    (
                        *kind,
                        values[round * records..(round + 1) * records].to_vec(),
                    )
                };
                let seen = RoundSignals {
                    round: Round(round as u32),
                    columns: columns.iter().map(of_round).collect(),
                };
                signals.push(seen).map_err(|error| error.to_string())?;
            }
            Ok(signals)
        };
        observer
            .regimes()
            .map(regime)
            .collect::<Result<_, String>>()
            .map_err(damaged)
    }

    fn file(&self, shadow: usize) -> PathBuf {
        self.folder.join(format!("shadow-{shadow:04}.safetensors"))
    }
}

/// The digest of what decides a shadow: the plan with everything left out that comes after training. Where a later
/// version adds a key that does not matter here, shadows are trained once more than needed, and never too seldom.
fn digest(plan: &Plan) -> Digest {
    let mut plan = plan.clone();
    let scenario = &mut plan.scenario;
    scenario.name.clear();
    scenario.description.clear();
    scenario.adversary = AdversaryConfig::default();
    scenario.attacks.clear();
    scenario.gates = Gates::default();
    Digest::of(plan.to_json().as_bytes())
}

fn block(tensors: &SafeTensors<'_>, name: &str, records: usize) -> Result<Vec<f32>, String> {
    let tensor = tensors
        .tensor(name)
        .map_err(|error| format!("{name}: {error}"))?;
    if tensor.dtype() != Dtype::F32 || tensor.shape().get(1) != Some(&records) {
        return Err(format!(
            "{name} is {:?} of shape {:?}, not F32 of [rounds, {records}]",
            tensor.dtype(),
            tensor.shape()
        ));
    }
    let values = tensor.data().as_chunks::<4>().0;
    Ok(values
        .iter()
        .map(|&bytes| f32::from_le_bytes(bytes))
        .collect())
}

impl View for Block {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let bytes = self.values.iter().flat_map(|value| value.to_le_bytes());
        Cow::Owned(bytes.collect())
    }

    fn data_len(&self) -> usize {
        4 * self.values.len()
    }
}
