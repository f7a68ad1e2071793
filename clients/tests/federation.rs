//! Whole federations on virtual time.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

mod common;
mod faults;
#[path = "federation/sums.rs"]
mod sums;

use accounting::{
    ClipNorm, Delta, Epsilon, Holdings, LedgerEntry, NeighboringRelation, NoiseMultiplier,
    PrivacyBudget, PrivacyFilter, PrivacyUnit, RdpAccountant,
};
use common::{
    COHORT, Federation, LEARNING_RATE, LOCAL_STEPS, PARAMETERS, ROUNDS, SILOS, Setting, Toy, parts,
    seed,
};
use primitives::{ModelVector, Round, SiloId};
use proptest::prelude::*;
use protocol::{Compression, FinishReason, Frame, OpenGate, Refusal, Weights};
use server::{
    Aggregator, Checkpoint, ClippedNoisedSum, CohortLaw, Coordinator, CoordinatorEvent, LostQuorum,
    Parts, Patience, RoundOutcome,
};
use siloscope_clients::{Silo, SiloCheckpoint, SiloEvent};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;
use transport::{End, LinkModel, Loss};

fn run(setting: &Setting) -> Federation {
    let mut federation = Federation::new(setting);
    federation.run();
    federation
}

#[test]
fn a_federation_runs_to_its_end() {
    let federation = run(&Setting::default());
    assert_eq!(federation.outcomes().len(), ROUNDS as usize);
    let last = federation.events.last().unwrap();
    assert_eq!(*last, CoordinatorEvent::Finished(FinishReason::RoundsDone));
    for silo in federation.silos.values() {
        assert_eq!(silo.finished(), Some(FinishReason::RoundsDone));
    }
}

#[test]
fn both_ends_keep_the_same_ledger() {
    let federation = run(&Setting::default());
    for (&silo, machine) in &federation.silos {
        let outcomes = federation.outcomes();
        let entries = outcomes.iter().flat_map(|outcome| &outcome.entries);
        let of_silo = entries.filter(|entry| entry.scope().silos() == [silo.0]);
        assert!(of_silo.eq(machine.ledger().entries()), "{silo}");
    }
}

/// FedAvg as McMahan et al. write it: average models, not updates.
#[test]
fn fed_avg_is_its_pseudocode() {
    let setting = Setting {
        weights: Weights::Records,
        noise: 0.0,
        ..Setting::default()
    };
    let outcomes = run(&setting).outcomes();
    let cohorts = CohortLaw::try_new((0..SILOS).map(SiloId).collect(), COHORT, seed()).unwrap();
    let mut model = vec![0.0_f64; PARAMETERS];
    for (round, outcome) in (1..=ROUNDS).zip(outcomes) {
        let cohort = cohorts.cohort(Round(round));
        let records: u64 = cohort.iter().map(|&silo| Toy::records(silo)).sum();
        let mut next = vec![0.0; PARAMETERS];
        for silo in cohort {
            let share = Toy::records(silo) as f64 / records as f64;
            for (i, target) in Toy::target(silo).into_iter().enumerate() {
                let mut w = model[i];
                for _ in 0..LOCAL_STEPS {
                    w -= LEARNING_RATE * (w - target);
                }
                next[i] += share * w;
            }
        }
        model = next;
        for (&found, expected) in outcome.model.as_slice().iter().zip(&model) {
            // Six roundings to `f32` of numbers of at most 5.
            assert!(
                (f64::from(found) - expected).abs() < 5e-6,
                "{found} {expected}"
            );
        }
    }
}

/// The coordinator after `boundary` rounds, as it stands on disk.
fn stopped_after(setting: &Setting, boundary: u32) -> (Federation, Vec<RoundOutcome>) {
    let mut federation = Federation::new(setting);
    federation.run_until(|federation| federation.rounds_done() >= Round(boundary));
    federation
        .events
        .extend(std::iter::from_fn(|| federation.coordinator.poll_event()));
    let outcomes = federation.outcomes();
    (federation, outcomes)
}

#[test]
fn a_run_resumed_at_any_round_ends_with_the_same_bytes() {
    let setting = Setting::default();
    let whole = run(&setting).outcomes();
    for boundary in 0..=ROUNDS {
        for fresh_silos in [false, true] {
            let (stopped, mut outcomes) = stopped_after(&setting, boundary);
            let written = serde_json::to_string(&stopped.coordinator.checkpoint()).unwrap();
            let checkpoint: Checkpoint = serde_json::from_str(&written).unwrap();
            let plan = setting.coordinator_plan();
            let coordinator = Coordinator::restore(plan, parts(), checkpoint).unwrap();
            let restored = |(&silo, machine): (&SiloId, &Silo)| {
                let written = serde_json::to_string(&machine.checkpoint()).unwrap();
                let kept: SiloCheckpoint = serde_json::from_str(&written).unwrap();
                let kept = if fresh_silos {
                    SiloCheckpoint::default()
                } else {
                    kept
                };
                (
                    silo,
                    Silo::restore(setting.silo_plan(silo), Box::new(OpenGate), kept),
                )
            };
            let silos = stopped.silos.iter().map(restored).collect();
            let mut resumed = Federation::with(&setting, coordinator, silos);
            resumed.run();
            outcomes.extend(resumed.outcomes());
            assert_eq!(outcomes, whole, "stopped after round {boundary}");
        }
    }
}

