//! What a silo asks itself before it trains: whether the plan that it has read asks this of it.
//!
//! The coordinator asks for the whole cohort; a silo that trusts nobody asks again for itself. A round that is
//! not in the plan, or in whose cohort the silo is not, is declined, so that no coordinator can have more of a silo
//! than the plan that the silo was started with.

use accounting::LedgerEntry;
use primitives::{Round, SiloId};
use protocol::{BudgetReached, RoundGate};
use server::CohortLaw;

/// Admits what the plan asks of one silo, and of that what the budget holds.
#[derive(Debug)]
pub struct OwnGate {
    /// Whose gate it is.
    pub silo: SiloId,
    /// Rounds of the plan.
    pub rounds: u32,
    /// Who takes part in which round.
    pub cohorts: CohortLaw,
    /// The scenario's budget, charged with what the silo has spent.
    pub budget: Box<dyn RoundGate>,
}

impl RoundGate for OwnGate {
    fn admit(&mut self, round: Round, entries: &[LedgerEntry]) -> Result<(), BudgetReached> {
        // A silo that has lost its memory asks for all rounds in which it may have spent.
        let is_past = entries.iter().any(|entry| entry.round() != round.0);
        if !is_past && !self.is_planned(round) {
            let why = format!("the plan does not ask {} for this round", self.silo);
            return Err(BudgetReached { round, why });
        }
        let planned: Vec<LedgerEntry> = entries
            .iter()
            .filter(|entry| self.is_planned(Round(entry.round())))
            .cloned()
            .collect();
        self.budget.admit(round, &planned)
    }
}

impl OwnGate {
    fn is_planned(&self, round: Round) -> bool {
        (1..=self.rounds).contains(&round.0) && self.cohorts.cohort(round).contains(&self.silo)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use primitives::Seed;
    use protocol::OpenGate;

    #[test]
    fn only_rounds_of_the_plan_are_admitted() {
        let roster = (0..4).map(SiloId).collect();
        let cohorts = CohortLaw::try_new(roster, 2, Seed::from_number(7)).unwrap();
        let mut gate = OwnGate {
            silo: SiloId(1),
            rounds: 10,
            cohorts: cohorts.clone(),
            budget: Box::new(OpenGate),
        };
        let admitted: Vec<u32> = (0..=12)
            .filter(|&round| gate.admit(Round(round), &[]).is_ok())
            .collect();
        let planned: Vec<u32> = (1..=10)
            .filter(|&round| cohorts.cohort(Round(round)).contains(&SiloId(1)))
            .collect();
        assert_eq!(admitted, planned);
        assert!((1..10).contains(&planned.len()), "{planned:?}");
    }
}
