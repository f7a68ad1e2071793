//! One silo's round among those that are trained side by side: all that the host decides about it.

use crate::arrangement::{Arrangement, Part};
use crate::draws::Draws;
use crate::local_sgd::{LocalRound, LocalRun};
use crate::{ClipReport, NetworkError};
use accounting::ClipNorm;
use primitives::{ModelVector, NoiseStream, Role, Stream, normal};
use rand_chacha::ChaCha20Rng;
use std::ops::Range;

/// A silo's round with its batches drawn.
pub(super) struct Replica<'a> {
    pub(super) round: LocalRound<'a>,
    steps: Vec<Step>,
    noise: NoiseStream,
    count_noise: ChaCha20Rng,
}

/// The batch of one step.
struct Step {
    /// The record of each row.
    records: Vec<u32>,
    arrangement: Arrangement,
}

impl<'a> Replica<'a> {
    /// Draws the batches of a round.
    pub(super) fn new(round: &LocalRound<'a>) -> Self {
        let LocalRound {
            plan,
            seed,
            round: number,
            ..
        } = *round;
        let mut draws = Draws::new(plan, seed, number);
        let (mut rows, mut subjects) = (Vec::new(), Vec::new());
        let clipping = plan.clipping();
        let step = |_| {
            draws.next(plan, &mut rows);
            subjects.clear();
            subjects.extend(rows.iter().map(|&row| plan.subject(row).0));
            let mut arrangement = Arrangement::default();
            arrangement.arrange(&subjects, &clipping);
            let record = |&row: &u32| plan.records()[row as usize].0;
            Step {
                records: rows.iter().map(record).collect(),
                arrangement,
            }
        };
        let stream = |role| seed.stream(Stream::silo(role, plan.silo(), number));
        Self {
            steps: (0..plan.steps()).map(step).collect(),
            noise: NoiseStream::of(&stream(Role::Noise)),
            count_noise: stream(Role::CountNoise),
            round: *round,
        }
    }

    pub(super) fn steps(&self) -> usize {
        self.steps.len()
    }

    /// Units of a step; none where the replica rests.
    pub(super) fn units(&self, step: usize) -> usize {
        self.steps
            .get(step)
            .map_or(0, |step| step.arrangement.units())
    }

    /// The most units of any step.
    pub(super) fn most_units(&self) -> usize {
        (0..self.steps())
            .map(|step| self.units(step))
            .max()
            .unwrap_or(0)
    }

    /// The most records of any unit.
    pub(super) fn longest_unit(&self) -> usize {
        let longest = self.steps.iter().map(|step| step.arrangement.longest());
        longest.max().unwrap_or(0)
    }

    /// Some units of a step, as far as there are any.
    pub(super) fn part(&self, step: usize, units: Range<usize>) -> Option<Part<'_>> {
        self.steps.get(step)?.arrangement.part(units)
    }

    /// The record of a row of a step's batch.
    pub(super) fn record(&self, step: usize, row: u32) -> u32 {
        self.steps[step].records[row as usize]
    }

    /// What the clip norm begins at.
    pub(super) fn clip_norm(&self) -> f64 {
        let plan = self.round.plan;
        let given = self
            .round
            .clip_norm
            .filter(|_| plan.adaptive_clip().is_some());
        given.or(plan.clip_norm()).map_or(0.0, ClipNorm::get)
    }

    /// The numbers of a step: its size; one over what the sum is divided by; deviation of the sum's noise over the clip
    /// norm; how fast the clip norm adapts; the noise of the count that it adapts by. A replica that has taken all its
    /// steps rests: nothing is added to its model, and its clip norm stays.
    pub(super) fn numbers(&mut self, step: usize) -> [f64; 5] {
        let plan = self.round.plan;
        let Some(batch) = self.steps.get(step) else {
            return [0.0, 1.0, 0.0, 0.0, 0.0];
        };
        let drawn = batch.records.len().max(1) as f64;
        let rate = plan.learning_rate(self.round.round);
        let ratio = plan.noise_deviation() / plan.clip_norm().map_or(1.0, ClipNorm::get);
        let (speed, count_noise) = match plan.adaptive_clip() {
            None => (0.0, 0.0),
            Some(adaptive) => {
                let mut normal = [0.0];
                normal::fill(&mut self.count_noise, &mut normal);
                (adaptive.learning_rate(), plan.count_deviation() * normal[0])
            }
        };
        let divisor = plan.expected_batch().unwrap_or(drawn);
        [rate, 1.0 / divisor, ratio, speed, count_noise]
    }

    /// Where the noise of the next sum lies, which has so many entries.
    pub(super) fn next_noise(&mut self, entries: usize) -> NoiseStream {
        let next = self.noise.after(entries);
        std::mem::replace(&mut self.noise, next)
    }

    /// What the silo did. `result`: its update, then how many gradients were longer than their bound, the balance, the sum
    /// of losses, and the clip norm. `parts`: parts of a gradient that have bounds of their own.
    pub(super) fn run(&self, result: &[f32], parts: usize) -> Result<LocalRun, NetworkError> {
        let plan = self.round.plan;
        let (update, numbers) = result.split_at(result.len() - 4);
        let is_clipped = plan.clipping().bound().is_some();
        if is_clipped && !result.iter().all(|number| number.is_finite()) {
            return Err(NetworkError::Diverged);
        }
        let units: usize = (0..self.steps()).map(|step| self.units(step)).sum();
        Ok(LocalRun {
            update: ModelVector::from(update.to_vec()),
            steps: plan.steps(),
            mechanism: plan.mechanism(),
            clip_norm: plan.adaptive_clip().and_then(|adaptive| {
                let from = ClipNorm::try_new(self.clip_norm()).ok()?;
                adaptive.reached(from, f64::from(numbers[3]), plan.steps())
            }),
            clipping: ClipReport {
                records: self.steps.iter().map(|step| step.records.len()).sum(),
                units: if is_clipped { units * parts } else { 0 },
                clipped: numbers[0] as usize,
                balance: f64::from(numbers[1]),
                loss: f64::from(numbers[2]),
            },
            readings: Vec::new(),
        })
    }
}
