//! What a coordinator refuses, by name.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

mod common;

use accounting::{ClipNorm, NoiseMultiplier};
use common::{
    NOW, PARAMETERS, digest, events, join, join_all, outcomes, parts, plan, play, refusals,
    release, send, started, update,
};
use primitives::{Digest, ModelVector, Round, Seed, SiloId};
use protocol::{
    Join, PROTOCOL_VERSION, Refusal, Release, SiloUpdate, ToCoordinator, ToSilo, UpdateMetrics,
};
use siloscope_server::{
    Checkpoint, ClippedNoisedSum, CohortLaw, Coordinator, CoordinatorEvent, CoordinatorPlan,
    MOST_NEEDLESS_MESSAGES, Missing, Parts, Patience, PlanError, Positive, RestoreError, Weights,
};
use std::collections::BTreeMap;

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let checkpoint = started(plan(), parts()).checkpoint();
    let restore = |plan, checkpoint| Coordinator::restore(plan, parts(), checkpoint).unwrap_err();
    let other = CoordinatorPlan {
        digest: Digest::of(b"another"),
        ..plan()
    };
    assert!(matches!(
        restore(other, checkpoint.clone()),
        RestoreError::Plan { .. }
    ));
    let newer = Checkpoint {
        version: 9,
        ..checkpoint.clone()
    };
    assert_eq!(restore(plan(), newer), RestoreError::Version { found: 9 });
    let mut late = checkpoint;
    late.state.round = Round(4);
    assert_eq!(
        restore(plan(), late),
        RestoreError::Round {
            found: 4,
            rounds: 3
        }
    );
}

#[test]
fn who_may_not_join_is_told_why() {
    let digest_of_another = Digest::of(b"another");
    let cases = [
        (
            0,
            Join {
                version: 7,
                ..join(0)
            },
            Refusal::ProtocolVersion {
                coordinator: PROTOCOL_VERSION,
                silo: 7,
            },
        ),
        (
            0,
            Join {
                plan: digest_of_another,
                ..join(0)
            },
            Refusal::PlanDigest {
                coordinator: digest(),
                silo: digest_of_another,
            },
        ),
        (
            0,
            join(1),
            Refusal::Identity {
                link: SiloId(0),
                named: SiloId(1),
            },
        ),
        (9, join(9), Refusal::UnknownSilo { silo: SiloId(9) }),
    ];
    for (from, join, reason) in cases {
        let coordinator = Coordinator::new(plan(), parts(), ModelVector::zeros(PARAMETERS));
        let mut coordinator = coordinator.unwrap();
        coordinator.handle(NOW, SiloId(from), ToCoordinator::Join(join));
        assert_eq!(refusals(&mut coordinator), [(from, reason)]);
        let answer = coordinator.poll_transmit().unwrap();
        assert_eq!(
            (answer.to, answer.message),
            (SiloId(from), ToSilo::Refuse(reason))
        );
    }
}

/// What the updates of silo 1 can be, and why they are refused.
fn bad_updates() -> Vec<(SiloUpdate, Refusal)> {
    let twice = vec![release(), release()];
    let more_steps = vec![Release {
        steps: 6,
        ..release()
    }];
    let open = UpdateMetrics::Open {
        records: 10,
        mean_loss: Some(0.1),
    };
    let norm = (3.0 * f64::from(1e30_f32).powi(2)).sqrt();
    vec![
        (
            SiloUpdate {
                delta: vec![1e30; 3].into(),
                ..update(1, 1)
            },
            Refusal::HugeUpdate {
                found: norm,
                limit: 1e12,
            },
        ),
        (
            SiloUpdate {
                delta: ModelVector::zeros(2),
                ..update(1, 1)
            },
            Refusal::WrongShape {
                expected: 3,
                found: 2,
            },
        ),
        (
            SiloUpdate {
                delta: vec![0.0, f32::NAN, 0.0].into(),
                ..update(1, 1)
            },
            Refusal::NotFinite,
        ),
        (
            SiloUpdate {
                delta: vec![f32::INFINITY; 3].into(),
                ..update(1, 1)
            },
            Refusal::NotFinite,
        ),
        (
            SiloUpdate {
                weight: 1e9,
                ..update(1, 1)
            },
            Refusal::Weight {
                found: 1e9,
                uniform: true,
            },
        ),
        (
            SiloUpdate {
                releases: Vec::new(),
                ..update(1, 1)
            },
            Refusal::UnplannedMechanism,
        ),
        (
            SiloUpdate {
                releases: twice,
                ..update(1, 1)
            },
            Refusal::UnplannedMechanism,
        ),
        (
            SiloUpdate {
                releases: more_steps,
                ..update(1, 1)
            },
            Refusal::UnplannedMechanism,
        ),
        (
            SiloUpdate {
                metrics: open,
                ..update(1, 1)
            },
            Refusal::UnplannedMetrics,
        ),
        (
            SiloUpdate {
                clip_norm: ClipNorm::try_new(1.0).ok(),
                ..update(1, 1)
            },
            Refusal::UnplannedClipNorm,
        ),
    ]
}

