//! How a layer's numbers are normalised.

use serde::{Deserialize, Serialize};

/// How a layer's numbers are brought to mean zero and variance one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Norm {
    /// Within a record, in groups of channels.
    #[default]
    Group,
}

/// A normalisation that is not known, or breaks the guarantee.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NormError {
    /// Batch norm.
    #[error(
        "model.norm = \"batch\" breaks every guarantee: it normalises a record with the mean and variance of other \
         people's records, so no gradient is one record's own and clipping bounds nothing; use \"group\""
    )]
    Batch,
    /// Anything else.
    #[error("model.norm = {0:?} is unknown: \"group\" is the one there is")]
    Unknown(String),
}

impl TryFrom<String> for Norm {
    type Error = NormError;

    fn try_from(name: String) -> Result<Self, NormError> {
        match name.as_str() {
            "group" => Ok(Self::Group),
            "batch" => Err(NormError::Batch),
            _ => Err(NormError::Unknown(name)),
        }
    }
}

impl From<Norm> for String {
    fn from(norm: Norm) -> Self {
        match norm {
            Norm::Group => "group".to_owned(),
        }
    }
}
