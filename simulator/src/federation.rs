//! The whole federation in this process, on virtual time.
//!
//! Coordinator and silos exchange the same frames as over a real network; without a `[network]` the messages
//! themselves, which share a model's memory instead of copying it. Training goes out of the state
//! machines as tasks; the tasks of a cohort are gathered and handed over together ([`CohortTrainer`]), and their
//! results go back in the order of silo ids, so that neither the number of threads nor who is done first
//! can change a byte.
//!
//! # Virtual time
//!
//! Time jumps from one thing that happens to the next: a silo goes or comes back, a frame arrives, a silo has
//! trained, a deadline passes; at the same moment, in this order. Without a `[network]` all of it happens at once.
//! Before the run begins the roster has joined: that is not part of it.
//!
//! A silo that goes away loses what it was training and what was on its link, however much of it had arrived; its
//! ledger and its update stay on its disk. When it is back it joins again, and is asked for the round under way if
//! its answer is still wanted.
//!
//! *A round is a world of its own.* What is under way when it ends, ends with it: frames, training, what the
//! coordinator was about to say. The next round begins with its tasks alone, over idle links, with random streams of its
//! own. So what a round comes to follows from the scenario, the model and the moment at which it begins, and a run
//! that is resumed at that moment sees the same. The price: a silo that answers too late does not begin the
//! next round late.

use crate::cohort::CohortTrainer;
use crate::conditions::Conditions;
use crate::driver::{self, Driver, End as RunEnd, Progressed, RoundTraffic, Start};
use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::jobs::Jobs;
use crate::progress::Progress;
use clients::{Silo, SiloCheckpoint, SiloEvent, SiloPlan, TrainError};
use primitives::{Round, Seed, SiloId};
use protocol::{
    CodecError, Compression, Frame, Message, MessageReader, OpenGate, ToCoordinator, ToSilo, encode,
};
use scenarios::Resolved;
use secure_sum::SumPlan;
use server::{
    AbandonedRound, Checkpoint, ConfigError, Coordinator, CoordinatorEvent, PlanError,
    RestoreError, Transmit,
};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use transport::{End, LinkError, MemoryNetwork, Parcel};

/// A federation that runs in memory.
pub struct Federation {
    coordinator: Coordinator,
    silos: BTreeMap<SiloId, Member>,
    trainer: Box<dyn CohortTrainer>,
    conditions: Conditions,
    /// Whether the scenario has a network, whose figures are worth telling.
    is_simulated: bool,
    network: MemoryNetwork<Letter>,
    compression: Compression,
    /// How updates are summed and what masks and noise are drawn from, where the coordinator sees sums only.
    sums: Option<(SumPlan, Seed)>,
    /// Parameters of the model.
    parameters: u64,
    jobs: Jobs,
    /// The tasks with which the round under way begins, and the first step of its masked sum, in the order of silos.
    tasks: VecDeque<Transmit>,
    /// When the round under way began.
    begun: Duration,
    traffic: Option<RoundTraffic>,
    refused: Option<String>,
    abandoned: Option<AbandonedRound>,
}

/// One silo of the federation, and what puts the messages of its link together.
struct Member {
    plan: SiloPlan,
    silo: Silo,
    readers: Readers,
}

/// What puts the messages of one link together, at its two ends.
struct Readers {
    coordinator: MessageReader<ToCoordinator>,
    silo: MessageReader<ToSilo>,
}

impl Readers {
    fn new(parameters: u64) -> Self {
        Self {
            coordinator: MessageReader::new(parameters),
            silo: MessageReader::new(parameters),
        }
    }
}

/// What a link carries.
enum Letter {
    Frame(Frame),
    /// A message over a link of which nobody counts the bytes.
    Whole(Whole),
}

enum Whole {
    Down(ToSilo),
    Up(ToCoordinator),
}

impl Parcel for Letter {
    fn wire_len(&self) -> usize {
        match self {
            Self::Frame(frame) => frame.wire_len(),
            Self::Whole(_) => 0,
        }
    }
}

/// Why a federation cannot be made or go on.
#[derive(Debug, thiserror::Error)]
pub enum FederationError {
    /// The aggregator's settings do not fit.
    #[error(transparent)]
    Aggregator(#[from] ConfigError),
    /// The plan's parts do not fit together.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The checkpoint is not of this run.
    #[error(transparent)]
    Checkpoint(#[from] RestoreError),
    /// A message cannot be carried.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A link is closed.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A silo could not train.
    #[error("{silo}: {error}")]
    Training {
        /// Which silo.
        silo: SiloId,
        /// Why.
        error: TrainError,
    },
    /// Nothing is under way and the run is not over.
    #[error(
        "the federation has come to a standstill: no message is under way and no silo is training"
    )]
    Standstill,
}

