//! What a model says about records of a data set.

use crate::tensor::OnDevice;
use crate::{
    Architecture, Backend, Batch, Clipping, FusedNetwork, Network, NetworkError, RecordScore,
};
use data::{Dataset, Labels};
use primitives::{ModelVector, RecordId};
use std::sync::Arc;

/// Records read at once: enough for the network's own micro-batches, and little memory.
const RECORDS: usize = 512;

/// Scores records. Holds a network and buffers: one for each thread.
pub struct Evaluator {
    network: Box<dyn Network>,
    /// Scores many records and models at once, where that is faster.
    side_by_side: Option<Box<dyn Scores>>,
    features: Vec<f32>,
    labels: Labels,
    subjects: Vec<u32>,
}

/// What can score records under many models side by side.
pub(crate) trait Scores: Send {
    /// The scores of `records` under each of `models`, in order.
    fn scores(
        &mut self,
        models: &[&ModelVector],
        dataset: &Arc<Dataset>,
        records: &[RecordId],
    ) -> Result<Vec<Vec<RecordScore>>, NetworkError>;
}

impl Evaluator {
    /// Buffers for models of this shape.
    pub fn new(architecture: &Architecture, backend: Backend) -> Self {
        let (network, side_by_side): (Box<dyn Network>, _) =
            match OnDevice::new(backend, architecture) {
                Some(device) => (device.network, Some(device.scores)),
                None => (Box::new(FusedNetwork::new(architecture)), None),
            };
        Self {
            network,
            side_by_side,
            features: Vec::new(),
            labels: Labels::default(),
            subjects: Vec::new(),
        }
    }

    /// The score of every one of `records` of `dataset` under `model`, in order.
    ///
    /// A record's score does not depend on the records beside it beyond rounding.
    ///
    /// # Errors
    /// If the model or the data does not fit the network.
    pub fn scores(
        &mut self,
        model: &ModelVector,
        dataset: &Arc<Dataset>,
        records: &[RecordId],
    ) -> Result<Vec<RecordScore>, NetworkError> {
        Ok(self.scores_of_all(&[model], dataset, records)?.concat())
    }

    /// [`Evaluator::scores`] under each of `models`, in order; as one computation on a [`Backend`] that stacks.
    ///
    /// # Errors
    /// If a model or the data does not fit the network.
    pub fn scores_of_all(
        &mut self,
        models: &[&ModelVector],
        dataset: &Arc<Dataset>,
        records: &[RecordId],
    ) -> Result<Vec<Vec<RecordScore>>, NetworkError> {
        if let Some(side_by_side) = &mut self.side_by_side {
            return side_by_side.scores(models, dataset, records);
        }
        let mut scores = vec![Vec::with_capacity(records.len()); models.len()];
        for records in records.chunks(RECORDS) {
            self.gather(dataset, records);
            let (network, batch) = self.ready();
            for (model, scores) in models.iter().zip(&mut scores) {
                network.evaluate(model.as_slice(), &batch, scores)?;
            }
        }
        Ok(scores)
    }

    /// The L2 norm of the gradient of every one of `records` of `dataset` at `model`, in order.
    ///
    /// # Errors
    /// If the model or the data does not fit the network, or a gradient is not finite.
    pub fn gradient_norms(
        &mut self,
        model: &ModelVector,
        dataset: &Dataset,
        records: &[RecordId],
    ) -> Result<Vec<f32>, NetworkError> {
        let mut norms = Vec::with_capacity(records.len());
        for records in records.chunks(RECORDS) {
            self.gather(dataset, records);
            let (network, batch) = self.ready();
            network.gradient_norms(model.as_slice(), &batch, &mut norms)?;
        }
        Ok(norms)
    }

    /// Adds the mean of the gradients of `records` of `dataset` at `model` to `sum`. Shape of `sum`: `[parameters]`.
    ///
    /// # Errors
    /// If a vector or the data does not fit the network, or a gradient is not finite.
    pub fn mean_gradient(
        &mut self,
        model: &ModelVector,
        dataset: &Dataset,
        records: &[RecordId],
        sum: &mut [f32],
    ) -> Result<(), NetworkError> {
        for records in records.chunks(RECORDS) {
            self.gather(dataset, records);
            let (network, batch) = self.ready();
            network.add_clipped_sum(model.as_slice(), &batch, &Clipping::Nothing, sum)?;
        }
        let count = records.len().max(1) as f32;
        for value in sum.iter_mut() {
            *value /= count;
        }
        if sum.iter().all(|value| value.is_finite()) {
            Ok(())
        } else {
            Err(NetworkError::Diverged)
        }
    }

    /// The mean loss of `copies` copies of every one of `records` of `dataset` under `model`, in order. `perturb` is
    /// given a record and its features `copies` times over, and makes of them what it will.
    ///
    /// # Errors
    /// If the model or the data does not fit the network.
    pub fn mean_losses(
        &mut self,
        model: &ModelVector,
        dataset: &Dataset,
        records: &[RecordId],
        copies: u32,
        perturb: &dyn Fn(RecordId, &mut [f32]),
    ) -> Result<Vec<f32>, NetworkError> {
        let mut means = Vec::with_capacity(records.len());
        let mut scores = Vec::new();
        for &record in records {
            self.gather(dataset, &vec![record; copies as usize]);
            perturb(record, &mut self.features);
            scores.clear();
            let (network, batch) = self.ready();
            network.evaluate(model.as_slice(), &batch, &mut scores)?;
            let sum: f64 = scores.iter().map(|score| f64::from(score.loss)).sum();
            means.push((sum / f64::from(copies)) as f32);
        }
        Ok(means)
    }

    fn gather(&mut self, dataset: &Dataset, records: &[RecordId]) {
        dataset.gather(records, &mut self.features, &mut self.labels);
        self.subjects.clear();
        self.subjects
            .extend(records.iter().map(|&record| dataset.subject(record).0));
    }

    /// The network, and the records that were gathered.
    fn ready(&mut self) -> (&mut dyn Network, Batch<'_>) {
        let batch = Batch {
            features: &self.features,
            labels: self.labels.as_slice(),
            subjects: &self.subjects,
        };
        (self.network.as_mut(), batch)
    }
}

/// The part of the records whose class the model got right; `NaN` if there are none.
pub fn accuracy(scores: &[RecordScore]) -> f64 {
    scores
        .iter()
        .filter(|score| score.correct == Some(true))
        .count() as f64
        / scores.len() as f64
}
