//! What shadow runs said, by signal: `.shadows/<digest>/shadow-NNNN.safetensors`, beside the run folders.
//!
//! The first file has what every attack on shadows reads. A signal that an attack asks for beyond that has a file of its
//! own, named after the signal and all that decides it, so that a shadow that was trained without it is never read as if it
//! had it.

use crate::exit::Failure;
use crate::folder::FolderError;
use crate::observer::{OF_SHADOWS, Observer};
use crate::shelf::{Block, Shelf, digest_of_training};
use attacks::{Neighbourhood, RoundSignals, SignalKind, Signals};
use primitives::Round;
use scenarios::Resolved;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Kept shadow runs of one plan.
#[derive(Clone, Debug)]
pub struct Kept {
    pub shelf: Shelf,
    /// What is asked of every shadow, by the part of its files that holds it.
    parts: BTreeMap<String, BTreeSet<SignalKind>>,
}

impl Kept {
    /// The shadow runs of `resolved`, below the folder that holds its run, asked for all that `observer` looks for.
    pub fn new(resolved: &Resolved, observer: &Observer<'_>, out: &Path) -> Self {
        let neighbourhood = resolved.file.scenario.adversary.neighbourhood;
        let mut parts = BTreeMap::from([(String::new(), BTreeSet::from(OF_SHADOWS))]);
        for &kind in observer.kinds() {
            if !OF_SHADOWS.contains(&kind) {
                parts.insert(part(kind, neighbourhood), BTreeSet::from([kind]));
            }
        }
        let digest = digest_of_training(&resolved.plan);
        let shelf = Shelf::new(out, ".shadows", digest, "shadow");
        Self { shelf, parts }
    }

    /// Whether a shadow has said all that is asked.
    pub fn has(&self, shadow: usize) -> bool {
        self.parts.keys().all(|part| self.shelf.has(shadow, part))
    }

    /// Keeps what a shadow said in all rounds, by regime, as far as it is not kept yet.
    ///
    /// # Errors
    /// If the shadow has diverged, or the system refuses.
    pub fn write(
        &self,
        shadow: usize,
        observer: &Observer<'_>,
        rounds: &[Vec<RoundSignals>],
    ) -> Result<(), Failure> {
        let (first, others): (Vec<_>, Vec<_>) = self
            .parts
            .iter()
            .filter(|(part, _)| !self.shelf.has(shadow, part))
            .partition(|(part, _)| part.is_empty());
        for (part, kinds) in first.into_iter().chain(others) {
            let mut blocks: BTreeMap<String, Block> = BTreeMap::new();
            for seen in rounds {
                for ((regime, queries), signals) in observer.regimes().zip(seen) {
                    for (kind, column) in signals.columns.iter().filter(|(k, _)| kinds.contains(k))
                    {
                        blocks
                            .entry(format!("{regime}.{kind}"))
                            .or_insert_with(|| Block::new(queries.records()))
                            .push(column);
                    }
                }
            }
            self.shelf.write(shadow, part, blocks)?;
        }
        Ok(())
    }

    /// What a shadow said, by regime.
    ///
    /// # Errors
    /// If a file cannot be read or does not fit the observer's queries.
    pub fn read(
        &self,
        shadow: usize,
        observer: &Observer<'_>,
    ) -> Result<Vec<Signals>, FolderError> {
        let regime = |(regime, queries): (attacks::RecordRegime, &attacks::Queries)| {
            let mut columns: Vec<(SignalKind, Block)> = Vec::new();
            for (part, kinds) in &self.parts {
                let names = kinds
                    .iter()
                    .map(|kind| (format!("{regime}.{kind}"), queries.records()));
                let blocks = self.shelf.read(shadow, part, names)?;
                columns.extend(kinds.iter().copied().zip(blocks));
            }
            let damaged = |what: String| FolderError::Damaged {
                path: self.shelf.file(shadow, ""),
                what,
            };
            let mut rows: Vec<_> = columns.iter().map(|(kind, b)| (*kind, b.rows())).collect();
            let rounds = columns.first().map_or(0, |(_, block)| block.rows().count());
            let mut signals = Signals::new(regime, queries.clone());
            for round in 0..rounds as u32 {
                let mut of_round = BTreeMap::new();
                for (kind, rows) in &mut rows {
                    let row = rows.next().ok_or_else(|| {
                        damaged(format!("{kind} ends before round {round} of {rounds}"))
                    })?;
                    of_round.insert(*kind, row.to_vec());
                }
                let seen = RoundSignals {
                    round: Round(round),
                    columns: of_round,
                };
                signals
                    .push(seen)
                    .map_err(|error| damaged(error.to_string()))?;
            }
            Ok(signals)
        };
        observer.regimes().map(regime).collect()
    }
}

/// The part of a shadow's files that holds a signal beyond those of every shadow.
fn part(kind: SignalKind, neighbourhood: Neighbourhood) -> String {
    match kind {
        SignalKind::NeighbourhoodLoss => format!(
            "{kind}-{}x{}",
            neighbourhood.copies(),
            neighbourhood.deviation()
        ),
        _ => kind.to_string(),
    }
}
