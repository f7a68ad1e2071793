//! The coordinator as a state machine.
//!
//! ```text
//! gathering ── roster joined, or late ──▶ round ── gate refuses ───────────────────────▶ finished
//!                                       ▲  │  ▲                                              ▲
//!           no quorum: the round again  └──┤  │ more rounds                                  │
//!                    all answered, or late │  │                                              │
//!                                          ▼  │                                              │
//!                                 aggregate, apply ── last round, no quorum, diverged ───────┘
//! ```
//!
//! It owns no socket, clock, thread or generator: messages and the time go in, messages and events
//! come out, and a cohort or noise follows from the seed and the round alone. What it computes depends
//! on which updates are accepted, never on when or in which order they came.
//!
//! # What a round without a quorum costs
//!
//! *Claim*: the entries that the gate admits before the first attempt at a round cover all attempts at it.
//!
//! A repeat keeps round, cohort and model. Silo `s` sends at most one update a round, ever, byte for byte the same
//! however often it is asked: what it has sent it has stored, what it has not sent is trained anew from the same
//! model with the noise of the same stream (`clients::Silo` has the rules). So all that anybody sees of all attempts
//! is made of the cohort's updates `(u_s)`, each of which is charged, once: repeating is post-processing. A noised
//! sum is computed in the last attempt only, since an attempt without a quorum aggregates nothing.
//!
//! What is admitted is charged whatever becomes of the round: of a round that is given up
//! ([`CoordinatorEvent::RoundAbandoned`]), for silos that declined and for updates that were refused or late. For
//! those that never left this is more than was released, never less. A cohort drawn anew would be another release;
//! there is no such repeat.
//!
//! # What one silo can do
//!
//! Leave its update out, which costs at most the quorum; and send what the plan allows, which the aggregator must
//! bear. Everything else is refused by name: the silo counts as missing in this attempt, and is no longer listened
//! to once it has sent [`MOST_NEEDLESS_MESSAGES`](crate::MOST_NEEDLESS_MESSAGES). Nothing that a silo sends can end
//! the run, move the model from outside an accepted update, or make a queue grow: at most two messages answer one
//! of a silo's, and so many of them are answered.

mod inbox;

use crate::clip_norm;
use crate::event::{CoordinatorEvent, Transmit};
use crate::round::{NextStep, OpenRound};
use crate::traffic::Traffic;
use crate::{
    Aggregator, CHECKPOINT_VERSION, Checkpoint, CoordinatorPlan, Patience, PlanError, RestoreError,
    ServerState, Strategy,
};
use accounting::Mechanism;
use primitives::{ModelVector, Round, SiloId};
use protocol::{FinishReason, RoundGate, ToSilo, Weights};
use secure_sum::{SumPlan, WrongShares};
use std::collections::{BTreeSet, VecDeque};
use std::mem;
use std::time::Duration;

/// What a coordinator computes with.
#[derive(Debug)]
pub struct Parts {
    /// Takes the server step.
    pub strategy: Box<dyn Strategy>,
    /// Combines the updates of a round.
    pub aggregator: Box<dyn Aggregator>,
    /// Says whether a round may be spent.
    pub gate: Box<dyn RoundGate>,
}

/// How a coordinator sees no more than the sum of a round's updates. Its aggregator is then the sum itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sums {
    /// How summands are made, masked and read.
    pub plan: SumPlan,
    /// What the summands' noise is for the ledger: [`Mechanism::DistributedNoise`] or nothing.
    pub mechanism: Option<Mechanism>,
}

/// The server side of a federation.
#[derive(Debug)]
pub struct Coordinator {
    plan: CoordinatorPlan,
    parts: Parts,
    sums: Option<Sums>,
    state: ServerState,
    joined: BTreeSet<SiloId>,
    phase: Phase,
    /// Whether a coordinator before this one may have begun the round after [`ServerState::round`].
    is_restored: bool,
    traffic: Traffic,
    transmits: VecDeque<Transmit>,
    events: VecDeque<CoordinatorEvent>,
}

#[derive(Debug)]
enum Phase {
    /// Until the roster is there. Past `until`, once the time is known, a quorum is enough.
    Gathering {
        until: Option<Duration>,
    },
    Open(OpenRound),
    Finished(FinishReason),
}

impl Coordinator {
    /// A coordinator before its first round.
    ///
    /// # Errors
    /// If the plan's parts do not fit together.
    pub fn new(
        plan: CoordinatorPlan,
        parts: Parts,
        initial: ModelVector,
    ) -> Result<Self, PlanError> {
        let state = ServerState {
            clip_norm: plan.clip_norm.map(|law| law.initial),
            ..parts.strategy.init(initial)
        };
        Self::at(plan, parts, state, Phase::Gathering { until: None })
    }

