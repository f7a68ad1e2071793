//! Audits: lower bounds on ε out of a run's readings, to be held against what its ledger promises.
//!
//! ```text
//! canaries/ ─ Sheet ▸ CanaryScores ┐
//! signals/  ─ Attacker ▸ Scores    ┼─ audit ▸ Audit      lower bounds, noise checks
//! ledger    ─ claims ▸ Claim       ┘
//! ```
//!
//! Audits over independent runs ([`over_runs`]) train the same federation again and again instead.
//!
//! All tests that can fail a run share one allowance for false alarms. One half of it is for the noise checks, the other
//! for the bounds, divided evenly within each half.

mod anew;
mod claims;
mod crafted;
mod noise;
pub mod over_runs;
mod readings;
mod subjects;

pub use anew::{Overrides, anew};

use crate::attack::Attacker;
use crate::checkpoint;
use crate::exit::Failure;
use accounting::Ledger;
use attacks::Confidence;
use attacks::audit::{AuditConfig, Auditor, Counts, EmpiricalEpsilon, Posterior};
use crafted::Crafted;
use primitives::{Readings, Round};
use readings::Sheet;
use report::model as shown;
use scenarios::Resolved;
use std::path::Path;

/// What an audit looks at.
pub struct Evidence<'a> {
    /// The run folder, which holds the canaries' readings.
    pub folder: &'a Path,
    /// What was run.
    pub resolved: &'a Resolved,
    /// What was released.
    pub ledger: &'a Ledger,
    /// The last round.
    pub last: u32,
    /// What an adversary saw, if the scenario has one.
    pub attacker: Option<&'a Attacker>,
}

/// How sharply each test is made.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    /// Significance of one bound.
    bound: f64,
    /// Significance of one noise check.
    noise: f64,
    /// Tests that share it.
    tests: u32,
}

impl Allowance {
    /// Divides `1 − confidence` among so many bounds and noise checks.
    fn among(confidence: Confidence, bounds: usize, noise: usize) -> Self {
        let alpha = confidence.alpha();
        let share = if bounds > 0 && noise > 0 { 0.5 } else { 1.0 };
        Self {
            bound: alpha * share / bounds.max(1) as f64,
            noise: alpha * share / noise.max(1) as f64,
            tests: (bounds + noise) as u32,
        }
    }
}

/// Audits a run with whatever it holds for that; `None` if its scenario asks for no audit.
///
/// # Errors
/// If the readings are damaged or do not go with the ledger.
pub fn audit(
    evidence: &Evidence<'_>,
    config: Option<AuditConfig>,
) -> Result<Option<shown::Audit>, Failure> {
    let Some(config) = config.or(evidence.resolved.file.scenario.audit) else {
        return Ok(None);
    };
    let delta = evidence.resolved.file.scenario.privacy.delta();
    let rounds = config.audited(evidence.last);
    let mut not_audited = Vec::new();
    let crafted = read(evidence, &rounds, delta, &mut not_audited)?;
    let subjects = match subjects::scores(evidence, &rounds)? {
        Ok(subjects) => subjects,
        Err(reason) => {
            not_audited.push(reason);
            Vec::new()
        }
    };
    let noise = crafted.as_ref().map_or(0, |crafted| crafted.noise.len());
    let bounds = crafted.as_ref().map_or(0, Crafted::tests)
        + subjects.iter().map(|one| one.rounds.len()).sum::<usize>();
    let allowance = Allowance::among(config.confidence, bounds, noise);
    let mut units = Vec::new();
    let mut checks = Vec::new();
    if let Some(crafted) = &crafted {
        units.extend(crafted.bounds(evidence.ledger, delta, allowance));
        checks = noise::checks(&crafted.noise, allowance);
    }
    for one in &subjects {
        units.push(one.bounds(evidence, delta, allowance));
    }
    Ok(Some(shown::Audit {
        confidence: config.confidence.value().into(),
        tests: allowance.tests,
        delta: delta.get().into(),
        view: view(evidence.resolved, crafted.is_some()),
        units,
        checks,
        not_audited,
    }))
}

