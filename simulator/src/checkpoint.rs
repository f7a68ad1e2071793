//! What a run needs to go on after a round: models and signals as safetensors, journals as lengths.
//!
//! The checkpoint of a round is the last file that the round writes. Whatever lies beyond the last checkpoint
//! belongs to a round that was interrupted, and is cut off and made again.

use crate::attack::Seen;
use crate::exit::Failure;
use crate::folder::{self, FolderError, RunFolder};
use accounting::ClipNorm;
use attacks::{RecordRegime, RoundSignals, SignalKind, SiloRound, SiloSignalKind};
use primitives::{ModelVector, Readings, Round, SiloId};
use safetensors::{Dtype, SafeTensors, View};
use serde::{Deserialize, Serialize};
use server::{Checkpoint, Moments, ServerState};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

const CHECKPOINTS: &str = "checkpoints";
const SIGNALS: &str = "signals";
const CANARIES: &str = "canaries";
/// The tensor of what was read off the coordinator's sum; those of silos are named by number.
const COORDINATOR: &str = "coordinator";
/// The metadata key under which safetensors carries what is no tensor.
const STATE: &str = "siloscope";

/// How far the journals of a run had come when a round was finished, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journals {
    /// Length of `ledger.jsonl`.
    pub ledger: u64,
    /// Length of `events.jsonl`.
    pub events: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    version: u16,
    plan: primitives::Digest,
    round: Round,
    finished: Option<protocol::FinishReason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clip_norm: Option<ClipNorm>,
    journals: Journals,
}

/// Writes the checkpoint of the last finished round.
///
/// # Errors
/// If the system refuses.
pub fn write(
    folder: &RunFolder,
    checkpoint: &Checkpoint,
    journals: Journals,
) -> Result<(), Failure> {
    let state = State {
        version: checkpoint.version,
        plan: checkpoint.plan,
        round: checkpoint.state.round,
        finished: checkpoint.finished,
        clip_norm: checkpoint.state.clip_norm,
        journals,
    };
    let mut tensors = vec![("model", Floats::new(checkpoint.state.model.as_slice()))];
    if let Some(moments) = &checkpoint.state.moments {
        tensors.push(("moments.first", Floats::new(moments.first.as_slice())));
        tensors.push(("moments.second", Floats::new(moments.second.as_slice())));
    }
    let state = serde_json::to_string(&state).expect("a checkpoint's state has only string keys");
    folder.seal(
        file(checkpoint.state.round),
        serialize(tensors, Some(state)),
    )
}

/// The last checkpoint of a run folder; none if the run had not begun.
///
/// # Errors
/// If it cannot be read.
pub fn last(folder: &RunFolder) -> Result<Option<(Checkpoint, Journals)>, FolderError> {
    match rounds(&folder.file(CHECKPOINTS))?.last() {
        Some(&round) => read(&folder.file(file(round))).map(Some),
        None => Ok(None),
    }
}

/// Writes what was seen of one round: of its model, and of the silos' updates if anybody sees those.
///
/// # Errors
/// If the system refuses.
pub fn write_signals(
    folder: &RunFolder,
    round: Round,
    regimes: impl Iterator<Item = RecordRegime>,
    seen: &Seen,
) -> Result<(), Failure> {
    let mut tensors = Vec::new();
    for (i, regime) in regimes.enumerate() {
        for (kind, values) in &seen.signals[i].columns {
            tensors.push((format!("{regime}.{kind}"), Floats::new(values)));
        }
        let silos = seen.silos.iter().flat_map(|rounds| &rounds[i].silos);
        for (silo, kinds) in silos {
            for (kind, values) in kinds {
                tensors.push((silo_name(regime, *silo, *kind), Floats::new(values)));
            }
        }
    }
    if tensors.is_empty() {
        return Ok(());
    }
    folder.write(signals_file(round), serialize(tensors, None))
}

fn silo_name(regime: RecordRegime, silo: SiloId, kind: SiloSignalKind) -> String {
    format!("{regime}.silo-{}.{kind}", silo.0)
}

