//! Any message.

use crate::keys;
use accounting::{ClipNorm, Mechanism, NoiseMultiplier, SamplingRate};
use primitives::{Digest, ModelVector, Round, SiloId};
use proptest::prelude::*;
use secure_sum::{FromMember, PublicKeys, ToMember};
use siloscope_protocol::{
    Decline, FinishReason, Join, Masking, Refusal, Release, SiloUpdate, Summand, Task,
    ToCoordinator, ToSilo, UpdateMetrics, Welcome,
};
use std::num::NonZeroU32;

fn model() -> impl Strategy<Value = ModelVector> {
    prop::collection::vec(-1e6f32..1e6, 0..50).prop_map(ModelVector::from)
}

fn clip_norm() -> impl Strategy<Value = Option<ClipNorm>> {
    prop::option::of((1e-6..1e6).prop_map(|norm| ClipNorm::try_new(norm).unwrap()))
}

fn rate() -> impl Strategy<Value = SamplingRate> {
    (1e-6..=1.0).prop_map(|q| SamplingRate::try_new(q).unwrap())
}

fn noise() -> impl Strategy<Value = NoiseMultiplier> {
    (0.0..100.0).prop_map(|z| NoiseMultiplier::try_new(z).unwrap())
}

fn mechanism() -> impl Strategy<Value = Mechanism> {
    prop_oneof![
        Just(Mechanism::None),
        (rate(), noise()).prop_map(|(sampling_rate, noise_multiplier)| Mechanism::Record {
            sampling_rate,
            noise_multiplier
        }),
        (rate(), noise(), 1u32..).prop_map(|(sampling_rate, noise_multiplier, group)| {
            let group_size = NonZeroU32::new(group).unwrap();
            Mechanism::Group {
                sampling_rate,
                noise_multiplier,
                group_size,
            }
        }),
        (rate(), noise()).prop_map(|(sampling_rate, noise_multiplier)| {
            Mechanism::AveragedGradient {
                sampling_rate,
                noise_multiplier,
            }
        }),
        (rate(), noise()).prop_map(|(sampling_rate, noise_multiplier)| {
            Mechanism::SubjectSampling {
                sampling_rate,
                noise_multiplier,
            }
        }),
        noise().prop_map(|noise_multiplier| Mechanism::SiloNoise { noise_multiplier }),
        (noise(), 1u32..).prop_map(|(noise_multiplier, shares)| Mechanism::DistributedNoise {
            noise_multiplier,
            shares: NonZeroU32::new(shares).unwrap(),
        }),
    ]
}

fn metrics() -> impl Strategy<Value = UpdateMetrics> {
    prop_oneof![
        Just(UpdateMetrics::Withheld),
        (any::<u64>(), prop::option::of(-1e9..1e9))
            .prop_map(|(records, mean_loss)| UpdateMetrics::Open { records, mean_loss }),
    ]
}

fn any_update() -> impl Strategy<Value = SiloUpdate> {
    let release =
        (mechanism(), any::<u64>()).prop_map(|(mechanism, steps)| Release { mechanism, steps });
    let releases = prop::collection::vec(release, 0..4);
    (
        any::<u32>(),
        any::<u32>(),
        model(),
        -1e9..1e9,
        clip_norm(),
        releases,
        metrics(),
    )
        .prop_map(
            |(round, silo, delta, weight, clip_norm, releases, metrics)| SiloUpdate {
                round: Round(round),
                silo: SiloId(silo),
                delta,
                weight,
                clip_norm,
                releases,
                metrics,
            },
        )
}

