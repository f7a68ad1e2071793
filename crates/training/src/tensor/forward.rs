//! What every layer writes, on tensors.

use super::arithmetic::Arithmetic;
use super::tape::{Tape, plus};
use crate::LayerSpec;
use crate::architecture::{
    AttentionSpec, Conv2dSpec, ImageShape, NormSpec, PoolSpec, RecurrentSpec,
};
use burn::tensor::activation::{relu, sigmoid, softmax};
use burn::tensor::{Tensor, TensorData, module};

/// The output of `layer`. `x`: `[rows, inputs]`, the records of every replica in turn; result: `[rows, outputs]`.
pub(super) fn forward<B: Arithmetic>(
    layer: &LayerSpec,
    x: Tensor<B, 2>,
    tape: &mut Tape<B>,
) -> Tensor<B, 2> {
    let [rows, _] = x.dims();
    let (replicas, outputs) = (tape.replicas(), layer.outputs());
    let records = rows / replicas;
    match layer {
        &LayerSpec::Linear {
            positions,
            inputs,
            outputs: width,
        } => tape
            .affine(x.reshape([replicas, records, positions, inputs]), width)
            .reshape([rows, outputs]),
        LayerSpec::Relu { .. } => relu(x),
        LayerSpec::Conv2d(spec) => {
            let image = spec.image;
            let part = spec.part();
            let pixels = x.reshape([rows, image.height * image.width, image.channels]);
            let share = part.image.channels;
            let parts = (0..spec.groups).map(|group| {
                let x = pixels.clone().narrow(2, group * share, share);
                let x = x.reshape([rows, part.image.len()]);
                let windows = windows(&part, x);
                let [_, positions, window] = windows.dims();
                let windows = windows.reshape([replicas, records, positions, window]);
                tape.affine(windows, part.outputs)
            });
            Tensor::cat(parts.collect(), 3).reshape([rows, outputs])
        }
        LayerSpec::MaxPool(spec) | LayerSpec::AveragePool(spec) => {
            let PoolSpec {
                image,
                kernel,
                stride,
            } = *spec;
            let ImageShape {
                height,
                width,
                channels,
            } = image;
            let x = x
                .reshape([rows, height, width, channels])
                .permute([0, 3, 1, 2]);
            let y = if matches!(layer, LayerSpec::MaxPool(_)) {
                module::max_pool2d(x, [kernel; 2], [stride; 2], [0; 2], [1; 2], false)
            } else {
                module::avg_pool2d(x, [kernel; 2], [stride; 2], [0; 2], true, false)
            };
            y.permute([0, 2, 3, 1]).reshape([rows, outputs])
        }
        &LayerSpec::Embedding {
            positions,
            vocabulary,
            width,
        } => {
            // burn's own `one_hot` waits for the device to see whether every token is in its range.
            let numbers = (0..vocabulary).map(|token| token as f32).collect();
            let numbers = TensorData::new::<f32, _>(numbers, [1, 1, vocabulary]);
            let numbers = Tensor::<B, 3>::from_data(numbers, &x.device());
            let tokens = (x.unsqueeze_dim::<3>(2) - numbers).equal_elem(0.0).float();
            let tokens = tokens.reshape([replicas, records, positions, vocabulary]);
            tape.table(tokens, width).reshape([rows, outputs])
        }
        LayerSpec::Shift { width } => tape
            .shift(x.reshape([replicas, records, 1, *width]))
            .reshape([rows, outputs]),
        LayerSpec::Lstm(spec) => lstm(spec, x, tape),
        LayerSpec::Gru(spec) => gru(spec, x, tape),
        &LayerSpec::Last { positions, width } => x.narrow(1, (positions - 1) * width, width),
        &LayerSpec::Mean { positions, width } => x
            .reshape([rows, positions, width])
            .mean_dim(1)
            .reshape([rows, width]),
        LayerSpec::Normalize(spec) => normalize(spec, x, tape),
        LayerSpec::Attention(spec) => attention(spec, x),
        LayerSpec::Residual { branch, shortcut } => {
            let through = |layers: &[LayerSpec], tape: &mut Tape<B>| {
                layers
                    .iter()
                    .fold(x.clone(), |x, layer| forward(layer, x, tape))
            };
            let y = through(branch, tape);
            y + through(shortcut, tape)
        }
    }
}

/// Every window of every image as a row. Shape: `[rows, positions, window]`.
fn windows<B: Arithmetic>(spec: &Conv2dSpec, x: Tensor<B, 2>) -> Tensor<B, 3> {
    let Conv2dSpec {
        image,
        kernel,
        stride,
        padding,
        ..
    } = *spec;
    let [rows, _] = x.dims();
    let mut x = x.reshape([rows, image.height, image.width, image.channels]);
    if padding > 0 {
        let (height, width) = (image.height + 2 * padding, image.width + 2 * padding);
        let frame = Tensor::zeros([rows, height, width, image.channels], &x.device());
        let inside = [
            0..rows,
            padding..padding + image.height,
            padding..padding + image.width,
            0..image.channels,
        ];
        x = frame.slice_assign(inside, x);
    }
    let x: Tensor<B, 5> = x.unfold(1, kernel, stride);
    let x: Tensor<B, 6> = x.unfold(2, kernel, stride);
    // [rows, y, x, channel, window y, window x]
    let output = spec.output();
    x.permute([0, 1, 2, 4, 5, 3])
        .reshape([rows, output.height * output.width, spec.window()])
}

