//! Classes with a centre each and nobody in particular.
//!
//! Class `c` has a centre `m_c ~ N(0, centre_deviation² I)`; a record of it is `x ~ N(m_c, I)`. The data
//! of the benchmarks: large, quick to draw, hard enough that accuracy tells right from wrong.
//!
//! Features lie on a grid of steps of 0.035 and are kept as bytes, so that 100,000 records of 784
//! features take 78 MB. The normal law on the grid is drawn by inversion from a table of 2¹⁶ cells,
//! four features to one 64-bit draw; centres are rounded to the grid. The variance differs from 1 by
//! less than 1e-3.

use super::{check, own_or};
use crate::{DataError, Dataset, DatasetParts, Features, Split};
use primitives::normal;
use primitives::{Role, Seed, Stream, SubjectId};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// What one step of the grid is worth.
const STEP: f32 = 0.035;
/// The byte that stands for 0.
const ZERO: i32 = 128;

/// How many records of how many classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaussianClasses {
    /// Records in the train split.
    pub records: u32,
    /// Records in the test split: the population's.
    pub test_records: u32,
    /// Records of every subject; the last may have fewer.
    #[serde(default = "GaussianClasses::records_per_subject")]
    pub records_per_subject: u32,
    /// Features of a record.
    #[serde(default = "GaussianClasses::features")]
    pub features: u32,
    /// Classes.
    #[serde(default = "GaussianClasses::classes")]
    pub classes: u32,
    /// Standard deviation of the classes' centres.
    #[serde(default = "GaussianClasses::centre_deviation")]
    pub centre_deviation: f64,
    /// A seed of its own, so that the records stay the same whatever the run's seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

impl GaussianClasses {
    const fn records_per_subject() -> u32 {
        10
    }
    const fn features() -> u32 {
        784
    }
    const fn classes() -> u32 {
        10
    }
    const fn centre_deviation() -> f64 {
        0.1
    }

    /// Draws the records: centres first, then record after record, test records last.
    ///
    /// # Errors
    /// If a number is out of range.
    pub fn generate(&self, seed: &Seed) -> Result<Dataset, DataError> {
        self.check()?;
        let mut rng = own_or(self.seed, seed).stream(Stream::run(Role::Generate));
        let width = self.features as usize;
        let mut centres = vec![0.0; self.classes as usize * width];
        normal::fill(&mut rng, &mut centres);
        let on_grid =
            |centre: f64| (self.centre_deviation * centre / f64::from(STEP)).round() as i32;
        let centres: Vec<i32> = centres.into_iter().map(on_grid).collect();
        let table = normal_table();
        let records = (self.records + self.test_records) as usize;
        let mut values = Vec::with_capacity(records * width);
        let mut labels = Vec::with_capacity(records);
        for _ in 0..records {
            let label = rng.random_range(0..self.classes);
            labels.push(label);
            let centre = &centres[label as usize * width..][..width];
            let mut draw = 0;
            values.extend(centre.iter().enumerate().map(|(i, &middle)| {
                draw = if i % 4 == 0 {
                    rng.next_u64()
                } else {
                    draw >> 16
                };
                let noise = table[usize::from(draw as u16)];
                (i32::from(noise) + middle).clamp(0, 255) as u8
            }));
        }
        let train_subjects = self.records.div_ceil(self.records_per_subject);
        let people = train_subjects + self.test_records.div_ceil(self.records_per_subject);
        let subject_of = |record: u32| match record.checked_sub(self.records) {
            None => SubjectId(record / self.records_per_subject),
            Some(test) => SubjectId(train_subjects + test / self.records_per_subject),
        };
        let split_of = |record| {
            if record < self.records {
                Split::Train
            } else {
                Split::Test
            }
        };
        let all = 0..self.records + self.test_records;
        Dataset::try_new(DatasetParts {
            name: "synthetic gaussian-classes".to_owned(),
            features: Features::Bytes {
                values,
                scale: STEP,
                offset: -STEP * ZERO as f32,
            },
            shape: vec![width],
            labels: labels.into(),
            classes: (0..self.classes).map(|class| class.to_string()).collect(),
            subjects: all.clone().map(subject_of).collect(),
            subject_names: (0..people).map(|subject| format!("s{subject}")).collect(),
            natural_silos: None,
            splits: Some(all.map(split_of).collect()),
        })
    }

