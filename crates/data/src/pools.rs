//! Who is a member, who is not, and who stands apart.
//!
//! *Members* are the subjects whose records the silos train on; *non-members* are people like them
//! who were left out; the *population* is other people again, on whom accuracy is measured and from
//! whom attacks may draw references.
//!
//! Every member and non-member has its records divided the same way into *kept* and *held-out* ones,
//! before membership is drawn. Only the kept records of members are trained on. The held-out records
//! are what an adversary with fresh records of a subject holds. As the division knows nothing of
//! membership, members and non-members are exchangeable when the model has learnt nothing.

use crate::config::{DataConfig, Fraction, MembershipLaw};
use crate::division::{divide, most_of, share_of};
use crate::{Dataset, Enrolment, Split, SubjectIndex};
use primitives::{RecordId, Role, Seed, Stream, SubjectId};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

/// The subjects of a run by the part they play, and the records that go with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pools {
    members: Vec<SubjectId>,
    non_members: Vec<SubjectId>,
    population: Vec<SubjectId>,
    population_records: Vec<RecordId>,
    kept: SubjectIndex,
    held_out: SubjectIndex,
}

/// Pools that the data cannot fill.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PoolsError {
    /// Too few subjects for a member and a non-member.
    #[error(
        "{data}: {eligible} subjects remain beside {population} of the population; at least 2 are needed, \
         one member and one non-member; lower data.population_fraction, raise data.max_subjects or bring \
         more subjects"
    )]
    TooFewSubjects {
        /// The data set.
        data: String,
        /// Subjects that could be members.
        eligible: usize,
        /// Subjects of the population.
        population: usize,
    },
    /// Nobody is left to measure accuracy on.
    #[error(
        "{data}: no subject is left for the population; accuracy is measured on people outside the \
         federation; raise data.population_fraction above 0 (given {given})"
    )]
    NoPopulation {
        /// The data set.
        data: String,
        /// The fraction that was given.
        given: f64,
    },
    /// A subject has records on both sides of the published split.
    #[error(
        "{data}: subject {subject:?} has records in both the train and the test split; the population must be \
         other people than the members; set data.population_fraction (e.g. 0.2) to draw it by subject instead"
    )]
    SplitWithinSubject {
        /// The data set.
        data: String,
        /// The name of the first such subject.
        subject: String,
    },
    /// A list names everybody, or somebody who is in the test split.
    #[error(
        "{data}: data.membership lists {subject:?}, and accuracy is measured on people who are in neither pool: leave \
         those of the test split, or some others, out of the list"
    )]
    ListedPopulation {
        /// The data set.
        data: String,
        /// The first subject that should not be listed.
        subject: String,
    },
    /// A list without a member or without a non-member.
    #[error(
        "{data}: data.membership lists {members} members and {non_members} non-members; an attack needs some of both: \
         list those who were left out too, with 0"
    )]
    OneSided {
        /// The data set.
        data: String,
        /// Members that are listed.
        members: usize,
        /// Non-members that are listed.
        non_members: usize,
    },
    /// A given set of members is not possible.
    #[error(
        "{subject} is in the population or outside the data; members are chosen among the {eligible} others"
    )]
    NotEligible {
        /// The subject that was to be a member.
        subject: SubjectId,
        /// Subjects that can be members.
        eligible: usize,
    },
}

