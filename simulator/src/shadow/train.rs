//! Training shadow runs: one on each core, its silos one after another.

use super::Cache;
use crate::driver::{self, Progressed, Start};
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::observer::Observer;
use crate::progress::Progress;
use attacks::{RoundSignals, ShadowDesign};
use primitives::{ModelVector, Probe, Role, Round};
use protocol::OpenGate;
use scenarios::Resolved;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// Trains the `missing` shadows and keeps each when it is done. Says how many this process trained; another process
/// may have trained the rest.
pub(super) fn train(
    resolved: &Resolved,
    design: &ShadowDesign,
    observer: &Observer<'_>,
    cache: &Cache,
    missing: &[usize],
    progress: &Progress,
    interrupt: &Interrupt,
) -> Result<usize, Failure> {
    let workers = rayon::current_num_threads().min(missing.len());
    let next = AtomicUsize::new(0);
    let trained = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let failure: Mutex<Option<Failure>> = Mutex::new(None);
    let stop = || interrupt.is_asked_for() || failed.load(Ordering::Relaxed);
    let one = |shadow: usize, wait: bool| -> Result<bool, Failure> {
        let Some(_claim) = cache.claim(shadow, wait)? else {
            return Ok(false);
        };
        if !cache.has(shadow) {
            let rounds = run(resolved, design, observer, shadow, &stop)?;
            cache.write(shadow, observer, &rounds)?;
            trained.fetch_add(1, Ordering::Relaxed);
        }
        progress.shadow();
        Ok(true)
    };
    let work = || -> Result<(), Failure> {
        // What another process is at is left to it, and waited for at the end: it may be stopped meanwhile.
        let mut left = Vec::new();
        while let Some(&shadow) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
            if !one(shadow, false)? {
                left.push(shadow);
            }
        }
        left.into_iter()
            .try_for_each(|shadow| one(shadow, true).map(|_| ()))
    };
    std::thread::scope(|scope| -> Result<(), Failure> {
        for _ in 0..workers {
            // What a shadow does in parallel stays on its core.
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(1)
                .build()
                .map_err(Failure::run)?;
            let (work, failed, failure) = (&work, &failed, &failure);
            scope.spawn(move || {
                if let Err(error) = pool.install(work) {
                    failed.store(true, Ordering::Relaxed);
                    failure
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .get_or_insert(error);
                }
            });
        }
        Ok(())
    })?;
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(failure) => Err(failure),
        None => Ok(trained.into_inner()),
    }
}

/// One shadow from its untrained model to its last: what each model says about the adversary's records.
fn run(
    resolved: &Resolved,
    design: &ShadowDesign,
    observer: &Observer<'_>,
    shadow: usize,
    stop: &impl Fn() -> bool,
) -> Result<Vec<Vec<RoundSignals>>, Failure> {
    let members: Vec<_> = design.runs()[shadow].iter().copied().collect();
    let seed = resolved.world.seed.child(Role::Shadow, shadow as u64);
    let about = |error: &dyn std::fmt::Display| format!("shadow federation {shadow}: {error}");
    let federation = resolved
        .with_members(&members, seed)
        .map_err(|error| Failure::scenario(about(&error)))?;
    let start = Start {
        digest: federation.plan.digest(),
        gate: Box::new(OpenGate),
        checkpoint: None,
        clock: Duration::ZERO,
        probe: Probe::default(),
    };
    let mut driver = driver::in_memory(&federation, start)?;
    let quiet = Progress::quiet();
    let nobody = Interrupt::default();
    let look = |round: Round, model: &ModelVector| {
        observer
            .signals(round, model, observer.kinds())
            .map_err(|error| Failure::run(about(&error)))
    };
    let mut seen = vec![look(Round::UNTRAINED, &driver.checkpoint().state.model)?];
    loop {
        if stop() {
            let message =
                "interrupted while shadow federations are trained; those that are done are kept";
            return Err(Failure::new(Exit::Interrupted, message));
        }
        match driver.advance(&quiet, &nobody)? {
            Progressed::Round(outcome) => seen.push(look(outcome.round, &outcome.model)?),
            // Nobody interrupts a shadow but `stop`.
            Progressed::Interrupted => {}
            Progressed::Finished(..) if seen.len() as u32 == federation.schedule.rounds + 1 => {
                return Ok(seen);
            }
            Progressed::Finished(end) => {
                return Err(Failure::run(about(&format!(
                    "{} after round {}: it says nothing about the later ones",
                    end.reason,
                    seen.len() - 1
                ))));
            }
        }
    }
}