fn lstm<B: Arithmetic>(spec: &RecurrentSpec, x: Tensor<B, 2>, tape: &mut Tape<B>) -> Tensor<B, 2> {
    let RecurrentSpec {
        positions,
        inputs,
        hidden,
    } = *spec;
    let ([rows, _], device) = (x.dims(), x.device());
    let replicas = tape.replicas();
    let records = rows / replicas;
    let x = x.reshape([replicas, records, positions, inputs]);
    let weights = tape.weights(inputs + hidden, 4 * hidden);
    let probe = tape.probe([replicas, records, positions, 4 * hidden]);
    let mut state = Tensor::<B, 3>::zeros([replicas, records, hidden], &device);
    let mut cell = state.clone();
    let (mut joined, mut states) = (Vec::new(), Vec::new());
    for t in 0..positions {
        let both = Tensor::cat(vec![at(&x, t), state], 2);
        joined.push(both.clone().unsqueeze_dim(2));
        let gates = plus(
            weights.apply(both),
            probe.as_ref().map(|probe| at(probe, t)),
        );
        let gate = |i: usize| gates.clone().narrow(2, i * hidden, hidden);
        cell = sigmoid(gate(1)) * cell + sigmoid(gate(0)) * gate(2).tanh();
        state = sigmoid(gate(3)) * cell.clone().tanh();
        states.push(state.clone().unsqueeze_dim(2));
    }
    tape.note(weights, Tensor::cat(joined, 2), probe);
    Tensor::<B, 4>::cat(states, 2).reshape([rows, positions * hidden])
}

fn gru<B: Arithmetic>(spec: &RecurrentSpec, x: Tensor<B, 2>, tape: &mut Tape<B>) -> Tensor<B, 2> {
    let RecurrentSpec {
        positions,
        inputs,
        hidden,
    } = *spec;
    let ([rows, _], device) = (x.dims(), x.device());
    let replicas = tape.replicas();
    let records = rows / replicas;
    let x = x.reshape([replicas, records, positions, inputs]);
    let from_input = tape.affine(x, 3 * hidden);
    let weights = tape.weights(hidden, 3 * hidden);
    let probe = tape.probe([replicas, records, positions, 3 * hidden]);
    let mut state = Tensor::<B, 3>::zeros([replicas, records, hidden], &device);
    let (mut before, mut states) = (Vec::new(), Vec::new());
    for t in 0..positions {
        before.push(state.clone().unsqueeze_dim(2));
        let from_state = plus(
            weights.apply(state.clone()),
            probe.as_ref().map(|probe| at(probe, t)),
        );
        let now = at(&from_input, t);
        let part = |all: &Tensor<B, 3>, i: usize| all.clone().narrow(2, i * hidden, hidden);
        let reset = sigmoid(part(&now, 0) + part(&from_state, 0));
        let update = sigmoid(part(&now, 1) + part(&from_state, 1));
        let new = (part(&now, 2) + reset * part(&from_state, 2)).tanh();
        state = new.clone() + update * (state - new);
        states.push(state.clone().unsqueeze_dim(2));
    }
    tape.note(weights, Tensor::cat(before, 2), probe);
    Tensor::<B, 4>::cat(states, 2).reshape([rows, positions * hidden])
}

/// Position `t` of every record. `x`: `[replicas, records, positions, width]`; result: `[replicas, records, width]`.
fn at<B: Arithmetic>(x: &Tensor<B, 4>, t: usize) -> Tensor<B, 3> {
    let [replicas, records, _, width] = x.dims();
    x.clone()
        .narrow(2, t, 1)
        .reshape([replicas, records, width])
}

fn normalize<B: Arithmetic>(spec: &NormSpec, x: Tensor<B, 2>, tape: &mut Tape<B>) -> Tensor<B, 2> {
    let NormSpec {
        instances,
        places,
        channels,
        groups,
    } = *spec;
    let [rows, width] = x.dims();
    let size = channels / groups;
    // [parts, groups, places · channels of a group]
    let x = x
        .reshape([rows * instances, places, groups, size])
        .permute([0, 2, 1, 3]);
    let x = x.reshape([rows * instances, groups, places * size]);
    let centred = x.clone() - x.mean_dim(2);
    let variance = (centred.clone() * centred.clone()).mean_dim(2);
    let normed = centred / (variance + 1e-5).sqrt();
    let normed = normed
        .reshape([rows * instances, groups, places, size])
        .permute([0, 2, 1, 3]);
    let replicas = tape.replicas();
    let places = instances * places;
    tape.scale(normed.reshape([replicas, rows / replicas, places, channels]))
        .reshape([rows, width])
}

fn attention<B: Arithmetic>(spec: &AttentionSpec, x: Tensor<B, 2>) -> Tensor<B, 2> {
    let AttentionSpec {
        positions,
        width,
        heads,
        causal,
    } = *spec;
    let [rows, _] = x.dims();
    let depth = width / heads;
    // [part, rows · heads, positions, depth]
    let x = x
        .reshape([rows, positions, 3, heads, depth])
        .permute([2, 0, 3, 1, 4])
        .reshape([3, rows * heads, positions, depth]);
    let part = |i: usize| {
        let part = x.clone().narrow(0, i, 1);
        part.reshape([rows * heads, positions, depth])
    };
    let mut scores = B::product(part(0), part(1).transpose()) / (depth as f32).sqrt();
    if causal {
        let unseen = Tensor::<B, 2>::ones([positions, positions], &x.device()).triu(1);
        scores = scores - (unseen * 1e9).unsqueeze();
    }
    B::product(softmax(scores, 2), part(2))
        .reshape([rows, heads, positions, depth])
        .permute([0, 2, 1, 3])
        .reshape([rows, positions * width])
}
