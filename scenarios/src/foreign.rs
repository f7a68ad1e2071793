//! A scenario for models that were trained elsewhere: it names data, model and members, and is attacked, not run.

use crate::diagnosis::{self, Fault, ScenarioError};
use crate::file::ScenarioFile;
use crate::overrides;
use crate::privacy::Protection;
use data::PartitionConfig;
use primitives::Digest;
use serde::{Deserialize, Serialize};
use std::path::Path;
use toml::{Table, Value};

/// The `[checkpoints]` table: models that were trained elsewhere. Of its keys a file gives `names` at most; the others
/// are written by siloscope, which keeps the scenario with what it found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointsConfig {
    /// The modules in the order in which the model applies them, where that does not follow from shapes and numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<Vec<String>>,
    /// What the checkpoints are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// What the ledger is that came with them, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger: Option<Digest>,
    /// Tables that the file left out, filled in because a scenario has them: they say nothing about the training.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assumed: Vec<String>,
}

/// What was found beside a scenario of checkpoints.
#[derive(Clone, Copy, Debug)]
pub struct FoundCheckpoints {
    /// The round of the last one.
    pub rounds: u32,
    /// What they are.
    pub digest: Digest,
    /// What the ledger is that came with them.
    pub ledger: Option<Digest>,
}

impl ScenarioFile {
    /// Reads a scenario for checkpoints that were trained elsewhere.
    ///
    /// Needed are `[data]`, `[model]` and `[[attacks]]`. `data.fresh_fraction` is 0 unless it is given, for nobody says
    /// that some records were kept from training; `name` is the file's.
    ///
    /// # Errors
    /// If the file cannot be read, promises a protection, has another number of rounds than there are checkpoints, or a
    /// ledger came with them and it does not say which records lay in which silo.
    pub fn of_checkpoints(
        path: &Path,
        settings: &[String],
        found: FoundCheckpoints,
    ) -> Result<Self, ScenarioError> {
        let fail = |fault| ScenarioError::one(path, fault);
        let given = std::fs::read_to_string(path).map_err(|error| {
            let message = format!(
                "cannot be read ({error}): give a file with [data], [model] and [[attacks]]"
            );
            fail(Fault::new("", message))
        })?;
        let given = overrides::apply(&given, settings).map_err(fail)?;
        let mut table: Table =
            toml::from_str(&given).map_err(|error| fail(diagnosis::of_toml(&given, &error)))?;
        complete(&mut table, path, found).map_err(fail)?;
        let text = toml::to_string(&table)
            .map_err(|error| fail(Fault::new("", format!("is no scenario: {error}"))))?;
        let file = Self::read(path, crate::file::folder_of(path), text, false)?;
        let faults = faults(&file, found);
        if faults.is_empty() {
            Ok(file)
        } else {
            Err(file.error(faults))
        }
    }
}

/// Fills in what a scenario has and these models do not need.
fn complete(table: &mut Table, path: &Path, found: FoundCheckpoints) -> Result<(), Fault> {
    let stem = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or("checkpoints");
    let name = stem.chars().map(|c| {
        if c.is_ascii_alphanumeric() || c == '_' {
            c
        } else {
            '-'
        }
    });
    table
        .entry("name")
        .or_insert_with(|| Value::String(name.collect()));
    table.entry("seed").or_insert(Value::Integer(1));
    if let Some(Value::Table(data)) = table.get_mut("data") {
        data.entry("fresh_fraction").or_insert(Value::Float(0.0));
    }
    let mut assumed = Vec::new();
    let rounds = Value::Integer(i64::from(found.rounds.max(1)));
    for (name, defaults) in [
        ("federation", vec![("silos", Value::Integer(1))]),
        (
            "training",
            vec![
                ("local_steps", Value::Integer(1)),
                ("batch_size", Value::Integer(1)),
                ("learning_rate", Value::Float(1.0)),
            ],
        ),
        (
            "privacy",
            vec![("protection", Value::String("none".to_owned()))],
        ),
    ] {
        if !table.contains_key(name) {
            assumed.push(name.to_owned());
            let defaults = defaults
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value));
            table.insert(name.to_owned(), Value::Table(defaults.collect()));
        }
    }
    if let Some(Value::Table(federation)) = table.get_mut("federation") {
        federation.entry("rounds").or_insert(rounds);
    }
    let written = table
        .remove("checkpoints")
        .unwrap_or_else(|| Value::Table(Table::new()));
    let config: CheckpointsConfig = written
        .try_into()
        .map_err(|error: toml::de::Error| Fault::new("checkpoints", error.message().to_owned()))?;
    let config = CheckpointsConfig {
        names: config.names,
        digest: Some(found.digest),
        ledger: found.ledger,
        assumed,
    };
    let value =
        Value::try_from(config).map_err(|error| Fault::new("checkpoints", error.to_string()))?;
    table.insert("checkpoints".to_owned(), value);
    Ok(())
}

