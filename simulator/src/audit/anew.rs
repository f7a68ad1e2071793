//! `siloscope audit`: a finished run audited from its folder, and nothing trained again.

use super::{Evidence, audit};
use crate::archive::Archive;
use crate::attack::{self, Attacker};
use crate::exit::{Exit, Failure};
use crate::observer::Observer;
use crate::session::{self, Finished};
use attacks::Confidence;
use primitives::Round;
use std::num::NonZeroU32;

/// What the command line asks for in place of the scenario's `[audit]` table.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides {
    /// Confidence of all tests together.
    pub confidence: Option<Confidence>,
    /// How many rounds are audited.
    pub rounds: Option<NonZeroU32>,
}

/// Audits a finished run and writes its report again.
///
/// # Errors
/// If the run holds nothing to audit, or a file cannot be read or written.
pub fn anew(archive: Archive, overrides: Overrides) -> Result<Finished, Failure> {
    let Archive {
        folder,
        resolved,
        rounds,
        ledger,
        mut report,
    } = archive;
    let scenario = &resolved.file.scenario;
    let mut config = scenario.audit.unwrap_or_default();
    config.confidence = overrides.confidence.unwrap_or(config.confidence);
    config.rounds = overrides.rounds.unwrap_or(config.rounds);
    let observer = Observer::new(&resolved.world, scenario);
    let mut attacker = Attacker::new(scenario, &resolved.world, &observer).map_err(Failure::run)?;
    if let Some(attacker) = &mut attacker {
        for figures in &rounds {
            let seen = attack::recorded(folder.path(), &observer, Round(figures.round))?;
            attacker.see(seen).map_err(Failure::run)?;
        }
    }
    let evidence = Evidence {
        folder: folder.path(),
        resolved: &resolved,
        ledger: &ledger,
        last: rounds.last().map_or(0, |figures| figures.round),
        attacker: attacker.as_ref(),
    };
    let found = audit(&evidence, Some(config))?;
    let reasons = found
        .as_ref()
        .filter(|audit| audit.units.is_empty())
        .map(|audit| audit.not_audited.join(" "));
    if let Some(reasons) = reasons {
        let message = format!(
            "{}: there is nothing to audit. {reasons}",
            folder.path().display()
        );
        return Err(Failure::new(Exit::Failed, message));
    }
    report.audit = found;
    session::write_report(&folder, &rounds, &report)?;
    Ok(Finished::new(report, folder.path().to_owned()))
}
