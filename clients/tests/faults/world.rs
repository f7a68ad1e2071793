//! Drives both state machines through a schedule of faults, and writes down what really happened.

use super::case::{Bug, Case, below, milliseconds};
use super::malice;
use crate::common::PARAMETERS;
use accounting::LedgerEntry;
use primitives::{ModelVector, Role, Round, SiloId, Stream};
use protocol::{FinishReason, Message, MessageReader, Summand, ToCoordinator, ToSilo};
use rand_chacha::ChaCha20Rng;
use secure_sum::FromMember;
use server::{AbandonedRound, Checkpoint, Coordinator, CoordinatorEvent, RoundOutcome};
use siloscope_clients::{Silo, SiloCheckpoint, SiloEvent, TrainingTask};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use transport::{End, MemoryNetwork};

/// Steps after which a schedule counts as never ending.
const MOST_STEPS: u32 = 20_000;

/// The bits of a vector: what was sent, exactly.
type Bits = Vec<u32>;

pub(crate) fn bits(vector: &ModelVector) -> Bits {
    vector.as_slice().iter().map(|x| x.to_bits()).collect()
}

/// What the run wrote down, and beside it what really left.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    /// The run's ledger.
    pub(crate) ledger: Vec<LedgerEntry>,
    pub(crate) outcomes: Vec<RoundOutcome>,
    pub(crate) abandoned: Option<AbandonedRound>,
    pub(crate) finish: Option<FinishReason>,
    /// Every update that ever left an honest silo.
    pub(crate) released: BTreeMap<(SiloId, Round), BTreeSet<Bits>>,
    /// Every list of survivors whose masks an honest silo has helped to take off, as far back as its disk reaches.
    pub(crate) opened: BTreeMap<(SiloId, Round), BTreeSet<BTreeSet<SiloId>>>,
    /// Masked sums that were read.
    pub(crate) unmasked: u32,
    /// Every model that ever left the coordinator, by the round that made it.
    pub(crate) published: BTreeMap<Round, BTreeSet<Bits>>,
    /// Faults that struck.
    pub(crate) struck: u32,
}

/// The coordinator's disk: its checkpoint, and how long its journals were.
#[derive(Clone)]
pub(super) struct Disk {
    checkpoint: String,
    ledger: usize,
    outcomes: usize,
}

pub(super) enum Timer {
    SiloBack(SiloId),
    CoordinatorBack,
    Break(SiloId),
    Reconnect(SiloId),
    Up(SiloId, ToCoordinator),
    /// A message of the coordinator, which never outlives its connection.
    Down(SiloId, ToSilo, u32),
    /// Training is done, if the silo has not crashed meanwhile.
    Trained(TrainingTask, u32),
}

pub(super) struct Member {
    /// None while it is down.
    pub(super) silo: Option<Silo>,
    pub(super) disk: Option<String>,
    /// Whether it has lost its disk and charged nothing since: it has no ledger that could be asked.
    pub(super) lost: bool,
    /// Whether there is a connection.
    pub(super) linked: bool,
    /// How many connections there were.
    pub(super) connections: u32,
    /// How often it has crashed.
    pub(super) crashes: u32,
    pub(super) up: MessageReader<ToCoordinator>,
    pub(super) down: MessageReader<ToSilo>,
}

pub(crate) struct World<'a> {
    pub(super) case: &'a Case,
    pub(super) rng: ChaCha20Rng,
    pub(super) network: MemoryNetwork,
    pub(super) coordinator: Option<Coordinator>,
    pub(super) disk: Option<Disk>,
    pub(super) members: BTreeMap<SiloId, Member>,
    pub(super) timers: BTreeMap<(Duration, u64), Timer>,
    pub(super) numbers: u64,
    pub(super) faults: u32,
    /// What silos have sent, to be replayed.
    pub(super) sent: Vec<(SiloId, ToCoordinator)>,
    pub(super) journal: Journal,
}

pub(super) fn reader<M: Message>() -> MessageReader<M> {
    MessageReader::new(PARAMETERS as u64)
}

