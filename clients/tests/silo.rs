//! The silo alone, with a coordinator that asks what it should not.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

mod common;
mod operations;

use accounting::LedgerEntry;
use arbitrary::Unstructured;
use common::{PARAMETERS, Setting, digest, release};
use primitives::{ModelVector, Round, SiloId};
use proptest::prelude::*;
use protocol::{
    BudgetReached, Decline, FinishReason, Join, OpenGate, PROTOCOL_VERSION, Refusal, RoundGate,
    SiloUpdate, Task, ToCoordinator, ToSilo, Welcome,
};
use siloscope_clients::{Silo, SiloCheckpoint, SiloEvent, TrainError};

const SILO: SiloId = SiloId(2);

fn without_memory() -> Silo {
    Silo::new(Setting::default().silo_plan(SILO), Box::new(OpenGate))
}

/// A silo that remembers all it has done, which is nothing.
fn silo() -> Silo {
    let checkpoint = SiloCheckpoint::default();
    Silo::restore(
        Setting::default().silo_plan(SILO),
        Box::new(OpenGate),
        checkpoint,
    )
}

fn task(round: u32) -> Task {
    let model = ModelVector::from(vec![round as f32; PARAMETERS]);
    Task {
        round: Round(round),
        model,
        clip_norm: None,
    }
}

fn ask(silo: &mut Silo, round: u32) {
    silo.handle(ToSilo::Train(task(round)));
}

/// Trains what the silo was asked for, if anything.
fn train(silo: &mut Silo) -> Option<SiloUpdate> {
    let work = silo.poll_task()?;
    let update = Setting::default()
        .trainer(work.silo)
        .train(&work.task)
        .unwrap();
    silo.handle_trained(work.task.round, Ok(update.clone()));
    Some(update)
}

fn messages(silo: &mut Silo) -> Vec<ToCoordinator> {
    std::iter::from_fn(|| silo.poll_transmit()).collect()
}

fn events(silo: &mut Silo) -> Vec<SiloEvent> {
    std::iter::from_fn(|| silo.poll_event()).collect()
}

fn declined(round: u32, reason: Decline) -> ToCoordinator {
    ToCoordinator::Decline {
        round: Round(round),
        reason,
    }
}

#[test]
fn it_introduces_itself_on_every_connection() {
    let mut silo = silo();
    let join = Join {
        version: PROTOCOL_VERSION,
        silo: SILO,
        plan: digest(),
    };
    for _ in 0..2 {
        silo.handle_connected();
        assert_eq!(messages(&mut silo), [ToCoordinator::Join(join)]);
    }
}

#[test]
fn the_ledger_is_written_before_the_update_leaves() {
    let mut silo = silo();
    ask(&mut silo, 1);
    assert!(silo.ledger().entries().is_empty());
    let update = train(&mut silo).unwrap();
    let entries = vec![release().entry(Round(1), SILO).unwrap()];
    assert_eq!(silo.ledger().entries(), entries);
    assert_eq!(
        events(&mut silo),
        [SiloEvent::Spent {
            round: Round(1),
            entries
        }]
    );
    assert_eq!(messages(&mut silo), [ToCoordinator::Update(update)]);
}

#[test]
fn a_repeated_task_is_answered_with_the_stored_update_whatever_its_model() {
    let mut silo = silo();
    ask(&mut silo, 1);
    // Repeated while it is in training: one piece of work, one answer.
    ask(&mut silo, 1);
    let update = train(&mut silo).unwrap();
    assert!(train(&mut silo).is_none());
    assert_eq!(messages(&mut silo), [ToCoordinator::Update(update.clone())]);
    let other = Task {
        model: ModelVector::zeros(PARAMETERS),
        clip_norm: None,
        ..task(1)
    };
    for task in [task(1), other] {
        silo.handle(ToSilo::Train(task));
        assert!(silo.poll_task().is_none());
        assert_eq!(messages(&mut silo), [ToCoordinator::Update(update.clone())]);
    }
    assert_eq!(silo.ledger().entries().len(), 1);
}

#[test]
fn a_restored_silo_still_knows_what_it_has_spent() {
    let mut before = silo();
    ask(&mut before, 4);
    let update = train(&mut before).unwrap();
    let written = serde_json::to_string(&before.checkpoint()).unwrap();
    let kept = serde_json::from_str(&written).unwrap();
    let mut after = Silo::restore(Setting::default().silo_plan(SILO), Box::new(OpenGate), kept);
    ask(&mut after, 4);
    ask(&mut after, 3);
    assert!(after.poll_task().is_none());
    assert_eq!(
        messages(&mut after),
        [
            ToCoordinator::Update(update),
            declined(3, Decline::AlreadySpent { last: Round(4) })
        ]
    );
    assert_eq!(after.checkpoint(), before.checkpoint());
}

