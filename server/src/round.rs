//! One round under way: who was asked, who has answered, and whether an answer may be used.

use crate::{
    AbandonedRound, Aggregate, AggregateError, Aggregator, CoordinatorPlan, Missing, RoundOutcome,
    ServerState,
};
use accounting::{ClipNorm, LedgerEntry};
use primitives::{ModelVector, Round, SiloId};
use protocol::{Refusal, SiloUpdate, UpdateMetrics, Weights};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;

/// Beyond this L2 norm an update is no training: thousands of such steps stay within the range of `f32`, so
/// that no silo alone can make the model overflow and so end the run.
const NORM_CEILING: f64 = 1e12;

mod sum;

pub(crate) use sum::NextStep;
use sum::OpenSum;

/// The round under way.
#[derive(Debug)]
pub(crate) struct OpenRound {
    pub(crate) round: Round,
    pub(crate) cohort: BTreeSet<SiloId>,
    /// What the gate has admitted.
    pub(crate) entries: Vec<LedgerEntry>,
    pub(crate) deadline: Option<Duration>,
    /// How often the cohort was asked; 1 is the first time.
    pub(crate) attempt: u32,
    /// Silos to which the task was sent.
    asked: BTreeSet<SiloId>,
    /// Parameters of the model.
    parameters: usize,
    /// What silos began to clip to, where that adapts.
    clip_norm: Option<ClipNorm>,
    updates: BTreeMap<SiloId, SiloUpdate>,
    /// The aggregate of the cohort's first silos up to `last`.
    aggregate: Box<dyn Aggregate>,
    last: Option<SiloId>,
    /// Silos that are not waited for in this attempt: declined, refused or cut off.
    out: BTreeMap<SiloId, Missing>,
    /// Where only sums are seen; updates are then without values.
    sum: Option<Box<OpenSum>>,
}

impl OpenRound {
    pub(crate) fn new(
        round: Round,
        cohort: BTreeSet<SiloId>,
        entries: Vec<LedgerEntry>,
        (state, aggregator): (&ServerState, &dyn Aggregator),
        deadline: Option<Duration>,
    ) -> Self {
        let (updates, out) = (BTreeMap::new(), BTreeMap::new());
        Self {
            round,
            cohort,
            entries,
            deadline,
            attempt: 1,
            asked: BTreeSet::new(),
            parameters: state.model.len(),
            clip_norm: state.clip_norm,
            updates,
            aggregate: aggregator.begin(round, state.model.len()),
            last: None,
            out,
            sum: None,
        }
    }

    /// Asks once more. What was accepted stays: a silo has one update a round and could only send it again.
    pub(crate) fn repeat(&mut self, deadline: Option<Duration>) {
        self.attempt += 1;
        self.deadline = deadline;
        self.out.clear();
        self.repeat_sum();
    }

    /// Takes an update of this round in; says whether it is new, since one that was accepted before changes
    /// nothing. A silo whose update is refused is out of the attempt, so that a second try cannot race with
    /// the others.
    ///
    /// # Errors
    /// If the update may not be used.
    pub(crate) fn receive(
        &mut self,
        plan: &CoordinatorPlan,
        update: SiloUpdate,
    ) -> Result<bool, Refusal> {
        let silo = update.silo;
        if !self.cohort.contains(&silo) {
            return Err(Refusal::NotInCohort { round: self.round });
        }
        if self.updates.contains_key(&silo) {
            return Ok(false);
        }
        if self.out.contains_key(&silo) {
            return Err(Refusal::OutOfRound { round: self.round });
        }
        let checked = self.check_values(plan, &update);
        let checked = checked.and_then(|()| check(plan, &update));
        if let Err(refusal) = checked.and_then(|()| self.check_clip_norm(plan, &update)) {
            self.put_out(silo, Missing::Refused(refusal));
            return Err(refusal);
        }
        self.updates.insert(silo, update);
        let next = |last: Option<SiloId>| {
            let after = last.map_or(Bound::Unbounded, Bound::Excluded);
            self.cohort.range((after, Bound::Unbounded)).next()
        };
        // A silo that has not answered keeps those after it waiting: silos are taken in the order of their ids.
        while let Some(&silo) = next(self.last)
            && let Some(update) = self.updates.get_mut(&silo)
        {
            self.aggregate.add(update);
            self.last = Some(silo);
            if !plan.keep_deltas {
                update.delta = ModelVector::default();
            }
        }
        Ok(true)
    }

    /// One update made of all that were accepted.
    ///
    /// # Errors
    /// If there is none, or their weights add up to nothing.
    pub(crate) fn aggregate(&mut self) -> Result<ModelVector, AggregateError> {
        let after = self.last.map_or(Bound::Unbounded, Bound::Excluded);
        for update in self.updates.range((after, Bound::Unbounded)) {
            self.aggregate.add(update.1);
        }
        self.aggregate.finish()
    }

