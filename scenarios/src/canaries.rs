//! The canaries of an audited run: who they are, where they lie, and whose coin fell how.
//!
//! Canaries come beside the people of the data and take nobody's place: who is a member, what lies in which silo, which
//! records join which step and what a sum is divided by are the same with them and without. What the ledger says of a
//! unit holds for them as for anybody: a canary record is a record of its silo, a canary subject holds records where
//! the member with the most to lose holds them, a canary silo joins the cohorts that its neighbour joins.

use crate::diagnosis::Fault;
use crate::privacy::Protection;
use accounting::{PrivacyUnit, RecordsPerSilo};
use attacks::audit::AuditConfig;
use primitives::{Role, Seed, SiloId, Stream, SubjectId};
use rand::Rng;
use server::{CentralCanary, Push};
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use training::{Canary, CanaryKind, LocalPlan, sampling};

/// One canary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planted {
    /// What it is.
    pub unit: PrivacyUnit,
    /// Whether its coin put it in.
    pub included: bool,
    /// The parameter that it pushes; no other canary pushes it.
    pub coordinate: u32,
    /// Where its records lie: one record of a canary record; of a canary silo, the silo whose cohorts it shares.
    pub records: RecordsPerSilo,
}

/// The canaries of a run, in the order in which they were drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CanaryRoster(Vec<Planted>);

impl CanaryRoster {
    /// Draws the canaries: coins and parameters from the stream of [`Role::Canary`].
    pub(crate) fn draw(
        config: &AuditConfig,
        protection: Protection,
        seed: &Seed,
        parameters: usize,
        silos: &[SiloId],
        holdings: &BTreeMap<SubjectId, RecordsPerSilo>,
    ) -> Result<Self, Fault> {
        let units: &[PrivacyUnit] = match protection {
            Protection::None => &[],
            Protection::SiloNoise { .. } => {
                &[PrivacyUnit::Record, PrivacyUnit::Subject, PrivacyUnit::Silo]
            }
            _ => &[PrivacyUnit::Record, PrivacyUnit::Subject],
        };
        let count = config.canaries.get() as usize;
        let all = units.len() * count;
        if all > parameters {
            let message = format!(
                "canaries = {count} for each of {} units, and every canary pushes a parameter of its own, but the model \
                 has {parameters}; give at most {}, or a larger model",
                units.len(),
                parameters / units.len()
            );
            return Err(Fault::new("audit.canaries", message));
        }
        let mut rng = seed.stream(Stream::run(Role::Canary));
        let coins: Vec<bool> = (0..all).map(|_| rng.next_u32() & 1 == 1).collect();
        let mut coordinates = Vec::new();
        sampling::subset(0..parameters as u32, all, &mut rng, &mut coordinates);
        sampling::shuffle(&mut coordinates, &mut rng);
        let like = most_exposed(holdings).map_or_else(Default::default, |(_, like)| like.clone());
        let place = |unit: PrivacyUnit, i: usize| match unit {
            PrivacyUnit::Subject => like.clone(),
            _ => RecordsPerSilo::new([(silos[i % silos.len()].0, 1)]),
        };
        let planted = units
            .iter()
            .flat_map(|&unit| (0..count).map(move |i| (unit, i)));
        let planted = planted.zip(coins).zip(coordinates);
        Ok(Self(
            planted
                .map(|(((unit, i), included), coordinate)| Planted {
                    unit,
                    included,
                    coordinate,
                    records: place(unit, i),
                })
                .collect(),
        ))
    }

    /// One canary subject, whose records lie as `records` says.
    pub(crate) fn lone(included: bool, records: RecordsPerSilo) -> Self {
        Self(vec![Planted {
            unit: PrivacyUnit::Subject,
            included,
            coordinate: 0,
            records,
        }])
    }

    /// All of them.
    pub fn canaries(&self) -> &[Planted] {
        &self.0
    }

    /// The canaries that have a part in what `silo` does, in the order of its readings.
    pub fn in_silo(&self, silo: SiloId) -> impl Iterator<Item = (usize, &Planted)> {
        self.0
            .iter()
            .enumerate()
            .filter(move |(_, canary)| canary.records.in_silo(silo.0) > 0)
    }

    /// The plan of a silo with the canaries that lie there.
    pub(crate) fn plant(&self, plan: LocalPlan) -> LocalPlan {
        let canaries = self.in_silo(plan.silo()).map(|(_, canary)| {
            let records = NonZeroU32::new(canary.records.in_silo(plan.silo().0));
            Canary {
                coordinate: canary.coordinate,
                kind: match (canary.unit, records) {
                    (PrivacyUnit::Subject, Some(records)) => CanaryKind::Subject { records },
                    _ => CanaryKind::Record,
                },
                included: canary.included,
            }
        });
        let canaries = canaries.collect();
        plan.with_canaries(canaries)
    }

    /// The canaries as the coordinator's noised sum has them, in the order of its readings: all.
    pub fn central(&self) -> Vec<CentralCanary> {
        let central = |canary: &Planted| CentralCanary {
            coordinate: canary.coordinate,
            silos: canary
                .records
                .iter()
                .map(|(silo, _)| SiloId(silo))
                .collect(),
            push: match (canary.included, canary.unit) {
                (true, _) => Push::Forth,
                (false, PrivacyUnit::Silo) => Push::None,
                (false, _) => Push::Back,
            },
        };
        self.0.iter().map(central).collect()
    }
}

/// The member whose sum of squared record counts is largest: a subject's loss grows about with that sum where records
/// lie in silos of one kind.
pub(crate) fn most_exposed(
    holdings: &BTreeMap<SubjectId, RecordsPerSilo>,
) -> Option<(SubjectId, &RecordsPerSilo)> {
    let weight = |records: &RecordsPerSilo| -> u64 {
        let square = |(_, count): (u32, u32)| u64::from(count) * u64::from(count);
        records.iter().map(square).sum()
    };
    let all = holdings.iter().rev();
    all.max_by_key(|(_, records)| weight(records))
        .map(|(&subject, records)| (subject, records))
}
