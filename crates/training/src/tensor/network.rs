//! A model on a burn backend.

use super::forward::forward;
use super::sites::{Gradient, Membership, Tape};
use crate::arrangement::{Arrangement, Part};
use crate::loss::score;
use crate::network::check;
use crate::{
    Architecture, Batch, ClipReport, ClipStyle, Clipping, LayerSpec, Network, NetworkError,
    RecordScore,
};
use burn::backend::flex::FlexDevice;
use burn::backend::{Autodiff, Flex};
use burn::tensor::activation::log_softmax;
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Int, Tensor, TensorData};
use data::LabelSlice;

/// Rows that go through at once.
const ROWS: usize = 256;

/// A model on a burn backend that differentiates, e.g. `Autodiff<Flex>`.
pub struct TensorNetwork<B: AutodiffBackend> {
    architecture: Architecture,
    device: B::Device,
    arrangement: Arrangement,
}

impl TensorNetwork<Autodiff<Flex>> {
    /// A network of this shape on burn's CPU backend.
    pub fn on_cpu(architecture: &Architecture) -> Self {
        Self::new(architecture, FlexDevice)
    }
}

#[cfg(feature = "cuda")]
impl TensorNetwork<Autodiff<burn::backend::Cuda>> {
    /// A network of this shape on the first NVIDIA GPU.
    pub fn on_cuda(architecture: &Architecture) -> Self {
        Self::new(architecture, burn::backend::cuda::CudaDevice::new(0))
    }
}

impl<B: AutodiffBackend> TensorNetwork<B> {
    /// A network of this shape on `device`.
    pub fn new(architecture: &Architecture, device: B::Device) -> Self {
        Self {
            architecture: architecture.clone(),
            device,
            arrangement: Arrangement::default(),
        }
    }

    /// The outputs of some rows of features, and the tape of how they came about.
    fn forward(&self, model: &[f32], features: Vec<f32>, rows: usize) -> (Tensor<B, 2>, Tape<B>) {
        let data = TensorData::new(features, [rows, self.architecture.inputs()]);
        let mut x = Tensor::from_inner(Tensor::from_data(data, &self.device));
        let mut tape = Tape::new(model, &self.device);
        for layer in self.architecture.layers() {
            x = forward(layer, x, &mut tape);
        }
        (x, tape)
    }

    /// The gradients of a part of the batch, and the sum of its records' losses.
    fn backward(
        &self,
        model: &[f32],
        batch: &Batch<'_>,
        part: &Part<'_>,
    ) -> (Vec<Gradient<B::InnerBackend>>, f64) {
        let (rows, inputs) = (part.rows.len(), self.architecture.inputs());
        let of_row = |&row: &u32| &batch.features[row as usize * inputs..][..inputs];
        let features = part.rows.iter().flat_map(of_row).copied().collect();
        let (outputs, tape) = self.forward(model, features, rows);
        let losses = self.losses(outputs, batch.labels, part.rows);
        let weights = TensorData::new(part.before.to_vec(), [rows, 1]);
        let weights = Tensor::from_inner(Tensor::from_data(weights, &self.device));
        let total = floats(losses.clone().inner().reshape([rows]));
        let gradients = tape.backward(&(losses * weights).sum());
        (gradients, total.into_iter().map(f64::from).sum())
    }

    /// The loss of every row, given its outputs. Shape: `[rows, 1]`.
    fn losses(&self, outputs: Tensor<B, 2>, labels: LabelSlice<'_>, rows: &[u32]) -> Tensor<B, 2> {
        match labels {
            LabelSlice::Classes(classes) => {
                let of_row = |&row: &u32| i64::from(classes[row as usize]);
                let classes = rows.iter().map(of_row).collect();
                let classes = TensorData::new::<i64, _>(classes, [rows.len(), 1]);
                let classes = Tensor::<B, 2, Int>::from_data(classes, &self.device);
                -log_softmax(outputs, 1).gather(1, classes)
            }
            LabelSlice::Targets(targets) => {
                let targets: Vec<f32> = rows.iter().map(|&row| targets[row as usize]).collect();
                let targets = TensorData::new(targets, [rows.len(), 1]);
                let targets = Tensor::from_inner(Tensor::from_data(targets, &self.device));
                let errors: Tensor<B, 2> = outputs - targets;
                errors.clone() * errors
            }
        }
    }

