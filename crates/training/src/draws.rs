//! The batches of one silo's round.

use crate::{Batches, LocalPlan, sampling};
use primitives::{Role, Round, Seed, Stream};
use rand_chacha::ChaCha20Rng;

/// Draws the batches of a round, step by step, from the stream of [`Role::Sampling`].
pub(crate) struct Draws {
    rng: ChaCha20Rng,
    /// A shuffled order of all rows, read from front to back and shuffled anew at its end.
    order: Vec<u32>,
    read: usize,
}

impl Draws {
    pub(crate) fn new(plan: &LocalPlan, seed: &Seed, round: Round) -> Self {
        Self {
            rng: seed.stream(Stream::silo(Role::Sampling, plan.silo(), round)),
            order: Vec::new(),
            read: 0,
        }
    }

    /// Puts the next step's batch into `rows`: places in [`LocalPlan::records`].
    pub(crate) fn next(&mut self, plan: &LocalPlan, rows: &mut Vec<u32>) {
        match plan.batches() {
            Batches::Poisson(rate) => {
                let rate = plan.joining_rate().unwrap_or(rate.get());
                plan.draw_poisson(rate, &mut self.rng, rows);
            }
            Batches::Shuffled(size) => self.next_in_order(plan.records().len(), size, rows),
        }
    }

    fn next_in_order(&mut self, count: usize, size: usize, rows: &mut Vec<u32>) {
        if self.read == self.order.len() {
            self.order.clear();
            self.order.extend(0..count as u32);
            sampling::shuffle(&mut self.order, &mut self.rng);
            self.read = 0;
        }
        let end = (self.read + size).min(count);
        rows.clear();
        rows.extend_from_slice(&self.order[self.read..end]);
        self.read = end;
    }
}
