//! What a model is made of, said once for every backend.

use primitives::ModelVector;
use rand::Rng;

/// One layer. Images lie row by row with the channels of a pixel side by side (height, width, channels).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayerSpec {
    /// `y = x W + b` at each of `positions` places of a record. `W`: `[inputs, outputs]`.
    Linear {
        /// Places of a record that the same weights are applied to; 1 for a plain dense layer.
        positions: usize,
        /// Numbers read at each place.
        inputs: usize,
        /// Numbers written at each place.
        outputs: usize,
    },
    /// `y = max(x, 0)`.
    Relu {
        /// Numbers a record.
        width: usize,
    },
    /// Convolution with zero padding. `W`: `[kernel · kernel · channels, outputs]`; in groups, the weights and biases of
    /// each group in turn.
    Conv2d(Conv2dSpec),
    /// Largest value of every window, channel by channel.
    MaxPool(PoolSpec),
    /// Mean of every window, channel by channel.
    AveragePool(PoolSpec),
    /// The row of a table for every token. Table: `[vocabulary, width]`.
    Embedding {
        /// Tokens a record.
        positions: usize,
        /// Rows of the table.
        vocabulary: usize,
        /// Numbers a row.
        width: usize,
    },
    /// `y = x + P`, a learnt number for every number of a record.
    Shift {
        /// Numbers a record.
        width: usize,
    },
    /// Long short-term memory (Hochreiter and Schmidhuber 1997): the state after every position.
    ///
    /// Parameters: `W` `[inputs + hidden, 4 hidden]` and a bias, columns in the order input, forget, cell, output.
    Lstm(RecurrentSpec),
    /// Gated recurrent units (Cho et al. 2014, with the reset after the product): the state after every position.
    ///
    /// Parameters: `W` `[inputs, 3 hidden]`, bias, `U` `[hidden, 3 hidden]`, bias, columns in the order reset,
    /// update, new.
    Gru(RecurrentSpec),
    /// The numbers at the last position.
    Last {
        /// Positions a record.
        positions: usize,
        /// Numbers a position.
        width: usize,
    },
    /// The mean over positions.
    Mean {
        /// Positions a record.
        positions: usize,
        /// Numbers a position.
        width: usize,
    },
    /// Normalisation within a record: layer norm or group norm. Parameters: scales, then shifts, `[channels]` each.
    Normalize(NormSpec),
    /// Scaled dot-product attention among the positions of a record, without weights of its own. Reads queries,
    /// keys and values side by side, `[positions, 3 width]`; writes `[positions, width]`.
    Attention(AttentionSpec),
    /// `y = branch(x) + shortcut(x)`; an empty shortcut is `x` itself. Parameters: the branch's, then the shortcut's.
    Residual {
        /// Layers that are learnt on top.
        branch: Vec<LayerSpec>,
        /// Layers that bring `x` into the branch's shape.
        shortcut: Vec<LayerSpec>,
    },
}

/// Shape of a recurrent layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecurrentSpec {
    /// Positions a record.
    pub positions: usize,
    /// Numbers read at each.
    pub inputs: usize,
    /// Numbers of the state, written at each.
    pub hidden: usize,
}

/// Which numbers of a record share a mean and a variance.
///
/// Layer norm: `instances` positions of one place each, one group. Group norm: one instance whose places are pixels.
/// Batch norm is not among them: its mean runs over other people's records, so no record's gradient is its own and
/// clipping bounds nothing. Use group norm instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NormSpec {
    /// Parts of a record that are normalised each by itself.
    pub instances: usize,
    /// Places of a part, normalised together.
    pub places: usize,
    /// Numbers a place, each with its scale and shift.
    pub channels: usize,
    /// Groups of neighbouring channels, normalised each by itself.
    pub groups: usize,
}

/// Shape of an attention layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionSpec {
    /// Positions a record.
    pub positions: usize,
    /// Numbers a position.
    pub width: usize,
    /// Heads that share the width.
    pub heads: usize,
    /// Whether a position sees only itself and those before it.
    pub causal: bool,
}

/// Shape of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dSpec {
    /// The image that is read.
    pub image: ImageShape,
    /// Channels written.
    pub outputs: usize,
    /// Side of the square window.
    pub kernel: usize,
    /// Pixels from window to window.
    pub stride: usize,
    /// Rows and columns of zeros on every side.
    pub padding: usize,
    /// Shares that channels and outputs fall into: outputs of a share read the channels of the same share alone.
    pub groups: usize,
}

/// Shape of a pooling layer; windows lie inside the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSpec {
    /// The image that is read.
    pub image: ImageShape,
    /// Side of the square window.
    pub kernel: usize,
    /// Pixels from window to window.
    pub stride: usize,
}