    /// A coordinator that goes on after the last finished round of `checkpoint`. Its gate must have
    /// been charged for the rounds before.
    ///
    /// # Errors
    /// If the checkpoint is of another plan or another release.
    pub fn restore(
        plan: CoordinatorPlan,
        parts: Parts,
        checkpoint: Checkpoint,
    ) -> Result<Self, RestoreError> {
        checkpoint.check(&plan, parts.strategy.as_ref())?;
        let phase = checkpoint
            .finished
            .map_or(Phase::Gathering { until: None }, Phase::Finished);
        let mut coordinator = Self::at(plan, parts, checkpoint.state, phase)?;
        // Whoever trained the first round for a coordinator that came to no checkpoint is asked for it again, and
        // charges itself for that whether or not it remembers.
        coordinator.is_restored = coordinator.state.round > Round::UNTRAINED;
        Ok(coordinator)
    }

    fn at(
        plan: CoordinatorPlan,
        parts: Parts,
        state: ServerState,
        phase: Phase,
    ) -> Result<Self, PlanError> {
        plan.check(parts.aggregator.mechanism())?;
        let joined = BTreeSet::new();
        let (transmits, events) = (VecDeque::new(), VecDeque::new());
        Ok(Self {
            plan,
            parts,
            sums: None,
            state,
            joined,
            phase,
            is_restored: false,
            traffic: Traffic::default(),
            transmits,
            events,
        })
    }

    /// The same coordinator, which sees sums only.
    ///
    /// # Errors
    /// If a quorum of silos is too few for a sum to be seen, or the plan looks at single updates.
    pub fn with_sums(self, sums: Sums) -> Result<Self, PlanError> {
        self.plan.check(sums.mechanism)?;
        let (quorum, fewest) = (self.plan.patience.quorum, sums.plan.fewest());
        if quorum < fewest {
            return Err(PlanError::QuorumBelowSum { quorum, fewest });
        }
        if self.plan.max_update_norm.is_some() || self.plan.weights != Weights::Uniform {
            return Err(PlanError::UnseenUpdates);
        }
        let sums = Some(sums);
        Ok(Self { sums, ..self })
    }

    /// What is done to the updates of a whole cohort, as the ledger has it.
    fn mechanism(&self) -> Option<Mechanism> {
        match &self.sums {
            Some(sums) => sums.mechanism,
            None => self.parts.aggregator.mechanism(),
        }
    }

    /// The coordinator after its last finished round. Between [`CoordinatorEvent::RoundFinished`] and
    /// the next one this is always the same value.
    pub fn checkpoint(&self) -> Checkpoint {
        let finished = match self.phase {
            Phase::Finished(reason) => Some(reason),
            Phase::Gathering { .. } | Phase::Open(_) => None,
        };
        Checkpoint {
            version: CHECKPOINT_VERSION,
            plan: self.plan.digest,
            state: self.state.clone(),
            finished,
        }
    }

    /// The last finished round and the model after it.
    pub const fn state(&self) -> &ServerState {
        &self.state
    }

