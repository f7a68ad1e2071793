//! What silos and server agree on beforehand.

use crate::{DistributedNoise, FixedPoint, RingVector, Setting};
use primitives::{Digest, Round};
use rand::Rng;
use sha2::{Digest as _, Sha256};

/// How an update becomes a summand, and a sum an update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SumCode {
    /// As it is. The update is the mean over those whose summands came.
    Plain(FixedPoint),
    /// Clipped, with a share of the noise. The update is the sum over the planned cohort's size, a constant.
    Noised(DistributedNoise),
}

/// How the updates of a round are summed so that the server sees the sum alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SumPlan {
    /// How summands are made.
    pub code: SumCode,
    /// Silos of a cohort.
    pub cohort: u32,
    /// How many silos take masks off; none where a trusted party adds up what it sees in the clear.
    pub threshold: Option<u32>,
}

impl SumPlan {
    /// The fewest summands whose sum may be seen: as many as take masks off, and as carry the noise.
    pub fn fewest(&self) -> u32 {
        let noised = match &self.code {
            SumCode::Plain(_) => 1,
            SumCode::Noised(noise) => noise.shares(),
        };
        noised.max(self.threshold.unwrap_or(1))
    }

    /// The summand of `delta`. Draws from `rng` if there is noise to be added.
    pub fn encode(&self, delta: &[f32], rng: &mut impl Rng) -> RingVector {
        match &self.code {
            SumCode::Plain(code) => code.encode(delta),
            SumCode::Noised(noise) => noise.encode(delta, rng),
        }
    }

    /// The round's update from the sum of `summands` summands.
    pub fn decode(&self, sum: &RingVector, summands: usize) -> Vec<f32> {
        match &self.code {
            SumCode::Plain(code) => code.decode(sum, summands as f64),
            SumCode::Noised(noise) => noise.decode(sum, self.cohort.into()),
        }
    }

    /// The setting of the masked sum of one attempt at a round; none if there are no masks.
    pub fn setting(&self, plan: &Digest, round: Round, attempt: u32) -> Option<Setting> {
        let threshold = self.threshold? as usize;
        let mut hash = Sha256::new();
        hash.update(b"siloscope masked sum");
        hash.update(plan.to_string());
        hash.update(round.0.to_le_bytes());
        hash.update(attempt.to_le_bytes());
        Some(Setting {
            context: hash.finalize().into(),
            threshold,
        })
    }
}