#[test]
fn a_coordinator_that_lost_a_round_gets_the_stored_updates_and_nobody_spends_twice() {
    let setting = Setting::default();
    let whole = run(&setting);
    let (early, _) = stopped_after(&setting, 2);
    // The silos are a round ahead of the coordinator that comes back.
    let (late, _) = stopped_after(&setting, 3);
    let checkpoint = early.coordinator.checkpoint();
    let plan = setting.coordinator_plan();
    let coordinator = Coordinator::restore(plan, parts(), checkpoint).unwrap();
    let mut resumed = Federation::with(&setting, coordinator, late.silos);
    resumed.run();
    assert_eq!(resumed.outcomes(), whole.outcomes()[2..]);
    for (silo, machine) in &resumed.silos {
        assert_eq!(machine.ledger(), whole.silos[silo].ledger());
    }
}

#[test]
fn garbage_on_a_link_is_refused_and_disturbs_nobody() {
    let setting = Setting::default();
    let mut federation = Federation::new(&setting);
    for silo in 0..SILOS {
        let garbage = Frame::try_new(vec![0xff; 40]).unwrap();
        federation
            .network
            .send(SiloId(silo), End::Silo, garbage)
            .unwrap();
    }
    federation.run();
    assert_eq!(federation.outcomes(), run(&setting).outcomes());
    let refused = SiloEvent::Refused(Refusal::Malformed);
    for silo in 0..SILOS {
        assert!(
            federation
                .silo_events
                .contains(&(SiloId(silo), refused.clone()))
        );
    }
}

#[test]
fn updates_that_come_after_the_deadline_are_left_out_and_harm_no_later_round() {
    let patience = Patience {
        deadline: Some(Duration::from_secs(1)),
        quorum: 1,
        lost_quorum: LostQuorum::End,
    };
    let setting = Setting {
        patience,
        ..Setting::default()
    };
    let mut federation = Federation::new(&setting);
    let slow = *setting
        .coordinator_plan()
        .cohorts
        .cohort(Round(1))
        .first()
        .unwrap();
    // There and back takes less than the deadline, and then more.
    let latency = |latency_ms| LinkModel {
        latency_ms,
        ..LinkModel::default()
    };
    federation.network.set_link(slow, latency(400));
    federation.run();
    assert_eq!(federation.outcomes().len(), ROUNDS as usize);
    assert!(
        federation
            .outcomes()
            .iter()
            .all(|outcome| outcome.missing.is_empty())
    );
    let mut federation = Federation::new(&setting);
    federation.network.set_link(slow, latency(900));
    federation.run();
    let outcomes = federation.outcomes();
    assert_eq!(outcomes.len(), ROUNDS as usize);
    for outcome in outcomes {
        let asked = federation.events.iter().any(|event| {
            matches!(event, CoordinatorEvent::RoundStarted { round, cohort, .. }
                if *round == outcome.round && cohort.contains(&slow))
        });
        assert_eq!(outcome.missing.contains_key(&slow), asked);
        // It was asked, so it is charged, whatever came of it.
        assert_eq!(outcome.entries.len(), COHORT as usize);
    }
    let refused = |event: &CoordinatorEvent| matches!(event, CoordinatorEvent::SiloRefused { .. });
    assert!(!federation.events.iter().any(refused));
}

fn compressed(compression: Compression) -> Setting {
    Setting {
        compression,
        ..Setting::default()
    }
}

#[test]
fn compression_costs_nothing_in_the_ledger_and_zstd_changes_nothing_at_all() {
    let exact = run(&Setting::default()).outcomes();
    assert_eq!(run(&compressed(Compression::Zstd)).outcomes(), exact);
    for compression in [Compression::Fp16, Compression::Int8] {
        let lossy = run(&compressed(compression));
        for (lossy, exact) in lossy.outcomes().iter().zip(&exact) {
            assert_ne!(lossy.model, exact.model);
            assert_eq!(lossy.entries, exact.entries);
        }
    }
}

