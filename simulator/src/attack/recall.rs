//! What was seen of a round, from its run's folder.

use crate::checkpoint;
use crate::exit::Failure;
use crate::folder::FolderError;
use crate::observer::Observer;
use attacks::{RoundSignals, SignalKind};
use primitives::Round;
use std::collections::BTreeSet;
use std::path::Path;

/// What the run recorded of `round`: every kind of signal that `observer` looks for.
///
/// # Errors
/// If the file cannot be read or lacks a kind.
pub fn recorded(
    folder: &Path,
    observer: &Observer<'_>,
    round: Round,
) -> Result<Vec<RoundSignals>, FolderError> {
    let regimes = observer.regimes().map(|(regime, _)| regime);
    checkpoint::read_signals(folder, round, regimes, observer.kinds())
}

/// The same, with the kinds that the run did not record looked up in the round's stored model. Adds them to
/// `anew`.
///
/// # Errors
/// If neither signals nor model can be read, or the model does not fit the data.
pub(super) fn recalled(
    folder: &Path,
    observer: &Observer<'_>,
    round: Round,
    anew: &mut BTreeSet<SignalKind>,
) -> Result<Vec<RoundSignals>, Failure> {
    let kept = checkpoint::recorded_kinds(folder, round)?;
    let (kept, lost): (BTreeSet<_>, BTreeSet<_>) = observer
        .kinds()
        .iter()
        .partition(|kind| kept.contains(kind));
    if lost.is_empty() {
        return Ok(recorded(folder, observer, round)?);
    }
    let model = checkpoint::model(folder, round)?;
    let mut signals = observer
        .signals(round, &model, &lost)
        .map_err(Failure::run)?;
    if !kept.is_empty() {
        let regimes = observer.regimes().map(|(regime, _)| regime);
        let recorded = checkpoint::read_signals(folder, round, regimes, &kept)?;
        for (signals, recorded) in signals.iter_mut().zip(recorded) {
            signals.columns.extend(recorded.columns);
        }
    }
    anew.extend(lost);
    Ok(signals)
}
