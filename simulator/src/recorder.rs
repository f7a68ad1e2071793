//! Measures, attacks, accounts for and stores every round of a run.

use crate::attack::{self, Attacker, AttackerError, Findings, Seen};
use crate::checkpoint::{self, Journals};
use crate::events::{AbandonedFigures, Course, Event, RoundFigures};
use crate::exit::Failure;
use crate::folder::{self, RunFolder};
use crate::observer::Observer;
use crate::shadow::Shadows;
use crate::statement::{self, Losses};
use accounting::{Holdings, Ledger, LedgerEntry, Odometer, TightestAccountant};
use attacks::RecordRegime;
use primitives::{ModelVector, Probe, Round, SiloId};
use protocol::SiloUpdate;
use report::model::Real;
use scenarios::Resolved;
use server::Checkpoint;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// What was released, one line an entry.
pub const LEDGER: &str = "ledger.jsonl";
/// What a round that is under way has released, once its silos were asked: it stands there until the round is
/// recorded, so that a run which is stopped in between and never gone on with counts as having spent it.
pub const UNDER_WAY: &str = "under-way.jsonl";
/// What happened, one line an event.
pub const EVENTS: &str = "events.jsonl";

/// What a run has come to so far, in memory and on disk.
pub struct Recorder<'a> {
    resolved: &'a Resolved,
    folder: &'a RunFolder,
    observer: Observer<'a>,
    attacker: Option<Attacker>,
    odometer: Odometer<TightestAccountant>,
    holdings: Holdings,
    rounds: Vec<RoundFigures>,
    journals: Journals,
    /// The last round's model, if somebody sees what the silos make of it.
    start: Option<ModelVector>,
    probe: Probe,
}

impl<'a> Recorder<'a> {
    /// A recorder at the beginning of a run; writes the run's first event.
    ///
    /// # Errors
    /// If there are too few subjects to attack, or the folder cannot be written.
    pub fn begin(resolved: &'a Resolved, folder: &'a RunFolder) -> Result<(Self, Event), Failure> {
        let mut recorder = Self::empty(resolved, folder)?;
        folder.cut(LEDGER, 0)?;
        folder.cut(EVENTS, 0)?;
        let plan = &resolved.plan;
        let event = Event::RunStarted {
            schema_version: crate::events::SCHEMA_VERSION,
            name: plan.scenario.name.clone(),
            plan: plan.digest().to_string(),
            rounds: resolved.schedule.rounds,
            silos: plan.silos.len() as u32,
            parameters: plan.parameters,
        };
        recorder.journals.events = folder.append(EVENTS, event.to_line())?;
        Ok((recorder, event))
    }

    /// A recorder that goes on after `round`, with what the folder holds up to there.
    ///
    /// # Errors
    /// If the folder is damaged.
    pub fn restore(
        resolved: &'a Resolved,
        folder: &'a RunFolder,
        checkpoint: &Checkpoint,
        journals: Journals,
    ) -> Result<Self, Failure> {
        let mut recorder = Self::empty(resolved, folder)?;
        let round = checkpoint.state.round;
        recorder.remember(&checkpoint.state.model);
        folder.cut(LEDGER, journals.ledger)?;
        folder.cut(EVENTS, journals.events)?;
        for entry in lines::<LedgerEntry>(folder.path(), LEDGER)? {
            recorder.odometer.append(entry).map_err(Failure::run)?;
        }
        recorder.rounds = rounds(folder.path())?;
        if let Some(attacker) = &mut recorder.attacker {
            for seen in 0..=round.0 {
                let seen = attack::recorded(folder.path(), &recorder.observer, Round(seen))?;
                attacker.see(seen).map_err(Failure::run)?;
            }
        }
        recorder.journals = journals;
        Ok(recorder)
    }

    fn empty(resolved: &'a Resolved, folder: &'a RunFolder) -> Result<Self, Failure> {
        let world = &resolved.world;
        let observer = Observer::new(world, &resolved.file.scenario);
        let attacker =
            Attacker::new(&resolved.file.scenario, world, &observer).map_err(|error| {
                Failure::scenario(format!(
                    "scenario {}: {error}",
                    resolved.file.file.display()
                ))
            })?;
        Ok(Self {
            resolved,
            folder,
            observer,
            attacker,
            odometer: Odometer::new(statement::accountant()),
            holdings: Holdings::new(resolved.schedule.holdings().into_values()),
            rounds: Vec::new(),
            journals: Journals::default(),
            start: None,
            probe: Probe::default(),
        })
    }

    /// Keeps the model that the next round sets out from.
    fn remember(&mut self, model: &ModelVector) {
        if !self.observer.silo_kinds().is_empty() {
            self.start = Some(model.clone());
        }
    }

