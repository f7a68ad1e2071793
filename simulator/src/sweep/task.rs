//! One task of a sweep, run wherever an engine puts it.

use super::folder::{FailedTask, TaskPlace, task};
use crate::args::{MakeArgs, OutputArgs};
use crate::commands;
use crate::driver;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::lock::Lock;
use crate::session;
use scenarios::{Resolved, SweepTask};

/// Runs a task, or goes on with it, or says how it ended if it is done. Why it failed, if it does, is written down
/// beside the runs.
///
/// # Errors
/// If there is no such task, or it fails.
pub fn run(args: &MakeArgs, output: OutputArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    let (task, place) = task(&args.scenario.scenario)?;
    match attempt(&task, &place, args, output, interrupt) {
        Ok(exit) => {
            place.clear()?;
            Ok(exit)
        }
        Err(failure) if failure.exit == Exit::Interrupted => Err(failure),
        Err(failure) => {
            place.fail(&FailedTask {
                exit_code: Some(failure.exit.code()),
                message: failure.message.clone(),
            })?;
            Err(failure)
        }
    }
}

fn attempt(
    task: &SweepTask,
    place: &TaskPlace,
    args: &MakeArgs,
    output: OutputArgs,
    interrupt: &Interrupt,
) -> Result<Exit, Failure> {
    // An engine may have sent it again while its last process is still stopping.
    Lock::wait(place.run())?;
    let file = task.open().map_err(Failure::scenario)?;
    let mut resolved = Resolved::new(file).map_err(Failure::scenario)?;
    // What its report says to run: the run folder has the scenario.
    resolved.file.file = session::SCENARIO.into();
    let (prepared, launch) = (|_: &_| Ok(()), driver::in_memory);
    commands::make_in(
        place.run().to_owned(),
        resolved,
        args,
        output,
        interrupt,
        prepared,
        launch,
    )
}
