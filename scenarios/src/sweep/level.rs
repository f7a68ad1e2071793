//! One level of one axis: what it is called, its number if it is one, and what it changes.

use super::config::{Axis, NamedLevel};
use serde::{Deserialize, Serialize};

/// A level as reports show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// Its name, or its value in words.
    pub label: String,
    /// Its value, where it is a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

/// A level with what it changes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Setting {
    /// As reports show it.
    pub level: Level,
    /// Values by dotted path.
    pub set: Vec<(String, toml::Value)>,
}

impl Setting {
    /// `key` at `value`.
    pub(super) fn of_value(key: &str, value: &toml::Value) -> Self {
        Self {
            level: Level {
                label: label(value),
                value: number(value),
            },
            set: vec![(key.to_owned(), value.clone())],
        }
    }

    /// What the base has.
    pub(super) fn left_out() -> Self {
        Self {
            level: Level {
                label: "—".to_owned(),
                value: None,
            },
            set: Vec::new(),
        }
    }

    fn named(level: &NamedLevel) -> Self {
        let set = level.set.iter();
        Self {
            level: Level {
                label: level.name.clone(),
                value: None,
            },
            set: set
                .map(|(path, value)| (path.clone(), value.clone()))
                .collect(),
        }
    }
}

impl Axis {
    /// The levels that are written down, in their order.
    pub(super) fn settings(&self) -> Vec<Setting> {
        let key = self.key.as_deref().unwrap_or_default();
        let values = self
            .values
            .iter()
            .map(|value| Setting::of_value(key, value));
        values
            .chain(self.levels.iter().map(Setting::named))
            .collect()
    }
}

/// The number that a value is.
pub(super) fn number(value: &toml::Value) -> Option<f64> {
    match value {
        toml::Value::Integer(number) => Some(*number as f64),
        toml::Value::Float(number) => Some(*number),
        _ => None,
    }
}

/// A value in words: a text without its quotes, everything else as TOML writes it.
fn label(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Float(number) => number.to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_called_what_it_is() {
        let table: toml::Table = toml::from_str(
            "a = 0.5\nb = \"mlp\"\nc = [64, 32]\nd = 3\ne = 1.0\nf = { kind = \"zipf\" }",
        )
        .unwrap();
        let shown: Vec<_> = table
            .iter()
            .map(|(key, value)| Setting::of_value(key, value).level)
            .map(|level| (level.label, level.value))
            .collect();
        let expected = [
            ("0.5", Some(0.5)),
            ("mlp", None),
            ("[64, 32]", None),
            ("3", Some(3.0)),
            ("1", Some(1.0)),
            ("{ kind = \"zipf\" }", None),
        ];
        assert_eq!(
            shown,
            expected.map(|(label, value)| (label.to_owned(), value))
        );
    }
}
