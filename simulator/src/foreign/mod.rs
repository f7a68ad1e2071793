//! Models that were trained elsewhere: a folder of checkpoints becomes a run folder, which attacks and audits open like
//! any other.
//!
//! ```text
//! *.safetensors ─ files ▸ NamedTensor ─ training::foreign ▸ ModelVector ─ Recorder ▸ run folder
//! ```

mod files;
mod ledger;

use crate::args::{AttackArgs, changes};
use crate::device;
use crate::driver::End;
use crate::events::Course;
use crate::exit::{Exit, Failure};
use crate::folder::RunFolder;
use crate::progress::Progress;
use crate::recorder::Recorder;
use crate::session::{self, Finished};
use files::Checkpoints;
use primitives::ModelVector;
use protocol::FinishReason;
use scenarios::{FoundCheckpoints, Resolved, ScenarioFile};
use server::{CHECKPOINT_VERSION, Checkpoint, ServerState};
use std::collections::BTreeMap;
use std::path::Path;

/// Attacks the checkpoints in the folder `args.run` with the scenario at `path`: makes a run folder of them, or finds
/// the one that was made before.
///
/// # Errors
/// If the folder holds no checkpoints, one is no model of the scenario, or the scenario or the ledger does not go with
/// them.
pub fn attack(
    args: &AttackArgs,
    path: &Path,
    progress: &mut Progress,
) -> Result<Finished, Failure> {
    let checkpoints = Checkpoints::find(&args.run)?;
    let ledger = args.ledger.as_deref().map(ledger::read).transpose()?;
    let found = FoundCheckpoints {
        rounds: checkpoints.last().0,
        digest: checkpoints.digest()?,
        ledger: ledger.as_ref().map(ledger::Given::digest),
    };
    let file = ScenarioFile::of_checkpoints(path, &changes(&args.set, args.device), found)
        .map_err(Failure::scenario)?;
    let resolved = Resolved::new(file).map_err(Failure::scenario)?;
    device::say(&resolved.file, progress);
    if let Some(given) = &ledger {
        given.check(&resolved)?;
    }
    let folder = session::folder_of(&resolved.plan, &args.out);
    if let Some(finished) = session::finished(&folder)? {
        progress.say(&format!("{} was attacked before", folder.display()));
        return Ok(finished);
    }
    // All of them first, so that nothing is begun that cannot be finished.
    for (_, path) in checkpoints.rounds() {
        model(&resolved, path)?;
    }
    let folder = RunFolder::open(folder)?;
    session::prepare(&folder, &resolved)?;
    adopt(&folder, &resolved, &checkpoints, ledger.as_ref(), progress)
}

/// Whether `folder` holds checkpoints rather than a run.
pub fn has_checkpoints(folder: &Path) -> bool {
    !session::has_begun(folder) && Checkpoints::find(folder).is_ok()
}

/// The error about checkpoints that come without a scenario.
pub fn without_scenario(folder: &Path) -> Failure {
    let message = format!(
        "{}: holds checkpoints and no run: say which data and model they belong to with --scenario FILE, a file with \
         [data], [model] and [[attacks]]",
        folder.display()
    );
    Failure::new(Exit::Usage, message)
}

/// Refuses to train a scenario whose models were trained elsewhere.
///
/// # Errors
/// If it is one.
pub fn refuse_training(resolved: &Resolved) -> Result<(), Failure> {
    let file = &resolved.file;
    if file.scenario.checkpoints.is_none() {
        return Ok(());
    }
    Err(Failure::scenario(format!(
        "scenario {}: checkpoints: its models were trained elsewhere, so there is nothing to run; attack them with \
         `siloscope attack DIR --scenario FILE`",
        file.file.display()
    )))
}

fn adopt(
    folder: &RunFolder,
    resolved: &Resolved,
    checkpoints: &Checkpoints,
    ledger: Option<&ledger::Given>,
    progress: &mut Progress,
) -> Result<Finished, Failure> {
    let (mut recorder, event) = Recorder::begin(resolved, folder)?;
    progress.event(&event)?;
    let last = checkpoints.last();
    progress.begin(0, last.0);
    let mut before = None;
    for (round, path) in checkpoints.rounds() {
        let model = model(resolved, path)?;
        let entries = match ledger {
            Some(given) => given.between(before, round),
            None => ledger::unknown(resolved, round)?,
        };
        let checkpoint = Checkpoint {
            version: CHECKPOINT_VERSION,
            plan: resolved.plan.digest(),
            state: ServerState {
                round,
                model: model.clone(),
                moments: None,
                clip_norm: None,
            },
            finished: (round == last).then_some(FinishReason::RoundsDone),
        };
        let (nobody, course) = (BTreeMap::new(), Course::default());
        let event = recorder.round(round, &model, &nobody, &entries, course, &checkpoint)?;
        if let Some(figures) = recorder.rounds().last() {
            progress.round(figures, last.0, None);
        }
        progress.event(&event)?;
        before = Some(round);
    }
    progress.end();
    let end = End {
        reason: FinishReason::RoundsDone,
        refused: None,
        abandoned: None,
    };
    let findings = recorder.findings(None)?;
    session::finish(folder, resolved, recorder, findings, end, None, progress)
}

fn model(resolved: &Resolved, path: &Path) -> Result<ModelVector, Failure> {
    let config = resolved.file.scenario.checkpoints.as_ref();
    let names = config.and_then(|config| config.names.as_deref());
    let tensors = files::tensors(path)?;
    training::foreign::model_of(&resolved.world.architecture, &tensors, names)
        .map_err(|error| Failure::scenario(format!("{}: {error}", path.display())))
}
