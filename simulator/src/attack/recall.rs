//! What was seen of a round, from its run's folder.

use super::Seen;
use crate::checkpoint;
use crate::exit::Failure;
use crate::folder::FolderError;
use crate::observer::Observer;
use attacks::{RecordRegime, RoundSignals, SignalKind, SiloRound};
use primitives::Round;
use std::collections::BTreeSet;
use std::path::Path;

/// What the run recorded of `round`: all that `observer` looks for.
///
/// # Errors
/// If the file cannot be read or lacks a kind.
pub fn recorded(folder: &Path, observer: &Observer<'_>, round: Round) -> Result<Seen, FolderError> {
    Ok(Seen {
        signals: checkpoint::read_signals(folder, round, regimes(observer), observer.kinds())?,
        silos: silos(folder, observer, round)?,
    })
}

/// The same, with the kinds that the run did not record looked up in the round's stored model. Adds them to
/// `anew`.
///
/// # Errors
/// If neither signals nor model can be read, the model does not fit the data, or what the silos sent is asked for and
/// was not recorded: updates are not kept.
pub(super) fn recalled(
    folder: &Path,
    observer: &Observer<'_>,
    round: Round,
    anew: &mut BTreeSet<SignalKind>,
) -> Result<Seen, Failure> {
    let asked = observer.silo_kinds();
    if round > Round::UNTRAINED
        && !asked.is_subset(&checkpoint::recorded_silo_kinds(folder, round)?)
    {
        return Err(Failure::scenario(
            "adversary.view = \"silo-updates\": the run did not record what these attacks read of the silos' updates, and \
             updates are not kept; run the scenario anew with this view and these attacks in it",
        ));
    }
    Ok(Seen {
        signals: signals(folder, observer, round, anew)?,
        silos: silos(folder, observer, round)?,
    })
}

fn signals(
    folder: &Path,
    observer: &Observer<'_>,
    round: Round,
    anew: &mut BTreeSet<SignalKind>,
) -> Result<Vec<RoundSignals>, Failure> {
    let kept = checkpoint::recorded_kinds(folder, round)?;
    let wanted = observer.kinds().iter();
    let (kept, lost): (BTreeSet<_>, BTreeSet<_>) = wanted.partition(|kind| kept.contains(kind));
    let recorded = if kept.is_empty() {
        Vec::new()
    } else {
        checkpoint::read_signals(folder, round, regimes(observer), &kept)?
    };
    if lost.is_empty() {
        return Ok(recorded);
    }
    let model = checkpoint::model(folder, round)?;
    let mut signals = observer
        .signals(round, &model, &lost, None)
        .map_err(Failure::run)?;
    for (signals, recorded) in signals.iter_mut().zip(recorded) {
        signals.columns.extend(recorded.columns);
    }
    anew.extend(lost);
    Ok(signals)
}

/// What was seen of the silos' updates, if anybody sees them and there are any.
fn silos(
    folder: &Path,
    observer: &Observer<'_>,
    round: Round,
) -> Result<Option<Vec<SiloRound>>, FolderError> {
    let kinds = observer.silo_kinds();
    if kinds.is_empty() || round == Round::UNTRAINED {
        return Ok(None);
    }
    checkpoint::read_silo_signals(folder, round, regimes(observer), kinds).map(Some)
}

fn regimes(observer: &Observer<'_>) -> impl Iterator<Item = RecordRegime> {
    observer.regimes().map(|(regime, _)| regime)
}