    /// Takes in that it is `now`. Call it when [`next_timeout`](Self::next_timeout) is reached.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.advance(now);
    }

    /// The next message to be sent.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<CoordinatorEvent> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) must be called at the latest.
    pub fn next_timeout(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Open(open) => open.deadline,
            Phase::Gathering { until } => until.filter(|_| self.has_quorum()),
            Phase::Finished(_) => None,
        }
    }

    fn send(&mut self, to: SiloId, message: ToSilo) {
        self.transmits.push_back(Transmit { to, message });
    }

    /// Starts and ends rounds for as long as something can be started or ended.
    fn advance(&mut self, now: Duration) {
        loop {
            let everybody = self.joined.len() == self.plan.cohorts.roster().len();
            let enough = self.has_quorum();
            match &mut self.phase {
                Phase::Gathering { until } => {
                    let patience = self.plan.patience.deadline;
                    *until = until.or_else(|| Some(now + patience?));
                    let late = until.is_some_and(|until| until <= now);
                    if !(everybody || late && enough) {
                        return;
                    }
                    self.start_round(now);
                }
                Phase::Open(open)
                    if open.is_complete()
                        || open.deadline.is_some_and(|deadline| deadline <= now) =>
                {
                    self.end_attempt(now);
                }
                Phase::Open(_) | Phase::Finished(_) => return,
            }
        }
    }

    /// Whether as many silos have joined as a round needs.
    fn has_quorum(&self) -> bool {
        self.joined.len() >= self.plan.patience.quorum as usize
    }

    fn start_round(&mut self, now: Duration) {
        let round = self.state.round.next();
        if round.0 > self.plan.rounds {
            return self.finish(FinishReason::RoundsDone);
        }
        let cohort = self.plan.cohorts.cohort(round);
        let entries = self
            .plan
            .entries(round, &cohort, self.mechanism())
            .expect("checked for the whole roster when the coordinator was made");
        if let Err(refused) = self.parts.gate.admit(round, &entries) {
            self.events
                .push_back(CoordinatorEvent::RoundRefused(refused));
            return self.finish(FinishReason::BudgetReached);
        }
        self.events.push_back(CoordinatorEvent::RoundStarted {
            round,
            cohort: cohort.clone(),
            entries: entries.clone(),
        });
        let parts = (&self.state, self.parts.aggregator.as_ref());
        let open = OpenRound::new(round, cohort, entries, parts, self.deadline(now));
        self.ask(match self.sums {
            Some(sums) => open.sum(sums.plan, self.plan.digest),
            None => open,
        });
    }

    fn deadline(&self, now: Duration) -> Option<Duration> {
        self.plan.patience.deadline.map(|patience| now + patience)
    }

    /// Opens an attempt: every silo that has not answered is asked, now or when it joins.
    fn ask(&mut self, mut open: OpenRound) {
        self.traffic.forget();
        let task = self.parts.strategy.task(&self.state, open.round);
        for &to in &self.joined {
            if open.awaits(to) {
                open.note_asked(to);
                let train = ToSilo::Train(task.clone());
                let messages = [Some(train), open.step_for(to)].into_iter().flatten();
                self.transmits
                    .extend(messages.map(|message| Transmit { to, message }));
            }
        }
        self.phase = Phase::Open(open);
    }

    fn end_attempt(&mut self, now: Duration) {
        let gathering = Phase::Gathering { until: None };
        let Phase::Open(mut open) = mem::replace(&mut self.phase, gathering) else {
            return;
        };
        let round = open.round;
        let Patience { mut quorum, .. } = self.plan.patience;
        let mut accepted = open.updates().len() as u32;
        match open.next_step(quorum) {
            NextStep::Done => {}
            NextStep::TooFew { left, needed } => (accepted, quorum) = (left, needed),
            NextStep::Tell(steps) => {
                let transmit = |(to, message)| Transmit { to, message };
                self.transmits.extend(steps.into_iter().map(transmit));
                open.deadline = self.deadline(now);
                self.phase = Phase::Open(open);
                return;
            }
        }
        if accepted < quorum {
            if self.plan.patience.allows_another(open.attempt) {
                open.repeat(self.deadline(now));
                self.events.push_back(CoordinatorEvent::RoundRepeated {
                    round,
                    attempt: open.attempt,
                    accepted,
                    quorum,
                });
                return self.ask(open);
            }
            let reason = FinishReason::QuorumLost {
                round,
                accepted,
                quorum,
            };
            return self.abandon(open, reason);
        }
        match self.step(&mut open) {
            Ok(state) => self.state = state,
            Err(reason) => return self.abandon(open, reason),
        }
        self.is_restored = false;
        self.events.push_back(CoordinatorEvent::RoundFinished(
            open.into_outcome(self.state.model.clone()),
        ));
        self.start_round(now);
    }

    fn abandon(&mut self, open: OpenRound, reason: FinishReason) {
        self.events
            .push_back(CoordinatorEvent::RoundAbandoned(open.into_abandoned()));
        self.finish(reason);
    }

    /// The state after the round, unless its sum cannot be read or its numbers have left the finite ones.
    fn step(&self, open: &mut OpenRound) -> Result<ServerState, FinishReason> {
        let round = open.round;
        let update = match open.summed() {
            Some(Ok(update)) => update.into(),
            Some(Err(WrongShares(silo))) => return Err(FinishReason::WrongShares { round, silo }),
            None => open
                .aggregate()
                .expect("a quorum of updates, each checked for its shape and its weight"),
        };
        let mut state = self
            .parts
            .strategy
            .apply(self.state.clone(), &update)
            .expect("the update has the model's shape, and the state was checked when it was made");
        let norms = open.updates().values();
        let clip_norm = clip_norm::mean(norms.filter_map(|update| update.clip_norm));
        state.clip_norm = clip_norm.or(state.clip_norm);
        if state.is_finite() {
            Ok(state)
        } else {
            Err(FinishReason::Diverged { round })
        }
    }

    fn finish(&mut self, reason: FinishReason) {
        for &silo in &self.joined {
            self.transmits.push_back(Transmit {
                to: silo,
                message: ToSilo::Finish(reason),
            });
        }
        self.events.push_back(CoordinatorEvent::Finished(reason));
        self.phase = Phase::Finished(reason);
    }
}