    /// Puts a silo out of the attempt, unless it has answered. Says whether it did.
    pub(crate) fn put_out(&mut self, silo: SiloId, why: Missing) -> bool {
        if let Some(sum) = &mut self.sum {
            sum.put_out(silo);
        }
        self.awaits(silo) && self.out.insert(silo, why).is_none()
    }

    /// Whether `silo` was asked and has not answered.
    pub(crate) fn awaits(&self, silo: SiloId) -> bool {
        self.cohort.contains(&silo)
            && !self.updates.contains_key(&silo)
            && !self.out.contains_key(&silo)
    }

    /// Takes in that the task is sent to `silo`.
    pub(crate) fn note_asked(&mut self, silo: SiloId) {
        self.asked.insert(silo);
    }

    /// Whether `silo` may have trained this round: it was asked, or has answered whoever asked before.
    pub(crate) fn may_have_trained(&self, silo: SiloId) -> bool {
        self.asked.contains(&silo) || (self.cohort.contains(&silo) && !self.awaits(silo))
    }

    /// Whether every silo of the cohort has answered.
    pub(crate) fn is_complete(&self) -> bool {
        match &self.sum {
            Some(sum) if sum.is_masked() => sum.is_step_complete(),
            _ => self.updates.len() + self.out.len() == self.cohort.len(),
        }
    }

    /// The updates accepted.
    pub(crate) const fn updates(&self) -> &BTreeMap<SiloId, SiloUpdate> {
        &self.updates
    }

    /// What the round has come to, if `model` is what the updates made.
    pub(crate) fn into_outcome(self, model: ModelVector) -> RoundOutcome {
        RoundOutcome {
            round: self.round,
            model,
            missing: self.missing(),
            attempts: self.attempt,
            entries: self.entries,
            updates: self.updates,
        }
    }

    /// What is left of a round that comes to nothing.
    pub(crate) fn into_abandoned(self) -> AbandonedRound {
        AbandonedRound {
            round: self.round,
            missing: self.missing(),
            attempts: self.attempt,
            entries: self.entries,
        }
    }

    fn missing(&self) -> BTreeMap<SiloId, Missing> {
        let without = self
            .cohort
            .iter()
            .filter(|silo| !self.updates.contains_key(silo));
        without
            .map(|&silo| (silo, *self.out.get(&silo).unwrap_or(&Missing::Silent)))
            .collect()
    }

    /// Whether an update ends with a clip norm that the plan's steps lead to.
    fn check_clip_norm(&self, plan: &CoordinatorPlan, update: &SiloUpdate) -> Result<(), Refusal> {
        match (plan.clip_norm, self.clip_norm, update.clip_norm) {
            (None, _, None) => Ok(()),
            (Some(law), Some(from), Some(to)) if law.allows(from, to) => Ok(()),
            _ => Err(Refusal::UnplannedClipNorm),
        }
    }

    /// Whether the values of an update fit the model and are within bounds.
    fn check_values(&self, plan: &CoordinatorPlan, update: &SiloUpdate) -> Result<(), Refusal> {
        if self.sum.is_some() {
            return Err(Refusal::Sight { summed: true });
        }
        if update.delta.len() != self.parameters {
            return Err(Refusal::WrongShape {
                expected: self.parameters as u64,
                found: update.delta.len() as u64,
            });
        }
        if !update.delta.is_finite() {
            return Err(Refusal::NotFinite);
        }
        let limit = plan
            .max_update_norm
            .map_or(NORM_CEILING, |limit| limit.get().min(NORM_CEILING));
        let found = update.delta.l2_norm();
        if found > limit {
            return Err(Refusal::HugeUpdate { found, limit });
        }
        Ok(())
    }
}

/// Whether an update is what the plan accounts for.
fn check(plan: &CoordinatorPlan, update: &SiloUpdate) -> Result<(), Refusal> {
    check_weight(plan.weights, update)?;
    if plan.releases.get(&update.silo) != Some(&update.releases) {
        return Err(Refusal::UnplannedMechanism);
    }
    if plan.protected && update.metrics != UpdateMetrics::Withheld {
        return Err(Refusal::UnplannedMetrics);
    }
    Ok(())
}

#[expect(
    clippy::float_cmp,
    reason = "a weight is exactly 1 or exactly a whole number"
)]
fn check_weight(weights: Weights, update: &SiloUpdate) -> Result<(), Refusal> {
    let found = update.weight;
    let allowed = match weights {
        Weights::Uniform => found == weights.of(1),
        Weights::Records => match update.metrics {
            UpdateMetrics::Open { records, .. } => records > 0 && found == weights.of(records),
            UpdateMetrics::Withheld => false,
        },
    };
    if allowed {
        Ok(())
    } else {
        Err(Refusal::Weight {
            found,
            uniform: weights == Weights::Uniform,
        })
    }
}