/// Runs a case to its end: its journal, and what every silo's own disk says in the end.
pub(crate) fn run(case: &Case) -> (Journal, BTreeMap<SiloId, SiloCheckpoint>) {
    let mut world = World::new(case);
    for _ in 0..MOST_STEPS {
        if world.journal.finish.is_some() || !world.step() {
            break;
        }
    }
    let known = world.members.iter().filter(|(_, member)| !member.lost);
    let own = known.map(|(&silo, member)| {
        let kept = member.disk.as_deref();
        let kept = kept.map(|disk| serde_json::from_str(disk).unwrap());
        (silo, kept.unwrap_or_default())
    });
    (world.journal.clone(), own.collect())
}

impl<'a> World<'a> {
    fn new(case: &'a Case) -> Self {
        let coordinator = Coordinator::new(case.plan(), case.parts(0), Case::initial()).unwrap();
        let coordinator = case.seeing(coordinator);
        let member = |silo| {
            let member = Member {
                silo: Some(case.machine(silo, None, 0)),
                disk: None,
                lost: false,
                linked: false,
                connections: 0,
                crashes: 0,
                up: reader(),
                down: reader(),
            };
            (silo, member)
        };
        let mut world = Self {
            case,
            rng: case.seed().stream(Stream::run(Role::Network)),
            network: MemoryNetwork::new(case.link, case.seed().child(Role::Network, 0)),
            coordinator: Some(coordinator),
            disk: None,
            members: case.roster().map(member).collect(),
            timers: BTreeMap::new(),
            numbers: 0,
            faults: case.faults,
            sent: Vec::new(),
            journal: Journal::default(),
        };
        for silo in case.roster() {
            world.connect(silo);
        }
        world
    }

    pub(super) fn set(&mut self, delay: Duration, timer: Timer) {
        self.numbers += 1;
        let at = self.network.now() + delay;
        self.timers.insert((at, self.numbers), timer);
    }

    /// Whether a fault strikes now, of which there is one chance in `odds`.
    pub(super) fn strikes(&mut self, odds: u32) -> bool {
        let strikes = self.faults > 0 && below(&mut self.rng, odds) == 0;
        if strikes {
            self.faults -= 1;
            self.journal.struck += 1;
        }
        strikes
    }

    /// Does what comes next; says whether there was anything.
    fn step(&mut self) -> bool {
        self.hear_coordinator();
        for silo in self.case.roster() {
            self.hear_silo(silo);
        }
        if self.strikes(40) {
            self.crash();
            return true;
        }
        let arrival = self.network.next_arrival();
        let timer = self.timers.first_key_value().map(|((at, _), _)| *at);
        let coordinator = self.coordinator.as_ref();
        let timeout = coordinator.and_then(Coordinator::next_timeout);
        let Some(now) = [arrival, timer, timeout].into_iter().flatten().min() else {
            return false;
        };
        self.network.advance_to(now);
        if arrival == Some(now) {
            let delivery = self.network.deliver().unwrap();
            self.receive(&delivery);
        } else if timer == Some(now) {
            let (_, timer) = self.timers.pop_first().unwrap();
            self.fire(timer);
        } else if let Some(coordinator) = &mut self.coordinator {
            coordinator.handle_timeout(now);
        }
        true
    }

    fn crash(&mut self) {
        let delay = milliseconds(&mut self.rng, 4000);
        if below(&mut self.rng, 4) == 0 {
            if self.coordinator.take().is_some() {
                self.set(delay, Timer::CoordinatorBack);
            }
            return self.case.roster().for_each(|silo| self.cut(silo));
        }
        let silo = SiloId(below(&mut self.rng, self.case.silos));
        let loses_disk = below(&mut self.rng, 3) == 0;
        self.cut(silo);
        let member = self.members.get_mut(&silo).unwrap();
        member.crashes += 1;
        if loses_disk {
            member.disk = None;
            member.lost = true;
            self.journal.opened.retain(|&(opener, _), _| opener != silo);
        }
        if member.silo.take().is_some() {
            self.set(delay, Timer::SiloBack(silo));
        }
    }

