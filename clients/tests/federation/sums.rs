//! Whole federations whose coordinator sees sums only.

use super::{run, stopped_after};
use crate::common::{
    COHORT, Federation, PARAMETERS, ROUNDS, SILOS, Setting, digest, parts, release, seed,
};
use accounting::LedgerEntry;
use primitives::{ModelVector, Round, Seed, SiloId};
use protocol::{
    Compression, Decline, FinishReason, Masking, OpenGate, Refusal, Summand, Task, ToCoordinator,
    ToSilo,
};
use secure_sum::{
    Collector, DistributedNoise, FixedPoint, FromMember, MemberError, SumCode, SumPlan, ToMember,
};
use server::{Coordinator, CoordinatorEvent, LostQuorum, Patience, PlanError, RoundOutcome, Sums};
use siloscope_clients::{Silo, SiloCheckpoint, SiloEvent};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;
use transport::LinkModel;

const MASKED: Option<u32> = Some(2);

fn plain() -> SumCode {
    SumCode::Plain(FixedPoint::try_new(16.0, COHORT).unwrap())
}

/// Noise of which two shares suffice.
fn noised() -> SumCode {
    SumCode::Noised(DistributedNoise::try_new(1.0, 0.5, COHORT, 2).unwrap())
}

fn setting(code: SumCode, threshold: Option<u32>) -> Setting {
    Setting {
        sums: Some(SumPlan {
            code,
            cohort: COHORT,
            threshold,
        }),
        ..Setting::default()
    }
}

/// Two of three suffice, and nobody waits for ever.
fn patient(code: SumCode, threshold: Option<u32>) -> Setting {
    Setting {
        patience: Patience {
            deadline: Some(Duration::from_secs(1)),
            quorum: 2,
            lost_quorum: LostQuorum::End,
        },
        ..setting(code, threshold)
    }
}

/// Who took part, what it cost and the model: all that a sum may depend on.
fn essence(outcomes: &[RoundOutcome]) -> Vec<(ModelVector, Vec<SiloId>, usize)> {
    let of = |outcome: &RoundOutcome| {
        let silos = outcome.updates.keys().copied().collect();
        (outcome.model.clone(), silos, outcome.entries.len())
    };
    outcomes.iter().map(of).collect()
}

#[test]
fn masked_and_trusted_sums_give_the_same_bytes_and_show_no_update() {
    for code in [plain(), noised()] {
        let trusted = run(&setting(code, None)).outcomes();
        let masked = run(&setting(code, MASKED)).outcomes();
        assert_eq!(masked.len(), ROUNDS as usize);
        assert_eq!(masked, trusted);
        for update in masked.iter().flat_map(|outcome| outcome.updates.values()) {
            assert!(update.delta.is_empty());
            assert_eq!(update.releases, [release()]);
        }
    }
}

#[test]
fn a_sum_is_the_mean_of_the_updates_up_to_its_steps() {
    let updates = run(&Setting::default()).outcomes();
    let sums = run(&setting(plain(), MASKED)).outcomes();
    for (sum, updates) in sums.iter().zip(&updates) {
        assert!(sum.model.minus(&updates.model).unwrap().l2_norm() < 1e-5);
    }
    // zstd leaves summands alone, and changes nothing.
    let zstd = Setting {
        compression: Compression::Zstd,
        ..setting(plain(), MASKED)
    };
    assert_eq!(run(&zstd).outcomes(), sums);
}

/// The step of a message of a masked sum: keys, shares, summand, opening.
fn step(message: &ToCoordinator) -> Option<usize> {
    match message {
        ToCoordinator::Masking(Masking { step, .. }) => Some(match step {
            FromMember::Keys(_) => 0,
            FromMember::Shares(_) => 1,
            FromMember::Opened(_) => 3,
        }),
        ToCoordinator::Summand(_) => Some(2),
        _ => None,
    }
}

/// Loses what `silo` sends at this step and after it, in every round.
fn lose_from(setting: &Setting, silo: SiloId, first: usize) -> Federation {
    let mut federation = Federation::new(setting);
    federation.fate = Box::new(move |from, message| {
        let lost = from == silo && step(&message).is_some_and(|step| step >= first);
        (!lost).then_some(message)
    });
    federation.run();
    federation
}

