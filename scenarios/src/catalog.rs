//! The built-in scenarios: each a plain file that `siloscope init` can write out.

/// One scenario of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What `siloscope run` calls it.
    pub name: &'static str,
    /// The file's text.
    pub text: &'static str,
}

macro_rules! catalog {
    ($($name:literal),* $(,)?) => {
        const ENTRIES: &[Entry] = &[$(Entry {
            name: $name,
            text: include_str!(concat!("../catalog/", $name, ".toml")),
        }),*];
    };
}

catalog![
    "quickstart",
    "smoke",
    "no-privacy",
    "record-level",
    "group",
    "subject-level",
    "subject-sampling",
    "silo-noise",
    "secure-sum",
    "spread-subjects",
    "null-control",
    "strong-attacks",
    "curious-server",
    "outages",
    "audit",
    "roles",
    "sequences",
    "regression",
    "bench-j1",
    "bench-j2",
    "bench-j3",
];

impl Entry {
    /// What it is for: its `description`.
    pub fn description(&self) -> &'static str {
        self.text
            .lines()
            .find_map(|line| line.strip_prefix("description = \""))
            .map(|rest| rest.trim_end_matches('"'))
            .unwrap_or_default()
    }
}

/// All scenarios, in the order in which one would try them.
pub const fn entries() -> &'static [Entry] {
    ENTRIES
}

/// The scenario of that name.
pub fn find(name: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ScenarioFile;

    #[test]
    fn every_entry_is_valid_says_what_it_is_for_and_is_called_what_it_is() {
        for entry in entries() {
            let read = ScenarioFile::open(entry.name, &[]).unwrap();
            assert_eq!(read.scenario.name, entry.name);
            assert_eq!(read.scenario.description, entry.description());
            assert!(!entry.description().is_empty());
        }
    }

    #[test]
    fn every_file_of_the_folder_is_in_the_catalogue() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/catalog");
        let files = std::fs::read_dir(folder).unwrap().count();
        assert_eq!(files, entries().len());
    }
}
