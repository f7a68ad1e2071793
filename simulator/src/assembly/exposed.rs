//! Who is most exposed, and what those have in common: records, silos, labels, distance from the others.

use crate::attack::Findings;
use attacks::{Confidence, RecordRegime, spearman};
use data::{Features, LabelSlice, Moments};
use primitives::SubjectId;
use report::model::{Exposed, Factor, Interval};
use scenarios::World;
use std::collections::BTreeMap;

/// Fewer subjects than this tell nothing about what they share.
const FEWEST: usize = 20;

/// Something that every compared subject has some of.
struct Trait {
    name: String,
    of: BTreeMap<SubjectId, f64>,
}

/// One comparison for each regime in which an attack was made. A subject's exposure is its own AUC over the shadow
/// runs under the attack that does best over them, or, without shadow runs, a member's score under the strongest attack.
pub(super) fn exposed(
    world: &World,
    silos: &BTreeMap<SubjectId, usize>,
    findings: &Findings,
) -> Vec<Exposed> {
    let traits = traits(world, silos);
    RecordRegime::ALL
        .into_iter()
        .filter_map(|regime| compare(world, regime, findings, &traits))
        .collect()
}

fn compare(
    world: &World,
    regime: RecordRegime,
    findings: &Findings,
    traits: &[Trait],
) -> Option<Exposed> {
    let runs = findings.over_runs.iter();
    let best = runs
        .filter(|over| over.regime == regime)
        .max_by(|a, b| a.mean().total_cmp(&b.mean()));
    let (attack, measure, mut exposure): (_, _, Vec<(SubjectId, f64)>) = if let Some(over) = best {
        let own = over.subjects.iter();
        (
            &over.attack,
            "own AUC over the shadow federations",
            own.map(|(&subject, auc)| (subject, auc.estimate)).collect(),
        )
    } else {
        let reports = findings.reports.iter();
        let strongest = reports
            .filter(|report| report.threat.regime == regime)
            .filter_map(|report| Some((report.rounds.last()?.auc.estimate, report)))
            .max_by(|a, b| a.0.total_cmp(&b.0))?
            .1;
        let scores = strongest.scores.iter();
        (
            &strongest.attack,
            "score after the last round, members only",
            scores
                .filter(|&(&subject, _)| world.pools.is_member(subject))
                .map(|(&subject, score)| (subject, score.value()))
                .collect(),
        )
    };
    if exposure.len() < FEWEST {
        return None;
    }
    exposure.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let most = exposure.len().div_ceil(10);
    let factor = |of: &Trait| {
        let pairs: Vec<(f64, f64)> = exposure
            .iter()
            .filter_map(|(subject, exposure)| Some((*of.of.get(subject)?, *exposure)))
            .collect();
        if pairs.len() < exposure.len() {
            return None;
        }
        let correlation = spearman(&pairs, Confidence::NINETY_FIVE)?;
        let mean =
            |part: &[(f64, f64)]| part.iter().map(|pair| pair.0).sum::<f64>() / part.len() as f64;
        Some(Factor {
            name: of.name.clone(),
            correlation: Interval::new(correlation.estimate, correlation.low, correlation.high),
            most: mean(&pairs[..most]).into(),
            others: mean(&pairs[most..]).into(),
        })
    };
    Some(Exposed {
        regime: super::leak::regime(regime),
        title: super::leak::title(attack),
        measure: measure.to_owned(),
        subjects: exposure.len() as u32,
        most: most as u32,
        factors: traits.iter().filter_map(factor).collect(),
    })
}

