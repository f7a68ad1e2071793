//! The same federation with one subject more or less: what an audit over independent runs trains again and again.
//!
//! A *trial* is one training. Its two kinds are neighbours in the ledger's sense: one has the audited subject and the
//! other has not, and nothing else differs. Everybody else is the same, and so is which record lies in which silo, what a
//! sum is divided by, how many steps there are and who takes part in which round. Initial weights, batches and noise are
//! each trial's own. So what the ledger promises of the subject holds of any test that tells the two kinds apart.
//!
//! (Shadow federations do not serve: they hold other people as well, whose number and places change denominators and
//! cohorts with them.)

use crate::canaries::{CanaryRoster, most_exposed};
use crate::diagnosis::{Fault, ScenarioError};
use crate::resolve::Resolved;
use accounting::RecordsPerSilo;
use data::{Dataset, Label, LabelKind, Moments};
use primitives::{RecordId, Role, Round, Stream, SubjectId};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use training::LocalPlan;

/// Whose presence is audited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audited {
    /// A member as it is; the one with the most to lose, unless it is named.
    Member(Option<String>),
    /// A subject that is planted beside the members, with copies of the records of somebody outside the federation. As many of
    /// them, in the same silos, as the member with the most to lose has.
    Planted {
        /// Whether every record has a class that is not its own, or a target far from it: a subject that is hard to hide.
        mislabelled: bool,
    },
    /// A planted subject whose gradient is crafted: as long as the clip norm lets it be, where no other gradient points.
    Crafted,
}

impl Audited {
    /// A word for file names.
    pub const fn slug(&self) -> &'static str {
        match self {
            Self::Member(_) => "member",
            Self::Planted { mislabelled: false } => "planted",
            Self::Planted { mislabelled: true } => "mislabelled",
            Self::Crafted => "crafted",
        }
    }
}

/// Both kinds of trial.
#[derive(Clone, Debug)]
pub struct Trials {
    /// The federation without the subject, and with it.
    sides: [Resolved; 2],
    /// Where the subject's records lie if it is in.
    pub holdings: RecordsPerSilo,
    /// Its records; none if it is crafted.
    pub records: Vec<RecordId>,
    /// Who it is, in words.
    pub who: String,
}

impl Trials {
    /// Whether the subject is in the `trial`-th training: in every second one.
    pub const fn includes(trial: usize) -> bool {
        trial % 2 == 1
    }

    /// The `trial`-th training and whether the subject is in it.
    pub fn federation(&self, trial: usize) -> (Resolved, bool) {
        let included = Self::includes(trial);
        let mut federation = self.sides[usize::from(included)].clone();
        federation.world.seed = federation.world.seed.child(Role::Canary, trial as u64);
        (federation, included)
    }

    /// The federation with the subject, or without it, as every trial of that kind has it.
    pub const fn side(&self, included: bool) -> &Resolved {
        &self.sides[included as usize]
    }
}

impl Resolved {
    /// The trials that audit the presence of `audited`.
    ///
    /// # Errors
    /// If there is no such member, a silo would have nothing to train on without it, or there is no noised sum to read a
    /// crafted one off.
    pub fn trials(&self, audited: &Audited) -> Result<Trials, ScenarioError> {
        let mut bare = self.clone();
        bare.schedule.canaries = CanaryRoster::default();
        for local in &mut bare.schedule.locals {
            *local = local.clone().with_canaries(Vec::new());
        }
        match audited {
            Audited::Member(name) => bare.with_and_without_member(name.as_deref()),
            Audited::Planted { mislabelled } => bare.with_and_without_planted(*mislabelled),
            Audited::Crafted => bare.with_and_without_crafted(),
        }
    }