#[test]
fn a_round_that_the_coordinator_has_given_up_is_not_spent() {
    let mut silo = silo();
    ask(&mut silo, 1);
    let given_up = silo.poll_task().unwrap();
    ask(&mut silo, 2);
    let update = Setting::default()
        .trainer(SILO)
        .train(&given_up.task)
        .unwrap();
    silo.handle_trained(Round(1), Ok(update));
    assert!(messages(&mut silo).is_empty());
    assert!(silo.ledger().entries().is_empty());
    assert_eq!(train(&mut silo).unwrap().round, Round(2));
    // A late repetition of what came before is no reason to train.
    ask(&mut silo, 3);
    ask(&mut silo, 3);
    assert_eq!(train(&mut silo).unwrap().round, Round(3));
    assert!(silo.poll_task().is_none());
}

#[test]
fn what_was_not_planned_does_not_leave() {
    let cheaper = |update: SiloUpdate| SiloUpdate {
        releases: Vec::new(),
        ..update
    };
    let of_another = |update: SiloUpdate| SiloUpdate {
        silo: SiloId(0),
        ..update
    };
    let of_another_round = |update: SiloUpdate| SiloUpdate {
        round: Round(9),
        ..update
    };
    for spoil in [cheaper, of_another, of_another_round] as [fn(SiloUpdate) -> SiloUpdate; 3] {
        let mut silo = silo();
        ask(&mut silo, 1);
        let work = silo.poll_task().unwrap();
        let update = Setting::default().trainer(SILO).train(&work.task).unwrap();
        silo.handle_trained(Round(1), Ok(spoil(update)));
        let failed = SiloEvent::TrainingFailed {
            round: Round(1),
            error: TrainError::Unplanned,
        };
        assert_eq!(events(&mut silo), [failed]);
        assert_eq!(messages(&mut silo), [declined(1, Decline::TrainingFailed)]);
        assert!(silo.ledger().entries().is_empty());
    }
}

#[test]
fn the_coordinator_learns_that_training_failed_and_not_why() {
    let mut silo = silo();
    ask(&mut silo, 1);
    silo.handle_trained(Round(1), Err(TrainError::NotFinite));
    assert_eq!(messages(&mut silo), [declined(1, Decline::TrainingFailed)]);
    let failed = SiloEvent::TrainingFailed {
        round: Round(1),
        error: TrainError::NotFinite,
    };
    assert_eq!(events(&mut silo), [failed]);
    // Nothing was spent, so the round may be asked for again.
    ask(&mut silo, 1);
    assert!(train(&mut silo).is_some());
}

/// Admits each round once.
#[derive(Debug, Default)]
struct Once(Vec<Round>);

impl RoundGate for Once {
    fn admit(&mut self, round: Round, entries: &[LedgerEntry]) -> Result<(), BudgetReached> {
        assert_eq!(entries.len(), 1);
        if self.0.contains(&round) || round > Round(2) {
            return Err(BudgetReached {
                round,
                why: "enough".to_owned(),
            });
        }
        self.0.push(round);
        Ok(())
    }
}

#[test]
fn its_own_gate_is_asked_once_a_round_and_before_training() {
    let plan = Setting::default().silo_plan(SILO);
    let mut silo = Silo::restore(plan, Box::<Once>::default(), SiloCheckpoint::default());
    for round in [1, 1, 2, 2] {
        ask(&mut silo, round);
        train(&mut silo);
    }
    assert_eq!(silo.ledger().entries().len(), 2);
    messages(&mut silo);
    events(&mut silo);
    ask(&mut silo, 3);
    assert!(silo.poll_task().is_none());
    assert_eq!(messages(&mut silo), [declined(3, Decline::BudgetReached)]);
    let refused = BudgetReached {
        round: Round(3),
        why: "enough".to_owned(),
    };
    assert_eq!(events(&mut silo), [SiloEvent::RoundRefused(refused)]);
}

fn welcome(silo: &mut Silo, round: u32, asked: Option<u32>) {
    silo.handle(ToSilo::Welcome(Welcome {
        round: Round(round),
        rounds: 9,
        asked: asked.map(Round),
    }));
}

