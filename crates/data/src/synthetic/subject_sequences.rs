//! People who write texts by a Markov chain of their own.
//!
//! A common chain has rows `p_a ~ Dirichlet(evenness, …, evenness)`: after token `a` comes token `b` with
//! probability `p_a(b)`. Each subject's rows are drawn about it, `q_a ~ Dirichlet(p_a / distinctiveness)`, so
//! that `E q_a = p_a` and `Var q_a(b) = p_a(b) (1 − p_a(b)) δ / (1 + δ)` for a distinctiveness of `δ`. At 0 all
//! chains are the common one: the true null, under which fresh records of a subject say nothing about its membership.
//!
//! A record is a window of `length` tokens; its label is the token after it. Without a `stride` every record is
//! a text of its own: a uniform token, and the chain from there. With one, a subject has one such text, over which
//! the window moves by `stride` tokens from record to record, as over a role's speeches in `shakespeare`.

use super::people::People;
use super::{RecordCount, check, own_or};
use crate::features::TokenWindows;
use crate::partition::{draw_index, proportions};
use crate::{DataError, Dataset, DatasetParts, Features};
use primitives::{Role, Seed, Stream};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// How distinct people's chains are, how many people, and how many records of what length each has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SequenceWorld {
    /// Subjects who become members or non-members.
    pub subjects: u32,
    /// Records of a subject, training and held-out ones together: a number or a law.
    #[serde(default = "SequenceWorld::records_per_subject")]
    pub records_per_subject: RecordCount,
    /// Further subjects, in the test split: the population.
    #[serde(default = "SequenceWorld::test_subjects")]
    pub test_subjects: u32,
    /// Different tokens.
    #[serde(default = "SequenceWorld::vocabulary")]
    pub vocabulary: u32,
    /// Tokens of a record, its label not counted.
    #[serde(default = "SequenceWorld::length")]
    pub length: u32,
    /// By how many tokens the window moves along a subject's one text; unset, every record is a text of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<u32>,
    /// Concentration of the common chain's rows: 0.1 leaves a token few successors, 100 nearly all alike.
    #[serde(default = "SequenceWorld::evenness")]
    pub evenness: f64,
    /// How far people's chains lie from the common one: 0 not at all.
    #[serde(default = "SequenceWorld::distinctiveness")]
    pub distinctiveness: f64,
    /// A seed of its own, so that the people stay the same while the run's seed draws who is a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// Where tokens follow each other. Row `a` has the probability of every token after `a`.
struct Chain {
    rows: Vec<Vec<f64>>,
}

impl SequenceWorld {
    const fn records_per_subject() -> RecordCount {
        RecordCount::Fixed(32)
    }
    const fn test_subjects() -> u32 {
        60
    }
    const fn vocabulary() -> u32 {
        12
    }
    const fn length() -> u32 {
        8
    }
    const fn evenness() -> f64 {
        0.5
    }
    const fn distinctiveness() -> f64 {
        1.0
    }

    /// A world of `subjects` people with every other number at its default.
    pub const fn new(subjects: u32) -> Self {
        Self {
            subjects,
            records_per_subject: Self::records_per_subject(),
            test_subjects: Self::test_subjects(),
            vocabulary: Self::vocabulary(),
            length: Self::length(),
            stride: None,
            evenness: Self::evenness(),
            distinctiveness: Self::distinctiveness(),
            seed: None,
        }
    }

    /// Draws the world: the common chain first, then subject after subject, chain and texts, test subjects last.
    ///
    /// # Errors
    /// If a number is out of range.
    pub fn generate(&self, seed: &Seed) -> Result<Dataset, DataError> {
        self.check()?;
        let seed = own_or(self.seed, seed);
        let mut rng = seed.stream(Stream::run(Role::Generate));
        let people = People {
            counts: (self.records_per_subject).draw(self.subjects + self.test_subjects, &seed),
            train: self.subjects,
        };
        let common = self.common_chain(&mut rng);
        let length = self.length as usize;
        let mut windows = TokenWindows {
            text: Vec::with_capacity(people.records() * (length + 1)),
            starts: Vec::with_capacity(people.records()),
            width: length,
        };
        for &records in &people.counts {
            let chain = self.own_chain(&common, &mut rng);
            let steps = self.stride.unwrap_or(self.length + 1);
            let begin = windows.text.len() as u32;
            windows
                .starts
                .extend((0..records).map(|i| begin + i * steps));
            if self.stride.is_some() {
                let tokens = (records - 1) * steps + self.length + 1;
                chain.write(tokens as usize, &mut windows.text, &mut rng);
            } else {
                for _ in 0..records {
                    chain.write(length + 1, &mut windows.text, &mut rng);
                }
            }
        }
        let after = |&start: &u32| u32::from(windows.text[start as usize + length]);
        Dataset::try_new(DatasetParts {
            name: "synthetic subject-sequences".to_owned(),
            labels: windows.starts.iter().map(after).collect(),
            features: Features::Tokens(windows),
            shape: vec![length],
            classes: (0..self.vocabulary)
                .map(|token| token.to_string())
                .collect(),
            subjects: people.subjects(),
            subject_names: people.names(),
            splits: Some(people.splits()),
            natural_silos: None,
        })
    }

