//! Who took part: pools, silos, and one row for every subject.

use super::leak;
use crate::attack::{Findings, OverRuns};
use attacks::{AttackReport, Scores, exposure};
use primitives::{SiloId, SubjectId};
use report::model::{
    Epsilon, Holding, Interval, Pool, PoolSizes, RecordCounts, Shape, SiloShape, Subject,
    SubjectScore,
};
use scenarios::World;
use std::collections::{BTreeMap, BTreeSet};
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

/// How many silos hold each member.
pub fn silos_of(plans: &[LocalPlan]) -> BTreeMap<SubjectId, usize> {
    let holdings = holdings(plans).into_iter();
    holdings
        .map(|(subject, silos)| (subject, silos.len()))
        .collect()
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
    let others: BTreeSet<SubjectId> = world.pools.non_members().iter().copied().collect();
    let bits: Vec<BTreeMap<SubjectId, f64>> = reports
        .iter()
        .map(|report| exposure(&report.scores, &others))
        .collect();
    let own_auc = |report: &AttackReport, id| {
        let all = findings.map_or(&[][..], |findings| &findings.over_runs);
        let same =
            |over: &&OverRuns| over.attack == report.attack && over.regime == report.threat.regime;
        let auc = all.iter().find(same)?.subjects.get(&id)?;
        Some(Interval::new(auc.estimate, auc.low, auc.high))
    };
    world
        .pools
        .evaluated()
        .into_iter()
        .map(|id| {
            let score = |((report, sorted), bits): (
                (&AttackReport, &Vec<f64>),
                &BTreeMap<SubjectId, f64>,
            )| {
                let score = report.scores.get(&id)?.value();
                Some(SubjectScore {
                    attack: report.attack.clone(),
                    regime: leak::regime(report.threat.regime),
                    score: score.into(),
                    percentile: percentile(sorted, score).into(),
                    exposure: bits.get(&id).map(|&bits| bits.into()),
                    own_auc: own_auc(report, id),
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
                scores: reports
                    .iter()
                    .zip(&sorted)
                    .zip(&bits)
                    .filter_map(score)
                    .collect(),
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
