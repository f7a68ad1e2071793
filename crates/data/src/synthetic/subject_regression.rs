//! People with a distribution and a level of their own, about whom a number is to be predicted.
//!
//! Subjects are those of [`super::SubjectWorld`]: a mean `μ_s ~ N(0, spread² I)` and records `x ~ N(μ_s, within² I)`. The
//! target is `y = x · w + b_s + ε`, with one `w ~ N(0, I / features)` for all, the subject's level `b_s ~ N(0, shift²)`
//! and the record's noise `ε ~ N(0, noise²)`. With `spread = 0` and `shift = 0` subjects are all alike: the true null,
//! under which fresh records of a subject say nothing about its membership.
//!
//! Given `w`, targets have the variance `|w|² (spread² + within²) + shift² + noise²`. Whoever knows `w` and nothing of the
//! subject is left with `shift² + noise²` of it, which no model can beat on people that it never saw.

use super::crowd::{Crowd, defaults};
use super::silo_world::Places;
use super::{PerSilo, RecordCount, SiloWorld, own_or};
use crate::{DataError, Dataset, DatasetParts, Features};
use primitives::normal;
use primitives::{Role, Seed, Stream};
use serde::{Deserialize, Serialize};

/// How distinct people are, how many, how many records each has, and how well a number follows from a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegressionWorld {
    /// Subjects who become members or non-members.
    pub subjects: u32,
    /// Records of a subject, training and held-out ones together: a number or a law.
    #[serde(default = "defaults::records_per_subject")]
    pub records_per_subject: RecordCount,
    /// Further subjects, in the test split: the population.
    #[serde(default = "defaults::test_subjects")]
    pub test_subjects: u32,
    /// Features of a record.
    #[serde(default = "defaults::features")]
    pub features: u32,
    /// Standard deviation of the subjects' means: how far people lie apart.
    #[serde(default = "defaults::spread")]
    pub spread: f64,
    /// Standard deviation of a subject's records about its mean.
    #[serde(default = "defaults::within")]
    pub within: f64,
    /// Standard deviation of the subjects' levels: how far people's targets differ for the same features.
    #[serde(default = "RegressionWorld::shift")]
    pub shift: f64,
    /// Standard deviation of a target's noise, for all silos or for each.
    #[serde(default = "RegressionWorld::noise")]
    pub noise: PerSilo,
    /// Natural silos that differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silos: Option<SiloWorld>,
    /// A seed of its own, so that the people stay the same while the run's seed draws who is a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

impl RegressionWorld {
    const fn shift() -> f64 {
        0.5
    }
    const fn noise() -> PerSilo {
        PerSilo::All(0.5)
    }

    /// A world of `subjects` people with every other number at its default.
    pub const fn new(subjects: u32) -> Self {
        Self {
            subjects,
            records_per_subject: defaults::records_per_subject(),
            test_subjects: defaults::test_subjects(),
            features: defaults::features(),
            spread: defaults::spread(),
            within: defaults::within(),
            shift: Self::shift(),
            noise: Self::noise(),
            silos: None,
            seed: None,
        }
    }

    /// Draws the world: `w` first, then subject after subject, test subjects last.
    ///
    /// # Errors
    /// If a number is out of range.
    pub fn generate(&self, seed: &Seed) -> Result<Dataset, DataError> {
        let crowd = self.crowd();
        crowd.check()?;
        let least = |given: f64| given.is_finite() && given >= 0.0;
        let allowed = "a finite number of at least 0";
        let silos = self.silos.as_ref();
        self.noise
            .check(crowd.kind, "noise", silos, least, allowed)?;
        let seed = own_or(self.seed, seed);
        let mut rng = seed.stream(Stream::run(Role::Generate));
        let mut weights = vec![0.0; self.features as usize];
        normal::fill(&mut rng, &mut weights);
        let scale = f64::from(self.features).sqrt();
        let drawn = crowd.draw(&seed, &mut rng, |record, _| {
            let products = record.x.iter().zip(&weights).map(|(x, w)| x * w);
            let signal = products.sum::<f64>() / scale;
            (signal + record.shift[0] + self.noise.of(record.silo) * record.extras[0]) as f32
        });
        Dataset::try_new(DatasetParts {
            name: "synthetic subject-regression".to_owned(),
            features: Features::Floats(drawn.features),
            shape: vec![self.features as usize],
            labels: drawn.labels.into(),
            classes: Vec::new(),
            subjects: drawn.people.subjects(),
            subject_names: drawn.people.names(),
            splits: Some(drawn.people.splits()),
            natural_silos: drawn.places.map(Places::natural),
        })
    }

