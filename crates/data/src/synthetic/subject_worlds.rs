//! People with a distribution of their own.
//!
//! Each subject `s` has a mean `μ_s ~ N(0, spread² I)` and a label shift `b_s ~ N(0, shift² I)`. Its
//! records are `x ~ N(μ_s, within² I)` with the label `argmax(x W / 2 + b_s)`, where `W` (features ×
//! classes, standard normal) is the same for all; with probability `label_noise` the label is replaced
//! by another class. With `spread = 0` and `shift = 0` subjects are all alike: the true null, under
//! which fresh records of a subject say nothing about its membership. How many records a subject has may
//! follow a law ([`RecordCount`]), and silos may differ ([`SiloWorld`], [`PerSilo`]).
//!
//! Source: the generator in the manner of Suri, Kanani, Marathe, Peterson 2022 (arXiv 2206.03317).

use super::crowd::{Crowd, defaults};
use super::silo_world::Places;
use super::{PerSilo, RecordCount, SiloWorld, check, own_or};
use crate::{DataError, Dataset, DatasetParts, Features};
use primitives::normal;
use primitives::{Role, Seed, Stream};
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// How distinct people are, how many, and how many records each has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectWorld {
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
    /// Classes.
    #[serde(default = "SubjectWorld::classes")]
    pub classes: u32,
    /// Standard deviation of the subjects' means: how far people lie apart.
    #[serde(default = "defaults::spread")]
    pub spread: f64,
    /// Standard deviation of a subject's records about its mean.
    #[serde(default = "defaults::within")]
    pub within: f64,
    /// Standard deviation of a subject's shift of every logit: how far people's labels differ.
    #[serde(default = "SubjectWorld::shift")]
    pub shift: f64,
    /// Probability that a record's label is replaced by another class, for all silos or for each.
    #[serde(default = "SubjectWorld::label_noise")]
    pub label_noise: PerSilo,
    /// Natural silos that differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silos: Option<SiloWorld>,
    /// A seed of its own, so that the people stay the same while the run's seed draws who is a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

impl SubjectWorld {
    const fn classes() -> u32 {
        5
    }
    const fn shift() -> f64 {
        2.0
    }
    const fn label_noise() -> PerSilo {
        PerSilo::All(0.25)
    }

    /// A world of `subjects` people with every other number at its default.
    pub const fn new(subjects: u32) -> Self {
        Self {
            subjects,
            records_per_subject: defaults::records_per_subject(),
            test_subjects: defaults::test_subjects(),
            features: defaults::features(),
            classes: Self::classes(),
            spread: defaults::spread(),
            within: defaults::within(),
            shift: Self::shift(),
            label_noise: Self::label_noise(),
            silos: None,
            seed: None,
        }
    }

    /// Draws the world: `W` first, then subject after subject, test subjects last.
    ///
    /// # Errors
    /// If a number is out of range.
    pub fn generate(&self, seed: &Seed) -> Result<Dataset, DataError> {
        self.check()?;
        let seed = own_or(self.seed, seed);
        let mut rng = seed.stream(Stream::run(Role::Generate));
        let d = self.features as usize;
        let mut weights = vec![0.0; d * self.classes as usize];
        normal::fill(&mut rng, &mut weights);
        let drawn = self.crowd().draw(&seed, &mut rng, |record, rng| {
            let label = argmax(record.x, &weights, record.shift);
            if rng.random::<f64>() < self.label_noise.of(record.silo) {
                (label + rng.random_range(1..self.classes)) % self.classes
            } else {
                label
            }
        });
        Dataset::try_new(DatasetParts {
            name: "synthetic subjects".to_owned(),
            features: Features::Floats(drawn.features),
            shape: vec![d],
            labels: drawn.labels.into(),
            classes: (0..self.classes).map(|class| class.to_string()).collect(),
            subjects: drawn.people.subjects(),
            subject_names: drawn.people.names(),
            splits: Some(drawn.people.splits()),
            natural_silos: drawn.places.map(Places::natural),
        })
    }

    fn crowd(&self) -> Crowd<'_> {
        Crowd {
            kind: "subjects",
            subjects: self.subjects,
            test_subjects: self.test_subjects,
            records: self.records_per_subject,
            features: self.features,
            spread: self.spread,
            within: self.within,
            shift: self.shift,
            silos: self.silos.as_ref(),
            shifts: self.classes as usize,
            extras: 0,
        }
    }

    fn check(&self) -> Result<(), DataError> {
        let crowd = self.crowd();
        crowd.check()?;
        let classes = f64::from(self.classes);
        let allowed = "a whole number of at least 2";
        check(self.classes >= 2, crowd.kind, "classes", classes, allowed)?;
        let probability = |given| (0.0..=1.0).contains(&given);
        let allowed = "a probability in [0, 1]";
        let silos = self.silos.as_ref();
        self.label_noise
            .check(crowd.kind, "label_noise", silos, probability, allowed)
    }
}

