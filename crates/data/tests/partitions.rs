//! Every partition law covers every record once, leaves no silo empty and honours the spread.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use primitives::{RecordId, Seed, SubjectId};
use primitives::{Role, Stream};
use proptest::prelude::*;
use siloscope_data::{
    DataConfig, Dataset, DatasetParts, Features, NaturalSilos, PartitionConfig, PartitionError,
    Source, Spread, SpreadConfig, SubjectIndex, SubjectWorld, SyntheticConfig,
};
use std::collections::BTreeSet;

/// A data set of one feature whose subject `i` has `counts[i]` records of three classes.
fn dataset(counts: &[usize]) -> Dataset {
    let subjects: Vec<SubjectId> = (0..)
        .map(SubjectId)
        .zip(counts)
        .flat_map(|(subject, &count)| std::iter::repeat_n(subject, count))
        .collect();
    let records = subjects.len();
    Dataset::try_new(DatasetParts {
        name: "counted".to_owned(),
        features: Features::Floats(vec![0.0; records]),
        shape: vec![1],
        labels: (0..records as u32).map(|record| record % 3).collect(),
        classes: ["a", "b", "c"].map(String::from).to_vec(),
        subject_names: (0..counts.len()).map(|i| i.to_string()).collect(),
        natural_silos: Some(NaturalSilos {
            of_records: subjects
                .iter()
                .map(|s| primitives::SiloId(s.0 % 2))
                .collect(),
            names: vec!["even".to_owned(), "odd".to_owned()],
        }),
        splits: None,
        subjects,
    })
    .unwrap()
}

fn spread_of(
    dataset: &Dataset,
    law: PartitionConfig,
    spread: Option<SpreadConfig>,
    silos: u32,
    seed: u64,
) -> Result<Spread, PartitionError> {
    let mut rng = Seed::from_number(seed).stream(Stream::run(Role::Partition));
    let partition =
        law.partitioner(spread)?
            .partition(dataset, dataset.subjects(), silos, &mut rng)?;
    let mut seen: Vec<RecordId> = partition
        .silos()
        .flat_map(|silo| partition.records(silo))
        .copied()
        .collect();
    seen.sort_unstable();
    assert!(
        seen.iter().copied().eq(dataset.records()),
        "every record once"
    );
    assert!(
        partition
            .silos()
            .all(|silo| !partition.records(silo).is_empty())
    );
    Ok(Spread::of(dataset, &partition))
}

fn laws() -> impl Strategy<Value = PartitionConfig> {
    prop_oneof![
        Just(PartitionConfig::Subject {}),
        (0.05..50.0).prop_map(|alpha| PartitionConfig::Dirichlet { alpha }),
        (0.0..3.0).prop_map(|exponent| PartitionConfig::Quantity { exponent }),
    ]
}

proptest! {
    #[test]
    fn a_fixed_spread_is_kept_by_every_law(
        counts in prop::collection::vec(1_usize..12, 8..40),
        law in laws(),
        silos in 1_u32..7,
        width in 1_u32..7,
        seed in any::<u64>(),
    ) {
        let dataset = dataset(&counts);
        let width = width.min(silos);
        match spread_of(&dataset, law, Some(SpreadConfig::Fixed { silos: width }), silos, seed) {
            Ok(spread) => for (subject, by_silo) in spread.subjects() {
                prop_assert_eq!(by_silo.len(), counts[subject.index()].min(width as usize));
            },
            Err(error) => prop_assert!(
                matches!((law, &error), (PartitionConfig::Dirichlet { .. }, PartitionError::EmptySilo { .. })),
                "{}", error
            ),
        }
    }

    #[test]
    fn a_zipf_spread_stays_within_its_bound(
        counts in prop::collection::vec(1_usize..12, 8..40),
        law in laws(),
        exponent in 0.0..4.0,
        seed in any::<u64>(),
    ) {
        let dataset = dataset(&counts);
        let spread = SpreadConfig::Zipf { exponent, max_silos: 3 };
        if let Ok(spread) = spread_of(&dataset, law, Some(spread), 5, seed) {
            for (subject, by_silo) in spread.subjects() {
                prop_assert!(by_silo.len() <= counts[subject.index()].min(3));
            }
        }
    }

    #[test]
    fn without_a_spread_a_subject_lies_in_one_silo(
        counts in prop::collection::vec(1_usize..12, 8..40),
        exponent in 0.0..3.0,
        silos in 1_u32..8,
        seed in any::<u64>(),
    ) {
        let dataset = dataset(&counts);
        let spread = spread_of(&dataset, PartitionConfig::Subject {}, None, silos, seed).unwrap();
        prop_assert_eq!(spread.subjects_by_width(), [counts.len()]);
        let sizes: Vec<usize> =
            (0..silos).map(|silo| spread.subjects_in(primitives::SiloId(silo))).collect();
        prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{:?}", sizes);
        let law = PartitionConfig::Quantity { exponent };
        let spread = spread_of(&dataset, law, None, silos, seed).unwrap();
        let sizes: Vec<usize> =
            (0..silos).map(|silo| spread.subjects_in(primitives::SiloId(silo))).collect();
        prop_assert!(sizes.is_sorted_by(|a, b| a >= b), "{:?}", sizes);
    }
}

#[test]
fn natural_silos_stay_as_they_are() {
    let dataset = dataset(&[2, 3, 1, 4]);
    let spread = spread_of(&dataset, PartitionConfig::Natural {}, None, 2, 1).unwrap();
    assert_eq!(spread.matrix(), [[2, 0], [0, 3], [1, 0], [0, 4]]);
    assert_eq!(spread.most_records(primitives::SiloId(1)), 4);
    assert_eq!(
        spread.records_by_silo(SubjectId(1)),
        [(primitives::SiloId(1), 3)].into()
    );
    assert!(spread.records_by_silo(SubjectId(99)).is_empty());
}

