//! How many records a subject has.

use super::check;
use crate::DataError;
use crate::partition::draw_index;
use primitives::{Role, Round, Seed, Stream};
use rand::RngExt;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The key `records_per_subject` of a generator: a number, or a law as a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RecordCount {
    /// Every subject has as many.
    Fixed(u32),
    /// Every subject has a number of its own.
    Law(RecordLaw),
}

/// A law by which subjects differ in how many records they have, independently of all else about them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum RecordLaw {
    /// Every number from `least` to `most` is equally likely.
    Uniform {
        /// The fewest records.
        least: u32,
        /// The most records.
        most: u32,
    },
    /// `k` records with probability in proportion to `1 / k^exponent`: few people have most of the records.
    Zipf {
        /// 0 makes every `k` equally likely.
        exponent: f64,
        /// The fewest records.
        least: u32,
        /// The most records.
        most: u32,
    },
}

impl RecordCount {
    /// The most records that a subject can have.
    pub(super) const fn most(&self) -> u32 {
        match *self {
            Self::Fixed(most)
            | Self::Law(RecordLaw::Uniform { most, .. } | RecordLaw::Zipf { most, .. }) => most,
        }
    }

    /// Refuses a law by which somebody could have no record, or that has no number to choose.
    pub(super) fn check(&self, kind: &str) -> Result<(), DataError> {
        let at_least = |key: &str, given: u32, least: u32| {
            let allowed = format!("a whole number of at least {least}");
            check(given >= least, kind, key, f64::from(given), &allowed)
        };
        match *self {
            Self::Fixed(count) => at_least("records_per_subject", count, 1),
            Self::Law(RecordLaw::Uniform { least, most }) => {
                at_least("records_per_subject.least", least, 1)?;
                at_least("records_per_subject.most", most, least)
            }
            Self::Law(RecordLaw::Zipf {
                exponent,
                least,
                most,
            }) => {
                at_least("records_per_subject.least", least, 1)?;
                at_least("records_per_subject.most", most, least)?;
                let fits = exponent.is_finite() && exponent >= 0.0;
                let allowed = "a finite number of at least 0";
                check(
                    fits,
                    kind,
                    "records_per_subject.exponent",
                    exponent,
                    allowed,
                )
            }
        }
    }

    /// How many records each of `people` has, from a stream of its own.
    pub(super) fn draw(&self, people: u32, seed: &Seed) -> Vec<u32> {
        let mut rng = seed.stream(Stream {
            round: Round(1),
            ..Stream::run(Role::Generate)
        });
        match *self {
            Self::Fixed(count) => vec![count; people as usize],
            Self::Law(RecordLaw::Uniform { least, most }) => (0..people)
                .map(|_| rng.random_range(least..=most))
                .collect(),
            Self::Law(RecordLaw::Zipf {
                exponent,
                least,
                most,
            }) => {
                let weights: Vec<f64> = (least..=most)
                    .map(|k| f64::from(k).powf(-exponent))
                    .collect();
                let mut draw = || least + draw_index(&weights, &mut rng) as u32;
                (0..people).map(|_| draw()).collect()
            }
        }
    }
}

impl From<u32> for RecordCount {
    fn from(count: u32) -> Self {
        Self::Fixed(count)
    }
}

impl Serialize for RecordCount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fixed(count) => serializer.serialize_u32(*count),
            Self::Law(law) => law.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for RecordCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrLaw;

        impl<'de> Visitor<'de> for NumberOrLaw {
            type Value = RecordCount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "a number of records, or a law of it such as { kind = \"uniform\", least = 4, most = 32 }",
                )
            }

            fn visit_u64<E: serde::de::Error>(self, count: u64) -> Result<RecordCount, E> {
                let count = u32::try_from(count).map_err(|_| {
                    E::custom(format_args!(
                        "{count} records; allowed is at most {}",
                        u32::MAX
                    ))
                })?;
                Ok(RecordCount::Fixed(count))
            }

            fn visit_i64<E: serde::de::Error>(self, count: i64) -> Result<RecordCount, E> {
                let count = u64::try_from(count).map_err(|_| {
                    E::custom(format_args!("{count} records; allowed is at least 1"))
                })?;
                self.visit_u64(count)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RecordCount, A::Error> {
                let law = RecordLaw::deserialize(MapAccessDeserializer::new(map));
                law.map(RecordCount::Law).map_err(A::Error::custom)
            }
        }

        deserializer.deserialize_any(NumberOrLaw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEOPLE: u32 = 40_000;

    /// H0: counts follow the law. Pearson's statistic over its cells leaves the stated quantile with probability 1e-6.
    fn chi_square(law: RecordLaw, first: u32, probabilities: &[f64]) -> f64 {
        let counts = RecordCount::Law(law).draw(PEOPLE, &Seed::from_number(5));
        let mut seen = vec![0.0; probabilities.len()];
        for count in counts {
            seen[(count - first) as usize] += 1.0;
        }
        let cell = |(seen, p): (&f64, &f64)| {
            let expected = p * f64::from(PEOPLE);
            (seen - expected).powi(2) / expected
        };
        seen.iter().zip(probabilities).map(cell).sum()
    }

    /// 42.7 and 35.9 are the quantiles at 1 − 1e-6 of chi-square with 8 and 5 degrees of freedom (scipy 1.17.1, `chi2.isf`).
    #[test]
    fn counts_follow_their_law() {
        let uniform = RecordLaw::Uniform { least: 2, most: 10 };
        let statistic = chi_square(uniform, 2, &[1.0 / 9.0; 9]);
        assert!(statistic < 42.7, "{statistic}");
        let zipf = RecordLaw::Zipf {
            exponent: 2.0,
            least: 1,
            most: 6,
        };
        // 1 + 1/4 + 1/9 + 1/16 + 1/25 + 1/36 = 5369/3600.
        let law: Vec<f64> = (1..=6)
            .map(|k| 3600.0 / 5369.0 / f64::from(k * k))
            .collect();
        let statistic = chi_square(zipf, 1, &law);
        assert!(statistic < 35.9, "{statistic}");
        // And the test can fail: the same counts are not uniform.
        assert!(chi_square(zipf, 1, &[1.0 / 6.0; 6]) > 1e4);
    }

    #[test]
    fn a_number_is_written_as_a_number_and_a_law_as_a_table() {
        let read = |text: &str| serde_json::from_str::<RecordCount>(text);
        for (text, count) in [
            ("16", RecordCount::Fixed(16)),
            (
                r#"{"kind":"uniform","least":4,"most":32}"#,
                RecordCount::Law(RecordLaw::Uniform { least: 4, most: 32 }),
            ),
            (
                r#"{"kind":"zipf","exponent":1.5,"least":1,"most":64}"#,
                RecordCount::Law(RecordLaw::Zipf {
                    exponent: 1.5,
                    least: 1,
                    most: 64,
                }),
            ),
        ] {
            assert_eq!(read(text).unwrap(), count);
            assert_eq!(serde_json::to_string(&count).unwrap(), text);
        }
        for (text, said) in [
            ("-1", "at least 1"),
            ("5000000000", "at most 4294967295"),
            (r#"{"kind":"uniform","least":4}"#, "most"),
            (r#"{"kind":"normal"}"#, "uniform"),
            ("\"many\"", "a number of records, or a law"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
