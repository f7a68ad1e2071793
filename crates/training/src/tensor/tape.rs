//! The places where parameters are applied, in one forward pass.

use super::arithmetic::Arithmetic;
use super::gradient::Gradient;
use super::layout::Layout;
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use std::ops::Range;

/// A forward pass through the models of all replicas side by side. `B` differentiates if gradients are wanted.
pub(super) struct Tape<B: Backend> {
    /// Constants: nothing is differentiated by the parameters themselves. Shape: `[replicas, parameters]`.
    models: Tensor<B, 2>,
    /// What was applied; none if only the outputs are wanted.
    sites: Option<Vec<Site<B>>>,
    read: usize,
}

/// Parameters at work.
struct Site<B: Backend> {
    rule: Rule<B>,
    /// Zeros added to what they write. Shape: `[replicas, records, positions, outputs]`.
    probe: Tensor<B, 4>,
    parameters: Range<usize>,
}

/// How a record's gradient follows from `g`, the loss's gradient by the probe.
enum Rule<B: Backend> {
    /// `Σ xᵀ g`, then `Σ g` if there is a bias. `x`: `[replicas, records, positions, inputs]`.
    Product { input: Tensor<B, 4>, biased: bool },
    /// `Σ x̂ g`, then `Σ g`. `x̂`: as `g`.
    Scale { normed: Tensor<B, 4> },
    /// `Σ g`.
    Shift,
}

/// A weight matrix that was read off the models.
pub(super) struct Weights<B: Backend> {
    /// Shape: `[replicas, inputs, outputs]`.
    matrix: Tensor<B, 3>,
    /// Shape: `[replicas, 1, outputs]`.
    bias: Tensor<B, 3>,
    parameters: Range<usize>,
}

impl<B: Arithmetic> Weights<B> {
    /// `x W + b`. `x`: `[replicas, rows, inputs]`.
    pub(super) fn apply(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        B::product(x, self.matrix.clone()) + self.bias.clone()
    }
}

impl<B: Arithmetic> Tape<B> {
    /// A pass of which only the outputs are wanted. `models`: `[replicas, parameters]`.
    pub(super) const fn looking(models: Tensor<B, 2>) -> Self {
        Self {
            models,
            sites: None,
            read: 0,
        }
    }

    /// How many models there are.
    pub(super) fn replicas(&self) -> usize {
        self.models.dims()[0]
    }

    /// The models' next parameters. Shape: `[replicas, length]`.
    fn next(&mut self, length: usize) -> (Tensor<B, 2>, Range<usize>) {
        let start = self.read;
        self.read += length;
        let parameters = self.models.clone().narrow(1, start, length);
        (parameters, start..self.read)
    }

    /// Zeros to be added to what parameters write, if gradients are wanted.
    pub(super) fn probe(&self, shape: [usize; 4]) -> Option<Tensor<B, 4>> {
        self.sites.as_ref()?;
        Some(Tensor::zeros(shape, &self.models.device()).require_grad())
    }

    fn push(&mut self, rule: Rule<B>, probe: Option<Tensor<B, 4>>, parameters: Range<usize>) {
        if let (Some(sites), Some(probe)) = (&mut self.sites, probe) {
            sites.push(Site {
                rule,
                probe,
                parameters,
            });
        }
    }

    /// The next weight matrix and its bias.
    pub(super) fn weights(&mut self, inputs: usize, outputs: usize) -> Weights<B> {
        let replicas = self.replicas();
        let (all, parameters) = self.next((inputs + 1) * outputs);
        let matrix = all.clone().narrow(1, 0, inputs * outputs);
        let bias = all.narrow(1, inputs * outputs, outputs);
        Weights {
            matrix: matrix.reshape([replicas, inputs, outputs]),
            bias: bias.reshape([replicas, 1, outputs]),
            parameters,
        }
    }

    /// Notes that `weights` read `input`, `[replicas, records, positions, inputs]`, and that `probe` was added to what
    /// they wrote.
    pub(super) fn note(
        &mut self,
        weights: Weights<B>,
        input: Tensor<B, 4>,
        probe: Option<Tensor<B, 4>>,
    ) {
        let rule = Rule::Product {
            input,
            biased: true,
        };
        self.push(rule, probe, weights.parameters);
    }

