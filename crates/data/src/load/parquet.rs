//! Parquet with one row a record.

use super::categories::label_text;
use super::columns::Places;
use super::parquet_column::{Cell, kind, read_column};
use super::{Categories, Columns, Gathered, LabelCells, LabelColumn, open, split_of};
use crate::{DataError, Dataset, Features, Split};
use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use std::path::Path;

/// Loads a Parquet file with one row a record.
pub(crate) fn parquet_file(path: &Path, columns: &Columns) -> Result<Dataset, DataError> {
    read(&path.display().to_string(), open(path)?, columns)
}

/// Loads a Parquet file that lies in memory; `name` is what errors call it.
pub(crate) fn parquet_bytes(
    name: &str,
    file: &'static [u8],
    columns: &Columns,
) -> Result<Dataset, DataError> {
    read(name, Bytes::from_static(file), columns)
}

/// Some columns of a Parquet file in memory, as text.
pub(crate) fn text_columns<const N: usize>(
    name: &str,
    file: &'static [u8],
    columns: [&str; N],
) -> Result<[Vec<String>; N], DataError> {
    parquet_text(name, Bytes::from_static(file), columns)
}

/// Some columns of a Parquet file, as text.
pub(super) fn parquet_text<const N: usize>(
    name: &str,
    file: impl ChunkReader + 'static,
    columns: [&str; N],
) -> Result<[Vec<String>; N], DataError> {
    let reader = SerializedFileReader::new(file).map_err(|error| damaged(name, &error))?;
    let header = header(&reader);
    let table = Table {
        name,
        header: &header,
        reader: &reader,
    };
    let mut texts = columns.map(|_| Vec::new());
    for (texts, column) in texts.iter_mut().zip(columns) {
        let place = header
            .iter()
            .position(|name| name == column)
            .ok_or_else(|| {
                let (allowed, remedy) = (header.join(", "), "correct the name");
                DataError::new(name, "no such column", allowed, remedy).in_column(column)
            })?;
        table.each(place, |cell| {
            texts.push(text(cell).ok_or("text")?);
            Ok(())
        })?;
    }
    Ok(texts)
}

/// The names of the columns.
fn header(reader: &dyn FileReader) -> Vec<String> {
    let schema = reader.metadata().file_metadata().schema_descr();
    schema
        .columns()
        .iter()
        .map(|column| column.path().string())
        .collect()
}

fn read(
    name: &str,
    file: impl ChunkReader + 'static,
    columns: &Columns,
) -> Result<Dataset, DataError> {
    let reader = SerializedFileReader::new(file).map_err(|error| damaged(name, &error))?;
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let header = header(&reader);
    let places = columns.find(name, &header, |i| kind(&schema.column(i)))?;
    let rows: usize = reader
        .metadata()
        .row_groups()
        .iter()
        .map(|group| group.num_rows() as usize)
        .sum();
    if rows == 0 {
        let (allowed, remedy) = ("at least one row", "check that the file is complete");
        return Err(DataError::new(name, "no rows", allowed, remedy));
    }
    let table = Table {
        name,
        header: &header,
        reader: &reader,
    };
    let splits = |place| {
        let mut splits = Vec::with_capacity(rows);
        table.each(place, |cell| {
            splits.push(
                text(cell)
                    .and_then(|word| split_of(&word))
                    .ok_or("train or test")?,
            );
            Ok(())
        })?;
        Ok::<Vec<Split>, DataError>(splits)
    };
    Gathered {
        name: name.to_owned(),
        labels: match columns.label {
            LabelColumn::Class(_) => LabelCells::Classes(table.names(places.label, |cell| {
                text(cell).as_deref().map_or(Err("a label"), label_text)
            })?),
            LabelColumn::Target(_) => LabelCells::Targets(table.numbers(places.label, rows)?),
        },
        subjects: table.names(places.subject, known)?,
        silos: places
            .silo
            .map(|place| table.names(place, known))
            .transpose()?,
        splits: places.split.map(splits).transpose()?,
        features: table.features(&places, rows)?,
        shape: places.shape,
    }
    .into_dataset()
}

