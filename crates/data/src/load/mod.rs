//! Reading data from files.
//!
//! One file a format. Each turns its input into [`Gathered`] columns, which become a data set in one
//! place; each fault names the file, the row and the column, what was given, what is allowed and what
//! to do.

mod categories;
mod columns;
mod csv;
mod idx;
mod leaf;
mod listed;
mod parquet;
mod parquet_column;

pub(crate) use categories::{Categories, Gathered, LabelCells};
pub use columns::{Columns, LabelColumn};
pub(crate) use csv::{Rows, csv_file};
pub(crate) use idx::idx_files;
pub(crate) use leaf::leaf_files;
pub(crate) use listed::listed_subjects;
pub(crate) use parquet::{parquet_bytes, parquet_file, text_columns};

use crate::{DataError, Split};
use std::fs::File;
use std::path::Path;

/// Opens a file for reading.
fn open(path: &Path) -> Result<File, DataError> {
    match File::open(path) {
        Ok(file) if file.metadata().is_ok_and(|kind| kind.is_dir()) => {
            Err(unreadable(path, "a folder"))
        }
        Ok(file) => Ok(file),
        Err(error) => Err(unreadable(path, &error.to_string())),
    }
}

/// The fault of a file that cannot be opened or read.
fn unreadable(path: &Path, given: &str) -> DataError {
    let remedy =
        "check the path (relative ones start at the scenario's folder) and its permissions";
    DataError::new(path.display(), given, "a file that can be read", remedy)
}

/// The split that a cell names, or `None` for any other word.
fn split_of(cell: &str) -> Option<Split> {
    match cell {
        "train" => Some(Split::Train),
        "test" => Some(Split::Test),
        _ => None,
    }
}
