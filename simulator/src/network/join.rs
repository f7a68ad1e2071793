//! The command `join`: one silo or several, in a process that trains their records and sends nothing but updates.

use super::args::JoinArgs;
use super::member::{Common, Keeping, Member};
use super::own_gate::{OwnGate, OwnRounds};
use super::silo_folder::SiloFolder;
use crate::args::OutputArgs;
use crate::driver;
use crate::exit::{Exit, Failure};
use crate::gate::gate;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::{device, foreign, keys, session};
use accounting::{Holdings, LedgerEntry};
use clients::{LocalTrainer, SgdTrainer, Silo, SiloCheckpoint, SiloPlan};
use primitives::{Probe, Seed, SiloId};
use scenarios::{Resolved, ScenarioFile};
use std::collections::BTreeMap;
use std::thread;
use transport::quic::Peer;

/// Takes part in a served run as one silo or several, to the run's end.
///
/// # Errors
/// If the scenario has no such silo, the keys cannot be used, the coordinator refuses the silo, or does not
/// answer for too long.
pub fn join(args: &JoinArgs, output: OutputArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    if args.tethered {
        interrupt.tether();
    }
    let progress = Progress::new(output);
    let resolved = resolve(args)?;
    foreign::refuse_training(&resolved)?;
    device::say(&resolved.file, &progress);
    let mut silos = Vec::new();
    for text in &args.silo {
        let silo = silo_named(&resolved, text)?;
        if silos.contains(&silo) {
            let message = format!("--silo {text}: {silo} is named twice");
            return Err(Failure::new(Exit::Usage, message));
        }
        silos.push(silo);
    }
    let common = Common::new(args, &resolved, interrupt, &progress);
    let mut making = Making::of(&resolved, args);
    let mut members = Vec::new();
    for id in silos {
        let keys = keys::load(&args.keys, Peer::Silo(id))?;
        let (silo, keeping) = making.silo(id)?;
        let holds = &resolved.plan.silos[id.index()];
        progress.say(&format!(
            "{id} of {}: {} records of {} subjects{}",
            resolved.plan.scenario.name, holds.records, holds.subjects, keeping
        ));
        let trainer = making.trainer(id)?;
        members.push(Member::new(&common, keys, (id, silo, keeping), trainer));
    }
    drop(making);
    drop(resolved);
    let is_alone = members.len() == 1;
    let run = |mut member: Member| {
        let outcome = member.run();
        let orderly = matches!(outcome, Ok(Exit::Ok | Exit::Budget | Exit::Partial));
        if args.tethered && !orderly {
            // Whoever waits for this process is to know at once.
            interrupt.ask();
        }
        (member.id(), outcome)
    };
    let run = &run;
    let outcomes: Vec<(SiloId, Result<Exit, Failure>)> = thread::scope(|scope| {
        let threads: Vec<_> = members
            .into_iter()
            .map(|member| scope.spawn(move || run(member)))
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| match thread.join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        threads.into_iter().map(join).collect()
    });
    together(outcomes, is_alone)
}

/// The coordinator's scenario, to be computed on a device of this host's own if one is named.
fn resolve(args: &JoinArgs) -> Result<Resolved, Failure> {
    let file = ScenarioFile::open(&args.scenario, &args.set).map_err(Failure::scenario)?;
    match args.device {
        Some(device) => Resolved::computed_on(file, device),
        None => Resolved::new(file),
    }
    .map_err(Failure::scenario)
}

/// How a process with these silos ends: as the worst of them.
fn together(
    outcomes: Vec<(SiloId, Result<Exit, Failure>)>,
    is_alone: bool,
) -> Result<Exit, Failure> {
    let mut exits = Vec::new();
    let mut failures = Vec::new();
    for (silo, outcome) in outcomes {
        match outcome {
            Ok(exit) => exits.push(exit),
            Err(failure) if is_alone => return Err(failure),
            Err(failure) => failures.push((failure.exit, format!("{silo}: {failure}"))),
        }
    }
    if let Some(&(exit, _)) = failures.first() {
        let lines: Vec<String> = failures.into_iter().map(|(_, line)| line).collect();
        return Err(Failure::new(exit, lines.join("\n")));
    }
    let worst = [Exit::Failed, Exit::Interrupted, Exit::Partial, Exit::Budget]
        .into_iter()
        .find(|exit| exits.contains(exit));
    Ok(worst.unwrap_or(Exit::Ok))
}

