//! Shakespeare's plays by speaking role: the next character after every 80.
//!
//! Subject: a role in one play; natural silo: the play. As LEAF does it, the speeches of a role are
//! joined by single spaces (line feeds and runs of spaces are one space), every window of 80 characters
//! is a record, and the character after it is its label; roles of 80 characters or fewer have no record.
//! Unlike LEAF, roles of one or two lines are kept if they are long enough. Features are indices into
//! the class names, which are LEAF's 80 characters in LEAF's order; twelve of them do not occur here.
//!
//! Source: Caldas et al. 2018 (arXiv 1812.01097); the text is the Moby edition.

use super::BuiltIn;
use crate::features::TokenWindows;
use crate::load::text_columns;
use crate::{DataError, Dataset, DatasetParts, Features, NaturalSilos};
use primitives::{SiloId, SubjectId};
use std::collections::BTreeMap;

pub(super) const SET: BuiltIn = BuiltIn {
    name: "shakespeare",
    description: "next character in the plays; subjects are speaking roles, natural silos the plays",
    records: 4_202_741,
    subjects: 1_163,
    silos: 37,
    licence: "public domain",
    citation: "Shakespeare, Moby edition; Caldas et al., LEAF: A Benchmark for Federated Settings, 2018",
    loader: load,
};

const FILE: &[u8] = include_bytes!("../../../../scenarios/data/shakespeare/utterances.parquet");

/// Characters in a window.
const WIDTH: usize = 80;

/// LEAF's characters (`data/shakespeare`, `ALL_LETTERS`), among which all of these texts' are.
const LETTERS: &str =
    "\n !\"&'(),-.0123456789:;>?ABCDEFGHIJKLMNOPQRSTUVWXYZ[]abcdefghijklmnopqrstuvwxyz}";

/// Everything one role says.
struct RoleText {
    name: String,
    play: String,
    characters: Vec<char>,
}

fn load() -> Result<Dataset, DataError> {
    let roles = roles()?;
    let classes: Vec<char> = LETTERS.chars().collect();
    let code = |character: char| {
        let found = classes.iter().position(|&letter| letter == character);
        found.unwrap_or_default() as u32
    };
    let mut plays: Vec<String> = roles.iter().map(|role| role.play.clone()).collect();
    plays.sort_unstable();
    plays.dedup();

    let mut windows = TokenWindows {
        text: Vec::new(),
        starts: Vec::new(),
        width: WIDTH,
    };
    let (mut labels, mut subjects, mut silos) = (Vec::new(), Vec::new(), Vec::new());
    for (role, subject) in roles.iter().zip(0..) {
        let records = role.characters.len() - WIDTH;
        let begin = windows.text.len() as u32;
        windows.starts.extend(begin..begin + records as u32);
        labels.extend(
            role.characters[WIDTH..]
                .iter()
                .map(|&character| code(character)),
        );
        subjects.resize(subjects.len() + records, SubjectId(subject));
        let play = plays.binary_search(&role.play).unwrap_or_default();
        silos.resize(silos.len() + records, SiloId(play as u32));
        windows.text.extend(
            role.characters
                .iter()
                .map(|&character| code(character) as u8),
        );
    }
    Dataset::try_new(DatasetParts {
        name: SET.name.to_owned(),
        features: Features::Tokens(windows),
        shape: vec![WIDTH],
        labels: labels.into(),
        classes: classes.iter().map(char::to_string).collect(),
        subjects,
        subject_names: roles.into_iter().map(|role| role.name).collect(),
        natural_silos: Some(NaturalSilos {
            of_records: silos,
            names: plays,
        }),
        splits: None,
    })
}

/// The roles with more than a window of text, in the order of the plays.
fn roles() -> Result<Vec<RoleText>, DataError> {
    let [subjects, plays, names, texts] =
        text_columns(SET.name, FILE, ["subject", "play", "role", "text"])?;
    let mut roles: BTreeMap<u32, RoleText> = BTreeMap::new();
    for (((subject, play), name), text) in subjects.iter().zip(plays).zip(names).zip(texts) {
        let subject = subject.parse().map_err(|_| {
            DataError::new(
                SET.name,
                subject,
                "a whole number",
                "install the program again",
            )
            .in_column("subject")
        })?;
        let role = roles.entry(subject).or_insert_with(|| RoleText {
            name: format!("{play}: {name}"),
            play,
            characters: Vec::new(),
        });
        for word in text.split([' ', '\n']).filter(|word| !word.is_empty()) {
            if !role.characters.is_empty() {
                role.characters.push(' ');
            }
            role.characters.extend(word.chars());
        }
    }
    Ok(roles
        .into_values()
        .filter(|role| role.characters.len() > WIDTH)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use primitives::RecordId;

    #[test]
    fn windows_slide_over_a_role_and_end_with_it() {
        let dataset = load().unwrap();
        let spell = |record: RecordId| {
            let mut x = [0.0; WIDTH];
            dataset.copy_features(record, &mut x);
            let mut text: String = x
                .iter()
                .map(|&i| dataset.classes()[i as usize].as_str())
                .collect();
            text.push_str(&dataset.classes()[dataset.class(record) as usize]);
            text
        };
        let hamlet = dataset
            .subject_names()
            .iter()
            .position(|name| name.ends_with(": HAMLET"));
        let records = dataset
            .subjects()
            .records(SubjectId(hamlet.unwrap() as u32));
        let text: String = records
            .iter()
            .map(|&record| spell(record).remove(0))
            .collect();
        assert!(text.starts_with("A little more than kin, and less than kind. Not so, my lord; "));
        assert!(text.contains("To be, or not to be: that is the question: "));
        assert_eq!(spell(records[1])[..80], spell(records[0])[1..]);
        assert_eq!(dataset.classes().len(), 80);
        // A character that LEAF does not have would have become its first one, the line feed.
        assert!(dataset.records().all(|record| dataset.class(record) != 0));
    }
}
