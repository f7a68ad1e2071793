//! Processes of ours: this program started again, with other words.

use crate::exit::Failure;
use std::ffi::OsString;
use std::process::Stdio;
use tokio::process::{Child, ChildStdin, Command};

/// A process of ours, and the end of the pipe that keeps it going.
///
/// The pipe is its tether: when the end is let go, because the process is to stop or because this one is gone, however
/// it went, the other stops when nothing is lost.
pub struct Started {
    /// The process.
    pub process: Child,
    /// Not left with the process: whoever waits for one lets go of what is there.
    pub tether: Option<ChildStdin>,
}

/// Starts this program again. What it says on stderr goes where `stderr` says.
///
/// # Errors
/// If the system refuses.
pub fn start(words: Vec<OsString>, stderr: Stdio) -> Result<Started, Failure> {
    let program = std::env::current_exe().map_err(Failure::run)?;
    Command::new(program)
        .args(words)
        .stdin(Stdio::piped())
        .stderr(stderr)
        // Ctrl-C in a terminal goes to this process alone, which passes it on.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map(|mut process| Started {
            tether: process.stdin.take(),
            process,
        })
        .map_err(|error| Failure::run(format!("cannot start another process: {error}")))
}
