//! What lies round a record: noisy copies of it.

use attacks::Neighbourhood;
use data::Dataset;
use primitives::{RecordId, Role, Seed, Stream, normal};

/// Draws the copies of every record, the same in every round and for every model, whoever asks first.
#[derive(Debug)]
pub struct Copies {
    seed: Seed,
    count: u32,
    /// Deviation of each feature's noise. Shape: `[features]`.
    deviations: Vec<f64>,
}

impl Copies {
    /// Copies of the records of `dataset`; how far features spread is read off `population`, whose records are
    /// nobody's secret.
    pub fn new(
        config: Neighbourhood,
        dataset: &Dataset,
        population: &[RecordId],
        seed: &Seed,
    ) -> Self {
        let width = dataset.width();
        let (mut sums, mut squares) = (vec![0.0; width], vec![0.0; width]);
        let mut values = vec![0.0; width];
        for &record in population {
            dataset.copy_features(record, &mut values);
            for (i, &value) in values.iter().enumerate() {
                sums[i] += f64::from(value);
                squares[i] += f64::from(value).powi(2);
            }
        }
        let count = population.len().max(1) as f64;
        let deviation = |(sum, square): (f64, f64)| {
            let mean = sum / count;
            config.deviation() * (square / count - mean * mean).max(0.0).sqrt()
        };
        Self {
            seed: *seed,
            count: config.copies(),
            deviations: sums.into_iter().zip(squares).map(deviation).collect(),
        }
    }

    /// How many copies a record has.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Turns `features`, that many times those of `record` one after another, into its copies.
    pub fn perturb(&self, record: RecordId, features: &mut [f32]) {
        let key = self.seed.child(Role::Adversary, u64::from(record.0));
        let mut noise = vec![0.0; features.len()];
        normal::fill(&mut key.stream(Stream::run(Role::Adversary)), &mut noise);
        let deviations = self.deviations.iter().cycle();
        for ((value, noise), deviation) in features.iter_mut().zip(noise).zip(deviations) {
            *value += (deviation * noise) as f32;
        }
    }
}
