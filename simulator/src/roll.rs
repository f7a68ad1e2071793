//! Which record is trained on where: what a federation outside siloscope needs to train on a scenario's own split.

use crate::exit::Failure;
use crate::folder;
use primitives::RecordId;
use scenarios::Resolved;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// Writes one row a record, in the order of the data: `record` (counted from 0), `subject`, `use`, `silo`.
///
/// `use` is `train` (with its silo), `fresh` (held out of training, whoever is a member), `non-member` (what would have
/// been trained on), `population` (measures accuracy) or `unused`.
///
/// # Errors
/// If the file cannot be written.
pub fn write(resolved: &Resolved, path: &Path) -> Result<(), Failure> {
    let world = &resolved.world;
    let mut uses: BTreeMap<RecordId, (&str, String)> = BTreeMap::new();
    let mut mark = |records: &[RecordId], word, silo: &str| {
        for &record in records {
            uses.insert(record, (word, silo.to_owned()));
        }
    };
    mark(world.pools.population_records(), "population", "");
    mark(world.pools.held_out().all_records(), "fresh", "");
    for &subject in world.pools.non_members() {
        mark(world.pools.kept().records(subject), "non-member", "");
    }
    for local in &resolved.schedule.locals {
        mark(local.records(), "train", &world.silo_name(local.silo()));
    }
    let mut text = "record,subject,use,silo\n".to_owned();
    let names = world.dataset.subject_names();
    for record in world.dataset.records() {
        let (word, silo) = uses
            .get(&record)
            .map_or(("unused", ""), |(word, silo)| (*word, silo));
        let subject = cell(&names[world.dataset.subject(record).index()]);
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{},{subject},{word},{}", record.0, cell(silo));
    }
    folder::write_whole(path, text.as_bytes())?;
    Ok(())
}

/// A cell of a CSV file, in quotes where it must be.
fn cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn names_with_commas_and_quotes_stay_one_cell() {
        assert_eq!(cell("anna"), "anna");
        assert_eq!(cell("a, \"b\""), "\"a, \"\"b\"\"\"");
    }
}
