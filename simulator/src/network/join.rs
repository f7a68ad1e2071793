//! A silo as a process: it trains its own records and sends nothing but updates.

use super::conversation::{Conversation, Silence};
use super::own_gate::OwnGate;
use super::rendezvous::Rendezvous;
use super::shuts_out;
use super::silo_folder::SiloFolder;
use crate::args::{JoinArgs, OutputArgs};
use crate::driver;
use crate::exit::{Exit, Failure};
use crate::gate::gate;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::{commands, foreign, keys, session};
use accounting::{Holdings, LedgerEntry};
use clients::{LocalTrainer, Silo, SiloCheckpoint, SiloEvent, SiloPlan};
use primitives::{Digest, Probe, SiloId};
use protocol::{Compression, FinishReason, ToSilo};
use scenarios::Resolved;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use transport::quic::{Credentials, Farewell, Limits, Parting, Peer, QuicLink, Why, dial};

/// The first and the longest pause between two attempts to connect.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Takes part in a served run as one silo, to the run's end.
///
/// # Errors
/// If the scenario has no such silo, the keys cannot be used, the coordinator refuses the silo, or does not
/// answer for too long.
pub fn join(args: &JoinArgs, output: OutputArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    if args.tethered {
        interrupt.tether();
    }
    let progress = Progress::new(output);
    let resolved = commands::resolve(&args.scenario)?;
    foreign::refuse_training(&resolved)?;
    let silo = silo_named(&resolved, &args.silo)?;
    let keys = keys::load(&args.keys, Peer::Silo(silo))?;
    let digest = resolved.plan.digest();
    let path = session::folder_of(&resolved.plan, &args.out).join(Peer::Silo(silo).label());
    let (folder, checkpoint) = SiloFolder::open(path, silo, digest)?;
    let schedule = &resolved.schedule;
    // What was charged in advance for a round that is not spent yet is asked for again.
    let spent: Vec<LedgerEntry> = checkpoint
        .iter()
        .flat_map(|checkpoint| {
            let last = checkpoint.last.map_or(0, |round| round.0);
            checkpoint.ledger.up_to(last).to_vec()
        })
        .collect();
    let budget = gate(
        resolved.file.scenario.privacy.budget(),
        Holdings::new(schedule.holdings().into_values()),
        &schedule.ledger(),
        &spent,
    )?;
    let own_gate = OwnGate {
        silo,
        rounds: schedule.rounds,
        cohorts: schedule.cohorts.clone(),
        budget,
    };
    let plan = SiloPlan {
        silo,
        digest,
        releases: schedule.releases().remove(&silo).unwrap_or_default(),
    };
    let trainer = driver::trainers(&resolved, &Probe::default())
        .remove(&silo)
        .ok_or_else(|| Failure::run(format!("{silo} has no trainer")))?;
    progress.say(&format!(
        "{silo} of {}: {} records of {} subjects → {}",
        resolved.plan.scenario.name,
        resolved.plan.silos[silo.index()].records,
        resolved.plan.silos[silo.index()].subjects,
        folder.path().display()
    ));
    let silo = match checkpoint {
        Some(checkpoint) => Silo::restore(plan, Box::new(own_gate), checkpoint),
        // Started together with its server it is part of a simulation, whose rounds give the same bytes
        // however often they are trained.
        None if args.tethered => Silo::restore(plan, Box::new(own_gate), SiloCheckpoint::default()),
        None => Silo::new(plan, Box::new(own_gate)),
    };
    let silo = match resolved.sums {
        Some(sums) => silo.with_sums(sums, resolved.world.seed),
        None => silo,
    };
    let mut member = Member {
        args,
        runtime: Handle::current(),
        interrupt,
        progress: &progress,
        keys,
        limits: Limits::for_vectors(resolved.plan.parameters, args.link.silence()),
        parameters: resolved.plan.parameters,
        compression: resolved.file.scenario.federation.compression,
        silo,
        trainer,
        folder,
        trained: 0,
        welcomed: false,
    };
    member.run()
}

/// The silo that `text` names: by number, by the label of its keys, or by the name that the data gives it.
fn silo_named(resolved: &Resolved, text: &str) -> Result<SiloId, Failure> {
    let silos = &resolved.plan.silos;
    let named = silos.iter().position(|silo| silo.name == text);
    let silo = match named {
        Some(position) => Some(SiloId(position as u32)),
        None => keys::silo(text).ok(),
    };
    silo.filter(|silo| silo.index() < silos.len())
        .ok_or_else(|| {
            let message = format!(
                "--silo {text}: the scenario has the silos 0 to {} ({} to {})",
                silos.len().saturating_sub(1),
                silos.first().map_or("", |silo| &silo.name),
                silos.last().map_or("", |silo| &silo.name),
            );
            Failure::new(Exit::Usage, message)
        })
}

