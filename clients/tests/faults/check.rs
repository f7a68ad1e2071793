//! What must hold for every schedule of faults.
//!
//! The run's own account is never believed: what left is in a log of its own, and the model is made again, the slow
//! way, from nothing but who was accepted in which round.

use super::case::Case;
use super::world::{Journal, bits};
use crate::common::{PARAMETERS, release};
use accounting::{
    Delta, Ledger, LedgerEntry, NeighboringRelation, Odometer, Presence, RdpAccountant,
    RecordsPerSilo,
};
use primitives::{ModelVector, Role, Round, SiloId, Stream};
use protocol::{FinishReason, SiloUpdate, Task};
use secure_sum::{RingVector, SumPlan};
use server::Strategy;
use siloscope_clients::SiloCheckpoint;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// What was found wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Violation {
    /// The run came to no end, or to one that its last rounds do not explain.
    Ending,
    /// A model is not what the honest updates of those accepted make.
    Model,
    /// An update of a silo that does not keep to the protocol was accepted.
    Accepted,
    /// Without a missing silo, something differs from the undisturbed run.
    Disturbed,
    /// More than one thing left a silo, or the coordinator, for one round.
    ReleasedTwice,
    /// A silo has helped to take the masks off two different sums of one round.
    OpenedTwice,
    /// Something left that the run's ledger does not hold.
    Uncharged,
    /// The run's ε is below that of what really left.
    Epsilon,
    /// Something left a silo that its own ledger does not hold.
    OwnLedger,
    /// More was admitted than the budget holds.
    Budget,
}

/// Everything that is wrong, worst last.
pub(crate) fn violations(
    case: &Case,
    journal: &Journal,
    own: &BTreeMap<SiloId, SiloCheckpoint>,
    undisturbed: &Journal,
) -> Vec<Violation> {
    let checks = [
        (Violation::Ending, ends_in_order(case, journal)),
        (
            Violation::Model,
            models_are_made_of_the_accepted(case, journal),
        ),
        (
            Violation::Accepted,
            nothing_malicious_is_accepted(case, journal),
        ),
        (
            Violation::Disturbed,
            undisturbed_if_complete(journal, undisturbed),
        ),
        (Violation::ReleasedTwice, released_once(journal)),
        (
            Violation::OpenedTwice,
            journal.opened.values().all(|sums| sums.len() == 1),
        ),
        (Violation::Uncharged, everything_is_charged(case, journal)),
        (Violation::Epsilon, epsilon_covers(case, journal)),
        (Violation::OwnLedger, own_ledgers_cover(case, journal, own)),
        (Violation::Budget, journal.ledger.len() <= case.budget),
    ];
    let broken = checks.into_iter().filter(|(_, holds)| !holds);
    broken.map(|(violation, _)| violation).collect()
}

fn ends_in_order(case: &Case, journal: &Journal) -> bool {
    let rounds: Vec<u32> = journal
        .outcomes
        .iter()
        .map(|outcome| outcome.round.0)
        .collect();
    let in_order = rounds.iter().copied().eq(1..=rounds.len() as u32);
    let next = Round(rounds.len() as u32 + 1);
    in_order
        && match journal.finish {
            Some(FinishReason::RoundsDone) => rounds.len() as u32 == case.rounds,
            Some(FinishReason::BudgetReached) => {
                let next = if case.central {
                    1
                } else {
                    case.cohort as usize
                };
                journal.ledger.len() + next > case.budget
            }
            Some(FinishReason::QuorumLost { round, .. }) => {
                round == next
                    && journal
                        .abandoned
                        .as_ref()
                        .is_some_and(|given_up| given_up.round == next)
            }
            Some(FinishReason::Diverged { .. } | FinishReason::WrongShares { .. }) | None => false,
        }
}

/// FedAvg over the accepted silos' updates, each trained here, from the model of the round before.
fn models_are_made_of_the_accepted(case: &Case, journal: &Journal) -> bool {
    let (strategy, aggregator) = (Case::strategy(), case.aggregator());
    let mut state = strategy.init(Case::initial());
    journal.outcomes.iter().all(|outcome| {
        let task = Task {
            round: outcome.round,
            model: state.model.clone(),
            clip_norm: None,
        };
        let accepted = outcome.updates.keys();
        let mut updates: BTreeMap<SiloId, SiloUpdate> = accepted
            .map(|&silo| (silo, case.trainer(silo).train(&task).unwrap()))
            .collect();
        let update = if let Some(plan) = case.sums {
            summed(case, plan, &mut updates)
        } else {
            for update in updates.values_mut() {
                *update = case.arrived(update.clone());
            }
            aggregator.aggregate(outcome.round, &updates).unwrap()
        };
        state = strategy.apply(state.clone(), &update).unwrap();
        bits(&state.model) == bits(&outcome.model) && updates == outcome.updates
    })
}

/// What the sum of these updates stands for, added up in the clear; of the updates all but their values is left.
fn summed(case: &Case, plan: SumPlan, updates: &mut BTreeMap<SiloId, SiloUpdate>) -> ModelVector {
    let mut sum = RingVector::zeros(PARAMETERS);
    for (&silo, update) in updates.iter_mut() {
        let stream = Stream::silo(Role::SumNoise, silo, update.round);
        let mut rng = case.seed().stream(stream);
        sum.add(&plan.encode(update.delta.as_slice(), &mut rng));
        update.delta = ModelVector::default();
    }
    plan.decode(&sum, updates.len()).into()
}

