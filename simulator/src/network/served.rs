//! The coordinator's side of a federation whose silos are other processes.

use super::args::ServeSettings;
use super::conversation::{Conversation, Silence};
use super::door::Door;
use super::members::{Doing, Members};
use super::metrics::Metrics;
use super::shuts_out;
use crate::driver::{self, Driver, End, Progressed, Start};
use crate::events::RoundFigures;
use crate::exit::Failure;
use crate::folder;
use crate::interrupt::Interrupt;
use crate::keys;
use crate::progress::Progress;
use crate::recorder::UNDER_WAY;
use accounting::LedgerEntry;
use primitives::{Digest, Round, SiloId};
use protocol::{Compression, Join, PROTOCOL_VERSION, Refusal, ToCoordinator, ToSilo};
use scenarios::Resolved;
use server::{AbandonedRound, Checkpoint, Coordinator, CoordinatorEvent};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use transport::quic::{Arrival, Farewell, Limits, Parting, Peer, Traffic, Why};

/// How long last words may take to reach the silos.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A federation whose silos are elsewhere.
pub struct Served {
    runtime: Handle,
    coordinator: Coordinator,
    door: Door,
    silos: BTreeMap<SiloId, Conversation<ToCoordinator>>,
    /// The last round that a silo was asked for.
    asked: BTreeMap<SiloId, Round>,
    members: Members,
    parameters: u64,
    compression: Compression,
    begun: Instant,
    /// Why the gate refused a round.
    refused: Option<String>,
    /// A round that came to nothing.
    abandoned: Option<AbandonedRound>,
    /// What is to be told first.
    opening: Option<String>,
    metrics: Metrics,
    /// Silos that are to go once they have been told why.
    dismissed: Vec<(SiloId, Farewell)>,
    /// What went over links that are no more.
    past: Traffic,
    /// The file that holds what the round under way releases; none if the silos end with this process.
    under_way: Option<PathBuf>,
}

impl Served {
    /// Opens the door for the silos of a scenario. If they outlive this process, what a round releases is kept in `folder`
    /// before they are asked for it.
    ///
    /// # Errors
    /// If the keys or the address cannot be used, or the checkpoint is of another run.
    pub fn open(
        resolved: &Resolved,
        start: Start,
        settings: &ServeSettings,
        folder: Option<PathBuf>,
    ) -> Result<Self, Failure> {
        let keys = keys::load(&settings.keys, Peer::Coordinator)?;
        let parameters = resolved.plan.parameters;
        let limits = Limits::for_vectors(parameters, settings.link.silence());
        let digest = start.digest;
        // Whoever is over has told its silos, who may be gone: the end is found without them.
        let over = start
            .checkpoint
            .as_ref()
            .is_some_and(|checkpoint| checkpoint.finished.is_some());
        let coordinator = driver::coordinator(resolved, start).map_err(Failure::run)?;
        let roster = resolved.schedule.cohorts.roster().clone();
        let (door, mut opening) = Door::open(settings, &keys, limits, roster, digest)?;
        let runtime = Handle::current();
        let metrics = Metrics::default();
        let rounds = resolved.schedule.rounds;
        metrics.update(|figures| figures.rounds = rounds);
        if let Some(address) = settings.metrics {
            let bound = runtime.block_on(metrics.listen(address))?;
            opening = format!("{opening}; metrics at http://{bound}/metrics");
        }
        let mut served = Self {
            runtime,
            metrics,
            dismissed: Vec::new(),
            past: Traffic::default(),
            under_way: folder.map(|folder| folder.join(UNDER_WAY)),
            coordinator,
            members: Members::new(door.roster().iter().copied()),
            door,
            silos: BTreeMap::new(),
            asked: BTreeMap::new(),
            parameters,
            compression: resolved.file.scenario.federation.compression,
            begun: Instant::now(),
            refused: None,
            abandoned: None,
            opening: Some(opening),
        };
        if over {
            served.join_for_all(digest);
        }
        Ok(served)
    }

