//! What an engine that runs tasks must be able to do, and how its commands are called.

use super::record::Job;
use crate::exit::Failure;
use std::collections::BTreeSet;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is to be run, but for which tasks.
#[derive(Debug)]
pub struct Work {
    /// The name of the sweep.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// This program.
    pub program: PathBuf,
    /// Threads of a task.
    pub threads: NonZeroUsize,
    /// Most tasks of a job that run at a time.
    pub limit: Option<NonZeroU32>,
    /// What the user has to say to the engine.
    pub options: Vec<String>,
}

/// Tasks that one job runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What the job's own number of a task is less than the task's index.
    pub offset: usize,
    /// Indices of its tasks.
    pub tasks: Vec<usize>,
}

/// A job as its engine knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handle {
    /// Its id.
    pub id: String,
    /// Which server gave the id, where ids begin anew with each.
    pub server: Option<String>,
}

/// Somebody else's queue of jobs.
pub trait Engine {
    /// Its name on the command line and in the record.
    fn name(&self) -> &'static str;

    /// The script that runs a task: its name in the sweep's folder, and its text.
    fn script(&self, work: &Work) -> (PathBuf, String);

    /// The jobs that it takes to run these tasks.
    ///
    /// # Errors
    /// If the engine does not say how long its jobs may be.
    fn parts(&self, work: &Work, tasks: &[usize]) -> Result<Vec<Part>, Failure>;

    /// The command that hands a job over; it begins once the job `after` has ended, if there is one.
    fn words(&self, work: &Work, part: &Part, after: Option<&str>) -> Vec<String>;

    /// Hands a job over.
    ///
    /// # Errors
    /// If the engine is not there or refuses.
    fn submit(&self, words: &[String]) -> Result<Handle, Failure>;

    /// The tasks of a job that wait in the engine's queue or are running.
    ///
    /// # Errors
    /// If the engine is not there.
    fn waiting(&self, job: &Job) -> Result<BTreeSet<usize>, Failure>;
}

impl Work {
    /// The list of its tasks.
    pub fn list(&self) -> PathBuf {
        self.folder.join(crate::sweep::folder::TASKS)
    }

    /// Where what tasks say is kept.
    pub fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    /// What the job is called.
    pub fn job_name(&self) -> String {
        format!("siloscope-{}", self.name)
    }

    /// A script that becomes the task whose index the shell finds in `index`.
    pub fn script(&self, engine: &str, index: &str) -> String {
        format!(
            "#!/bin/bash\n\
             # Runs one task of the sweep {}. Written by `siloscope sweep submit --engine {engine}`.\n\
             exec {} run --task {}:\"{index}\" --threads {} --quiet\n",
            self.name,
            quoted(&self.program.to_string_lossy()),
            quoted(&self.list().to_string_lossy()),
            self.threads
        )
    }
}

/// What a command says on stdout, or on stderr if it fails.
///
/// # Errors
/// If it cannot be started.
pub fn ask(words: &[String]) -> Result<Result<String, String>, Failure> {
    let (program, rest) = words.split_first().expect("a command has a name");
    let output = Command::new(program).args(rest).output().map_err(|error| {
        Failure::run(format!(
            "cannot start {program} ({error}): submit from a host that has the engine's commands, or run the sweep \
             here with `siloscope sweep run`"
        ))
    })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    Ok(if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(match text(&output.stderr) {
            silent if silent.is_empty() => output.status.to_string(),
            said => said,
        })
    })
}

/// What a command says that must not fail.
///
/// # Errors
/// If it cannot be started or fails; with what it says.
pub fn answer(words: &[String]) -> Result<String, Failure> {
    ask(words)?.map_err(|said| Failure::run(format!("{} refuses: {said}", words[0])))
}

/// Owned words.
pub fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// An option with a path.
pub fn option(name: &str, path: &Path, file: &str) -> String {
    format!("{name}={}", path.join(file).display())
}

/// Numbers in rising order as engines write them: `0-5,7,9-12`.
pub fn ranges(numbers: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let run = |&(first, last): &(usize, usize)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    };
    runs.iter().map(run).collect::<Vec<_>>().join(",")
}

/// A word as a shell takes it.
pub fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./=,:%+@".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_ranges() {
        assert_eq!(ranges(&[]), "");
        assert_eq!(ranges(&[7]), "7");
        assert_eq!(ranges(&[0, 1, 2, 5, 7, 8]), "0-2,5,7-8");
    }

    #[test]
    fn a_shell_reads_back_what_is_quoted() {
        for word in ["plain", "with blank", "it's", "$HOME", "", "a\"b\\c", "ä"] {
            let echo = format!("printf %s {}", quoted(word));
            assert_eq!(answer(&words(&["bash", "-c", &echo])).unwrap(), word);
        }
    }

    #[test]
    fn what_a_command_says_against_it_is_told() {
        let failing = words(&["bash", "-c", "echo no room >&2; exit 3"]);
        assert_eq!(ask(&failing).unwrap(), Err("no room".to_owned()));
        let failure = answer(&failing).unwrap_err();
        assert_eq!(failure.message, "bash refuses: no room");
        let absent = answer(&words(&["no-such-engine-command"])).unwrap_err();
        assert!(
            absent
                .message
                .contains("cannot start no-such-engine-command")
        );
        assert!(absent.message.contains("siloscope sweep run"));
    }
}
