//! A model at work on one backend.

use crate::{Architecture, Batch, ClipReport, Clipping, NetworkError};
use data::{Dataset, LabelKind};
use primitives::{ModelVector, RecordId};

/// A model's shape with the buffers to run it: gradients of a batch, clipped and summed, and its scores.
///
/// It holds no weights; every call is given the model. One network serves any number of silos in turn; each
/// thread has its own.
pub trait Network: Send {
    /// Length of the model vector.
    fn parameters(&self) -> usize;

    /// Adds the batch's clipped gradients to `sum`. Shapes: `model`, `sum` `[parameters]`.
    ///
    /// The loss of a record is the cross-entropy of its class, or its squared error where a number is predicted; nothing is divided by the batch's size. An empty
    /// batch adds nothing. [`Clipping`] says by how much one record or one subject can move the sum.
    ///
    /// # Errors
    /// If the batch or a vector does not fit the network, or a gradient is not finite; `sum` is of no use then.
    fn add_clipped_sum(
        &mut self,
        model: &[f32],
        batch: &Batch<'_>,
        clipping: &Clipping,
        sum: &mut [f32],
    ) -> Result<ClipReport, NetworkError>;

    /// Appends the L2 norm of every record's gradient to `norms`, in order.
    ///
    /// # Errors
    /// If the batch or the model does not fit the network, or a gradient is not finite.
    fn gradient_norms(
        &mut self,
        model: &[f32],
        batch: &Batch<'_>,
        norms: &mut Vec<f32>,
    ) -> Result<(), NetworkError>;

    /// Appends the score of every record to `scores`, in order.
    ///
    /// # Errors
    /// If the batch or the model does not fit the network.
    fn evaluate(
        &mut self,
        model: &[f32],
        batch: &Batch<'_>,
        scores: &mut Vec<RecordScore>,
    ) -> Result<(), NetworkError>;
}

/// What a model says about one record: the signals attacks begin with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RecordScore {
    /// Cross-entropy in nats, `−ln p` of the record's class; or the squared error of its number.
    pub loss: f32,
    /// `ln p − ln(1 − p)`: the record's class against all others, in nats, without cancellation. Of a number: minus the
    /// cube root of the squared error, which is nearly normal where errors are (Wilson and Hilferty 1931).
    pub margin: f32,
    /// Whether the record's class has the largest logit; of equal ones the first counts. None of a number.
    pub correct: Option<bool>,
}

impl RecordScore {
    /// What a number that was missed by so much, squared, says.
    pub(crate) fn of_squared_error(loss: f32) -> Self {
        Self {
            loss,
            margin: -loss.cbrt(),
            correct: None,
        }
    }
}

/// `Ok` if models and records of `dataset` fit this shape.
pub(crate) fn check_resident(
    architecture: &Architecture,
    models: &[&ModelVector],
    dataset: &Dataset,
    records: &[RecordId],
) -> Result<(), NetworkError> {
    let expected = architecture.parameters();
    if let Some(model) = models.iter().find(|model| model.len() != expected) {
        let found = model.len();
        return Err(NetworkError::Parameters { found, expected });
    }
    let (inputs, outputs) = (architecture.inputs(), architecture.outputs());
    if dataset.width() != inputs {
        return Err(NetworkError::Features {
            found: records.len() * dataset.width(),
            records: records.len(),
            inputs,
        });
    }
    match dataset.label_kind() {
        LabelKind::Targets if outputs != 1 => Err(NetworkError::Targets { outputs }),
        LabelKind::Targets => Ok(()),
        LabelKind::Classes(classes) if classes <= outputs => Ok(()),
        LabelKind::Classes(_) => {
            let labels = records.iter().map(|&record| dataset.class(record));
            let beyond = labels.clone().find(|&label| label as usize >= outputs);
            beyond.map_or(Ok(()), |found| {
                let classes = outputs;
                Err(NetworkError::Label { found, classes })
            })
        }
    }
}

/// `Ok` if the batch and every vector fit a model of this shape.
pub(crate) fn check(
    architecture: &Architecture,
    batch: &Batch<'_>,
    vectors: &[&[f32]],
) -> Result<(), NetworkError> {
    let expected = architecture.parameters();
    match vectors.iter().find(|vector| vector.len() != expected) {
        Some(vector) => Err(NetworkError::Parameters {
            found: vector.len(),
            expected,
        }),
        None => batch.check(architecture.inputs(), architecture.outputs()),
    }
}