    /// Lets the coordinator find the end of a run that is over.
    fn join_for_all(&mut self, plan: Digest) {
        for &silo in self.door.roster() {
            let join = Join {
                version: PROTOCOL_VERSION,
                silo,
                plan,
            };
            self.coordinator
                .handle(Duration::ZERO, silo, ToCoordinator::Join(join));
        }
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Lets in who has come. Says whether anyone has.
    fn let_in(&mut self, progress: &Progress) -> bool {
        let mut any = false;
        let (door, silos) = (&mut self.door, &mut self.silos);
        while let Some(arrival) = door.arrival(|silo| silos.contains_key(&silo), progress) {
            any = true;
            let Arrival {
                silo,
                address,
                link,
                ..
            } = arrival;
            progress.say(&format!("{silo} is here, from {address}"));
            self.members.arrive(silo);
            let conversation = Conversation::new(link, self.parameters, self.compression);
            silos.insert(silo, conversation);
        }
        any
    }

    /// Hands the coordinator what has arrived. Says whether anything has.
    fn hear(&mut self, progress: &Progress) -> bool {
        let mut any = false;
        let here: Vec<SiloId> = self.silos.keys().copied().collect();
        for silo in here {
            while let Some(conversation) = self.silos.get_mut(&silo) {
                conversation.pump();
                match conversation.hear() {
                    Ok(None) => break,
                    Ok(Some(message)) => {
                        any = true;
                        if matches!(
                            message,
                            ToCoordinator::Update(_) | ToCoordinator::Summand(_)
                        ) {
                            self.members.set(silo, Doing::Answered);
                        }
                        self.coordinator.handle(self.now(), silo, message);
                    }
                    Err(silence) => {
                        any = true;
                        self.lose(silo, &silence, progress);
                    }
                }
            }
        }
        any
    }

    /// A silo is gone, or has to go.
    fn lose(&mut self, silo: SiloId, silence: &Silence, progress: &Progress) {
        let Some(mut conversation) = self.silos.remove(&silo) else {
            return;
        };
        self.past += conversation.link().traffic();
        let misconduct = match (silence, conversation.link().parting()) {
            (Silence::Garbled(error), _) => Some((Refusal::Malformed, error.to_string())),
            (Silence::Lost, Some(Parting::Here(farewell))) if farewell.why == Why::Misconduct => {
                Some((Refusal::Malformed, farewell.words.clone()))
            }
            _ => None,
        };
        if let Some((refusal, words)) = misconduct {
            conversation.cut_off(Farewell::new(Why::Misconduct, words.clone()));
            self.bar(silo, refusal, words, progress);
            return;
        }
        let why = conversation
            .link()
            .parting()
            .map_or_else(|| "its connection is lost".to_owned(), Parting::to_string);
        progress.say(&format!("{silo} is gone: {why}"));
        self.members.set(silo, Doing::Gone);
    }

    /// A silo that broke the rules is out of this run.
    fn bar(&mut self, silo: SiloId, refusal: Refusal, words: String, progress: &Progress) {
        progress.say(&format!("{silo} is cut off and out of this run: {words}"));
        self.members.set(silo, Doing::Barred);
        self.door.bar(silo, refusal, words);
        self.go_on_without_barred();
    }

    /// Nobody waits for a barred silo.
    fn go_on_without_barred(&mut self) {
        for (&silo, &(refusal, _)) in self.door.barred() {
            self.coordinator
                .handle_shut_out(self.begun.elapsed(), silo, refusal);
        }
    }

    /// Puts on their way what the coordinator has to say.
    fn transmit(&mut self) -> Result<(), Failure> {
        while let Some(transmit) = self.coordinator.poll_transmit() {
            let silo = transmit.to;
            if let ToSilo::Train(task) = &transmit.message {
                let before = self.asked.insert(silo, task.round);
                if let Some(conversation) =
                    self.silos.get(&silo).filter(|_| before != Some(task.round))
                {
                    conversation.link().allow_more();
                }
                self.members.set(silo, Doing::Training);
            }
            // A silo that is away is told again when it is back.
            if let Some(conversation) = self.silos.get_mut(&silo) {
                conversation.say(transmit.message).map_err(Failure::run)?;
            }
        }
        Ok(())
    }

    /// Lets those go that may not take part, now that they have been told.
    fn dismiss(&mut self) {
        for (silo, farewell) in std::mem::take(&mut self.dismissed) {
            if let Some(mut conversation) = self.silos.remove(&silo) {
                self.past += conversation.link().traffic();
                conversation.part(farewell);
            }
        }
    }

    /// Shows who is here and what went over their links.
    fn show(&self, progress: &Progress) {
        progress.silos(&self.members);
        let mut traffic = self.past;
        for conversation in self.silos.values() {
            traffic += conversation.link().traffic();
        }
        self.metrics.update(|figures| {
            figures.silos = self.silos.len();
            figures.traffic = traffic;
        });
    }

    /// Keeps what a round releases, before any silo is asked for it.
    fn spend(&self, entries: &[LedgerEntry]) -> Result<(), Failure> {
        let Some(under_way) = &self.under_way else {
            return Ok(());
        };
        let mut text = String::new();
        for entry in entries {
            text += &serde_json::to_string(entry).map_err(Failure::run)?;
            text.push('\n');
        }
        Ok(folder::write_whole(under_way, text.as_bytes())?)
    }

    /// Says goodbye to every silo, once it has heard all else.
    fn leave(&mut self, why: Why, words: &str) {
        let mut silos = std::mem::take(&mut self.silos);
        self.door.hide();
        let door = &self.door;
        let goodbye = async move {
            let said = async {
                loop {
                    silos.values_mut().for_each(Conversation::pump);
                    if silos
                        .values()
                        .all(|silo| silo.is_said() || silo.link().parting().is_some())
                    {
                        return;
                    }
                    door.news().await;
                }
            };
            let _ = tokio::time::timeout(LAST_WORDS, said).await;
            for silo in silos.values_mut() {
                silo.part(Farewell::new(why, words));
            }
            door.close().await;
        };
        self.runtime.block_on(goodbye);
    }

    /// Waits for news, the next deadline, or Ctrl-C.
    fn wait(&mut self, interrupt: &Interrupt) {
        let deadline = self
            .coordinator
            .next_timeout()
            .map(|timeout| tokio::time::Instant::from_std(self.begun + timeout));
        let late = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let is_late = self.runtime.block_on(async {
            tokio::select! {
                () = self.door.news() => false,
                () = interrupt.asked() => false,
                () = late => true,
            }
        });
        if is_late {
            self.coordinator.handle_timeout(self.now());
        }
    }
}

impl Driver for Served {
    fn checkpoint(&self) -> Checkpoint {
        self.coordinator.checkpoint()
    }