/// The class with the largest logit `x W / 2 + shift`; the first of several.
fn argmax(x: &[f64], weights: &[f64], shift: &[f64]) -> u32 {
    let mut logits = shift.to_vec();
    for (x, row) in x.iter().zip(weights.chunks_exact(shift.len())) {
        logits
            .iter_mut()
            .zip(row)
            .for_each(|(logit, weight)| *logit += 0.5 * x * weight);
    }
    let best = (1..logits.len()).fold(0, |best, i| if logits[i] > logits[best] { i } else { best });
    best as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Labels, RecordLaw};
    use primitives::RecordId;

    /// Standard deviation of the subjects' means, and of records about them, over all features.
    fn deviations(world: &SubjectWorld) -> (f64, f64) {
        let dataset = world.generate(&Seed::from_number(3)).unwrap();
        let d = dataset.width();
        let (mut between, mut within, mut cells) = (0.0, 0.0, 0.0);
        for subject in dataset.subjects().subjects() {
            let records = dataset.subjects().records(subject);
            let (mut x, mut labels) = (Vec::new(), Labels::default());
            dataset.gather(records, &mut x, &mut labels);
            for feature in 0..d {
                let column: Vec<f64> = x
                    .iter()
                    .skip(feature)
                    .step_by(d)
                    .map(|&x| f64::from(x))
                    .collect();
                let mean = column.iter().sum::<f64>() / column.len() as f64;
                let squares = column.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
                let variance = squares / (column.len() - 1) as f64;
                within += variance;
                between += mean * mean - variance / column.len() as f64;
                cells += 1.0;
            }
        }
        ((between / cells).sqrt(), (within / cells).sqrt())
    }

    /// 9,600 means and 38,400 records: five standard errors are 4 % and 2 %.
    #[test]
    fn people_lie_apart_and_records_about_them_as_written() {
        let world = SubjectWorld {
            records_per_subject: 4.into(),
            ..SubjectWorld::new(420)
        };
        let (between, within) = deviations(&world);
        assert!(
            (between - 1.0).abs() < 0.04 && (within - 0.6).abs() < 0.012,
            "{between} {within}"
        );
        let null = SubjectWorld {
            spread: 0.0,
            shift: 0.0,
            ..world
        };
        let (between, within) = deviations(&null);
        assert!(between.is_nan() || between < 0.06, "{between}");
        assert!((within - 0.6).abs() < 0.012, "{within}");
    }

    #[test]
    fn label_noise_replaces_labels_and_nothing_else() {
        let clean = SubjectWorld {
            label_noise: 0.0.into(),
            ..SubjectWorld::new(500)
        };
        let noisy = SubjectWorld {
            label_noise: 1.0.into(),
            ..clean.clone()
        };
        let [clean, noisy] =
            [clean, noisy].map(|world| world.generate(&Seed::from_number(1)).unwrap());
        // The first record is drawn before the streams part.
        let mut x = [[0.0; 20]; 2];
        clean.copy_features(RecordId(0), &mut x[0]);
        noisy.copy_features(RecordId(0), &mut x[1]);
        assert_eq!(x[0].map(f32::to_bits), x[1].map(f32::to_bits));
        assert_ne!(clean.class(RecordId(0)), noisy.class(RecordId(0)));
    }

    /// With a label shift, a subject's commonest class covers more of its records than without.
    #[test]
    fn a_shift_makes_a_subject_prefer_classes() {
        let concentration = |shift: f64| {
            let world = SubjectWorld {
                shift,
                spread: 0.0,
                label_noise: 0.0.into(),
                ..SubjectWorld::new(200)
            };
            let dataset = world.generate(&Seed::from_number(1)).unwrap();
            let share = |subject| {
                let records = dataset.subjects().records(subject);
                let count = |class| {
                    records
                        .iter()
                        .filter(|&&r| dataset.class(r) == class)
                        .count()
                };
                (0..5).map(count).max().unwrap() as f64 / records.len() as f64
            };
            dataset.subjects().subjects().map(share).sum::<f64>() / 260.0
        };
        assert!(concentration(6.0) > 0.8, "{}", concentration(6.0));
        assert!(concentration(0.0) < 0.6, "{}", concentration(0.0));
    }

    /// In silo `h` a share `noise_h` of the labels is not `argmax(x W / 2)`. Each share is over some 8,000 records
    /// (standard error 0.0056 at most); 5 standard errors are left with probability 6e-7.
    #[test]
    fn each_silo_has_the_label_noise_that_is_written_for_it() {
        let noises = [0.0, 0.1, 0.5];
        let world = SubjectWorld {
            test_subjects: 0,
            shift: 0.0,
            label_noise: PerSilo::Each(noises.to_vec()),
            silos: Some(SiloWorld {
                count: 3,
                per_subject: 2,
                exponent: 0.0,
                spread: 1.0,
                shift: 0.0,
            }),
            ..SubjectWorld::new(1_500)
        };
        let dataset = world.generate(&Seed::from_number(2)).unwrap();
        let mut rng = Seed::from_number(2).stream(Stream::run(Role::Generate));
        let mut weights = vec![0.0; 20 * 5];
        normal::fill(&mut rng, &mut weights);
        let silos = &dataset.natural_silos().unwrap().of_records;
        let (mut other, mut all) = ([0.0; 3], [0.0; 3]);
        let mut x = [0.0; 20];
        for record in dataset.records() {
            dataset.copy_features(record, &mut x);
            let clean = argmax(&x.map(f64::from), &weights, &[0.0; 5]);
            let silo = silos[record.index()].index();
            all[silo] += 1.0;
            other[silo] += f64::from(u8::from(clean != dataset.class(record)));
        }
        for silo in 0..3 {
            let share: f64 = other[silo] / all[silo];
            assert!(all[silo] > 7_000.0);
            assert!((share - noises[silo]).abs() < 0.028, "silo {silo}: {share}");
        }
    }

    /// A silo's mean moves its records: the means of 40 silos over 20 features deviate by 1.5 (800 normals: standard
    /// error 2.5 %, and 5 of them are left with probability 6e-7), beside 0.6/√600 of the records themselves.
    #[test]
    fn silos_move_the_records_that_they_hold() {
        let world = SubjectWorld {
            spread: 0.0,
            silos: Some(SiloWorld {
                count: 40,
                per_subject: 1,
                exponent: 0.0,
                spread: 1.5,
                shift: 0.0,
            }),
            ..SubjectWorld::new(1_500)
        };
        let dataset = world.generate(&Seed::from_number(2)).unwrap();
        let silos = &dataset.natural_silos().unwrap().of_records;
        let mut sums = vec![0.0; 40 * 20];
        let mut counts = [0.0; 40];
        let mut x = [0.0; 20];
        for record in dataset.records() {
            dataset.copy_features(record, &mut x);
            let silo = silos[record.index()].index();
            counts[silo] += 1.0;
            for (sum, x) in sums[silo * 20..][..20].iter_mut().zip(x) {
                *sum += f64::from(x);
            }
        }
        let mean_square = |(sums, count): (&[f64], &f64)| {
            sums.iter().map(|sum| (sum / count).powi(2)).sum::<f64>()
        };
        let squares: f64 = sums.chunks(20).zip(&counts).map(mean_square).sum();
        let deviation = (squares / 800.0).sqrt();
        assert!((deviation / 1.5 - 1.0).abs() < 0.125, "{deviation}");
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused_by_name() {
        let silos = SiloWorld {
            count: 3,
            per_subject: 1,
            exponent: 0.0,
            spread: 0.0,
            shift: 0.0,
        };
        let with = |change: &dyn Fn(&mut SubjectWorld)| {
            let mut world = SubjectWorld::new(20);
            change(&mut world);
            let error = world.generate(&Seed::from_number(1)).unwrap_err();
            error.to_string()
        };
        let each = PerSilo::Each(vec![0.1, 0.2]);
        let error = with(&|world| world.label_noise = each.clone());
        assert!(error.contains("a list needs the table silos"), "{error}");
        let error = with(&|world| {
            world.label_noise = each.clone();
            world.silos = Some(silos.clone());
        });
        assert!(error.contains("or 3 of them"), "{error}");
        let error = with(&|world| {
            world.silos = Some(SiloWorld {
                per_subject: 4,
                ..silos.clone()
            });
        });
        assert!(error.contains("silos.per_subject = 4"), "{error}");
        let error = with(&|world| {
            world.silos = Some(SiloWorld {
                count: 21,
                ..silos.clone()
            });
        });
        assert!(error.contains("from 1 to 20"), "{error}");
        let error = with(&|world| {
            world.records_per_subject = RecordCount::Law(RecordLaw::Uniform { least: 5, most: 4 });
        });
        assert!(error.contains("records_per_subject.most = 4"), "{error}");
    }
}