    fn with_and_without_member(self, name: Option<&str>) -> Result<Trials, ScenarioError> {
        let holdings = self.schedule.holdings();
        let subject = match name {
            Some(name) => self.member(name)?,
            None => self.most_exposed(&holdings)?.0,
        };
        let mut outside = self.clone();
        let mut records = Vec::new();
        for local in &mut outside.schedule.locals {
            let (own, others): (Vec<_>, Vec<_>) = local
                .records()
                .iter()
                .partition(|&&record| self.world.dataset.subject(record) == subject);
            if !own.is_empty() {
                *local = self.holding(local, &others)?;
                records.extend(own);
            }
        }
        let name = &self.world.dataset.subject_names()[subject.index()];
        Ok(Trials {
            holdings: holdings[&subject].clone(),
            who: format!("member {name:?}"),
            records,
            sides: [outside, self],
        })
    }

    fn with_and_without_planted(mut self, mislabelled: bool) -> Result<Trials, ScenarioError> {
        let all = self.schedule.holdings();
        let holdings = self.most_exposed(&all)?.1.clone();
        let count: u32 = holdings.iter().map(|(_, records)| records).sum();
        let world = &self.world;
        // Round 1: the crafted canaries of a run come from round 0 of the same role.
        let mut rng = world.seed.stream(Stream {
            round: Round(1),
            ..Stream::run(Role::Canary)
        });
        let mut outsiders = world.pools.population().to_vec();
        outsiders.shuffle(&mut rng);
        let outsider = outsiders[0];
        let labels = world.dataset.labels();
        let originals = world.dataset.subjects().records(outsider);
        let copies: Vec<(RecordId, Label)> = (0..count)
            .zip(originals.iter().cycle())
            .map(|(_, &record)| {
                let own = labels.at(record.index());
                let label = if mislabelled {
                    other_label(&world.dataset, own, &mut rng)
                } else {
                    own
                };
                (record, label)
            })
            .collect();
        let (dataset, subject) = world
            .dataset
            .with_subject("planted by the auditor", &copies)
            .map_err(|error| self.fault("data.source", error.to_string()))?;
        let name = world.dataset.subject_names()[outsider.index()].clone();
        let records = dataset.subjects().records(subject).to_vec();
        self.world.dataset = Arc::new(dataset);
        let mut inside = self.clone();
        let mut left = &records[..];
        for local in &mut inside.schedule.locals {
            let (own, others) = left.split_at(holdings.in_silo(local.silo().0) as usize);
            left = others;
            if !own.is_empty() {
                *local = self.holding(local, &[local.records(), own].concat())?;
            }
        }
        let how = match (mislabelled, self.world.dataset.label_kind()) {
            (false, _) => "as they are",
            (true, LabelKind::Classes(_)) => "each under a class that is not its own",
            (true, LabelKind::Targets) => "each with a target far from its own",
        };
        Ok(Trials {
            holdings,
            records,
            who: format!("planted subject with copies of the records of outsider {name:?}, {how}"),
            sides: [self, inside],
        })
    }

    fn with_and_without_crafted(self) -> Result<Trials, ScenarioError> {
        if let Some(message) = crate::check::unreadable(&self.file.scenario) {
            return Err(self.fault("privacy", message.to_owned()));
        }
        let all = self.schedule.holdings();
        let holdings = self.most_exposed(&all)?.1.clone();
        let side = |included: bool| {
            let mut side = self.clone();
            let roster = CanaryRoster::lone(included, holdings.clone());
            if side.schedule.central.is_none() {
                for local in &mut side.schedule.locals {
                    *local = roster.plant(local.clone());
                }
            }
            side.schedule.canaries = roster;
            side
        };
        Ok(Trials {
            sides: [side(false), side(true)],
            holdings,
            records: Vec::new(),
            who: "planted subject with a crafted gradient".to_owned(),
        })
    }

    /// `local` with other records and all that is public as it was.
    fn holding(&self, local: &LocalPlan, records: &[RecordId]) -> Result<LocalPlan, ScenarioError> {
        let held = local.clone().holding(&self.world.dataset, records);
        held.map_err(|error| {
            let message = format!(
                "{error}: the audited member is the only one there; audit another one, or a planted subject"
            );
            self.fault("federation", message)
        })
    }

