//! Thousands of random schedules of faults on small federations.

mod case;
mod check;
mod malice;
mod wire;
mod world;

use case::{Bug, Case};
use check::Violation;
use protocol::FinishReason;
use std::collections::BTreeMap;

/// How many schedules a test run plays.
const SCHEDULES: u64 = 3000;

/// Plays one schedule, and says what was wrong and how the run ended.
fn play(seed: u64, bug: Bug) -> (Vec<Violation>, world::Journal) {
    let case = Case::draw(seed, bug);
    let (journal, own) = world::run(&case);
    let (undisturbed, _) = world::run(&case.undisturbed());
    (
        check::violations(&case, &journal, &own, &undisturbed),
        journal,
    )
}

/// `SILOSCOPE_FAULT_SEED` plays one schedule and shows it, `SILOSCOPE_FAULT_SCHEDULES` plays so many.
fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn random_fault_schedules() {
    if let Some(seed) = number("SILOSCOPE_FAULT_SEED") {
        let (violations, journal) = play(seed, Bug::None);
        let case = Case::draw(seed, Bug::None);
        assert!(
            violations.is_empty(),
            "{violations:?}\n{case:#?}\n{journal:#?}"
        );
        return;
    }
    let mut endings: BTreeMap<&str, u32> = BTreeMap::new();
    let (mut struck, mut repeats, mut missing, mut unmasked) = (0, 0, 0, 0);
    for seed in 0..number("SILOSCOPE_FAULT_SCHEDULES").unwrap_or(SCHEDULES) {
        let (violations, journal) = play(seed, Bug::None);
        assert!(
            violations.is_empty(),
            "schedule {seed} breaks {violations:?}; play it again with: SILOSCOPE_FAULT_SEED={seed} cargo test -p \
             siloscope-clients --test federation random_fault_schedules"
        );
        struck += journal.struck;
        unmasked += journal.unmasked;
        repeats += journal
            .outcomes
            .iter()
            .map(|outcome| outcome.attempts - 1)
            .sum::<u32>();
        missing += journal
            .outcomes
            .iter()
            .filter(|outcome| !outcome.missing.is_empty())
            .count();
        *endings
            .entry(match journal.finish {
                Some(FinishReason::RoundsDone) => "done",
                Some(FinishReason::BudgetReached) => "budget",
                _ => "partial",
            })
            .or_default() += 1;
    }
    // The schedules are worth their time: every ending, repeats, and silos that are missing all come up.
    assert!(
        endings.len() == 3 && endings.values().all(|&count| count > 50),
        "{endings:?}"
    );
    assert!(
        struck > 5000 && repeats > 100 && missing > 500 && unmasked > 500,
        "{struck} {repeats} {missing} {unmasked}"
    );
}

#[test]
fn the_checker_finds_planted_bugs() {
    let planted = [
        (Bug::SiloForgets, Violation::OwnLedger),
        (Bug::OpensAgain, Violation::OpenedTwice),
        (Bug::FreshNoise, Violation::Model),
        (Bug::AbandonedUncharged, Violation::Epsilon),
        (Bug::MissingUncharged, Violation::Epsilon),
        (Bug::SendsBeforeWriting, Violation::ReleasedTwice),
    ];
    for (bug, expected) in planted {
        let found = (0..2000).any(|seed| play(seed, bug).0.contains(&expected));
        assert!(found, "{bug:?} is not found as {expected:?}");
    }
}
