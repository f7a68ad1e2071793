//! The layers of the models that can be named.

use crate::architecture::{
    AttentionSpec, Conv2dSpec, ImageShape, LayerSpec, NormSpec, PoolSpec, RecurrentSpec,
};
use crate::{ConvnetShape, Recurrent};

pub(crate) fn dense(features: usize, hidden: &[usize], classes: usize) -> Vec<LayerSpec> {
    let mut layers = Vec::new();
    let mut inputs = features;
    for &outputs in hidden {
        layers.push(LayerSpec::Linear {
            positions: 1,
            inputs,
            outputs,
        });
        layers.push(LayerSpec::Relu { width: outputs });
        inputs = outputs;
    }
    layers.push(LayerSpec::Linear {
        positions: 1,
        inputs,
        outputs: classes,
    });
    layers
}

pub(crate) fn convnet(shape: ConvnetShape, image: ImageShape, classes: usize) -> Vec<LayerSpec> {
    let mut layers = Vec::new();
    let mut block = |image, outputs, (kernel, stride, padding), (window, step)| {
        let convolution = Conv2dSpec {
            image,
            outputs,
            kernel,
            stride,
            padding,
            groups: 1,
        };
        let pool = PoolSpec {
            image: convolution.output(),
            kernel: window,
            stride: step,
        };
        layers.push(LayerSpec::Conv2d(convolution));
        layers.push(LayerSpec::Relu {
            width: pool.image.len(),
        });
        layers.push(LayerSpec::MaxPool(pool));
        pool.output()
    };
    let (image, hidden) = match shape {
        ConvnetShape::OpacusMnist => {
            let image = block(image, 16, (8, 2, 3), (2, 1));
            (block(image, 32, (4, 2, 0), (2, 1)), 32)
        }
        ConvnetShape::LeafFemnist => {
            let image = block(image, 32, (5, 1, 2), (2, 2));
            (block(image, 64, (5, 1, 2), (2, 2)), 2048)
        }
    };
    layers.extend(dense(image.len(), &[hidden], classes));
    layers
}

pub(crate) fn recurrent(
    layer: fn(RecurrentSpec) -> LayerSpec,
    sizes: &Recurrent,
    (positions, vocabulary): (usize, usize),
    classes: usize,
) -> Vec<LayerSpec> {
    let Recurrent {
        embedding,
        hidden,
        layers,
    } = *sizes;
    let mut chain = vec![LayerSpec::Embedding {
        positions,
        vocabulary,
        width: embedding,
    }];
    chain.push(layer(RecurrentSpec {
        positions,
        inputs: embedding,
        hidden,
    }));
    for _ in 1..layers {
        chain.push(layer(RecurrentSpec {
            positions,
            inputs: hidden,
            hidden,
        }));
    }
    chain.push(LayerSpec::Last {
        positions,
        width: hidden,
    });
    chain.extend(dense(hidden, &[], classes));
    chain
}

pub(crate) fn transformer(
    (width, heads, feedforward, blocks): (usize, usize, usize, usize),
    (positions, vocabulary): (usize, usize),
    classes: usize,
) -> Vec<LayerSpec> {
    let numbers = positions * width;
    let norm = NormSpec {
        instances: positions,
        places: 1,
        channels: width,
        groups: 1,
    };
    let attention = AttentionSpec {
        positions,
        width,
        heads,
        causal: false,
    };
    let linear = |inputs, outputs| LayerSpec::Linear {
        positions,
        inputs,
        outputs,
    };
    let beside = |branch| LayerSpec::Residual {
        branch,
        shortcut: Vec::new(),
    };
    let mut chain = vec![
        LayerSpec::Embedding {
            positions,
            vocabulary,
            width,
        },
        LayerSpec::Shift { width: numbers },
    ];
    for _ in 0..blocks {
        chain.push(beside(vec![
            LayerSpec::Normalize(norm),
            linear(width, 3 * width),
            LayerSpec::Attention(attention),
            linear(width, width),
        ]));
        chain.push(beside(vec![
            LayerSpec::Normalize(norm),
            linear(width, feedforward),
            LayerSpec::Relu {
                width: positions * feedforward,
            },
            linear(feedforward, width),
        ]));
    }
    chain.push(LayerSpec::Normalize(norm));
    chain.push(LayerSpec::Mean { positions, width });
    chain.extend(dense(width, &[], classes));
    chain
}

pub(crate) fn resnet(
    (channels, groups, blocks): (usize, usize, usize),
    cardinality: usize,
    image: ImageShape,
    classes: usize,
) -> Vec<LayerSpec> {
    let convolution = |image, outputs, kernel, stride| Conv2dSpec {
        image,
        outputs,
        kernel,
        stride,
        padding: kernel / 2,
        groups: 1,
    };
    let in_groups = |image, outputs, stride| Conv2dSpec {
        groups: cardinality,
        ..convolution(image, outputs, 3, stride)
    };
    let norm = |image: ImageShape| {
        LayerSpec::Normalize(NormSpec {
            instances: 1,
            places: image.height * image.width,
            channels: image.channels,
            groups,
        })
    };
    let relu = |image: ImageShape| LayerSpec::Relu { width: image.len() };
    let first = convolution(image, channels, 3, 1);
    let mut image = first.output();
    let mut chain = vec![LayerSpec::Conv2d(first), norm(image), relu(image)];
    for stage in 0..3 {
        for block in 0..blocks {
            let narrows = stage > 0 && block == 0;
            let stride = if narrows { 2 } else { 1 };
            let one = in_groups(image, channels << stage, stride);
            let two = in_groups(one.output(), channels << stage, 1);
            let shortcut = LayerSpec::Conv2d(convolution(image, channels << stage, 1, stride));
            image = two.output();
            chain.push(LayerSpec::Residual {
                branch: vec![
                    LayerSpec::Conv2d(one),
                    norm(image),
                    relu(image),
                    LayerSpec::Conv2d(two),
                    norm(image),
                ],
                shortcut: if narrows { vec![shortcut] } else { Vec::new() },
            });
            chain.push(relu(image));
        }
    }
    chain.push(LayerSpec::Mean {
        positions: image.height * image.width,
        width: image.channels,
    });
    chain.extend(dense(image.channels, &[], classes));
    chain
}