#[test]
fn a_small_alpha_leaves_silos_few_classes() {
    let dataset = dataset(&[30; 40]);
    // The largest class's share of a silo, over silos; 1/3 if classes do not matter.
    let skew = |alpha| {
        let mut rng = Seed::from_number(3).stream(Stream::run(Role::Partition));
        let law = PartitionConfig::Dirichlet { alpha }
            .partitioner(None)
            .unwrap();
        let partition = law
            .partition(&dataset, dataset.subjects(), 4, &mut rng)
            .unwrap();
        let share = |silo| {
            let records = partition.records(silo);
            let most = (0..3).map(|c| records.iter().filter(|&&r| dataset.class(r) == c).count());
            most.max().unwrap() as f64 / records.len() as f64
        };
        partition.silos().map(share).sum::<f64>() / 4.0
    };
    assert!(skew(0.1) > 0.7, "{}", skew(0.1));
    assert!(skew(1000.0) < 0.45, "{}", skew(1000.0));
}

/// H0: subjects lie in 1, 2, 3 silos in proportion to 1, 1/2^1.5, 1/3^1.5. Pearson's statistic of
/// 3,000 subjects exceeds 27.6 with probability 1e-6 (chi-squared, 2 degrees of freedom).
#[test]
fn zipf_widths_follow_their_law() {
    let dataset = dataset(&vec![6; 3_000]);
    let statistic = |exponent: f64| {
        let law = SpreadConfig::Zipf {
            exponent,
            max_silos: 3,
        };
        let spread = spread_of(&dataset, PartitionConfig::Subject {}, Some(law), 10, 5).unwrap();
        let weights = [1.0, 2_f64.powf(-1.5), 3_f64.powf(-1.5)];
        let total: f64 = weights.iter().sum();
        let cells = spread.subjects_by_width().into_iter().zip(weights);
        cells
            .map(|(count, weight)| (count as f64, 3_000.0 * weight / total))
            .map(|(count, expected)| (count - expected).powi(2) / expected)
            .sum::<f64>()
    };
    assert!(statistic(1.5) < 27.6, "{}", statistic(1.5));
    assert!(
        statistic(1.0) > 27.6,
        "another law is told apart: {}",
        statistic(1.0)
    );
}

#[test]
fn what_cannot_be_is_refused_with_a_remedy() {
    let few = dataset(&[3, 3]);
    let fixed = |silos| Some(SpreadConfig::Fixed { silos });
    let zipf = |exponent| {
        Some(SpreadConfig::Zipf {
            exponent,
            max_silos: 2,
        })
    };
    let cases = [
        (
            PartitionConfig::Subject {},
            None,
            0,
            "silos = 0; allowed is 1 to",
        ),
        (
            PartitionConfig::Subject {},
            None,
            3,
            "silo 2 of 3 is empty: 2 members bring 6",
        ),
        (
            PartitionConfig::Subject {},
            fixed(3),
            2,
            "3 silos a subject, federation.silos = 2",
        ),
        (
            PartitionConfig::Subject {},
            fixed(0),
            2,
            "0 silos a subject",
        ),
        (PartitionConfig::Subject {}, zipf(-1.0), 2, "exponent -1"),
        (PartitionConfig::Natural {}, None, 3, "write silos = 2"),
        (PartitionConfig::Natural {}, fixed(1), 2, "leave spread out"),
        (
            PartitionConfig::Dirichlet { alpha: 0.0 },
            None,
            2,
            "alpha = 0",
        ),
        (
            PartitionConfig::Dirichlet { alpha: f64::NAN },
            None,
            2,
            "alpha = NaN",
        ),
        (
            PartitionConfig::Quantity {
                exponent: f64::INFINITY,
            },
            None,
            2,
            "exponent inf",
        ),
    ];
    for (law, spread, silos, expected) in cases {
        let error = spread_of(&few, law, spread, silos, 1)
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{expected:?} is not in: {error}");
    }
    let world = SyntheticConfig::Subjects(SubjectWorld::new(9));
    let nameless = DataConfig::new(Source::Synthetic(world));
    let nameless = nameless.load(".".as_ref(), &Seed::from_number(1)).unwrap();
    let error = spread_of(&nameless, PartitionConfig::Natural {}, None, 2, 1).unwrap_err();
    assert!(error.to_string().contains("names no silos"), "{error}");
    let only_even = few.subjects().restricted_to(&[SubjectId(0)]);
    let mut rng = Seed::from_number(1).stream(Stream::run(Role::Partition));
    let natural = PartitionConfig::Natural {}.partitioner(None).unwrap();
    let error = natural
        .partition(&few, &only_even, 2, &mut rng)
        .unwrap_err();
    assert!(
        error.to_string().contains("natural silo \"odd\""),
        "{error}"
    );
}

#[test]
fn a_partition_is_the_same_again_and_another_with_another_seed() {
    let world = dataset(&[5; 30]);
    let subjects: &SubjectIndex = world.subjects();
    let law = PartitionConfig::Subject {}
        .partitioner(Some(SpreadConfig::Fixed { silos: 2 }))
        .unwrap();
    let draw = |seed| {
        let mut rng = Seed::from_number(seed).stream(Stream::run(Role::Partition));
        law.partition(&world, subjects, 4, &mut rng).unwrap()
    };
    assert_eq!(draw(1), draw(1));
    let different: BTreeSet<bool> = (2..6).map(|seed| draw(seed) == draw(1)).collect();
    assert_eq!(different, [false].into());
}