    fn common_chain(&self, rng: &mut dyn Rng) -> Chain {
        let concentrations = vec![self.evenness; self.vocabulary as usize];
        Chain {
            rows: (0..self.vocabulary)
                .map(|_| proportions(&concentrations, rng))
                .collect(),
        }
    }

    fn own_chain(&self, common: &Chain, rng: &mut dyn Rng) -> Chain {
        let about = |row: &Vec<f64>| {
            if self.distinctiveness > 0.0 {
                let concentrations: Vec<f64> =
                    row.iter().map(|p| p / self.distinctiveness).collect();
                proportions(&concentrations, rng)
            } else {
                row.clone()
            }
        };
        Chain {
            rows: common.rows.iter().map(about).collect(),
        }
    }

    fn check(&self) -> Result<(), DataError> {
        const KIND: &str = "subject-sequences";
        let within = |key: &str, given: u32, least: u32, most: u32| {
            let allowed = format!("a whole number from {least} to {most}");
            let fits = (least..=most).contains(&given);
            check(fits, KIND, key, f64::from(given), &allowed)
        };
        within("subjects", self.subjects, 2, u32::MAX)?;
        self.records_per_subject.check(KIND)?;
        within("vocabulary", self.vocabulary, 2, 256)?;
        within("length", self.length, 1, 4096)?;
        if let Some(stride) = self.stride {
            within("stride", stride, 1, self.length + 1)?;
        }
        let fits = (1e-3..=1e6).contains(&self.evenness);
        let allowed = "a number from 0.001 (one successor a token) to 1000000 (all alike)";
        check(fits, KIND, "evenness", self.evenness, allowed)?;
        let fits = (0.0..=1e3).contains(&self.distinctiveness);
        let allowed = "a number from 0 (all people alike) to 1000";
        check(fits, KIND, "distinctiveness", self.distinctiveness, allowed)?;
        let people = f64::from(self.subjects) + f64::from(self.test_subjects);
        let tokens =
            people * f64::from(self.records_per_subject.most()) * f64::from(self.length + 1);
        let allowed = "at most 2^30 tokens over all records";
        let fits = tokens <= f64::from(1 << 30);
        check(
            fits,
            KIND,
            "subjects · records · (length + 1)",
            tokens,
            allowed,
        )
    }
}