fn nothing_malicious_is_accepted(case: &Case, journal: &Journal) -> bool {
    let mut accepted = journal
        .outcomes
        .iter()
        .flat_map(|outcome| outcome.updates.keys());
    accepted.all(|&silo| case.is_honest(silo))
}

fn undisturbed_if_complete(journal: &Journal, undisturbed: &Journal) -> bool {
    let mut complete = journal.outcomes.iter().zip(&undisturbed.outcomes);
    complete
        .by_ref()
        .take_while(|(outcome, _)| outcome.missing.is_empty())
        .all(|(found, expected)| {
            (&found.model, &found.updates, &found.entries)
                == (&expected.model, &expected.updates, &expected.entries)
        })
}

fn released_once(journal: &Journal) -> bool {
    let once = |count: usize| count == 1;
    journal.released.values().all(|seen| once(seen.len()))
        && journal.published.values().all(|seen| once(seen.len()))
}

/// The ledger of what really left: an entry for every distinct update of an honest silo, or, where the coordinator adds
/// the noise, for every distinct model.
fn really_released(case: &Case, journal: &Journal) -> Vec<LedgerEntry> {
    let mut entries = Vec::new();
    if case.central {
        for (&round, seen) in journal.published.iter().filter(|(round, _)| round.0 > 0) {
            let cohort: Vec<u32> = case
                .cohorts()
                .cohort(round)
                .iter()
                .map(|silo| silo.0)
                .collect();
            let sum = LedgerEntry::noised_sum(round.0, cohort, Case::central_mechanism()).unwrap();
            entries.extend(std::iter::repeat_n(sum, seen.len()));
        }
    } else {
        for (&(silo, round), seen) in &journal.released {
            let entry = release().entry(round, silo).unwrap();
            entries.extend(std::iter::repeat_n(entry, seen.len()));
        }
    }
    entries.sort_by_key(LedgerEntry::round);
    entries
}

/// Whether `ledger` holds every one of `entries` as often as they do.
fn holds_all(ledger: &[LedgerEntry], entries: &[LedgerEntry]) -> bool {
    let count = |list: &[LedgerEntry], entry| list.iter().filter(|other| *other == entry).count();
    entries
        .iter()
        .all(|entry| count(ledger, entry) >= count(entries, entry))
}

fn everything_is_charged(case: &Case, journal: &Journal) -> bool {
    holds_all(&journal.ledger, &really_released(case, journal))
}

/// ε of a record in each silo, and of a subject with records in several, by the run's ledger and by the other log.
fn epsilon_covers(case: &Case, journal: &Journal) -> bool {
    let claimed = epsilons(case, &journal.ledger);
    let real = epsilons(case, &really_released(case, journal));
    claimed
        .iter()
        .zip(real)
        .all(|(claimed, real)| *claimed >= real)
}

fn epsilons(case: &Case, entries: &[LedgerEntry]) -> Vec<f64> {
    thread_local! {
        static KNOWN: RefCell<BTreeMap<(u32, String), Vec<f64>>> = RefCell::default();
    }
    // Rounds are nothing to an accountant.
    let mut what: Vec<String> = entries
        .iter()
        .map(|entry| {
            format!(
                "{:?} {} {}",
                entry.scope(),
                entry.mechanism(),
                entry.steps()
            )
        })
        .collect();
    what.sort_unstable();
    let key = (case.silos, what.join("\n"));
    if let Some(known) = KNOWN.with_borrow(|known| known.get(&key).cloned()) {
        return known;
    }
    let mut odometer = Odometer::new(RdpAccountant::new(NeighboringRelation::AddOrRemoveOne));
    for entry in entries {
        odometer.append(entry.clone()).unwrap();
    }
    let delta = Delta::try_new(1e-5).unwrap();
    let subject = RecordsPerSilo::new([(0, 2), (1, 1)]);
    let mut epsilons: Vec<f64> = (0..case.silos)
        .map(|silo| {
            odometer
                .loss(Presence::Record { silo }, delta)
                .epsilon
                .get()
        })
        .collect();
    epsilons.push(
        odometer
            .loss(Presence::Subject(&subject), delta)
            .epsilon
            .get(),
    );
    KNOWN.with_borrow_mut(|known| known.insert(key, epsilons.clone()));
    epsilons
}

/// The silo's own ledger, on its disk, holds whatever left it.
fn own_ledgers_cover(
    case: &Case,
    journal: &Journal,
    own: &BTreeMap<SiloId, SiloCheckpoint>,
) -> bool {
    if case.central {
        return true;
    }
    let left = |silo: SiloId| {
        let rounds = journal
            .released
            .iter()
            .filter(move |((of, _), _)| *of == silo);
        rounds.map(move |(&(_, round), _)| release().entry(round, silo).unwrap())
    };
    own.iter()
        .filter(|(silo, _)| case.is_honest(**silo))
        .all(|(&silo, kept)| {
            let entries: Vec<LedgerEntry> = left(silo).collect();
            holds_all(Ledger::entries(&kept.ledger), &entries)
        })
}