/// One silo of the roster.
struct Member<'a> {
    args: &'a JoinArgs,
    runtime: Handle,
    interrupt: &'a Interrupt,
    progress: &'a Progress,
    keys: Credentials,
    limits: Limits,
    parameters: u64,
    compression: Compression,
    silo: Silo,
    trainer: Box<dyn LocalTrainer>,
    folder: SiloFolder,
    /// Rounds trained by this process.
    trained: u32,
    /// Whether the coordinator has welcomed it on this connection.
    welcomed: bool,
}

/// How a conversation with the coordinator ended.
enum Ending {
    Over(Exit),
    Lost(Parting),
}

impl Member<'_> {
    fn run(&mut self) -> Result<Exit, Failure> {
        let mut away = Instant::now();
        let mut pause = PAUSES.0;
        loop {
            let parting = match self.connect() {
                Ok(link) => {
                    self.welcomed = false;
                    let ending = self.converse(link)?;
                    if self.welcomed {
                        away = Instant::now();
                        pause = PAUSES.0;
                    }
                    match ending {
                        Ending::Over(exit) => return Ok(exit),
                        Ending::Lost(parting) => parting,
                    }
                }
                Err(parting) => parting,
            };
            match parting.why() {
                None if matches!(parting, Parting::Tls { .. }) => {
                    return Err(Failure::run(parting));
                }
                // The coordinator may not have noticed yet that an earlier connection is lost.
                Some(Why::ConnectedAlready) if away.elapsed() > 2 * self.limits.silence => {
                    return Err(Failure::run(parting));
                }
                Some(Why::ConnectedAlready | Why::Leaving | Why::Interrupted) | None => {}
                Some(Why::Finished) => {
                    self.progress.say(&parting.to_string());
                    return Ok(Exit::Ok);
                }
                Some(_) => return Err(Failure::run(parting)),
            }
            if self.interrupt.is_asked_for() {
                return Ok(self.interrupted());
            }
            let patience = self.args.patience();
            if away.elapsed() > patience {
                return Err(Failure::run(format!(
                    "no coordinator for {} s, the last attempt ended with: {parting}",
                    patience.as_secs()
                )));
            }
            if pause == PAUSES.0 {
                self.progress.say(&format!("{parting}; trying again"));
            }
            self.runtime.block_on(async {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = self.interrupt.asked() => {}
                }
            });
            pause = (2 * pause).min(PAUSES.1);
        }
    }

    /// One attempt at every address that is known now.
    fn connect(&self) -> Result<QuicLink, Parting> {
        let unknown = |what: String| Parting::Broken(what);
        let (hosts, pin) = match (&self.args.rendezvous, &self.args.server) {
            (Some(path), _) => match Rendezvous::read(path) {
                Ok(Some(found)) => (found.addresses, Some(found.fingerprint)),
                Ok(None) => return Err(unknown(format!("{} is not there yet", path.display()))),
                Err(failure) => return Err(unknown(failure.to_string())),
            },
            (None, Some(server)) => (vec![server.clone()], self.args.fingerprint),
            (None, None) => return Err(unknown("no server is named".to_owned())),
        };
        let mut last = unknown("the server has no address".to_owned());
        for host in hosts {
            let attempt = self.runtime.block_on(async {
                tokio::select! {
                    attempt = self.dial(&host, pin) => attempt,
                    () = self.interrupt.asked() => Err(unknown("interrupted".to_owned())),
                }
            });
            match attempt {
                Ok(link) => return Ok(link),
                Err(parting) => last = parting,
            }
            if self.interrupt.is_asked_for() {
                break;
            }
        }
        Err(last)
    }

    async fn dial(&self, host: &str, pin: Option<Digest>) -> Result<QuicLink, Parting> {
        let addresses: Vec<SocketAddr> = match tokio::net::lookup_host(host).await {
            Ok(addresses) => addresses.collect(),
            Err(error) => return Err(Parting::Broken(format!("{host}: {error}"))),
        };
        let mut last = Parting::Broken(format!("{host} has no address"));
        for address in addresses {
            match dial(address, &self.keys, pin, self.limits).await {
                Ok(link) => return Ok(link),
                Err(parting) => last = parting,
            }
        }
        Err(last)
    }

    /// Takes part for as long as the connection holds.
    fn converse(&mut self, link: QuicLink) -> Result<Ending, Failure> {
        let mut conversation = Conversation::new(link, self.parameters, self.compression);
        // Its journal has begun with its first welcome.
        self.silo.remember();
        self.silo.handle_connected();
        loop {
            // What has to be on disk is on disk before anything leaves.
            self.take_events()?;
            while let Some(message) = self.silo.poll_transmit() {
                conversation.say(message).map_err(Failure::run)?;
            }
            conversation.pump();
            if let Some(reason) = self.silo.finished() {
                self.part(conversation, "the run is over");
                return Ok(Ending::Over(self.exit_of(reason)));
            }
            if self.interrupt.is_asked_for() && conversation.is_said() {
                self.part(conversation, "the silo was interrupted");
                return Ok(Ending::Over(self.interrupted()));
            }
            if let Some(work) = self.silo.poll_task() {
                conversation.link().allow_more();
                let result = self.trainer.train(&work.task);
                self.trained += 1;
                self.silo.handle_trained(work.task.round, result);
                continue;
            }
            match conversation.hear() {
                Ok(Some(message)) => self.silo.handle(message),
                Ok(None) => self.wait(&conversation),
                Err(Silence::Lost) => {
                    let lost = Parting::Broken("the connection is lost".to_owned());
                    let parting = conversation.link().parting().cloned().unwrap_or(lost);
                    return Ok(Ending::Lost(parting));
                }
                Err(Silence::Garbled(error)) => {
                    let farewell = Farewell::new(Why::Misconduct, error.to_string());
                    conversation.cut_off(farewell.clone());
                    return Ok(Ending::Lost(Parting::Here(farewell)));
                }
            }
        }
    }

    fn wait(&self, conversation: &Conversation<ToSilo>) {
        self.runtime.block_on(async {
            tokio::select! {
                () = conversation.link().news() => {}
                () = self.interrupt.asked() => {}
            }
        });
    }

    fn take_events(&mut self) -> Result<(), Failure> {
        while let Some(event) = self.silo.poll_event() {
            match event {
                SiloEvent::Joined(welcome) => {
                    self.welcomed = true;
                    self.folder.begin()?;
                    self.progress.say(&format!(
                        "joined before round {} of {}",
                        welcome.round.0, welcome.rounds
                    ));
                }
                SiloEvent::Assumed { up_to, .. } => {
                    self.folder.keep(&self.silo)?;
                    if self.silo.last().is_some() {
                        self.progress.say(&format!(
                            "nothing is known of earlier rounds: all that may have been spent up to {up_to} is charged"
                        ));
                    }
                }
                SiloEvent::Refused(refusal) => {
                    if shuts_out(&refusal) {
                        return Err(Failure::run(format!(
                            "the coordinator refuses this silo: {refusal}"
                        )));
                    }
                    self.progress
                        .say(&format!("the coordinator did not accept it: {refusal}"));
                }
                SiloEvent::Spent { round, .. } => {
                    self.folder.keep(&self.silo)?;
                    self.progress.say(&format!("trained {round}"));
                }
                SiloEvent::Opened(_) => self.folder.keep(&self.silo)?,
                SiloEvent::SumRefused { round, error } => {
                    self.progress.say(&format!("{round}: {error}"));
                }
                SiloEvent::TrainingFailed { round, error } => {
                    self.progress
                        .say(&format!("{round} came to no update: {error}"));
                }
                SiloEvent::RoundRefused(refused) => self.progress.say(&refused.to_string()),
                SiloEvent::Finished(reason) => {
                    self.progress.say(&format!("the run is over: {reason}"));
                }
            }
        }
        Ok(())
    }

    /// Sends what is left to be sent, says goodbye, and waits until it is heard.
    fn part(&self, mut conversation: Conversation<ToSilo>, words: &str) {
        conversation.part(Farewell::new(Why::Leaving, words));
        self.runtime.block_on(conversation.quiet());
    }

    fn interrupted(&self) -> Exit {
        self.progress.say(&format!(
            "interrupted after {} rounds of this process; the same command goes on",
            self.trained
        ));
        Exit::Interrupted
    }

    fn exit_of(&self, reason: FinishReason) -> Exit {
        match reason {
            FinishReason::BudgetReached
                if self.silo.ledger().entries().is_empty() && self.trained == 0 =>
            {
                Exit::Budget
            }
            FinishReason::RoundsDone | FinishReason::BudgetReached => Exit::Ok,
            FinishReason::QuorumLost { .. } => Exit::Partial,
            FinishReason::Diverged { .. } | FinishReason::WrongShares { .. } => Exit::Failed,
        }
    }
}
