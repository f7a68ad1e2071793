//! What many models say about the same records.

use super::arithmetic::Arithmetic;
use super::batch::{outputs, side_by_side};
use super::footprint::Footprint;
use super::network::floats;
use super::residence;
use crate::evaluator::Scores;
use crate::network::check_resident;
use crate::{Architecture, NetworkError, RecordScore};
use burn::tensor::Tensor;
use data::{Dataset, LabelKind};
use primitives::{ModelVector, RecordId};
use std::sync::Arc;

/// Scores records where they and the models lie.
pub(crate) struct TensorScores<B: Arithmetic> {
    architecture: Architecture,
    device: B::Device,
    /// Bytes of the device's memory that may be used.
    memory: u64,
}

impl<B: Arithmetic> TensorScores<B> {
    pub(crate) fn new(architecture: &Architecture, device: B::Device, memory: u64) -> Self {
        Self {
            architecture: architecture.clone(),
            device,
            memory,
        }
    }

    /// The scores of all models, one after the other.
    fn of_some(
        &self,
        models: &[&ModelVector],
        dataset: &Arc<Dataset>,
        records: &[RecordId],
        at_once: usize,
    ) -> Vec<Vec<RecordScore>> {
        let count = models.len();
        let all: Vec<&[f32]> = models.iter().map(|model| model.as_slice()).collect();
        let all = side_by_side::<B>(&all, &self.device);
        let scores = records.chunks(at_once).map(|records| {
            let (features, labels) =
                residence::gather(dataset, records, self.memory / 4, &self.device);
            let outputs = outputs(&self.architecture, all.clone(), features);
            let scores = labels.repeated(count).scores(outputs);
            scores.reshape([count, records.len(), 3])
        });
        let scores = floats(Tensor::cat(scores.collect(), 1));
        let is_class = matches!(dataset.label_kind(), LabelKind::Classes(_));
        let score = |numbers: &[f32]| {
            if is_class {
                RecordScore {
                    loss: numbers[0],
                    margin: numbers[1],
                    correct: Some(numbers[2] > 0.5),
                }
            } else {
                RecordScore::of_squared_error(numbers[0])
            }
        };
        scores
            .chunks_exact(3 * records.len())
            .map(|scores| scores.chunks_exact(3).map(score).collect())
            .collect()
    }
}

impl<B: Arithmetic> Scores for TensorScores<B>
where
    B::Device: Send,
{
    fn scores(
        &mut self,
        models: &[&ModelVector],
        dataset: &Arc<Dataset>,
        records: &[RecordId],
    ) -> Result<Vec<Vec<RecordScore>>, NetworkError> {
        check_resident(&self.architecture, models, dataset, records)?;
        if records.is_empty() {
            return Ok(vec![Vec::new(); models.len()]);
        }
        let footprint = Footprint::of(&self.architecture, 1);
        let packing = footprint.pack(models.len(), records.len(), 1, self.memory);
        Ok(models
            .chunks(packing.replicas)
            .flat_map(|models| self.of_some(models, dataset, records, packing.units))
            .collect())
    }
}
