//! A scenario with everything decided: what a run folder records and what its name is made of.

use crate::file::Scenario;
use accounting::NoiseMultiplier;
use primitives::Digest;
use serde::{Deserialize, Serialize};

/// The layout of `plan.json` and of the run folder it stands in.
pub const PLAN_FORMAT: u32 = 1;

/// Everything that decides the bytes of a run, except the data itself, which it names by digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`PLAN_FORMAT`].
    pub format: u32,
    /// Version of the siloscope that made it: another version may give other bytes.
    pub siloscope: String,
    /// The scenario with its defaults filled in.
    pub scenario: Scenario,
    /// The data that was found.
    pub data: DataSummary,
    /// Parameters of the model.
    pub parameters: u64,
    /// The silos, in the order of ids.
    pub silos: Vec<SiloSummary>,
    /// Deviation ÷ sensitivity of the noise, given or found for the budget.
    pub noise_multiplier: Option<NoiseMultiplier>,
}

/// What the data is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSummary {
    /// Its name.
    pub name: String,
    /// Digest of all records.
    pub digest: Digest,
    /// Digest of who is a member, where a file says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub membership: Option<Digest>,
    /// Records.
    pub records: u64,
    /// Subjects.
    pub subjects: u64,
    /// Members: their records are trained on.
    pub members: u64,
    /// Non-members.
    pub non_members: u64,
    /// Subjects on whom the model is measured.
    pub population: u64,
    /// Numbers a record.
    pub features: u64,
    /// Classes; 0 where numbers are predicted.
    pub classes: u64,
}

/// What one silo holds and does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiloSummary {
    /// Its name.
    pub name: String,
    /// Subjects with a training record here.
    pub subjects: u64,
    /// Training records that take part.
    pub records: u64,
    /// Most records of one subject.
    pub most_records_of_a_subject: u32,
    /// Local steps a round.
    pub steps: u32,
    /// What a step's sum is divided by, or the size of its batches.
    pub batch: f64,
}

impl Plan {
    /// The plan as its file has it.
    ///
    /// # Panics
    /// Never.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a plan has only string keys");
        text.push('\n');
        text
    }

    /// What names the plan: the digest of its file.
    pub fn digest(&self) -> Digest {
        Digest::of(self.to_json().as_bytes())
    }
}
