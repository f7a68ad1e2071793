//! Who is a member, what is held out, and what the adversary holds.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use primitives::{RecordId, Seed, SubjectId};
use proptest::prelude::*;
use siloscope_data::{
    AdversaryRecords, DataConfig, Dataset, DatasetParts, Features, Pools, PoolsError, Source,
    Split, SubjectWorld, SyntheticConfig,
};
use std::collections::BTreeSet;

fn dataset(counts: &[usize], splits: Option<Vec<Split>>) -> Dataset {
    let subjects: Vec<SubjectId> = (0..)
        .map(SubjectId)
        .zip(counts)
        .flat_map(|(subject, &count)| std::iter::repeat_n(subject, count))
        .collect();
    Dataset::try_new(DatasetParts {
        name: "counted".to_owned(),
        features: Features::Floats(vec![0.0; subjects.len()]),
        shape: vec![1],
        labels: (0..subjects.len() as u32)
            .map(|record| record % 2)
            .collect(),
        classes: vec!["no".to_owned(), "yes".to_owned()],
        subject_names: (0..counts.len()).map(|i| format!("p{i}")).collect(),
        natural_silos: None,
        splits,
        subjects,
    })
    .unwrap()
}

/// A configuration with these keys besides the source.
fn config(keys: &str) -> DataConfig {
    toml::from_str(&format!("source = \"heart_disease\"\n{keys}")).unwrap()
}

#[test]
fn coins_fall_for_each_subject_on_its_own_and_move_nobody_else() {
    let dataset = dataset(&[4; 400], None);
    let (share, coins) = (config(""), config("membership_law = \"coins\""));
    let draw = |config: &DataConfig, seed| {
        Pools::draw(&dataset, config, &Seed::from_number(seed)).unwrap()
    };
    // 320 subjects are evaluated: a share is always half of them, coins hardly ever.
    let counts = |config: &DataConfig| -> Vec<usize> {
        let members = |seed| draw(config, seed).members().len();
        (0..200).map(members).collect()
    };
    assert!(counts(&share).iter().all(|&count| count == 160));
    let counts = counts(&coins);
    let mean = counts.iter().sum::<usize>() as f64 / 200.0;
    let square = |&count: &usize| (count as f64 - 160.0).powi(2);
    let variance = counts.iter().map(square).sum::<f64>() / 200.0;
    // Binomial(320, 1/2): mean 160 ± 0.63, variance 80 ± 8; five deviations, a chance below 1e-6 each.
    assert!((mean - 160.0).abs() < 3.2, "{mean}");
    assert!((variance - 80.0).abs() < 40.0, "{variance}");
    let (a, b) = (draw(&share, 1), draw(&coins, 1));
    assert_eq!(a.population(), b.population());
    assert_eq!((a.kept(), a.held_out()), (b.kept(), b.held_out()));
}

proptest! {
    #[test]
    fn pools_part_the_subjects_and_their_records(
        counts in prop::collection::vec(1_usize..20, 6..60),
        member in 0.0..1.0,
        fresh in 0.0..1.0,
        population in 0.05..0.5,
        seed in any::<u64>(),
    ) {
        let dataset = dataset(&counts, None);
        let config = config(&format!(
            "member_fraction = {member:?}\nfresh_fraction = {fresh:?}\npopulation_fraction = {population:?}"
        ));
        let seed = Seed::from_number(seed);
        let pools = Pools::draw(&dataset, &config, &seed).unwrap();
        let groups = [pools.members(), pools.non_members(), pools.population()];
        prop_assert!(groups.iter().all(|group| !group.is_empty() && group.is_sorted()));
        let everyone: BTreeSet<SubjectId> = groups.concat().into_iter().collect();
        prop_assert_eq!(everyone.len(), groups.concat().len());
        prop_assert_eq!(everyone.len(), counts.len());

        let adversary = AdversaryRecords::draw(&pools, 3, &seed);
        for subject in pools.evaluated() {
            let (kept, held) = (pools.kept().records(subject), pools.held_out().records(subject));
            let mut all = [kept, held].concat();
            all.sort_unstable();
            prop_assert_eq!(&all, dataset.subjects().records(subject), "each record on one side");
            prop_assert!(!kept.is_empty());
            let (fresh, training) =
                (adversary.fresh().records(subject), adversary.training().records(subject));
            prop_assert!(fresh.iter().all(|record| held.contains(record)));
            prop_assert!(training.iter().all(|record| kept.contains(record)));
            prop_assert_eq!((fresh.len(), training.len()), (held.len().min(3), kept.len().min(3)));
            prop_assert_eq!(adversary.without_fresh().contains(&subject), held.is_empty());
            let trained = pools.training().records(subject).len();
            prop_assert_eq!(trained, if pools.is_member(subject) { kept.len() } else { 0 });
        }

        let shadow = pools.redraw_members(&config, &seed.child(primitives::Role::Shadow, 1));
        prop_assert_eq!(shadow.held_out(), pools.held_out());
        prop_assert_eq!(shadow.evaluated(), pools.evaluated());
        prop_assert_eq!(&pools.redraw_members(&config, &seed), &pools);
        prop_assert_eq!(&shadow.with_members(pools.members()).unwrap(), &pools);
    }
}

