//! What a silo asks itself before it trains: whether the plan that it has read asks this of it.
//!
//! The coordinator asks for the whole cohort; a silo that trusts nobody asks again for itself. A round that is
//! not in the plan, or in whose cohort the silo is not, is declined, so that no coordinator can have more of a silo
//! than the plan that the silo was started with.

use crate::exit::Failure;
use accounting::LedgerEntry;
use primitives::{Round, SiloId};
use protocol::{BudgetReached, RoundGate};
use server::CohortLaw;

/// The rounds that a plan asks of one silo.
#[derive(Clone, Debug)]
pub struct OwnRounds {
    /// Which silo.
    pub silo: SiloId,
    /// Rounds of the plan.
    pub rounds: u32,
    /// Who takes part in which round.
    pub cohorts: CohortLaw,
}

/// Admits what the plan asks of one silo, and of that what the budget holds.
#[derive(Debug)]
pub struct OwnGate {
    own: OwnRounds,
    /// The scenario's budget, charged with what the silo has spent.
    budget: Box<dyn RoundGate>,
}

/// Admits nothing: what was spent, or must be taken for spent, is more than the budget holds.
#[derive(Debug)]
struct Overspent {
    why: String,
}

impl OwnRounds {
    fn contains(&self, round: Round) -> bool {
        (1..=self.rounds).contains(&round.0) && self.cohorts.cohort(round).contains(&self.silo)
    }

    /// The entries of rounds that the plan asks of the silo. In no other has it sent anything, even if it had to charge
    /// itself for all.
    fn planned(&self, entries: &[LedgerEntry]) -> Vec<LedgerEntry> {
        let planned = |entry: &&LedgerEntry| self.contains(Round(entry.round()));
        entries.iter().filter(planned).cloned().collect()
    }
}

impl OwnGate {
    /// A gate for `own`, with what the budget leaves when the silo's ledger says `spent`: nothing, if that is more than
    /// `budget` takes. A silo without memory that charges itself for all it may have sent comes to that.
    pub fn new(
        own: OwnRounds,
        spent: &[LedgerEntry],
        budget: impl FnOnce(&[LedgerEntry]) -> Result<Box<dyn RoundGate>, Failure>,
    ) -> Self {
        let budget = budget(&own.planned(spent)).unwrap_or_else(|refused| {
            Box::new(Overspent {
                why: refused.message,
            })
        });
        Self { own, budget }
    }
}

impl RoundGate for OwnGate {
    fn admit(&mut self, round: Round, entries: &[LedgerEntry]) -> Result<(), BudgetReached> {
        // A silo that has lost its memory asks for all rounds in which it may have spent.
        let is_past = entries.iter().any(|entry| entry.round() != round.0);
        if !is_past && !self.own.contains(round) {
            let why = format!("the plan does not ask {} for this round", self.own.silo);
            return Err(BudgetReached { round, why });
        }
        self.budget.admit(round, &self.own.planned(entries))
    }
}

