//! Convolutions side by side, each of its own channels.

use super::conv2d::Conv2d;
use super::{Layer, resize};
use crate::architecture::Conv2dSpec;
use crate::arrangement::Units;

/// A convolution in groups: part `g` reads the `g`-th share of the channels and writes the `g`-th share of the outputs.
/// Parameters: those of each part in turn.
pub(super) struct Grouped {
    spec: Conv2dSpec,
    parts: Vec<Part>,
}

/// One group with its share of what goes through the layer.
struct Part {
    convolution: Conv2d,
    input: Vec<f32>,
    output: Vec<f32>,
    by_input: Vec<f32>,
    by_output: Vec<f32>,
}

impl Grouped {
    pub(super) fn new(spec: Conv2dSpec) -> Self {
        let part = || Part {
            convolution: Conv2d::new(spec.part()),
            input: Vec::new(),
            output: Vec::new(),
            by_input: Vec::new(),
            by_output: Vec::new(),
        };
        Self {
            spec,
            parts: std::iter::repeat_with(part).take(spec.groups).collect(),
        }
    }

    /// The parameters of each part.
    const fn share(&self) -> usize {
        let part = self.spec.part();
        (part.window() + 1) * part.outputs
    }
}

/// Copies every pixel's `part`-th share of its channels out of `pixels`.
fn take(part: usize, parts: usize, channels: usize, pixels: &[f32], out: &mut Vec<f32>) {
    let share = channels / parts;
    resize(out, pixels.len() / parts);
    for (out, pixel) in out
        .chunks_exact_mut(share)
        .zip(pixels.chunks_exact(channels))
    {
        out.copy_from_slice(&pixel[part * share..][..share]);
    }
}

/// Copies every pixel's `part`-th share of its channels into `pixels`.
fn put(part: usize, parts: usize, channels: usize, from: &[f32], pixels: &mut [f32]) {
    let share = channels / parts;
    for (from, pixel) in from
        .chunks_exact(share)
        .zip(pixels.chunks_exact_mut(channels))
    {
        pixel[part * share..][..share].copy_from_slice(from);
    }
}

impl Layer for Grouped {
    fn forward(&mut self, weights: &[f32], input: &[f32], output: &mut [f32], rows: usize) {
        let (spec, share) = (self.spec, self.share());
        for (g, (part, weights)) in self.parts.iter_mut().zip(weights.chunks(share)).enumerate() {
            take(g, spec.groups, spec.image.channels, input, &mut part.input);
            resize(&mut part.output, output.len() / spec.groups);
            part.convolution
                .forward(weights, &part.input, &mut part.output, rows);
            put(g, spec.groups, spec.outputs, &part.output, output);
        }
    }

    fn backward(
        &mut self,
        weights: &[f32],
        _input: &[f32],
        output_gradient: &[f32],
        input_gradient: &mut [f32],
        rows: usize,
    ) {
        let (spec, share) = (self.spec, self.share());
        for (g, (part, weights)) in self.parts.iter_mut().zip(weights.chunks(share)).enumerate() {
            let by_output = &mut part.by_output;
            take(g, spec.groups, spec.outputs, output_gradient, by_output);
            resize(&mut part.by_input, input_gradient.len() / spec.groups);
            part.convolution
                .backward(weights, &part.input, by_output, &mut part.by_input, rows);
            let channels = spec.image.channels;
            put(g, spec.groups, channels, &part.by_input, input_gradient);
        }
    }

    fn add_squared_norms(
        &mut self,
        _input: &[f32],
        _output_gradient: &[f32],
        units: &Units<'_>,
        squared_norms: &mut [f64],
    ) {
        for part in &mut self.parts {
            part.convolution
                .add_squared_norms(&part.input, &part.by_output, units, squared_norms);
        }
    }

    fn add_gradients(
        &mut self,
        _input: &[f32],
        _output_gradient: &mut [f32],
        units: &Units<'_>,
        factors: Option<&[f32]>,
        sum: &mut [f32],
    ) {
        let share = self.share();
        for (part, sum) in self.parts.iter_mut().zip(sum.chunks_mut(share)) {
            part.convolution
                .add_gradients(&part.input, &mut part.by_output, units, factors, sum);
        }
    }

    /// `backward` takes the gradients of the parts apart.
    fn learns_from_backward(&self) -> bool {
        true
    }

    fn workspace(&self) -> usize {
        let parts = self.parts.iter().map(|part| part.convolution.workspace());
        2 * (self.spec.image.len() + self.spec.output().len()) + parts.sum::<usize>()
    }
}