    /// Breaks a link: what is under way is lost, and so is what has arrived of a message.
    pub(super) fn cut(&mut self, silo: SiloId) {
        self.network.reconnect(silo);
        let member = self.members.get_mut(&silo).unwrap();
        member.linked = false;
        (member.up, member.down) = (reader(), reader());
    }

    fn connect(&mut self, silo: SiloId) {
        let coordinator_is_up = self.coordinator.is_some();
        let member = self.members.get_mut(&silo).unwrap();
        if let Some(machine) = member
            .silo
            .as_mut()
            .filter(|_| coordinator_is_up && !member.linked)
        {
            member.linked = true;
            member.connections += 1;
            machine.handle_connected();
        }
    }

    pub(super) fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::SiloBack(silo) => {
                let bug = self.case.bug;
                let member = self.members.get_mut(&silo).unwrap();
                let kept = member.disk.as_deref().map(|disk| {
                    let kept: SiloCheckpoint = serde_json::from_str(disk).unwrap();
                    let opened = kept.opened.filter(|_| bug != Bug::OpensAgain);
                    SiloCheckpoint { opened, ..kept }
                });
                let kept = match kept {
                    None if bug == Bug::SiloForgets => Some(SiloCheckpoint::default()),
                    kept => kept,
                };
                member.silo = Some(self.case.machine(silo, kept, member.crashes));
                self.connect(silo);
            }
            Timer::CoordinatorBack => {
                self.restore_coordinator();
                for silo in self.case.roster() {
                    self.connect(silo);
                }
            }
            Timer::Break(silo) => {
                self.cut(silo);
                let delay = milliseconds(&mut self.rng, 800);
                self.set(delay, Timer::Reconnect(silo));
            }
            Timer::Reconnect(silo) => self.connect(silo),
            Timer::Up(silo, message) => self.carry(silo, End::Silo, message),
            Timer::Down(silo, message, connection) => {
                if self.members[&silo].connections == connection {
                    self.carry(silo, End::Coordinator, message);
                }
            }
            Timer::Trained(work, crashes) => self.train(&work, crashes),
        }
    }

    fn restore_coordinator(&mut self) {
        let coordinator = if let Some(disk) = &self.disk {
            self.journal.ledger.truncate(disk.ledger);
            self.journal.outcomes.truncate(disk.outcomes);
            let checkpoint: Checkpoint = serde_json::from_str(&disk.checkpoint).unwrap();
            let parts = self.case.parts(self.journal.ledger.len());
            Coordinator::restore(self.case.plan(), parts, checkpoint)
        } else {
            self.journal.ledger.clear();
            self.journal.outcomes.clear();
            let parts = self.case.parts(0);
            Ok(Coordinator::new(self.case.plan(), parts, Case::initial()).unwrap())
        };
        self.coordinator = Some(self.case.seeing(coordinator.unwrap()));
    }

    fn train(&mut self, work: &TrainingTask, crashes: u32) {
        let silo = work.silo;
        let mut result = self.case.trainer(silo).train(&work.task);
        if let (Bug::FreshNoise, Ok(update)) = (self.case.bug, &mut result) {
            update.delta.as_mut_slice()[0] += crashes as f32;
        }
        let member = self.members.get_mut(&silo).unwrap();
        if member.crashes == crashes
            && let Some(machine) = &mut member.silo
        {
            machine.handle_trained(work.task.round, result);
        }
    }

    /// The coordinator's events go to its disk; then its messages leave.
    fn hear_coordinator(&mut self) {
        let Some(coordinator) = &mut self.coordinator else {
            return;
        };
        let mut cut_off = Vec::new();
        while let Some(event) = coordinator.poll_event() {
            match event {
                CoordinatorEvent::RoundFinished(mut outcome) => {
                    if self.case.bug == Bug::MissingUncharged {
                        let missing = |entry: &LedgerEntry| {
                            let silos = entry.scope().silos();
                            silos.len() == 1 && outcome.missing.contains_key(&SiloId(silos[0]))
                        };
                        outcome.entries.retain(|entry| !missing(entry));
                    }
                    self.journal.ledger.extend(outcome.entries.clone());
                    self.journal.unmasked += u32::from(self.case.is_masked());
                    self.journal.outcomes.push(outcome);
                    if self.case.bug != Bug::SendsBeforeWriting {
                        self.disk = Some(Disk {
                            checkpoint: serde_json::to_string(&coordinator.checkpoint()).unwrap(),
                            ledger: self.journal.ledger.len(),
                            outcomes: self.journal.outcomes.len(),
                        });
                    }
                }
                CoordinatorEvent::RoundAbandoned(round) => {
                    if self.case.bug != Bug::AbandonedUncharged {
                        self.journal.ledger.extend(round.entries.clone());
                    }
                    self.journal.abandoned = Some(round);
                }
                CoordinatorEvent::Finished(reason) => self.journal.finish = Some(reason),
                CoordinatorEvent::SiloCutOff { silo, .. } => cut_off.push(silo),
                _ => {}
            }
        }
        let messages: Vec<_> = std::iter::from_fn(|| coordinator.poll_transmit()).collect();
        for transmit in messages {
            if let ToSilo::Train(task) = &transmit.message {
                let made_by = Round(task.round.0 - 1);
                let seen = self.journal.published.entry(made_by).or_default();
                seen.insert(bits(&task.model));
            }
            self.mistreat(transmit.to, End::Coordinator, transmit.message);
        }
        for silo in cut_off {
            self.cut(silo);
            self.set(Duration::from_millis(500), Timer::Reconnect(silo));
        }
    }

    /// A silo's events go to its disk; then its messages leave.
    fn hear_silo(&mut self, silo: SiloId) {
        let honest = self.case.is_honest(silo);
        let member = self.members.get_mut(&silo).unwrap();
        let Some(machine) = &mut member.silo else {
            return;
        };
        let events: Vec<SiloEvent> = std::iter::from_fn(|| machine.poll_event()).collect();
        let charged = |event: &SiloEvent| {
            matches!(
                event,
                SiloEvent::Spent { .. } | SiloEvent::Assumed { .. } | SiloEvent::Opened(_)
            )
        };
        if events.iter().any(charged) {
            member.lost = false;
            member.disk = Some(serde_json::to_string(&machine.checkpoint()).unwrap());
        }
        let crashes = member.crashes;
        let task = machine.poll_task();
        let messages: Vec<_> = std::iter::from_fn(|| machine.poll_transmit()).collect();
        // What a summand is made of; which sum it goes into is no matter of its own.
        let stored = machine.stored().cloned();
        if let Some(task) = task {
            let time = milliseconds(&mut self.rng, 700);
            self.set(time, Timer::Trained(task, crashes));
        }
        for message in messages {
            if let (ToCoordinator::Masking(masking), true) = (&message, honest)
                && let FromMember::Opened(opened) = &masking.step
            {
                let survivors = opened.own_masks.keys().copied().collect();
                let seen = self.journal.opened.entry((silo, masking.round));
                seen.or_default().insert(survivors);
            }
            let left = match &message {
                ToCoordinator::Update(update) => Some((update.round, &update.delta)),
                ToCoordinator::Summand(summand) => stored
                    .as_ref()
                    .filter(|stored| stored.round == summand.update.round)
                    .map(|stored| (stored.round, &stored.delta)),
                _ => None,
            };
            match (left, self.case.malice) {
                (Some((round, delta)), _) if honest => {
                    let seen = self.journal.released.entry((silo, round)).or_default();
                    seen.insert(bits(delta));
                }
                (Some(_), Some((_, kind))) => {
                    let (ToCoordinator::Update(update)
                    | ToCoordinator::Summand(Summand { update, .. })) = &message
                    else {
                        continue;
                    };
                    for frame in malice::frames(kind, update, self.case.silos) {
                        self.push(silo, End::Silo, frame);
                    }
                    continue;
                }
                _ => {}
            }
            self.sent.push((silo, message.clone()));
            self.mistreat(silo, End::Silo, message);
        }
    }
}
