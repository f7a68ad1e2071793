//! One training of a federation from its untrained model to its last, of which nothing is kept but what is looked for.

use crate::cohort::{AtSeat, CohortTrainer, OneACore, most_together};
use crate::driver::{self, End, Progressed, Start};
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::stack::StackSeat;
use accounting::LedgerEntry;
use primitives::{ModelVector, Probe, Readings, Round};
use protocol::OpenGate;
use scenarios::Resolved;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Where one of many federations is trained.
pub enum Spot<'a> {
    /// On a core, for as long as this does not say that it has to stop.
    Core(&'a dyn Fn() -> bool),
    /// With others in a stack.
    Seat(Arc<StackSeat>),
}

impl Spot<'_> {
    /// Where its work is done together with others', if it is.
    pub fn seat(&self) -> Option<&StackSeat> {
        match self {
            Self::Core(_) => None,
            Self::Seat(seat) => Some(seat),
        }
    }

    fn must_stop(&self) -> bool {
        match self {
            Self::Core(stop) => stop(),
            Self::Seat(seat) => seat.is_adjourned(),
        }
    }

    fn trainer(&self, federation: &Resolved, probe: &Probe) -> Box<dyn CohortTrainer> {
        let trainers = driver::trainers(federation, probe);
        match self {
            Self::Core(_) => Box::new(OneACore::new(trainers)),
            Self::Seat(seat) => {
                let most = most_together(federation.plan.parameters);
                Box::new(AtSeat::new(trainers, Arc::clone(seat), most))
            }
        }
    }
}

/// What there is to see when a round has ended.
#[derive(Debug)]
pub struct Seen<'a> {
    /// The round; round 0 before training.
    pub round: Round,
    /// Its model.
    pub model: &'a ModelVector,
    /// What the round has released.
    pub entries: &'a [LedgerEntry],
    /// What an auditor read off the round's noised sums, if canaries were planted.
    pub readings: Readings,
}

/// Trains `federation` through all its rounds, without a budget's stop, and shows every model to `look`.
///
/// # Errors
/// If it cannot be trained or ends before its last round, `look` fails, or it has to stop.
pub fn run(
    federation: &Resolved,
    spot: &Spot<'_>,
    mut look: impl FnMut(Seen<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let probe = Probe::default();
    let start = Start {
        digest: federation.plan.digest(),
        gate: Box::new(OpenGate),
        checkpoint: None,
        clock: Duration::ZERO,
        probe: probe.clone(),
    };
    let trainer = spot.trainer(federation, &probe);
    let mut driver = driver::with_trainer(federation, start, trainer)?;
    let quiet = Progress::quiet();
    let nobody = Interrupt::default();
    let mut done = Round::UNTRAINED;
    look(Seen {
        round: done,
        model: &driver.checkpoint().state.model,
        entries: &[],
        readings: Readings::new(),
    })?;
    loop {
        if spot.must_stop() {
            let message = "interrupted while federations are trained; those that are done are kept";
            return Err(Failure::new(Exit::Interrupted, message));
        }
        match driver.advance(&quiet, &nobody)? {
            Progressed::Round(outcome) => {
                done = outcome.round;
                look(Seen {
                    round: done,
                    model: &outcome.model,
                    entries: &outcome.entries,
                    readings: probe.take(done),
                })?;
            }
            // Nobody interrupts it here.
            Progressed::Interrupted => {}
            Progressed::Finished(..) if done.0 == federation.schedule.rounds => return Ok(()),
            Progressed::Finished(end) => {
                return Err(Failure::run(format!(
                    "{}{}; it ended after round {} of {}",
                    end.reason,
                    reasons(&end),
                    done.0,
                    federation.schedule.rounds
                )));
            }
        }
    }
}

/// Why silos are missing from the round that ended a federation, each reason once.
fn reasons(end: &End) -> String {
    let missing = end.abandoned.iter().flat_map(|round| &round.missing);
    let mut silos: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (silo, why) in missing {
        silos
            .entry(why.to_string())
            .or_default()
            .push(silo.to_string());
    }
    let reasons = silos
        .into_iter()
        .map(|(why, silos)| format!(" ({}: {why})", silos.join(", ")));
    reasons.collect()
}
