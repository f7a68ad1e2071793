//! A model on a burn backend, given all it reads by the host.

use super::arithmetic::Arithmetic;
use super::batch::{TensorBatch, outputs, side_by_side};
use super::clip::{Clip, clipped_sum, part_ends};
use super::labels::TensorLabels;
use super::layout::{Layout, Placed};
use crate::arrangement::{Arrangement, Part};
use crate::loss::score;
use crate::network::check;
use crate::{Architecture, Batch, ClipReport, Clipping, Network, NetworkError, RecordScore};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use data::LabelSlice;

/// Rows that go through at once.
const ROWS: usize = 256;

/// A model on a burn backend.
pub(crate) struct TensorNetwork<B: Arithmetic> {
    architecture: Architecture,
    device: B::Device,
    arrangement: Arrangement,
}

impl<B: Arithmetic> TensorNetwork<B> {
    /// A network of this shape on `device`.
    pub(crate) fn new(architecture: &Architecture, device: B::Device) -> Self {
        Self {
            architecture: architecture.clone(),
            device,
            arrangement: Arrangement::default(),
        }
    }

    /// A part of the batch on the device.
    fn part(&self, batch: &Batch<'_>, part: Part<'_>) -> TensorBatch<B> {
        let layout = Layout {
            replicas: 1,
            units: part.units.len(),
            records: part.units.longest(),
        };
        let placed = Placed::new(layout, &[Some(part)], |_, row| row);
        let inputs = self.architecture.inputs();
        let of_row = |&row: &u32| &batch.features[row as usize * inputs..][..inputs];
        let features: Vec<f32> = placed.rows.iter().flat_map(of_row).copied().collect();
        let features = TensorData::new(features, [layout.places(), inputs]);
        let features = Tensor::from_data(features, &self.device);
        let (mut classes, mut targets) = (Vec::new(), Vec::new());
        let rows = placed.rows.iter().map(|&row| row as usize);
        let labels = match batch.labels {
            LabelSlice::Classes(all) => {
                classes.extend(rows.map(|row| all[row]));
                LabelSlice::Classes(&classes)
            }
            LabelSlice::Targets(all) => {
                targets.extend(rows.map(|row| all[row]));
                LabelSlice::Targets(&targets)
            }
        };
        let labels = TensorLabels::new(labels, &self.device);
        TensorBatch::new(&placed, features, labels, &self.device)
    }
}

impl<B: Arithmetic> Network for TensorNetwork<B>
where
    B::Device: Send,
{
    fn parameters(&self) -> usize {
        self.architecture.parameters()
    }

    fn add_clipped_sum(
        &mut self,
        model: &[f32],
        batch: &Batch<'_>,
        clipping: &Clipping,
        sum: &mut [f32],
    ) -> Result<ClipReport, NetworkError> {
        check(&self.architecture, batch, &[model, sum])?;
        let bound = clipping.bound();
        let clip = bound.map(|bound| Clip {
            norms: Tensor::full([1, 1], bound.norm.get(), &self.device),
            style: bound.style,
        });
        let ends = part_ends(&self.architecture, bound.map(|bound| bound.style));
        let mut arrangement = std::mem::take(&mut self.arrangement);
        arrangement.arrange(batch.subjects, clipping);
        let mut report = ClipReport {
            records: batch.len(),
            ..ClipReport::default()
        };
        let models = side_by_side::<B>(&[model], &self.device);
        for part in arrangement.parts(ROWS) {
            let batch = self.part(batch, part);
            let after = batch.after.clone();
            let (gradients, loss) = batch.gradients(&self.architecture, models.clone());
            let clipped = clipped_sum(gradients, &after, clip.as_ref(), &ends);
            let total = floats(clipped.sum);
            if bound.is_some() && total.iter().any(|value| !value.is_finite()) {
                return Err(NetworkError::Diverged);
            }
            kernels::add(sum, &total);
            report.loss += f64::from(floats(loss)[0]);
            if let Some(counts) = clipped.counts {
                let counts = floats(counts);
                report.units += part.units.len() * ends.len();
                report.clipped += counts[0] as usize;
                report.balance += f64::from(counts[1]);
            }
        }
        self.arrangement = arrangement;
        Ok(report)
    }

    fn gradient_norms(
        &mut self,
        model: &[f32],
        batch: &Batch<'_>,
        norms: &mut Vec<f32>,
    ) -> Result<(), NetworkError> {
        check(&self.architecture, batch, &[model])?;
        let mut arrangement = std::mem::take(&mut self.arrangement);
        arrangement.arrange(batch.subjects, &Clipping::Nothing);
        let models = side_by_side::<B>(&[model], &self.device);
        for part in arrangement.parts(ROWS) {
            let (gradients, _) = self
                .part(batch, part)
                .gradients(&self.architecture, models.clone());
            let squared = gradients
                .iter()
                .map(super::gradient::Gradient::squared_norms)
                .reduce(|total, more| total + more);
            for squared in squared.map_or(Vec::new(), floats) {
                if !squared.is_finite() {
                    return Err(NetworkError::Diverged);
                }
                norms.push(squared.max(0.0).sqrt());
            }
        }
        self.arrangement = arrangement;
        Ok(())
    }

    fn evaluate(
        &mut self,
        model: &[f32],
        batch: &Batch<'_>,
        scores: &mut Vec<RecordScore>,
    ) -> Result<(), NetworkError> {
        check(&self.architecture, batch, &[model])?;
        let models = side_by_side::<B>(&[model], &self.device);
        let inputs = self.architecture.inputs();
        let mut begin = 0;
        for features in batch.features.chunks(ROWS * inputs) {
            let rows = features.len() / inputs;
            let features = TensorData::new(features.to_vec(), [rows, inputs]);
            let features = Tensor::from_data(features, &self.device);
            let outputs = floats(outputs(&self.architecture, models.clone(), features));
            let outputs = outputs.chunks_exact(self.architecture.outputs());
            let labels = batch.labels.range(begin..begin + rows);
            scores.extend(
                outputs
                    .zip(labels.iter())
                    .map(|(outputs, label)| score(outputs, label)),
            );
            begin += rows;
        }
        Ok(())
    }
}

/// The numbers of a tensor on the host: waits for the device, and nothing else does.
pub(super) fn floats<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    #[cfg(test)]
    READS.with(|reads| reads.set(reads.get() + 1));
    tensor.into_data().iter::<f32>().collect()
}

#[cfg(test)]
thread_local! {
    /// How often this thread has waited for a device.
    pub(super) static READS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