impl Pools {
    /// Draws the pools of a run.
    ///
    /// The population is the published test split if there is one and `population_fraction` is not
    /// set, and otherwise that fraction of the subjects (by default a fifth). Of the others, at most
    /// `max_subjects` stay, and `member_fraction` of those are members, rounded, with at least one
    /// subject on either side while the fraction is below 1.
    ///
    /// # Errors
    /// If the data has too few subjects, nobody for the population, or a split that runs through a
    /// subject.
    pub fn draw(dataset: &Dataset, config: &DataConfig, seed: &Seed) -> Result<Self, PoolsError> {
        let mut rng = seed.stream(Stream::run(Role::Pools));
        let mut everyone: Vec<SubjectId> = dataset.subjects().subjects().collect();
        let (mut eligible, mut population) = match config.population_fraction {
            None if dataset.has_test_split() => by_split(dataset)?,
            fraction => {
                let fraction = fraction.map_or(DataConfig::POPULATION_FRACTION, Fraction::get);
                everyone.shuffle(&mut rng);
                let eligible = everyone.split_off(share_of(everyone.len(), fraction));
                (eligible, everyone)
            }
        };
        let data = || dataset.name().to_owned();
        if population.is_empty() {
            let given = config.population_fraction.map_or(0.0, Fraction::get);
            return Err(PoolsError::NoPopulation {
                data: data(),
                given,
            });
        }
        eligible.shuffle(&mut rng);
        eligible.truncate(most_of(config.max_subjects));
        if eligible.len() < 2 {
            let (eligible, population) = (eligible.len(), population.len());
            return Err(PoolsError::TooFewSubjects {
                data: data(),
                eligible,
                population,
            });
        }
        eligible.sort_unstable();
        population.sort_unstable();
        let mut pools = Self::divided(dataset, config, eligible, population, &mut rng);
        pools.draw_members(config, seed);
        Ok(pools)
    }

    /// The pools of a run whose members somebody else chose.
    ///
    /// The population is the published test split if there is one, and otherwise everyone who is not listed.
    ///
    /// # Errors
    /// If nobody is left for the population, one of the test split is listed, or no member or no non-member is.
    pub fn listed(
        dataset: &Dataset,
        config: &DataConfig,
        enrolment: &Enrolment,
        seed: &Seed,
    ) -> Result<Self, PoolsError> {
        let data = || dataset.name().to_owned();
        let population: Vec<SubjectId> = if dataset.has_test_split() {
            by_split(dataset)?.1
        } else {
            let all = dataset.subjects().subjects();
            all.filter(|&subject| enrolment.of(subject).is_none())
                .collect()
        };
        let both = population
            .iter()
            .copied()
            .find(|&subject| enrolment.of(subject).is_some());
        let last = || {
            enrolment
                .subjects()
                .last()
                .filter(|_| population.is_empty())
        };
        if let Some(subject) = both.or_else(last) {
            let subject = dataset.subject_names()[subject.index()].clone();
            return Err(PoolsError::ListedPopulation {
                data: data(),
                subject,
            });
        }
        let eligible: Vec<SubjectId> = enrolment.subjects().collect();
        let members = enrolment.members();
        if members.is_empty() || members.len() == eligible.len() {
            let (members, listed) = (members.len(), eligible.len());
            return Err(PoolsError::OneSided {
                data: data(),
                members,
                non_members: listed - members,
            });
        }
        let mut rng = seed.stream(Stream::run(Role::Pools));
        Self::divided(dataset, config, eligible, population, &mut rng).with_members(&members)
    }

    /// Everyone's records divided, and all of the `eligible` members for the time being.
    fn divided(
        dataset: &Dataset,
        config: &DataConfig,
        eligible: Vec<SubjectId>,
        population: Vec<SubjectId>,
        rng: &mut impl Rng,
    ) -> Self {
        let subjects = dataset.subject_names().len();
        let (mut kept, mut held_out) = (vec![Vec::new(); subjects], vec![Vec::new(); subjects]);
        for &subject in &eligible {
            (kept[subject.index()], held_out[subject.index()]) =
                divide(dataset, subject, config, rng);
        }
        let mut population_records: Vec<RecordId> = population
            .iter()
            .flat_map(|&subject| dataset.subjects().records(subject))
            .copied()
            .collect();
        if population_records.len() > most_of(config.max_test_records) {
            population_records.shuffle(rng);
            population_records.truncate(most_of(config.max_test_records));
            population_records.sort_unstable();
        }
        Self {
            members: eligible,
            non_members: Vec::new(),
            population_records,
            population,
            kept: SubjectIndex::from_lists(&kept),
            held_out: SubjectIndex::from_lists(&held_out),
        }
    }

    /// The same subjects and records with membership drawn anew: the pools of a shadow federation.
    ///
    /// What is kept, what is held out and who is the population stay, so that the adversary's fresh
    /// records of a subject are fresh in every shadow too.
    #[must_use]
    pub fn redraw_members(&self, config: &DataConfig, seed: &Seed) -> Self {
        let mut pools = self.clone();
        pools.draw_members(config, seed);
        pools
    }