/// Reads what the canaries left behind, as far as `rounds` go.
fn read<'a>(
    evidence: &Evidence<'a>,
    rounds: &[u32],
    delta: accounting::Delta,
    not_audited: &mut Vec<String>,
) -> Result<Option<Crafted<'a>>, Failure> {
    let roster = &evidence.resolved.schedule.canaries;
    if roster.canaries().is_empty() {
        let reason =
            "No canary was planted: an [audit] table in the scenario plants some before a run.";
        not_audited.push(reason.to_owned());
        return Ok(None);
    }
    if evidence.ledger.entries().is_empty() {
        not_audited.push("Nothing was released, so there is nothing to audit.".to_owned());
        return Ok(None);
    }
    let mut sheet = Sheet::new(roster);
    let mut crafted = Crafted::new(roster);
    let mut at: Option<(u32, Readings)> = None;
    let mut entries = evidence.ledger.entries().iter().peekable();
    for &audited in rounds {
        while let Some(entry) = entries.next_if(|entry| entry.round() <= audited) {
            let round = entry.round();
            if at.as_ref().is_none_or(|(read, _)| *read != round) {
                let readings = checkpoint::read_readings(evidence.folder, Round(round))?;
                at = Some((round, readings));
            }
            let nothing = Readings::new();
            let readings = at.as_ref().map_or(&nothing, |(_, readings)| readings);
            if let Err(error) = sheet.follow(entry, readings) {
                not_audited.push(format!(
                    "Canaries were planted and not audited: {error}. Readings are kept where silos and coordinator run in \
                     one process."
                ));
                return Ok(None);
            }
            if entries.peek().is_none_or(|next| next.round() > round) {
                crafted.estimate(round, &sheet, evidence.resolved.plan.parameters, delta);
                sheet.end_round();
            }
        }
        crafted.snapshot(audited, &sheet);
    }
    crafted.close(&sheet);
    Ok(Some(crafted))
}

/// What the auditor is granted, in a sentence or two.
fn view(resolved: &Resolved, crafted: bool) -> String {
    if !crafted {
        return "The auditor sees what the adversary sees, and knows that every subject was in by its own fair coin."
            .to_owned();
    }
    let sums = if resolved.schedule.central.is_some() {
        "the coordinator's noised sum of every round"
    } else {
        "the noised sum of every local step of every silo"
    };
    format!(
        "The auditor plants canaries, sees {sums}, and knows everybody else's data and part in it: more than any adversary \
         of the attacks above, and no more than the accountant grants."
    )
}

/// Significance as a confidence.
fn confidence(alpha: f64) -> Confidence {
    Confidence::try_new(1.0 - alpha).unwrap_or(Confidence::NINETY_FIVE)
}

/// An ε in the report's terms.
fn epsilon(value: accounting::Epsilon) -> shown::Epsilon {
    value.get().into()
}

const fn unit(unit: accounting::PrivacyUnit) -> shown::PrivacyUnit {
    match unit {
        accounting::PrivacyUnit::Record => shown::PrivacyUnit::Record,
        accounting::PrivacyUnit::Subject => shown::PrivacyUnit::Subject,
        accounting::PrivacyUnit::Silo => shown::PrivacyUnit::Silo,
    }
}

/// One method's answer, from what an auditor found.
fn method(
    found: &EmpiricalEpsilon,
    nature: shown::AuditNature,
    decides: bool,
) -> shown::AuditMethod {
    let (name, source) = match found.auditor {
        Auditor::ClopperPearson => ("Clopper–Pearson", "Jagielski et al., arXiv 2006.07709"),
        Auditor::GaussianDp => ("Gaussian", "Nasr et al., arXiv 2302.07956"),
        Auditor::OneRun => ("one run", "Steinke et al., arXiv 2305.08846"),
        Auditor::GaussianOneRun => (
            "one run, Gaussian curve",
            "Mahloujifar et al., arXiv 2410.22235",
        ),
    };
    shown::AuditMethod {
        name: name.to_owned(),
        source: source.to_owned(),
        nature,
        epsilon: epsilon(found.epsilon),
        confidence: Some(found.confidence.value().into()),
        decides,
    }
}

/// The answer of the ledger's curve.
fn curve(lowest: accounting::Epsilon, level: Confidence) -> shown::AuditMethod {
    shown::AuditMethod {
        name: "ledger's curve".to_owned(),
        source: "after Nasr et al., arXiv 2302.07956".to_owned(),
        nature: shown::AuditNature::NoiseBound,
        epsilon: epsilon(lowest),
        confidence: Some(level.value().into()),
        decides: true,
    }
}

/// Where the Bayesian posterior of ε begins, at 95 %: an estimate.
fn posterior(counts: &Counts, delta: accounting::Delta) -> shown::AuditMethod {
    let level = Confidence::NINETY_FIVE;
    shown::AuditMethod {
        name: "Bayesian posterior, lower end".to_owned(),
        source: "Zanella-Béguelin et al., arXiv 2206.05199".to_owned(),
        nature: shown::AuditNature::Estimate,
        epsilon: epsilon(Posterior::of(counts, delta, level).low),
        confidence: Some(level.value().into()),
        decides: false,
    }
}

/// The best of what decides, in the shape of a round.
fn round(
    round: u32,
    upper: accounting::Epsilon,
    found: &[shown::AuditMethod],
    refuted: bool,
) -> shown::AuditRound {
    let best = found
        .iter()
        .filter(|method| method.decides)
        .max_by(|a, b| a.epsilon.get().total_cmp(&b.epsilon.get()));
    let lower = best.map_or(0.0, |method| method.epsilon.get());
    shown::AuditRound {
        round,
        lower: lower.into(),
        upper: epsilon(upper),
        method: best
            .filter(|_| lower > 0.0)
            .map_or_else(String::new, |method| method.name.clone()),
        refuted: refuted || lower > upper.get(),
    }
}