#[test]
fn a_silo_that_drops_out_at_any_step_is_out_of_the_sum_unless_its_summand_is_in() {
    for code in [plain(), noised()] {
        let all = essence(&run(&setting(code, None)).outcomes());
        for silo in (0..SILOS).map(SiloId) {
            let without = lose_from(&patient(code, None), silo, 2);
            let without = essence(&without.outcomes());
            assert_ne!(without, all);
            for first in 0..4 {
                let masked = lose_from(&patient(code, MASKED), silo, first);
                let expected = if first == 3 { &all } else { &without };
                assert_eq!(
                    essence(&masked.outcomes()),
                    *expected,
                    "{silo} at step {first}"
                );
            }
        }
    }
}

#[test]
fn too_few_for_the_masks_end_the_round_by_name_and_open_nothing() {
    for first in 0..4 {
        let mut federation = Federation::new(&patient(noised(), MASKED));
        federation.fate = Box::new(move |from, message| {
            let lost = from != SiloId(0) && step(&message).is_some_and(|step| step >= first);
            (!lost).then_some(message)
        });
        federation.run();
        let last = federation.events.last().unwrap();
        let CoordinatorEvent::Finished(FinishReason::QuorumLost {
            accepted, quorum, ..
        }) = *last
        else {
            panic!("step {first}: {last:?}")
        };
        assert!(accepted < quorum && quorum == 2, "step {first}: {accepted}");
        assert!(federation.outcomes().len() < ROUNDS as usize);
    }
}

#[test]
fn an_attempt_that_was_lost_is_repeated_under_other_masks_with_the_same_sum() {
    let patience = Patience {
        deadline: Some(Duration::from_secs(1)),
        quorum: COHORT,
        lost_quorum: LostQuorum::Repeat { at_most: 2 },
    };
    for first in 0..3 {
        let setting = Setting {
            patience,
            ..setting(noised(), MASKED)
        };
        let undisturbed = run(&setting).outcomes();
        let mut federation = Federation::new(&setting);
        federation.fate = Box::new(move |from, message| {
            let attempt = match &message {
                ToCoordinator::Masking(masking) => masking.attempt,
                ToCoordinator::Summand(summand) => summand.attempt,
                _ => 0,
            };
            let lost = attempt == 1 && from.0 < 3 && step(&message) == Some(first);
            (!lost).then_some(message)
        });
        federation.run();
        let repeated = federation.outcomes();
        assert_eq!(essence(&repeated), essence(&undisturbed), "step {first}");
        assert!(repeated.iter().any(|outcome| outcome.attempts == 2));
        for (silo, machine) in &federation.silos {
            let ledger = machine.ledger().entries();
            let rounds: BTreeSet<_> = ledger.iter().map(LedgerEntry::round).collect();
            assert_eq!(rounds.len(), ledger.len(), "{silo} spends once a round");
        }
    }
}

#[test]
fn a_silo_opens_one_sum_a_round_whatever_it_is_asked_and_whenever_it_was_restarted() {
    let mut federation = Federation::new(&setting(plain(), MASKED));
    federation.run_until(|federation| {
        let opened = federation
            .silos
            .values()
            .any(|silo| silo.checkpoint().opened.is_some());
        opened && federation.rounds_done() == Round(0)
    });
    let (&id, opener) = federation
        .silos
        .iter()
        .find(|(_, silo)| silo.checkpoint().opened == Some(Round(1)))
        .unwrap();
    let kept: SiloCheckpoint =
        serde_json::from_str(&serde_json::to_string(&opener.checkpoint()).unwrap()).unwrap();
    let setting = setting(plain(), MASKED);
    let mut again = Silo::restore(setting.silo_plan(id), Box::new(OpenGate), kept).with_sums(
        setting.sums.unwrap(),
        seed(),
        seed(),
    );
    again.handle(ToSilo::Masking(Masking {
        round: Round(1),
        attempt: 2,
        step: ToMember::Begin,
    }));
    let declined = ToCoordinator::Decline {
        round: Round(1),
        reason: Decline::SumForgotten,
    };
    assert_eq!(again.poll_transmit(), Some(declined));
    assert_eq!(again.poll_transmit(), None);
}

