//! What a layer is made of, in PyTorch's layout and in ours.

use super::NamedTensor;
use super::modules::Module;
use crate::Architecture;
use crate::architecture::{Conv2dSpec, ImageShape, LayerSpec, RecurrentSpec};
use std::fmt;

/// A layer with parameters, in the order of the model vector.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot<'a> {
    layer: &'a LayerSpec,
    /// The image that a linear layer's inputs are, if they are one with channels.
    image: Option<ImageShape>,
    /// Counted from 1.
    number: usize,
}

/// A tensor that a layer is made of.
struct Part {
    name: &'static str,
    shape: Vec<usize>,
    /// Zero if it is missing.
    optional: bool,
}

impl<'a> Slot<'a> {
    /// The layers with parameters.
    pub(super) fn all(architecture: &'a Architecture) -> Vec<Self> {
        let mut slots = Vec::new();
        collect(architecture.layers(), None, &mut slots);
        slots
    }

    fn parts(&self) -> Vec<Part> {
        let part = |name, shape: &[usize]| Part {
            name,
            shape: shape.to_vec(),
            optional: name.starts_with("bias"),
        };
        let recurrent = |spec: &RecurrentSpec, gates: usize| {
            let wide = gates * spec.hidden;
            vec![
                part("weight_ih", &[wide, spec.inputs]),
                part("weight_hh", &[wide, spec.hidden]),
                part("bias_ih", &[wide]),
                part("bias_hh", &[wide]),
            ]
        };
        match self.layer {
            LayerSpec::Linear {
                inputs, outputs, ..
            } => vec![
                part("weight", &[*outputs, *inputs]),
                part("bias", &[*outputs]),
            ],
            LayerSpec::Conv2d(spec) => vec![
                part(
                    "weight",
                    &[
                        spec.outputs,
                        spec.part().image.channels,
                        spec.kernel,
                        spec.kernel,
                    ],
                ),
                part("bias", &[spec.outputs]),
            ],
            LayerSpec::Embedding {
                vocabulary, width, ..
            } => vec![part("weight", &[*vocabulary, *width])],
            LayerSpec::Lstm(spec) => recurrent(spec, 4),
            LayerSpec::Gru(spec) => recurrent(spec, 3),
            LayerSpec::Normalize(spec) => vec![
                part("weight", &[spec.channels]),
                Part {
                    optional: false,
                    ..part("bias", &[spec.channels])
                },
            ],
            _ => Vec::new(),
        }
    }

    /// Whether the layer can be made of `module`, all of it.
    pub(super) fn fits(&self, module: &Module<'_>) -> bool {
        if let LayerSpec::Shift { width } = self.layer {
            let only = module.only();
            return only.is_some_and(|tensor| tensor.values.len() == *width);
        }
        let parts = self.parts();
        let fits = |part: &Part| match module.part(part.name) {
            Some(tensor) => tensor.shape == part.shape,
            None => part.optional,
        };
        let known = parts.iter().filter(|part| module.part(part.name).is_some());
        parts.iter().all(fits) && known.count() == module.len()
    }

    /// The tensors that it needs, in words.
    pub(super) fn wanted(&self) -> String {
        if let LayerSpec::Shift { width } = self.layer {
            return format!("one tensor of {width} numbers");
        }
        let part = |part: &Part| format!("{} {:?}", part.name, part.shape);
        let parts: Vec<String> = self.parts().iter().map(part).collect();
        parts.join(", ")
    }

