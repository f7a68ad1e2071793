//! `siloscope audit SCENARIO --runs N`: the same federation trained again and again, in half of the runs with one subject
//! more, and what tells the two kinds apart held against the ledger.
//!
//! ```text
//! Resolved::trials ─ federation k ▸ training_run ─ look ▸ a few numbers a round ─ Shelf ▸ one file a trial
//! trials ─ statistics ▸ scores with and without ─ judge ▸ RepeatedAudit
//! ```
//!
//! A trial depends on the plan, on who is audited and on its number alone, so trials are kept beside the runs like shadow
//! federations, and more of them are trained beside those that are there.

mod judge;
mod look;

use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::shelf::{Block, Shelf, digest_of_training};
use crate::stack::Stack;
use crate::training_run::{self, Seen, Spot};
use attacks::Confidence;
use judge::Judgement;
use look::Look;
use primitives::Digest;
use report::RepeatedAudit;
use report::model as shown;
use scenarios::{Audited, Resolved, Trials};
use std::collections::BTreeMap;
use std::path::Path;

/// The fewest runs: two of each kind to choose on and two to judge by.
pub const FEWEST: usize = 8;
/// The most runs.
pub const MOST: usize = 1 << 16;

/// The part of a trial's file.
const BLOCK: &str = "looks";

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Whose presence is audited.
    pub audited: Audited,
    /// How many runs, half of them with the subject.
    pub runs: usize,
    /// How often a correct program passes.
    pub confidence: Confidence,
}

/// The audit, and how many trials were trained now.
#[derive(Debug)]
pub struct Answer {
    /// What was found.
    pub audit: RepeatedAudit,
    /// Trials that were not kept from before.
    pub trained: usize,
}

/// Trains what is not kept below `out` of the trials asked for, one on each core or many in a stack, and judges them.
///
/// # Errors
/// If the subject cannot be audited, a trial cannot be trained or diverges, or somebody asks to stop. What was trained is
/// kept.
pub fn audit(
    resolved: &Resolved,
    request: &Request,
    out: &Path,
    progress: &mut Progress,
    interrupt: &Interrupt,
) -> Result<Answer, Failure> {
    let trials = resolved
        .trials(&request.audited)
        .map_err(Failure::scenario)?;
    let shelf = Shelf::new(out, ".trials", content(resolved, request), "trial");
    let has = |trial| shelf.has(trial, "");
    let there = (0..request.runs).filter(|&trial| has(trial)).count();
    progress.begin_trainings("trial", there, request.runs);
    let one = |trial: usize, spot: &Spot<'_>| {
        let looks = train(&trials, trial, spot)?;
        if has(trial) {
            return Ok(());
        }
        let blocks = BTreeMap::from([(BLOCK.to_owned(), looks)]);
        Ok(shelf.write(trial, "", blocks)?)
    };
    let stack = Stack::of(resolved);
    let trained = shelf.fill(request.runs, has, progress, interrupt, stack, one);
    progress.end();
    let trained = trained?;
    let width = Look::width(&trials);
    let rounds = trials.side(true).schedule.rounds as usize;
    let mut looks = Vec::with_capacity(request.runs);
    for trial in 0..request.runs {
        let block = shelf
            .read(trial, "", [(BLOCK.to_owned(), width)])?
            .remove(0);
        let rows: Vec<Vec<f64>> = block
            .rows()
            .map(|row| row.iter().map(|&value| f64::from(value)).collect())
            .collect();
        if rows.len() != rounds + 1 {
            return Err(Failure::run(format!(
                "{} holds {} rounds and not {}: remove it, and the trial is trained again",
                shelf.file(trial, "").display(),
                rows.len(),
                rounds + 1
            )));
        }
        looks.push(rows);
    }
    let judgement = judge::judge(
        &Look::statistics(&trials, &looks)?,
        trials.side(true).schedule.ledger().entries(),
        &trials.holdings,
        resolved.file.scenario.privacy.delta(),
        request.confidence,
    )
    .ok_or_else(|| Failure::run("too few runs to choose and to judge"))?;
    Ok(Answer {
        audit: shown_audit(resolved, request, &trials, judgement),
        trained,
    })
}

/// What every round of a trial shows.
fn train(trials: &Trials, trial: usize, spot: &Spot<'_>) -> Result<Block, Failure> {
    let (federation, included) = trials.federation(trial);
    let about = |failure: Failure| {
        if failure.exit == Exit::Interrupted {
            return failure;
        }
        let side = if included { "with" } else { "without" };
        let message = format!(
            "trial {trial}, {side} the audited subject: {failure}; a run that shows nothing would have to count against the \
             audit, so none is left out: change what makes it fail"
        );
        Failure::new(failure.exit, message)
    };
    let mut look = Look::new(trials, &federation, spot.seat());
    let mut block = Block::new(Look::width(trials));
    let see = |seen: Seen<'_>| {
        block.push(&look.at(&seen)?);
        Ok(())
    };
    training_run::run(&federation, spot, see).map_err(about)?;
    Ok(block)
}

/// The digest of what decides a trial.
fn content(resolved: &Resolved, request: &Request) -> Digest {
    #[cfg_attr(not(feature = "planted-faults"), allow(unused_mut))]
    let mut what = format!(
        "{} {:?}",
        digest_of_training(&resolved.plan),
        request.audited
    );
    #[cfg(feature = "planted-faults")]
    for local in &resolved.schedule.locals {
        what += &format!(" {:?}", local.fault());
    }
    Digest::of(what.as_bytes())
}

fn shown_audit(
    resolved: &Resolved,
    request: &Request,
    trials: &Trials,
    judgement: Judgement,
) -> RepeatedAudit {
    let half = (request.runs / 2) as u32;
    let counts = judgement.held_out.counts();
    let scores = |scores: &[attacks::MembershipScore]| {
        let values = scores.iter().map(|score| score.value().into());
        values.collect::<Vec<shown::Real>>()
    };
    let judged = &judgement.held_out.judged;
    let chosen_on = |judged: usize| half - judged as u32;
    RepeatedAudit {
        name: resolved.plan.scenario.name.clone(),
        plan_digest: resolved.plan.digest().to_string(),
        seed: resolved.plan.scenario.seed,
        siloscope_version: env!("CARGO_PKG_VERSION").to_owned(),
        who: trials.who.clone(),
        holdings: trials.holdings.iter().collect(),
        view: Look::view(trials).to_owned(),
        runs: shown::Sides {
            with: half,
            without: half,
        },
        chosen_on: shown::Sides {
            with: chosen_on(judged.inside().len()),
            without: chosen_on(judged.outside().len()),
        },
        statistics: Look::names(trials)
            .iter()
            .map(ToString::to_string)
            .collect(),
        statistic: Look::names(trials)[judgement.held_out.statistic].to_owned(),
        threshold: judgement.held_out.threshold.value().into(),
        calls: shown::Calls {
            true_positives: counts.true_positives,
            false_positives: counts.false_positives,
            true_negatives: counts.true_negatives,
            false_negatives: counts.false_negatives,
        },
        scores: shown::Scores {
            with: scores(judged.inside()),
            without: scores(judged.outside()),
        },
        confidence: request.confidence.value().into(),
        delta: resolved.file.scenario.privacy.delta().get().into(),
        upper: super::epsilon(judgement.upper),
        lower: judgement.lower.into(),
        largest: super::epsilon(judgement.largest),
        refuted: judgement.refuted,
        methods: judgement.methods,
    }
}