impl RoundGate for Overspent {
    fn admit(&mut self, round: Round, _entries: &[LedgerEntry]) -> Result<(), BudgetReached> {
        Err(BudgetReached {
            round,
            why: format!("the silo's ledger holds more than its budget: {}", self.why),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::gate;
    use crate::statement::{accountant, followed};
    use accounting::{
        Delta, Holdings, Ledger, Mechanism, NoiseMultiplier, PrivacyBudget, PrivacyUnit,
        RecordsPerSilo, SamplingRate,
    };
    use clients::{Silo, SiloCheckpoint, SiloPlan};
    use primitives::{Digest, ModelVector, Seed};
    use protocol::{Decline, OpenGate, Release, Task, ToCoordinator, ToSilo, Welcome};

    const SILO: SiloId = SiloId(1);

    fn own() -> OwnRounds {
        let roster = (0..4).map(SiloId).collect();
        OwnRounds {
            silo: SILO,
            rounds: 10,
            cohorts: CohortLaw::try_new(roster, 2, Seed::from_number(7)).unwrap(),
        }
    }

    fn planned() -> Vec<Round> {
        let rounds = (1..=10).map(Round);
        rounds.filter(|&round| own().contains(round)).collect()
    }

    #[test]
    fn only_rounds_of_the_plan_are_admitted() {
        let mut gate = OwnGate::new(own(), &[], |_| Ok(Box::new(OpenGate)));
        let admitted: Vec<Round> = (0..=12)
            .map(Round)
            .filter(|&round| gate.admit(round, &[]).is_ok())
            .collect();
        assert_eq!(admitted, planned());
        assert!((1..10).contains(&admitted.len()), "{admitted:?}");
    }

    fn plan() -> SiloPlan {
        let mechanism = Mechanism::Record {
            noise_multiplier: NoiseMultiplier::try_new(1.0).unwrap(),
            sampling_rate: SamplingRate::try_new(0.5).unwrap(),
        };
        SiloPlan {
            silo: SILO,
            digest: Digest::of(b"plan"),
            releases: vec![Release {
                mechanism,
                steps: 10,
            }],
        }
    }

    /// What the silo releases in `rounds`.
    fn entries(rounds: &[Round]) -> Vec<LedgerEntry> {
        let release = plan().releases.remove(0);
        let of = |&round: &Round| release.entry(round, SILO).unwrap();
        rounds.iter().map(of).collect()
    }

    /// A gate over a budget that takes exactly the rounds that the plan asks of the silo.
    fn budgeted(spent: &[LedgerEntry]) -> OwnGate {
        let holdings = Holdings::new([RecordsPerSilo::new([(SILO.0, 1)])]);
        let mut whole = Ledger::new();
        for entry in entries(&planned()) {
            whole.append(entry).unwrap();
        }
        let delta = Delta::try_new(1e-5).unwrap();
        let mut odometer = followed(accountant(), whole.entries());
        let budget = PrivacyBudget {
            unit: PrivacyUnit::Subject,
            epsilon: odometer.worst_subject(&holdings, delta).epsilon,
            delta,
        };
        OwnGate::new(own(), spent, |spent| {
            gate(Some(budget), holdings, &whole, spent)
        })
    }

    fn asked(silo: &mut Silo, round: Round) -> Option<ToCoordinator> {
        silo.handle(ToSilo::Train(Task {
            round,
            model: ModelVector::zeros(4),
            clip_norm: None,
        }));
        silo.poll_transmit()
    }

    /// A silo without memory, told that it may have been asked for all rounds up to this one.
    fn without_memory(up_to: Round) -> SiloCheckpoint {
        let mut silo = Silo::new(plan(), Box::new(budgeted(&[])));
        silo.handle(ToSilo::Welcome(Welcome {
            round: up_to.next(),
            rounds: 10,
            asked: Some(up_to),
        }));
        silo.checkpoint()
    }

    #[test]
    fn a_silo_without_memory_goes_on_after_another_restart_as_before_it() {
        let [.., before, last] = planned()[..] else {
            panic!("the silo takes part in several rounds")
        };
        // It is charged for rounds in which others took part, too: more than the budget holds.
        let kept = without_memory(before);
        assert_eq!(kept.ledger.entries().len(), before.0 as usize);
        assert!(kept.ledger.entries().len() > planned().len());
        let gate = budgeted(kept.ledger.entries());
        let mut silo = Silo::restore(plan(), Box::new(gate), kept);
        assert_eq!(asked(&mut silo, last), None);
        assert!(silo.poll_task().is_some());
    }

    #[test]
    fn a_silo_that_must_assume_more_than_its_budget_starts_again_and_declines() {
        // Twice what the plan asks of it, in its own rounds.
        let mut ledger = Ledger::new();
        for round in planned() {
            for entry in entries(&[round, round]) {
                ledger.append(entry).unwrap();
            }
        }
        let last = planned().pop().unwrap();
        let kept = SiloCheckpoint {
            last: Some(Round(last.0 - 1)),
            ledger,
            ..SiloCheckpoint::default()
        };
        let gate = budgeted(kept.ledger.entries());
        let mut silo = Silo::restore(plan(), Box::new(gate), kept);
        let reason = Decline::BudgetReached;
        let declined = ToCoordinator::Decline {
            round: last,
            reason,
        };
        assert_eq!(asked(&mut silo, last), Some(declined));
    }
}