/// What subjects differ in. The silos are those of the members of this run.
fn traits(world: &World, silos: &BTreeMap<SubjectId, usize>) -> Vec<Trait> {
    let subjects = world.pools.evaluated();
    let kept = world.pools.kept();
    let each = |name: &str, value: &dyn Fn(SubjectId) -> f64| Trait {
        name: name.to_owned(),
        of: subjects
            .iter()
            .map(|&subject| (subject, value(subject)))
            .collect(),
    };
    let mut traits = vec![each(
        "records that are trained on if a member",
        &|subject| kept.records(subject).len() as f64,
    )];
    match world.dataset.labels() {
        LabelSlice::Classes(classes) => {
            let mixes: BTreeMap<SubjectId, Vec<f64>> = subjects
                .iter()
                .map(|&subject| (subject, label_mix(world, classes, subject)))
                .collect();
            let usual = mean_of(mixes.values());
            traits.push(each("share of the subject's commonest label", &|subject| {
                mixes[&subject].iter().copied().fold(0.0, f64::max)
            }));
            traits.push(each(
                "distance of its label mix from everybody's",
                &|subject| {
                    let mix = mixes[&subject].iter().zip(&usual);
                    mix.map(|(own, all)| (own - all).abs()).sum::<f64>() / 2.0
                },
            ));
        }
        LabelSlice::Targets(targets) => {
            let own = |subject| {
                let records = kept.records(subject).iter();
                Moments::of(records.map(|record| targets[record.index()]))
            };
            let means = subjects.iter().map(|&subject| own(subject).mean);
            let usual = means.sum::<f64>() / subjects.len() as f64;
            traits.push(each(
                "distance of its targets' mean from everybody's",
                &|subject| (own(subject).mean - usual).abs(),
            ));
            traits.push(each("deviation of its targets", &|subject| {
                own(subject).deviation()
            }));
        }
    }
    traits.push(Trait {
        name: "silos that hold it".to_owned(),
        of: silos.iter().map(|(&s, &count)| (s, count as f64)).collect(),
    });
    if !matches!(world.dataset.features(), Features::Tokens(_)) {
        let distances = distances(world, &subjects);
        traits.push(each(
            "distance of its features from everybody's",
            &|subject| distances[&subject],
        ));
    }
    traits
}

/// Share of each class among the records that are trained on if the subject is a member.
fn label_mix(world: &World, classes: &[u32], subject: SubjectId) -> Vec<f64> {
    let records = world.pools.kept().records(subject);
    let mut mix = vec![0.0; world.dataset.classes().len()];
    for &record in records {
        mix[classes[record.index()] as usize] += 1.0 / records.len() as f64;
    }
    mix
}

/// How far each subject's mean features lie from the mean of all subjects' means: the root mean square over features,
/// each in units of its deviation from subject to subject. Features in which subjects do not differ are left out.
fn distances(world: &World, subjects: &[SubjectId]) -> BTreeMap<SubjectId, f64> {
    let means: BTreeMap<SubjectId, Vec<f64>> = subjects
        .iter()
        .map(|&subject| (subject, feature_means(world, subject)))
        .collect();
    let centre = mean_of(means.values());
    let squares: Vec<Vec<f64>> = means
        .values()
        .map(|own| {
            own.iter()
                .zip(&centre)
                .map(|(x, c)| (x - c).powi(2))
                .collect()
        })
        .collect();
    let variances = mean_of(squares.iter());
    let differing = variances
        .iter()
        .filter(|&&variance| variance > 0.0)
        .count()
        .max(1) as f64;
    let distance = |squares: &Vec<f64>| {
        let ratios = squares.iter().zip(&variances);
        let sum: f64 = ratios
            .filter(|(_, variance)| **variance > 0.0)
            .map(|(square, variance)| square / variance)
            .sum();
        (sum / differing).sqrt()
    };
    means
        .keys()
        .copied()
        .zip(squares.iter().map(distance))
        .collect()
}

/// Mean of every feature over the records that are trained on if the subject is a member. Shape: `[features]`.
fn feature_means(world: &World, subject: SubjectId) -> Vec<f64> {
    let records = world.pools.kept().records(subject);
    let mut means = vec![0.0; world.dataset.width()];
    let mut values = vec![0.0; world.dataset.width()];
    for &record in records {
        world.dataset.copy_features(record, &mut values);
        for (mean, &value) in means.iter_mut().zip(&values) {
            *mean += f64::from(value) / records.len() as f64;
        }
    }
    means
}

/// The mean of rows of equal width.
fn mean_of<'a>(rows: impl ExactSizeIterator<Item = &'a Vec<f64>>) -> Vec<f64> {
    let count = rows.len() as f64;
    let mut mean = Vec::new();
    for row in rows {
        mean.resize(row.len(), 0.0);
        mean.iter_mut()
            .zip(row)
            .for_each(|(mean, value)| *mean += value / count);
    }
    mean
}