    fn check(&self) -> Result<(), DataError> {
        let at_least = |key, given: u32, least: u32| {
            let allowed = format!("a whole number of at least {least}");
            check(
                given >= least,
                "gaussian-classes",
                key,
                f64::from(given),
                &allowed,
            )
        };
        at_least("records", self.records, 2)?;
        at_least("test_records", self.test_records, 1)?;
        at_least("records_per_subject", self.records_per_subject, 1)?;
        at_least("features", self.features, 1)?;
        at_least("classes", self.classes, 2)?;
        let fits = (0.0..=2.0).contains(&self.centre_deviation);
        let allowed = "a number in [0, 2], beyond which the grid would cut records off";
        check(
            fits,
            "gaussian-classes",
            "centre_deviation",
            self.centre_deviation,
            allowed,
        )?;
        let records = f64::from(self.records) + f64::from(self.test_records);
        let values = records * f64::from(self.features);
        let allowed = "at most 4e9 features over all records";
        check(
            values <= 4e9,
            "gaussian-classes",
            "records · features",
            values,
            allowed,
        )
    }
}

/// The standard normal law on the grid: entry `u` is the byte that the quantile `u / 2¹⁶` falls on.
fn normal_table() -> Vec<u8> {
    const PARTS: i32 = 16;
    let mass = |byte: i32| -> f64 {
        (0..PARTS)
            .map(|part| f64::from(byte - ZERO) - 0.5 + (f64::from(part) + 0.5) / f64::from(PARTS))
            .map(|steps| (-(steps * f64::from(STEP)).powi(2) / 2.0).exp())
            .sum()
    };
    let total: f64 = (0..256).map(mass).sum();
    let mut table = Vec::with_capacity(1 << 16);
    let mut below = 0.0;
    for byte in 0..256 {
        below += mass(byte);
        table.resize((65536.0 * below / total).round() as usize, byte as u8);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use primitives::RecordId;

    #[test]
    fn the_table_is_standard_normal() {
        let table = normal_table();
        assert_eq!(table.len(), 1 << 16);
        let moment = |power: i32| {
            let value =
                |&byte: &u8| (f64::from(i32::from(byte) - ZERO) * f64::from(STEP)).powi(power);
            table.iter().map(value).sum::<f64>() / 65536.0
        };
        // E x = 0, E x² = 1, E x⁴ = 3; the grid adds step²/12 = 1e-4 to the variance.
        assert!(moment(1).abs() < 1e-4, "{}", moment(1));
        assert!((moment(2) - 1.0).abs() < 1e-3, "{}", moment(2));
        assert!((moment(4) - 3.0).abs() < 1e-2, "{}", moment(4));
    }

    #[test]
    fn records_lie_about_the_centre_of_their_class() {
        let config = GaussianClasses {
            records: 4_000,
            test_records: 95,
            records_per_subject: 10,
            features: 30,
            classes: 3,
            centre_deviation: 1.0,
            seed: Some(1),
        };
        let dataset = config.generate(&Seed::from_number(9)).unwrap();
        assert_eq!(
            dataset.digest(),
            config.generate(&Seed::from_number(8)).unwrap().digest()
        );
        assert_eq!(dataset.subject_names().len(), 410);
        assert_eq!(dataset.subjects().records(SubjectId(409)).len(), 5);
        assert_eq!(dataset.split(RecordId(4_000)), Some(Split::Test));
        // About the mean of their class, features have variance 1; H0 fails at 1e-6 outside ± 0.02
        // (120,000 draws: standard error 0.004).
        let mut sums = vec![[0.0_f64; 3]; 3 * 30];
        let mut x = [0.0; 30];
        for record in dataset.records().take(4_000) {
            dataset.copy_features(record, &mut x);
            for (i, &x) in x.iter().enumerate() {
                let cell = &mut sums[dataset.class(record) as usize * 30 + i];
                *cell = [
                    cell[0] + 1.0,
                    cell[1] + f64::from(x),
                    cell[2] + f64::from(x * x),
                ];
            }
        }
        let variances = sums
            .iter()
            .map(|[n, sum, square]| square / n - (sum / n).powi(2));
        let mean = variances.sum::<f64>() / 90.0;
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        let centres: Vec<f64> = sums.iter().map(|[n, sum, _]| sum / n).collect();
        let spread = centres.iter().map(|m| m * m).sum::<f64>() / 90.0;
        assert!((0.4..2.0).contains(&spread), "{spread}");
    }
}