impl Federation {
    /// The federation of a resolved scenario, from where `start` says, whose silos `trainer` trains.
    ///
    /// # Errors
    /// If the plan's parts do not fit together, or the checkpoint is of another run.
    pub fn new(
        resolved: &Resolved,
        start: Start,
        trainer: Box<dyn CohortTrainer>,
    ) -> Result<Self, FederationError> {
        let scenario = &resolved.file.scenario;
        let (digest, now) = (start.digest, start.clock);
        let coordinator = driver::coordinator(resolved, start)?;
        let parameters = resolved.plan.parameters;
        let sums = resolved.sums.map(|plan| (plan, resolved.world.seed));
        let releases = resolved.schedule.releases();
        let silos: BTreeMap<SiloId, Member> = releases
            .into_iter()
            .map(|(silo, releases)| {
                let plan = SiloPlan {
                    silo,
                    digest,
                    releases,
                };
                let member = Member {
                    silo: restored(&plan, SiloCheckpoint::default(), sums),
                    plan,
                    readers: Readers::new(parameters),
                };
                (silo, member)
            })
            .collect();
        let conditions = Conditions::new(
            scenario.network.clone().unwrap_or_default(),
            resolved.world.seed,
            silos.keys().copied(),
            now,
        );
        let mut federation = Self {
            network: conditions.network(coordinator.state().round.next(), now),
            is_simulated: scenario.network.is_some(),
            coordinator,
            silos,
            trainer,
            conditions,
            compression: scenario.federation.compression,
            sums,
            parameters,
            jobs: Jobs::default(),
            tasks: VecDeque::new(),
            begun: now,
            traffic: None,
            refused: None,
            abandoned: None,
        };
        for (&id, member) in &mut federation.silos {
            member.silo.handle_connected();
            while let Some(message) = member.silo.poll_transmit() {
                federation.coordinator.handle(now, id, message);
            }
        }
        federation.begin_round();
        Ok(federation)
    }

    /// Goes on until a round is finished or the run is over.
    ///
    /// # Errors
    /// If a silo cannot train, or a message cannot be carried.
    fn advance(&mut self) -> Result<Progressed, FederationError> {
        loop {
            while let Some(event) = self.coordinator.poll_event() {
                match event {
                    CoordinatorEvent::RoundFinished(outcome) => {
                        self.end_round(outcome.round);
                        return Ok(Progressed::Round(Box::new(outcome)));
                    }
                    CoordinatorEvent::RoundRefused(refusal) => self.refused = Some(refusal.why),
                    CoordinatorEvent::RoundAbandoned(round) => {
                        self.count_traffic();
                        self.abandoned = Some(round);
                    }
                    CoordinatorEvent::Finished(reason) => {
                        return Ok(Progressed::Finished(Box::new(RunEnd {
                            reason,
                            refused: self.refused.take(),
                            abandoned: self.abandoned.take(),
                        })));
                    }
                    other => tracing::debug!(?other, "coordinator"),
                }
            }
            self.tell_silos()?;
            self.step()?;
        }
    }

    /// Does what comes next.
    fn step(&mut self) -> Result<(), FederationError> {
        let change = self.conditions.next_change();
        let arrival = self.network.next_arrival();
        let done = self.jobs.next_done();
        let timeout = self.coordinator.next_timeout();
        let moments = [change, arrival, done, timeout].into_iter().flatten();
        let now = moments.min().ok_or(FederationError::Standstill)?;
        self.network.advance_to(now);
        if change == Some(now) {
            self.come_and_go(now)
        } else if arrival == Some(now) {
            self.deliver()
        } else if done == Some(now) {
            self.finish_training(now, timeout)
        } else {
            self.coordinator.handle_timeout(now);
            Ok(())
        }
    }

    /// Clears the table for the round that the coordinator has begun, or begins next.
    fn begin_round(&mut self) {
        let round = self.coordinator.state().round.next();
        self.begun = self.network.now();
        self.network = self.conditions.network(round, self.begun);
        self.jobs.clear();
        for member in self.silos.values_mut() {
            member.readers = Readers::new(self.parameters);
            while member.silo.poll_transmit().is_some() {}
        }
        let said = std::iter::from_fn(|| self.coordinator.poll_transmit());
        self.tasks = said
            .filter(|transmit| match &transmit.message {
                ToSilo::Train(_) => true,
                ToSilo::Masking(masking) => masking.round == round,
                _ => false,
            })
            .collect();
    }

    fn end_round(&mut self, round: Round) {
        self.count_traffic();
        for member in self.silos.values_mut() {
            member.silo.handle_round_finished(round);
        }
        self.begin_round();
    }

    fn count_traffic(&mut self) {
        let clock = self.network.now();
        self.traffic = self.is_simulated.then(|| RoundTraffic {
            time: clock.saturating_sub(self.begun),
            clock,
            bytes: self.network.bytes(),
        });
    }

    /// Sends what the coordinator has to say. Silos that are away are not reached.
    fn tell_silos(&mut self) -> Result<(), FederationError> {
        while let Some(Transmit { to, message }) = self.tasks.pop_front() {
            self.send(to, End::Coordinator, message, Whole::Down)?;
        }
        while let Some(transmit) = self.coordinator.poll_transmit() {
            self.send(transmit.to, End::Coordinator, transmit.message, Whole::Down)?;
        }
        Ok(())
    }