    /// Measures, attacks and accounts for one round, and hands it to the disk; the checkpoint comes last.
    ///
    /// # Errors
    /// If the model diverged, or the folder cannot be written; the folder then ends with an earlier round.
    pub fn round(
        &mut self,
        round: Round,
        model: &ModelVector,
        updates: &BTreeMap<SiloId, SiloUpdate>,
        entries: &[LedgerEntry],
        course: Course,
        checkpoint: &Checkpoint,
    ) -> Result<Event, Failure> {
        let sight = self.observer.look(round, model).map_err(Failure::run)?;
        let silos = match &self.start {
            Some(start) => self
                .observer
                .silos(round, start, updates)
                .map_err(Failure::run)?,
            None => None,
        };
        self.remember(model);
        let seen = Seen {
            signals: sight.signals,
            silos,
        };
        let regimes = self.observer.regimes().map(|(regime, _)| regime);
        checkpoint::write_signals(self.folder, round, regimes, &seen)?;
        checkpoint::write_readings(self.folder, round, &self.probe.take(round))?;
        let ledger = self.charge(entries)?;
        let delta = self.resolved.file.scenario.privacy.delta();
        let losses = Losses::read(&mut self.odometer, &self.holdings, delta);
        if let Some(attacker) = &mut self.attacker {
            attacker.see(seen).map_err(Failure::run)?;
        }
        let figures = RoundFigures {
            round: round.0,
            silos: updates.keys().map(|silo| silo.0).collect(),
            quality: sight.quality,
            loss: sight.loss.into(),
            clip_norm: checkpoint.state.clip_norm.map(|norm| norm.get().into()),
            epsilon_record: statement::epsilon(&losses.record),
            epsilon_subject: statement::epsilon(&losses.subject),
            epsilon_silo: statement::epsilon(&losses.silo),
            auc_fresh: self
                .live_auc(RecordRegime::Fresh, round)
                .map_err(Failure::run)?,
            auc_training: self
                .live_auc(RecordRegime::Training, round)
                .map_err(Failure::run)?,
            course,
        };
        let event = Event::RoundFinished(figures.clone());
        self.rounds.push(figures);
        if !ledger.is_empty() {
            self.journals.ledger = self.folder.append(LEDGER, ledger)?;
        }
        self.journals.events = self.folder.append(EVENTS, event.to_line())?;
        checkpoint::write(self.folder, checkpoint, self.journals)?;
        Ok(event)
    }

    /// Accounts for a round that was given up, which ends the run. The journals end with the last finished round.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn abandon(
        &mut self,
        entries: &[LedgerEntry],
        figures: AbandonedFigures,
    ) -> Result<Event, Failure> {
        let ledger = self.charge(entries)?;
        let event = Event::RoundAbandoned(figures);
        if !ledger.is_empty() {
            self.folder.append(LEDGER, ledger)?;
        }
        self.folder.append(EVENTS, event.to_line())?;
        Ok(event)
    }

    /// Counts releases, and gives their lines for the ledger.
    fn charge(&mut self, entries: &[LedgerEntry]) -> Result<String, Failure> {
        let mut lines = String::new();
        for entry in entries {
            self.odometer.append(entry.clone()).map_err(Failure::run)?;
            lines += &serde_json::to_string(entry).map_err(Failure::run)?;
            lines.push('\n');
        }
        Ok(lines)
    }

    fn live_auc(&self, regime: RecordRegime, round: Round) -> Result<Option<Real>, AttackerError> {
        let Some(attacker) = &self.attacker else {
            return Ok(None);
        };
        Ok(attacker.live_auc(regime, round)?.map(Real::from))
    }

    /// What has been released so far.
    pub const fn ledger(&self) -> &Ledger {
        self.odometer.ledger()
    }

    /// The figures of the rounds so far, round 0 first.
    pub fn rounds(&self) -> &[RoundFigures] {
        &self.rounds
    }

    /// What the scenario's attacks find in all rounds so far, with these shadow runs. `None` if it has no attack.
    ///
    /// # Errors
    /// If an attack is refused or fails.
    pub fn findings(&mut self, shadows: Option<Shadows>) -> Result<Option<Findings>, Failure> {
        let Some(attacker) = &mut self.attacker else {
            return Ok(None);
        };
        if let Some(shadows) = shadows {
            attacker.see_shadows(shadows.signals);
        }
        let findings = attacker.findings(self.resolved);
        findings.map(Some).map_err(Failure::run)
    }

    /// When the last round ended, in virtual time.
    pub fn clock(&self) -> Duration {
        let network = self.rounds.last().and_then(|last| last.course.network);
        network.map_or(Duration::ZERO, |network| {
            Duration::from_nanos(network.clock_ns)
        })
    }

    /// The adversary, if the scenario has one.
    pub const fn attacker(&self) -> Option<&Attacker> {
        self.attacker.as_ref()
    }

    /// Takes what an auditor reads in a round before the round is recorded.
    pub const fn probe(&self) -> &Probe {
        &self.probe
    }

    /// Who holds what, as the accountant counts it.
    pub const fn holdings(&self) -> &Holdings {
        &self.holdings
    }
}

/// The figures of every finished round, round 0 first, as a run folder's journal has them.
///
/// # Errors
/// If it cannot be read.
pub fn rounds(folder: &Path) -> Result<Vec<RoundFigures>, Failure> {
    let events = lines::<Event>(folder, EVENTS)?.into_iter();
    let finished = events.filter_map(|event| match event {
        Event::RoundFinished(figures) => Some(figures),
        _ => None,
    });
    Ok(finished.collect())
}

/// The lines of a journal.
///
/// # Errors
/// If it cannot be read.
pub fn lines<T: serde::de::DeserializeOwned>(folder: &Path, name: &str) -> Result<Vec<T>, Failure> {
    let path = folder.join(name);
    let bytes = folder::read(&path)?;
    let damaged = |what: String| folder::FolderError::Damaged {
        path: path.clone(),
        what,
    };
    let text = String::from_utf8(bytes).map_err(|error| damaged(error.to_string()))?;
    text.lines()
        .map(|line| serde_json::from_str(line).map_err(|error| damaged(error.to_string()).into()))
        .collect()
}
