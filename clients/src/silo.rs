//! The silo as a state machine.
//!
//! It owns no socket, clock, thread or generator, and no data: messages go in, messages and events come
//! out, and training, which is heavy, goes out as a [`TrainingTask`] whose result comes back in.
//!
//! Four rules keep a silo from spending more than it thinks, whatever the coordinator or the network do:
//!
//! * it asks its own gate before it trains a round;
//! * the entries of a round stand in its ledger before the update can be sent: a driver that keeps the
//!   ledger on disk drains [`poll_event`](Silo::poll_event), and writes the
//!   [`checkpoint`](Silo::checkpoint) if there was an event, before [`poll_transmit`](Silo::poll_transmit);
//! * a round is never spent twice. A repeated task for the last round is answered with the stored
//!   update, even if it comes with another model; a task for an earlier round is declined;
//! * a silo without memory assumes the worst. [`Silo::new`] is for a silo that finds no checkpoint: it has never
//!   trained, or it has lost its disk. The coordinator's welcome tells the last round that it was asked for; it
//!   charges itself for every round up to that one and trains none of them. If it was asked for none, it charges
//!   itself for the first round as soon as that is asked for, before it trains: should it have sent its update to a
//!   coordinator that has lost everything too, then it sends the same bytes again, from the same initial model and
//!   with the same noise, and they are charged even if it does not come to that.
//!
//! What such a silo hears must come over its own connection (an old welcome, replayed, would be believed) from a
//! coordinator that keeps to the protocol: one that lies to a silo without memory gets a second release of a round.

use crate::{SiloCheckpoint, SiloEvent, SiloPlan, TrainError, TrainingTask};
use accounting::{Ledger, LedgerEntry};
use primitives::Round;
use protocol::{
    Decline, FinishReason, Join, PROTOCOL_VERSION, RoundGate, SiloUpdate, Task, ToCoordinator,
    ToSilo,
};
use std::collections::VecDeque;
use std::mem;

mod summing;

use summing::Summing;

/// The silo's side of a federation.
#[derive(Debug)]
pub struct Silo {
    plan: SiloPlan,
    gate: Box<dyn RoundGate>,
    ledger: Ledger,
    /// The last round that was spent on.
    last: Option<Round>,
    /// The update of that round, for as long as it may be asked for again.
    stored: Option<SiloUpdate>,
    /// The last round in whose masked sum it has helped to take masks off.
    opened: Option<Round>,
    training: Option<Training>,
    finished: Option<FinishReason>,
    memory: Memory,
    /// Where the coordinator sees sums only.
    summing: Option<Summing>,
    transmits: VecDeque<ToCoordinator>,
    events: VecDeque<SiloEvent>,
}

/// Whether the ledger is known to be whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    /// Nobody has said what the silo was asked for before: its releases may be forgotten.
    None,
    /// The coordinator has said that it has not asked for any round yet.
    Unasked,
    /// All that was ever spent is in the ledger.
    Whole,
    /// The gate has not admitted all that may have been spent: nothing more is.
    Overspent,
}

/// The round that the silo was asked for and has not answered.
#[derive(Debug)]
struct Training {
    round: Round,
    entries: Vec<LedgerEntry>,
    /// Until the driver takes it.
    task: Option<TrainingTask>,
}

impl Silo {
    /// A silo without a checkpoint: it knows of nothing that it has spent.
    pub fn new(plan: SiloPlan, gate: Box<dyn RoundGate>) -> Self {
        Self {
            memory: Memory::None,
            ..Self::restore(plan, gate, SiloCheckpoint::default())
        }
    }

