//! `sweep-report.json`: the report in a versioned envelope.

use super::report::SweepReport;
use serde::Serialize;

/// What the file says it is.
pub const SWEEP_SCHEMA: &str = "siloscope/sweep-report";

/// The version of its fields.
pub const SWEEP_SCHEMA_VERSION: u32 = 1;

#[derive(Serialize)]
struct Envelope<'a> {
    schema: &'static str,
    schema_version: u32,
    #[serde(flatten)]
    report: &'a SweepReport,
}

impl SweepReport {
    /// The report as JSON, ending in a line feed. Keys come in the order of the types' fields, numbers in their
    /// shortest form that reads back as the same number; what is infinite is written `"inf"`.
    ///
    /// # Panics
    ///
    /// Never: every field of a report has a JSON form.
    pub fn to_json(&self) -> String {
        let envelope = Envelope {
            schema: SWEEP_SCHEMA,
            schema_version: SWEEP_SCHEMA_VERSION,
            report: self,
        };
        let mut text =
            serde_json::to_string_pretty(&envelope).expect("a report has only string keys");
        text.push('\n');
        text
    }
}