#[test]
fn a_bad_update_is_refused_by_name_and_never_aggregated() {
    for (bad, reason) in bad_updates() {
        let plan = CoordinatorPlan {
            patience: Patience::endless(2),
            ..plan()
        };
        let mut coordinator = started(plan, parts());
        send(&mut coordinator, bad);
        assert_eq!(refusals(&mut coordinator), [(1, reason)]);
        // A better second try comes too late: which of the two counted would depend on the others.
        send(&mut coordinator, update(1, 1));
        assert_eq!(
            refusals(&mut coordinator),
            [(1, Refusal::OutOfRound { round: Round(1) })]
        );
        send(&mut coordinator, update(0, 1));
        send(&mut coordinator, update(2, 1));
        let outcome = outcomes(&mut coordinator).remove(0);
        assert_eq!(
            outcome.updates.keys().copied().collect::<Vec<_>>(),
            [SiloId(0), SiloId(2)]
        );
        assert_eq!(
            outcome.missing,
            [(SiloId(1), Missing::Refused(reason))].into()
        );
        assert_eq!(outcome.model, ModelVector::from(vec![2.0; PARAMETERS]));
        // It was asked, and something came: it is charged.
        assert_eq!(outcome.entries.len(), 3);
    }
}

#[test]
fn a_plan_may_bound_the_norm_of_an_update_unless_the_sum_is_noised() {
    let limited = CoordinatorPlan {
        max_update_norm: Some(Positive::try_new(5.0).unwrap()),
        patience: Patience::endless(1),
        ..plan()
    };
    let mut coordinator = started(limited.clone(), parts());
    let of_norm_five = vec![3.0, 4.0, 0.0].into();
    send(
        &mut coordinator,
        SiloUpdate {
            delta: of_norm_five,
            ..update(0, 1)
        },
    );
    assert_eq!(refusals(&mut coordinator), []);
    let longer = vec![3.0, 4.0, 0.1].into();
    send(
        &mut coordinator,
        SiloUpdate {
            delta: longer,
            ..update(1, 1)
        },
    );
    let refused = refusals(&mut coordinator);
    let found = f64::from(3.0_f32.mul_add(3.0, 16.0)) + f64::from(0.1_f32).powi(2);
    let (found, limit) = (found.sqrt(), 5.0);
    assert_eq!(refused, [(1, Refusal::HugeUpdate { found, limit })]);
    let clip = ClipNorm::try_new(1.0).unwrap();
    let noise = NoiseMultiplier::try_new(1.0).unwrap();
    let aggregator = Box::new(ClippedNoisedSum::new(clip, noise, 3, Seed::from_number(1)));
    let noised = Parts {
        aggregator,
        ..parts()
    };
    let error = Coordinator::new(limited, noised, ModelVector::zeros(PARAMETERS)).unwrap_err();
    assert_eq!(error, PlanError::NormBesideNoise);
}

/// Whatever a silo floods the coordinator with, it is answered so often and then no more, counts as missing unless
/// it has answered, and is heard again in the next round.
#[test]
fn a_silo_that_floods_is_cut_off_until_the_next_round() {
    type Flood = fn(&mut Coordinator);
    let floods: [Flood; 4] = [
        |coordinator| coordinator.handle_malformed(NOW, SiloId(1)),
        |coordinator| coordinator.handle(NOW, SiloId(1), ToCoordinator::Join(join(1))),
        |coordinator| coordinator.handle(NOW, SiloId(1), ToCoordinator::Update(update(1, 9))),
        |coordinator| coordinator.handle(NOW, SiloId(1), ToCoordinator::Update(update(0, 1))),
    ];
    for flood in floods {
        let plan = CoordinatorPlan {
            patience: Patience::endless(2),
            ..plan()
        };
        let mut coordinator = started(plan, parts());
        while coordinator.poll_transmit().is_some() {}
        events(&mut coordinator);
        for _ in 0..10_000 {
            flood(&mut coordinator);
        }
        let answers = std::iter::from_fn(|| coordinator.poll_transmit()).count();
        let most = 2 * (MOST_NEEDLESS_MESSAGES as usize + 1) + 1;
        assert!(answers <= most, "{answers}");
        let heard = events(&mut coordinator);
        assert!(heard.len() <= most, "{}", heard.len());
        let cut_off = CoordinatorEvent::SiloCutOff {
            silo: SiloId(1),
            round: Round(1),
        };
        assert_eq!(heard.iter().filter(|&event| *event == cut_off).count(), 1);
        // Nothing of it counts any more in this round, and the others are not held up.
        send(&mut coordinator, update(1, 1));
        send(&mut coordinator, update(0, 1));
        send(&mut coordinator, update(2, 1));
        let outcome = outcomes(&mut coordinator).remove(0);
        let flood = Missing::Refused(Refusal::Flood { round: Round(1) });
        assert_eq!(outcome.missing, [(SiloId(1), flood)].into());
        assert_eq!(outcome.model, ModelVector::from(vec![2.0; PARAMETERS]));
        for silo in [1, 0, 2] {
            send(&mut coordinator, update(silo, 2));
        }
        assert!(outcomes(&mut coordinator).remove(0).missing.is_empty());
    }
}