/// What was seen of the silos' updates in one round: every one of `kinds` for every silo that has any, for each of
/// `regimes` in turn.
///
/// # Errors
/// If it cannot be read or is not all there.
pub fn read_silo_signals(
    folder: &Path,
    round: Round,
    regimes: impl Iterator<Item = RecordRegime>,
    kinds: &BTreeSet<SiloSignalKind>,
) -> Result<Vec<SiloRound>, FolderError> {
    let path = folder.join(signals_file(round));
    let bytes = folder::read(&path)?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| damaged(&path, error))?;
    let regime = |regime: RecordRegime| {
        let start = format!("{regime}.silo-");
        let silo = |name: &&str| {
            let (silo, _) = name.strip_prefix(&start)?.split_once('.')?;
            silo.parse().ok().map(SiloId)
        };
        let silos: BTreeSet<SiloId> = tensors.names().iter().filter_map(silo).collect();
        let of_silo = |silo| {
            let column = |&kind| Ok((kind, values(&tensors, &silo_name(regime, silo, kind))?));
            let columns = kinds.iter().map(column).collect::<Result<_, String>>()?;
            Ok((silo, columns))
        };
        let silos = silos
            .into_iter()
            .map(of_silo)
            .collect::<Result<_, String>>()?;
        Ok(SiloRound { round, silos })
    };
    regimes
        .map(|of| regime(of).map_err(|error: String| damaged(&path, error)))
        .collect()
}

/// What was seen of one round: every one of `kinds`, for each of `regimes` in turn.
///
/// # Errors
/// If it cannot be read or is not all there.
pub fn read_signals(
    folder: &Path,
    round: Round,
    regimes: impl Iterator<Item = RecordRegime>,
    kinds: &BTreeSet<SignalKind>,
) -> Result<Vec<RoundSignals>, FolderError> {
    let path = folder.join(signals_file(round));
    let bytes = folder::read(&path)?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| damaged(&path, error))?;
    regimes
        .map(|regime| {
            let mut columns = BTreeMap::new();
            for &kind in kinds {
                let name = format!("{regime}.{kind}");
                columns.insert(
                    kind,
                    values(&tensors, &name).map_err(|error| damaged(&path, error))?,
                );
            }
            Ok(RoundSignals { round, columns })
        })
        .collect()
}

/// Writes what an auditor read in one round; nothing if it read nothing.
///
/// # Errors
/// If the system refuses.
pub fn write_readings(
    folder: &RunFolder,
    round: Round,
    readings: &Readings,
) -> Result<(), Failure> {
    if readings.is_empty() {
        return Ok(());
    }
    let name = |silo: Option<SiloId>| {
        silo.map_or_else(|| COORDINATOR.to_owned(), |silo| format!("{:08}", silo.0))
    };
    let tensors = readings
        .iter()
        .map(|(silo, values)| (name(*silo), Floats::new(values)))
        .collect();
    folder.write(readings_file(round), serialize(tensors, None))
}

/// What an auditor read in one round; nothing if the round has no file.
///
/// # Errors
/// If the file cannot be read.
pub fn read_readings(folder: &Path, round: Round) -> Result<Readings, FolderError> {
    let path = folder.join(readings_file(round));
    if !path.exists() {
        return Ok(Readings::new());
    }
    let bytes = folder::read(&path)?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| damaged(&path, error))?;
    let of_name = |name: &str| {
        let whose = match name.parse() {
            Ok(silo) => Some(SiloId(silo)),
            Err(_) if name == COORDINATOR => None,
            Err(error) => return Err(damaged(&path, format!("{name}: {error}"))),
        };
        let values = values(&tensors, name).map_err(|error| damaged(&path, error))?;
        Ok((whose, values))
    };
    tensors.names().into_iter().map(of_name).collect()
}

/// The kinds of signal that were recorded of one round; none if it has no file.
///
/// # Errors
/// If the file cannot be read.
pub fn recorded_kinds(folder: &Path, round: Round) -> Result<BTreeSet<SignalKind>, FolderError> {
    let path = folder.join(signals_file(round));
    if !path.exists() {
        return Ok(BTreeSet::new());
    }
    let bytes = folder::read(&path)?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| damaged(&path, error))?;
    let named = |kind: &SignalKind| {
        let of = |regime| tensors.tensor(&format!("{regime}.{kind}")).is_ok();
        RecordRegime::ALL.into_iter().any(of)
    };
    Ok(SignalKind::ALL.into_iter().filter(named).collect())
}

/// The kinds of signal that were recorded of the silos' updates in one round; none if it has no file.
///
/// # Errors
/// If the file cannot be read.
pub fn recorded_silo_kinds(
    folder: &Path,
    round: Round,
) -> Result<BTreeSet<SiloSignalKind>, FolderError> {
    let path = folder.join(signals_file(round));
    if !path.exists() {
        return Ok(BTreeSet::new());
    }
    let bytes = folder::read(&path)?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| damaged(&path, error))?;
    let names = tensors.names();
    let named = |kind: &SiloSignalKind| {
        let of_kind = |name: &&str| name.contains(".silo-") && name.ends_with(&format!(".{kind}"));
        names.iter().any(of_kind)
    };
    Ok(SiloSignalKind::ALL.into_iter().filter(named).collect())
}

