//! The slow, obvious twin: burn's autodiff on one record at a time, clipped and summed in `f64`.

mod layers;

use burn::backend::flex::FlexDevice;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Tensor, TensorData};
use data::Label;
use layers::{B, Parameters, forward};
use siloscope_training::{Architecture, Batch, ClipStyle, Clipping, LayerSpec};
use std::collections::BTreeMap;

/// The gradient of one record's loss by all parameters, and the loss.
pub(crate) fn gradient(
    model: &Architecture,
    weights: &[f32],
    features: &[f32],
    label: Label,
) -> (Vec<f64>, f64) {
    let vector = |values: &[f32]| {
        Tensor::<B, 1>::from_data(
            TensorData::new(values.to_vec(), [values.len()]),
            &FlexDevice,
        )
    };
    let leaf = vector(weights).require_grad();
    let mut parameters = Parameters {
        model: leaf.clone(),
        read: 0,
    };
    let logits = model.layers().iter().fold(vector(features), |x, layer| {
        forward(layer, x, &mut parameters)
    });
    assert_eq!(parameters.read, weights.len(), "every parameter is read");
    let loss = match label {
        Label::Class(class) => {
            let log = log_softmax(logits.reshape([1, model.outputs()]), 1);
            -log.narrow(1, class as usize, 1).sum()
        }
        Label::Target(target) => (logits - target).powi_scalar(2).sum(),
    };
    let value = f64::from(loss.clone().into_scalar());
    let mut gradients = loss.backward();
    let gradient = leaf
        .grad_remove(&mut gradients)
        .expect("every parameter has a part in the loss");
    let gradient = gradient
        .into_data()
        .to_vec::<f32>()
        .expect("gradients are floats");
    (gradient.into_iter().map(f64::from).collect(), value)
}

/// The clipped sum by its definition, with the norm of every unit before it was clipped.
pub(crate) fn clipped_sum(
    model: &Architecture,
    weights: &[f32],
    batch: &Batch<'_>,
    clipping: &Clipping,
) -> (Vec<f64>, Vec<f64>) {
    let mut norms = Vec::new();
    let mut sum = vec![0.0; weights.len()];
    let mut add = |gradient: &[f64], factor: f64| {
        for (sum, value) in sum.iter_mut().zip(gradient) {
            *sum += factor * value;
        }
    };
    let mut clip = |gradient: &[f64]| -> Vec<f64> {
        norms.push(length(gradient));
        let Some(bound) = clipping.bound() else {
            return gradient.to_vec();
        };
        let layers: Vec<usize> = match bound.style {
            ClipStyle::Flat | ClipStyle::Automatic => vec![gradient.len()],
            ClipStyle::PerLayer => {
                let sizes = model.layers().iter().map(LayerSpec::parameters);
                sizes.filter(|&size| size > 0).collect()
            }
        };
        let mut rest = gradient;
        let mut clipped = Vec::new();
        for size in &layers {
            let (part, others) = rest.split_at(*size);
            let factor = bound.factor(length(part), layers.len());
            clipped.extend(part.iter().map(|g| factor * g));
            rest = others;
        }
        clipped
    };
    let mut by_subject: BTreeMap<u32, Vec<Vec<f64>>> = BTreeMap::new();
    for (i, label) in batch.labels.iter().enumerate() {
        let features = &batch.features[i * model.inputs()..][..model.inputs()];
        let (record, _) = gradient(model, weights, features, label);
        by_subject
            .entry(batch.subjects[i])
            .or_default()
            .push(record);
    }
    for records in by_subject.values() {
        let share = 1.0 / records.len() as f64;
        match clipping {
            Clipping::Nothing | Clipping::Records(_) => {
                for gradient in records {
                    add(&clip(gradient), 1.0);
                }
            }
            Clipping::RecordsInSubjectMeans(_) => {
                for gradient in records {
                    add(&clip(gradient), share);
                }
            }
            Clipping::SubjectMeans(_) => {
                let mut mean = vec![0.0; weights.len()];
                for (i, mean) in mean.iter_mut().enumerate() {
                    *mean = share * records.iter().map(|g| g[i]).sum::<f64>();
                }
                add(&clip(&mean), 1.0);
            }
        }
    }
    (sum, norms)
}

fn length(vector: &[f64]) -> f64 {
    vector.iter().map(|x| x * x).sum::<f64>().sqrt()
}
