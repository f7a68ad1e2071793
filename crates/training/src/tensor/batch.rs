//! A batch of every replica on a device, and the pass through all models.

use super::arithmetic::Arithmetic;
use super::forward::forward;
use super::gradient::Gradient;
use super::labels::TensorLabels;
use super::layout::{Layout, Placed};
use super::tape::Tape;
use crate::Architecture;
use burn::backend::Autodiff;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

/// A part of every replica's batch.
pub(super) struct TensorBatch<B: Backend> {
    layout: Layout,
    /// Shape: `[places, inputs]`.
    features: Tensor<B, 2>,
    labels: TensorLabels<B>,
    /// As in [`Placed`]. Shape: `[places, 1]`.
    before: Tensor<B, 2>,
    /// As in [`Placed`]. Shape: `[replicas, units]`.
    pub(super) after: Tensor<B, 2>,
}

impl<B: Arithmetic> TensorBatch<B> {
    /// The batch with these features and labels at its places.
    pub(super) fn new(
        placed: &Placed,
        features: Tensor<B, 2>,
        labels: TensorLabels<B>,
        device: &B::Device,
    ) -> Self {
        let Layout {
            replicas, units, ..
        } = placed.layout;
        let upload = |values: &[f32], shape| {
            Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
        };
        Self {
            layout: placed.layout,
            features,
            labels,
            before: upload(&placed.before, [placed.layout.places(), 1]),
            after: upload(&placed.after, [replicas, units]),
        }
    }

    /// The gradients of every unit, and the sum of every replica's losses, each record's once. `models`:
    /// `[replicas, parameters]`; shape of the sum: `[replicas, 1]`.
    pub(super) fn gradients(
        self,
        architecture: &Architecture,
        models: Tensor<B, 2>,
    ) -> (Vec<Gradient<B>>, Tensor<B, 2>) {
        let mut tape = Tape::<Autodiff<B>>::recording(models);
        let features = Tensor::from_inner(self.features);
        let outputs = architecture
            .layers()
            .iter()
            .fold(features, |x, layer| forward(layer, x, &mut tape));
        let losses = self.labels.lifted().losses(outputs);
        let there = self.before.clone().greater_elem(0.0).float();
        let Layout {
            replicas,
            units,
            records,
        } = self.layout;
        let total = (losses.clone().inner() * there)
            .reshape([replicas, units * records])
            .sum_dim(1);
        let weighted = (losses * Tensor::from_inner(self.before)).sum();
        (tape.backward(&weighted, self.layout), total)
    }
}

/// Models of one shape as replicas. Shape: `[models, parameters]`.
pub(super) fn side_by_side<B: Backend>(models: &[&[f32]], device: &B::Device) -> Tensor<B, 2> {
    let parameters = models.first().map_or(0, |model| model.len());
    let data = TensorData::new(models.concat(), [models.len(), parameters]);
    Tensor::from_data(data, device)
}

/// The outputs of every model for the same records. `models`: `[replicas, parameters]`, `features`:
/// `[records, inputs]`; result: `[replicas · records, outputs]`.
pub(super) fn outputs<B: Arithmetic>(
    architecture: &Architecture,
    models: Tensor<B, 2>,
    features: Tensor<B, 2>,
) -> Tensor<B, 2> {
    let [replicas, _] = models.dims();
    let mut tape = Tape::looking(models);
    architecture
        .layers()
        .iter()
        .fold(features.repeat_dim(0, replicas), |x, layer| {
            forward(layer, x, &mut tape)
        })
}
