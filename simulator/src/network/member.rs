//! One silo of the roster in this process: its link, its machine, its trainer and its disk.

use super::args::JoinArgs;
use super::conversation::{Conversation, Silence};
use super::rendezvous::Rendezvous;
use super::shuts_out;
use super::silo_folder::SiloFolder;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use clients::{LocalTrainer, Silo, SiloEvent};
use primitives::{Digest, SiloId};
use protocol::{Compression, FinishReason, ToSilo};
use scenarios::Resolved;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use transport::quic::{Credentials, Farewell, Limits, Parting, QuicLink, Why, dial};

/// The first and the longest pause between two attempts to connect.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The same for a silo that was started together with its server.
const TETHERED_PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(20));

/// Where a silo keeps what it must not forget.
pub enum Keeping {
    /// In a folder of its own.
    In(SiloFolder),
    /// Nowhere. A silo that ends with its server is part of a simulation, whose rounds give the same bytes however often they
    /// are trained, and nobody would find its folder again.
    Nothing,
}

impl Keeping {
    fn begin(&mut self) -> Result<(), Failure> {
        match self {
            Self::In(folder) => folder.begin(),
            Self::Nothing => Ok(()),
        }
    }

    fn keep(&mut self, silo: &Silo) -> Result<(), Failure> {
        match self {
            Self::In(folder) => folder.keep(silo),
            Self::Nothing => Ok(()),
        }
    }
}

impl fmt::Display for Keeping {
    /// ` → silos/…/silo-0`, or nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::In(folder) => write!(f, " → {}", folder.path().display()),
            Self::Nothing => Ok(()),
        }
    }
}

/// What all silos of one process have in common.
pub struct Common<'a> {
    args: &'a JoinArgs,
    runtime: Handle,
    interrupt: &'a Interrupt,
    progress: &'a Progress,
    limits: Limits,
    parameters: u64,
    compression: Compression,
}

/// One silo of the roster.
pub struct Member<'a> {
    common: &'a Common<'a>,
    id: SiloId,
    keys: Credentials,
    silo: Silo,
    trainer: Box<dyn LocalTrainer>,
    keeping: Keeping,
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

impl<'a> Common<'a> {
    /// For silos of `resolved` in this process. Call it within a tokio runtime.
    pub fn new(
        args: &'a JoinArgs,
        resolved: &Resolved,
        interrupt: &'a Interrupt,
        progress: &'a Progress,
    ) -> Self {
        let parameters = resolved.plan.parameters;
        Self {
            args,
            runtime: Handle::current(),
            interrupt,
            progress,
            limits: Limits::for_vectors(parameters, args.link.silence()),
            parameters,
            compression: resolved.file.scenario.federation.compression,
        }
    }

    const fn pauses(&self) -> (Duration, Duration) {
        if self.args.tethered {
            TETHERED_PAUSES
        } else {
            PAUSES
        }
    }
}

impl<'a> Member<'a> {
    /// A silo that has not connected yet.
    pub fn new(
        common: &'a Common<'a>,
        keys: Credentials,
        (id, silo, keeping): (SiloId, Silo, Keeping),
        trainer: Box<dyn LocalTrainer>,
    ) -> Self {
        Self {
            common,
            id,
            keys,
            silo,
            trainer,
            keeping,
            trained: 0,
            welcomed: false,
        }
    }

    /// Whose records are trained.
    pub const fn id(&self) -> SiloId {
        self.id
    }

    /// Tells people; whose words they are, if there are others.
    fn say(&self, words: &str) {
        let progress = self.common.progress;
        if self.common.args.silo.len() == 1 {
            progress.say(words);
        } else {
            progress.say(&format!("{}: {words}", self.id));
        }
    }