    /// A silo that goes on with what it has spent and stored. Its gate must have been charged for the
    /// ledger of `checkpoint`.
    pub fn restore(plan: SiloPlan, gate: Box<dyn RoundGate>, checkpoint: SiloCheckpoint) -> Self {
        let SiloCheckpoint {
            ledger,
            last,
            stored,
            opened,
        } = checkpoint;
        Self {
            opened,
            plan,
            gate,
            ledger,
            last,
            stored,
            training: None,
            finished: None,
            memory: Memory::Whole,
            summing: None,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// What the silo must not forget. A round in training is not part of it: nothing of it has left,
    /// and training it again gives the same bytes.
    pub fn checkpoint(&self) -> SiloCheckpoint {
        SiloCheckpoint {
            ledger: self.ledger.clone(),
            last: self.last,
            stored: self.stored.clone(),
            opened: self.opened,
        }
    }

    /// Everything that this silo has released.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The update of the last round that was spent, for as long as it may be asked for again.
    pub const fn stored(&self) -> Option<&SiloUpdate> {
        self.stored.as_ref()
    }

    /// Takes in that all that the silo has done since it was welcomed is on its disk: whatever a later coordinator
    /// cannot rule out, a silo that was not asked for any round before knows what it has spent since.
    pub fn remember(&mut self) {
        if self.memory == Memory::Unasked {
            self.memory = Memory::Whole;
        }
    }

    /// The last round in whose masked sum it has helped to take masks off.
    pub const fn opened(&self) -> Option<Round> {
        self.opened
    }

    /// The last round that was spent.
    pub const fn last(&self) -> Option<Round> {
        self.last
    }

    /// How the run ended, once the coordinator has said so.
    pub const fn finished(&self) -> Option<FinishReason> {
        self.finished
    }

    /// Takes in that there is a link to the coordinator: at the start, and after every new connection.
    pub fn handle_connected(&mut self) {
        if let Some(summing) = &mut self.summing {
            summing.handle_connected();
        }
        let SiloPlan { silo, digest, .. } = self.plan;
        let join = Join {
            version: PROTOCOL_VERSION,
            silo,
            plan: digest,
        };
        self.transmits.push_back(ToCoordinator::Join(join));
    }

    /// Takes in a message of the coordinator.
    pub fn handle(&mut self, message: ToSilo) {
        match message {
            ToSilo::Welcome(welcome) => {
                match welcome.asked {
                    Some(asked) => self.assume_spent(asked),
                    None if self.memory == Memory::None => self.memory = Memory::Unasked,
                    None => {}
                }
                self.events.push_back(SiloEvent::Joined(welcome));
            }
            ToSilo::Train(task) => self.handle_task(task),
            ToSilo::Masking(masking) => self.handle_masking(masking),
            ToSilo::Refuse(refusal) => self.events.push_back(SiloEvent::Refused(refusal)),
            ToSilo::Finish(reason) => {
                if self.finished.replace(reason).is_none() {
                    self.events.push_back(SiloEvent::Finished(reason));
                }
            }
        }
    }

    /// Takes in what became of the training task of `round`. The result of a round that the
    /// coordinator has given up meanwhile is dropped: it is not sent, so it is not spent.
    pub fn handle_trained(&mut self, round: Round, result: Result<SiloUpdate, TrainError>) {
        let Some(training) = self.training.take_if(|training| training.round == round) else {
            return;
        };
        match result.and_then(|update| self.check(round, update)) {
            Ok(update) => self.spend(training.entries, update),
            Err(error) => {
                self.events
                    .push_back(SiloEvent::TrainingFailed { round, error });
                self.decline(round, Decline::TrainingFailed);
            }
        }
    }

    /// Takes in that `round` is finished for this silo and its update will not be asked for again, so that a silo need not
    /// keep a model's worth of memory until its next turn, nor go on training for nothing. That the round is
    /// spent, if it is, is never forgotten.
    pub fn handle_round_finished(&mut self, round: Round) {
        self.stored.take_if(|stored| stored.round <= round);
        self.training.take_if(|training| training.round <= round);
        if let Some(summing) = &mut self.summing {
            summing.forget(round);
        }
    }

    /// The next piece of heavy work. Its result goes to [`handle_trained`](Self::handle_trained).
    pub fn poll_task(&mut self) -> Option<TrainingTask> {
        self.training.as_mut()?.task.take()
    }

    /// The next message to be sent to the coordinator.
    pub fn poll_transmit(&mut self) -> Option<ToCoordinator> {
        self.transmits.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<SiloEvent> {
        self.events.pop_front()
    }

    fn handle_task(&mut self, task: Task) {
        let round = task.round;
        if self.memory == Memory::None {
            self.assume_spent(round);
        }
        if let Some(last) = self.last.filter(|&last| round <= last) {
            match &self.stored {
                Some(update) if update.round == round => {
                    if !self.transmits.iter().any(|message| answers(message, round)) {
                        self.send_stored();
                    }
                }
                _ => self.decline(round, Decline::AlreadySpent { last }),
            }
            return;
        }
        if self
            .training
            .as_ref()
            .is_some_and(|training| training.round >= round)
        {
            return;
        }
        let Ok(entries) = self.plan.entries(round) else {
            return self.decline(round, Decline::TrainingFailed);
        };
        if self.memory == Memory::Overspent {
            return self.decline(round, Decline::BudgetReached);
        }
        if let Err(refused) = self.gate.admit(round, &entries) {
            self.events.push_back(SiloEvent::RoundRefused(refused));
            return self.decline(round, Decline::BudgetReached);
        }
        if mem::replace(&mut self.memory, Memory::Whole) == Memory::Unasked && round.0 == 1 {
            self.charge(&entries);
            self.events.push_back(SiloEvent::Assumed {
                up_to: round,
                entries: entries.clone(),
            });
        }
        let task = Some(TrainingTask {
            silo: self.plan.silo,
            task,
        });
        self.training = Some(Training {
            round,
            entries,
            task,
        });
    }

    /// A silo without memory charges itself for all rounds up to the last one that it was asked for.
    fn assume_spent(&mut self, asked: Round) {
        if !matches!(self.memory, Memory::None | Memory::Unasked) {
            return;
        }
        self.memory = Memory::Whole;
        let rounds = (1..=asked.0).map(Round);
        let assumed: Vec<LedgerEntry> = rounds
            .filter_map(|round| self.plan.entries(round).ok())
            .flatten()
            .collect();
        // Where only the coordinator sees updates, a silo's own ledger has nothing to be charged with.
        if !assumed.is_empty()
            && let Err(refused) = self.gate.admit(asked, &assumed)
        {
            self.events.push_back(SiloEvent::RoundRefused(refused));
            self.memory = Memory::Overspent;
        }
        self.training = None;
        self.last = Some(asked);
        self.charge(&assumed);
        self.events.push_back(SiloEvent::Assumed {
            up_to: asked,
            entries: assumed,
        });
    }

    fn charge(&mut self, entries: &[LedgerEntry]) {
        for entry in entries {
            self.ledger
                .append(entry.clone())
                .expect("rounds only grow: a task for an earlier one is declined");
        }
    }

    /// Whether the trainer did what the gate was asked for.
    fn check(&self, round: Round, update: SiloUpdate) -> Result<SiloUpdate, TrainError> {
        let ours = update.round == round && update.silo == self.plan.silo;
        if ours && update.releases == self.plan.releases {
            Ok(update)
        } else {
            Err(TrainError::Unplanned)
        }
    }

    /// Writes the ledger, then lets the update leave.
    fn spend(&mut self, entries: Vec<LedgerEntry>, update: SiloUpdate) {
        let charged = self.ledger.entries().last().map(LedgerEntry::round);
        if charged != Some(update.round.0) {
            self.charge(&entries);
        }
        self.events.push_back(SiloEvent::Spent {
            round: update.round,
            entries,
        });
        self.last = Some(update.round);
        self.stored = Some(update);
        self.send_stored();
    }

    fn decline(&mut self, round: Round, reason: Decline) {
        self.transmits
            .push_back(ToCoordinator::Decline { round, reason });
    }
}

/// Whether a message is the silo's update of `round`.
fn answers(message: &ToCoordinator, round: Round) -> bool {
    match message {
        ToCoordinator::Update(update) => update.round == round,
        ToCoordinator::Summand(summand) => summand.update.round == round,
        _ => false,
    }
}
