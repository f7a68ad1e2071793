//! Local steps of one silo after the other, on a [`Network`].

use crate::canary::CanaryRound;
use crate::clipping::ROUNDING_MARGIN;
use crate::draws::Draws;
use crate::local_sgd::{LocalRound, LocalRun, Steps};
use crate::optimizer::OptimizerState;
use crate::{Batch, ClipReport, LocalPlan, Network, NetworkError, Optimizer};
use accounting::ClipNorm;
use data::{Dataset, Labels};
use primitives::{ModelVector, RecordId, Role, Stream, noise, normal};
use rand_chacha::ChaCha20Rng;
use std::borrow::Cow;

/// A network with buffers for a step.
pub(crate) struct HostSteps {
    network: Box<dyn Network>,
    rows: Vec<u32>,
    batch: BatchBuffers,
    gradient: Vec<f32>,
    state: OptimizerState,
}

#[derive(Default)]
struct BatchBuffers {
    records: Vec<RecordId>,
    features: Vec<f32>,
    labels: Labels,
    subjects: Vec<u32>,
}

impl HostSteps {
    pub(crate) fn new(network: Box<dyn Network>) -> Self {
        let parameters = network.parameters();
        Self {
            network,
            rows: Vec::new(),
            batch: BatchBuffers::default(),
            gradient: vec![0.0; parameters],
            state: OptimizerState::default(),
        }
    }

    fn round(&mut self, round: &LocalRound<'_>) -> Result<LocalRun, NetworkError> {
        let LocalRound {
            plan,
            dataset,
            start,
            clip_norm,
            seed,
            round,
        } = *round;
        let stream = |role| seed.stream(Stream::silo(role, plan.silo(), round));
        let mut draws = Draws::new(plan, seed, round);
        let mut noise = stream(Role::Noise);
        let mut count_noise = stream(Role::CountNoise);
        let mut canaries = CanaryRound::new(plan, seed, round);
        let mut plan = Cow::Borrowed(plan);
        if let (Some(norm), Some(_)) = (clip_norm, plan.adaptive_clip()) {
            plan.to_mut().set_clip_norm(norm);
        }
        let mut model = start.clone();
        let mut clipping = ClipReport::default();
        let rate = plan.learning_rate(round);
        self.state.clear();
        for _ in 0..plan.steps() {
            draws.next(&plan, &mut self.rows);
            self.gather(&plan, dataset);
            #[cfg(feature = "planted-faults")]
            if plan.fault() == Some(crate::Fault::NoiseReused) {
                noise = stream(Role::Noise);
            }
            let report = self.gradient(&plan, &model, &mut canaries)?;
            clipping.add(&report);
            self.descend(&plan, rate, &mut canaries, &mut noise, model.as_mut_slice());
            if let Some(norm) = next_clip_norm(&plan, &report, &mut count_noise) {
                plan.to_mut().set_clip_norm(norm);
            }
        }
        let mut update = model;
        for (after, before) in update.as_mut_slice().iter_mut().zip(start.as_slice()) {
            *after -= before;
        }
        Ok(LocalRun {
            update,
            steps: plan.steps(),
            mechanism: plan.mechanism(),
            clip_norm: plan.adaptive_clip().and(plan.clip_norm()),
            clipping,
            readings: canaries.into_readings(),
        })
    }

    fn gather(&mut self, plan: &LocalPlan, dataset: &Dataset) {
        let batch = &mut self.batch;
        batch.records.clear();
        batch
            .records
            .extend(self.rows.iter().map(|&row| plan.records()[row as usize]));
        dataset.gather(&batch.records, &mut batch.features, &mut batch.labels);
        batch.subjects.clear();
        batch
            .subjects
            .extend(self.rows.iter().map(|&row| plan.subject(row).0));
    }

    /// Puts the sum of the batch's clipped gradients into `gradient`.
    fn gradient(
        &mut self,
        plan: &LocalPlan,
        model: &ModelVector,
        canaries: &mut CanaryRound,
    ) -> Result<ClipReport, NetworkError> {
        let batch = Batch {
            features: &self.batch.features,
            labels: self.batch.labels.as_slice(),
            subjects: &self.batch.subjects,
        };
        self.gradient.fill(0.0);
        let (clipping, gradient) = (plan.clipping(), &mut self.gradient);
        let report = self
            .network
            .add_clipped_sum(model.as_slice(), &batch, &clipping, gradient)?;
        canaries.push(plan, gradient);
        #[cfg(feature = "planted-faults")]
        if plan.fault() == Some(crate::Fault::ClipPerBatch) {
            clip_mean(plan, gradient);
        }
        Ok(report)
    }

    /// What the step's sum is divided by.
    fn divisor(&self, plan: &LocalPlan) -> f64 {
        let drawn = self.rows.len() as f64;
        #[cfg(feature = "planted-faults")]
        if plan.fault() == Some(crate::Fault::RealisedDenominator) {
            return drawn.max(1.0);
        }
        plan.expected_batch().unwrap_or(drawn)
    }

    /// Adds the plan's noise to `gradient` and moves the model along it. Canaries are read off what the step releases.
    fn descend(
        &mut self,
        plan: &LocalPlan,
        rate: f64,
        canaries: &mut CanaryRound,
        rng: &mut ChaCha20Rng,
        model: &mut [f32],
    ) {
        let divisor = self.divisor(plan);
        let planned = plan.expected_batch().unwrap_or(divisor);
        let deviation = plan.noise_deviation();
        let optimizer = plan.optimizer();
        if deviation > 0.0 && optimizer == Optimizer::Sgd {
            let factor = (-rate / divisor) as f32;
            canaries.mark(plan, model);
            noise::descend(rng, deviation, &self.gradient, factor, model);
            return canaries.read_step(plan, model, planned / rate);
        }
        if deviation > 0.0 {
            noise::add(rng, deviation, &mut self.gradient);
        }
        canaries.read(plan, &self.gradient, planned / divisor);
        let gradient = (&self.gradient[..], divisor);
        self.state.step(optimizer, rate, gradient, deviation, model);
    }
}

impl Steps for HostSteps {
    fn run(&mut self, rounds: &[LocalRound<'_>]) -> Vec<Result<LocalRun, NetworkError>> {
        rounds.iter().map(|round| self.round(round)).collect()
    }
}

/// What the step after one with this report clips to; none if that is fixed.
fn next_clip_norm(
    plan: &LocalPlan,
    report: &ClipReport,
    noise: &mut ChaCha20Rng,
) -> Option<ClipNorm> {
    let (adaptive, norm, expected) = (
        plan.adaptive_clip()?,
        plan.clip_norm()?,
        plan.expected_batch()?,
    );
    let mut normal = [0.0];
    normal::fill(noise, &mut normal);
    // Averages over a subject are sums of rounded parts: what they may be off by is taken off.
    let count = report.balance * (1.0 - ROUNDING_MARGIN) + plan.count_deviation() * normal[0];
    Some(adaptive.next(norm, 0.5 + count / expected))
}

/// Shortens the sum so that the mean is no longer than the clip norm: what must not be done instead of clipping
/// each unit.
#[cfg(feature = "planted-faults")]
fn clip_mean(plan: &LocalPlan, gradient: &mut [f32]) {
    let (Some(clip), Some(batch)) = (plan.clip_norm(), plan.expected_batch()) else {
        return;
    };
    let squares = gradient.iter().map(|&value| f64::from(value).powi(2));
    let factor = (clip.get() * batch / squares.sum::<f64>().sqrt()).min(1.0) as f32;
    for value in gradient {
        *value *= factor;
    }
}
