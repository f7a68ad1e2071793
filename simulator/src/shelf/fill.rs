//! Making the trainings that a shelf lacks: one on each core, or many at once where a backend stacks.
//!
//! Beside whom a federation is trained in a stack can be seen in last bits. So groups are fixed, by number: one of which a part
//! is kept, as by a process that was killed while it wrote them, is trained whole again, and the part that lacks is written.

use super::Shelf;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::lock::Lock;
use crate::meeting;
use crate::progress::Progress;
use crate::stack::Stack;
use crate::training_run::Spot;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What is under way.
struct Filling<'a> {
    shelf: &'a Shelf,
    /// How many there are to be in the end.
    count: usize,
    /// Those that were not there when this process began.
    wanted: Vec<usize>,
    is_there: &'a (dyn Fn(usize) -> bool + Sync),
    progress: &'a Progress,
    interrupt: &'a Interrupt,
    one: &'a (dyn Fn(usize, &Spot<'_>) -> Result<(), Failure> + Sync),
    made: AtomicUsize,
    failed: AtomicBool,
}

impl Shelf {
    /// Makes those of the first `count` trainings that `is_there` does not find, and keeps each when it is done: one on each
    /// core, or many at once in `stack` if there is one. `one` is asked for a training and where to make it, and writes what
    /// is not kept of it. Says how many this process made; another process may have made the rest.
    ///
    /// # Errors
    /// If one of them fails, or somebody asks to stop. What was made is kept.
    pub fn fill(
        &self,
        count: usize,
        is_there: impl Fn(usize) -> bool + Sync,
        progress: &Progress,
        interrupt: &Interrupt,
        stack: Option<Stack>,
        one: impl Fn(usize, &Spot<'_>) -> Result<(), Failure> + Sync,
    ) -> Result<usize, Failure> {
        let filling = Filling {
            shelf: self,
            count,
            wanted: (0..count).filter(|&training| !is_there(training)).collect(),
            is_there: &is_there,
            progress,
            interrupt,
            one: &one,
            made: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
        };
        match stack {
            Some(mut stack) => filling.in_stack(&mut stack)?,
            None => filling.on_cores()?,
        }
        Ok(filling.made.into_inner())
    }
}

impl Filling<'_> {
    fn must_stop(&self) -> bool {
        self.interrupt.is_asked_for() || self.failed.load(Ordering::Relaxed)
    }

    /// Makes a training that this process has claimed, or with whose group it must be trained.
    fn make(&self, training: usize, is_claimed: bool, spot: &Spot<'_>) -> Result<(), Failure> {
        let made = (self.one)(training, spot);
        if made.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        } else if is_claimed {
            self.made.fetch_add(1, Ordering::Relaxed);
            self.progress.training();
        }
        made
    }

    fn on_cores(&self) -> Result<(), Failure> {
        let workers = rayon::current_num_threads().min(self.wanted.len());
        let next = AtomicUsize::new(0);
        let failure: Mutex<Option<Failure>> = Mutex::new(None);
        let stop = || self.must_stop();
        let attempt = |training: usize, wait: bool| -> Result<bool, Failure> {
            let Some(_claim) = self.shelf.claim(training, wait)? else {
                return Ok(false);
            };
            if (self.is_there)(training) {
                self.progress.training();
            } else {
                self.make(training, true, &Spot::Core(&stop))?;
            }
            Ok(true)
        };
        let work = || -> Result<(), Failure> {
            // What another process is at is left to it, and waited for at the end: it may be stopped meanwhile.
            let mut left = Vec::new();
            while let Some(&training) = self.wanted.get(next.fetch_add(1, Ordering::Relaxed)) {
                if !attempt(training, false)? {
                    left.push(training);
                }
            }
            left.into_iter()
                .try_for_each(|training| attempt(training, true).map(|_| ()))
        };
        thread::scope(|scope| -> Result<(), Failure> {
            for _ in 0..workers {
                // What a training does in parallel stays on its core.
                let pool = rayon::ThreadPoolBuilder::new()
                    .num_threads(1)
                    .build()
                    .map_err(Failure::run)?;
                let (work, failure) = (&work, &failure);
                scope.spawn(move || {
                    if let Err(error) = pool.install(work) {
                        self.failed.store(true, Ordering::Relaxed);
                        let mut first = failure.lock().unwrap_or_else(PoisonError::into_inner);
                        *first = Some(graver(first.take(), error));
                    }
                });
            }
            Ok(())
        })?;
        let failure = failure.into_inner().unwrap_or_else(PoisonError::into_inner);
        failure.map_or(Ok(()), Err)
    }

    fn in_stack(&self, stack: &mut Stack) -> Result<(), Failure> {
        let all: Vec<usize> = (0..self.count).collect();
        // What another process is at is left to it, and waited for at the end.
        let mut left = Vec::new();
        for group in all.chunks(stack.federations()) {
            if !self.make_group(stack, group, false)? {
                left.push(group);
            }
        }
        left.into_iter()
            .try_for_each(|group| self.make_group(stack, group, true).map(|_| ()))
    }

    /// Makes what lacks of a group, unless another process is at some of it; `wait` until none is. Whether that is done.
    fn make_group(&self, stack: &mut Stack, group: &[usize], wait: bool) -> Result<bool, Failure> {
        let mut claims = BTreeMap::new();
        for &training in self.wanted.iter().filter(|wanted| group.contains(wanted)) {
            let Some(claim) = self.shelf.claim(training, wait)? else {
                return Ok(false);
            };
            claims.insert(training, claim);
        }
        claims.retain(|&training, _| {
            let is_there = (self.is_there)(training);
            if is_there {
                self.progress.training();
            }
            !is_there
        });
        if !claims.is_empty() {
            self.meet(stack, group, claims)?;
        }
        Ok(true)
    }

    /// Trains a group, each on a thread of its own that waits for `stack` most of the time.
    fn meet(
        &self,
        stack: &mut Stack,
        group: &[usize],
        mut claims: BTreeMap<usize, Lock>,
    ) -> Result<(), Failure> {
        let (host, seats) = meeting::of(group.len());
        let outcomes = thread::scope(|scope| {
            let sit = |(&training, seat)| {
                let claim = claims.remove(&training);
                let work = move || {
                    // The seat is left after others can see that something failed.
                    let spot = Spot::Seat(Arc::new(seat));
                    let made = self.make(training, claim.is_some(), &spot);
                    drop(claim);
                    made
                };
                let name = format!("{} {training}", self.shelf.name);
                thread::Builder::new().name(name).spawn_scoped(scope, work)
            };
            let threads: Vec<_> = group.iter().zip(seats).map(sit).collect();
            host.serve(|asked| stack.answer(asked), || self.must_stop());
            let join = |thread: std::io::Result<thread::ScopedJoinHandle<'_, _>>| match thread
                .map_err(Failure::run)?
                .join()
            {
                Ok(made) => made,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            threads
                .into_iter()
                .map(join)
                .collect::<Vec<Result<(), Failure>>>()
        });
        let failures = outcomes.into_iter().filter_map(Result::err);
        let failure = failures.fold(None, |first, next| Some(graver(first, next)));
        failure.map_or(Ok(()), Err)
    }
}

/// Which of two failures to tell: the first that is not an interruption, for who stops because another has failed is not the
/// reason.
fn graver(first: Option<Failure>, next: Failure) -> Failure {
    match first {
        Some(first) if first.exit != Exit::Interrupted || next.exit == Exit::Interrupted => first,
        _ => next,
    }
}