    /// The member called `name`.
    fn member(&self, name: &str) -> Result<SubjectId, ScenarioError> {
        let names = self.world.dataset.subject_names();
        let place = names.iter().position(|known| known == name);
        let subject = place.map(|place| SubjectId(place as u32));
        let members: BTreeSet<SubjectId> = self.schedule.holdings().into_keys().collect();
        subject
            .filter(|subject| members.contains(subject))
            .ok_or_else(|| {
                let some: Vec<&str> = members
                    .iter()
                    .take(3)
                    .map(|member| names[member.index()].as_str())
                    .collect();
                let message = format!(
                    "{name:?} is no member with training records; members are {} and {} others",
                    some.join(", "),
                    members.len().saturating_sub(3)
                );
                self.fault("data", message)
            })
    }

    fn most_exposed<'a>(
        &self,
        holdings: &'a BTreeMap<SubjectId, RecordsPerSilo>,
    ) -> Result<(SubjectId, &'a RecordsPerSilo), ScenarioError> {
        most_exposed(holdings)
            .ok_or_else(|| self.fault("data", "no member has a training record".to_owned()))
    }

    fn fault(&self, field: &'static str, message: String) -> ScenarioError {
        self.file.error(vec![Fault::new(field, message)])
    }
}

/// Another class, any with the same chance; or a target four deviations of all targets above or below.
fn other_label(dataset: &Dataset, own: Label, rng: &mut impl Rng) -> Label {
    match (own, dataset.targets()) {
        (Label::Target(own), Some(targets)) => {
            let deviation = Moments::of(targets.iter().copied()).deviation();
            let side = if rng.random_bool(0.5) { 4.0 } else { -4.0 };
            Label::Target(own + (side * deviation) as f32)
        }
        (Label::Class(own), _) => {
            let classes = dataset.classes().len() as u32;
            Label::Class((own + rng.random_range(1..classes)) % classes)
        }
        (own @ Label::Target(_), None) => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ScenarioFile;

    fn smoke(settings: &[&str]) -> Resolved {
        let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
        Resolved::new(ScenarioFile::open("smoke", &settings).unwrap()).unwrap()
    }

    const PROTECTED: [&str; 1] = [
        "privacy={ protection = \"averaged-gradient\", clip_norm = 1.0, noise_multiplier = 1.0, delta = 1e-3 }",
    ];

    /// What is public of every silo's plan.
    fn public(resolved: &Resolved) -> Vec<(u32, Option<f64>, accounting::Mechanism)> {
        let locals = resolved.schedule.locals.iter();
        locals
            .map(|local| (local.steps(), local.expected_batch(), local.mechanism()))
            .collect()
    }

    fn held(resolved: &Resolved) -> Vec<BTreeSet<RecordId>> {
        let locals = resolved.schedule.locals.iter();
        locals
            .map(|local| local.records().iter().copied().collect())
            .collect()
    }

    #[test]
    fn sides_differ_by_the_subjects_records_and_by_nothing_public() {
        let whole = smoke(&PROTECTED);
        for audited in [
            Audited::Member(None),
            Audited::Planted { mislabelled: false },
            Audited::Planted { mislabelled: true },
        ] {
            let trials = whole.trials(&audited).unwrap();
            let (without, with) = (trials.side(false), trials.side(true));
            assert_eq!(public(with), public(without), "{audited:?}");
            assert_eq!(public(with), public(&whole), "{audited:?}");
            let mut moved: Vec<RecordId> = Vec::new();
            for ((with, without), local) in held(with)
                .iter()
                .zip(held(without))
                .zip(&whole.schedule.locals)
            {
                assert!(without.is_subset(with));
                let own: Vec<_> = with.difference(&without).copied().collect();
                assert_eq!(
                    own.len() as u32,
                    trials.holdings.in_silo(local.silo().0),
                    "{audited:?}"
                );
                moved.extend(own);
            }
            moved.sort_unstable();
            let mut expected = trials.records.clone();
            expected.sort_unstable();
            assert_eq!(moved, expected, "{audited:?}");
            let dataset = &with.world.dataset;
            let owners: BTreeSet<_> = moved.iter().map(|&r| dataset.subject(r)).collect();
            assert_eq!(owners.len(), 1, "{audited:?}");
            // Whoever is planted is in no pool: nobody's place is taken.
            let planted = !whole.world.pools.is_member(*owners.first().unwrap());
            assert_eq!(planted, audited != Audited::Member(None));
        }
    }

    #[test]
    fn trials_take_turns_and_draw_for_themselves() {
        let trials = smoke(&PROTECTED).trials(&Audited::Member(None)).unwrap();
        let kinds: Vec<bool> = (0..4).map(|trial| trials.federation(trial).1).collect();
        assert_eq!(kinds, [false, true, false, true]);
        let seed = |trial| trials.federation(trial).0.world.seed;
        assert_ne!(seed(0), seed(1));
        assert_ne!(seed(0), trials.side(false).world.seed);
        assert_eq!(seed(3), seed(3));
    }

    #[test]
    fn a_mislabelled_subject_has_no_record_under_its_own_class() {
        let whole = smoke(&PROTECTED);
        let labels = |mislabelled| -> Vec<u32> {
            let trials = whole.trials(&Audited::Planted { mislabelled }).unwrap();
            let dataset = &trials.side(true).world.dataset;
            trials.records.iter().map(|&r| dataset.class(r)).collect()
        };
        let (own, other) = (labels(false), labels(true));
        assert!(!own.is_empty());
        assert!(own.iter().zip(&other).all(|(own, other)| own != other));
    }

    #[test]
    fn a_mislabelled_subject_has_targets_far_from_its_own() {
        let numbers = [
            "data.source={ synthetic = { kind = \"subject-regression\", subjects = 60, seed = 1 } }",
            "model={ kind = \"linear\" }",
        ];
        let whole = smoke(&[&PROTECTED[..], &numbers[..]].concat());
        let targets = |mislabelled| -> Vec<f32> {
            let trials = whole.trials(&Audited::Planted { mislabelled }).unwrap();
            assert!(mislabelled == trials.who.ends_with("far from its own"));
            let targets = trials.side(true).world.dataset.targets().unwrap();
            trials.records.iter().map(|r| targets[r.index()]).collect()
        };
        let (own, other) = (targets(false), targets(true));
        let apart = |(own, other): (&f32, &f32)| (own - other).abs();
        let distance = apart((&own[0], &other[0]));
        // Four deviations of some √(1.36 + 0.25 + 0.25), of one weight vector's length.
        assert!((3.0..10.0).contains(&distance), "{distance}");
        let all = own.iter().zip(&other).map(apart);
        assert!(all.into_iter().all(|each| (each - distance).abs() < 1e-4));
    }

    #[test]
    fn a_crafted_subject_is_in_or_out_and_lies_where_the_worst_off_does() {
        let whole = smoke(&PROTECTED);
        let trials = whole.trials(&Audited::Crafted).unwrap();
        for included in [false, true] {
            let side = trials.side(included);
            let canaries = side.schedule.canaries.canaries();
            assert_eq!(canaries.len(), 1);
            assert_eq!(canaries[0].included, included);
            assert_eq!(canaries[0].records, trials.holdings);
            assert_eq!(held(side), held(&whole));
        }
        let refused = smoke(&[]).trials(&Audited::Crafted);
        assert!(refused.is_err() || smoke(&[]).file.scenario.privacy.protection.is_on());
    }

    #[test]
    fn a_member_is_named_and_strangers_are_refused() {
        let whole = smoke(&PROTECTED);
        let member = whole.world.pools.members()[3];
        let name = whole.world.dataset.subject_names()[member.index()].clone();
        let trials = whole.trials(&Audited::Member(Some(name.clone()))).unwrap();
        assert_eq!(
            trials.holdings,
            whole.schedule.holdings()[&member],
            "{name}"
        );
        let stranger = whole.world.pools.non_members()[0];
        let stranger = whole.world.dataset.subject_names()[stranger.index()].clone();
        for name in [stranger, "nobody".to_owned()] {
            let refused = whole.trials(&Audited::Member(Some(name.clone())));
            let message = refused.unwrap_err().to_string();
            assert!(
                message.contains(&name) && message.contains("members are"),
                "{message}"
            );
        }
    }
}
