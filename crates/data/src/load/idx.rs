//! IDX, the format that MNIST is published in.
//!
//! Two zero bytes, the type of a value (8: unsigned byte), the number of dimensions, each dimension as
//! a big-endian `u32`, then the values.

use super::csv::Rows;
use super::{Categories, Gathered, LabelCells, open, split_of, unreadable};
use crate::{DataError, Dataset, Features};
use csv::StringRecord;
use std::io::Read as _;
use std::path::Path;

/// Loads images and labels, and the subject of every image from a CSV file.
pub(crate) fn idx_files(
    images: &Path,
    labels: &Path,
    subjects: &Path,
) -> Result<Dataset, DataError> {
    let (sides, values) = read(images)?;
    let [count, shape @ ..] = sides.as_slice() else {
        return Err(wrong_dimensions(images, &sides));
    };
    if shape.is_empty() {
        return Err(wrong_dimensions(images, &sides));
    }
    let (label_sides, label_values) = read(labels)?;
    if label_sides.len() != 1 {
        return Err(wrong_dimensions(labels, &label_sides));
    }
    let same = |path: &Path, found: usize| {
        let allowed = format!("{count}, one for each image of {}", images.display());
        let remedy = "check that the files belong together";
        let fault = DataError::new(path.display(), format!("{found} entries"), allowed, remedy);
        if found == *count { Ok(()) } else { Err(fault) }
    };
    same(labels, label_values.len())?;
    let mut labels = Categories::default();
    for label in &label_values {
        labels.push(&label.to_string());
    }
    let mut gathered = Gathered {
        name: images.display().to_string(),
        features: Features::Bytes {
            values,
            scale: 1.0 / 255.0,
            offset: 0.0,
        },
        shape: if shape.len() == 2 {
            [&[1], shape].concat()
        } else {
            shape.to_vec()
        },
        labels: LabelCells::Classes(labels),
        subjects: Categories::default(),
        silos: None,
        splits: None,
    };
    read_subjects(subjects, &mut gathered)?;
    same(subjects, gathered.subjects.len())?;
    gathered.into_dataset()
}

/// Reads the columns `subject` and, where they are, `silo` and `split`.
fn read_subjects(path: &Path, gathered: &mut Gathered) -> Result<(), DataError> {
    let mut rows = Rows::new(&path.display().to_string(), open(path)?)?;
    let subject = rows.place("subject")?;
    let place = |name| rows.header.iter().position(|column| column == name);
    let (silo, split) = (place("silo"), place("split"));
    gathered.silos = silo.map(|_| Categories::default());
    gathered.splits = split.map(|_| Vec::new());
    let mut row = StringRecord::new();
    while rows.next(&mut row)? {
        rows.name(&row, subject, &mut gathered.subjects)?;
        if let (Some(place), Some(silos)) = (silo, &mut gathered.silos) {
            rows.name(&row, place, silos)?;
        }
        if let (Some(place), Some(splits)) = (split, &mut gathered.splits) {
            splits.push(
                split_of(&row[place]).ok_or_else(|| {
                    rows.fault(&row, place, "train or test", "write one of the two")
                })?,
            );
        }
    }
    Ok(())
}

/// The dimensions and the values of an IDX file of bytes.
fn read(path: &Path) -> Result<(Vec<usize>, Vec<u8>), DataError> {
    let mut bytes = Vec::new();
    open(path)?
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(path, &error.to_string()))?;
    let fault = |given: String, allowed: &str, remedy: &str| {
        DataError::new(path.display(), given, allowed, remedy)
    };
    let dimensions = match bytes[..] {
        [0x1f, 0x8b, ..] => {
            return Err(fault(
                "a file compressed by gzip".to_owned(),
                "an unpacked IDX file",
                "unpack it first (gunzip) and name the unpacked file",
            ));
        }
        [0, 0, 8, dimensions, ..] => usize::from(dimensions),
        _ => {
            return Err(fault(
                format!("the first bytes {:02x?}", &bytes[..bytes.len().min(4)]),
                "00 00 08 and the number of dimensions (an IDX file of unsigned bytes)",
                "check that this is an IDX file of bytes",
            ));
        }
    };
    let header = 4 + 4 * dimensions;
    let sides: Vec<usize> = bytes
        .get(4..header)
        .unwrap_or_default()
        .chunks_exact(4)
        .map(|side| u32::from_be_bytes([side[0], side[1], side[2], side[3]]) as usize)
        .collect();
    let values = sides
        .iter()
        .try_fold(1_usize, |product, &side| product.checked_mul(side));
    if sides.len() != dimensions || values.is_none_or(|values| values != bytes.len() - header) {
        return Err(fault(
            format!("{} bytes with the dimensions {sides:?}", bytes.len()),
            "a header of 4 bytes and 4 a dimension, then one byte a value",
            "the file is truncated or damaged: fetch it again",
        ));
    }
    Ok((sides, bytes.split_off(header)))
}

fn wrong_dimensions(path: &Path, sides: &[usize]) -> DataError {
    DataError::new(
        path.display(),
        format!("{} dimensions {sides:?}", sides.len()),
        "2 or more dimensions for images, 1 for labels",
        "check that images and labels are not mixed up",
    )
}
