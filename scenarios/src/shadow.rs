//! The same federation with other people in it.

use crate::diagnosis::ScenarioError;
use crate::plan::Plan;
use crate::resolve::{Resolved, silos};
use crate::schedule::Schedule;
use primitives::{Seed, SubjectId};

impl Resolved {
    /// This federation with exactly `members` in it and randomness of its own: a shadow federation.
    ///
    /// Data, what is held out, what the adversary holds, model, training, noise and the law that puts records into
    /// silos are the same; every draw (silos of a record, initial weights, batches, noise, cohorts) is anew, from
    /// `seed`. The noise is this plan's, also where it was calibrated: an adversary knows the algorithm.
    ///
    /// # Errors
    /// If a member is not an evaluated subject, or the members do not fill the silos.
    pub fn with_members(&self, members: &[SubjectId], seed: Seed) -> Result<Self, ScenarioError> {
        let world = self.world.with_members(&self.file, members, seed)?;
        let schedule = Schedule::new(&self.file, &world, self.plan.noise_multiplier)?;
        let mut data = self.plan.data.clone();
        data.members = world.pools.members().len() as u64;
        data.non_members = world.pools.non_members().len() as u64;
        let plan = Plan {
            data,
            silos: silos(&world, &schedule),
            ..self.plan.clone()
        };
        Ok(Self {
            file: self.file.clone(),
            world,
            schedule,
            sums: self.sums,
            plan,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ScenarioFile;
    use primitives::Role;

    #[test]
    fn a_shadow_has_its_members_and_all_else_of_the_federation() {
        let whole = Resolved::new(ScenarioFile::open("smoke", &[]).unwrap()).unwrap();
        let others = whole.world.pools.non_members().to_vec();
        let seed = whole.world.seed.child(Role::Shadow, 3);
        let shadow = whole.with_members(&others, seed).unwrap();
        assert_eq!(shadow.world.pools.members(), others);
        assert_eq!(
            shadow.world.pools.non_members(),
            whole.world.pools.members()
        );
        assert_eq!(shadow.world.adversary, whole.world.adversary);
        assert_eq!(shadow.plan.noise_multiplier, whole.plan.noise_multiplier);
        assert_eq!(shadow.schedule.locals.len(), whole.schedule.locals.len());
        let trained: u64 = shadow.plan.silos.iter().map(|silo| silo.records).sum();
        let kept: usize = others
            .iter()
            .map(|&subject| whole.world.pools.kept().records(subject).len())
            .sum();
        assert!(trained > 0 && trained <= kept as u64);
        // What the adversary holds in the training regime is trained on where its subject is in.
        let partition = &shadow.world.partition;
        let held: std::collections::BTreeSet<_> = partition
            .silos()
            .flat_map(|silo| partition.records(silo))
            .collect();
        for &subject in &others {
            let asked = whole.world.adversary.training().records(subject);
            assert!(asked.iter().all(|record| held.contains(record)));
        }
        let again = whole.with_members(&others, seed).unwrap();
        assert_eq!(again.world.partition, shadow.world.partition);
        let outside = whole.world.pools.population()[0];
        assert!(whole.with_members(&[outside], seed).is_err());
    }
}
