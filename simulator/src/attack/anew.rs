//! `siloscope attack`: a finished run attacked again, with its own attacks or others, and nothing trained again.

use super::{Attacker, AttackerError, recall};
use crate::archive::Archive;
use crate::assembly::{self, Outcome};
use crate::exit::Failure;
use crate::interrupt::Interrupt;
use crate::observer::Observer;
use crate::progress::Progress;
use crate::session::{self, Finished};
use crate::shadow;
use crate::statement::Statement;
use attacks::SignalKind;
use primitives::Round;
use scenarios::ScenarioFile;
use std::collections::BTreeSet;

/// What was done.
#[derive(Debug)]
pub struct Attacked {
    /// The run with its new report.
    pub finished: Finished,
    /// Rounds that were attacked, the untrained model's among them.
    pub rounds: usize,
    /// The attacks, by name.
    pub attacks: Vec<String>,
    /// Shadow federations, and how many of them were trained now.
    pub shadows: Option<(usize, usize)>,
    /// Signals that the run had not recorded, looked up in its checkpoints.
    pub anew: BTreeSet<SignalKind>,
}

/// Attacks a finished run with the attacks of `file`, which is its own scenario or one that differs in who
/// attacks and how, and writes its report again. The run's own attacks give the run's own report.
///
/// # Errors
/// If an attack needs what the run did not keep, or a file cannot be read or written.
pub fn anew(
    archive: Archive,
    file: ScenarioFile,
    progress: &mut Progress,
    interrupt: &Interrupt,
) -> Result<Attacked, Failure> {
    let Archive {
        folder,
        mut resolved,
        rounds,
        ledger,
        report,
    } = archive;
    let plan = resolved.plan.digest();
    resolved.attack_with(file).map_err(Failure::scenario)?;
    let scenario = &resolved.file.scenario;
    let observer = Observer::new(&resolved.world, scenario);
    let attacker = Attacker::new(scenario, &resolved.world, &observer)
        .map_err(|error| about(&resolved.file, &error))?;
    let mut attacker = attacker.ok_or_else(|| {
        Failure::scenario(format!(
            "scenario {}: attacks: there is none; add an [[attacks]] table, e.g. kind = \"loss-threshold\"",
            resolved.file.file.display()
        ))
    })?;
    let mut anew = BTreeSet::new();
    for figures in &rounds {
        let seen = recall::recalled(folder.path(), &observer, Round(figures.round), &mut anew)?;
        attacker.see(seen).map_err(Failure::run)?;
    }
    let shadows = shadow::ready(&resolved, session::place_of(&folder), progress, interrupt)?;
    let trained = shadows
        .as_ref()
        .map(|shadows| (shadow::wanted(&resolved), shadows.trained));
    if let Some(shadows) = shadows {
        attacker.see_shadows(shadows.signals);
    }
    let findings = attacker.findings(&resolved).map_err(Failure::run)?;
    let last = rounds.last().map_or(0, |figures| figures.round);
    let attacks = attacker
        .attacks
        .iter()
        .map(|attack| attack.name())
        .collect();
    let report = assembly::report(Outcome {
        resolved: &resolved,
        plan,
        rounds: &rounds,
        statement: Statement::of(&resolved, &ledger, last),
        findings: Some(findings),
        ending: report.ending,
        attendance: report.attendance,
        audit: report.audit,
    });
    session::write_report(&folder, &rounds, &report)?;
    Ok(Attacked {
        rounds: rounds.len(),
        attacks,
        shadows: trained,
        anew,
        finished: Finished::new(report, folder.path().to_owned()),
    })
}

fn about(file: &ScenarioFile, error: &AttackerError) -> Failure {
    Failure::scenario(format!("scenario {}: {error}", file.file.display()))
}