/// The model after one round, out of its checkpoint.
///
/// # Errors
/// If it cannot be read.
pub fn model(folder: &Path, round: Round) -> Result<ModelVector, FolderError> {
    let path = folder.join(file(round));
    let bytes = folder::read(&path)?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| damaged(&path, error))?;
    values(&tensors, "model")
        .map(ModelVector::from)
        .map_err(|error| damaged(&path, error))
}

/// The bytes of a file that holds one vector, and a text beside it.
pub fn vector_file(name: &str, values: &[f32], text: String) -> Vec<u8> {
    serialize(vec![(name, Floats::new(values))], Some(text))
}

/// The vector and the text that [`vector_file`] wrote to `path`.
///
/// # Errors
/// If the bytes are no such file.
pub fn read_vector_file(
    path: &Path,
    bytes: &[u8],
    name: &str,
) -> Result<(ModelVector, String), FolderError> {
    let text = text_of(path, bytes)?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| damaged(path, error))?;
    let values = values(&tensors, name).map_err(|error| damaged(path, error))?;
    Ok((values.into(), text))
}

/// What a file says beside its tensors.
fn text_of(path: &Path, bytes: &[u8]) -> Result<String, FolderError> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| damaged(path, error))?;
    header
        .metadata()
        .as_ref()
        .and_then(|metadata| metadata.get(STATE))
        .cloned()
        .ok_or_else(|| damaged(path, "it holds no state of a run"))
}

/// The rounds that have a checkpoint in `folder`, in order.
fn rounds(folder: &Path) -> Result<Vec<Round>, FolderError> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(folder).map_err(|source| FolderError::Io {
        action: "list",
        path: folder.to_owned(),
        source,
    })?;
    let mut rounds: Vec<Round> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| {
            let number = name.strip_prefix("round-")?.strip_suffix(".safetensors")?;
            number.parse().ok().map(Round)
        })
        .collect();
    rounds.sort_unstable();
    Ok(rounds)
}

fn read(path: &Path) -> Result<(Checkpoint, Journals), FolderError> {
    let bytes = folder::read(path)?;
    let text = text_of(path, &bytes)?;
    let state: State = serde_json::from_str(&text).map_err(|error| damaged(path, error))?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| damaged(path, error))?;
    let vector = |name: &str| {
        values(&tensors, name)
            .map(ModelVector::from)
            .map_err(|error| damaged(path, error))
    };
    let moments = if tensors.tensor("moments.first").is_ok() {
        Some(Moments {
            first: vector("moments.first")?,
            second: vector("moments.second")?,
        })
    } else {
        None
    };
    let checkpoint = Checkpoint {
        version: state.version,
        plan: state.plan,
        state: ServerState {
            round: state.round,
            model: vector("model")?,
            moments,
            clip_norm: state.clip_norm,
        },
        finished: state.finished,
    };
    Ok((checkpoint, state.journals))
}

fn file(round: Round) -> PathBuf {
    Path::new(CHECKPOINTS).join(format!("round-{:04}.safetensors", round.0))
}

fn signals_file(round: Round) -> PathBuf {
    Path::new(SIGNALS).join(format!("round-{:04}.safetensors", round.0))
}

fn readings_file(round: Round) -> PathBuf {
    Path::new(CANARIES).join(format!("round-{:04}.safetensors", round.0))
}

fn damaged(path: &Path, what: impl std::fmt::Display) -> FolderError {
    FolderError::Damaged {
        path: path.to_owned(),
        what: what.to_string(),
    }
}

/// A vector of `f32` as a tensor of one dimension, little endian.
struct Floats<'a> {
    values: &'a [f32],
    shape: [usize; 1],
}

impl<'a> Floats<'a> {
    fn new(values: &'a [f32]) -> Self {
        Self {
            values,
            shape: [values.len()],
        }
    }
}

impl View for Floats<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(
            self.values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        )
    }

    fn data_len(&self) -> usize {
        4 * self.values.len()
    }
}

fn serialize<N: AsRef<str> + Ord + std::fmt::Display>(
    tensors: Vec<(N, Floats<'_>)>,
    state: Option<String>,
) -> Vec<u8> {
    let metadata = state.map(|state| HashMap::from([(STATE.to_owned(), state)]));
    safetensors::serialize(tensors, metadata).expect("vectors of f32 under different names")
}

fn values(tensors: &SafeTensors<'_>, name: &str) -> Result<Vec<f32>, String> {
    let tensor = tensors
        .tensor(name)
        .map_err(|error| format!("{name}: {error}"))?;
    if tensor.dtype() != Dtype::F32 {
        return Err(format!("{name} is {:?}, not F32", tensor.dtype()));
    }
    let chunks = tensor.data().chunks_exact(4);
    Ok(chunks
        .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        .collect())
}
