//! Who releases what in which round: known before anything is trained.

use crate::canaries::CanaryRoster;
use crate::diagnosis::{Fault, ScenarioError};
use crate::file::ScenarioFile;
use crate::privacy::Protection;
use crate::world::World;
use accounting::{Ledger, LedgerEntry, Mechanism, NoiseMultiplier, RecordsPerSilo};
use attacks::audit::AuditConfig;
use clients::Audience;
use primitives::{Round, SiloId, SubjectId};
use protocol::Release;
use server::CohortLaw;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use training::LocalPlan;

/// The releases of a whole run if every round is admitted.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// What every silo does in a round, in the order of ids.
    pub locals: Vec<LocalPlan>,
    /// Who takes part in which round.
    pub cohorts: CohortLaw,
    /// How many rounds.
    pub rounds: u32,
    /// What is done to the sum of a round, if it is more than adding up.
    pub central: Option<Mechanism>,
    /// Whether anything is protected.
    pub protected: bool,
    /// Who was planted to audit the run; they are in `locals` already.
    pub canaries: CanaryRoster,
}

impl Schedule {
    /// The schedule of a scenario with this much noise.
    ///
    /// # Errors
    /// If the training table does not go with the protection.
    pub fn new(
        file: &ScenarioFile,
        world: &World,
        noise_multiplier: Option<NoiseMultiplier>,
    ) -> Result<Self, ScenarioError> {
        let federation = &file.scenario.federation;
        let roster = world.partition.silos().collect();
        let cohorts =
            CohortLaw::try_new(roster, federation.cohort_size(), world.seed).map_err(|error| {
                file.error(vec![Fault::new(
                    "federation.silos_per_round",
                    error.to_string(),
                )])
            })?;
        let central = match (file.scenario.privacy.protection, noise_multiplier) {
            (Protection::SiloNoise { .. }, Some(noise_multiplier)) => {
                Some(Mechanism::SiloNoise { noise_multiplier })
            }
            (Protection::DistributedNoise { .. }, Some(noise_multiplier)) => {
                let shares =
                    NonZeroU32::new(federation.fewest_updates()).unwrap_or(NonZeroU32::MIN);
                Some(Mechanism::DistributedNoise {
                    noise_multiplier,
                    shares,
                })
            }
            _ => None,
        };
        let mut schedule = Self {
            locals: world.local_plans(file, noise_multiplier)?,
            cohorts,
            rounds: federation.rounds,
            central,
            protected: file.scenario.privacy.protection.is_on(),
            canaries: CanaryRoster::default(),
        };
        if let Some(config) = &file.scenario.audit {
            schedule
                .plant(config, file.scenario.privacy.protection, world)
                .map_err(|fault| file.error(vec![fault]))?;
        }
        Ok(schedule)
    }

    /// Draws the canaries and puts them beside the records of their silos, or beside the cohorts of a noised sum.
    fn plant(
        &mut self,
        config: &AuditConfig,
        protection: Protection,
        world: &World,
    ) -> Result<(), Fault> {
        let silos: Vec<SiloId> = self.locals.iter().map(LocalPlan::silo).collect();
        let parameters = world.architecture.parameters();
        let holdings = self.holdings();
        self.canaries = CanaryRoster::draw(
            config,
            protection,
            &world.seed,
            parameters,
            &silos,
            &holdings,
        )?;
        if self.central.is_none() {
            let locals = std::mem::take(&mut self.locals);
            let planted = locals.into_iter().map(|plan| self.canaries.plant(plan));
            self.locals = planted.collect();
        }
        Ok(())
    }

    /// Who sees a silo's update: nobody but the coordinator where noise is added to the sum, and not even that where
    /// every silo adds a share of it.
    pub const fn audience(&self) -> Audience {
        if self.central.is_some() {
            Audience::Coordinator
        } else {
            Audience::Everyone
        }
    }

    /// What each silo releases in a round.
    pub fn releases(&self) -> BTreeMap<SiloId, Vec<Release>> {
        let audience = self.audience();
        let release = |local| clients::planned_releases(local, audience);
        self.locals
            .iter()
            .map(|local| (local.silo(), release(local)))
            .collect()
    }

    /// The ledger of the run if it goes to its end, with rounds that are alike for a silo drawn together.
    ///
    /// Losses after the last round are the same as those of the ledger that the run will write.
    ///
    /// # Panics
    /// Never.
    pub fn ledger(&self) -> Ledger {
        let mut taken: BTreeMap<SiloId, u64> = BTreeMap::new();
        let mut sums: BTreeMap<Vec<u32>, u64> = BTreeMap::new();
        for round in (1..=self.rounds).map(Round) {
            let cohort = self.cohorts.cohort(round);
            for &silo in &cohort {
                *taken.entry(silo).or_default() += 1;
            }
            *sums
                .entry(cohort.iter().map(|silo| silo.0).collect())
                .or_default() += 1;
        }
        let mut ledger = Ledger::new();
        let mut append = |entry: LedgerEntry| {
            ledger
                .append(entry)
                .expect("all entries are of the same round");
        };
        for (silo, releases) in self.releases() {
            let rounds = taken.get(&silo).copied().unwrap_or(0);
            for release in releases.into_iter().filter(|_| rounds > 0) {
                let steps = release.steps * rounds;
                append(
                    LedgerEntry::local_steps(self.rounds, silo.0, release.mechanism, steps)
                        .expect("a silo takes at least one step with a silo's mechanism"),
                );
            }
        }
        if let Some(mechanism) = self.central {
            for (cohort, rounds) in sums {
                for _ in 0..rounds {
                    append(
                        LedgerEntry::noised_sum(self.rounds, cohort.clone(), mechanism)
                            .expect("a cohort names every silo once"),
                    );
                }
            }
        }
        ledger
    }

    /// Every member's training records by silo, as the silos hold them.
    pub fn holdings(&self) -> BTreeMap<SubjectId, RecordsPerSilo> {
        let mut counts: BTreeMap<SubjectId, Vec<(u32, u32)>> = BTreeMap::new();
        for local in &self.locals {
            for (subject, records) in local.subject_records() {
                counts
                    .entry(subject)
                    .or_default()
                    .push((local.silo().0, records));
            }
        }
        counts
            .into_iter()
            .map(|(subject, counts)| (subject, RecordsPerSilo::new(counts)))
            .collect()
    }
}
