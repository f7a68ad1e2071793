//! A model on the CPU backend.

use super::chain::Chain;
use crate::arrangement::{Arrangement, Part};
use crate::loss;
use crate::network::check;
use crate::{
    Architecture, Batch, ClipReport, ClipStyle, Clipping, Network, NetworkError, RecordScore,
};

/// Floats of activations that a micro-batch may fill: 1 MiB, half of a common second-level cache.
const CACHE: usize = 1 << 18;

/// A model on the CPU backend: one thread, no allocation once the largest batch has been seen.
pub struct FusedNetwork {
    chain: Chain,
    architecture: Architecture,
    micro_batch: usize,
    /// The layers that learn.
    learning: Vec<usize>,
    arrangement: Arrangement,
    squared_norms: Vec<f64>,
    factors: Vec<f32>,
}

impl FusedNetwork {
    /// A network of this shape.
    pub fn new(architecture: &Architecture) -> Self {
        let chain = Chain::new(architecture.layers());
        let micro_batch = (CACHE / chain.workspace()).clamp(chain.fewest_rows(), 128);
        Self {
            learning: chain.learning(),
            chain,
            architecture: architecture.clone(),
            micro_batch,
            arrangement: Arrangement::default(),
            squared_norms: Vec::new(),
            factors: Vec::new(),
        }
    }
}

impl Network for FusedNetwork {
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
        self.arrangement.arrange(batch.subjects, clipping);
        let mut report = ClipReport {
            records: batch.len(),
            ..ClipReport::default()
        };
        for part in self.arrangement.parts(self.micro_batch) {
            report.loss += pass(&mut self.chain, model, batch, &part);
            let Some(bound) = clipping.bound() else {
                self.chain
                    .add_gradients(&self.learning, &part.units, None, sum);
                continue;
            };
            // All layers are clipped as one, or each by itself.
            let together = match bound.style {
                ClipStyle::PerLayer => 1,
                ClipStyle::Flat | ClipStyle::Automatic => self.learning.len(),
            };
            let parts = self.learning.len() / together;
            for layers in self.learning.chunks(together) {
                self.squared_norms.clear();
                self.squared_norms.resize(part.units.len(), 0.0);
                self.chain
                    .add_squared_norms(layers, &part.units, &mut self.squared_norms);
                self.factors.clear();
                for (unit, squared) in self.squared_norms.iter().enumerate() {
                    if !squared.is_finite() {
                        return Err(NetworkError::Diverged);
                    }
                    let factor = bound.factor(squared.sqrt(), parts);
                    let after = f64::from(part.after[part.units.rows(unit).start]);
                    report.count(factor, after);
                    self.factors.push((factor * after) as f32);
                }
                self.chain
                    .add_gradients(layers, &part.units, Some(&self.factors), sum);
                report.units += part.units.len();
            }
        }
        Ok(report)
    }

    fn gradient_norms(
        &mut self,
        model: &[f32],
        batch: &Batch<'_>,
        norms: &mut Vec<f32>,
    ) -> Result<(), NetworkError> {
        check(&self.architecture, batch, &[model])?;
        // Every record is a unit, in the batch's order.
        self.arrangement.arrange(batch.subjects, &Clipping::Nothing);
        for part in self.arrangement.parts(self.micro_batch) {
            pass(&mut self.chain, model, batch, &part);
            self.squared_norms.clear();
            self.squared_norms.resize(part.units.len(), 0.0);
            self.chain
                .add_squared_norms(&self.learning, &part.units, &mut self.squared_norms);
            for squared in &self.squared_norms {
                if !squared.is_finite() {
                    return Err(NetworkError::Diverged);
                }
                norms.push(squared.max(0.0).sqrt() as f32);
            }
        }
        Ok(())
    }

    fn evaluate(
        &mut self,
        model: &[f32],
        batch: &Batch<'_>,
        scores: &mut Vec<RecordScore>,
    ) -> Result<(), NetworkError> {
        check(&self.architecture, batch, &[model])?;
        let features = batch
            .features
            .chunks(self.micro_batch * self.architecture.inputs());
        let mut begin = 0;
        for features in features {
            let rows = features.len() / self.architecture.inputs();
            self.chain.input(rows).copy_from_slice(features);
            let outputs = self.chain.forward(model, rows);
            let outputs = outputs.chunks_exact(self.architecture.outputs());
            let labels = batch.labels.range(begin..begin + rows);
            let scored = outputs.zip(labels.iter());
            scores.extend(scored.map(|(outputs, label)| loss::score(outputs, label)));
            begin += rows;
        }
        Ok(())
    }
}

/// Forward and backward over a part of the batch; gives the sum of its records' losses.
fn pass(chain: &mut Chain, model: &[f32], batch: &Batch<'_>, part: &Part<'_>) -> f64 {
    let rows = part.rows.len();
    let input = chain.input(rows);
    let inputs = input.len() / rows;
    for (&row, features) in part.rows.iter().zip(input.chunks_exact_mut(inputs)) {
        let at = row as usize * inputs;
        features.copy_from_slice(&batch.features[at..at + inputs]);
    }
    chain.forward(model, rows);
    let (outputs, gradient) = chain.output();
    let width = outputs.len() / rows;
    let outputs = outputs
        .chunks_exact(width)
        .zip(gradient.chunks_exact_mut(width));
    let mut total = 0.0;
    for ((&row, &weight), (outputs, gradient)) in part.rows.iter().zip(part.before).zip(outputs) {
        total += loss::gradient(outputs, batch.labels.at(row as usize), weight, gradient);
    }
    chain.backward(model, rows);
    total
}