    fn send<M: Message>(
        &mut self,
        silo: SiloId,
        from: End,
        message: M,
        whole: fn(M) -> Whole,
    ) -> Result<(), FederationError> {
        if !self.conditions.is_up(silo) {
            return Ok(());
        }
        if !self.is_simulated && self.compression == Compression::None {
            let letter = Letter::Whole(whole(message));
            return Ok(self.network.send(silo, from, letter)?);
        }
        for frame in encode(message, self.compression)? {
            self.network.send(silo, from, Letter::Frame(frame))?;
        }
        Ok(())
    }

    /// Sends what a silo has to say, and lets it begin to train.
    fn attend(&mut self, id: SiloId) -> Result<(), FederationError> {
        let Some(member) = self.silos.get_mut(&id) else {
            return Ok(());
        };
        while let Some(event) = member.silo.poll_event() {
            if let SiloEvent::TrainingFailed { error, .. } = event {
                return Err(FederationError::Training { silo: id, error });
            }
        }
        let task = member.silo.poll_task();
        let messages: Vec<ToCoordinator> =
            std::iter::from_fn(|| member.silo.poll_transmit()).collect();
        for message in messages {
            self.send(id, End::Silo, message, Whole::Up)?;
        }
        if let Some(task) = task {
            let time = self.conditions.training_time(id, task.task.round);
            let done = self.network.now() + time;
            // A silo that goes away before it is done trains for nothing.
            if self.conditions.stays_as_it_is(id, done) {
                self.jobs.begin(done, task);
            }
        }
        Ok(())
    }

    /// Hands over the next frame.
    fn deliver(&mut self) -> Result<(), FederationError> {
        let Some(delivery) = self.network.deliver() else {
            return Ok(());
        };
        let Some(member) = self.silos.get_mut(&delivery.silo) else {
            return Ok(());
        };
        let id = delivery.silo;
        let message = match (delivery.parcel, delivery.to) {
            (Letter::Whole(message), _) => Some(message),
            (Letter::Frame(frame), End::Coordinator) => {
                member.readers.coordinator.read(&frame)?.map(Whole::Up)
            }
            (Letter::Frame(frame), End::Silo) => member.readers.silo.read(&frame)?.map(Whole::Down),
        };
        match message {
            Some(Whole::Up(message)) => {
                let round = match &message {
                    ToCoordinator::Update(update) => Some(update.round),
                    _ => None,
                };
                self.coordinator.handle(delivery.at, id, message);
                // Where nothing can fail, nothing is asked for again: a cohort's updates need not be kept.
                if let Some(round) = round.filter(|_| !self.is_simulated) {
                    member.silo.handle_round_finished(round);
                }
                Ok(())
            }
            Some(Whole::Down(message)) => {
                member.silo.handle(message);
                self.attend(id)
            }
            None => Ok(()),
        }
    }

    /// Gives a silo what it has trained by `now`. Nobody waits for training beyond `timeout`.
    fn finish_training(
        &mut self,
        now: Duration,
        timeout: Option<Duration>,
    ) -> Result<(), FederationError> {
        // One at a time: where nothing takes time its update is taken in before the next silo's.
        let done = self.jobs.take_done(now, timeout, self.trainer.as_mut());
        if let Some(done) = done {
            let id = done.task.silo;
            if let Some(member) = self.silos.get_mut(&id) {
                member
                    .silo
                    .handle_trained(done.task.task.round, done.result);
            }
            self.attend(id)?;
        }
        Ok(())
    }

    /// Takes silos away and brings them back.
    fn come_and_go(&mut self, now: Duration) -> Result<(), FederationError> {
        for (id, up) in self.conditions.advance_to(now) {
            let Some(member) = self.silos.get_mut(&id) else {
                continue;
            };
            if up {
                member.silo.handle_connected();
                self.attend(id)?;
            } else {
                self.network.reconnect(id);
                self.jobs.lose(id);
                member.readers = Readers::new(self.parameters);
                member.silo = restored(&member.plan, member.silo.checkpoint(), self.sums);
            }
        }
        Ok(())
    }
}

/// A silo that goes on with what is on its disk. The coordinator asks the budget for the whole cohort; in one process
/// a second filter in every silo would only repeat its answer.
fn restored(plan: &SiloPlan, checkpoint: SiloCheckpoint, sums: Option<(SumPlan, Seed)>) -> Silo {
    let silo = Silo::restore(plan.clone(), Box::new(OpenGate), checkpoint);
    match sums {
        Some((sums, seed)) => silo.with_sums(sums, seed, seed),
        None => silo,
    }
}

impl Driver for Federation {
    fn checkpoint(&self) -> Checkpoint {
        self.coordinator.checkpoint()
    }

    fn advance(
        &mut self,
        _progress: &Progress,
        interrupt: &Interrupt,
    ) -> Result<Progressed, Failure> {
        if interrupt.is_asked_for() {
            return Ok(Progressed::Interrupted);
        }
        Self::advance(self).map_err(Failure::run)
    }

    fn traffic(&self) -> Option<RoundTraffic> {
        self.traffic
    }
}