    /// Where the parameters of each layer that learns end.
    fn layer_ends(&self) -> Vec<usize> {
        let sizes = self.architecture.layers().iter().map(LayerSpec::parameters);
        let ends = sizes.filter(|&size| size > 0).scan(0, |end, size| {
            *end += size;
            Some(*end)
        });
        ends.collect()
    }

    fn membership(&self, part: &Part<'_>) -> Membership<B::InnerBackend> {
        let (units, rows) = (part.units.len(), part.units.total_rows());
        if units == rows {
            return Membership::Rows;
        }
        let mut members = vec![0.0; units * rows];
        for unit in 0..units {
            members[unit * rows..][part.units.rows(unit)].fill(1.0);
        }
        Membership::Matrix(Tensor::from_data(
            TensorData::new(members, [units, rows]),
            &self.device,
        ))
    }
}

impl<B: AutodiffBackend> Network for TensorNetwork<B>
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
        let mut arrangement = std::mem::take(&mut self.arrangement);
        arrangement.arrange(batch, clipping);
        let bound = clipping.bound();
        let layer_ends = self.layer_ends();
        let mut report = ClipReport {
            records: batch.len(),
            ..ClipReport::default()
        };
        for part in arrangement.parts(ROWS) {
            let (gradients, loss) = self.backward(model, batch, &part);
            report.loss += loss;
            let members = self.membership(&part);
            // All layers are clipped as one, or each by itself.
            let per_layer = bound.is_some_and(|bound| bound.style == ClipStyle::PerLayer);
            let ends = if per_layer {
                &layer_ends[..]
            } else {
                &layer_ends[layer_ends.len() - 1..]
            };
            let mut gradients = gradients.into_iter().peekable();
            for &end in ends {
                let within = |gradient: &Gradient<_>| gradient.parameters.end <= end;
                let mine: Vec<_> = std::iter::from_fn(|| gradients.next_if(within)).collect();
                let mut factors = part.after.to_vec();
                if let Some(bound) = bound {
                    let squared = mine.iter().map(|gradient| gradient.squared_norms(&members));
                    let squared = squared.reduce(|total, more| total + more);
                    for (unit, squared) in
                        squared.map_or(Vec::new(), floats).into_iter().enumerate()
                    {
                        if !squared.is_finite() {
                            return Err(NetworkError::Diverged);
                        }
                        let factor = bound.factor(f64::from(squared.max(0.0)).sqrt(), ends.len());
                        let after = f64::from(part.after[part.units.rows(unit).start]);
                        report.count(factor, after);
                        for weight in &mut factors[part.units.rows(unit)] {
                            *weight = (f64::from(*weight) * factor) as f32;
                        }
                    }
                    report.units += part.units.len();
                }
                let factors = TensorData::new(factors, [part.rows.len()]);
                let factors = Tensor::<B::InnerBackend, 1>::from_data(factors, &self.device);
                for gradient in mine {
                    let target = &mut sum[gradient.parameters.clone()];
                    kernels::add(target, &floats(gradient.weighted_sum(factors.clone())));
                }
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
        arrangement.arrange(batch, &Clipping::Nothing);
        for part in arrangement.parts(ROWS) {
            let (gradients, _) = self.backward(model, batch, &part);
            let members = self.membership(&part);
            let squared = gradients
                .iter()
                .map(|gradient| gradient.squared_norms(&members))
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
        let features = batch.features.chunks(ROWS * self.architecture.inputs());
        let mut begin = 0;
        for features in features {
            let rows = features.len() / self.architecture.inputs();
            let (outputs, _) = self.forward(model, features.to_vec(), rows);
            let outputs = floats(outputs.inner().reshape([-1]));
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

/// The numbers of a tensor on the host.
fn floats<B: burn::tensor::backend::Backend>(tensor: Tensor<B, 1>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}
