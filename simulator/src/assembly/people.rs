//! Who took part: pools, silos, and one row for every subject.

use super::leak;
use crate::attack::Findings;
use attacks::{AttackReport, Scores};
use primitives::{SiloId, SubjectId};
use report::model::{
    Epsilon, Holding, Pool, PoolSizes, RecordCounts, Shape, SiloShape, Subject, SubjectScore,
};
use scenarios::World;
use std::collections::BTreeMap;
use training::LocalPlan;

/// The federation's shape, by what the silos really train on.
pub fn shape(world: &World, plans: &[LocalPlan]) -> Shape {
    let silos: Vec<SiloShape> = plans
        .iter()
        .map(|plan| SiloShape {
            name: world.silo_name(plan.silo()),
            subjects: plan.subject_records().count() as u64,
            records: plan.records().len() as u64,
        })
        .collect();
    let pools = &world.pools;
    Shape {
        subjects: PoolSizes {
            members: pools.members().len() as u64,
            non_members: pools.non_members().len() as u64,
            population: pools.population().len() as u64,
        },
        records: RecordCounts {
            training: silos.iter().map(|silo| silo.records).sum(),
            adversary: world.adversary.fresh().all_records().len() as u64,
            test: pools.population_records().len() as u64,
        },
        silos,
    }
}

/// Every subject's training records by silo, as the silos hold them.
pub fn holdings(plans: &[LocalPlan]) -> BTreeMap<SubjectId, BTreeMap<SiloId, u32>> {
    let mut holdings: BTreeMap<SubjectId, BTreeMap<SiloId, u32>> = BTreeMap::new();
    for plan in plans {
        for (subject, records) in plan.subject_records() {
            holdings
                .entry(subject)
                .or_default()
                .insert(plan.silo(), records);
        }
    }
    holdings
}

/// One row for every member and non-member, in id order.
pub fn subjects(
    world: &World,
    plans: &[LocalPlan],
    epsilons: &BTreeMap<SubjectId, Epsilon>,
    findings: Option<&Findings>,
) -> Vec<Subject> {
    let holdings = holdings(plans);
    let reports = findings.map_or(&[][..], |findings| &findings.reports);
    let sorted: Vec<Vec<f64>> = reports
        .iter()
        .map(|report| non_member_scores(world, &report.scores))
        .collect();
    let ranks = exposure_ranks(world, reports);
    world
        .pools
        .evaluated()
        .into_iter()
        .map(|id| {
            let score = |(report, sorted): (&AttackReport, &Vec<f64>)| {
                let score = report.scores.get(&id)?.value();
                Some(SubjectScore {
                    attack: report.attack.clone(),
                    regime: leak::regime(report.threat.regime),
                    score: score.into(),
                    percentile: percentile(sorted, score).into(),
                })
            };
            let held = holdings.get(&id).into_iter().flatten();
            Subject {
                id: id.0,
                pool: if world.pools.is_member(id) {
                    Pool::Member
                } else {
                    Pool::NonMember
                },
                holdings: held
                    .map(|(silo, &records)| Holding {
                        silo: silo.0,
                        records,
                    })
                    .collect(),
                epsilon: epsilons.get(&id).copied(),
                scores: reports.iter().zip(&sorted).filter_map(score).collect(),
                exposure_rank: ranks.get(&id).copied(),
            }
        })
        .collect()
}

/// Members by the first attack's score with training records (the last regime), the most exposed first.
fn exposure_ranks(world: &World, reports: &[AttackReport]) -> BTreeMap<SubjectId, u32> {
    let Some(report) = reports
        .iter()
        .rev()
        .find(|report| report.attack == reports[0].attack)
    else {
        return BTreeMap::new();
    };
    let mut members: Vec<_> = report
        .scores
        .iter()
        .filter(|&(&subject, _)| world.pools.is_member(subject))
        .collect();
    members.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    members
        .into_iter()
        .zip(1..)
        .map(|((&subject, _), rank)| (subject, rank))
        .collect()
}

fn non_member_scores(world: &World, scores: &Scores) -> Vec<f64> {
    let others = scores
        .iter()
        .filter(|&(&subject, _)| !world.pools.is_member(subject));
    let mut values: Vec<f64> = others.map(|(_, score)| score.value()).collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// Share of `sorted` below `score`, ties half.
fn percentile(sorted: &[f64], score: f64) -> f64 {
    let below = sorted.partition_point(|&other| other < score);
    let up_to = sorted.partition_point(|&other| other <= score);
    (below + up_to) as f64 / (2 * sorted.len().max(1)) as f64
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn ties_count_half() {
        assert!((percentile(&[1.0, 2.0, 2.0, 3.0], 2.0) - 0.5).abs() < 1e-12);
        assert!((percentile(&[1.0, 2.0], 0.0)).abs() < 1e-12);
        assert!((percentile(&[1.0, 2.0], 9.0) - 1.0).abs() < 1e-12);
    }
}