/// Height, width and channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageShape {
    /// Rows of pixels.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Numbers a pixel.
    pub channels: usize,
}

impl ImageShape {
    /// Numbers in one image.
    pub const fn len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Conv2dSpec {
    /// The image that is written.
    pub const fn output(&self) -> ImageShape {
        ImageShape {
            height: (self.image.height + 2 * self.padding - self.kernel) / self.stride + 1,
            width: (self.image.width + 2 * self.padding - self.kernel) / self.stride + 1,
            channels: self.outputs,
        }
    }

    /// Numbers in one window that an output reads.
    pub const fn window(&self) -> usize {
        self.kernel * self.kernel * self.image.channels / self.groups
    }

    /// One group by itself.
    #[must_use]
    pub const fn part(&self) -> Self {
        let mut part = *self;
        part.image.channels /= self.groups;
        part.outputs /= self.groups;
        part.groups = 1;
        part
    }
}

impl PoolSpec {
    /// The image that is written.
    pub const fn output(&self) -> ImageShape {
        ImageShape {
            height: (self.image.height - self.kernel) / self.stride + 1,
            width: (self.image.width - self.kernel) / self.stride + 1,
            channels: self.image.channels,
        }
    }
}

impl NormSpec {
    /// Numbers a record.
    pub const fn width(&self) -> usize {
        self.instances * self.places * self.channels
    }
}

impl LayerSpec {
    /// Numbers read, a record.
    pub fn inputs(&self) -> usize {
        match self {
            Self::Linear {
                positions, inputs, ..
            } => positions * inputs,
            Self::Relu { width } | Self::Shift { width } => *width,
            Self::Conv2d(spec) => spec.image.len(),
            Self::MaxPool(spec) | Self::AveragePool(spec) => spec.image.len(),
            Self::Embedding { positions, .. } => *positions,
            Self::Lstm(spec) | Self::Gru(spec) => spec.positions * spec.inputs,
            Self::Last { positions, width } | Self::Mean { positions, width } => positions * width,
            Self::Normalize(spec) => spec.width(),
            Self::Attention(spec) => 3 * spec.positions * spec.width,
            Self::Residual { branch, .. } => branch.first().map_or(0, Self::inputs),
        }
    }

    /// Numbers written, a record.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Linear {
                positions, outputs, ..
            } => positions * outputs,
            Self::Relu { width }
            | Self::Shift { width }
            | Self::Last { width, .. }
            | Self::Mean { width, .. } => *width,
            Self::Conv2d(spec) => spec.output().len(),
            Self::MaxPool(spec) | Self::AveragePool(spec) => spec.output().len(),
            Self::Embedding {
                positions, width, ..
            } => positions * width,
            Self::Lstm(spec) | Self::Gru(spec) => spec.positions * spec.hidden,
            Self::Normalize(spec) => spec.width(),
            Self::Attention(spec) => spec.positions * spec.width,
            Self::Residual { branch, .. } => branch.last().map_or(0, Self::outputs),
        }
    }

    /// Numbers that are learnt.
    pub fn parameters(&self) -> usize {
        match self {
            Self::Linear {
                inputs, outputs, ..
            } => (inputs + 1) * outputs,
            Self::Conv2d(spec) => (spec.window() + 1) * spec.outputs,
            Self::Embedding {
                vocabulary, width, ..
            } => vocabulary * width,
            Self::Shift { width } => *width,
            Self::Lstm(spec) => (spec.inputs + spec.hidden + 1) * 4 * spec.hidden,
            Self::Gru(spec) => (spec.inputs + spec.hidden + 2) * 3 * spec.hidden,
            Self::Normalize(spec) => 2 * spec.channels,
            Self::Residual { branch, shortcut } => {
                branch.iter().chain(shortcut).map(Self::parameters).sum()
            }
            Self::Relu { .. }
            | Self::MaxPool(_)
            | Self::AveragePool(_)
            | Self::Last { .. }
            | Self::Mean { .. }
            | Self::Attention(_) => 0,
        }
    }

    /// Appends initial parameters to `model`.
    fn initialise(&self, rng: &mut impl Rng, model: &mut Vec<f32>) {
        let inputs = match self {
            Self::Linear { inputs, .. } => *inputs,
            Self::Conv2d(spec) => spec.window(),
            Self::Embedding { .. } => 1,
            Self::Lstm(spec) | Self::Gru(spec) => spec.hidden,
            Self::Shift { width } => return model.extend(std::iter::repeat_n(0.0, *width)),
            Self::Normalize(spec) => {
                model.extend(std::iter::repeat_n(1.0, spec.channels));
                return model.extend(std::iter::repeat_n(0.0, spec.channels));
            }
            Self::Residual { branch, shortcut } => {
                return branch
                    .iter()
                    .chain(shortcut)
                    .for_each(|layer| layer.initialise(rng, model));
            }
            Self::Relu { .. }
            | Self::MaxPool(_)
            | Self::AveragePool(_)
            | Self::Last { .. }
            | Self::Mean { .. }
            | Self::Attention(_) => return,
        };
        let bound = 1.0 / (inputs as f32).sqrt();
        model.extend((0..self.parameters()).map(|_| bound * uniform(rng)));
    }
}