/// What the silos of one process are made of.
struct Making<'a> {
    args: &'a JoinArgs,
    resolved: &'a Resolved,
    trainers: BTreeMap<SiloId, SgdTrainer>,
}

impl<'a> Making<'a> {
    fn of(resolved: &'a Resolved, args: &'a JoinArgs) -> Self {
        Self {
            args,
            resolved,
            trainers: driver::trainers(resolved, &Probe::default()),
        }
    }

    fn trainer(&mut self, silo: SiloId) -> Result<Box<dyn LocalTrainer>, Failure> {
        let trainer = self.trainers.remove(&silo);
        let trainer = trainer.ok_or_else(|| Failure::run(format!("{silo} has no trainer")))?;
        Ok(Box::new(trainer))
    }

    /// The silo as its folder knows it, and the folder.
    fn silo(&self, silo: SiloId) -> Result<(Silo, Keeping), Failure> {
        let digest = self.resolved.plan.digest();
        let (keeping, checkpoint) = if self.args.tethered {
            // Started together with its server, and never to outlive it.
            (Keeping::Nothing, Some(SiloCheckpoint::default()))
        } else {
            let run = session::folder_of(&self.resolved.plan, &self.args.out);
            let path = run.join(Peer::Silo(silo).label());
            let (folder, checkpoint) = SiloFolder::open(path, silo, digest)?;
            (Keeping::In(folder), checkpoint)
        };
        let schedule = &self.resolved.schedule;
        let own_gate = Box::new(self.own_gate(silo, checkpoint.as_ref()));
        let plan = SiloPlan {
            silo,
            digest,
            releases: schedule.releases().remove(&silo).unwrap_or_default(),
        };
        let silo = match checkpoint {
            Some(checkpoint) => Silo::restore(plan, own_gate, checkpoint),
            None => Silo::new(plan, own_gate),
        };
        Ok((
            match self.resolved.sums {
                Some(sums) => silo.with_sums(sums, self.resolved.world.seed, secret_seed()?),
                None => silo,
            },
            keeping,
        ))
    }

    fn own_gate(&self, silo: SiloId, checkpoint: Option<&SiloCheckpoint>) -> OwnGate {
        let schedule = &self.resolved.schedule;
        // What was charged in advance for a round that is not spent yet is asked for again.
        let spent: Vec<LedgerEntry> = checkpoint
            .iter()
            .flat_map(|checkpoint| {
                let last = checkpoint.last.map_or(0, |round| round.0);
                checkpoint.ledger.up_to(last).to_vec()
            })
            .collect();
        let own = OwnRounds {
            silo,
            rounds: schedule.rounds,
            cohorts: schedule.cohorts.clone(),
        };
        OwnGate::new(own, &spent, |spent| {
            gate(
                self.resolved.file.scenario.privacy.budget(),
                Holdings::new(schedule.holdings().into_values()),
                &schedule.ledger(),
                spent,
            )
        })
    }
}

/// A seed that nobody else knows, for what may be different in every process.
fn secret_seed() -> Result<Seed, Failure> {
    let mut key = [0; 32];
    getrandom::fill(&mut key)
        .map_err(|error| Failure::run(format!("the operating system gives no secret: {error}")))?;
    Ok(Seed::from_key(key))
}

/// The silo that `text` names: by number, by the label of its keys, or by the name that the data gives it.
fn silo_named(resolved: &Resolved, text: &str) -> Result<SiloId, Failure> {
    let silos = &resolved.plan.silos;
    let named = silos.iter().position(|silo| silo.name == text);
    let silo = match named {
        Some(position) => Some(SiloId(position as u32)),
        None => keys::silo(text).ok(),
    };
    silo.filter(|silo| silo.index() < silos.len())
        .ok_or_else(|| {
            let message = format!(
                "--silo {text}: the scenario has the silos 0 to {} ({} to {})",
                silos.len().saturating_sub(1),
                silos.first().map_or("", |silo| &silo.name),
                silos.last().map_or("", |silo| &silo.name),
            );
            Failure::new(Exit::Usage, message)
        })
}
