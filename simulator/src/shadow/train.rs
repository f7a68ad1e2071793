//! One shadow run from its untrained model to its last.

use crate::exit::{Exit, Failure};
use crate::observer::Observer;
use crate::training_run::{self, Seen, Spot};
use attacks::{RoundSignals, ShadowDesign, Signals};
use primitives::Role;
use scenarios::Resolved;

/// What each model of a shadow says about the adversary's records, by regime.
///
/// # Errors
/// If the shadow cannot be trained, ends early or diverges, or has to stop.
pub(super) fn run(
    resolved: &Resolved,
    design: &ShadowDesign,
    observer: &Observer<'_>,
    shadow: usize,
    spot: &Spot<'_>,
) -> Result<Vec<Vec<RoundSignals>>, Failure> {
    let members: Vec<_> = design.runs()[shadow].iter().copied().collect();
    let seed = resolved.world.seed.child(Role::Shadow, shadow as u64);
    let about = |failure: Failure| about(shadow, failure);
    let federation = resolved
        .with_members(&members, seed)
        .map_err(|error| about(Failure::scenario(error)))?;
    // What is not finite would be refused when it is read: then it is too late to say why.
    let mut checked: Vec<Signals> = observer
        .regimes()
        .map(|(regime, queries)| Signals::new(regime, queries.clone()))
        .collect();
    let mut rounds = Vec::with_capacity(federation.schedule.rounds as usize + 1);
    let look = |seen: Seen<'_>| {
        let signals = observer
            .signals(seen.round, seen.model, observer.kinds(), spot.seat())
            .map_err(Failure::run)?;
        for (checked, signals) in checked.iter_mut().zip(&signals) {
            checked.push(signals.clone()).map_err(Failure::run)?;
        }
        rounds.push(signals);
        Ok(())
    };
    training_run::run(&federation, spot, look).map_err(about)?;
    Ok(rounds)
}

/// The same failure with the shadow that it is about, unless somebody only wants to stop.
fn about(shadow: usize, failure: Failure) -> Failure {
    if failure.exit == Exit::Interrupted {
        return failure;
    }
    let message = format!(
        "shadow federation {shadow}: {failure}; attacks compare with every shadow, so none is left out: change what makes \
         it fail, or leave out the attacks that need shadows"
    );
    Failure::new(failure.exit, message)
}
