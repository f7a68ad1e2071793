//! The local steps of silos in a round.

use crate::host_steps::HostSteps;
use crate::tensor::OnDevice;
use crate::{Architecture, Backend, ClipReport, FusedNetwork, LocalPlan, NetworkError};
use accounting::{ClipNorm, Mechanism};
use data::Dataset;
use primitives::{ModelVector, Round, Seed};
use std::sync::Arc;

/// Runs local steps. Holds networks and buffers, and nothing of any silo between two calls.
pub struct LocalSgd(Box<dyn Steps>);

/// Everything that decides what a silo does in one round.
#[derive(Clone, Copy, Debug)]
pub struct LocalRound<'a> {
    /// What the silo does.
    pub plan: &'a LocalPlan,
    /// The data set that its records are of.
    pub dataset: &'a Arc<Dataset>,
    /// The model that it begins with.
    pub start: &'a ModelVector,
    /// What a clip norm that adapts begins at; none: where the plan says.
    pub clip_norm: Option<ClipNorm>,
    /// What all draws come from.
    pub seed: &'a Seed,
    /// The round.
    pub round: Round,
}

/// What a silo did in one round.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalRun {
    /// Where the steps led, minus where they began.
    pub update: ModelVector,
    /// Steps taken. `mechanism` was used in each.
    pub steps: u32,
    /// What one step was.
    pub mechanism: Mechanism,
    /// What the next step would clip to, where that adapts. It follows from noised counts.
    pub clip_norm: Option<ClipNorm>,
    /// Sums over the steps. Not protected: for the eyes of the simulation alone.
    pub clipping: ClipReport,
    /// What the auditor read, step by step and in each step by canary. Not protected either.
    pub readings: Vec<f32>,
}

/// What can take local steps.
pub(crate) trait Steps: Send {
    /// One result for each of `rounds`, in order.
    fn run(&mut self, rounds: &[LocalRound<'_>]) -> Vec<Result<LocalRun, NetworkError>>;
}

impl LocalSgd {
    /// Buffers for models of this shape.
    pub fn new(architecture: &Architecture, backend: Backend) -> Self {
        Self(match OnDevice::new(backend, architecture) {
            Some(device) => device.steps,
            None => Box::new(HostSteps::new(Box::new(FusedNetwork::new(architecture)))),
        })
    }

    /// Takes the local steps of one silo.
    ///
    /// Each step draws its batch from the stream of [`Role::Sampling`], its noise from that of [`Role::Noise`] and the
    /// noise of a count from that of [`Role::CountNoise`] of this silo and round, so the result depends on nothing else
    /// that runs.
    ///
    /// [`Role::Sampling`]: primitives::Role::Sampling
    /// [`Role::Noise`]: primitives::Role::Noise
    /// [`Role::CountNoise`]: primitives::Role::CountNoise
    ///
    /// # Errors
    /// If the model or the data does not fit the network, or training diverges.
    ///
    /// # Panics
    /// Never.
    pub fn run(&mut self, round: &LocalRound<'_>) -> Result<LocalRun, NetworkError> {
        let mut runs = self.run_all(std::slice::from_ref(round));
        runs.pop().expect("one round has one result")
    }

    /// Takes the local steps of several silos, of one federation or of many; one result each, in order. All are as
    /// [`LocalSgd::run`] would give them by itself: to the bit on a [`Backend`] that trains one by one, to rounding on one
    /// that stacks ([`Backend::stacks`]).
    pub fn run_all(&mut self, rounds: &[LocalRound<'_>]) -> Vec<Result<LocalRun, NetworkError>> {
        self.0.run(rounds)
    }
}
