//! JSON as LEAF writes it: users with `x` and `y`, perhaps in groups ("hierarchies").
//!
//! A user of LEAF is a subject here; a hierarchy, where there is one, is its natural silo.
//!
//! Source: Caldas et al. 2018 (arXiv 1812.01097), `utils/model_utils.py` of its code.

use super::categories::label_text;
use super::{Categories, Gathered, LabelCells, open, unreadable};
use crate::{DataError, Dataset, Features};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// One file as LEAF writes it.
#[derive(Deserialize)]
struct LeafFile {
    users: Vec<String>,
    num_samples: Vec<usize>,
    #[serde(default)]
    hierarchies: Option<Vec<String>>,
    user_data: BTreeMap<String, UserRecords>,
}

#[derive(Deserialize)]
struct UserRecords {
    x: Vec<Vec<f32>>,
    y: Vec<serde_json::Value>,
}

/// Loads a JSON file, or all JSON files of a folder in the order of their names.
pub(crate) fn leaf_files(path: &Path) -> Result<Dataset, DataError> {
    let mut gathered = Gathered {
        name: path.display().to_string(),
        features: Features::Floats(Vec::new()),
        shape: Vec::new(),
        labels: LabelCells::Classes(Categories::default()),
        subjects: Categories::default(),
        silos: None,
        splits: None,
    };
    let (mut features, mut labels) = (Vec::new(), Categories::default());
    for (i, path) in json_files(path)?.iter().enumerate() {
        let file = parse(path)?;
        if i == 0 {
            gathered.silos = file.hierarchies.as_ref().map(|_| Categories::default());
        }
        read_file(path, file, &mut gathered, &mut labels, &mut features)?;
    }
    gathered.features = Features::Floats(features);
    gathered.labels = LabelCells::Classes(labels);
    gathered.into_dataset()
}

/// `path` itself, or the JSON files in it.
fn json_files(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = path
        .read_dir()
        .map_err(|error| unreadable(path, &error.to_string()))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(DataError::new(
            path.display(),
            "a folder without JSON files",
            "a JSON file of LEAF or a folder of them",
            "name the folder that LEAF's preprocess.sh wrote, e.g. data/train",
        ));
    }
    Ok(files)
}

fn parse(path: &Path) -> Result<LeafFile, DataError> {
    serde_json::from_reader(BufReader::new(open(path)?)).map_err(|error| {
        let allowed = "LEAF JSON: users, num_samples and user_data with numeric x and a y a record";
        let remedy =
            "write it with LEAF's preprocess.sh; for text use the built-in shakespeare set";
        DataError::new(path.display(), error.to_string(), allowed, remedy)
    })
}

fn read_file(
    path: &Path,
    file: LeafFile,
    gathered: &mut Gathered,
    labels: &mut Categories,
    features: &mut Vec<f32>,
) -> Result<(), DataError> {
    let fault = |given: String, allowed: &str, remedy: &str| {
        DataError::new(path.display(), given, allowed, remedy)
    };
    let LeafFile {
        users,
        num_samples,
        hierarchies,
        mut user_data,
    } = file;
    let groups = hierarchies.as_ref().map_or(users.len(), Vec::len);
    if num_samples.len() != users.len() || groups != users.len() {
        return Err(fault(
            format!(
                "{} users, {} num_samples, {groups} hierarchies",
                users.len(),
                num_samples.len()
            ),
            "lists of the same length",
            "write the file again with LEAF's preprocess.sh",
        ));
    }
    if hierarchies.is_some() != gathered.silos.is_some() {
        return Err(fault(
            "hierarchies in some files only".to_owned(),
            "hierarchies in all files or in none",
            "write the files again with the same LEAF settings",
        ));
    }
    for (i, user) in users.iter().enumerate() {
        let in_user = |given: String, allowed: &str| {
            fault(
                given,
                allowed,
                "correct this user's data or leave the user out",
            )
            .in_column(user)
        };
        let Some(records) = user_data.remove(user) else {
            return Err(in_user(
                "a user without user_data".to_owned(),
                "an entry for every user",
            ));
        };
        if records.x.len() != num_samples[i]
            || records.y.len() != num_samples[i]
            || num_samples[i] == 0
        {
            let given = format!(
                "{} x and {} y where num_samples says {}",
                records.x.len(),
                records.y.len(),
                num_samples[i]
            );
            return Err(in_user(given, "the same number of each, at least 1"));
        }
        for (row, (x, y)) in records.x.iter().zip(&records.y).enumerate() {
            if gathered.shape.is_empty() {
                gathered.shape = vec![x.len()];
            }
            if x.len() != gathered.shape[0] {
                let given = format!("{} features", x.len());
                let allowed = format!("{} features, as in the first record", gathered.shape[0]);
                return Err(in_user(given, &allowed).at_row(row));
            }
            if let Some(value) = x.iter().find(|value| !value.is_finite()) {
                return Err(in_user(format!("feature {value}"), "finite numbers").at_row(row));
            }
            let text = y.as_str().map_or_else(|| y.to_string(), str::to_owned);
            let label = label_text(&text)
                .map_err(|allowed| in_user(format!("y = {y}"), allowed).at_row(row))?;
            labels.push(&label);
            gathered.subjects.push(user);
            if let (Some(silos), Some(groups)) = (&mut gathered.silos, &hierarchies) {
                silos.push(&groups[i]);
            }
            features.extend_from_slice(x);
        }
    }
    Ok(())
}