fn faults(file: &ScenarioFile, found: FoundCheckpoints) -> Vec<Fault> {
    let scenario = &file.scenario;
    let mut faults = Vec::new();
    if scenario.privacy.protection != Protection::None {
        let message = format!(
            "protection = \"{}\" is a promise about training that siloscope did not do: leave [privacy] out, and give \
             the ledger of the training with --ledger if it has one",
            scenario.privacy.protection.name()
        );
        faults.push(Fault::new("privacy.protection", message));
    }
    if scenario.federation.rounds != found.rounds.max(1) {
        let message = format!(
            "rounds = {}, the last checkpoint is of round {}: leave the key out",
            scenario.federation.rounds, found.rounds
        );
        faults.push(Fault::new("federation.rounds", message));
    }
    let placed = scenario.federation.silos == 1
        || scenario.federation.partition == PartitionConfig::Natural {};
    if found.ledger.is_some() && !placed {
        let message = "a ledger charges subjects for the silos that hold them, and nothing says which records lay \
                       where: give the data a silo column and partition = { kind = \"natural\" }";
        faults.push(Fault::new("federation.partition", message));
    }
    if scenario.attacks.is_empty() {
        let message = "there is none; add an [[attacks]] table, e.g. kind = \"loss-threshold\"";
        faults.push(Fault::new("attacks", message));
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, rounds: u32, ledger: bool) -> Result<ScenarioFile, ScenarioError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("my run.toml");
        std::fs::write(&path, text).unwrap();
        let digest = Digest::of(b"checkpoints");
        let found = FoundCheckpoints {
            rounds,
            digest,
            ledger: ledger.then_some(digest),
        };
        ScenarioFile::of_checkpoints(&path, &[], found)
    }

    const SHORT: &str = "[data]\nsource = \"heart_disease\"\n[model]\nkind = \"logistic\"\n[[attacks]]\nkind = \"range\"\n";

    #[test]
    fn a_short_file_is_filled_in_and_reads_back_the_same() {
        let file = read(SHORT, 12, false).unwrap();
        let scenario = &file.scenario;
        assert_eq!(scenario.name, "my-run");
        assert_eq!(scenario.federation.rounds, 12);
        assert!(scenario.data.fresh_fraction.get() == 0.0);
        let checkpoints = scenario.checkpoints.as_ref().unwrap();
        assert_eq!(checkpoints.assumed, ["federation", "training", "privacy"]);
        let again = ScenarioFile::parse(&file.file, &file.folder, &file.text, &[]).unwrap();
        assert_eq!(again.scenario, file.scenario);
    }

    #[test]
    fn what_cannot_be_known_is_refused() {
        let field = |text: &str, rounds, ledger| {
            read(text, rounds, ledger).unwrap_err().faults[0]
                .field
                .clone()
        };
        let with = |table: &str| format!("{SHORT}{table}\n");
        assert_eq!(
            field(&with("[federation]\nsilos = 4\nrounds = 3"), 12, false),
            "federation.rounds"
        );
        assert_eq!(
            field(&with("[federation]\nsilos = 4"), 12, true),
            "federation.partition"
        );
        assert!(
            read(
                &with("[federation]\nsilos = 4\npartition = { kind = \"natural\" }"),
                12,
                true
            )
            .is_ok()
        );
        let promise = "[privacy]\nprotection = \"record\"\nclip_norm = 1.0\nnoise_multiplier = 1.0\ndelta = 1e-5\n\
                       [training]\nlocal_steps = 1\nsampling_rate = 0.1\nlearning_rate = 0.1";
        assert_eq!(field(&with(promise), 12, false), "privacy.protection");
        assert_eq!(
            field(&with("[checkpoints]\nname = [\"a\"]"), 12, false),
            "checkpoints"
        );
        assert_eq!(
            field(
                &SHORT.replace("[[attacks]]\nkind = \"range\"\n", ""),
                12,
                false
            ),
            "attacks"
        );
    }
}
