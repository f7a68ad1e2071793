//! What a layer writes for one record, by its textbook formula.

use burn::backend::{Autodiff, Flex};
use burn::tensor::activation::{relu, sigmoid, softmax};
use burn::tensor::module::{avg_pool2d, conv2d, max_pool2d};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Int, Tensor};
use siloscope_training::LayerSpec;
use siloscope_training::architecture::{
    AttentionSpec, Conv2dSpec, ImageShape, NormSpec, RecurrentSpec,
};

pub(crate) type B = Autodiff<Flex>;
type Vector = Tensor<B, 1>;
type Table = Tensor<B, 2>;

/// The model's parameters, read from the front.
pub(crate) struct Parameters {
    pub(crate) model: Vector,
    pub(crate) read: usize,
}

impl Parameters {
    fn vector(&mut self, length: usize) -> Vector {
        self.read += length;
        self.model.clone().narrow(0, self.read - length, length)
    }

    fn matrix(&mut self, rows: usize, columns: usize) -> Table {
        self.vector(rows * columns).reshape([rows, columns])
    }
}

pub(crate) fn forward(layer: &LayerSpec, x: Vector, parameters: &mut Parameters) -> Vector {
    match layer {
        &LayerSpec::Linear {
            positions,
            inputs,
            outputs,
        } => {
            let weights = parameters.matrix(inputs, outputs);
            let bias = parameters.matrix(1, outputs);
            flat(x.reshape([positions, inputs]).matmul(weights) + bias)
        }
        LayerSpec::Relu { .. } => relu(x),
        LayerSpec::Conv2d(spec) => convolution(spec, x, parameters),
        LayerSpec::MaxPool(pool) => {
            let (kernel, stride) = ([pool.kernel; 2], [pool.stride; 2]);
            let x = channels_first(x, pool.image);
            channels_last(max_pool2d(x, kernel, stride, [0; 2], [1; 2], false))
        }
        LayerSpec::AveragePool(pool) => {
            let (kernel, stride) = ([pool.kernel; 2], [pool.stride; 2]);
            let x = channels_first(x, pool.image);
            channels_last(avg_pool2d(x, kernel, stride, [0; 2], true, false))
        }
        &LayerSpec::Embedding {
            vocabulary, width, ..
        } => {
            let tokens: Tensor<B, 1, Int> = x.int();
            flat(parameters.matrix(vocabulary, width).select(0, tokens))
        }
        LayerSpec::Shift { width } => x + parameters.vector(*width),
        LayerSpec::Lstm(spec) => lstm(spec, x, parameters),
        LayerSpec::Gru(spec) => gru(spec, x, parameters),
        &LayerSpec::Last { positions, width } => x.narrow(0, (positions - 1) * width, width),
        &LayerSpec::Mean { positions, width } => flat(x.reshape([positions, width]).mean_dim(0)),
        LayerSpec::Normalize(spec) => normalize(spec, x, parameters),
        LayerSpec::Attention(spec) => attention(spec, x),
        LayerSpec::Residual { branch, shortcut } => {
            let y = branch
                .iter()
                .fold(x.clone(), |x, layer| forward(layer, x, parameters));
            y + shortcut
                .iter()
                .fold(x, |x, layer| forward(layer, x, parameters))
        }
    }
}

fn flat(x: Table) -> Vector {
    let [rows, columns] = x.dims();
    x.reshape([rows * columns])
}

fn channels_first(x: Vector, image: ImageShape) -> Tensor<B, 4> {
    x.reshape([1, image.height, image.width, image.channels])
        .permute([0, 3, 1, 2])
}

fn channels_last(x: Tensor<B, 4>) -> Vector {
    let length = x.dims().iter().product::<usize>();
    x.permute([0, 2, 3, 1]).reshape([length])
}

fn convolution(spec: &Conv2dSpec, x: Vector, parameters: &mut Parameters) -> Vector {
    let Conv2dSpec {
        image,
        outputs,
        kernel,
        stride,
        padding,
        groups,
    } = *spec;
    let (channels, share) = (image.channels / groups, outputs / groups);
    let (mut weights, mut biases) = (Vec::new(), Vec::new());
    for _ in 0..groups {
        let group = parameters.vector(spec.window() * share);
        weights.push(
            group
                .reshape([kernel, kernel, channels, share])
                .permute([3, 2, 0, 1]),
        );
        biases.push(parameters.vector(share));
    }
    let (weights, bias) = (Tensor::cat(weights, 0), Tensor::cat(biases, 0));
    let options = ConvOptions::new([stride; 2], [padding; 2], [1; 2], groups);
    channels_last(conv2d(
        channels_first(x, image),
        weights,
        Some(bias),
        options,
    ))
}

