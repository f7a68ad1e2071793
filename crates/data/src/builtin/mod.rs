//! The data sets that travel with the program.
//!
//! Their files lie in `scenarios/data/`, with licences and origins, and are embedded in the binary, so
//! that a scenario that names one works from any folder with nothing to download.

mod heart_disease;
mod mnist_writers;
mod shakespeare;

use crate::{DataError, Dataset};

/// One set that travels with the program.
#[derive(Debug)]
pub struct BuiltIn {
    /// What a scenario writes as its source.
    pub name: &'static str,
    /// One line on what the records are and who the subjects.
    pub description: &'static str,
    /// Records.
    pub records: u32,
    /// Subjects.
    pub subjects: u32,
    /// Natural silos.
    pub silos: u32,
    /// What allows to pass the data on.
    pub licence: &'static str,
    /// What a paper that uses the data cites.
    pub citation: &'static str,
    loader: fn() -> Result<Dataset, DataError>,
}

impl PartialEq for BuiltIn {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

static BUILT_INS: [BuiltIn; 4] = [
    mnist_writers::FULL,
    mnist_writers::MINI,
    heart_disease::SET,
    shakespeare::SET,
];

/// Every built-in set.
pub fn built_ins() -> &'static [BuiltIn] {
    &BUILT_INS
}

/// The names of the built-in sets, for an error.
pub(crate) fn names() -> String {
    BUILT_INS
        .iter()
        .map(|set| set.name)
        .collect::<Vec<_>>()
        .join(", ")
}

impl BuiltIn {
    /// The set of this name.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        BUILT_INS.iter().find(|set| set.name == name)
    }

    /// Reads the set from the program itself.
    ///
    /// # Errors
    /// Never for the files as published; a damaged binary is reported like a damaged file.
    pub fn load(&self) -> Result<Dataset, DataError> {
        (self.loader)()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_holds_what_the_catalogue_says() {
        for set in built_ins() {
            let dataset = set.load().unwrap();
            assert_eq!(dataset.name(), set.name);
            assert_eq!(dataset.len(), set.records as usize, "{}", set.name);
            assert_eq!(
                dataset.subject_names().len(),
                set.subjects as usize,
                "{}",
                set.name
            );
            let silos = dataset.natural_silos().map_or(0, |silos| silos.names.len());
            assert_eq!(silos, set.silos as usize, "{}", set.name);
        }
    }

    /// The digests of the sets as first published here: a changed one changes every result.
    #[test]
    fn contents_are_pinned() {
        let digests = [
            "9dca10cd514c970465641815a7e6d5e25f2282678c43df071a837fc75bd8b44a",
            "b607733388ff5185a0fa99c78079f9ecb1e036ae88b820833b3c9893b1fe552b",
            "2bafc95ac57063fc0874bf90819a263c385745037ba4946cfe75a1f16875291f",
            "2b8a6fbaff22b640840e9d38a1edb02e12f286b51a3f61f0d3a46cb11bc36319",
        ];
        for (set, digest) in built_ins().iter().zip(digests) {
            assert_eq!(
                set.load().unwrap().digest().to_string(),
                digest,
                "{}",
                set.name
            );
        }
    }
}