    /// Takes part to the run's end.
    ///
    /// # Errors
    /// If the coordinator refuses the silo, or does not answer for too long, or the disk does not keep what it has to.
    pub fn run(&mut self) -> Result<Exit, Failure> {
        let mut away = Instant::now();
        let pauses = self.common.pauses();
        let mut pause = pauses.0;
        loop {
            let parting = match self.connect() {
                Ok(link) => {
                    self.welcomed = false;
                    let ending = self.converse(link)?;
                    if self.welcomed {
                        away = Instant::now();
                        pause = pauses.0;
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
                Some(Why::ConnectedAlready) if away.elapsed() > 2 * self.common.limits.silence => {
                    return Err(Failure::run(parting));
                }
                Some(Why::ConnectedAlready | Why::Leaving | Why::Interrupted) | None => {}
                Some(Why::Finished) => {
                    self.say(&parting.to_string());
                    return Ok(Exit::Ok);
                }
                Some(_) => return Err(Failure::run(parting)),
            }
            if self.common.interrupt.is_asked_for() {
                return Ok(self.interrupted());
            }
            let patience = self.common.args.patience();
            if away.elapsed() > patience {
                return Err(Failure::run(format!(
                    "no coordinator for {} s, the last attempt ended with: {parting}",
                    patience.as_secs()
                )));
            }
            if pause == pauses.0 {
                self.say(&format!("{parting}; trying again"));
            }
            self.common.runtime.block_on(async {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = self.common.interrupt.asked() => {}
                }
            });
            pause = (2 * pause).min(pauses.1);
        }
    }

    /// One attempt at every address that is known now.
    fn connect(&self) -> Result<QuicLink, Parting> {
        let unknown = |what: String| Parting::Broken(what);
        let (hosts, pin) = match (&self.common.args.rendezvous, &self.common.args.server) {
            (Some(path), _) => match Rendezvous::read(path) {
                Ok(Some(found)) => (found.addresses, Some(found.fingerprint)),
                Ok(None) => return Err(unknown(format!("{} is not there yet", path.display()))),
                Err(failure) => return Err(unknown(failure.to_string())),
            },
            (None, Some(server)) => (vec![server.clone()], self.common.args.fingerprint),
            (None, None) => return Err(unknown("no server is named".to_owned())),
        };
        let mut last = unknown("the server has no address".to_owned());
        for host in hosts {
            let attempt = self.common.runtime.block_on(async {
                tokio::select! {
                    attempt = self.dial(&host, pin) => attempt,
                    () = self.common.interrupt.asked() => Err(unknown("interrupted".to_owned())),
                }
            });
            match attempt {
                Ok(link) => return Ok(link),
                Err(parting) => last = parting,
            }
            if self.common.interrupt.is_asked_for() {
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
            match dial(address, &self.keys, pin, self.common.limits).await {
                Ok(link) => return Ok(link),
                Err(parting) => last = parting,
            }
        }
        Err(last)
    }

    /// Takes part for as long as the connection holds.
    fn converse(&mut self, link: QuicLink) -> Result<Ending, Failure> {
        let mut conversation =
            Conversation::new(link, self.common.parameters, self.common.compression);
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
            if self.common.interrupt.is_asked_for() && conversation.is_said() {
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
        self.common.runtime.block_on(async {
            tokio::select! {
                () = conversation.link().news() => {}
                () = self.common.interrupt.asked() => {}
            }
        });
    }

    fn take_events(&mut self) -> Result<(), Failure> {
        while let Some(event) = self.silo.poll_event() {
            match event {
                SiloEvent::Joined(welcome) => {
                    self.welcomed = true;
                    self.keeping.begin()?;
                    self.say(&format!(
                        "joined before round {} of {}",
                        welcome.round.0, welcome.rounds
                    ));
                }
                SiloEvent::Assumed { up_to, .. } => {
                    self.keeping.keep(&self.silo)?;
                    if self.silo.last().is_some() {
                        self.say(&format!(
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
                    self.say(&format!("the coordinator did not accept it: {refusal}"));
                }
                SiloEvent::Spent { round, .. } => {
                    self.keeping.keep(&self.silo)?;
                    self.say(&format!("trained {round}"));
                }
                SiloEvent::Opened(_) => self.keeping.keep(&self.silo)?,
                SiloEvent::SumRefused { round, error } => {
                    self.say(&format!("{round}: {error}"));
                }
                SiloEvent::TrainingFailed { round, error } => {
                    self.say(&format!("{round} came to no update: {error}"));
                }
                SiloEvent::RoundRefused(refused) => self.say(&refused.to_string()),
                SiloEvent::Finished(reason) => {
                    self.say(&format!("the run is over: {reason}"));
                }
            }
        }
        Ok(())
    }

    /// Sends what is left to be sent, says goodbye, and waits until it is heard.
    fn part(&self, mut conversation: Conversation<ToSilo>, words: &str) {
        conversation.part(Farewell::new(Why::Leaving, words));
        self.common.runtime.block_on(conversation.quiet());
    }

    fn interrupted(&self) -> Exit {
        self.say(&format!(
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
