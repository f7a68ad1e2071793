//! The CPU backend: layers with hand-written backward passes and book-keeping of norms.
//!
//! A batch is cut into micro-batches whose activations stay in the second-level cache. Each goes forward and
//! backward once; then every layer adds its part of each unit's squared gradient norm, the clip factors
//! follow, and every layer adds its clipped gradients to the sum. No per-record gradient outlives its
//! micro-batch, and most are never formed: [`weights::WeightGradient`] says when.
//!
//! The size of a micro-batch follows from the model alone, so that no setting of speed can move a bit.

mod attention;
mod chain;
mod conv2d;
mod embedding;
mod formed;
mod grouped;
mod gru;
mod linear;
mod lstm;
mod max_pool;
mod network;
mod normalize;
mod pooling;
mod recurrence;
mod relu;
mod residual;
mod shift;
mod weights;

pub use network::FusedNetwork;

use crate::LayerSpec;
use crate::arrangement::Units;

/// A layer at work. It may keep buffers between the calls of one micro-batch: `forward`, `backward`,
/// `add_squared_norms` and `add_gradients` come in this order, the last two only if it has parameters.
trait Layer: Send {
    /// Writes the outputs of `rows` records. `input`: `[rows, inputs]`; `output`: `[rows, outputs]`.
    fn forward(&mut self, weights: &[f32], input: &[f32], output: &mut [f32], rows: usize);

    /// Writes the loss's gradient by the input to `input_gradient`, given that by the output.
    fn backward(
        &mut self,
        weights: &[f32],
        input: &[f32],
        output_gradient: &[f32],
        input_gradient: &mut [f32],
        rows: usize,
    );

    /// Adds to every unit's entry the squared norm of its gradient by this layer's parameters.
    fn add_squared_norms(
        &mut self,
        _input: &[f32],
        _output_gradient: &[f32],
        _units: &Units<'_>,
        _squared_norms: &mut [f64],
    ) {
    }

    /// Adds to `sum` every unit's gradient by this layer's parameters, each times its factor.
    ///
    /// With no factors given, `add_squared_norms` was not called and every factor is one. May overwrite
    /// `output_gradient`, which nobody reads afterwards.
    fn add_gradients(
        &mut self,
        _input: &[f32],
        _output_gradient: &mut [f32],
        _units: &Units<'_>,
        _factors: Option<&[f32]>,
        _sum: &mut [f32],
    ) {
    }

    /// Whether `backward` makes what the last two read, so that it must run even where nobody wants the gradient by
    /// the input.
    fn learns_from_backward(&self) -> bool {
        false
    }

    /// The fewest rows that a micro-batch should have for the layer's products to be worth their set-up.
    fn fewest_rows(&self) -> usize {
        2
    }

    /// Floats of working memory a record, beside inputs and outputs: what a micro-batch must hold.
    fn workspace(&self) -> usize {
        0
    }
}

/// The layer that `spec` describes.
fn layer(spec: &LayerSpec) -> Box<dyn Layer> {
    match *spec {
        LayerSpec::Linear {
            positions,
            inputs,
            outputs,
        } => Box::new(linear::Linear::new(positions, inputs, outputs)),
        LayerSpec::Relu { .. } => Box::new(relu::Relu),
        LayerSpec::Conv2d(spec) if spec.groups > 1 => Box::new(grouped::Grouped::new(spec)),
        LayerSpec::Conv2d(spec) => Box::new(conv2d::Conv2d::new(spec)),
        LayerSpec::MaxPool(spec) => Box::new(max_pool::MaxPool::new(spec)),
        LayerSpec::AveragePool(spec) => Box::new(pooling::AveragePool(spec)),
        LayerSpec::Embedding {
            positions,
            vocabulary,
            width,
        } => Box::new(embedding::Embedding::new(positions, vocabulary, width)),
        LayerSpec::Shift { width } => Box::new(shift::Shift::new(width)),
        LayerSpec::Lstm(spec) => Box::new(lstm::Lstm::new(spec)),
        LayerSpec::Gru(spec) => Box::new(gru::Gru::new(spec)),
        LayerSpec::Last { positions, width } => Box::new(pooling::Last { positions, width }),
        LayerSpec::Mean { positions, width } => Box::new(pooling::Mean { positions, width }),
        LayerSpec::Normalize(spec) => Box::new(normalize::Normalize::new(spec)),
        LayerSpec::Attention(spec) => Box::new(attention::Attention::new(spec)),
        LayerSpec::Residual {
            ref branch,
            ref shortcut,
        } => Box::new(residual::Residual::new(branch, shortcut)),
    }
}

/// Grows or shrinks a buffer without giving memory back. New entries are zero.
fn resize(buffer: &mut Vec<f32>, length: usize) {
    buffer.resize(length, 0.0);
}