/// An open file and the names of its columns.
struct Table<'a> {
    name: &'a str,
    header: &'a [String],
    reader: &'a dyn FileReader,
}

impl Table<'_> {
    /// Hands every cell of a column to `take`, which says what is allowed if it is not.
    fn each(
        &self,
        place: usize,
        mut take: impl FnMut(Cell<'_>) -> Result<(), &'static str>,
    ) -> Result<(), DataError> {
        let mut row = 0;
        for group in 0..self.reader.num_row_groups() {
            let group = self
                .reader
                .get_row_group(group)
                .map_err(|error| damaged(self.name, &error))?;
            let mut fault = None;
            let read = read_column(group.as_ref(), place, &mut |cell| {
                if let Err(allowed) = take(cell) {
                    let remedy = "correct the cell or leave the row out";
                    let error = DataError::new(self.name, cell.to_string(), allowed, remedy);
                    fault = Some(error.at_row(row).in_column(&self.header[place]));
                }
                row += 1;
                fault.is_none()
            });
            read.map_err(|error| damaged(self.name, &error).in_column(&self.header[place]))?;
            fault.map_or(Ok(()), Err)?;
        }
        Ok(())
    }

    /// A column of names, each made from its cell by `name`.
    fn names(
        &self,
        place: usize,
        name: impl Fn(Cell<'_>) -> Result<String, &'static str>,
    ) -> Result<Categories, DataError> {
        let mut names = Categories::default();
        self.each(place, |cell| {
            names.push(&name(cell)?);
            Ok(())
        })?;
        Ok(names)
    }

    /// A column of finite numbers.
    fn numbers(&self, place: usize, rows: usize) -> Result<Vec<f32>, DataError> {
        let mut numbers = Vec::with_capacity(rows);
        self.each(place, |cell| {
            numbers.push(number(cell)?);
            Ok(())
        })?;
        Ok(numbers)
    }

    /// The features of all rows: one column of images, or columns of numbers.
    fn features(&self, places: &Places, rows: usize) -> Result<Features, DataError> {
        if let Some(width) = places.image {
            let mut values = Vec::with_capacity(rows * width);
            self.each(places.features[0], |cell| match cell {
                Cell::Bytes(image) => {
                    values.extend_from_slice(image);
                    Ok(())
                }
                _ => Err("an image"),
            })?;
            return Ok(Features::Bytes {
                values,
                scale: 1.0 / 255.0,
                offset: 0.0,
            });
        }
        let width = places.features.len();
        let mut values = vec![0.0; rows * width];
        for (i, &place) in places.features.iter().enumerate() {
            let mut cells = values.iter_mut().skip(i).step_by(width);
            self.each(place, |cell| {
                let value = number(cell)?;
                *cells.next().ok_or("no more rows than there are")? = value;
                Ok(())
            })?;
        }
        Ok(Features::Floats(values))
    }
}

/// A cell as a finite number.
fn number(cell: Cell<'_>) -> Result<f32, &'static str> {
    let value = match cell {
        Cell::Integer(value) => value as f32,
        Cell::Number(value) => value as f32,
        _ => f32::NAN,
    };
    Some(value)
        .filter(|value| value.is_finite())
        .ok_or("a finite number")
}

/// A subject or a silo by name.
fn known(cell: Cell<'_>) -> Result<String, &'static str> {
    text(cell)
        .filter(|name| !name.is_empty())
        .ok_or("a name or a whole number")
}

/// The text that a cell is known by.
fn text(cell: Cell<'_>) -> Option<String> {
    match cell {
        Cell::Missing | Cell::Bytes(_) => None,
        Cell::Number(value) if value.fract() == 0.0 && value.abs() < 9e15 => {
            Some((value as i64).to_string())
        }
        other => Some(other.to_string()),
    }
}

/// The fault of a file that is not Parquet or is damaged.
fn damaged(name: &str, error: &ParquetError) -> DataError {
    let allowed = "a complete Parquet file, uncompressed or compressed by zstd, snappy or gzip";
    DataError::new(
        name,
        error.to_string(),
        allowed,
        "write the file again in that form",
    )
}
