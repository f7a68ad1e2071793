//! Silos that differ: which subjects they hold, and what is peculiar to their records.

use super::check;
use super::people::People;
use crate::partition::{choose_silos, homes};
use crate::{DataError, NaturalSilos};
use primitives::normal;
use primitives::{Role, Round, Seed, SiloId, Stream};
use serde::{Deserialize, Serialize};

/// The table `silos` of a generator: natural silos with a law of their own each.
///
/// Silo `h` moves its records' features by `m_h ~ N(0, spread² I)` and what decides their labels by
/// `b_h ~ N(0, shift² I)`. What is peculiar to a silo tells who was in it only as far as silos have
/// different shares of members: with few subjects a silo it is no exact null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiloWorld {
    /// How many silos there are.
    pub count: u32,
    /// Silos that hold some of a subject's records: its home, and others. Records are dealt to them evenly.
    #[serde(default = "SiloWorld::per_subject")]
    pub per_subject: u32,
    /// Silo `i` (from 1) is the home of a share of the subjects in proportion to `1 / i^exponent`.
    #[serde(default)]
    pub exponent: f64,
    /// Standard deviation of the silos' means: how far their records lie apart.
    #[serde(default)]
    pub spread: f64,
    /// Standard deviation of a silo's label shift.
    #[serde(default)]
    pub shift: f64,
}

/// A number for all silos, or one for each: `0.25` or `[0.0, 0.5]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a number, or a list with one number for each of the source's silos"
)]
pub enum PerSilo {
    /// The same for all.
    All(f64),
    /// Entry `h` is that of silo `h`.
    Each(Vec<f64>),
}

/// Where records lie, and what is peculiar to each silo.
pub(super) struct Places {
    /// The silo of every record, subject after subject.
    pub of_records: Vec<SiloId>,
    /// Silos.
    pub count: u32,
    /// What every silo adds to its records' features. Shape: `[silos × features]`.
    pub means: Vec<f64>,
    /// What every silo adds to its records' label shift. Shape: `[silos × shifts]`.
    pub shifts: Vec<f64>,
}

impl SiloWorld {
    const fn per_subject() -> u32 {
        1
    }

    /// Refuses silos that `subjects` cannot fill and numbers out of range.
    pub(super) fn check(&self, kind: &str, subjects: u32) -> Result<(), DataError> {
        let among = |key: &str, given: u32, most: u32, of: &str| {
            let allowed = format!("a whole number from 1 to {most}, the number of {of}");
            let fits = (1..=most).contains(&given);
            check(fits, kind, key, f64::from(given), &allowed)
        };
        among("silos.count", self.count, subjects.min(1 << 24), "subjects")?;
        among("silos.per_subject", self.per_subject, self.count, "silos")?;
        for (key, given) in [
            ("silos.exponent", self.exponent),
            ("silos.spread", self.spread),
            ("silos.shift", self.shift),
        ] {
            let fits = given.is_finite() && given >= 0.0;
            check(fits, kind, key, given, "a finite number of at least 0")?;
        }
        Ok(())
    }

    /// Puts the records of `people` into silos, and draws what is peculiar to each silo.
    ///
    /// Homes follow `exponent` among the train subjects and, by themselves, among the population.
    pub(super) fn draw(
        &self,
        people: &People,
        features: usize,
        shifts: usize,
        seed: &Seed,
    ) -> Places {
        let mut rng = seed.stream(Stream {
            round: Round(2),
            ..Stream::run(Role::Generate)
        });
        let weights: Vec<f64> = (1..=self.count)
            .map(|i| f64::from(i).powf(-self.exponent))
            .collect();
        let train = people.train as usize;
        let homes_of = |subjects: usize| homes(&weights, subjects).take(subjects);
        let homes = homes_of(train).chain(homes_of(people.counts.len() - train));
        let mut of_records = Vec::with_capacity(people.records());
        for (home, &records) in homes.zip(&people.counts) {
            let count = self.per_subject.min(records) as usize;
            let holders = choose_silos(home, count, &weights, &mut rng);
            of_records.extend(holders.into_iter().cycle().take(records as usize));
        }
        let (mut means, mut shift_of) = (Vec::new(), Vec::new());
        let mut normals = vec![0.0; features + shifts];
        for silo in (0..self.count).map(SiloId) {
            let mut rng = seed.stream(Stream::silo(Role::Generate, silo, Round(3)));
            normal::fill(&mut rng, &mut normals);
            let (mean, shift) = normals.split_at(features);
            means.extend(mean.iter().map(|x| self.spread * x));
            shift_of.extend(shift.iter().map(|x| self.shift * x));
        }
        Places {
            of_records,
            count: self.count,
            means,
            shifts: shift_of,
        }
    }
}

