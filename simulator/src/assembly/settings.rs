//! The resolved scenario, as people read it.

use report::model::{Noun, Nouns, Setting, SettingsGroup};
use scenarios::Scenario;

/// Every table of the scenario with all defaults filled in, in the order in which a file has them.
pub fn settings(scenario: &Scenario) -> Vec<SettingsGroup> {
    let Ok(toml::Value::Table(table)) = toml::Value::try_from(scenario) else {
        return Vec::new();
    };
    let checkpoints = scenario.checkpoints.as_ref();
    let assumed = checkpoints.map_or(&[][..], |checkpoints| &checkpoints.assumed);
    [
        "data",
        "federation",
        "network",
        "model",
        "training",
        "privacy",
        "adversary",
        "attacks",
        "gates",
        "checkpoints",
    ]
    .into_iter()
    // What a file of foreign checkpoints left out was filled in and says nothing about their training.
    .filter(|name| !assumed.iter().any(|assumed| assumed == name))
    .filter_map(|name| {
        Some(SettingsGroup {
            name: name.to_owned(),
            settings: group(table.get(name)?),
        })
    })
    .filter(|group| !group.settings.is_empty())
    .collect()
}

fn group(value: &toml::Value) -> Vec<Setting> {
    match value {
        toml::Value::Table(table) => table
            .iter()
            .map(|(key, value)| Setting {
                key: key.clone(),
                value: inline(value),
            })
            .collect(),
        toml::Value::Array(tables) => tables
            .iter()
            .enumerate()
            .map(|(i, value)| Setting {
                key: (i + 1).to_string(),
                value: inline(value),
            })
            .collect(),
        other => vec![Setting {
            key: String::new(),
            value: inline(other),
        }],
    }
}

/// A value as it would stand after an equals sign.
fn inline(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What the data's records and subjects are called.
pub fn nouns(data: &str) -> Nouns {
    let (record, subject) = match data {
        "mnist_writers" | "mnist_writers_mini" => (("digit", "digits"), ("writer", "writers")),
        "heart_disease" => (
            ("patient record", "patient records"),
            ("patient", "patients"),
        ),
        "shakespeare" => (("window", "windows"), ("role", "roles")),
        _ => return Nouns::default(),
    };
    Nouns {
        record: Noun::new(record.0, record.1),
        subject: Noun::new(subject.0, subject.1),
        ..Nouns::default()
    }
}
