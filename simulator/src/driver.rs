//! What takes a run's federation through its rounds, wherever its silos are.

use crate::cohort::{CohortTrainer, OneACore, Together, most_together};
use crate::events::RoundFigures;
use crate::exit::Failure;
use crate::federation::{Federation, FederationError};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use attacks::View;
use clients::{SgdPool, SgdTrainer};
use primitives::{Digest, Probe, Role, SiloId, Stream};
use protocol::{FinishReason, RoundGate};
use scenarios::{Protection, Resolved};
use server::{
    AbandonedRound, AggregatorConfig, CentralCanaries, Checkpoint, ClipNormLaw, ClippedNoisedSum,
    Coordinator, CoordinatorPlan, Parts, RoundOutcome, Sums,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use training::{LocalPlan, LocalSgd};

/// A federation that can be taken from round to round.
pub trait Driver {
    /// The coordinator between two rounds.
    fn checkpoint(&self) -> Checkpoint;

    /// Goes on until a round is finished, the run is over, or somebody interrupts it; tells people what happens
    /// meanwhile.
    ///
    /// # Errors
    /// If the federation cannot go on.
    fn advance(
        &mut self,
        progress: &Progress,
        interrupt: &Interrupt,
    ) -> Result<Progressed, Failure>;

    /// Whether its silos outlive this process, so that what they are asked for must be on disk.
    fn is_remote(&self) -> bool {
        false
    }

    /// Takes note of what a round has come to.
    fn recorded(&mut self, _figures: &RoundFigures) {}

    /// What the last round took on a simulated network, finished or given up; none where time is real.
    fn traffic(&self) -> Option<RoundTraffic> {
        None
    }
}

/// What a step of the federation has come to.
#[derive(Debug)]
pub enum Progressed {
    /// A round is finished.
    Round(Box<RoundOutcome>),
    /// The run is over.
    Finished(Box<End>),
    /// Somebody wanted it to stop between two rounds.
    Interrupted,
}

/// How a federation came to its end.
#[derive(Debug)]
pub struct End {
    /// How.
    pub reason: FinishReason,
    /// Why the gate refused a round, if that ended it.
    pub refused: Option<String>,
    /// A round that was started and given up, if that ended it. What it released is charged.
    pub abandoned: Option<AbandonedRound>,
}

/// What a round took on a simulated network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundTraffic {
    /// From its beginning to its end.
    pub time: Duration,
    /// When it ended, since the run began.
    pub clock: Duration,
    /// Bytes over all links, what was sent again included.
    pub bytes: u64,
}

/// Where a federation begins.
pub struct Start {
    /// The plan's digest.
    pub digest: Digest,
    /// The budget, charged with what was spent.
    pub gate: Box<dyn RoundGate>,
    /// The last finished round, unless there is none.
    pub checkpoint: Option<Checkpoint>,
    /// When that round ended, in virtual time.
    pub clock: Duration,
    /// Takes what an auditor reads.
    pub probe: Probe,
}

/// The whole federation in this process.
///
/// # Errors
/// If the plan's parts do not fit together, or the checkpoint is of another run.
pub fn in_memory(resolved: &Resolved, start: Start) -> Result<Box<dyn Driver>, Failure> {
    let trainers = trainers(resolved, &start.probe);
    let backend = resolved.file.scenario.training.backend();
    let trainer: Box<dyn CohortTrainer> = if backend.stacks() {
        let sgd = LocalSgd::new(&resolved.world.architecture, backend);
        let most = most_together(resolved.plan.parameters);
        Box::new(Together::new(trainers, sgd, most))
    } else {
        Box::new(OneACore::new(trainers))
    };
    with_trainer(resolved, start, trainer)
}

/// The whole federation in this process, with silos that `trainer` trains.
///
/// # Errors
/// If the plan's parts do not fit together, or the checkpoint is of another run.
pub fn with_trainer(
    resolved: &Resolved,
    start: Start,
    trainer: Box<dyn CohortTrainer>,
) -> Result<Box<dyn Driver>, Failure> {
    let federation = Federation::new(resolved, start, trainer);
    Ok(Box::new(federation.map_err(Failure::run)?))
}

