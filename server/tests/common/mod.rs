//! Puppets around a coordinator, which answer what a test wants.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]
#![allow(dead_code, reason = "not every test file uses every helper")]

use accounting::{Mechanism, NoiseMultiplier, SamplingRate};
use primitives::{Digest, ModelVector, Round, Seed, SiloId};
use protocol::{
    FinishReason, Join, OpenGate, PROTOCOL_VERSION, Refusal, Release, SiloUpdate, ToCoordinator,
    UpdateMetrics,
};
use siloscope_server::{
    CohortLaw, Coordinator, CoordinatorEvent, CoordinatorPlan, FedAvg, Parts, Patience,
    RoundOutcome, WeightedMean, Weights,
};
use std::time::Duration;

pub(crate) const NOW: Duration = Duration::ZERO;
pub(crate) const PARAMETERS: usize = 3;

pub(crate) fn digest() -> Digest {
    Digest::of(b"the plan")
}

pub(crate) fn release() -> Release {
    let mechanism = Mechanism::Record {
        sampling_rate: SamplingRate::try_new(0.1).unwrap(),
        noise_multiplier: NoiseMultiplier::try_new(1.0).unwrap(),
    };
    Release {
        mechanism,
        steps: 5,
    }
}

/// Three silos, three rounds, all of them every round.
pub(crate) fn plan() -> CoordinatorPlan {
    let roster = (0..3).map(SiloId).collect();
    CoordinatorPlan {
        digest: digest(),
        rounds: 3,
        cohorts: CohortLaw::try_new(roster, 3, Seed::from_number(1)).unwrap(),
        releases: (0..3).map(|silo| (SiloId(silo), vec![release()])).collect(),
        weights: Weights::Uniform,
        protected: true,
        max_update_norm: None,
        keep_deltas: true,
        clip_norm: None,
        patience: Patience::endless(3),
    }
}

pub(crate) fn parts() -> Parts {
    Parts {
        strategy: Box::new(FedAvg::new(1.0)),
        aggregator: Box::new(WeightedMean),
        gate: Box::new(OpenGate),
    }
}

pub(crate) fn started(plan: CoordinatorPlan, parts: Parts) -> Coordinator {
    let mut coordinator = Coordinator::new(plan, parts, ModelVector::zeros(PARAMETERS)).unwrap();
    join_all(&mut coordinator);
    coordinator
}

pub(crate) fn join_all(coordinator: &mut Coordinator) {
    for silo in 0..3 {
        coordinator.handle(NOW, SiloId(silo), ToCoordinator::Join(join(silo)));
    }
}

pub(crate) fn join(silo: u32) -> Join {
    Join {
        version: PROTOCOL_VERSION,
        silo: SiloId(silo),
        plan: digest(),
    }
}

pub(crate) fn update(silo: u32, round: u32) -> SiloUpdate {
    SiloUpdate {
        round: Round(round),
        silo: SiloId(silo),
        delta: ModelVector::from(vec![(silo + round) as f32; PARAMETERS]),
        weight: 1.0,
        clip_norm: None,
        releases: vec![release()],
        metrics: UpdateMetrics::Withheld,
    }
}

pub(crate) fn send(coordinator: &mut Coordinator, update: SiloUpdate) {
    coordinator.handle(NOW, update.silo, ToCoordinator::Update(update));
}

pub(crate) fn events(coordinator: &mut Coordinator) -> Vec<CoordinatorEvent> {
    std::iter::from_fn(|| coordinator.poll_event()).collect()
}

pub(crate) fn outcomes(coordinator: &mut Coordinator) -> Vec<RoundOutcome> {
    let finished = |event| match event {
        CoordinatorEvent::RoundFinished(outcome) => Some(outcome),
        _ => None,
    };
    events(coordinator)
        .into_iter()
        .filter_map(finished)
        .collect()
}

pub(crate) fn refusals(coordinator: &mut Coordinator) -> Vec<(u32, Refusal)> {
    let refused = |event| match event {
        CoordinatorEvent::SiloRefused { silo, reason } => Some((silo.0, reason)),
        _ => None,
    };
    events(coordinator)
        .into_iter()
        .filter_map(refused)
        .collect()
}

pub(crate) fn finish(coordinator: &mut Coordinator) -> Option<FinishReason> {
    let finished = |event| match event {
        CoordinatorEvent::Finished(reason) => Some(reason),
        _ => None,
    };
    events(coordinator).into_iter().find_map(finished)
}

/// Plays every round that is left, with silos answering in this order.
pub(crate) fn play(coordinator: &mut Coordinator, order: [u32; 3]) -> Vec<RoundOutcome> {
    let mut played = Vec::new();
    for round in coordinator.state().round.0 + 1..=3 {
        for silo in order {
            send(coordinator, update(silo, round));
        }
        played.append(&mut outcomes(coordinator));
    }
    played
}
