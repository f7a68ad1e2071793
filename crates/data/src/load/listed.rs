//! A table of subjects, each listed as a member or not.

use super::csv::Rows;
use super::open;
use super::parquet::parquet_text;
use crate::DataError;
use csv::StringRecord;
use std::path::Path;

/// The rows of a CSV or Parquet file, as (subject, member).
pub(crate) fn listed_subjects(
    path: &Path,
    subject: &str,
    member: &str,
) -> Result<Vec<(String, bool)>, DataError> {
    let file = path.display().to_string();
    let extension = path.extension().and_then(|ending| ending.to_str());
    let texts: Vec<(String, String)> = match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("csv") => csv_texts(path, [subject, member])?,
        Some("parquet") => {
            let [subjects, members] = parquet_text(&file, open(path)?, [subject, member])?;
            subjects.into_iter().zip(members).collect()
        }
        _ => {
            let (allowed, remedy) = (
                "a name that ends in .csv or .parquet",
                "name the file by its format",
            );
            return Err(DataError::new(file, "another ending", allowed, remedy));
        }
    };
    let member_of = |(row, (name, word)): (usize, (String, String))| {
        let member = match word.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" => true,
            "0" | "false" | "no" => false,
            _ => {
                let (allowed, remedy) = ("1 or 0, true or false, yes or no", "correct the cell");
                return Err(DataError::new(&file, format!("{word:?}"), allowed, remedy)
                    .at_row(row)
                    .in_column(member));
            }
        };
        Ok((name, member))
    };
    texts.into_iter().enumerate().map(member_of).collect()
}

fn csv_texts(path: &Path, columns: [&str; 2]) -> Result<Vec<(String, String)>, DataError> {
    let mut rows = Rows::new(&path.display().to_string(), open(path)?)?;
    let [subject, member] = [rows.place(columns[0])?, rows.place(columns[1])?];
    let mut texts = Vec::new();
    let mut row = StringRecord::new();
    while rows.next(&mut row)? {
        texts.push((row[subject].to_owned(), row[member].to_owned()));
    }
    Ok(texts)
}
