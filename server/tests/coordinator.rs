//! The coordinator alone, between puppets that answer what a test wants.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

mod common;
mod operations;

use accounting::{ClipNorm, LedgerEntry, Mechanism, NoiseMultiplier};
use arbitrary::Unstructured;
use common::{
    NOW, PARAMETERS, events, finish, join, join_all, outcomes, parts, plan, play, release, send,
    started, update,
};
use primitives::{ModelVector, Round, Seed, SiloId};
use proptest::prelude::*;
use protocol::{
    BudgetReached, Decline, FinishReason, Refusal, RoundGate, SiloUpdate, ToCoordinator, ToSilo,
};
use siloscope_server::{
    AbandonedRound, Checkpoint, ClipNormLaw, ClippedNoisedSum, Coordinator, CoordinatorEvent,
    CoordinatorPlan, FedAvg, LostQuorum, Missing, Parts, Patience, RestoreError, RoundOutcome,
    StrategyConfig,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[test]
fn nothing_is_asked_before_the_whole_roster_has_joined() {
    let plan = plan();
    let mut coordinator = Coordinator::new(plan, parts(), ModelVector::zeros(PARAMETERS)).unwrap();
    for silo in [2, 0, 0, 2] {
        coordinator.handle(NOW, SiloId(silo), ToCoordinator::Join(join(silo)));
    }
    let joined = [SiloId(2), SiloId(0)].map(CoordinatorEvent::SiloJoined);
    assert_eq!(events(&mut coordinator), joined);
    while let Some(transmit) = coordinator.poll_transmit() {
        assert!(matches!(transmit.message, ToSilo::Welcome(_)));
    }
    coordinator.handle(NOW, SiloId(1), ToCoordinator::Join(join(1)));
    let started = events(&mut coordinator).pop().unwrap();
    let CoordinatorEvent::RoundStarted {
        round: Round(1),
        cohort,
        entries,
    } = started
    else {
        panic!("{started:?}")
    };
    assert_eq!(cohort.len(), 3);
    assert_eq!(entries.len(), 3);
}

#[test]
fn the_order_of_answers_changes_nothing() {
    let first = play(&mut started(plan(), parts()), [0, 1, 2]);
    assert_eq!(first.len(), 3);
    for order in [[2, 1, 0], [1, 0, 2], [2, 0, 1]] {
        assert_eq!(play(&mut started(plan(), parts()), order), first);
    }
}

#[test]
fn a_clip_norm_that_adapts_goes_on_from_the_mean_of_the_silos() {
    let norm = |value| ClipNorm::try_new(value).unwrap();
    let law = ClipNormLaw {
        initial: norm(1.0),
        largest_change: 1.0,
    };
    let plan = CoordinatorPlan {
        clip_norm: Some(law),
        ..plan()
    };
    let ended = |silo, round, clip_norm| SiloUpdate {
        clip_norm,
        ..update(silo, round)
    };
    let mut coordinator = started(plan.clone(), parts());
    let asked = |coordinator: &mut Coordinator| {
        let transmits = std::iter::from_fn(|| coordinator.poll_transmit());
        let tasks = transmits.filter_map(|transmit| match transmit.message {
            ToSilo::Train(task) => task.clip_norm,
            _ => None,
        });
        tasks.collect::<Vec<_>>()
    };
    assert_eq!(asked(&mut coordinator), [norm(1.0); 3]);
    for (silo, to) in [(2, 2.0), (0, 2.0), (1, 0.5)] {
        send(&mut coordinator, ended(silo, 1, Some(norm(to))));
    }
    let [first, ..] = asked(&mut coordinator)[..] else {
        panic!("the second round is asked for")
    };
    assert!((first.get() - 2.0_f64.cbrt()).abs() < 1e-12);
    assert_eq!(coordinator.state().clip_norm, Some(first));
    let checkpoint = coordinator.checkpoint();
    let restored = Coordinator::restore(plan, parts(), checkpoint.clone()).unwrap();
    assert_eq!(restored.state(), coordinator.state());
    let fixed = Coordinator::restore(common::plan(), parts(), checkpoint);
    assert_eq!(fixed.err(), Some(RestoreError::ClipNorm));
    // Further than the plan's steps lead, or nothing at all.
    for to in [Some(norm(4.0)), Some(norm(0.3)), None] {
        let mut coordinator = Coordinator::restore(
            CoordinatorPlan {
                clip_norm: Some(law),
                ..common::plan()
            },
            parts(),
            coordinator.checkpoint(),
        )
        .unwrap();
        join_all(&mut coordinator);
        send(&mut coordinator, ended(1, 2, to));
        let refused = events(&mut coordinator).into_iter().any(|event| {
            matches!(event, CoordinatorEvent::SiloRefused { reason, .. } if reason == Refusal::UnplannedClipNorm)
        });
        assert!(refused, "{to:?}");
    }
}

#[test]
fn deltas_that_nobody_keeps_leave_the_same_model() {
    let kept = play(&mut started(plan(), parts()), [1, 0, 2]);
    let light = CoordinatorPlan {
        keep_deltas: false,
        ..plan()
    };
    for order in [[0, 1, 2], [2, 1, 0]] {
        for (light, kept) in play(&mut started(light.clone(), parts()), order)
            .iter()
            .zip(&kept)
        {
            assert_eq!(light.model, kept.model);
            assert!(light.updates.values().any(|update| update.delta.is_empty()));
            assert!(
                kept.updates
                    .values()
                    .all(|update| update.delta.len() == PARAMETERS)
            );
            assert!(light.updates.keys().eq(kept.updates.keys()));
        }
    }
}

#[test]
fn a_round_reports_what_it_released() {
    let outcome = play(&mut started(plan(), parts()), [0, 1, 2]).remove(0);
    let entries = (0..3).map(|silo| release().entry(Round(1), SiloId(silo)).unwrap());
    assert_eq!(outcome.entries, entries.collect::<Vec<_>>());
    assert_eq!(outcome.model, ModelVector::from(vec![2.0; PARAMETERS]));
    assert!(outcome.missing.is_empty());
}

#[test]
fn a_coordinator_restored_at_any_boundary_goes_on_with_the_same_bytes() {
    let adam = || {
        let config = "kind = \"fed-adam\"\nserver_learning_rate = 0.1";
        let strategy = toml::from_str::<StrategyConfig>(config).unwrap().build();
        Parts {
            strategy,
            ..parts()
        }
    };
    let mut undisturbed = started(plan(), adam());
    let whole = play(&mut undisturbed, [0, 1, 2]);
    for boundary in 0..=3 {
        let mut first = started(plan(), adam());
        for round in 1..=boundary {
            for silo in 0..3 {
                send(&mut first, update(silo, round));
            }
        }
        // A round is under way, and one silo has answered: that is forgotten.
        send(&mut first, update(1, boundary + 1));
        let written = serde_json::to_string(&first.checkpoint()).unwrap();
        let read: Checkpoint = serde_json::from_str(&written).unwrap();
        let mut second = Coordinator::restore(plan(), adam(), read).unwrap();
        join_all(&mut second);
        let rest = play(&mut second, [2, 1, 0]);
        assert_eq!(rest, whole[boundary as usize..]);
        assert_eq!(second.checkpoint(), undisturbed.checkpoint());
    }
}

#[test]
fn a_finished_run_stays_finished() {
    let mut coordinator = started(plan(), parts());
    play(&mut coordinator, [0, 1, 2]);
    let checkpoint = coordinator.checkpoint();
    assert_eq!(checkpoint.finished, Some(FinishReason::RoundsDone));
    let mut again = Coordinator::restore(plan(), parts(), checkpoint).unwrap();
    again.handle(NOW, SiloId(1), ToCoordinator::Join(join(1)));
    let last = std::iter::from_fn(|| again.poll_transmit()).last().unwrap();
    assert_eq!(last.message, ToSilo::Finish(FinishReason::RoundsDone));
}

#[test]
fn a_round_ends_at_its_deadline_with_a_quorum_or_not_at_all() {
    let patience = Patience {
        deadline: Some(Duration::from_mins(1)),
        quorum: 2,
        lost_quorum: LostQuorum::End,
    };
    let plan = CoordinatorPlan { patience, ..plan() };
    let mut coordinator = started(plan, parts());
    assert_eq!(coordinator.next_timeout(), Some(Duration::from_mins(1)));
    send(&mut coordinator, update(0, 1));
    send(&mut coordinator, update(2, 1));
    coordinator.handle_timeout(Duration::from_secs(59));
    assert!(outcomes(&mut coordinator).is_empty());
    // At the deadline itself an update is late, whether or not the driver has told the time before.
    let late = ToCoordinator::Update(update(1, 1));
    coordinator.handle(Duration::from_mins(1), SiloId(1), late);
    assert_eq!(
        outcomes(&mut coordinator).remove(0).missing,
        [(SiloId(1), Missing::Silent)].into()
    );
    assert_eq!(coordinator.next_timeout(), Some(Duration::from_mins(2)));
    send(&mut coordinator, update(1, 2));
    coordinator.handle_timeout(Duration::from_mins(2));
    let reason = FinishReason::QuorumLost {
        round: Round(2),
        accepted: 1,
        quorum: 2,
    };
    assert_eq!(finish(&mut coordinator), Some(reason));
    assert_eq!(coordinator.next_timeout(), None);
}

#[test]
fn a_silo_that_declines_is_not_waited_for() {
    let plan = CoordinatorPlan {
        patience: Patience::endless(1),
        ..plan()
    };
    let mut coordinator = started(plan, parts());
    for silo in [1, 2, 2] {
        let decline = ToCoordinator::Decline {
            round: Round(1),
            reason: Decline::BudgetReached,
        };
        coordinator.handle(NOW, SiloId(silo), decline);
    }
    send(&mut coordinator, update(0, 1));
    let events = events(&mut coordinator);
    let declined =
        |event: &&CoordinatorEvent| matches!(event, CoordinatorEvent::SiloDeclined { .. });
    assert_eq!(events.iter().filter(declined).count(), 2);
    assert_eq!(coordinator.state().round, Round(1));
}

#[test]
fn a_silo_that_comes_back_is_asked_again() {
    let mut coordinator = started(plan(), parts());
    send(&mut coordinator, update(0, 1));
    while coordinator.poll_transmit().is_some() {}
    for (silo, asked) in [(0, false), (1, true)] {
        coordinator.handle(NOW, SiloId(silo), ToCoordinator::Join(join(silo)));
        let messages: Vec<_> = std::iter::from_fn(|| coordinator.poll_transmit()).collect();
        let train =
            |message: &ToSilo| matches!(message, ToSilo::Train(task) if task.round == Round(1));
        assert_eq!(
            messages.iter().any(|transmit| train(&transmit.message)),
            asked
        );
    }
}

/// Admits rounds up to one.
#[derive(Debug)]
struct UpTo(Round);

impl RoundGate for UpTo {
    fn admit(&mut self, round: Round, entries: &[LedgerEntry]) -> Result<(), BudgetReached> {
        assert_eq!(entries.len(), 3);
        if round <= self.0 {
            Ok(())
        } else {
            Err(BudgetReached {
                round,
                why: "enough".to_owned(),
            })
        }
    }
}

#[test]
fn a_round_that_does_not_fit_in_the_budget_does_not_start() {
    for last in 0..3 {
        let gate = Box::new(UpTo(Round(last)));
        let mut coordinator = started(plan(), Parts { gate, ..parts() });
        while coordinator.poll_event().is_some() {}
        let tasks = |coordinator: &mut Coordinator| {
            let messages = std::iter::from_fn(|| coordinator.poll_transmit());
            messages
                .filter(|transmit| matches!(transmit.message, ToSilo::Train(_)))
                .count()
        };
        for round in 1..=last {
            assert_eq!(tasks(&mut coordinator), 3);
            for silo in 0..3 {
                send(&mut coordinator, update(silo, round));
            }
        }
        assert_eq!(tasks(&mut coordinator), 0);
        assert_eq!(
            coordinator.checkpoint().finished,
            Some(FinishReason::BudgetReached)
        );
        assert_eq!(coordinator.state().round, Round(last));
    }
}

#[test]
fn a_model_that_leaves_the_finite_numbers_ends_the_run() {
    let strategy = Box::new(FedAvg::new(3e38));
    let mut coordinator = started(
        plan(),
        Parts {
            strategy,
            ..parts()
        },
    );
    for silo in 0..3 {
        send(&mut coordinator, update(silo, 1));
    }
    let events = events(&mut coordinator);
    let [
        ..,
        CoordinatorEvent::RoundAbandoned(abandoned),
        CoordinatorEvent::Finished(reason),
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(*reason, FinishReason::Diverged { round: Round(1) });
    // Three updates have left their silos: they are charged, although no model came of them.
    assert_eq!(abandoned.entries.len(), 3);
    assert!(coordinator.state().model.is_finite());
}

/// Counts what it admits.
#[derive(Debug)]
struct Counting(Arc<AtomicUsize>);

impl RoundGate for Counting {
    fn admit(&mut self, _round: Round, entries: &[LedgerEntry]) -> Result<(), BudgetReached> {
        self.0.fetch_add(entries.len(), Ordering::Relaxed);
        Ok(())
    }
}

fn repeating(quorum: u32, at_most: u32) -> CoordinatorPlan {
    CoordinatorPlan {
        patience: Patience {
            deadline: Some(Duration::from_mins(1)),
            quorum,
            lost_quorum: LostQuorum::Repeat { at_most },
        },
        ..plan()
    }
}

fn asked(coordinator: &mut Coordinator) -> Vec<u32> {
    std::iter::from_fn(|| coordinator.poll_transmit())
        .filter(|transmit| matches!(transmit.message, ToSilo::Train(_)))
        .map(|transmit| transmit.to.0)
        .collect()
}

#[test]
fn a_repeated_round_asks_those_who_are_missing_and_admits_nothing_twice() {
    let admitted = Arc::new(AtomicUsize::new(0));
    let gate = Box::new(Counting(Arc::clone(&admitted)));
    let mut coordinator = started(repeating(3, 2), Parts { gate, ..parts() });
    assert_eq!(asked(&mut coordinator), [0, 1, 2]);
    send(&mut coordinator, update(1, 1));
    send(
        &mut coordinator,
        SiloUpdate {
            releases: Vec::new(),
            ..update(2, 1)
        },
    );
    coordinator.handle_timeout(Duration::from_mins(1));
    assert_eq!(asked(&mut coordinator), [0, 2]);
    assert_eq!(coordinator.next_timeout(), Some(Duration::from_mins(2)));
    let repeated = CoordinatorEvent::RoundRepeated {
        round: Round(1),
        attempt: 2,
        accepted: 1,
        quorum: 3,
    };
    assert!(events(&mut coordinator).contains(&repeated));
    // What was accepted before is kept; the one that was refused has another try.
    let later = Duration::from_secs(90);
    for silo in [2, 0, 1] {
        coordinator.handle(later, SiloId(silo), ToCoordinator::Update(update(silo, 1)));
    }
    let outcome = outcomes(&mut coordinator).remove(0);
    let undisturbed = play(&mut started(plan(), parts()), [0, 1, 2]).remove(0);
    assert_eq!(outcome.attempts, 2);
    assert_eq!(
        RoundOutcome {
            attempts: 1,
            ..outcome
        },
        undisturbed
    );
    // The first round once, and the second.
    assert_eq!(admitted.load(Ordering::Relaxed), 6);
}

#[test]
fn repeats_have_an_end_and_what_was_released_is_charged() {
    let mut coordinator = started(repeating(2, 2), parts());
    send(&mut coordinator, update(1, 1));
    let decline = ToCoordinator::Decline {
        round: Round(1),
        reason: Decline::BudgetReached,
    };
    for minutes in 1..=3 {
        assert_eq!(coordinator.checkpoint().finished, None);
        coordinator.handle_timeout(Duration::from_mins(minutes));
        coordinator.handle(Duration::from_mins(minutes), SiloId(0), decline.clone());
    }
    let events = events(&mut coordinator);
    let abandoned = events.iter().find_map(|event| match event {
        CoordinatorEvent::RoundAbandoned(abandoned) => Some(abandoned.clone()),
        _ => None,
    });
    let entries = (0..3).map(|silo| release().entry(Round(1), SiloId(silo)).unwrap());
    let expected = AbandonedRound {
        round: Round(1),
        entries: entries.collect(),
        missing: [
            (SiloId(0), Missing::Declined(Decline::BudgetReached)),
            (SiloId(2), Missing::Silent),
        ]
        .into(),
        attempts: 3,
    };
    assert_eq!(abandoned, Some(expected));
    let reason = FinishReason::QuorumLost {
        round: Round(1),
        accepted: 1,
        quorum: 2,
    };
    assert_eq!(coordinator.checkpoint().finished, Some(reason));
}

#[test]
fn a_round_that_everybody_declines_is_repeated_at_once_and_not_for_ever() {
    let plan = CoordinatorPlan {
        patience: Patience {
            lost_quorum: LostQuorum::Repeat { at_most: 4 },
            ..Patience::endless(1)
        },
        ..plan()
    };
    let mut coordinator = started(plan, parts());
    let mut asks = 0;
    loop {
        let silos = asked(&mut coordinator);
        if silos.is_empty() {
            break;
        }
        asks += 1;
        for silo in silos {
            let decline = ToCoordinator::Decline {
                round: Round(1),
                reason: Decline::TrainingFailed,
            };
            coordinator.handle(NOW, SiloId(silo), decline);
        }
    }
    assert_eq!(asks, 5);
    assert!(coordinator.checkpoint().finished.is_some());
}

#[test]
fn after_the_deadline_a_quorum_of_the_roster_is_enough_to_begin() {
    let mut coordinator =
        Coordinator::new(repeating(2, 0), parts(), ModelVector::zeros(PARAMETERS)).unwrap();
    let joins = |coordinator: &mut Coordinator, seconds, silo| {
        let now = Duration::from_secs(seconds);
        coordinator.handle(now, SiloId(silo), ToCoordinator::Join(join(silo)));
    };
    joins(&mut coordinator, 5, 1);
    assert_eq!(coordinator.next_timeout(), None);
    coordinator.handle_timeout(Duration::from_secs(70));
    assert!(asked(&mut coordinator).is_empty());
    joins(&mut coordinator, 80, 2);
    assert_eq!(asked(&mut coordinator), [1, 2]);
    // The third is asked when it comes.
    joins(&mut coordinator, 90, 0);
    assert_eq!(asked(&mut coordinator), [0]);
}

#[test]
fn silo_noise_is_one_release_of_the_whole_cohort() {
    let noise_multiplier = NoiseMultiplier::try_new(1.1).unwrap();
    let clip_norm = ClipNorm::try_new(0.5).unwrap();
    let sum = ClippedNoisedSum::new(clip_norm, noise_multiplier, 3, Seed::from_number(1));
    let plan = CoordinatorPlan {
        releases: (0..3).map(|silo| (SiloId(silo), Vec::new())).collect(),
        patience: Patience::endless(2),
        ..plan()
    };
    let aggregator = Box::new(sum);
    let mut coordinator = started(
        plan,
        Parts {
            aggregator,
            ..parts()
        },
    );
    let unseen = |silo| SiloUpdate {
        releases: Vec::new(),
        ..update(silo, 1)
    };
    send(&mut coordinator, unseen(2));
    send(&mut coordinator, unseen(0));
    // A silo that is out counts as zero: the sum, and so the entry, is that of the whole cohort.
    send(&mut coordinator, update(1, 1));
    let outcome = outcomes(&mut coordinator).remove(0);
    let mechanism = Mechanism::SiloNoise { noise_multiplier };
    let entry = LedgerEntry::noised_sum(1, vec![0, 1, 2], mechanism).unwrap();
    assert_eq!(outcome.entries, [entry]);
    let refused = Missing::Refused(Refusal::UnplannedMechanism);
    assert_eq!(outcome.missing, [(SiloId(1), refused)].into());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// The fuzz target `coordinator`, without a fuzzer.
    #[test]
    fn any_operations_keep_the_rounds_in_order(bytes in prop::collection::vec(any::<u8>(), 0..800)) {
        // Bytes that run out are the end of the operations.
        let _ = operations::coordinator(&mut Unstructured::new(&bytes));
    }
}
