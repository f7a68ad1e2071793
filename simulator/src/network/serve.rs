//! The command `serve`: a run whose silos come over QUIC.

use super::args::{ServeArgs, ServeSettings};
use super::served::Served;
use crate::args::{OutputArgs, ResumeArgs};
use crate::driver::{Driver, Start};
use crate::exit::{Exit, Failure};
use crate::folder;
use crate::interrupt::Interrupt;
use crate::{commands, session};
use scenarios::Resolved;
use std::path::{Path, PathBuf};

/// How a run that was served is served again.
const SERVE: &str = "serve.json";

/// Serves a scenario, from its beginning or on from where an earlier run of the same plan stopped.
///
/// # Errors
/// As [`commands::run`], or if the keys or the address cannot be used.
pub fn serve(args: &ServeArgs, output: OutputArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    if args.tethered {
        interrupt.tether();
    }
    let settings = args.settings.absolute()?;
    let launch = launcher(&settings, |resolved| {
        let folder = session::folder_of(&resolved.plan, &args.make.out);
        (!args.tethered).then_some(folder)
    });
    let prepared = |folder: &folder::RunFolder| {
        // A run that was started together with its silos is not served again from here.
        if args.tethered {
            return Ok(());
        }
        let text = serde_json::to_vec_pretty(&settings).map_err(Failure::run)?;
        folder.write(SERVE, text)
    };
    commands::make(&args.make, output, interrupt, prepared, launch)
}

/// Whether the run in `folder` was served.
pub fn was_served(folder: &Path) -> bool {
    folder.join(SERVE).exists()
}

/// Goes on with a run that was served, as it was served before.
///
/// # Errors
/// As [`serve`].
pub fn resume(
    args: &ResumeArgs,
    output: OutputArgs,
    interrupt: &Interrupt,
) -> Result<Exit, Failure> {
    let run = commands::find_run(&args.run);
    let path = run.join(SERVE);
    let settings: ServeSettings =
        serde_json::from_slice(&folder::read(&path)?).map_err(|error| {
            folder::FolderError::Damaged {
                path,
                what: error.to_string(),
            }
        })?;
    commands::carry_on(
        args,
        output,
        interrupt,
        launcher(&settings, move |_| Some(run)),
    )
}

/// Opens the door for the silos of a scenario. If they outlive this process, `place` says the run's folder.
fn launcher(
    settings: &ServeSettings,
    place: impl FnOnce(&Resolved) -> Option<PathBuf>,
) -> impl FnOnce(&Resolved, Start) -> Result<Box<dyn Driver>, Failure> {
    move |resolved, start| {
        let served = Served::open(resolved, start, settings, place(resolved))?;
        Ok(Box::new(served) as Box<dyn Driver>)
    }
}
