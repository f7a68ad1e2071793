//! Which columns of a table mean what.

use crate::DataError;

/// Which columns of a table mean what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// What is to be predicted of a record.
    pub label: LabelColumn,
    /// Whom a record is about: whole numbers or text.
    pub subject: String,
    /// The silo that a record comes from, if the table says so.
    pub silo: Option<String>,
    /// `train` or `test`, if the table says so.
    pub split: Option<String>,
    /// The features, in this order. Unset: the column of images if there is one, otherwise every
    /// other numeric column.
    pub features: Option<Vec<String>>,
    /// The shape of one record's features. Unset: `[1, s, s]` for images of `s²` bytes, otherwise
    /// one dimension.
    pub shape: Option<Vec<usize>>,
}

/// The column that says what is to be predicted of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelColumn {
    /// Its class: whole numbers or text.
    Class(String),
    /// A finite number.
    Target(String),
}

impl LabelColumn {
    /// The column's name.
    pub const fn name(&self) -> &String {
        match self {
            Self::Class(name) | Self::Target(name) => name,
        }
    }
}

/// What a column holds, as far as its use as a feature goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One number a record.
    Number,
    /// So many bytes a record.
    Image(usize),
    /// Neither.
    Other,
}

/// The same as [`Columns`], as indices into a header.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) label: usize,
    pub(super) subject: usize,
    pub(super) silo: Option<usize>,
    pub(super) split: Option<usize>,
    pub(super) features: Vec<usize>,
    /// The bytes of an image, if the features are one column of images.
    pub(super) image: Option<usize>,
    pub(super) shape: Vec<usize>,
}

impl Columns {
    /// Finds the columns in a header.
    ///
    /// # Errors
    /// If a column is missing, named twice, used for two things, or cannot be what it is used for.
    pub(super) fn find(
        &self,
        file: &str,
        header: &[String],
        kind: impl Fn(usize) -> Kind,
    ) -> Result<Places, DataError> {
        if let Some(name) = header
            .iter()
            .enumerate()
            .find(|(i, name)| header[..*i].contains(name))
        {
            let remedy = "rename one of the two";
            let given = "two columns of this name";
            return Err(DataError::new(file, given, "one", remedy).in_column(name.1));
        }
        let place = |name: &String| {
            header
                .iter()
                .position(|column| column == name)
                .ok_or_else(|| {
                    let shown = header
                        .iter()
                        .take(30)
                        .map(String::as_str)
                        .collect::<Vec<_>>()
                        .join(", ");
                    let remedy = "correct the name in data.source";
                    DataError::new(file, "no such column", format!("one of {shown}"), remedy)
                        .in_column(name)
                })
        };
        let label = place(self.label.name())?;
        let subject = place(&self.subject)?;
        let silo = self.silo.as_ref().map(place).transpose()?;
        let split = self.split.as_ref().map(place).transpose()?;
        let taken: Vec<usize> = [Some(label), Some(subject), silo, split]
            .into_iter()
            .flatten()
            .collect();
        let features = match &self.features {
            Some(names) => names.iter().map(place).collect::<Result<Vec<_>, _>>()?,
            None => default_features(file, header, &taken, &kind)?,
        };
        for (i, &feature) in features.iter().enumerate() {
            if taken.contains(&feature) || features[..i].contains(&feature) {
                let given =
                    "a feature that is also the label, subject, silo, split or another feature";
                return Err(DataError::new(
                    file,
                    given,
                    "each column for one thing",
                    "leave it out of data.source.features",
                )
                .in_column(&header[feature]));
            }
        }
        let image = check_features(file, header, &features, &kind)?;
        let width = image.unwrap_or(features.len());
        let side = width.isqrt();
        let shape = match &self.shape {
            Some(shape) if shape.iter().product::<usize>() == width => shape.clone(),
            Some(shape) => {
                return Err(DataError::new(
                    file,
                    format!("shape {shape:?}"),
                    format!("a shape of {width} features, as many as a record has"),
                    "correct data.source.shape",
                ));
            }
            None if image.is_some() && side * side == width => vec![1, side, side],
            None => vec![width],
        };
        Ok(Places {
            label,
            subject,
            silo,
            split,
            features,
            image,
            shape,
        })
    }
}

/// The column of images, or every numeric column that is not taken.
fn default_features(
    file: &str,
    header: &[String],
    taken: &[usize],
    kind: &impl Fn(usize) -> Kind,
) -> Result<Vec<usize>, DataError> {
    let free = || (0..header.len()).filter(|i| !taken.contains(i));
    let images: Vec<usize> = free()
        .filter(|&i| matches!(kind(i), Kind::Image(_)))
        .collect();
    match images[..] {
        [] => Ok(free().filter(|&i| kind(i) == Kind::Number).collect()),
        [image] => Ok(vec![image]),
        _ => Err(DataError::new(
            file,
            format!("{} columns of images", images.len()),
            "one column of images",
            "choose one with data.source.features = [\"…\"]",
        )),
    }
}

/// Refuses features that cannot be; the width of the image if they are one column of images.
fn check_features(
    file: &str,
    header: &[String],
    features: &[usize],
    kind: &impl Fn(usize) -> Kind,
) -> Result<Option<usize>, DataError> {
    if let [only] = features
        && let Kind::Image(width) = kind(*only)
    {
        return Ok(Some(width));
    }
    match features.iter().find(|&&i| kind(i) != Kind::Number) {
        Some(&i) => Err(DataError::new(
            file,
            "a column that is not numeric",
            "numeric columns, or one column of images of fixed size",
            "leave it out of data.source.features or convert it to numbers",
        )
        .in_column(&header[i])),
        None if features.is_empty() => Err(DataError::new(
            file,
            "no numeric column besides label, subject, silo and split",
            "at least one feature",
            "add numeric columns, or name the features in data.source.features",
        )),
        None => Ok(None),
    }
}