/// The division of a subject's records is drawn before membership and without looking at it: two runs
/// that differ in the member fraction alone hold the same records out and give the adversary the same.
#[test]
fn what_the_adversary_holds_does_not_depend_on_membership() {
    let dataset = dataset(&[10; 40], None);
    let draw = |fraction: &str| {
        let pools = Pools::draw(
            &dataset,
            &config(&format!("member_fraction = {fraction}")),
            &Seed::from_number(4),
        );
        let pools = pools.unwrap();
        let adversary = AdversaryRecords::draw(&pools, 2, &Seed::from_number(4));
        (pools, adversary)
    };
    let ((few, few_records), (many, many_records)) = (draw("0.25"), draw("0.75"));
    assert_eq!((few.members().len(), many.members().len()), (8, 24));
    assert_eq!(few.kept(), many.kept());
    assert_eq!(few_records, many_records);
}

#[test]
fn shares_come_out_as_written() {
    let dataset = dataset(&[10; 40], None);
    let keys = "population_fraction = 0.25\nfresh_fraction = 0.3\nmax_records_per_subject = 5\nmax_subjects = 20";
    let pools = Pools::draw(&dataset, &config(keys), &Seed::from_number(1)).unwrap();
    let sizes = [pools.members(), pools.non_members(), pools.population()].map(<[_]>::len);
    assert_eq!(sizes, [10, 10, 10]);
    for subject in pools.evaluated() {
        assert_eq!(pools.held_out().records(subject).len(), 3);
        assert_eq!(pools.kept().records(subject).len(), 5);
    }
    assert_eq!(pools.population_records().len(), 100);
    let all = Pools::draw(
        &dataset,
        &config("member_fraction = 1.0"),
        &Seed::from_number(1),
    )
    .unwrap();
    assert_eq!((all.members().len(), all.non_members().len()), (32, 0));
}

#[test]
fn the_published_test_split_is_the_population_unless_a_fraction_is_given() {
    let counts = [3, 3, 3, 2];
    let splits = (0..11)
        .map(|i| if i < 6 { Split::Train } else { Split::Test })
        .collect();
    let dataset = dataset(&counts, Some(splits));
    let pools = Pools::draw(&dataset, &config(""), &Seed::from_number(1)).unwrap();
    assert_eq!(pools.population(), [SubjectId(2), SubjectId(3)]);
    let last = [6, 7, 8, 9, 10].map(RecordId);
    assert_eq!(pools.population_records(), last);
    let fraction = config("population_fraction = 0.25");
    let pools = Pools::draw(&dataset, &fraction, &Seed::from_number(1)).unwrap();
    assert_eq!(pools.population().len(), 1);
}

#[test]
fn a_subject_with_one_record_is_trained_on_and_named_as_without_fresh_records() {
    let dataset = dataset(&[1, 4, 4, 4, 4], None);
    let pools = Pools::draw(&dataset, &config(""), &Seed::from_number(2)).unwrap();
    let adversary = AdversaryRecords::draw(&pools, 8, &Seed::from_number(2));
    assert_eq!(adversary.without_fresh(), [SubjectId(0)]);
    assert_eq!(adversary.training().records(SubjectId(0)), [RecordId(0)]);
    let without = Pools::draw(
        &dataset,
        &config("fresh_fraction = 0.0"),
        &Seed::from_number(2),
    )
    .unwrap();
    let adversary = AdversaryRecords::draw(&without, 8, &Seed::from_number(2));
    assert_eq!(adversary.without_fresh(), without.evaluated());
}

#[test]
fn pools_that_cannot_be_filled_are_refused() {
    let refusal = |dataset: &Dataset, keys: &str| {
        Pools::draw(dataset, &config(keys), &Seed::from_number(1))
            .unwrap_err()
            .to_string()
    };
    let two = dataset(&[3, 3], None);
    assert!(refusal(&two, "").contains("1 subjects remain beside 1 of the population"));
    assert!(refusal(&two, "population_fraction = 0.0").contains("raise data.population_fraction"));
    let error = refusal(&dataset(&[3; 9], None), "max_subjects = 1");
    assert!(error.contains("raise data.max_subjects"), "{error}");
    let through = (0..6)
        .map(|i| if i < 4 { Split::Train } else { Split::Test })
        .collect();
    let error = refusal(&dataset(&[3, 3], Some(through)), "");
    assert!(error.contains("\"p1\" has records in both"), "{error}");
    let pools = Pools::draw(&dataset(&[3; 9], None), &config(""), &Seed::from_number(1)).unwrap();
    let error = pools.with_members(&pools.population()[..1]).unwrap_err();
    assert!(
        matches!(error, PoolsError::NotEligible { eligible: 7, .. }),
        "{error}"
    );
}

