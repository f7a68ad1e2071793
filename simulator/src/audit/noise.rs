//! Whether the noise is what the ledger says, silo by silo, in the report's terms.

use super::{Allowance, confidence};
use attacks::audit::{NoiseCheck, NoiseCheckKind};
use primitives::SiloId;
use report::model::{Check, CheckOutcome};

const KINDS: [NoiseCheckKind; 3] = [
    NoiseCheckKind::Strength,
    NoiseCheckKind::FreshInEveryStep,
    NoiseCheckKind::FreshInEveryRound,
];

/// One row for each kind of check, over all silos.
pub fn checks(all: &[(Option<SiloId>, NoiseCheck)], allowance: Allowance) -> Vec<Check> {
    let of_kind = |kind| {
        let found: Vec<_> = all.iter().filter(|(_, check)| check.kind == kind).collect();
        (!found.is_empty()).then(|| row(kind, &found, allowance))
    };
    KINDS.into_iter().filter_map(of_kind).collect()
}

fn row(
    kind: NoiseCheckKind,
    found: &[&(Option<SiloId>, NoiseCheck)],
    allowance: Allowance,
) -> Check {
    let (name, expected, meaning) = match kind {
        NoiseCheckKind::Strength => (
            "noise-strength",
            "1 times the ledger's",
            "The noise that was added is not the noise that the accountant was told of.",
        ),
        NoiseCheckKind::FreshInEveryStep => (
            "noise-fresh-in-every-step",
            "correlation 0",
            "Noise of one step comes again in the next, where it hides nothing.",
        ),
        NoiseCheckKind::FreshInEveryRound => (
            "noise-fresh-in-every-round",
            "correlation 0",
            "Noise of one round comes again in the next, where it hides nothing.",
        ),
    };
    let level = confidence(allowance.noise);
    let passes = |check: &NoiseCheck| check.passes(level);
    let values = found.iter().map(|(_, check)| check.found);
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    let count: u64 = found.iter().map(|(_, check)| check.count).sum();
    let tripped: Vec<String> = found
        .iter()
        .filter(|(_, check)| !passes(check))
        .map(|(whose, check)| {
            let whose = whose.map_or_else(|| "coordinator".to_owned(), |silo| silo.to_string());
            format!("{whose} {:.3} (p {:.0e})", check.found, check.p_value)
        })
        .collect();
    let range = if found.len() == 1 {
        format!("{low:.3}")
    } else {
        format!("{low:.3} to {high:.3} in {} silos", found.len())
    };
    let outcome = if tripped.is_empty() {
        CheckOutcome::Passed
    } else {
        CheckOutcome::Tripped
    };
    let text = if tripped.is_empty() {
        format!("{range}, {count} readings")
    } else {
        let tripped = tripped.join(", ");
        format!("{range}, {count} readings; not as it should be: {tripped}")
    };
    Check {
        name: name.to_owned(),
        expected: expected.to_owned(),
        found: text,
        outcome,
        meaning: meaning.to_owned(),
    }
}