impl Chain {
    /// Appends a text of `tokens` tokens: a uniform one, and each next one by its predecessor's row.
    fn write(&self, tokens: usize, text: &mut Vec<u8>, rng: &mut dyn Rng) {
        let mut token = rng.random_range(0..self.rows.len());
        text.push(token as u8);
        for _ in 1..tokens {
            token = draw_index(&self.rows[token], rng);
            text.push(token as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use primitives::RecordId;

    fn rng() -> impl Rng {
        Seed::from_number(3).stream(Stream::run(Role::Generate))
    }

    /// Over 4,000 chains of 12 × 12 the mean of `(q − p)²` is `p (1 − p) δ / (1 + δ)` summed over all cells. The
    /// 4,000 sums are independent; their mean leaves 5 of its own standard errors with probability 6e-7.
    #[test]
    fn own_chains_lie_about_the_common_one_as_written() {
        for distinctiveness in [0.05, 1.0, 8.0] {
            let world = SequenceWorld {
                distinctiveness,
                ..SequenceWorld::new(2)
            };
            let mut rng = rng();
            let common = world.common_chain(&mut rng);
            let cells = || common.rows.iter().flatten();
            let mut mean = vec![0.0; 144];
            let distances: Vec<f64> = (0..4_000)
                .map(|_| {
                    let own = world.own_chain(&common, &mut rng);
                    let own = own.rows.iter().flatten().zip(&mut mean).zip(cells());
                    own.map(|((q, mean), p)| {
                        *mean += q / 4_000.0;
                        (q - p).powi(2)
                    })
                    .sum()
                })
                .collect();
            let law: f64 = cells().map(|p| p * (1.0 - p)).sum::<f64>() * distinctiveness
                / (1.0 + distinctiveness);
            let average = distances.iter().sum::<f64>() / 4_000.0;
            let variance = distances.iter().map(|x| (x - average).powi(2)).sum::<f64>() / 3_999.0;
            let error = (variance / 4_000.0).sqrt();
            assert!(
                (average - law).abs() < 5.0 * error,
                "{average} {law} {error}"
            );
            // Any of at most 144 means leaves 6 standard errors with probability 3e-7; the mean of a rare successor is
            // no normal variable, and is left out.
            for (mean, p) in mean
                .iter()
                .zip(cells())
                .filter(|(_, p)| (0.01..0.99).contains(*p))
            {
                let share = distinctiveness / (1.0 + distinctiveness) / 4_000.0;
                let error = (p * (1.0 - p) * share).sqrt();
                assert!((mean - p).abs() < 6.0 * error + 1e-9, "{mean} {p}");
            }
        }
    }

    /// Pearson's statistic of the transitions in all records against `chain`, over cells that expect at least 5.
    fn transitions(dataset: &Dataset, chain: &Chain) -> (f64, usize) {
        let size = chain.rows.len();
        let mut counts = vec![0.0; size * size];
        let mut window = vec![0.0; dataset.width()];
        for record in dataset.records() {
            dataset.copy_features(record, &mut window);
            let mut tokens: Vec<usize> = window.iter().map(|&token| token as usize).collect();
            tokens.push(dataset.class(record) as usize);
            for pair in tokens.windows(2) {
                counts[pair[0] * size + pair[1]] += 1.0;
            }
        }
        let (mut statistic, mut cells) = (0.0, 0);
        for (row, counts) in chain.rows.iter().zip(counts.chunks_exact(size)) {
            let total: f64 = counts.iter().sum();
            for (p, count) in row.iter().zip(counts).filter(|(p, _)| *p * total >= 5.0) {
                statistic += (count - p * total).powi(2) / (p * total);
                cells += 1;
            }
        }
        (statistic, cells)
    }

    /// H0: with distinctiveness 0 every record follows the common chain. The statistic has at most `cells` degrees
    /// of freedom; its mean and 7 standard deviations are left with probability below 1e-6.
    #[test]
    fn without_distinctiveness_everybody_writes_by_the_common_chain() {
        let null = SequenceWorld {
            distinctiveness: 0.0,
            ..SequenceWorld::new(400)
        };
        let common = null.common_chain(&mut rng());
        let seed = Seed::from_number(3);
        let (statistic, cells) = transitions(&null.generate(&seed).unwrap(), &common);
        let bound = |cells: usize| cells as f64 + 7.0 * (2.0 * cells as f64).sqrt();
        assert!(
            cells > 100 && statistic < bound(cells),
            "{statistic} {cells}"
        );
        let distinct = SequenceWorld {
            distinctiveness: 1.0,
            ..null
        };
        let (statistic, cells) = transitions(&distinct.generate(&seed).unwrap(), &common);
        assert!(statistic > 3.0 * bound(cells), "{statistic} {cells}");
    }

    #[test]
    fn with_a_stride_a_subject_has_one_text() {
        let world = SequenceWorld {
            stride: Some(3),
            records_per_subject: 5.into(),
            ..SequenceWorld::new(4)
        };
        let dataset = world.generate(&Seed::from_number(1)).unwrap();
        let window = |record: u32| {
            let mut window = [0.0; 8];
            dataset.copy_features(RecordId(record), &mut window);
            window.map(|token| token as u32)
        };
        for record in [0, 1, 2, 3, 5, 6] {
            assert_eq!(window(record)[3..], window(record + 1)[..5]);
            assert_eq!(dataset.class(RecordId(record)), window(record + 1)[5]);
        }
        let Features::Tokens(windows) = dataset.features() else {
            panic!("records are windows");
        };
        assert_eq!(windows.text.len(), 64 * (4 * 3 + 9));
    }

    #[test]
    fn numbers_out_of_range_are_refused_by_name() {
        type Change = fn(&mut SequenceWorld);
        let refusal = |change: Change| {
            let mut world = SequenceWorld::new(10);
            change(&mut world);
            let error = world.generate(&Seed::from_number(1)).unwrap_err();
            error.to_string()
        };
        let cases: [(Change, &str); 5] = [
            (|world| world.vocabulary = 257, "vocabulary = 257"),
            (|world| world.length = 0, "length = 0"),
            (|world| world.stride = Some(10), "stride = 10"),
            (|world| world.evenness = 0.0, "evenness = 0"),
            (|world| world.distinctiveness = -1.0, "distinctiveness = -1"),
        ];
        for (change, said) in cases {
            let error = refusal(change);
            assert!(error.contains(said), "{error}");
        }
    }
}