#[test]
fn a_silo_that_has_lost_its_memory_assumes_the_worst() {
    let mut silo = without_memory();
    silo.handle_connected();
    messages(&mut silo);
    welcome(&mut silo, 4, Some(4));
    let entries: Vec<_> = (1..=4)
        .map(|round| release().entry(Round(round), SILO).unwrap())
        .collect();
    assert_eq!(silo.ledger().entries(), entries);
    let assumed = SiloEvent::Assumed {
        up_to: Round(4),
        entries: entries.clone(),
    };
    assert_eq!(events(&mut silo)[0], assumed);
    // It may have sent its update of the round under way, and must not send another.
    ask(&mut silo, 4);
    assert!(silo.poll_task().is_none());
    let spent = Decline::AlreadySpent { last: Round(4) };
    assert_eq!(messages(&mut silo), [declined(4, spent)]);
    ask(&mut silo, 5);
    assert!(train(&mut silo).is_some());
    // It remembers from now on.
    welcome(&mut silo, 9, Some(8));
    assert_eq!(silo.ledger().entries().len(), 5);
}

#[test]
fn a_silo_that_remembers_or_was_never_asked_has_nothing_to_assume() {
    let mut never_asked = without_memory();
    welcome(&mut never_asked, 1, None);
    let mut remembers = silo();
    for silo in [&mut never_asked, &mut remembers] {
        welcome(silo, 3, None);
        assert!(silo.ledger().entries().is_empty());
        ask(silo, 3);
        assert!(train(silo).is_some());
        welcome(silo, 5, Some(4));
        assert_eq!(silo.ledger().entries().len(), 1);
    }
}

#[test]
fn without_memory_the_first_round_is_charged_before_it_is_trained_and_once() {
    let mut silo = without_memory();
    welcome(&mut silo, 1, None);
    ask(&mut silo, 1);
    assert_eq!(silo.ledger().entries().len(), 1);
    assert!(train(&mut silo).is_some());
    assert_eq!(silo.ledger().entries().len(), 1);
    ask(&mut silo, 2);
    assert_eq!(silo.ledger().entries().len(), 1);
    assert!(train(&mut silo).is_some());
    assert_eq!(silo.ledger().entries().len(), 2);
}

#[test]
fn a_task_that_comes_without_a_welcome_tells_as_much() {
    let mut silo = without_memory();
    ask(&mut silo, 2);
    assert!(silo.poll_task().is_none());
    assert_eq!(silo.ledger().entries().len(), 2);
    let spent = Decline::AlreadySpent { last: Round(2) };
    assert_eq!(messages(&mut silo), [declined(2, spent)]);
    welcome(&mut silo, 3, Some(2));
    assert_eq!(silo.ledger().entries().len(), 2);
}

#[test]
fn what_it_must_assume_may_end_its_budget() {
    let mut silo = Silo::new(Setting::default().silo_plan(SILO), Box::<Single>::default());
    welcome(&mut silo, 3, Some(2));
    assert_eq!(silo.ledger().entries().len(), 2);
    ask(&mut silo, 3);
    assert!(silo.poll_task().is_none());
    assert_eq!(messages(&mut silo), [declined(3, Decline::BudgetReached)]);
}

/// Admits one entry at a time.
#[derive(Debug, Default)]
struct Single;

impl RoundGate for Single {
    fn admit(&mut self, round: Round, entries: &[LedgerEntry]) -> Result<(), BudgetReached> {
        if entries.len() < 2 {
            return Ok(());
        }
        let why = "too much at once".to_owned();
        Err(BudgetReached { round, why })
    }
}

#[test]
fn a_round_that_is_over_is_not_trained_to_its_end() {
    let mut silo = silo();
    ask(&mut silo, 1);
    let work = silo.poll_task().unwrap();
    silo.handle_round_finished(Round(1));
    let update = Setting::default().trainer(SILO).train(&work.task).unwrap();
    silo.handle_trained(Round(1), Ok(update));
    assert!(messages(&mut silo).is_empty());
    assert!(silo.ledger().entries().is_empty());
}

#[test]
fn however_often_it_is_asked_one_answer_waits_to_be_sent() {
    let mut silo = silo();
    ask(&mut silo, 1);
    let update = train(&mut silo).unwrap();
    for _ in 0..1000 {
        ask(&mut silo, 1);
    }
    assert_eq!(messages(&mut silo), [ToCoordinator::Update(update)]);
}

#[test]
fn it_passes_on_what_it_is_told() {
    let mut silo = silo();
    silo.handle(ToSilo::Refuse(Refusal::Malformed));
    silo.handle(ToSilo::Finish(FinishReason::RoundsDone));
    silo.handle(ToSilo::Finish(FinishReason::RoundsDone));
    assert_eq!(
        events(&mut silo),
        [
            SiloEvent::Refused(Refusal::Malformed),
            SiloEvent::Finished(FinishReason::RoundsDone)
        ]
    );
    assert_eq!(silo.finished(), Some(FinishReason::RoundsDone));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// The fuzz target `silo`, without a fuzzer.
    #[test]
    fn any_operations_charge_what_leaves(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        // Bytes that run out are the end of the operations.
        let _ = operations::silo(&mut Unstructured::new(&bytes));
    }
}