impl Places {
    /// What the data set says of its silos.
    pub(super) fn natural(self) -> NaturalSilos {
        NaturalSilos {
            of_records: self.of_records,
            names: (0..self.count).map(|silo| format!("h{silo}")).collect(),
        }
    }
}

impl PerSilo {
    /// The number of `silo`, or that of all where there are no silos.
    pub(super) fn of(&self, silo: Option<SiloId>) -> f64 {
        match self {
            Self::All(number) => *number,
            Self::Each(numbers) => numbers[silo.map_or(0, SiloId::index)],
        }
    }

    /// Refuses a list that is not as long as there are silos, and numbers that do not fit `allowed`.
    pub(super) fn check(
        &self,
        kind: &str,
        key: &str,
        silos: Option<&SiloWorld>,
        fits: impl Fn(f64) -> bool,
        allowed: &str,
    ) -> Result<(), DataError> {
        let numbers = match self {
            Self::All(number) => std::slice::from_ref(number),
            Self::Each(numbers) => {
                let count = silos.map_or(0, |silos| silos.count as usize);
                if count == 0 || numbers.len() != count {
                    let allowed = match count {
                        0 => "a number; a list needs the table silos".to_owned(),
                        _ => format!("a number, or {count} of them, one for each silo"),
                    };
                    return Err(DataError::new(
                        format_args!("synthetic source {kind:?}"),
                        format!("{} numbers for {key}", numbers.len()),
                        allowed,
                        format!("change data.source.synthetic.{key}"),
                    ));
                }
                numbers
            }
        };
        numbers
            .iter()
            .try_for_each(|&number| check(fits(number), kind, key, number, allowed))
    }
}

impl From<f64> for PerSilo {
    fn from(number: f64) -> Self {
        Self::All(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> SiloWorld {
        SiloWorld {
            count: 4,
            per_subject: 1,
            exponent: 0.0,
            spread: 0.0,
            shift: 0.0,
        }
    }

    fn homes_of(world: &SiloWorld, train: u32, test: u32) -> Vec<usize> {
        let people = People {
            counts: vec![1; (train + test) as usize],
            train,
        };
        let places = world.draw(&people, 1, 1, &Seed::from_number(1));
        let mut counts = vec![0; world.count as usize];
        for silo in places.of_records {
            counts[silo.index()] += 1;
        }
        counts
    }

    #[test]
    fn homes_follow_the_exponent_among_train_subjects_and_population() {
        assert_eq!(homes_of(&world(), 40, 8), [12, 12, 12, 12]);
        let skewed = SiloWorld {
            exponent: 1.0,
            ..world()
        };
        // 1 : 1/2 : 1/3 : 1/4 of 96 and of 0, beside one each: 46.08, 23.04, 15.36, 11.52.
        assert_eq!(homes_of(&skewed, 100, 0), [47, 24, 16, 13]);
    }

    #[test]
    fn a_subject_lies_in_as_many_silos_as_written_and_evenly() {
        let people = People {
            counts: vec![6; 50],
            train: 50,
        };
        let world = SiloWorld {
            per_subject: 3,
            ..world()
        };
        let places = world.draw(&people, 2, 2, &Seed::from_number(1));
        for records in places.of_records.chunks_exact(6) {
            let in_silo = |silo| records.iter().filter(|&&at| at == SiloId(silo)).count();
            let mut counts: Vec<usize> = (0..4).map(in_silo).collect();
            counts.sort_unstable();
            assert_eq!(counts, [0, 2, 2, 2]);
        }
    }

    /// 20,000 normals: their deviation leaves ± 2.5 % with probability 6e-7 (standard error 0.5 %).
    #[test]
    fn silos_lie_apart_as_written() {
        let people = People {
            counts: vec![1; 400],
            train: 400,
        };
        let world = SiloWorld {
            count: 400,
            spread: 2.0,
            shift: 0.5,
            ..world()
        };
        let places = world.draw(&people, 50, 50, &Seed::from_number(1));
        for (drawn, deviation) in [(&places.means, 2.0), (&places.shifts, 0.5)] {
            let squares = drawn.iter().map(|x| x * x).sum::<f64>() / drawn.len() as f64;
            let ratio = squares.sqrt() / deviation;
            assert!((ratio - 1.0).abs() < 0.025, "{ratio}");
        }
    }
}