    /// Appends the layer's parameters as the model vector has them; `module` fits.
    pub(super) fn write(&self, module: &Module<'_>, model: &mut Vec<f32>) {
        let get = |part: &str| module.part(part);
        match self.layer {
            LayerSpec::Linear {
                inputs, outputs, ..
            } => {
                for input in 0..*inputs {
                    let column = self
                        .image
                        .map_or(input, |image| plane_by_plane(image, input));
                    let weight = |output| get("weight").map(|w| w.values[output * inputs + column]);
                    model.extend((0..*outputs).filter_map(weight));
                }
                extend_with(model, get("bias"), *outputs);
            }
            LayerSpec::Conv2d(spec) => {
                let (part, bias) = (spec.part(), get("bias"));
                let size = part.window() * part.outputs;
                let weights = get("weight").map_or(&[][..], |weight| &weight.values);
                for (group, weights) in weights.chunks_exact(size).enumerate() {
                    convolution(&part, weights, model);
                    let mine = group * part.outputs..(group + 1) * part.outputs;
                    match bias {
                        Some(bias) => model.extend_from_slice(&bias.values[mine]),
                        None => model.resize(model.len() + part.outputs, 0.0),
                    }
                }
            }
            LayerSpec::Lstm(spec) => {
                let wide = 4 * spec.hidden;
                extend_transposed(model, get("weight_ih"), spec.inputs);
                extend_transposed(model, get("weight_hh"), spec.hidden);
                let at =
                    |part: Option<&NamedTensor>, gate: usize| part.map_or(0.0, |b| b.values[gate]);
                let (one, other) = (get("bias_ih"), get("bias_hh"));
                model.extend((0..wide).map(|gate| at(one, gate) + at(other, gate)));
            }
            LayerSpec::Gru(spec) => {
                let wide = 3 * spec.hidden;
                extend_transposed(model, get("weight_ih"), spec.inputs);
                extend_with(model, get("bias_ih"), wide);
                extend_transposed(model, get("weight_hh"), spec.hidden);
                extend_with(model, get("bias_hh"), wide);
            }
            LayerSpec::Normalize(spec) => {
                extend_with(model, get("weight"), spec.channels);
                extend_with(model, get("bias"), spec.channels);
            }
            // One tensor, as it is.
            _ => extend_with(model, module.only(), self.layer.parameters()),
        }
    }
}

impl fmt::Display for Slot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.layer {
            LayerSpec::Linear { .. } => "linear",
            LayerSpec::Conv2d(_) => "conv2d",
            LayerSpec::Embedding { .. } => "embedding",
            LayerSpec::Shift { .. } => "shift",
            LayerSpec::Lstm(_) => "lstm",
            LayerSpec::Gru(_) => "gru",
            _ => "normalisation",
        };
        write!(f, "parameter layer {}, {kind},", self.number)
    }
}

/// Appends the layers with parameters; `image` is what the first of `layers` reads, if it is one. Returns what the
/// last one writes.
fn collect<'a>(
    layers: &'a [LayerSpec],
    mut image: Option<ImageShape>,
    slots: &mut Vec<Slot<'a>>,
) -> Option<ImageShape> {
    for layer in layers {
        if let LayerSpec::Residual { branch, shortcut } = layer {
            let read = image;
            image = collect(branch, read, slots);
            collect(shortcut, read, slots);
            continue;
        }
        if layer.parameters() > 0 {
            slots.push(Slot {
                layer,
                image,
                number: slots.len() + 1,
            });
        }
        image = match layer {
            LayerSpec::Conv2d(spec) => Some(spec.output()),
            LayerSpec::MaxPool(spec) | LayerSpec::AveragePool(spec) => Some(spec.output()),
            LayerSpec::Relu { .. } | LayerSpec::Shift { .. } | LayerSpec::Normalize(_) => image,
            _ => None,
        };
    }
    image
}

/// Where PyTorch has number `at` of an image whose channels lie side by side: it keeps channel after channel.
const fn plane_by_plane(image: ImageShape, at: usize) -> usize {
    let (pixel, channel) = (at / image.channels, at % image.channels);
    channel * image.height * image.width + pixel
}

/// One group's `[outputs, channels, kernel, kernel]` as `[kernel · kernel · channels, outputs]`.
fn convolution(spec: &Conv2dSpec, weight: &[f32], model: &mut Vec<f32>) {
    let (kernel, channels) = (spec.kernel, spec.image.channels);
    for place in 0..kernel * kernel {
        for channel in 0..channels {
            let at =
                |output: usize| weight[(output * channels + channel) * kernel * kernel + place];
            model.extend((0..spec.outputs).map(at));
        }
    }
}

/// A tensor as it is; `length` zeros if there is none.
fn extend_with(model: &mut Vec<f32>, tensor: Option<&NamedTensor>, length: usize) {
    match tensor {
        Some(tensor) => model.extend_from_slice(&tensor.values),
        None => model.resize(model.len() + length, 0.0),
    }
}

/// `[rows, columns]` as `[columns, rows]`.
fn extend_transposed(model: &mut Vec<f32>, tensor: Option<&NamedTensor>, columns: usize) {
    let Some(tensor) = tensor else { return };
    for column in 0..columns {
        model.extend(tensor.values.iter().skip(column).step_by(columns));
    }
}
