//! Exit codes, as pipelines rely on them.

use crate::folder::FolderError;
use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok,
    /// The run failed.
    Failed,
    /// The command line is wrong (clap's own code).
    Usage,
    /// The scenario or its data is invalid.
    Scenario,
    /// The budget admits no round.
    Budget,
    /// The run finished and a gate failed.
    Gate,
    /// Too few silos answered: the run ended before its last round.
    Partial,
    /// Interrupted; `siloscope resume` goes on.
    Interrupted,
}

impl Exit {
    /// The number the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Scenario => 3,
            Self::Budget => 4,
            Self::Gate => 5,
            Self::Partial => 6,
            Self::Interrupted => 130,
        }
    }
}

impl Exit {
    /// How a process of ours has ended.
    pub fn from_code(code: u8) -> Option<Self> {
        [
            Self::Ok,
            Self::Failed,
            Self::Usage,
            Self::Scenario,
            Self::Budget,
            Self::Gate,
            Self::Partial,
            Self::Interrupted,
        ]
        .into_iter()
        .find(|exit| exit.code() == code)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// An error with the exit code that it ends the program with.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What is wrong, for a person.
    pub message: String,
}

impl Failure {
    /// A failure that ends the program with `exit`.
    pub fn new(exit: Exit, error: impl std::fmt::Display) -> Self {
        Self {
            exit,
            message: error.to_string(),
        }
    }

    /// The run failed.
    pub fn run(error: impl std::fmt::Display) -> Self {
        Self::new(Exit::Failed, error)
    }

    /// The scenario or its data is invalid.
    pub fn scenario(error: impl std::fmt::Display) -> Self {
        Self::new(Exit::Scenario, error)
    }
}

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Self {
        let exit = match error {
            FolderError::NotARun(_) => Exit::Usage,
            _ => Exit::Failed,
        };
        Self::new(exit, error)
    }
}