fn refusal() -> impl Strategy<Value = Refusal> {
    let (round, silo) = (any::<u32>().prop_map(Round), any::<u32>().prop_map(SiloId));
    let digest = any::<[u8; 4]>().prop_map(|bytes| Digest::of(&bytes));
    prop_oneof![
        (any::<u16>(), any::<u16>())
            .prop_map(|(coordinator, silo)| Refusal::ProtocolVersion { coordinator, silo }),
        (digest.clone(), digest)
            .prop_map(|(coordinator, silo)| Refusal::PlanDigest { coordinator, silo }),
        silo.clone().prop_map(|silo| Refusal::UnknownSilo { silo }),
        (silo.clone(), silo.clone()).prop_map(|(link, named)| Refusal::Identity { link, named }),
        silo.prop_map(|silo| Refusal::NotJoined { silo }),
        Just(Refusal::Malformed),
        (round.clone(), round.clone())
            .prop_map(|(expected, found)| Refusal::WrongRound { expected, found }),
        round
            .clone()
            .prop_map(|round| Refusal::NotInCohort { round }),
        round.prop_map(|round| Refusal::OutOfRound { round }),
        (any::<u64>(), any::<u64>())
            .prop_map(|(expected, found)| Refusal::WrongShape { expected, found }),
        Just(Refusal::NotFinite),
        (-1e9..1e9, any::<bool>()).prop_map(|(found, uniform)| Refusal::Weight { found, uniform }),
        Just(Refusal::UnplannedMechanism),
        Just(Refusal::UnplannedMetrics),
        Just(Refusal::UnplannedClipNorm),
        (0.0..1e9, 0.0..1e9).prop_map(|(found, limit)| Refusal::HugeUpdate { found, limit }),
        any::<u32>().prop_map(|round| Refusal::Flood {
            round: Round(round)
        }),
        any::<bool>().prop_map(|summed| Refusal::Sight { summed }),
        Just(Refusal::SumStep),
    ]
}

fn finish() -> impl Strategy<Value = FinishReason> {
    prop_oneof![
        Just(FinishReason::RoundsDone),
        Just(FinishReason::BudgetReached),
        any::<(u32, u32, u32)>().prop_map(|(round, accepted, quorum)| FinishReason::QuorumLost {
            round: Round(round),
            accepted,
            quorum
        }),
        any::<(u32, u32)>().prop_map(|(round, silo)| FinishReason::WrongShares {
            round: Round(round),
            silo: SiloId(silo)
        }),
        any::<u32>().prop_map(|round| FinishReason::Diverged {
            round: Round(round)
        }),
    ]
}

pub(crate) fn to_silo() -> impl Strategy<Value = ToSilo> {
    prop_oneof![
        any::<(u32, u32, Option<u32>)>().prop_map(|(round, rounds, asked)| {
            ToSilo::Welcome(Welcome {
                round: Round(round),
                rounds,
                asked: asked.map(Round),
            })
        }),
        (any::<u32>(), model(), clip_norm()).prop_map(|(round, model, clip_norm)| {
            ToSilo::Train(Task {
                round: Round(round),
                model,
                clip_norm,
            })
        }),
        refusal().prop_map(ToSilo::Refuse),
        (
            any::<(u32, u32)>(),
            prop::collection::btree_set((0u32..9).prop_map(SiloId), 0..9)
        )
            .prop_map(|((round, attempt), silos)| ToSilo::Masking(Masking {
                round: Round(round),
                attempt,
                step: ToMember::Survivors(silos),
            })),
        finish().prop_map(ToSilo::Finish),
    ]
}

pub(crate) fn to_coordinator() -> impl Strategy<Value = ToCoordinator> {
    let decline = prop_oneof![
        Just(Decline::BudgetReached),
        any::<u32>().prop_map(|last| Decline::AlreadySpent { last: Round(last) }),
        Just(Decline::UnsafeSum),
        Just(Decline::TrainingFailed),
        Just(Decline::SumForgotten),
    ];
    prop_oneof![
        (any::<u16>(), any::<u32>(), any::<[u8; 4]>()).prop_map(|(version, silo, plan)| {
            ToCoordinator::Join(Join {
                version,
                silo: SiloId(silo),
                plan: Digest::of(&plan),
            })
        }),
        any_update().prop_map(ToCoordinator::Update),
        (any_update(), prop::collection::vec(any::<u32>(), 0..50)).prop_map(|(update, words)| {
            let delta = ModelVector::default();
            ToCoordinator::Summand(Summand {
                update: SiloUpdate { delta, ..update },
                attempt: 1,
                values: words.into(),
            })
        }),
        any::<(u32, u32, [u8; 32])>().prop_map(|(round, attempt, mask)| {
            let keys = PublicKeys { mask, ..keys(7) };
            ToCoordinator::Masking(Masking {
                round: Round(round),
                attempt,
                step: FromMember::Keys(keys),
            })
        }),
        (any::<u32>(), decline).prop_map(|(round, reason)| ToCoordinator::Decline {
            round: Round(round),
            reason
        }),
    ]
}
