//! Any sequence of operations on a silo: for random bytes in the tests, and for a fuzzer's in `fuzz/`.

use accounting::{LedgerEntry, Mechanism, NoiseMultiplier, SamplingRate};
use arbitrary::{Result, Unstructured};
use primitives::{Digest, ModelVector, Round, SiloId};
use protocol::{
    BudgetReached, FinishReason, Refusal, Release, RoundGate, SiloUpdate, Task, ToCoordinator,
    ToSilo, UpdateMetrics, Welcome,
};
use siloscope_clients::{Silo, SiloCheckpoint, SiloEvent, SiloPlan, TrainError, TrainingTask};
use std::collections::BTreeMap;

const SILO: SiloId = SiloId(1);
const ROUNDS: u32 = 6;

/// Admits so many entries, whenever.
#[derive(Debug)]
struct UpTo(usize);

impl RoundGate for UpTo {
    fn admit(&mut self, round: Round, entries: &[LedgerEntry]) -> Result<(), BudgetReached> {
        match self.0.checked_sub(entries.len()) {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => Err(BudgetReached {
                round,
                why: "enough".to_owned(),
            }),
        }
    }
}

fn release() -> Release {
    let mechanism = Mechanism::Record {
        sampling_rate: SamplingRate::try_new(0.5).expect("a rate"),
        noise_multiplier: NoiseMultiplier::try_new(1.0).expect("noise"),
    };
    Release {
        mechanism,
        steps: 2,
    }
}

fn plan() -> SiloPlan {
    SiloPlan {
        silo: SILO,
        digest: Digest::of(b"plan"),
        releases: vec![release()],
    }
}

/// What a trainer makes of a task: the same of the same task.
fn trained(task: &Task) -> SiloUpdate {
    let noise = task.round.0 as f32 / 7.0;
    let delta: Vec<f32> = task.model.as_slice().iter().map(|w| noise - w).collect();
    SiloUpdate {
        round: task.round,
        silo: SILO,
        delta: delta.into(),
        weight: 1.0,
        clip_norm: None,
        releases: vec![release()],
        metrics: UpdateMetrics::Withheld,
    }
}

/// A silo between a disk, a trainer and a coordinator that may ask for anything.
struct Setup {
    silo: Silo,
    /// The checkpoint, as a driver writes it: whenever something was charged, before anything is sent.
    disk: Option<String>,
    work: Option<TrainingTask>,
    budget: usize,
    /// Every update that left, by round.
    left: BTreeMap<Round, SiloUpdate>,
    /// The latest round that the silo was ever asked for.
    asked: Option<Round>,
}

impl Setup {
    fn new(budget: usize) -> Self {
        Self {
            silo: Silo::new(plan(), Box::new(UpTo(budget))),
            disk: None,
            work: None,
            budget,
            left: BTreeMap::new(),
            asked: None,
        }
    }

    fn restart(&mut self, loses_disk: bool) {
        if loses_disk {
            self.disk = None;
        }
        self.work = None;
        self.silo = match &self.disk {
            None => Silo::new(plan(), Box::new(UpTo(self.budget))),
            Some(disk) => {
                let kept: SiloCheckpoint = serde_json::from_str(disk).expect("as it was written");
                let left = self.budget.saturating_sub(kept.ledger.entries().len());
                Silo::restore(plan(), Box::new(UpTo(left)), kept)
            }
        };
        self.silo.handle_connected();
        self.welcome();
    }

    /// What an honest coordinator says to a silo that joins.
    fn welcome(&mut self) {
        self.silo.handle(ToSilo::Welcome(Welcome {
            round: self.asked.unwrap_or(Round(1)),
            rounds: ROUNDS,
            asked: self.asked,
        }));
    }

    fn ask(&mut self, round: Round, model: f32) {
        self.asked = self.asked.max(Some(round));
        let model = ModelVector::from(vec![model; 2]);
        self.silo.handle(ToSilo::Train(Task {
            round,
            model,
            clip_norm: None,
        }));
    }

    fn look(&mut self) {
        let mut charged = false;
        while let Some(event) = self.silo.poll_event() {
            charged |= matches!(event, SiloEvent::Spent { .. } | SiloEvent::Assumed { .. });
        }
        if charged {
            let kept = serde_json::to_string(&self.silo.checkpoint());
            self.disk = Some(kept.expect("a checkpoint is JSON"));
        }
        if let Some(work) = self.silo.poll_task() {
            self.work = Some(work);
        }
        let entries = self.silo.ledger().entries().to_vec();
        let mut messages = 0;
        while let Some(message) = self.silo.poll_transmit() {
            messages += 1;
            let ToCoordinator::Update(update) = message else {
                continue;
            };
            let entry = release().entry(update.round, SILO).expect("two steps");
            let charged = entries.iter().filter(|other| **other == entry).count();
            assert_eq!(charged, 1, "an update left that is charged {charged} times");
            let first = self
                .left
                .entry(update.round)
                .or_insert_with(|| update.clone());
            assert_eq!(*first, update, "a second update left for one round");
        }
        assert!(messages <= 3, "{messages} answers to one message");
        // What is spent is never forgotten while there is a disk, and no round is charged twice.
        let rounds: Vec<u32> = entries.iter().map(LedgerEntry::round).collect();
        assert!(rounds.is_sorted_by(|a, b| a < b), "{rounds:?}");
        if self.disk.is_some() {
            assert!(
                self.left.keys().all(|round| rounds.contains(&round.0)),
                "{rounds:?}"
            );
        }
    }
}

/// Whatever a coordinator asks, and however often the silo starts again, with its disk or without: one update a round,
/// charged in its own ledger before it leaves, and no panic.
///
/// The welcome is true, and the model of the first round always the same, as the plan has it: a silo without memory
/// takes both on trust.
pub(crate) fn silo(input: &mut Unstructured) -> Result<()> {
    let mut setup = Setup::new(input.int_in_range(0..=10)?);
    setup.restart(true);
    setup.look();
    while !input.is_empty() {
        match input.int_in_range(0..=15)? {
            0 => setup.silo.handle_connected(),
            1 | 2 => setup.welcome(),
            3..=7 => {
                let latest = setup.asked.unwrap_or(Round(1));
                let round = if input.ratio(1, 3)? {
                    Round(input.int_in_range(1..=ROUNDS)?)
                } else {
                    latest
                };
                let model = if round.0 <= 1 {
                    0.0
                } else {
                    f32::from(input.arbitrary::<i8>()?)
                };
                setup.ask(round, model);
            }
            8..=10 => {
                if let Some(work) = setup.work.take() {
                    let result = match input.int_in_range(0..=4)? {
                        0 => Err(TrainError::NotFinite),
                        1 => Ok(SiloUpdate {
                            releases: Vec::new(),
                            ..trained(&work.task)
                        }),
                        _ => Ok(trained(&work.task)),
                    };
                    setup.silo.handle_trained(work.task.round, result);
                }
            }
            11 => setup
                .silo
                .handle_round_finished(Round(input.int_in_range(0..=ROUNDS)?)),
            12 => setup.restart(false),
            13 => setup.restart(true),
            14 => setup.silo.handle(ToSilo::Refuse(Refusal::Malformed)),
            _ => setup.silo.handle(ToSilo::Finish(FinishReason::RoundsDone)),
        }
        setup.look();
    }
    Ok(())
}