/// Layers that make no model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchitectureError {
    /// No layer.
    #[error("a model of no layers: give at least one")]
    Empty,
    /// Two neighbours, or a branch and its shortcut, of different widths.
    #[error("{what} of {found} numbers where {expected} are needed")]
    Width {
        /// Where.
        what: &'static str,
        /// Numbers there are.
        found: usize,
        /// Numbers there should be.
        expected: usize,
    },
    /// A convolution whose groups do not come out even.
    #[error(
        "a convolution in {groups} groups of {channels} channels and {outputs} outputs: choose a divisor of both"
    )]
    Groups {
        /// Groups.
        groups: usize,
        /// Channels read.
        channels: usize,
        /// Channels written.
        outputs: usize,
    },
}

/// `Ok` if every layer reads what the one before writes, within branches too.
fn check(layers: &[LayerSpec]) -> Result<(), ArchitectureError> {
    let same = |what, found, expected| {
        if found == expected {
            Ok(())
        } else {
            Err(ArchitectureError::Width {
                what,
                found,
                expected,
            })
        }
    };
    for pair in layers.windows(2) {
        same("a layer's output", pair[0].outputs(), pair[1].inputs())?;
    }
    for layer in layers {
        if let LayerSpec::Conv2d(spec) = layer {
            let (channels, outputs, groups) = (spec.image.channels, spec.outputs, spec.groups);
            if groups == 0 || channels % groups > 0 || outputs % groups > 0 {
                return Err(ArchitectureError::Groups {
                    groups,
                    channels,
                    outputs,
                });
            }
        }
        let LayerSpec::Residual { branch, shortcut } = layer else {
            continue;
        };
        check(branch)?;
        check(shortcut)?;
        let skipped = shortcut.first().map_or(layer.inputs(), LayerSpec::inputs);
        same("a shortcut's input", skipped, layer.inputs())?;
        let skipped = shortcut.last().map_or(layer.inputs(), LayerSpec::outputs);
        same("a shortcut's output", skipped, layer.outputs())?;
    }
    Ok(())
}

/// A model as a chain of layers that ends in one logit a class.
///
/// The model vector holds the parameters of the layers in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Architecture {
    layers: Vec<LayerSpec>,
}

impl Architecture {
    /// A chain of layers, each reading what the one before writes.
    ///
    /// # Errors
    /// If there is no layer, or two neighbours do not fit.
    pub fn try_new(layers: Vec<LayerSpec>) -> Result<Self, ArchitectureError> {
        if layers.is_empty() {
            return Err(ArchitectureError::Empty);
        }
        check(&layers)?;
        Ok(Self { layers })
    }

    /// The layers, first to last.
    pub fn layers(&self) -> &[LayerSpec] {
        &self.layers
    }

    /// Features a record.
    pub fn inputs(&self) -> usize {
        self.layers[0].inputs()
    }

    /// Numbers that come out for a record: a logit for each class, or the one number that is predicted.
    pub fn outputs(&self) -> usize {
        self.layers[self.layers.len() - 1].outputs()
    }

    /// Length of the model vector.
    pub fn parameters(&self) -> usize {
        self.layers.iter().map(LayerSpec::parameters).sum()
    }

    /// Initial weights, drawn in the order of the vector.
    ///
    /// Weights and biases are uniform in `±1/√inputs` of each output, PyTorch's default for dense and convolutional
    /// layers; in recurrent layers `±1/√hidden`; tables of tokens `±1`; scales one and shifts zero.
    pub fn initial(&self, rng: &mut impl Rng) -> ModelVector {
        let mut model = Vec::with_capacity(self.parameters());
        for layer in &self.layers {
            layer.initialise(rng, &mut model);
        }
        ModelVector::from(model)
    }
}

/// Uniform in `[-1, 1)` with 24 bits.
fn uniform(rng: &mut impl Rng) -> f32 {
    (rng.next_u32() >> 8) as f32 / (1 << 23) as f32 - 1.0
}