    fn is_remote(&self) -> bool {
        self.under_way.is_some()
    }

    fn recorded(&mut self, figures: &RoundFigures) {
        self.metrics.recorded(figures);
    }

    fn advance(
        &mut self,
        progress: &Progress,
        interrupt: &Interrupt,
    ) -> Result<Progressed, Failure> {
        if let Some(opening) = self.opening.take() {
            progress.say(&opening);
        }
        loop {
            if interrupt.is_asked_for() {
                let words = "the coordinator was interrupted; it goes on when it is resumed";
                self.leave(Why::Interrupted, words);
                return Ok(Progressed::Interrupted);
            }
            while let Some(event) = self.coordinator.poll_event() {
                match event {
                    CoordinatorEvent::RoundFinished(outcome) => {
                        for (&silo, why) in &outcome.missing {
                            self.members.set(silo, Doing::Late);
                            progress
                                .say(&format!("{} went on without {silo}: {why}", outcome.round));
                        }
                        self.show(progress);
                        return Ok(Progressed::Round(Box::new(outcome)));
                    }
                    CoordinatorEvent::RoundAbandoned(abandoned) => {
                        for (&silo, why) in &abandoned.missing {
                            self.members.set(silo, Doing::Late);
                            progress.say(&format!("{} without {silo}: {why}", abandoned.round));
                        }
                        self.abandoned = Some(abandoned);
                    }
                    CoordinatorEvent::RoundRepeated {
                        round,
                        attempt,
                        accepted,
                        quorum,
                    } => {
                        progress.say(&format!(
                            "{round}: {accepted} updates of at least {quorum}; attempt {attempt}"
                        ));
                        self.go_on_without_barred();
                    }
                    CoordinatorEvent::SiloCutOff { silo, round } => {
                        let refusal = Refusal::Flood { round };
                        let farewell = Farewell::new(Why::Misconduct, refusal.to_string());
                        self.dismissed.push((silo, farewell));
                        self.bar(silo, refusal, refusal.to_string(), progress);
                    }
                    CoordinatorEvent::RoundRefused(refusal) => self.refused = Some(refusal.why),
                    CoordinatorEvent::Finished(reason) => {
                        self.transmit()?;
                        self.dismiss();
                        self.leave(Why::Finished, &format!("the run is over: {reason}"));
                        return Ok(Progressed::Finished(Box::new(End {
                            reason,
                            refused: self.refused.take(),
                            abandoned: self.abandoned.take(),
                        })));
                    }
                    CoordinatorEvent::RoundStarted {
                        round,
                        cohort,
                        entries,
                    } => {
                        self.spend(&entries)?;
                        self.members.begin(round, cohort.into_iter());
                        self.go_on_without_barred();
                    }
                    CoordinatorEvent::SiloRefused { silo, reason } => {
                        progress.say(&format!("refused {silo}: {reason}"));
                        if shuts_out(&reason) {
                            let farewell = Farewell::new(Why::Refused, reason.to_string());
                            self.dismissed.push((silo, farewell));
                            self.members.set(silo, Doing::Awaited);
                        }
                    }
                    CoordinatorEvent::SiloDeclined {
                        silo,
                        round,
                        reason,
                    } => {
                        self.members.set(silo, Doing::Answered);
                        progress.say(&format!("{silo} takes no part in {round}: {reason}"));
                    }
                    other @ CoordinatorEvent::SiloJoined(_) => {
                        tracing::debug!(?other, "coordinator");
                    }
                }
            }
            self.transmit()?;
            self.dismiss();
            self.show(progress);
            if self.let_in(progress) || self.hear(progress) {
                continue;
            }
            self.wait(interrupt);
        }
    }
}