#[test]
fn an_update_that_was_not_asked_for_is_refused_by_name() {
    let roster = (0..3).map(SiloId).collect();
    let cohorts = CohortLaw::try_new(roster, 1, Seed::from_number(1)).unwrap();
    let chosen = *cohorts.cohort(Round(1)).first().unwrap();
    let other = (chosen.0 + 1) % 3;
    let plan = CoordinatorPlan {
        cohorts,
        patience: Patience::endless(1),
        ..plan()
    };
    let mut coordinator = Coordinator::new(plan, parts(), ModelVector::zeros(PARAMETERS)).unwrap();
    send(&mut coordinator, update(1, 1));
    coordinator.handle_malformed(NOW, SiloId(1));
    assert_eq!(
        refusals(&mut coordinator),
        [
            (1, Refusal::NotJoined { silo: SiloId(1) }),
            (1, Refusal::Malformed)
        ]
    );
    join_all(&mut coordinator);
    send(&mut coordinator, update(other, 1));
    send(&mut coordinator, update(chosen.0, 2));
    send(&mut coordinator, update(chosen.0, 0));
    coordinator.handle(
        NOW,
        SiloId(other),
        ToCoordinator::Update(update(chosen.0, 1)),
    );
    assert_eq!(
        refusals(&mut coordinator),
        [
            (other, Refusal::NotInCohort { round: Round(1) }),
            (
                chosen.0,
                Refusal::WrongRound {
                    expected: Round(1),
                    found: Round(2)
                }
            ),
            (
                chosen.0,
                Refusal::WrongRound {
                    expected: Round(1),
                    found: Round(0)
                }
            ),
            (
                other,
                Refusal::Identity {
                    link: SiloId(other),
                    named: chosen
                }
            ),
        ]
    );
}

#[test]
fn a_repeated_or_late_update_changes_nothing_and_is_no_offence() {
    let undisturbed = play(&mut started(plan(), parts()), [0, 1, 2]);
    let mut coordinator = started(plan(), parts());
    let mut played = Vec::new();
    for round in 1..=3 {
        for silo in [1, 0, 1, 2] {
            send(&mut coordinator, update(silo, round));
            send(&mut coordinator, update(silo, round.max(2) - 1));
        }
        let (finished, others): (Vec<_>, Vec<_>) = events(&mut coordinator)
            .into_iter()
            .partition(|event| matches!(event, CoordinatorEvent::RoundFinished(_)));
        played.extend(finished);
        assert!(
            !others
                .iter()
                .any(|event| matches!(event, CoordinatorEvent::SiloRefused { .. }))
        );
    }
    let expected: Vec<_> = undisturbed
        .into_iter()
        .map(CoordinatorEvent::RoundFinished)
        .collect();
    assert_eq!(played, expected);
}

#[test]
fn weights_by_records_are_the_counts_that_silos_tell() {
    let records = BTreeMap::from([(0, 10), (1, 30), (2, 60)]);
    let open = CoordinatorPlan {
        weights: Weights::Records,
        protected: false,
        releases: (0..3).map(|silo| (SiloId(silo), Vec::new())).collect(),
        ..plan()
    };
    let counted = |silo: u32, weight: f64| SiloUpdate {
        weight,
        releases: Vec::new(),
        metrics: UpdateMetrics::Open {
            records: records[&silo],
            mean_loss: Some(1.0),
        },
        ..update(silo, 1)
    };
    let mut coordinator = started(open.clone(), parts());
    for silo in 0..3 {
        send(&mut coordinator, counted(silo, records[&silo] as f64));
    }
    let expected = (10.0 * 1.0 + 30.0 * 2.0 + 60.0 * 3.0) / 100.0;
    assert_eq!(
        coordinator.state().model,
        ModelVector::from(vec![expected; PARAMETERS])
    );
    let mut coordinator = started(open, parts());
    send(&mut coordinator, counted(0, 11.0));
    assert_eq!(
        refusals(&mut coordinator),
        [(
            0,
            Refusal::Weight {
                found: 11.0,
                uniform: false
            }
        )]
    );
}

#[test]
fn a_plan_that_does_not_fit_together_is_refused() {
    let refused = |plan| {
        Coordinator::new(plan, parts(), ModelVector::zeros(PARAMETERS))
            .map(drop)
            .unwrap_err()
    };
    let mut unplanned = plan();
    unplanned.releases.remove(&SiloId(2));
    assert_eq!(refused(unplanned), PlanError::Releases(SiloId(2)));
    let counted = CoordinatorPlan {
        weights: Weights::Records,
        ..plan()
    };
    assert_eq!(refused(counted), PlanError::WeightsRevealCounts);
    for quorum in [0, 4] {
        let plan = CoordinatorPlan {
            patience: Patience::endless(quorum),
            ..plan()
        };
        assert_eq!(refused(plan), PlanError::Quorum { quorum, cohort: 3 });
    }
    let mut empty = plan();
    empty.releases.insert(
        SiloId(1),
        vec![Release {
            steps: 0,
            ..release()
        }],
    );
    assert!(matches!(refused(empty), PlanError::Entry(_)));
}
