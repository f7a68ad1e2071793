//! The records a network reads at once.

use data::LabelSlice;

/// Some records of one silo. May be empty.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Features, record after record; a token is its number. Shape: `[records, inputs]`.
    pub features: &'a [f32],
    /// The class or the target of each record. Shape: `[records]`.
    pub labels: LabelSlice<'a>,
    /// Whose each record is, in any numbering. Shape: `[records]`.
    pub subjects: &'a [u32],
}

/// A batch or model that a network cannot work on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Not a whole record of features for every label.
    #[error(
        "{found} features for {records} records of {inputs}: a record has as many features as the model has inputs"
    )]
    Features {
        /// Features given.
        found: usize,
        /// Labels given.
        records: usize,
        /// Features the network reads, a record.
        inputs: usize,
    },
    /// Not one subject for every record.
    #[error("{found} subjects for {records} records: every record has a subject")]
    Subjects {
        /// Subjects given.
        found: usize,
        /// Labels given.
        records: usize,
    },
    /// A class that the model does not have.
    #[error("label {found} for a model of {classes} classes: labels run from 0 to {}", classes - 1)]
    Label {
        /// The label.
        found: u32,
        /// Classes of the model.
        classes: usize,
    },
    /// Numbers to predict, and a model that tells classes apart.
    #[error("targets for a model of {outputs} outputs: a model that predicts a number has one")]
    Targets {
        /// Outputs of the model.
        outputs: usize,
    },
    /// A model vector or sum of another model.
    #[error("a vector of {found} parameters for a network of {expected}")]
    Parameters {
        /// Length of the vector.
        found: usize,
        /// Parameters of the network.
        expected: usize,
    },
    /// A gradient that is not finite, so that no factor clips it.
    #[error(
        "a gradient is not finite: training has diverged; lower the learning rate or clip the gradients"
    )]
    Diverged,
}

impl Batch<'_> {
    /// How many records there are.
    pub const fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// `Ok` if every part fits a network of `inputs` inputs and `outputs` outputs: one for each class, or one alone for a
    /// number.
    ///
    /// # Errors
    /// The first part that does not.
    pub fn check(&self, inputs: usize, outputs: usize) -> Result<(), NetworkError> {
        let records = self.len();
        if self.features.len() != records * inputs {
            return Err(NetworkError::Features {
                found: self.features.len(),
                records,
                inputs,
            });
        }
        if self.subjects.len() != records {
            return Err(NetworkError::Subjects {
                found: self.subjects.len(),
                records,
            });
        }
        match self.labels {
            LabelSlice::Targets(_) if outputs != 1 => Err(NetworkError::Targets { outputs }),
            LabelSlice::Targets(_) => Ok(()),
            LabelSlice::Classes(labels) => {
                let beyond = labels.iter().find(|&&label| label as usize >= outputs);
                beyond.map_or(Ok(()), |&found| {
                    let classes = outputs;
                    Err(NetworkError::Label { found, classes })
                })
            }
        }
    }
}
