//! Layer norm and group norm.

use super::{Layer, formed, resize};
use crate::architecture::NormSpec;
use crate::arrangement::Units;
use kernels::{reduce, total, vectorised};

/// Added to the variance, as in PyTorch.
const EPSILON: f32 = 1e-5;

/// `y = γ (x − mean) / √(variance + ε) + β`. Parameters: `γ` `[channels]`, then `β`.
pub(super) struct Normalize {
    spec: NormSpec,
    /// `(x − mean) / √(variance + ε)`.
    normed: Vec<f32>,
    /// `1 / √(variance + ε)` of every group of every instance.
    scales: Vec<f32>,
    /// The gradient of every row by `γ` and `β`.
    gradients: Vec<f32>,
    unit: Vec<f32>,
}

impl Normalize {
    pub(super) const fn new(spec: NormSpec) -> Self {
        Self {
            spec,
            normed: Vec::new(),
            scales: Vec::new(),
            gradients: Vec::new(),
            unit: Vec::new(),
        }
    }

    /// Forms every row's gradient: `Σ x̂ g` and `Σ g` over all places.
    fn form(&mut self, output_gradient: &[f32], rows: usize) {
        let channels = self.spec.channels;
        self.gradients.clear();
        resize(&mut self.gradients, rows * 2 * channels);
        let width = self.spec.width();
        for (row, gradient) in self.gradients.chunks_exact_mut(2 * channels).enumerate() {
            let (by_scale, by_shift) = gradient.split_at_mut(channels);
            let record = row * width..(row + 1) * width;
            let places = output_gradient[record.clone()].chunks_exact(channels);
            let places = places.zip(self.normed[record].chunks_exact(channels));
            vectorised(
                #[inline(always)]
                || {
                    for (g, normed) in places {
                        for c in 0..channels {
                            by_scale[c] += g[c] * normed[c];
                            by_shift[c] += g[c];
                        }
                    }
                },
            );
        }
    }
}

impl Layer for Normalize {
    fn forward(&mut self, weights: &[f32], input: &[f32], output: &mut [f32], rows: usize) {
        let NormSpec {
            instances,
            places,
            channels,
            groups,
        } = self.spec;
        let group = channels / groups;
        resize(&mut self.normed, input.len());
        resize(&mut self.scales, rows * instances * groups);
        let (gamma, beta) = weights.split_at(channels);
        let parts = input
            .chunks_exact(places * channels)
            .zip(output.chunks_exact_mut(places * channels));
        let normed = self.normed.chunks_exact_mut(places * channels);
        for (((x, y), normed), scales) in
            parts.zip(normed).zip(self.scales.chunks_exact_mut(groups))
        {
            vectorised(
                #[inline(always)]
                || {
                    for (g, scale) in scales.iter_mut().enumerate() {
                        let mine = g * group..(g + 1) * group;
                        let count = (places * group) as f32;
                        let mut sums = [0.0; 16];
                        for place in x.chunks_exact(channels) {
                            let place = &place[mine.clone()];
                            reduce(&mut sums, group, |c| place[c]);
                        }
                        let mean = total(sums) / count;
                        let mut squares = [0.0; 16];
                        for place in x.chunks_exact(channels) {
                            let place = &place[mine.clone()];
                            reduce(&mut squares, group, |c| {
                                (place[c] - mean) * (place[c] - mean)
                            });
                        }
                        *scale = 1.0 / (total(squares) / count + EPSILON).sqrt();
                        for (x, normed) in x
                            .chunks_exact(channels)
                            .zip(normed.chunks_exact_mut(channels))
                        {
                            for c in mine.clone() {
                                normed[c] = (x[c] - mean) * *scale;
                            }
                        }
                    }
                    for (y, normed) in y
                        .chunks_exact_mut(channels)
                        .zip(normed.chunks_exact(channels))
                    {
                        for c in 0..channels {
                            y[c] = gamma[c] * normed[c] + beta[c];
                        }
                    }
                },
            );
        }
    }

    /// With `h = γ g`: `(h − mean h − x̂ mean(h x̂)) / √(variance + ε)`, means over what shares a variance.
    fn backward(
        &mut self,
        weights: &[f32],
        _input: &[f32],
        output_gradient: &[f32],
        input_gradient: &mut [f32],
        _rows: usize,
    ) {
        let NormSpec {
            places,
            channels,
            groups,
            ..
        } = self.spec;
        let group = channels / groups;
        let gamma = &weights[..channels];
        let part = places * channels;
        let gradients = output_gradient
            .chunks_exact(part)
            .zip(input_gradient.chunks_exact_mut(part));
        let known = self
            .normed
            .chunks_exact(part)
            .zip(self.scales.chunks_exact(groups));
        for ((g, out), (normed, scales)) in gradients.zip(known) {
            vectorised(
                #[inline(always)]
                || {
                    for (index, scale) in scales.iter().enumerate() {
                        let mine = index * group..(index + 1) * group;
                        let gamma = &gamma[mine.clone()];
                        let (mut means, mut slopes) = ([0.0; 16], [0.0; 16]);
                        let places = g.chunks_exact(channels).zip(normed.chunks_exact(channels));
                        for (g, normed) in places.clone() {
                            let (g, normed) = (&g[mine.clone()], &normed[mine.clone()]);
                            reduce(&mut means, group, |c| gamma[c] * g[c]);
                            reduce(&mut slopes, group, |c| gamma[c] * g[c] * normed[c]);
                        }
                        let count = (places.len() * group) as f32;
                        let (mean, slope) = (total(means) / count, total(slopes) / count);
                        for ((g, normed), out) in places.zip(out.chunks_exact_mut(channels)) {
                            let (g, normed) = (&g[mine.clone()], &normed[mine.clone()]);
                            for (c, out) in out[mine.clone()].iter_mut().enumerate() {
                                *out = scale * (gamma[c] * g[c] - mean - normed[c] * slope);
                            }
                        }
                    }
                },
            );
        }
    }

    fn add_squared_norms(
        &mut self,
        _input: &[f32],
        output_gradient: &[f32],
        units: &Units<'_>,
        squared_norms: &mut [f64],
    ) {
        self.form(output_gradient, units.total_rows());
        let parameters = 2 * self.spec.channels;
        formed::add_squared_norms(
            &self.gradients,
            parameters,
            units,
            &mut self.unit,
            squared_norms,
        );
    }

    fn add_gradients(
        &mut self,
        _input: &[f32],
        output_gradient: &mut [f32],
        units: &Units<'_>,
        factors: Option<&[f32]>,
        sum: &mut [f32],
    ) {
        if factors.is_none() {
            self.form(output_gradient, units.total_rows());
        }
        formed::add_gradients(&self.gradients, units, factors, sum);
    }

    fn workspace(&self) -> usize {
        self.spec.width() + 2 * self.spec.channels
    }
}