/// Rounding can make an update longer than it was: the coordinator of silo noise clips what it has decoded.
#[test]
fn the_coordinator_clips_what_it_has_decoded() {
    let clip = 0.75;
    let clip_norm = ClipNorm::try_new(clip).unwrap();
    let silent = NoiseMultiplier::try_new(0.0).unwrap();
    let setting = compressed(Compression::Int8);
    let sum = ClippedNoisedSum::new(clip_norm, silent, COHORT as usize, seed());
    let parts = Parts {
        aggregator: Box::new(sum.clone()),
        ..parts()
    };
    let initial = ModelVector::zeros(PARAMETERS);
    let coordinator = Coordinator::new(setting.coordinator_plan(), parts, initial).unwrap();
    let silos = Federation::new(&setting).silos;
    let mut federation = Federation::with(&setting, coordinator, silos);
    federation.run();
    let mut longer = 0;
    let mut before = ModelVector::zeros(PARAMETERS);
    for outcome in federation.outcomes() {
        longer += outcome
            .updates
            .values()
            .filter(|update| update.delta.l2_norm() > clip)
            .count();
        let moved = outcome.model.minus(&before).unwrap();
        let expected = sum.aggregate(outcome.round, &outcome.updates).unwrap();
        assert!(moved.minus(&expected).unwrap().l2_norm() < 1e-5);
        assert!(moved.l2_norm() <= clip * (1.0 + 1e-5));
        before = outcome.model;
    }
    assert!(longer > 0, "some update was there to be clipped");
}

fn filter(epsilon: f64) -> PrivacyFilter<RdpAccountant> {
    let budget = PrivacyBudget {
        unit: PrivacyUnit::Record,
        epsilon: Epsilon::try_new(epsilon).unwrap(),
        delta: Delta::try_new(1e-5).unwrap(),
    };
    let accountant = RdpAccountant::new(NeighboringRelation::AddOrRemoveOne);
    PrivacyFilter::for_plan(accountant, budget, Holdings::default())
}

#[test]
fn the_coordinators_budget_ends_the_run_before_it_is_overspent() {
    let setting = Setting::default();
    let (epsilon, reason) = (3.0, FinishReason::BudgetReached);
    let gated = Parts {
        gate: Box::new(filter(epsilon)),
        ..parts()
    };
    let initial = ModelVector::zeros(PARAMETERS);
    let coordinator = Coordinator::new(setting.coordinator_plan(), gated, initial).unwrap();
    let silos = Federation::new(&setting).silos;
    let mut federation = Federation::with(&setting, coordinator, silos);
    federation.run();
    assert_eq!(
        federation.events.last(),
        Some(&CoordinatorEvent::Finished(reason))
    );
    let done = federation.outcomes();
    assert!(
        !done.is_empty() && done.len() < ROUNDS as usize,
        "{}",
        done.len()
    );
    assert_eq!(done, run(&setting).outcomes()[..done.len()]);
    // What was done fits, and the next round does not.
    let mut spent = filter(epsilon);
    for outcome in &done {
        spent.admit(&outcome.entries).unwrap();
    }
    let next = Round(done.len() as u32 + 1);
    let cohort = setting.coordinator_plan().cohorts.cohort(next);
    let entries = cohort
        .iter()
        .map(|&silo| common::release().entry(next, silo).unwrap());
    assert!(spent.admit(&entries.collect::<Vec<LedgerEntry>>()).is_err());
}

#[test]
fn a_silos_own_budget_makes_it_decline() {
    let patience = Patience::endless(1);
    let setting = Setting {
        patience,
        ..Setting::default()
    };
    let mut federation = Federation::new(&setting);
    let careful = SiloId(1);
    let machine = Silo::new(setting.silo_plan(careful), Box::new(filter(0.5)));
    federation.silos.insert(careful, machine);
    federation.run();
    let declined = |event: &&CoordinatorEvent| matches!(event, CoordinatorEvent::SiloDeclined { silo, .. } if *silo == careful);
    let asked = federation.events.iter().filter(|event| {
        matches!(event, CoordinatorEvent::RoundStarted { cohort, .. } if cohort.contains(&careful))
    });
    let asked = asked.count();
    assert!(asked > 0);
    assert_eq!(federation.events.iter().filter(declined).count(), asked);
    assert!(federation.silos[&careful].ledger().entries().is_empty());
}

fn any_link() -> impl Strategy<Value = LinkModel> {
    (0u32..200, 0u32..400, prop::option::of(1u32..20), 0.0..0.5).prop_map(
        |(latency_ms, jitter_ms, megabits, loss)| LinkModel {
            latency_ms,
            jitter_ms,
            megabits_per_second: megabits.and_then(NonZeroU32::new),
            loss: Loss::try_new(loss).unwrap(),
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_network_cannot_change_a_byte(
        links in prop::collection::btree_map((0..SILOS).prop_map(SiloId), any_link(), 0..=SILOS as usize),
        link in any_link(),
        network_seed: u64,
        twice: bool,
    ) {
        let undisturbed = run(&Setting::default());
        let setting = Setting { link, network_seed, twice, ..Setting::default() };
        let mut federation = Federation::new(&setting);
        let links: BTreeMap<SiloId, LinkModel> = links;
        for (silo, link) in links {
            federation.network.set_link(silo, link);
        }
        federation.run();
        prop_assert_eq!(federation.outcomes(), undisturbed.outcomes());
        for (silo, machine) in &federation.silos {
            prop_assert_eq!(machine.checkpoint(), undisturbed.silos[silo].checkpoint());
        }
    }
}