/// The same federation, each of whose silos has a seed of its own for its masks.
fn with_own_masks(setting: &Setting, key: u8) -> Federation {
    let mut federation = Federation::new(setting);
    for (&id, machine) in &mut federation.silos {
        let masks = Seed::from_key([key + id.0 as u8; 32]);
        let silo = Silo::new(setting.silo_plan(id), Box::new(OpenGate));
        *machine = silo.with_sums(setting.sums.unwrap(), seed(), masks);
    }
    federation
}

#[test]
fn sums_do_not_depend_on_what_masks_are_made_from() {
    for code in [plain(), noised()] {
        let setting = setting(code, MASKED);
        let seen = Rc::new(RefCell::new(Vec::new()));
        let runs: Vec<Vec<RoundOutcome>> = [10, 100]
            .map(|key| {
                let mut federation = with_own_masks(&setting, key);
                let log = Rc::clone(&seen);
                federation.fate = Box::new(move |_, message| {
                    if let ToCoordinator::Summand(summand) = &message {
                        log.borrow_mut().push(summand.values.clone());
                    }
                    Some(message)
                });
                federation.run();
                federation.outcomes()
            })
            .into();
        assert_eq!(runs[0].len(), ROUNDS as usize);
        assert_eq!(runs[0], runs[1]);
        assert_eq!(runs[0], run(&setting).outcomes());
        // And what was sent was different, in every one of them.
        let seen = seen.take();
        let (first, second) = seen.split_at(seen.len() / 2);
        assert_eq!(first.len(), (ROUNDS * COHORT) as usize);
        assert!(first.iter().zip(second).all(|(one, other)| one != other));
    }
}

/// Killed and started anew after it has sent its part of this step, a silo does not know its secrets any more.
#[test]
fn a_silo_that_has_forgotten_its_secrets_drops_out_and_spoils_no_sum() {
    for code in [plain(), noised()] {
        let all = essence(&run(&setting(code, None)).outcomes());
        for id in (0..SILOS).map(SiloId) {
            let without = lose_from(&patient(code, None), id, 2);
            let without = essence(&without.outcomes());
            for killed_after in 0..4 {
                let setting = patient(code, MASKED);
                let mut federation = with_own_masks(&setting, 10);
                let said = Rc::new(Cell::new(false));
                let told = Rc::clone(&said);
                federation.fate = Box::new(move |from, message| {
                    if from == id && step(&message) == Some(killed_after) {
                        told.set(true);
                    }
                    Some(message)
                });
                let mut lives = 100;
                federation.start();
                while federation.step() {
                    if said.take() {
                        let machine = federation.silos.get_mut(&id).unwrap();
                        let kept = machine.checkpoint();
                        lives += 1;
                        let silo = Silo::restore(setting.silo_plan(id), Box::new(OpenGate), kept);
                        let masks = Seed::from_key([lives; 32]);
                        *machine = silo.with_sums(setting.sums.unwrap(), seed(), masks);
                        machine.handle_connected();
                    }
                }
                assert!(lives > 100, "{id} takes part");
                // Its summand was in before it was killed, or never came.
                let expected = if killed_after < 2 { &without } else { &all };
                let found = essence(&federation.outcomes());
                assert_eq!(found, *expected, "{id} after step {killed_after}");
                let ledger = federation.silos[&id].ledger().entries();
                let rounds: BTreeSet<_> = ledger.iter().map(LedgerEntry::round).collect();
                assert_eq!(rounds.len(), ledger.len(), "{id} spends once a round");
            }
        }
    }
}

