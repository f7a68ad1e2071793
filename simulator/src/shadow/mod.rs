//! Shadow federations: the attacked federation trained again with other people in it, so that the strongest attacks
//! have a yardstick.
//!
//! ```text
//! evaluated subjects ─ ShadowDesign ▸ members of shadow k ─ Resolved::with_members ▸ a federation ─ Driver ▸ models
//! models ─ Observer ▸ what each says about the adversary's records ─ Kept ▸ files of each shadow
//! ```
//!
//! A shadow depends on the plan and its number alone: not on how many there are, on who attacks, or on what the
//! attacked run came to. So shadows are kept beside the runs and serve every attack on the same training.

mod kept;
mod train;

use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::observer::Observer;
use crate::progress::Progress;
use crate::stack::Stack;
use crate::training_run::Spot;
use attacks::{ShadowDesign, ShadowSignals};
use kept::Kept;
use primitives::{Role, Stream};
use scenarios::Resolved;
use std::path::Path;

/// What shadow runs say about the adversary's records.
#[derive(Debug)]
pub struct Shadows {
    /// One for each regime, in the observer's order.
    pub signals: Vec<ShadowSignals>,
    /// How many were trained now; the others were kept from before.
    pub trained: usize,
}

/// How many shadow federations the plan asks for; zero if no attack uses them.
pub fn wanted(resolved: &Resolved) -> usize {
    let scenario = &resolved.file.scenario;
    let used = scenario
        .attacks
        .iter()
        .flat_map(|config| config.attacks(resolved.world.seed))
        .any(|attack| attack.needs().shadow_runs > 0);
    if used {
        scenario.adversary.shadows as usize
    } else {
        0
    }
}

/// Who is in which of the first `count` shadow runs of a plan.
///
/// # Errors
/// If the number is odd.
pub fn design(resolved: &Resolved, count: usize) -> Result<ShadowDesign, Failure> {
    let evaluated = resolved.world.pools.evaluated().into_iter().collect();
    let mut rng = resolved.world.seed.stream(Stream::run(Role::Shadow));
    ShadowDesign::balanced(&evaluated, count, &mut rng)
        .map_err(|error| Failure::scenario(format!("adversary.shadows: {error}")))
}

/// The signals of the shadow runs that the plan asks for: those that are kept below `out`, and the others trained
/// now, one on each core or many in a stack. `None` if no attack uses any.
///
/// # Errors
/// If one cannot be trained, somebody asks to stop, or the cache cannot be read or written. What was trained is kept.
pub fn ready(
    resolved: &Resolved,
    out: &Path,
    progress: &mut Progress,
    interrupt: &Interrupt,
) -> Result<Option<Shadows>, Failure> {
    let count = wanted(resolved);
    if count == 0 {
        return Ok(None);
    }
    let design = design(resolved, count)?;
    let observer = Observer::of_shadows(&resolved.world, &resolved.file.scenario);
    let kept = Kept::new(resolved, &observer, out);
    let there = (0..count).filter(|&shadow| kept.has(shadow)).count();
    progress.begin_trainings("shadow federation", there, count);
    let one = |shadow: usize, spot: &Spot<'_>| {
        let rounds = train::run(resolved, &design, &observer, shadow, spot)?;
        kept.write(shadow, &observer, &rounds)
    };
    let has = |shadow| kept.has(shadow);
    let stack = Stack::of(resolved);
    let trained = kept.shelf.fill(count, has, progress, interrupt, stack, one);
    progress.end();
    let trained = trained?;
    let mut of_regimes: Vec<Vec<_>> = observer.regimes().map(|_| Vec::new()).collect();
    for shadow in 0..count {
        for (of_regime, signals) in of_regimes.iter_mut().zip(kept.read(shadow, &observer)?) {
            of_regime.push(signals);
        }
    }
    let signals = of_regimes
        .into_iter()
        .map(|runs| ShadowSignals::try_new(design.clone(), runs).map_err(Failure::run))
        .collect::<Result<_, _>>()?;
    Ok(Some(Shadows { signals, trained }))
}
