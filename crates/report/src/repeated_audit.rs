//! What an audit over independent runs found, in words, on a terminal and as JSON.

use crate::format;
use crate::model::RepeatedAudit;
use crate::text::{TextStyle, columns, printable, wrapped};
use crate::words::{Sentence, sentence};
use serde::Serialize;

/// What the file says it is.
const SCHEMA: &str = "siloscope/repeated-audit";

#[derive(Serialize)]
struct Envelope<'a> {
    schema: &'static str,
    schema_version: u32,
    #[serde(flatten)]
    audit: &'a RepeatedAudit,
}

impl RepeatedAudit {
    /// What was found, the verdict first.
    pub fn findings(&self) -> Vec<Sentence> {
        let (lower, upper) = (
            format::epsilon_lower(self.lower),
            format::epsilon_upper(self.upper),
        );
        let verdict = if self.refuted {
            sentence().figure("The audit refutes the promise").say(
                ": runs with and without the subject can be told apart better than the ledger allows.",
            )
        } else if self.upper.finite().is_none() {
            sentence()
                .figure("Nothing is promised")
                .say(": the ledger bounds nothing that an audit could refute.")
        } else {
            sentence()
                .figure("The promise stands")
                .say(": nothing here contradicts the ledger.")
        };
        let bounds = sentence()
            .say("ε of this subject is at least ")
            .figure(lower)
            .say(" and at most ")
            .figure(upper)
            .say(format!(
                " (δ\u{a0}=\u{a0}{}, at {} confidence).",
                format::delta(self.delta.get()),
                format::rate(self.confidence.get())
            ));
        let calls = &self.calls;
        let told = sentence()
            .say("Of the judged runs ")
            .figure(format!(
                "{} of {}",
                calls.true_positives,
                calls.true_positives + calls.false_negatives
            ))
            .say(" with the subject were recognised, and ")
            .figure(format!(
                "{} of {}",
                calls.false_positives,
                calls.false_positives + calls.true_negatives
            ))
            .say(" without it were taken for one with it.");
        let mut all = vec![verdict, bounds, told];
        if self.upper > self.largest && !self.refuted {
            all.push(
                sentence()
                    .say("Whatever the mechanism, so many runs can show at most ")
                    .figure(format::epsilon_lower(self.largest))
                    .say(
                        " at this δ, however well they can be told apart; more runs can show more.",
                    ),
            );
        }
        all
    }

    /// Where the subject's records lie, in words.
    pub(crate) fn placement(&self) -> String {
        let silos: Vec<String> = self
            .holdings
            .iter()
            .map(|(silo, records)| format!("{records} in silo-{silo}"))
            .collect();
        format!("records: {}", silos.join(", "))
    }

    /// The audit for a terminal.
    pub fn to_text(&self, style: TextStyle) -> String {
        let mut text = format!(
            "{}\n",
            style.strong(&format!(
                "{}: {}",
                printable(&self.name),
                printable(&self.who)
            ))
        );
        for finding in self.findings() {
            text.push('\n');
            text += &wrapped(&finding, style);
        }
        let facts = [
            self.placement(),
            format!(
                "runs: {} with the subject, {} without; chosen on {} and {}, judged by the others",
                self.runs.with, self.runs.without, self.chosen_on.with, self.chosen_on.without
            ),
            format!("told apart by: {}", self.statistic),
        ];
        text.push('\n');
        for fact in facts {
            text += &wrapped(&sentence().say(fact), style);
        }
        let mut table = vec![["", "what it is", "ε"].map(String::from).to_vec()];
        for method in &self.methods {
            table.push(vec![
                method.name.clone(),
                format::nature(method.nature).to_owned(),
                format::epsilon_lower(method.epsilon),
            ]);
        }
        text.push('\n');
        text += &columns(&table, style.width());
        text += &format!(
            "\nseed {} · plan {} · siloscope {}\n",
            self.seed,
            printable(&self.plan_digest.chars().take(10).collect::<String>()),
            printable(&self.siloscope_version)
        );
        text
    }

    /// The audit as JSON, ending in a line feed.
    ///
    /// # Panics
    /// Never: every field has a JSON form.
    pub fn to_json(&self) -> String {
        let envelope = Envelope {
            schema: SCHEMA,
            schema_version: crate::SCHEMA_VERSION,
            audit: self,
        };
        let mut text =
            serde_json::to_string_pretty(&envelope).expect("an audit has only string keys");
        text.push('\n');
        text
    }

    /// The audit as one HTML page.
    pub fn to_html(&self) -> String {
        crate::html::repeated_audit_page(self)
    }
}
