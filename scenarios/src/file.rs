//! A scenario as it is written.

use crate::adversary::AdversaryConfig;
use crate::device;
use crate::diagnosis::{self, Fault, ScenarioError};
use crate::federation::FederationConfig;
use crate::foreign::CheckpointsConfig;
use crate::gates::Gates;
use crate::network::NetworkConfig;
use crate::overrides;
use crate::privacy::PrivacyConfig;
use crate::sweep;
use attacks::AttackConfig;
use attacks::audit::AuditConfig;
use data::DataConfig;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use training::{ModelConfig, Taken, TrainingConfig};

/// A scenario file, read and checked for what can be checked without its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Names the run folder: letters, digits, `-` and `_`.
    pub name: String,
    /// What it is for, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The key of all randomness.
    pub seed: u64,
    /// Whose records, and who is a member.
    pub data: DataConfig,
    /// Silos, rounds, how records lie in silos, how updates combine.
    pub federation: FederationConfig,
    /// How long things take in virtual time, and who is away; nothing takes time if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkConfig>,
    /// What is trained.
    pub model: ModelConfig,
    /// How a silo trains it.
    pub training: TrainingConfig,
    /// What is protected, and at which price.
    pub privacy: PrivacyConfig,
    /// What the attacker knows and when it looks.
    #[serde(default)]
    pub adversary: AdversaryConfig,
    /// Attacks, each in both record regimes.
    #[serde(default)]
    pub attacks: Vec<AttackConfig>,
    /// What is planted to audit the run; nothing if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditConfig>,
    /// Limits that must hold.
    #[serde(default)]
    pub gates: Gates,
    /// Models that were trained elsewhere: such a scenario is attacked, not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoints: Option<CheckpointsConfig>,
}

/// A scenario with where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct ScenarioFile {
    /// The scenario.
    pub scenario: Scenario,
    /// The file, or the catalogue's name for it.
    pub file: PathBuf,
    /// Where relative paths in it start.
    pub folder: PathBuf,
    /// The text, with the command line's changes and the device of this machine written in.
    pub text: String,
    /// The device that `training.device = "auto"` was taken for, if that was written.
    pub taken: Option<Taken>,
    /// Whether the text's lines are the file's: not where the command line has changed them.
    as_written: bool,
}

impl ScenarioFile {
    /// Reads a scenario from a catalogue name or a path, with changes from the command line.
    ///
    /// # Errors
    /// If there is no such scenario, or if it is not valid on its own; all faults of the second kind are listed.
    pub fn open(name: &str, settings: &[String]) -> Result<Self, ScenarioError> {
        let source = Source::open(name)?;
        Self::parse(&source.file, &source.folder, &source.text, settings)
    }

    /// Reads a scenario from its text.
    ///
    /// # Errors
    /// If it is not valid on its own.
    pub fn parse(
        file: &Path,
        folder: &Path,
        text: &str,
        settings: &[String],
    ) -> Result<Self, ScenarioError> {
        let text =
            overrides::apply(text, settings).map_err(|fault| ScenarioError::one(file, fault))?;
        Self::read(file, folder, text, settings.is_empty())
    }

    /// Reads and checks a text whose lines are the file's if it is `as_written`.
    pub(crate) fn read(
        file: &Path,
        folder: &Path,
        text: String,
        as_written: bool,
    ) -> Result<Self, ScenarioError> {
        if toml::from_str::<toml::Table>(&text).is_ok_and(|table| table.contains_key(sweep::TABLE))
        {
            let message = "stands for many federations: `siloscope sweep run` runs them, `siloscope sweep plan` lists them";
            let mut fault = Fault::new(sweep::TABLE, message);
            fault.line = diagnosis::line_of(&text, sweep::TABLE).filter(|_| as_written);
            return Err(ScenarioError::one(file, fault));
        }
        let (text, taken) = match device::settled(&text) {
            Some((text, taken)) => (text, Some(taken)),
            None => (text, None),
        };
        let scenario: Scenario = toml::from_str(&text).map_err(|error| {
            let mut fault = diagnosis::of_toml(&text, &error);
            fault.line = fault.line.filter(|_| as_written);
            ScenarioError::one(file, fault)
        })?;
        let read = Self {
            scenario,
            file: file.to_owned(),
            folder: folder.to_owned(),
            text,
            taken,
            as_written,
        };
        let faults = crate::check::faults(&read.scenario);
        if faults.is_empty() {
            Ok(read)
        } else {
            Err(read.error(faults))
        }
    }

    /// An error about this scenario, each fault with its line.
    pub(crate) fn error(&self, faults: Vec<Fault>) -> ScenarioError {
        let place = |mut fault: Fault| {
            fault.line = fault
                .line
                .or_else(|| diagnosis::line_of(&self.text, &fault.field))
                .filter(|_| self.as_written);
            fault
        };
        ScenarioError {
            file: self.file.clone(),
            faults: faults.into_iter().map(place).collect(),
        }
    }
}

/// A file as it lies there, or what the catalogue has in its place.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The file, or the catalogue's name for it.
    pub(crate) file: PathBuf,
    /// Where relative paths in it start.
    pub(crate) folder: PathBuf,
    /// What it says.
    pub(crate) text: String,
}

impl Source {
    /// Reads a catalogue name or a path. A path wins over a catalogue name only if it is written as one (with a `/` or
    /// ending in `.toml`).
    ///
    /// # Errors
    /// If there is no such scenario.
    pub(crate) fn open(name: &str) -> Result<Self, ScenarioError> {
        let path = Path::new(name);
        let found = |folder: &Path, text: String| Self {
            file: path.to_owned(),
            folder: folder.to_owned(),
            text,
        };
        if !name.contains('/') && path.extension().is_none() {
            return match crate::catalog::find(name) {
                Some(entry) => Ok(found(Path::new("."), entry.text.to_owned())),
                None => Err(ScenarioError::one(path, unknown_name(name))),
            };
        }
        let text = std::fs::read_to_string(path).map_err(|error| {
            let message = format!("cannot be read ({error}): give a scenario file or a catalogue name (`siloscope init` lists them)");
            ScenarioError::one(path, Fault::new("", message))
        })?;
        Ok(found(folder_of(path), text))
    }
}

fn unknown_name(name: &str) -> Fault {
    let names: Vec<&str> = crate::catalog::entries()
        .iter()
        .map(|entry| entry.name)
        .collect();
    let hint = diagnosis::nearest(name, names.iter().copied())
        .map_or_else(|| ".".to_owned(), |near| format!("; did you mean {near}?"));
    let message = format!(
        "there is no catalogue scenario {name:?}{hint} The catalogue: {}; a path is written with a / or ends in .toml",
        names.join(", ")
    );
    Fault::new("", message)
}

/// Where relative paths in the file start: the parent of a bare file name is the empty path, which
/// names no folder.
pub(crate) fn folder_of(file: &Path) -> &Path {
    let parent = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_start_in_the_files_folder() {
        assert_eq!(folder_of(Path::new("mine.toml")), Path::new("."));
        assert_eq!(folder_of(Path::new("a/b/mine.toml")), Path::new("a/b"));
        assert_eq!(folder_of(Path::new("/mine.toml")), Path::new("/"));
    }
}