/// The world of the reference simulation: 60 + 60 subjects, 8 training and 8 fresh records each.
#[test]
fn the_reference_world_can_be_written() {
    let world = SubjectWorld {
        seed: Some(11),
        ..SubjectWorld::new(120)
    };
    let mut config = DataConfig::new(Source::Synthetic(SyntheticConfig::Subjects(world)));
    config.fresh_fraction = siloscope_data::Fraction::try_new(0.5).unwrap();
    let load = |seed| config.load(".".as_ref(), &Seed::from_number(seed)).unwrap();
    let dataset = load(1);
    assert_eq!(
        dataset.digest(),
        load(2).digest(),
        "the people stay, the run's seed draws members"
    );
    let pools = Pools::draw(&dataset, &config, &Seed::from_number(1)).unwrap();
    let sizes = [pools.members(), pools.non_members(), pools.population()].map(<[_]>::len);
    assert_eq!(sizes, [60, 60, 60]);
    let adversary = AdversaryRecords::draw(&pools, 8, &Seed::from_number(1));
    for subject in pools.evaluated() {
        assert_eq!(pools.kept().records(subject).len(), 8);
        assert_eq!(adversary.fresh().records(subject).len(), 8);
    }
    let other = Pools::draw(&dataset, &config, &Seed::from_number(2)).unwrap();
    assert_ne!(pools.members(), other.members());
}

/// Held-out windows of a role share no character with what is trained on.
#[test]
fn held_out_text_is_fresh() {
    let mut config = config("max_subjects = 100\nfresh_fraction = 0.1");
    config.source = Source::built_in("shakespeare").unwrap();
    let dataset = config.load(".".as_ref(), &Seed::from_number(1)).unwrap();
    let Features::Tokens(windows) = dataset.features() else {
        panic!("text")
    };
    let pools = Pools::draw(&dataset, &config, &Seed::from_number(1)).unwrap();
    let reach = windows.width + 1;
    let mut with_fresh = 0;
    for subject in pools.evaluated() {
        let characters = |records: &[RecordId]| -> BTreeSet<usize> {
            let start = |record: &RecordId| windows.starts[record.index()] as usize;
            records
                .iter()
                .map(start)
                .flat_map(|start| start..start + reach)
                .collect()
        };
        let kept = characters(pools.kept().records(subject));
        let held_out = characters(pools.held_out().records(subject));
        assert!(!kept.is_empty());
        assert!(kept.is_disjoint(&held_out), "{subject}");
        with_fresh += usize::from(!held_out.is_empty());
    }
    assert!(with_fresh > 80, "{with_fresh} of 100 roles have fresh text");
}

#[test]
fn a_list_decides_who_is_a_member() {
    let folder = tempfile::tempdir().unwrap();
    let keys = "fresh_fraction = 0.5\nmembership = { file = \"members.csv\" }";
    let config = config(keys);
    let seed = Seed::from_number(3);
    let draw = |dataset: &Dataset, list: &str| {
        std::fs::write(
            folder.path().join("members.csv"),
            format!("subject,member\n{list}"),
        )
        .unwrap();
        let enrolment = config
            .membership
            .as_ref()
            .unwrap()
            .read(folder.path(), dataset)
            .unwrap();
        Pools::listed(dataset, &config, &enrolment, &seed)
    };
    let ids = |ids: &[u32]| ids.iter().copied().map(SubjectId).collect::<Vec<_>>();
    let counted = dataset(&[4; 6], None);
    let pools = draw(&counted, "p4,1\np1,1\np2,0\n").unwrap();
    assert_eq!(pools.members(), ids(&[1, 4]));
    assert_eq!(pools.non_members(), ids(&[2]));
    assert_eq!(pools.population(), ids(&[0, 3, 5]));
    assert!(
        pools
            .evaluated()
            .iter()
            .all(|&s| pools.held_out().records(s).len() == 2)
    );
    assert_eq!(
        draw(&counted, "p1,1\np2,0\np4,1\n").unwrap(),
        pools,
        "the order of rows is nothing"
    );

    let refusal = |dataset: &Dataset, list: &str| draw(dataset, list).unwrap_err();
    let everyone = "p0,1\np1,1\np2,0\np3,0\np4,1\np5,0\n";
    assert!(matches!(
        refusal(&counted, everyone),
        PoolsError::ListedPopulation { .. }
    ));
    assert!(matches!(
        refusal(&counted, "p0,1\np1,1\n"),
        PoolsError::OneSided {
            members: 2,
            non_members: 0,
            ..
        }
    ));
    let halves = (0..24).map(|r| if r < 12 { Split::Train } else { Split::Test });
    let split = dataset(&[4; 6], Some(halves.collect()));
    assert_eq!(
        draw(&split, "p0,1\np1,0\n").unwrap().population(),
        ids(&[3, 4, 5])
    );
    assert!(matches!(
        refusal(&split, "p0,1\np4,0\n"),
        PoolsError::ListedPopulation { .. }
    ));
}
