//! One federation of a sweep: a plain scenario that stands for itself.

use super::level::Level;
use crate::diagnosis::ScenarioError;
use crate::file::{Scenario, ScenarioFile};
use primitives::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A task of a sweep's list: all that it takes to run it anywhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepTask {
    /// Digest of what is run: the same scenario has the same id in every sweep.
    pub id: String,
    /// Its place in the list.
    pub index: usize,
    /// Which point of the design; tasks of one point differ in their seeds alone.
    pub point: usize,
    /// Its seed.
    pub seed: u64,
    /// Where it lies on each axis.
    pub levels: BTreeMap<String, Level>,
    /// The sweep it comes from, for messages.
    pub sweep: PathBuf,
    /// Where relative paths of the scenario start.
    pub folder: PathBuf,
    /// The scenario, as a file would have it.
    pub scenario: String,
}

impl SweepTask {
    /// The scenario.
    ///
    /// # Errors
    /// If it is not valid on its own.
    pub fn open(&self) -> Result<ScenarioFile, ScenarioError> {
        let file = named(&self.sweep, self.point, &self.levels);
        ScenarioFile::parse(&file, &self.folder, &self.scenario, &[])
    }

    /// Where it lies, in words: `spread 0.5, protection record, seed 7`.
    pub fn place(&self) -> String {
        let seed = format!("seed {}", self.seed);
        let levels = in_words(&self.levels);
        if levels.is_empty() {
            seed
        } else {
            format!("{levels}, {seed}")
        }
    }
}

/// What a message calls the scenario of a point.
pub(super) fn named(sweep: &Path, point: usize, levels: &BTreeMap<String, Level>) -> PathBuf {
    let levels = in_words(levels);
    let words = if levels.is_empty() {
        String::new()
    } else {
        format!(" ({levels})")
    };
    PathBuf::from(format!("{}, point {point}{words}", sweep.display()))
}

fn in_words(levels: &BTreeMap<String, Level>) -> String {
    let words: Vec<String> = levels
        .iter()
        .map(|(axis, level)| format!("{axis} {}", level.label))
        .collect();
    words.join(", ")
}

/// The id of a scenario: a digest of all but what it is called.
pub(super) fn id_of(scenario: &Scenario) -> String {
    let mut scenario = scenario.clone();
    scenario.name.clear();
    scenario.description.clear();
    let bytes = serde_json::to_vec(&scenario).expect("a scenario is plain values");
    Digest::of(&bytes).to_string()[..16].to_owned()
}