/// A coordinator that is started anew begins its sum anew, perhaps with others: what a silo has sealed for the first is
/// of no use then, and is not sealed a second time under the same secrets.
#[test]
fn a_sum_begun_anew_over_a_new_connection_has_new_secrets() {
    let setting = setting(plain(), MASKED);
    let id = SiloId(0);
    let silo = Silo::restore(
        setting.silo_plan(id),
        Box::new(OpenGate),
        SiloCheckpoint::default(),
    );
    let mut silo = silo.with_sums(setting.sums.unwrap(), seed(), Seed::from_key([1; 32]));
    silo.handle_connected();
    silo.handle(ToSilo::Train(Task {
        round: Round(1),
        model: ModelVector::zeros(PARAMETERS),
        clip_norm: None,
    }));
    let masking = |step| {
        ToSilo::Masking(Masking {
            round: Round(1),
            attempt: 1,
            step,
        })
    };
    let said = |silo: &mut Silo| loop {
        match silo.poll_transmit() {
            Some(ToCoordinator::Masking(Masking { step, .. })) => return step,
            Some(_) => {}
            None => panic!("it has nothing to say"),
        }
    };
    let keys = |silo: &mut Silo| match said(silo) {
        FromMember::Keys(keys) => keys,
        other => panic!("{other:?}"),
    };
    silo.handle(masking(ToMember::Begin));
    let first = keys(&mut silo);
    // Asked again, over whatever connection, it shows the same until it has sealed something.
    silo.handle_connected();
    silo.handle(masking(ToMember::Begin));
    assert_eq!(keys(&mut silo), first);
    let mut list = BTreeMap::from([(id, first)]);
    for other in 1..COHORT as u8 {
        let (mut theirs, byte) = (first, other);
        theirs.mask = [byte; 32];
        theirs.seal = [byte + 100; 32];
        list.insert(SiloId(other.into()), theirs);
    }
    silo.handle(masking(ToMember::Keys(list)));
    assert!(matches!(said(&mut silo), FromMember::Shares(_)));
    silo.handle(masking(ToMember::Begin));
    assert_eq!(keys(&mut silo), first, "the same connection, the same sum");
    silo.handle_connected();
    silo.handle(masking(ToMember::Begin));
    let second = keys(&mut silo);
    assert!(second.mask != first.mask && second.seal != first.seal);
}

#[test]
fn a_wrong_share_ends_the_run_by_name() {
    let mut federation = Federation::new(&setting(plain(), MASKED));
    federation.fate = Box::new(|_, mut message| {
        if let ToCoordinator::Masking(Masking {
            step: FromMember::Opened(opened),
            ..
        }) = &mut message
        {
            for share in opened.own_masks.values_mut() {
                share[0] ^= 1;
            }
        }
        Some(message)
    });
    federation.run();
    let last = federation.events.last().unwrap();
    assert!(
        matches!(
            last,
            CoordinatorEvent::Finished(FinishReason::WrongShares {
                round: Round(1),
                ..
            })
        ),
        "{last:?}"
    );
}

#[test]
fn messages_that_come_twice_and_late_change_no_sum() {
    let undisturbed = run(&setting(noised(), MASKED)).outcomes();
    let link = LinkModel {
        latency_ms: 3,
        jitter_ms: 90,
        ..LinkModel::default()
    };
    for network_seed in 0..5 {
        let disturbed = Setting {
            link,
            network_seed,
            twice: true,
            ..setting(noised(), MASKED)
        };
        assert_eq!(run(&disturbed).outcomes(), undisturbed);
    }
}

#[test]
fn a_coordinator_that_is_restored_sums_on() {
    let setting = setting(noised(), MASKED);
    let whole = run(&setting).outcomes();
    let (stopped, mut outcomes) = stopped_after(&setting, 3);
    let plan = setting.coordinator_plan();
    let coordinator =
        Coordinator::restore(plan, parts(), stopped.coordinator.checkpoint()).unwrap();
    let sums = Sums {
        plan: setting.sums.unwrap(),
        mechanism: None,
    };
    let coordinator = coordinator.with_sums(sums).unwrap();
    let restored = |(&silo, machine): (&SiloId, &Silo)| {
        let kept = machine.checkpoint();
        let machine = Silo::restore(setting.silo_plan(silo), Box::new(OpenGate), kept);
        (silo, machine.with_sums(sums.plan, seed(), seed()))
    };
    let silos = stopped.silos.iter().map(restored).collect();
    let mut resumed = Federation::with(&setting, coordinator, silos);
    resumed.run();
    outcomes.extend(resumed.outcomes());
    assert_eq!(outcomes, whole);
}