/// The coordinator of a resolved scenario: before its first round, or after the round of the checkpoint.
///
/// # Errors
/// If the plan's parts do not fit together, or the checkpoint is of another run.
pub fn coordinator(resolved: &Resolved, start: Start) -> Result<Coordinator, FederationError> {
    let schedule = &resolved.schedule;
    let federation = &resolved.file.scenario.federation;
    let plan = CoordinatorPlan {
        digest: start.digest,
        rounds: schedule.rounds,
        cohorts: schedule.cohorts.clone(),
        releases: schedule.releases(),
        weights: federation.strategy.weights(),
        protected: schedule.protected,
        max_update_norm: federation.max_update_norm,
        keep_deltas: resolved.file.scenario.adversary.view == View::SiloUpdates,
        clip_norm: clip_norm(&schedule.locals),
        patience: federation.patience(),
    };
    let parts = Parts {
        strategy: federation.strategy.build(),
        aggregator: aggregator(resolved, federation.aggregator, start.probe)?,
        gate: start.gate,
    };
    let Some(checkpoint) = start.checkpoint else {
        let mut rng = resolved.world.seed.stream(Stream::run(Role::Init));
        let initial = resolved.world.architecture.initial(&mut rng);
        return seeing(resolved, Coordinator::new(plan, parts, initial)?);
    };
    // The checkpoint of a run's last round says that the run is over, but no event would say so
    // again: the end is found anew, as it was the first time.
    let checkpoint = Checkpoint {
        finished: None,
        ..checkpoint
    };
    seeing(resolved, Coordinator::restore(plan, parts, checkpoint)?)
}

/// The same coordinator, which sees what the scenario lets it see.
fn seeing(resolved: &Resolved, coordinator: Coordinator) -> Result<Coordinator, FederationError> {
    let Some(plan) = resolved.sums else {
        return Ok(coordinator);
    };
    let mechanism = resolved.schedule.central;
    Ok(coordinator.with_sums(Sums { plan, mechanism })?)
}

/// How the silos' clip norm adapts, if it does.
fn clip_norm(locals: &[LocalPlan]) -> Option<ClipNormLaw> {
    let adaptive = locals.first()?.adaptive_clip()?;
    let steps = locals.iter().map(LocalPlan::steps).max()?;
    Some(ClipNormLaw {
        initial: adaptive.initial(),
        largest_change: adaptive.largest_change(steps),
    })
}

fn aggregator(
    resolved: &Resolved,
    config: AggregatorConfig,
    probe: Probe,
) -> Result<Box<dyn server::Aggregator>, FederationError> {
    let scenario = &resolved.file.scenario;
    match (scenario.privacy.protection, resolved.plan.noise_multiplier) {
        (Protection::SiloNoise { clip_norm }, Some(noise_multiplier)) => {
            let sum = ClippedNoisedSum::new(
                clip_norm,
                noise_multiplier,
                resolved.schedule.cohorts.size(),
                resolved.world.seed,
            );
            let canaries = resolved.schedule.canaries.central();
            Ok(Box::new(if canaries.is_empty() {
                sum
            } else {
                sum.with_canaries(CentralCanaries { canaries, probe })
            }))
        }
        _ => Ok(config.build(scenario.federation.strategy.weights())?),
    }
}

/// What trains in each silo; what an auditor reads there goes to `probe`.
pub fn trainers(resolved: &Resolved, probe: &Probe) -> BTreeMap<SiloId, SgdTrainer> {
    let (world, schedule) = (&resolved.world, &resolved.schedule);
    let scenario = &resolved.file.scenario;
    let architecture = world.architecture.clone();
    let pool = Arc::new(SgdPool::new(architecture, scenario.training.backend()));
    schedule
        .locals
        .iter()
        .map(|local| {
            let trainer = SgdTrainer::new(
                Arc::clone(&pool),
                local.clone(),
                Arc::clone(&world.dataset),
                world.seed,
                schedule.audience(),
                scenario.federation.strategy.weights(),
            )
            .with_probe(probe.clone());
            (local.silo(), trainer)
        })
        .collect()
}