    fn crowd(&self) -> Crowd<'_> {
        Crowd {
            kind: "subject-regression",
            subjects: self.subjects,
            test_subjects: self.test_subjects,
            records: self.records_per_subject,
            features: self.features,
            spread: self.spread,
            within: self.within,
            shift: self.shift,
            silos: self.silos.as_ref(),
            shifts: 1,
            extras: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Labels;
    use primitives::SubjectId;

    /// What is left of every target when `x · w` is taken off, subject by subject.
    fn residuals(world: &RegressionWorld, seed: &Seed) -> Vec<Vec<f64>> {
        let dataset = world.generate(seed).unwrap();
        let mut weights = vec![0.0; world.features as usize];
        normal::fill(&mut seed.stream(Stream::run(Role::Generate)), &mut weights);
        let scale = f64::from(world.features).sqrt();
        let (mut x, mut labels) = (Vec::new(), Labels::default());
        let of_subject = |subject: SubjectId| {
            dataset.gather(dataset.subjects().records(subject), &mut x, &mut labels);
            let Labels::Targets(targets) = &labels else {
                panic!("a number is predicted");
            };
            let rows = x.chunks_exact(dataset.width()).zip(targets);
            let left = |(x, target): (&[f32], &f32)| {
                let products = x.iter().zip(&weights).map(|(&x, w)| f64::from(x) * w);
                f64::from(*target) - products.sum::<f64>() / scale
            };
            rows.map(left).collect()
        };
        dataset.subjects().subjects().map(of_subject).collect()
    }

    /// The variance between subjects' levels and that of the noise about them.
    fn variances(residuals: &[Vec<f64>]) -> (f64, f64) {
        let (mut between, mut within) = (0.0, 0.0);
        for own in residuals {
            let count = own.len() as f64;
            let mean = own.iter().sum::<f64>() / count;
            let variance = own.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (count - 1.0);
            within += variance;
            between += mean * mean - variance / count;
        }
        let subjects = residuals.len() as f64;
        (between / subjects, within / subjects)
    }

    /// 3,060 levels and 45,900 degrees of freedom: standard errors of the variances are 2.7 % (with what the noise adds
    /// to it) and 0.7 %; 5 of them are left with probability 6e-7.
    #[test]
    fn targets_are_made_of_signal_level_and_noise_as_written() {
        let world = RegressionWorld {
            shift: 1.5,
            noise: 0.4.into(),
            ..RegressionWorld::new(3_000)
        };
        let (levels, noise) = variances(&residuals(&world, &Seed::from_number(4)));
        assert!((levels / 2.25 - 1.0).abs() < 0.135, "{levels}");
        assert!((noise / 0.16 - 1.0).abs() < 0.035, "{noise}");
    }

    /// With no level of their own, subjects' mean residuals are noise: their variance less what 16 records explain is 0
    /// within 5 of its standard errors, `0.16 / 16 · √(2 / 3,060)` and as much again for what is taken off.
    #[test]
    fn without_a_shift_nobody_has_a_level() {
        let world = RegressionWorld {
            shift: 0.0,
            noise: 0.4.into(),
            ..RegressionWorld::new(3_000)
        };
        let (levels, _) = variances(&residuals(&world, &Seed::from_number(4)));
        assert!(
            levels.abs() < 5.0 * 0.01 * 1.1 * (2.0_f64 / 3_060.0).sqrt(),
            "{levels}"
        );
    }

    /// In silo `h` the residuals deviate by `noise_h`: each of some 8,000 (standard error 0.8 %).
    #[test]
    fn each_silo_has_the_noise_that_is_written_for_it() {
        let noises = [0.1, 1.0, 3.0];
        let world = RegressionWorld {
            test_subjects: 0,
            shift: 0.0,
            noise: PerSilo::Each(noises.to_vec()),
            silos: Some(SiloWorld {
                count: 3,
                per_subject: 2,
                exponent: 0.0,
                spread: 1.0,
                shift: 0.0,
            }),
            ..RegressionWorld::new(1_500)
        };
        let seed = Seed::from_number(2);
        let silos = world
            .generate(&seed)
            .unwrap()
            .natural_silos()
            .unwrap()
            .of_records
            .clone();
        let (mut squares, mut counts) = ([0.0; 3], [0.0; 3]);
        for (residual, silo) in residuals(&world, &seed).iter().flatten().zip(silos) {
            squares[silo.index()] += residual * residual;
            counts[silo.index()] += 1.0;
        }
        for silo in 0..3 {
            let deviation: f64 = (squares[silo] / counts[silo]).sqrt();
            assert!(counts[silo] > 7_000.0);
            assert!(
                (deviation / noises[silo] - 1.0).abs() < 0.042,
                "silo {silo}: {deviation}"
            );
        }
    }
}