    /// The same subjects and records with exactly these `members`; the other evaluated subjects are
    /// non-members.
    ///
    /// # Errors
    /// If a member is not an evaluated subject of these pools.
    pub fn with_members(&self, members: &[SubjectId]) -> Result<Self, PoolsError> {
        let evaluated = self.evaluated();
        let mut pools = self.clone();
        pools.members = members.to_vec();
        pools.members.sort_unstable();
        pools.members.dedup();
        for &subject in &pools.members {
            if evaluated.binary_search(&subject).is_err() {
                return Err(PoolsError::NotEligible {
                    subject,
                    eligible: evaluated.len(),
                });
            }
        }
        pools.non_members = evaluated
            .into_iter()
            .filter(|s| pools.members.binary_search(s).is_err())
            .collect();
        Ok(pools)
    }

    fn draw_members(&mut self, config: &DataConfig, seed: &Seed) {
        // A stream of its own (round 1), so that membership does not hang on how the rest was drawn.
        let stream = Stream {
            round: primitives::Round(1),
            ..Stream::run(Role::Pools)
        };
        let mut rng = seed.stream(stream);
        let mut evaluated = self.evaluated();
        let fraction = config.member_fraction.get();
        let share = (evaluated.len() as f64 * fraction).round() as usize;
        let most = if fraction < 1.0 {
            evaluated.len() - 1
        } else {
            evaluated.len()
        };
        if config.membership_law == MembershipLaw::Coins {
            let coin = |_: &SubjectId| rng.random_bool(fraction);
            (self.members, self.non_members) = evaluated.into_iter().partition(coin);
            return;
        }
        evaluated.shuffle(&mut rng);
        self.non_members = evaluated.split_off(share.clamp(1, most));
        self.members = evaluated;
        self.members.sort_unstable();
        self.non_members.sort_unstable();
    }

    /// The subjects whose kept records are trained on, in id order.
    pub fn members(&self) -> &[SubjectId] {
        &self.members
    }

    /// The subjects like the members of whom nothing is trained on, in id order.
    pub fn non_members(&self) -> &[SubjectId] {
        &self.non_members
    }

    /// Members and non-members: everyone whose membership is attacked, in id order.
    pub fn evaluated(&self) -> Vec<SubjectId> {
        let mut all = [self.members.as_slice(), &self.non_members].concat();
        all.sort_unstable();
        all
    }

    /// Whether `subject` is a member.
    pub fn is_member(&self, subject: SubjectId) -> bool {
        self.members.binary_search(&subject).is_ok()
    }

    /// The people outside the attack, in id order.
    pub fn population(&self) -> &[SubjectId] {
        &self.population
    }

    /// Records of the population that accuracy is measured on: all of theirs, or `max_test_records` of them.
    pub fn population_records(&self) -> &[RecordId] {
        &self.population_records
    }

    /// What the silos train on: the kept records of the members.
    pub fn training(&self) -> SubjectIndex {
        self.kept.restricted_to(&self.members)
    }

    /// The records that are trained on if their subject is a member, of every evaluated subject.
    pub const fn kept(&self) -> &SubjectIndex {
        &self.kept
    }

    /// The records that are never trained on, of every evaluated subject.
    ///
    /// A subject with a single record has none; nor has anyone if `fresh_fraction` is 0.
    pub const fn held_out(&self) -> &SubjectIndex {
        &self.held_out
    }
}

/// The subjects of the train split and of the test split.
fn by_split(dataset: &Dataset) -> Result<(Vec<SubjectId>, Vec<SubjectId>), PoolsError> {
    let (mut train, mut test) = (Vec::new(), Vec::new());
    for subject in dataset.subjects().subjects() {
        let records = dataset.subjects().records(subject);
        let tests = records
            .iter()
            .filter(|&&r| dataset.split(r) == Some(Split::Test))
            .count();
        if tests == 0 {
            train.push(subject);
        } else if tests == records.len() {
            test.push(subject);
        } else {
            return Err(PoolsError::SplitWithinSubject {
                data: dataset.name().to_owned(),
                subject: dataset.subject_names()[subject.index()].clone(),
            });
        }
    }
    Ok((train, test))
}
