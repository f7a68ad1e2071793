//! A scenario attacked otherwise than it was written, long after it was trained.

use crate::diagnosis::{Fault, ScenarioError};
use crate::file::ScenarioFile;
use crate::overrides;
use std::path::Path;

/// The tables that decide who attacks and how, and nothing about what is trained.
const TABLES: [&str; 3] = ["adversary", "attacks", "gates"];

impl ScenarioFile {
    /// This scenario with the tables `[adversary]`, `[[attacks]]` and `[gates]` of another file in place of its own,
    /// as far as that file has them, and then with `key=value` settings within those tables.
    ///
    /// # Errors
    /// If the file or a setting concerns more than these tables, or what comes out is no valid scenario.
    pub fn attacked_with(
        &self,
        attacks: Option<&Path>,
        settings: &[String],
    ) -> Result<Self, ScenarioError> {
        if attacks.is_none() && settings.is_empty() {
            return Ok(self.clone());
        }
        let mut text = self.text.clone();
        if let Some(path) = attacks {
            text = with_tables_of(&text, path)?;
        }
        for setting in settings {
            let key = setting.split('=').next().unwrap_or_default().trim();
            let table = key.split('.').next().unwrap_or_default();
            if !TABLES.contains(&table) {
                let message = "decides what is trained, so it cannot be changed in a finished run; change adversary, \
                               attacks or gates, or run the scenario anew with this setting";
                return Err(ScenarioError::one(&self.file, Fault::new(key, message)));
            }
        }
        let text = overrides::apply(&text, settings)
            .map_err(|fault| ScenarioError::one(&self.file, fault))?;
        Self::read(&self.file, &self.folder, text, false)
    }
}

/// `text` with the tables of the file at `path`.
fn with_tables_of(text: &str, path: &Path) -> Result<String, ScenarioError> {
    let fail = |fault| ScenarioError::one(path, fault);
    let given = std::fs::read_to_string(path).map_err(|error| {
        let message = format!(
            "cannot be read ({error}): give a file with [[attacks]] tables, as a scenario has them"
        );
        fail(Fault::new("", message))
    })?;
    let table = |text: &str| -> Result<toml::Table, ScenarioError> {
        toml::from_str(text).map_err(|error| fail(crate::diagnosis::of_toml(text, &error)))
    };
    let mut whole = table(text)?;
    for (key, value) in table(&given)? {
        if !TABLES.contains(&key.as_str()) {
            let message = "decides what is trained, and the run is over; a file of attacks has [[attacks]], \
                           [adversary] and [gates] only";
            return Err(fail(Fault::new(key, message)));
        }
        whole.insert(key, value);
    }
    toml::to_string(&whole)
        .map_err(|error| fail(Fault::new("", format!("leaves no valid scenario: {error}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn smoke() -> ScenarioFile {
        ScenarioFile::open("smoke", &[]).unwrap()
    }

    #[test]
    fn tables_about_the_attack_are_replaced_and_others_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("attacks.toml");
        std::fs::write(
            &path,
            "[[attacks]]\nkind = \"range\"\n[gates]\nmax_subject_auc = 0.9\n",
        )
        .unwrap();
        let settings = ["adversary.known_subjects=4".to_owned()];
        let other = smoke().attacked_with(Some(&path), &settings).unwrap();
        assert_eq!(other.scenario.attacks.len(), 1);
        assert_eq!(other.scenario.adversary.known_subjects, 4);
        assert_eq!(other.scenario.gates.max_subject_auc, Some(0.9));
        assert_eq!(other.scenario.training, smoke().scenario.training);

        std::fs::write(&path, "seed = 9\n").unwrap();
        let refused = smoke().attacked_with(Some(&path), &[]).unwrap_err();
        assert_eq!(
            (refused.file, refused.faults[0].field.as_str()),
            (path, "seed")
        );
        let refused = smoke()
            .attacked_with(None, &["federation.rounds=9".to_owned()])
            .unwrap_err();
        assert_eq!(refused.faults[0].field, "federation.rounds");
        assert_eq!(smoke().attacked_with(None, &[]).unwrap(), smoke());
    }
}
