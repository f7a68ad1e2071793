//! Trainings that are kept beside the run folders and used again: `.KIND/<digest>/NAME-NNNN.safetensors`.
//!
//! The digest is of everything that decides what a training says, so whoever asks for the same finds it. A file is
//! written whole, so it is there or not. A lock for each training keeps two processes from the same one.

mod fill;

use crate::folder::{self, FolderError};
use crate::lock::Lock;
use primitives::Digest;
use safetensors::{Dtype, SafeTensors, View};
use scenarios::{AdversaryConfig, Gates, Plan};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Kept trainings of one kind and content.
#[derive(Clone, Debug)]
pub struct Shelf {
    folder: PathBuf,
    /// What one training is called, e.g. "shadow".
    name: &'static str,
}

/// Numbers in rows of equal length, such as one a round and record. Shape: `[rows, width]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    shape: [usize; 2],
    values: Vec<f32>,
}

impl Shelf {
    /// The trainings called `name` of the plan with this digest, in the folder `kind` of the place that holds its run.
    pub fn new(place: &Path, kind: &str, digest: Digest, name: &'static str) -> Self {
        let folder = place.join(kind).join(digest.to_string());
        Self { folder, name }
    }

    /// Where a part of a training is; the part without a name is its first.
    pub fn file(&self, training: usize, part: &str) -> PathBuf {
        let part = if part.is_empty() {
            String::new()
        } else {
            format!("-{part}")
        };
        self.folder
            .join(format!("{}-{training:04}{part}.safetensors", self.name))
    }

    /// Whether a part of a training is there.
    pub fn has(&self, training: usize, part: &str) -> bool {
        self.file(training, part).exists()
    }

    /// Claims a training, if nobody else is at it; `wait` until nobody is.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn claim(&self, training: usize, wait: bool) -> Result<Option<Lock>, FolderError> {
        fs::create_dir_all(&self.folder)
            .map_err(|source| FolderError::io("make folder", &self.folder, source))?;
        let path = self
            .folder
            .join(format!("{}-{training:04}.lock", self.name));
        if wait {
            Lock::take(&path).map(Some)
        } else {
            Lock::try_take(&path)
        }
    }

    /// Keeps a part of a training.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write(
        &self,
        training: usize,
        part: &str,
        blocks: BTreeMap<String, Block>,
    ) -> Result<(), FolderError> {
        let bytes =
            safetensors::serialize(blocks, None).expect("blocks of f32 under different names");
        folder::write_whole(&self.file(training, part), &bytes)
    }

    /// The blocks of a part of a training that are called `names`, each with rows of so many numbers.
    ///
    /// # Errors
    /// If the file cannot be read or does not hold them.
    pub fn read(
        &self,
        training: usize,
        part: &str,
        names: impl IntoIterator<Item = (String, usize)>,
    ) -> Result<Vec<Block>, FolderError> {
        let path = self.file(training, part);
        let bytes = folder::read(&path)?;
        let damaged = |what: String| FolderError::Damaged {
            path: path.clone(),
            what,
        };
        let tensors =
            SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
        names
            .into_iter()
            .map(|(name, width)| Block::read(&tensors, &name, width).map_err(damaged))
            .collect()
    }
}

impl Block {
    /// No row yet.
    pub const fn new(width: usize) -> Self {
        Self {
            shape: [0, width],
            values: Vec::new(),
        }
    }

    /// Appends a row.
    pub fn push(&mut self, row: &[f32]) {
        assert_eq!(row.len(), self.shape[1], "rows of a block are equally long");
        self.shape[0] += 1;
        self.values.extend_from_slice(row);
    }

    /// The rows, in order.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.shape[1].max(1))
    }

    fn read(tensors: &SafeTensors<'_>, name: &str, width: usize) -> Result<Self, String> {
        let tensor = tensors
            .tensor(name)
            .map_err(|error| format!("{name}: {error}"))?;
        let &[rows, found] = tensor.shape() else {
            return Err(format!("{name} has shape {:?}", tensor.shape()));
        };
        if tensor.dtype() != Dtype::F32 || found != width {
            return Err(format!(
                "{name} is {:?} of shape {:?}, not F32 of [rows, {width}]",
                tensor.dtype(),
                tensor.shape()
            ));
        }
        let values = tensor.data().as_chunks::<4>().0;
        let values = values.iter().map(|&bytes| f32::from_le_bytes(bytes));
        Ok(Self {
            shape: [rows, width],
            values: values.collect(),
        })
    }
}

impl View for Block {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let bytes = self.values.iter().flat_map(|value| value.to_le_bytes());
        Cow::Owned(bytes.collect())
    }

    fn data_len(&self) -> usize {
        4 * self.values.len()
    }
}

/// The digest of what decides a training: the plan with everything left out that comes after it. Where a later version
/// adds a key that does not matter here, trainings are made once more than needed, and never too seldom.
pub fn digest_of_training(plan: &Plan) -> Digest {
    let mut plan = plan.clone();
    let scenario = &mut plan.scenario;
    scenario.name.clear();
    scenario.description.clear();
    scenario.adversary = AdversaryConfig::default();
    scenario.attacks.clear();
    scenario.gates = Gates::default();
    Digest::of(plan.to_json().as_bytes())
}
