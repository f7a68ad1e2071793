//! Data drawn from a seed, so that the truth about it is known.

mod crowd;
mod gaussian_classes;
mod kind;
mod people;
mod record_count;
mod silo_world;
mod subject_regression;
mod subject_sequences;
mod subject_worlds;

pub use gaussian_classes::GaussianClasses;
pub use kind::{SyntheticKind, synthetic_kinds};
pub use record_count::{RecordCount, RecordLaw};
pub use silo_world::{PerSilo, SiloWorld};
pub use subject_regression::RegressionWorld;
pub use subject_sequences::SequenceWorld;
pub use subject_worlds::SubjectWorld;

use crate::{DataError, Dataset};
use primitives::Seed;
use serde::{Deserialize, Serialize};

/// The key `synthetic` of a source: a generator and its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SyntheticConfig {
    /// People with a distribution of their own: [`SubjectWorld`].
    Subjects(SubjectWorld),
    /// The same people, about whom a number is predicted: [`RegressionWorld`].
    SubjectRegression(RegressionWorld),
    /// People who write by a Markov chain of their own: [`SequenceWorld`].
    SubjectSequences(SequenceWorld),
    /// Classes with a centre each and nobody in particular: [`GaussianClasses`].
    GaussianClasses(GaussianClasses),
}

impl SyntheticConfig {
    /// Draws the data. The configuration's own seed, if it has one, goes before `seed`.
    ///
    /// # Errors
    /// If a number is out of range.
    pub fn generate(&self, seed: &Seed) -> Result<Dataset, DataError> {
        match self {
            Self::Subjects(world) => world.generate(seed),
            Self::SubjectRegression(world) => world.generate(seed),
            Self::SubjectSequences(world) => world.generate(seed),
            Self::GaussianClasses(classes) => classes.generate(seed),
        }
    }
}

/// The seed to generate from: the configuration's own number or the run's.
fn own_or(own: Option<u64>, run: &Seed) -> Seed {
    own.map_or(*run, Seed::from_number)
}

/// Refuses a number that is not what `allowed` says.
fn check(fits: bool, kind: &str, key: &str, given: f64, allowed: &str) -> Result<(), DataError> {
    if fits {
        return Ok(());
    }
    Err(DataError::new(
        format_args!("synthetic source {kind:?}"),
        format!("{key} = {given}"),
        allowed,
        format!("change data.source.synthetic.{key}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What these seeds have always drawn; a changed digest changes every result on synthetic data.
    #[test]
    fn draws_are_pinned() {
        let world = SubjectWorld {
            seed: Some(1),
            ..SubjectWorld::new(120)
        };
        let classes = GaussianClasses {
            records: 10_000,
            test_records: 2_000,
            records_per_subject: 10,
            features: 4,
            classes: 10,
            centre_deviation: 0.1,
            seed: Some(1),
        };
        let cases = [
            (
                SyntheticConfig::Subjects(world),
                "9af4e33673f5febc9725b135f46351c6e5a58004d09aa23d9ab2aa642253efa7",
            ),
            (
                SyntheticConfig::SubjectRegression(RegressionWorld {
                    seed: Some(1),
                    ..RegressionWorld::new(120)
                }),
                "8c1c66c601b02fd5c767f658da8929fed3f863f6d85c63c125e836ed7f8b7eae",
            ),
            (
                SyntheticConfig::SubjectSequences(SequenceWorld {
                    seed: Some(1),
                    ..SequenceWorld::new(120)
                }),
                "ca3022dfa1e2111bd63fdee70a7b43b41d2faec9d78a6e92558ef76eee1cd3a9",
            ),
            (
                SyntheticConfig::GaussianClasses(classes),
                "8d98605c75a082c6f70b7b7177b3a5ee301897e4f5f7b19ef2fa642725f34a31",
            ),
        ];
        for (config, digest) in cases {
            let dataset = config.generate(&Seed::from_number(7)).unwrap();
            assert_eq!(dataset.digest().to_string(), digest, "{}", dataset.name());
        }
    }
}