    /// `x W + b` at every position, with the models' next parameters. `x`: `[replicas, records, positions, inputs]`.
    pub(super) fn affine(&mut self, x: Tensor<B, 4>, outputs: usize) -> Tensor<B, 4> {
        let [replicas, records, positions, inputs] = x.dims();
        let shape = [replicas, records, positions, outputs];
        let weights = self.weights(inputs, outputs);
        let y = weights.apply(x.clone().reshape([replicas, records * positions, inputs]));
        let probe = self.probe(shape);
        let y = plus(y.reshape(shape), probe.clone());
        self.note(weights, x, probe);
        y
    }

    /// `x W` at every position: with one-hot rows, a table. `x`: `[replicas, records, positions, inputs]`.
    pub(super) fn table(&mut self, x: Tensor<B, 4>, width: usize) -> Tensor<B, 4> {
        let [replicas, records, positions, vocabulary] = x.dims();
        let shape = [replicas, records, positions, width];
        let (table, parameters) = self.next(vocabulary * width);
        let rows = x
            .clone()
            .reshape([replicas, records * positions, vocabulary]);
        let y = B::product(rows, table.reshape([replicas, vocabulary, width]));
        let probe = self.probe(shape);
        let y = plus(y.reshape(shape), probe.clone());
        let rule = Rule::Product {
            input: x,
            biased: false,
        };
        self.push(rule, probe, parameters);
        y
    }

    /// `γ x̂ + β`, channel by channel. `x̂`: `[replicas, records, places, channels]`.
    pub(super) fn scale(&mut self, normed: Tensor<B, 4>) -> Tensor<B, 4> {
        let [replicas, _, _, channels] = normed.dims();
        let (scales, parameters) = self.next(2 * channels);
        let part = |start| {
            let part = scales.clone().narrow(1, start, channels);
            part.reshape([replicas, 1, 1, channels])
        };
        let probe = self.probe(normed.dims());
        let y = plus(normed.clone() * part(0) + part(channels), probe.clone());
        self.push(Rule::Scale { normed }, probe, parameters);
        y
    }

    /// `x + P`. `x`: `[replicas, records, 1, width]`.
    pub(super) fn shift(&mut self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let [replicas, _, _, width] = x.dims();
        let (shift, parameters) = self.next(width);
        let probe = self.probe(x.dims());
        let y = plus(x + shift.reshape([replicas, 1, 1, width]), probe.clone());
        self.push(Rule::Shift, probe, parameters);
        y
    }
}

impl<B: AutodiffBackend> Tape<B> {
    /// A pass whose gradients are wanted. `models`: `[replicas, parameters]`.
    pub(super) fn recording(models: Tensor<B::InnerBackend, 2>) -> Self {
        Self {
            models: Tensor::from_inner(models),
            sites: Some(Vec::new()),
            read: 0,
        }
    }

    /// Differentiates `loss`; gives the gradients of every site, in the order of their parameters.
    pub(super) fn backward(
        self,
        loss: &Tensor<B, 1>,
        layout: Layout,
    ) -> Vec<Gradient<B::InnerBackend>> {
        let mut gradients = loss.backward();
        let gradient = |site: Site<B>| {
            // A probe that nothing of the loss came through has no gradient; its zeros are it.
            let g = site.probe.grad_remove(&mut gradients);
            let g = layout.by_unit(g.unwrap_or_else(|| site.probe.inner()));
            match site.rule {
                Rule::Product { input, biased } => {
                    let input = layout.by_unit(input.inner());
                    Gradient::product(input, g, biased, site.parameters)
                }
                Rule::Scale { normed } => {
                    let by_scale = sums(layout.by_unit(normed.inner()) * g.clone());
                    let both = Tensor::cat(vec![by_scale, sums(g)], 1);
                    Gradient::formed(both, site.parameters)
                }
                Rule::Shift => Gradient::formed(sums(g), site.parameters),
            }
        };
        self.sites
            .unwrap_or_default()
            .into_iter()
            .map(gradient)
            .collect()
    }
}

/// `y` and the probe's zeros, if there is one.
pub(super) fn plus<B: Backend, const D: usize>(
    y: Tensor<B, D>,
    probe: Option<Tensor<B, D>>,
) -> Tensor<B, D> {
    match probe {
        Some(probe) => y + probe,
        None => y,
    }
}

/// The sum over positions. `x`: `[units, positions, channels]`; result: `[units, channels]`.
fn sums<B: Backend>(x: Tensor<B, 3>) -> Tensor<B, 2> {
    let [units, _, channels] = x.dims();
    x.sum_dim(1).reshape([units, channels])
}
