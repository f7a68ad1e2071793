//! Canaries: units that an auditor plants in a silo, with a gradient of its own choice.
//!
//! The strongest unit that a mechanism allows is one whose clipped gradient is as long as the clip norm `C` and
//! points where nothing else does. A canary pushes one parameter (a Dirac gradient: Nasr et al. 2023, arXiv
//! 2302.07956; Steinke et al. 2023, arXiv 2305.08846), each its own, so that the noise in the readings of two
//! canaries is independent. It goes the way of every other unit: it joins a step with the plan's chance, its raw
//! gradient, much longer than `C`, is clipped by the plan's clipping, and the plan's noise is added.
//!
//! The push changes its sign from step to step, which the auditor takes back when it reads. To fresh noise that
//! makes no difference; noise that is used twice it cancels.
//!
//! Where the clip norm adapts from step to step, a canary is clipped to the norm of its step and read in units of it. It has
//! no part in the count by which the norm adapts: of two releases that the ledger counts as one it touches the louder one.
//!
//! What is read is the noised sum, less what the silo's own records added to it: the auditor of a differentially
//! private mechanism may know all data but the canary's, and which of them joined.

use crate::{Clipping, LocalPlan, Protection, sampling};
use accounting::ClipNorm;
use primitives::{Role, Round, Seed, Stream};
use rand_chacha::ChaCha20Rng;
use std::num::NonZeroU32;

/// How much longer than `C`, and than the expected batch times `C`, a canary's raw gradient is: whatever fails to
/// clip it shows.
const RAW_EXCESS: f64 = 10.0;

/// One canary's part in one silo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canary {
    /// The parameter that it pushes.
    pub coordinate: u32,
    /// What it is.
    pub kind: CanaryKind,
    /// Whether it is in the data.
    pub included: bool,
}

/// What a canary is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CanaryKind {
    /// A single record. Where subjects are sampled, a record more or less turns its subject's gradient into
    /// another: such a canary pulls, in the same steps, when it is out.
    Record,
    /// A subject with this many records in the silo.
    Subject {
        /// Its records.
        records: NonZeroU32,
    },
}

/// The canaries of a silo in one round.
pub(crate) struct CanaryRound {
    draws: ChaCha20Rng,
    /// Takes turns from step to step; neighbouring silos take opposite turns.
    sign: f64,
    /// Sums at the canaries' parameters before they pushed.
    before: Vec<f32>,
    /// The model at the canaries' parameters before a step.
    marked: Vec<f32>,
    joined: Vec<u32>,
    readings: Vec<f32>,
}

impl CanaryRound {
    pub(crate) fn new(plan: &LocalPlan, seed: &Seed, round: Round) -> Self {
        let first = u64::from(round.0) * u64::from(plan.steps()) + u64::from(plan.silo().0);
        Self {
            draws: seed.stream(Stream::silo(Role::Canary, plan.silo(), round)),
            sign: if first.is_multiple_of(2) { 1.0 } else { -1.0 },
            before: Vec::with_capacity(plan.canaries().len()),
            marked: Vec::new(),
            joined: Vec::new(),
            readings: Vec::with_capacity(plan.canaries().len() * plan.steps() as usize),
        }
    }

    /// Adds the canaries that join a step of `plan`, which is the round's with the clip norm of the step, to its sum.
    pub(crate) fn push(&mut self, plan: &LocalPlan, gradient: &mut [f32]) {
        self.before.clear();
        for canary in plan.canaries() {
            let sum = &mut gradient[canary.coordinate as usize];
            self.before.push(*sum);
            // Drawn whether the canary is in or out, so that one canary's coin moves nothing of another's.
            let push = draw(plan, canary, &mut self.draws, &mut self.joined);
            let side = match canary {
                Canary { included: true, .. } => 1.0,
                Canary {
                    kind: CanaryKind::Record,
                    ..
                } if matches!(plan.protection(), Protection::SubjectSampling { .. }) => -1.0,
                _ => continue,
            };
            *sum += (side * self.sign * push) as f32;
        }
    }

    /// Reads what a step releases off its noised sum, in units of `C`; `factor`: by how much the step is larger than
    /// the plan's denominator would make it.
    pub(crate) fn read(&mut self, plan: &LocalPlan, gradient: &[f32], factor: f64) {
        self.take(plan, |_, coordinate| {
            f64::from(gradient[coordinate]) * factor
        });
    }

    /// Remembers the model before a step.
    pub(crate) fn mark(&mut self, plan: &LocalPlan, model: &[f32]) {
        self.marked.clear();
        let canaries = plan.canaries().iter();
        self.marked
            .extend(canaries.map(|canary| model[canary.coordinate as usize]));
    }

    /// Reads what a step has released off the model that it moved; `scale`: the plan's denominator over the step size.
    pub(crate) fn read_step(&mut self, plan: &LocalPlan, model: &[f32], scale: f64) {
        let marked = std::mem::take(&mut self.marked);
        self.take(plan, |place, coordinate| {
            (f64::from(marked[place]) - f64::from(model[coordinate])) * scale
        });
        self.marked = marked;
    }

    /// One reading a canary: what was released, less what was there before it pushed.
    fn take(&mut self, plan: &LocalPlan, released: impl Fn(usize, usize) -> f64) {
        let clip = plan.clip_norm().map_or(1.0, ClipNorm::get);
        let canaries = plan.canaries().iter().zip(&self.before);
        for (place, (canary, &before)) in canaries.enumerate() {
            let released = released(place, canary.coordinate as usize);
            let reading = self.sign * (released - f64::from(before)) / clip;
            self.readings.push(reading as f32);
        }
        self.sign = -self.sign;
    }

    pub(crate) fn into_readings(self) -> Vec<f32> {
        self.readings
    }
}

/// By how much `canary` pushes in one step.
fn draw(plan: &LocalPlan, canary: &Canary, rng: &mut ChaCha20Rng, joined: &mut Vec<u32>) -> f64 {
    let Some(rate) = plan.joining_rate() else {
        return 0.0;
    };
    let units = match (canary.kind, plan.protection()) {
        (CanaryKind::Subject { records }, protection)
            if !matches!(protection, Protection::SubjectSampling { .. }) =>
        {
            records.get() as usize
        }
        _ => 1,
    };
    sampling::poisson(units, rate, rng, joined);
    if joined.is_empty() {
        return 0.0;
    }
    let count = joined.len() as f64;
    let raw = raw_norm(plan);
    match plan.clipping() {
        Clipping::Nothing => raw * count,
        Clipping::Records(bound) => raw * bound.factor(raw, 1) * count,
        Clipping::RecordsInSubjectMeans(bound) | Clipping::SubjectMeans(bound) => {
            raw * bound.factor(raw, 1)
        }
    }
}

/// Length of a canary's gradient before it is clipped.
fn raw_norm(plan: &LocalPlan) -> f64 {
    let clip = plan.clip_norm().map_or(1.0, ClipNorm::get);
    RAW_EXCESS * clip * plan.expected_batch().unwrap_or(1.0).max(1.0)
}
