//! What a ledger promises, as a curve, and what it would promise with other noise.

use crate::statement::{RELATION, accountant, followed};
use accounting::{
    Accountant, Delta, Epsilon, Holdings, Ledger, LedgerEntry, PldAccountant, Presence,
};
use attacks::MembershipScore;
use attacks::audit::{CanaryScores, Claim, NoiseAtMost, least_private};

/// Pairs of ε and δ that a claim is made of.
const PAIRS: u32 = 16;
/// Beyond this a promise is none, and its curve is not worth drawing.
const MOST: f64 = 60.0;

/// The least ε that is proved for the worst-off of `presences` at `delta`.
pub fn upper(entries: &[LedgerEntry], presences: &[Presence<'_>], delta: Delta) -> Epsilon {
    let mut odometer = followed(accountant(), entries);
    let losses = presences
        .iter()
        .map(|&presence| odometer.loss(presence, delta).epsilon);
    losses.fold(
        Epsilon::ZERO,
        |worst, loss| {
            if loss > worst { loss } else { worst }
        },
    )
}

/// The least ε that is proved for the worst-off subject at `delta`.
pub fn worst_subject(entries: &[LedgerEntry], holdings: &Holdings, delta: Delta) -> Epsilon {
    let mut odometer = followed(accountant(), entries);
    odometer.worst_subject(holdings, delta).epsilon
}

/// What is promised to each of `presences`: δ at ε from nought to `upper`. `None` if there is no bound.
fn claim(entries: &[LedgerEntry], presences: &[Presence<'_>], upper: Epsilon) -> Option<Claim> {
    let most = upper.get();
    if most <= 0.0 || most > MOST {
        return None;
    }
    let epsilons: Vec<Epsilon> = (0..=PAIRS)
        .map(|i| Epsilon::from_computed(most * f64::from(i) / f64::from(PAIRS)))
        .collect();
    let mut odometer = followed(PldAccountant::new(RELATION), entries);
    let mut weakest: Option<Claim> = None;
    for &presence in presences {
        let composed = odometer.accountant(presence).ok()?;
        let pairs = epsilons
            .iter()
            .map(|&epsilon| (epsilon, composed.delta(epsilon)));
        let claim = Claim::new(pairs.collect());
        weakest = Some(weakest.map_or_else(|| claim.clone(), |weakest| weakest.weaker(&claim)));
    }
    weakest
}

/// What `scores` leave of the ledger's curve at significance `alpha`: the least ε at `delta` among the ledger and its like
/// with more or less noise that are not refuted at `thresholds`, and whether the ledger itself is.
pub fn least_epsilon(
    entries: &[LedgerEntry],
    presences: &[Presence<'_>],
    scores: &CanaryScores,
    thresholds: &[MembershipScore],
    delta: Delta,
    alpha: f64,
) -> (Epsilon, bool) {
    let upper = upper(entries, presences, delta);
    let noise = least_private(scores, thresholds, alpha, |factor| {
        claim(&scaled(entries, factor), presences, upper)
    });
    match noise {
        NoiseAtMost::Unbounded => (Epsilon::ZERO, false),
        NoiseAtMost::Times(factor) => {
            let lowest = self::upper(&scaled(entries, factor), presences, delta);
            (lowest, factor <= 1.0)
        }
    }
}

/// The same releases with their noise multiplied by `factor`.
fn scaled(entries: &[LedgerEntry], factor: f64) -> Vec<LedgerEntry> {
    entries
        .iter()
        .map(|entry| {
            let mechanism = entry.mechanism().noise_scaled(factor);
            LedgerEntry::try_new(
                entry.round(),
                entry.scope().clone(),
                mechanism,
                entry.steps(),
            )
            .expect("only the noise differs")
        })
        .collect()
}

/// Of `presences`, one of each to whom the same was done.
pub fn distinct<'a>(
    ledger: &Ledger,
    presences: impl IntoIterator<Item = Presence<'a>>,
) -> Vec<Presence<'a>> {
    let mut found: Vec<(Presence<'a>, accounting::DpEvent)> = Vec::new();
    for presence in presences {
        if found.iter().any(|(other, _)| *other == presence) {
            continue;
        }
        let event = ledger.event(presence);
        if !found.iter().any(|(_, other)| *other == event) {
            found.push((presence, event));
        }
    }
    found.into_iter().map(|(presence, _)| presence).collect()
}
