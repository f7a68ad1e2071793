//! A round of which only the sum of the updates is seen.

use super::{OpenRound, check};
use crate::{CoordinatorPlan, Missing};
use primitives::{Digest, SiloId};
use protocol::{Masking, Refusal, Summand, ToSilo};
use secure_sum::{Collector, FromMember, RingVector, SumPlan, ToMember, TooFew, WrongShares};

/// The sum of the attempt under way.
#[derive(Debug)]
pub(crate) struct OpenSum {
    plan: SumPlan,
    /// The run's plan.
    digest: Digest,
    state: SumState,
}

/// What becomes of a masked sum when a step of it is over.
pub(crate) enum NextStep {
    /// There is another step, and this is to be told.
    Tell(Vec<(SiloId, ToSilo)>),
    /// The sum, if there is one, can be read.
    Done,
    /// Too few are left.
    TooFew {
        /// How many are.
        left: u32,
        /// How many must be.
        needed: u32,
    },
}

#[derive(Debug)]
enum SumState {
    /// A trusted party adds up what it sees.
    Clear(RingVector),
    Masked(Box<Collector>),
}

impl OpenSum {
    pub(super) fn put_out(&mut self, silo: SiloId) {
        if let SumState::Masked(collector) = &mut self.state {
            collector.put_out(silo);
        }
    }

    pub(super) const fn is_masked(&self) -> bool {
        matches!(self.state, SumState::Masked(_))
    }

    pub(super) fn is_step_complete(&self) -> bool {
        match &self.state {
            SumState::Clear(_) => false,
            SumState::Masked(collector) => collector.is_step_complete(),
        }
    }
}

impl OpenRound {
    /// Lets only the sum of the updates be seen.
    pub(crate) fn sum(mut self, plan: SumPlan, digest: Digest) -> Self {
        let state = self.fresh(&plan, &digest);
        self.sum = Some(Box::new(OpenSum {
            plan,
            digest,
            state,
        }));
        self
    }

    fn fresh(&self, plan: &SumPlan, digest: &Digest) -> SumState {
        match plan.setting(digest, self.round, self.attempt) {
            Some(setting) => SumState::Masked(Box::new(Collector::new(
                setting,
                self.cohort.clone(),
                self.parameters,
            ))),
            None => SumState::Clear(RingVector::zeros(self.parameters)),
        }
    }

    /// Begins the sum of the next attempt. Masked summands of the last one cannot be told from noise: they come anew, under
    /// other masks. What was seen in the clear stays.
    pub(super) fn repeat_sum(&mut self) {
        if let Some(mut sum) = self.sum.take_if(|sum| sum.is_masked()) {
            self.updates.clear();
            sum.state = self.fresh(&sum.plan, &sum.digest);
            self.sum = Some(sum);
        }
    }

    /// Takes a summand of this round in; says whether it is new. See [`receive`](Self::receive).
    ///
    /// # Errors
    /// If the summand may not be used.
    pub(crate) fn receive_summand(
        &mut self,
        plan: &CoordinatorPlan,
        summand: Summand,
    ) -> Result<bool, Refusal> {
        let Summand {
            update,
            attempt,
            values,
        } = summand;
        let (silo, round) = (update.silo, self.round);
        if !self.cohort.contains(&silo) {
            return Err(Refusal::NotInCohort { round });
        }
        let Some(sum) = &mut self.sum else {
            self.put_out(silo, Missing::Refused(Refusal::Sight { summed: false }));
            return Err(Refusal::Sight { summed: false });
        };
        if self.updates.contains_key(&silo) || sum.is_masked() && attempt < self.attempt {
            return Ok(false);
        }
        if self.out.contains_key(&silo) {
            return Err(Refusal::OutOfRound { round });
        }
        if let SumState::Masked(collector) = &mut sum.state
            && !collector.awaits_summand(silo)
        {
            // Too late, which is nobody's fault, or too early, which is.
            return collector.add(silo, &values).map_err(|_| Refusal::SumStep);
        }
        let (expected, found) = (self.parameters as u64, values.len() as u64);
        let checked = if found == expected && update.delta.is_empty() {
            check(plan, &update)
        } else {
            Err(Refusal::WrongShape { expected, found })
        };
        if let Err(refusal) = checked {
            self.put_out(silo, Missing::Refused(refusal));
            return Err(refusal);
        }
        match &mut sum.state {
            SumState::Clear(total) => total.add(&values),
            SumState::Masked(collector) => {
                collector.add(silo, &values).map_err(|_| Refusal::SumStep)?;
            }
        }
        self.updates.insert(silo, update);
        Ok(true)
    }

    /// Takes in a silo's answer to a step of the masked sum; says whether it is new.
    ///
    /// # Errors
    /// If there is no such sum, or the answer does not belong into the step under way.
    pub(crate) fn receive_step(
        &mut self,
        from: SiloId,
        answer: Masking<FromMember>,
    ) -> Result<bool, Refusal> {
        let attempt = self.attempt;
        match self.sum.as_mut().map(|sum| &mut sum.state) {
            Some(SumState::Masked(collector)) if answer.attempt == attempt => collector
                .handle(from, answer.step)
                .map_err(|_| Refusal::SumStep),
            Some(SumState::Masked(_)) if answer.attempt < attempt => Ok(false),
            _ => Err(Refusal::SumStep),
        }
    }

    /// What the step under way asks of `silo`, if there is a masked sum that it is in.
    pub(crate) fn step_for(&self, silo: SiloId) -> Option<ToSilo> {
        match &self.sum.as_ref()?.state {
            SumState::Clear(_) => None,
            SumState::Masked(collector) => Some(self.masking(collector.message_for(silo)?)),
        }
    }

    fn masking(&self, step: ToMember) -> ToSilo {
        ToSilo::Masking(Masking {
            round: self.round,
            attempt: self.attempt,
            step,
        })
    }

    /// Ends the step of the masked sum that is under way, if there is such a sum. No secret is asked for before `quorum`
    /// summands are there.
    pub(crate) fn next_step(&mut self, quorum: u32) -> NextStep {
        let Some(SumState::Masked(collector)) = self.sum.as_mut().map(|sum| &mut sum.state) else {
            return NextStep::Done;
        };
        let summands = self.updates.len() as u32;
        if collector.is_summing() && summands < quorum {
            return NextStep::TooFew {
                left: summands,
                needed: quorum,
            };
        }
        match collector.advance() {
            Err(TooFew { left, threshold }) => NextStep::TooFew {
                left: left as u32,
                needed: threshold as u32,
            },
            Ok(_) if collector.is_done() => NextStep::Done,
            Ok(steps) => {
                let steps = steps.into_iter();
                NextStep::Tell(
                    steps
                        .map(|(silo, step)| (silo, self.masking(step)))
                        .collect(),
                )
            }
        }
    }

    /// The update that the sum stands for; none if updates are seen.
    ///
    /// # Errors
    /// If its masks cannot be taken off, with whose secret is at fault.
    pub(crate) fn summed(&self) -> Option<Result<Vec<f32>, WrongShares>> {
        let sum = self.sum.as_ref()?;
        let total = match &sum.state {
            SumState::Clear(total) => Ok(total.clone()),
            SumState::Masked(collector) => collector.unmask(),
        };
        Some(total.map(|total| sum.plan.decode(&total, self.updates.len())))
    }
}
