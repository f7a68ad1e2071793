//! Sizes of recurrent models.

use crate::ModelError;
use crate::model_config::positive;
use serde::{Deserialize, Serialize};

/// Sizes of a recurrent model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recurrent {
    /// Numbers a character becomes.
    #[serde(default = "embedding")]
    pub embedding: usize,
    /// Numbers of the state.
    #[serde(default = "hidden")]
    pub hidden: usize,
    /// Recurrent layers on top of each other.
    #[serde(default = "layers")]
    pub layers: usize,
}

impl Recurrent {
    pub(crate) fn check(&self) -> Result<&Self, ModelError> {
        positive("embedding", self.embedding)?;
        positive("hidden", self.hidden)?;
        positive("layers", self.layers)?;
        Ok(self)
    }
}

const fn embedding() -> usize {
    8
}

const fn hidden() -> usize {
    256
}

const fn layers() -> usize {
    2
}