fn lstm(spec: &RecurrentSpec, x: Vector, parameters: &mut Parameters) -> Vector {
    let RecurrentSpec {
        positions,
        inputs,
        hidden,
    } = *spec;
    let of_input = parameters.matrix(inputs, 4 * hidden);
    let of_state = parameters.matrix(hidden, 4 * hidden);
    let bias = parameters.matrix(1, 4 * hidden);
    let x = x.reshape([positions, inputs]);
    let mut h = Table::zeros([1, hidden], &x.device());
    let mut c = h.clone();
    let mut states = Vec::new();
    for t in 0..positions {
        let a = x.clone().narrow(0, t, 1).matmul(of_input.clone())
            + h.matmul(of_state.clone())
            + bias.clone();
        let part = |i: usize| a.clone().narrow(1, i * hidden, hidden);
        c = sigmoid(part(1)) * c + sigmoid(part(0)) * part(2).tanh();
        h = sigmoid(part(3)) * c.clone().tanh();
        states.push(h.clone());
    }
    flat(Tensor::cat(states, 0))
}

fn gru(spec: &RecurrentSpec, x: Vector, parameters: &mut Parameters) -> Vector {
    let RecurrentSpec {
        positions,
        inputs,
        hidden,
    } = *spec;
    let (w, b) = (
        parameters.matrix(inputs, 3 * hidden),
        parameters.matrix(1, 3 * hidden),
    );
    let (u, c) = (
        parameters.matrix(hidden, 3 * hidden),
        parameters.matrix(1, 3 * hidden),
    );
    let x = x.reshape([positions, inputs]);
    let mut h = Table::zeros([1, hidden], &x.device());
    let mut states = Vec::new();
    for t in 0..positions {
        let from_x = x.clone().narrow(0, t, 1).matmul(w.clone()) + b.clone();
        let from_h = h.clone().matmul(u.clone()) + c.clone();
        let part = |all: &Table, i: usize| all.clone().narrow(1, i * hidden, hidden);
        let reset = sigmoid(part(&from_x, 0) + part(&from_h, 0));
        let update = sigmoid(part(&from_x, 1) + part(&from_h, 1));
        let new = (part(&from_x, 2) + reset * part(&from_h, 2)).tanh();
        h = (update.clone().neg() + 1.0) * new + update * h;
        states.push(h.clone());
    }
    flat(Tensor::cat(states, 0))
}

fn normalize(spec: &NormSpec, x: Vector, parameters: &mut Parameters) -> Vector {
    let NormSpec {
        instances,
        places,
        channels,
        groups,
    } = *spec;
    let gamma = parameters.matrix(1, channels);
    let beta = parameters.matrix(1, channels);
    let size = channels / groups;
    let x = x.reshape([instances, places, channels]);
    let mut rows = Vec::new();
    for instance in 0..instances {
        let mut columns = Vec::new();
        for group in 0..groups {
            let part = x
                .clone()
                .narrow(0, instance, 1)
                .narrow(2, group * size, size);
            let part = part.reshape([1, places * size]);
            let centred = part.clone() - part.mean_dim(1);
            let deviation = (centred.clone().powf_scalar(2.0).mean_dim(1) + 1e-5).sqrt();
            columns.push((centred / deviation).reshape([places, size]));
        }
        rows.push(Tensor::cat(columns, 1) * gamma.clone() + beta.clone());
    }
    flat(Tensor::cat(rows, 0))
}

fn attention(spec: &AttentionSpec, x: Vector) -> Vector {
    let AttentionSpec {
        positions,
        width,
        heads,
        causal,
    } = *spec;
    let x = x.reshape([positions, 3 * width]);
    let depth = width / heads;
    let mut outputs = Vec::new();
    for head in 0..heads {
        let part = |i: usize| x.clone().narrow(1, i * width + head * depth, depth);
        let scores = part(0).matmul(part(1).transpose()) / (depth as f32).sqrt();
        let rows = (0..positions).map(|t| {
            let seen = if causal { t + 1 } else { positions };
            let weights = softmax(scores.clone().narrow(0, t, 1).narrow(1, 0, seen), 1);
            weights.matmul(part(2).narrow(0, 0, seen))
        });
        outputs.push(Tensor::cat(rows.collect(), 0));
    }
    flat(Tensor::cat(outputs, 1))
}
