//! Local training by SGD or DP-SGD, as the silo's plan says.

use crate::{LocalTrainer, SgdPool, TrainError};
use accounting::Mechanism;
use data::Dataset;
use primitives::{Probe, Seed};
use protocol::{Release, SiloUpdate, Task, UpdateMetrics, Weights};
use std::sync::Arc;
use training::{LocalPlan, LocalRound, LocalRun, LocalSgd, NetworkError};

/// Who sees a silo's update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Everyone who sees the model may learn what the update tells: each local step is a release.
    Everyone,
    /// The coordinator alone, which noises the sum before anyone else sees it. That sum is the release,
    /// and has its own entry in the ledger; the local steps are none.
    Coordinator,
}

/// Trains one silo's records by its [`LocalPlan`]; protected or not is the plan's choice.
pub struct SgdTrainer {
    pool: Arc<SgdPool>,
    plan: LocalPlan,
    dataset: Arc<Dataset>,
    seed: Seed,
    audience: Audience,
    weights: Weights,
    probe: Option<Probe>,
}

/// What a round of `plan` releases, for the plans of the silo and of the coordinator. A trainer emits
/// what it has run; both ends refuse an update where the two differ.
pub fn planned_releases(plan: &LocalPlan, audience: Audience) -> Vec<Release> {
    releases(audience, plan.mechanism(), plan.steps())
}

fn releases(audience: Audience, mechanism: Mechanism, steps: u32) -> Vec<Release> {
    match audience {
        Audience::Everyone => vec![Release {
            mechanism,
            steps: steps.into(),
        }],
        Audience::Coordinator => Vec::new(),
    }
}

impl SgdTrainer {
    /// A trainer of the records of `dataset` that `plan` names, with networks out of `pool`.
    pub const fn new(
        pool: Arc<SgdPool>,
        plan: LocalPlan,
        dataset: Arc<Dataset>,
        seed: Seed,
        audience: Audience,
        weights: Weights,
    ) -> Self {
        Self {
            pool,
            plan,
            dataset,
            seed,
            audience,
            weights,
            probe: None,
        }
    }

    /// The same trainer, whose canaries' readings go to `probe`.
    #[must_use]
    pub fn with_probe(mut self, probe: Probe) -> Self {
        self.probe = Some(probe);
        self
    }

    /// Trains the round of `task`, with a network out of the pool.
    ///
    /// # Errors
    /// As [`LocalTrainer::train`].
    ///
    /// # Panics
    /// Never.
    pub fn train_alone(&self, task: &Task) -> Result<SiloUpdate, TrainError> {
        let silo = [(self, task)];
        let mut updates = self.pool.with(|sgd| Self::train_together(sgd, &silo));
        updates.pop().expect("one silo has one result")
    }

    /// Trains silos together with `sgd`, of one federation or of many; one result each, in order. One that fails takes
    /// nothing from the others.
    pub fn train_together(
        sgd: &mut LocalSgd,
        silos: &[(&Self, &Task)],
    ) -> Vec<Result<SiloUpdate, TrainError>> {
        let rounds: Vec<LocalRound<'_>> = silos
            .iter()
            .map(|(trainer, task)| trainer.round(task))
            .collect();
        let runs = sgd.run_all(&rounds);
        let updates = silos.iter().zip(runs);
        updates
            .map(|((trainer, task), run)| trainer.update(task, run))
            .collect()
    }

    const fn round<'a>(&'a self, task: &'a Task) -> LocalRound<'a> {
        LocalRound {
            plan: &self.plan,
            dataset: &self.dataset,
            start: &task.model,
            clip_norm: task.clip_norm,
            seed: &self.seed,
            round: task.round,
        }
    }

    /// What leaves the silo of what it ran.
    fn update(
        &self,
        task: &Task,
        run: Result<LocalRun, NetworkError>,
    ) -> Result<SiloUpdate, TrainError> {
        let run = run?;
        if !run.update.is_finite() {
            return Err(TrainError::NotFinite);
        }
        if let Some(probe) = &self.probe
            && !run.readings.is_empty()
        {
            let silo = Some(self.plan.silo());
            probe.put(task.round, silo, run.readings.clone());
        }
        Ok(SiloUpdate {
            round: task.round,
            silo: self.plan.silo(),
            weight: self.weights.of(self.records()),
            clip_norm: run.clip_norm,
            releases: releases(self.audience, run.mechanism, run.steps),
            metrics: self.metrics(&run),
            delta: run.update,
        })
    }

    /// Counts and losses are data: they are told only where nothing is protected.
    fn metrics(&self, run: &LocalRun) -> UpdateMetrics {
        match (self.audience, run.mechanism) {
            (Audience::Everyone, Mechanism::None) => {
                let read = run.clipping.records as f64;
                let mean_loss = Some(run.clipping.loss / read).filter(|loss| loss.is_finite());
                UpdateMetrics::Open {
                    records: self.records(),
                    mean_loss,
                }
            }
            _ => UpdateMetrics::Withheld,
        }
    }

    fn records(&self) -> u64 {
        self.plan.records().len() as u64
    }
}

impl LocalTrainer for SgdTrainer {
    fn train(&mut self, task: &Task) -> Result<SiloUpdate, TrainError> {
        self.train_alone(task)
    }
}