#[test]
fn an_update_where_sums_are_seen_is_refused_and_the_other_way_round() {
    let open = |summed| Refusal::Sight { summed };
    for (setting, refusal) in [
        (patient(plain(), None), open(true)),
        (
            Setting {
                sums: None,
                ..patient(plain(), None)
            },
            open(false),
        ),
    ] {
        let mut federation = Federation::new(&setting);
        federation.fate = Box::new(|from, message| {
            Some(match message {
                ToCoordinator::Summand(Summand { mut update, .. }) if from == SiloId(1) => {
                    update.delta = ModelVector::zeros(PARAMETERS);
                    ToCoordinator::Update(update)
                }
                ToCoordinator::Update(mut update) if from == SiloId(1) => {
                    update.delta = ModelVector::default();
                    let values = vec![0; PARAMETERS].into();
                    ToCoordinator::Summand(Summand {
                        update,
                        attempt: 1,
                        values,
                    })
                }
                other => other,
            })
        });
        federation.run();
        let refused = |event: &CoordinatorEvent| {
            matches!(event, CoordinatorEvent::SiloRefused { silo, reason }
                if *silo == SiloId(1) && *reason == refusal)
        };
        assert!(federation.events.iter().any(refused), "{refusal}");
        assert_eq!(federation.outcomes().len(), ROUNDS as usize);
    }
}

#[test]
fn no_coordinator_sums_fewer_than_carry_the_noise_or_the_masks() {
    for (code, threshold) in [(noised(), None), (plain(), MASKED)] {
        let setting = setting(code, threshold);
        let mut plan = setting.coordinator_plan();
        plan.patience.quorum = 1;
        let initial = ModelVector::zeros(PARAMETERS);
        let coordinator = Coordinator::new(plan, parts(), initial).unwrap();
        let sums = Sums {
            plan: setting.sums.unwrap(),
            mechanism: None,
        };
        let error = coordinator.with_sums(sums).unwrap_err();
        assert_eq!(
            error,
            PlanError::QuorumBelowSum {
                quorum: 1,
                fewest: 2
            }
        );
    }
}

/// A coordinator that follows the masks' protocol and would open a sum with too little noise in it.
#[test]
fn a_silo_opens_no_sum_of_fewer_than_carry_the_noise() {
    let code = SumCode::Noised(DistributedNoise::try_new(1.0, 0.5, COHORT, COHORT).unwrap());
    let setting = setting(code, MASKED);
    let plan = setting.sums.unwrap();
    let round = Round(1);
    let ids = || (0..COHORT).map(SiloId);
    let mut collector = Collector::new(
        plan.setting(&digest(), round, 1).unwrap(),
        ids().collect(),
        PARAMETERS,
    );
    let model = ModelVector::zeros(PARAMETERS);
    let mut silos: BTreeMap<SiloId, Silo> = ids()
        .map(|id| {
            let kept = SiloCheckpoint::default();
            let machine = Silo::restore(setting.silo_plan(id), Box::new(OpenGate), kept);
            let mut machine = machine.with_sums(plan, seed(), seed());
            let model = model.clone();
            machine.handle(ToSilo::Train(Task {
                round,
                model,
                clip_norm: None,
            }));
            let task = machine.poll_task().unwrap();
            machine.handle_trained(round, setting.trainer(id).train(&task.task));
            (id, machine)
        })
        .collect();
    let masking = |step| {
        let attempt = 1;
        ToSilo::Masking(Masking {
            round,
            attempt,
            step,
        })
    };
    let mut told: Vec<(SiloId, ToMember)> = ids().map(|id| (id, ToMember::Begin)).collect();
    for _ in 0..3 {
        for (id, step) in told {
            let machine = silos.get_mut(&id).unwrap();
            machine.handle(masking(step));
            match machine.poll_transmit() {
                Some(ToCoordinator::Masking(answer)) => {
                    collector.handle(id, answer.step).unwrap();
                }
                // One summand is lost: two are enough for the masks.
                Some(ToCoordinator::Summand(summand)) if id != SiloId(2) => {
                    collector.add(id, &summand.values).unwrap();
                }
                Some(ToCoordinator::Summand(_)) => {}
                other => panic!("{other:?}"),
            }
        }
        told = collector.advance().unwrap();
    }
    assert!(matches!(&told[..], [(_, ToMember::Survivors(silos)), _] if silos.len() == 2));
    for (id, step) in told {
        let machine = silos.get_mut(&id).unwrap();
        machine.handle(masking(step));
        let reason = Decline::UnsafeSum;
        let declined = ToCoordinator::Decline { round, reason };
        assert_eq!(machine.poll_transmit(), Some(declined));
        let error = MemberError::Survivors;
        let refused = SiloEvent::SumRefused { round, error };
        assert!(std::iter::from_fn(|| machine.poll_event()).any(|event| event == refused));
        assert_eq!(machine.checkpoint().opened, None);
    }
}
