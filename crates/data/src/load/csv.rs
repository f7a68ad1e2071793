//! CSV with a header.

use super::columns::{Kind, Places};
use super::{Categories, Columns, Gathered, LabelCells, open, split_of};
use crate::{DataError, Dataset, Features};
use csv::StringRecord;
use std::io::Read;
use std::path::Path;

/// What a cell without a value is written as.
const MISSING: [&str; 6] = ["", "?", "NA", "N/A", "null", "None"];

/// Loads a CSV file with a header and one row a record.
pub(crate) fn csv_file(path: &Path, columns: &Columns) -> Result<Dataset, DataError> {
    csv_reader(&path.display().to_string(), open(path)?, columns)
}

/// Loads CSV text; `file` is what errors call it.
///
/// A column is numeric if its cell in the first row is a number or missing; then each of its cells
/// must be a number, so that no column is dropped in silence because of a gap.
fn csv_reader(file: &str, source: impl Read, columns: &Columns) -> Result<Dataset, DataError> {
    let mut rows = Rows::new(file, source)?;
    let mut row = StringRecord::new();
    if !rows.next(&mut row)? {
        return Err(rows.empty());
    }
    let number = |i: usize| MISSING.contains(&&row[i]) || row[i].parse::<f64>().is_ok();
    let kind = |i| if number(i) { Kind::Number } else { Kind::Other };
    let places = match &columns.features {
        // Named features are numeric by declaration, so that the cell at fault is named below.
        Some(_) => columns.find(file, &rows.header, |_| Kind::Number)?,
        None => columns.find(file, &rows.header, kind)?,
    };
    let mut gathered = Gathered {
        name: file.to_owned(),
        features: Features::Floats(Vec::new()),
        shape: places.shape.clone(),
        labels: LabelCells::of(&columns.label),
        subjects: Categories::default(),
        silos: places.silo.map(|_| Categories::default()),
        splits: places.split.map(|_| Vec::new()),
    };
    let mut features = Vec::new();
    loop {
        read_row(&rows, &row, &places, &mut gathered, &mut features)?;
        if !rows.next(&mut row)? {
            break;
        }
    }
    gathered.features = Features::Floats(features);
    gathered.into_dataset()
}

fn read_row(
    rows: &Rows<impl Read>,
    row: &StringRecord,
    places: &Places,
    gathered: &mut Gathered,
    features: &mut Vec<f32>,
) -> Result<(), DataError> {
    let label = gathered.labels.push(&row[places.label]);
    label.map_err(|allowed| {
        let remedy = "correct the label or leave the row out";
        rows.fault(row, places.label, allowed, remedy)
    })?;
    rows.name(row, places.subject, &mut gathered.subjects)?;
    if let (Some(place), Some(silos)) = (places.silo, &mut gathered.silos) {
        rows.name(row, place, silos)?;
    }
    if let (Some(place), Some(splits)) = (places.split, &mut gathered.splits) {
        let split = split_of(&row[place])
            .ok_or_else(|| rows.fault(row, place, "train or test", "write one of the two"))?;
        splits.push(split);
    }
    for &place in &places.features {
        match row[place].parse::<f32>() {
            Ok(value) if value.is_finite() => features.push(value),
            _ => {
                let remedy =
                    "fill the cell, leave the row out, or choose columns with data.source.features";
                return Err(rows.fault(row, place, "a finite number", remedy));
            }
        }
    }
    Ok(())
}

/// The rows of a CSV file, with its header and a count.
pub(crate) struct Rows<R> {
    file: String,
    pub(super) header: Vec<String>,
    reader: csv::Reader<R>,
    count: usize,
}

impl<R: Read> Rows<R> {
    pub(crate) fn new(file: &str, source: R) -> Result<Self, DataError> {
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(source);
        let header = reader.headers().map_err(|error| broken(file, &error))?;
        let header: Vec<String> = header
            .iter()
            .map(|name| name.trim_start_matches('\u{feff}').to_owned())
            .collect();
        let rows = Self {
            file: file.to_owned(),
            header,
            reader,
            count: 0,
        };
        if rows.header.is_empty() {
            Err(rows.empty())
        } else {
            Ok(rows)
        }
    }

    /// Reads the next row; `false` at the end.
    pub(crate) fn next(&mut self, row: &mut StringRecord) -> Result<bool, DataError> {
        let more = self
            .reader
            .read_record(row)
            .map_err(|error| broken(&self.file, &error))?;
        self.count += usize::from(more);
        Ok(more)
    }

    /// The place of the column of this name.
    pub(crate) fn place(&self, name: &str) -> Result<usize, DataError> {
        self.header
            .iter()
            .position(|column| column == name)
            .ok_or_else(|| {
                let (allowed, remedy) = (self.header.join(", "), "add the column or rename one");
                DataError::new(&self.file, "no such column", allowed, remedy).in_column(name)
            })
    }

    /// Adds the cell to `names`, unless it is empty.
    pub(crate) fn name(
        &self,
        row: &StringRecord,
        place: usize,
        names: &mut Categories,
    ) -> Result<(), DataError> {
        if row[place].is_empty() {
            let remedy = "every record belongs to a subject (and, where silos are named, to a silo); fill the cell or leave the row out";
            return Err(self.fault(row, place, "a name or a whole number", remedy));
        }
        names.push(&row[place]);
        Ok(())
    }

    /// The fault of a cell of the row that was read last.
    pub(crate) fn fault(
        &self,
        row: &StringRecord,
        place: usize,
        allowed: &str,
        remedy: &str,
    ) -> DataError {
        let cell = &row[place];
        let given = if cell.is_empty() {
            "an empty cell".to_owned()
        } else {
            format!("{cell:?}")
        };
        DataError::new(&self.file, given, allowed, remedy)
            .at_row(self.count - 1)
            .in_column(&self.header[place])
    }

    /// The fault of a file without rows.
    fn empty(&self) -> DataError {
        let (allowed, remedy) = (
            "a header and at least one row",
            "check that the file is complete",
        );
        DataError::new(&self.file, "no rows", allowed, remedy)
    }
}

/// The fault of text that is not CSV.
fn broken(file: &str, error: &csv::Error) -> DataError {
    let fault = match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => DataError::new(
            file,
            format!("{len} cells"),
            format!("{expected_len} cells, as many as the header has"),
            "check separators (commas) and quotes",
        ),
        _ => DataError::new(
            file,
            error.to_string(),
            "CSV in UTF-8 with a header, separated by commas",
            "write the file again in that form",
        ),
    };
    // The csv crate counts the header as record 0.
    match error.position() {
        Some(place) if place.record() > 0 => fault.at_row(place.record() as usize - 1),
        _ => fault,
    }
}
