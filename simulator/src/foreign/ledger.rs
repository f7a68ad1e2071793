//! What was released while the models were trained elsewhere: a ledger that came with them, or nothing known.

use crate::exit::Failure;
use crate::folder;
use accounting::{Ledger, LedgerEntry, Mechanism};
use primitives::{Digest, Round};
use scenarios::Resolved;
use std::path::{Path, PathBuf};

/// A ledger that came with the checkpoints.
#[derive(Debug)]
pub(super) struct Given {
    path: PathBuf,
    ledger: Ledger,
    digest: Digest,
}

/// Reads a ledger of one JSON entry a line.
///
/// # Errors
/// If it cannot be read, is no ledger, or is empty.
pub(super) fn read(path: &Path) -> Result<Given, Failure> {
    let fail = |what: String| Failure::scenario(format!("--ledger {}: {what}", path.display()));
    let bytes = folder::read(path).map_err(|error| fail(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| fail(error.to_string()))?;
    let mut ledger = Ledger::new();
    for (line, number) in text.lines().zip(1..) {
        let entry: LedgerEntry = serde_json::from_str(line)
            .map_err(|error| fail(format!("line {number} is no entry of a ledger ({error})")))?;
        ledger
            .append(entry)
            .map_err(|error| fail(format!("line {number}: {error}")))?;
    }
    if ledger.entries().is_empty() {
        let what = "it has no entry, and training released something; leave --ledger out if nothing is known";
        return Err(fail(what.to_owned()));
    }
    Ok(Given {
        path: path.to_owned(),
        digest: Digest::of(text.as_bytes()),
        ledger,
    })
}

impl Given {
    pub(super) const fn digest(&self) -> Digest {
        self.digest
    }

    /// `Ok` if every silo that trained has a release in the ledger, and every release is of a silo that there is.
    ///
    /// # Errors
    /// The first that does not, or a ledger that ends with another round than the checkpoints.
    pub(super) fn check(&self, resolved: &Resolved) -> Result<(), Failure> {
        let fail =
            |what: String| Failure::scenario(format!("--ledger {}: {what}", self.path.display()));
        let holding = resolved.schedule.locals.iter();
        let ours: Vec<u32> = holding.map(|local| local.silo().0).collect();
        let theirs = self.ledger.silos();
        if let Some(silo) = ours.iter().find(|silo| !theirs.contains(silo)) {
            return Err(fail(format!(
                "silo {silo} holds training records and released nothing; the ledger has silos {theirs:?}"
            )));
        }
        if let Some(silo) = theirs.iter().find(|silo| !ours.contains(silo)) {
            return Err(fail(format!(
                "it has releases of silo {silo}, which holds no training record; the scenario has silos {ours:?}"
            )));
        }
        let last = resolved.schedule.rounds;
        match self.ledger.entries().last() {
            Some(entry) if entry.round() != last => Err(fail(format!(
                "it ends with round {}, the last checkpoint is of round {last}: give what was released up to there",
                entry.round()
            ))),
            _ => Ok(()),
        }
    }

    /// What was released after round `before`, up to `round`.
    pub(super) fn between(&self, before: Option<Round>, round: Round) -> Vec<LedgerEntry> {
        let seen = before.map_or(0, |before| self.ledger.up_to(before.0).len());
        self.ledger.up_to(round.0)[seen..].to_vec()
    }
}

/// Releases of round `round` of which nothing is known: each silo's, unprotected.
///
/// # Errors
/// Never: a silo takes one step.
pub(super) fn unknown(resolved: &Resolved, round: Round) -> Result<Vec<LedgerEntry>, Failure> {
    if round == Round::UNTRAINED {
        return Ok(Vec::new());
    }
    let locals = resolved.schedule.locals.iter();
    locals
        .map(|local| LedgerEntry::local_steps(round.0, local.silo().0, Mechanism::None, 1))
        .collect::<Result<_, _>>()
        .map_err(Failure::run)
}
