//! `--set privacy.clip_norm=0.5`: a key of the scenario, given on the command line.

use crate::diagnosis::Fault;

/// Writes each `key=value` of `settings` into the scenario's text, replacing what it says there.
///
/// A value is read as TOML (`0.5`, `true`, `["a"]`, `{ kind = "zipf" }`); what is not TOML is taken as a text, so
/// that `--set model.kind=mlp` needs no quotes.
///
/// # Errors
/// If a setting has no `=`, or if its path runs through something that is no table.
pub(crate) fn apply(text: &str, settings: &[String]) -> Result<String, Fault> {
    if settings.is_empty() {
        return Ok(text.to_owned());
    }
    let mut document: toml::Table =
        toml::from_str(text).map_err(|error| crate::diagnosis::of_toml(text, &error))?;
    for setting in settings {
        let (path, value) = setting.split_once('=').ok_or_else(|| {
            Fault::new(
                "",
                format!("--set {setting:?} has no '=': write it as key=value, e.g. seed=3"),
            )
        })?;
        set(&mut document, path.trim(), value_of(value.trim())).map_err(|mut fault| {
            fault.message = format!("--set {setting:?}: {}", fault.message);
            fault
        })?;
    }
    toml::to_string(&document)
        .map_err(|error| Fault::new("", format!("--set leaves no valid scenario: {error}")))
}

/// Puts `value` at a dotted path, in place of what is there; tables on the way are made if need be.
///
/// # Errors
/// If the path names no key or runs through something that is no table.
pub(crate) fn set(document: &mut toml::Table, path: &str, value: toml::Value) -> Result<(), Fault> {
    let mut keys: Vec<&str> = path.split('.').collect();
    let last = keys.pop().filter(|key| !key.is_empty()).ok_or_else(|| {
        Fault::new(
            "",
            "names no key: write it as a dotted path, e.g. model.kind",
        )
    })?;
    let mut table = document;
    for key in keys {
        table = table
            .entry(key)
            .or_insert_with(|| toml::Value::Table(toml::Table::new()))
            .as_table_mut()
            .ok_or_else(|| Fault::new(path, format!("`{key}` is not a table in this scenario")))?;
    }
    table.insert(last.to_owned(), value);
    Ok(())
}

fn value_of(text: &str) -> toml::Value {
    toml::from_str::<toml::Table>(&format!("value = {text}"))
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_replaces_or_adds_a_key() {
        let text = "seed = 1\n[model]\nkind = \"mlp\"\n";
        let settings = [
            "seed=9",
            "model.kind=convnet",
            "privacy.budget={ epsilon = 2.0 }",
        ];
        let changed = apply(text, &settings.map(str::to_owned)).unwrap();
        let table: toml::Table = toml::from_str(&changed).unwrap();
        assert_eq!(table["seed"].as_integer(), Some(9));
        assert_eq!(table["model"]["kind"].as_str(), Some("convnet"));
        assert_eq!(table["privacy"]["budget"]["epsilon"].as_float(), Some(2.0));
    }

    #[test]
    fn a_setting_without_a_key_or_through_a_value_is_refused() {
        assert!(apply("seed = 1\n", &["seed".to_owned()]).is_err());
        assert!(apply("seed = 1\n", &["=2".to_owned()]).is_err());
        assert!(apply("seed = 1\n", &["seed.deeper=2".to_owned()]).is_err());
    }
}
