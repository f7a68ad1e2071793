//! The models that a scenario can name.

use crate::architecture::{ArchitectureError, ImageShape, LayerSpec};
use crate::zoo::{convnet, dense, recurrent, resnet, transformer};
use crate::{Architecture, Norm, Recurrent};
use serde::{Deserialize, Serialize};

/// A model by name, as a scenario's `[model]` table writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ModelConfig {
    /// Multinomial logistic regression, for classes.
    Logistic {},
    /// Linear regression, for a number.
    Linear {},
    /// Dense layers with rectifiers between them.
    Mlp {
        /// Widths of the hidden layers, from the input on.
        hidden: Vec<usize>,
    },
    /// A convolutional network for images.
    Convnet {
        /// Whose.
        #[serde(default)]
        shape: ConvnetShape,
    },
    /// Long short-term memory that reads a text and predicts what comes next; by default LEAF's model for
    /// Shakespeare (Caldas et al. 2018, arXiv 1812.01097).
    Lstm(Recurrent),
    /// The same with gated recurrent units.
    Gru(Recurrent),
    /// A transformer that reads a text: attention and a dense part in turn, each behind a layer norm and beside a
    /// shortcut; the mean over positions predicts the class.
    Transformer {
        /// Numbers a position.
        #[serde(default = "defaults::width")]
        width: usize,
        /// Heads of attention; they share the width.
        #[serde(default = "defaults::heads")]
        heads: usize,
        /// Numbers in the middle of the dense part.
        #[serde(default = "defaults::feedforward")]
        feedforward: usize,
        /// Blocks of attention and dense part.
        #[serde(default = "defaults::blocks")]
        blocks: usize,
    },
    /// A residual network for images with group norm in place of batch norm, after He et al. 2016 (arXiv 1512.03385)
    /// for CIFAR: three stages of 1, 2 and 4 times `channels`, each of so many `blocks` of two convolutions.
    ResnetGn {
        /// Channels of the first stage.
        #[serde(default = "defaults::channels")]
        channels: usize,
        /// How channels are normalised.
        #[serde(default)]
        norm: Norm,
        /// Groups that every stage's channels are normalised in.
        #[serde(default = "defaults::groups")]
        groups: usize,
        /// Blocks a stage.
        #[serde(default = "defaults::blocks")]
        blocks: usize,
        /// Groups that the convolutions of a block fall into (ResNeXt, Xie et al. 2017, arXiv 1611.05431).
        #[serde(default = "defaults::cardinality")]
        cardinality: usize,
    },
}

/// What a scenario may leave out.
mod defaults {
    pub(super) const fn width() -> usize {
        128
    }
    pub(super) const fn heads() -> usize {
        4
    }
    pub(super) const fn feedforward() -> usize {
        512
    }
    pub(super) const fn blocks() -> usize {
        1
    }
    pub(super) const fn channels() -> usize {
        16
    }
    pub(super) const fn groups() -> usize {
        4
    }
    pub(super) const fn cardinality() -> usize {
        1
    }
}

/// Convolutional networks that results are published for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConvnetShape {
    /// The MNIST example of Opacus, after Papernot et al. 2020 (arXiv 2007.14191): 26,010 parameters for
    /// 28 × 28 and ten classes.
    #[default]
    OpacusMnist,
    /// LEAF's model for FEMNIST (Caldas et al. 2018, arXiv 1812.01097): 6,603,710 parameters for 28 × 28 and
    /// 62 classes.
    LeafFemnist,
}

/// What a record's features are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputShape {
    /// So many numbers in no order.
    Features(usize),
    /// An image.
    Image(ImageShape),
    /// A text of so many characters out of a vocabulary.
    Tokens {
        /// Characters a record.
        length: usize,
        /// Characters that there are.
        vocabulary: usize,
    },
}

/// A model that the data does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// The data is of another kind than the model reads.
    #[error(
        "model {model} reads {reads}, the data has {found}; choose a model for it, or other data"
    )]
    Input {
        /// The model's name.
        model: &'static str,
        /// What it reads.
        reads: &'static str,
        /// What the data has.
        found: String,
    },
    /// A layer without width.
    #[error("model.{key} = 0: every size is at least 1")]
    Size {
        /// The key in the scenario.
        key: &'static str,
    },
    /// Parts that do not come out even.
    #[error("model.{parts} = {count} does not divide model.{whole} = {size}: choose a divisor")]
    Uneven {
        /// The key of the parts.
        parts: &'static str,
        /// How many there are.
        count: usize,
        /// The key of the whole.
        whole: &'static str,
        /// What there is to divide.
        size: usize,
    },
    /// Layers that do not fit each other.
    #[error(transparent)]
    Layers(#[from] ArchitectureError),
    /// Fewer than two classes.
    #[error("{0} classes: a model tells at least two apart")]
    Classes(usize),
    /// A model for classes and data with targets, or the other way round.
    #[error(
        "model {model} predicts {predicts}, the data has {found}; choose model.kind = {instead:?}"
    )]
    Predicts {
        /// The model's name.
        model: &'static str,
        /// What it predicts.
        predicts: &'static str,
        /// What the data has.
        found: &'static str,
        /// What to take instead.
        instead: &'static str,
    },
}

impl ModelConfig {
    /// The name that a scenario writes.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Logistic {} => "logistic",
            Self::Linear {} => "linear",
            Self::Mlp { .. } => "mlp",
            Self::Convnet { .. } => "convnet",
            Self::Lstm(_) => "lstm",
            Self::Gru(_) => "gru",
            Self::Transformer { .. } => "transformer",
            Self::ResnetGn { .. } => "resnet-gn",
        }
    }

    /// The layers of this model for data of so many classes.
    ///
    /// # Errors
    /// If the model cannot read such data, does not predict classes, or a size makes no sense.
    pub fn architecture(
        &self,
        input: InputShape,
        classes: usize,
    ) -> Result<Architecture, ModelError> {
        if classes < 2 {
            return Err(ModelError::Classes(classes));
        }
        if *self == (Self::Linear {}) {
            return Err(ModelError::Predicts {
                model: self.name(),
                predicts: "a number",
                found: "classes",
                instead: "logistic",
            });
        }
        self.layers(input, classes)
    }

    /// The layers of this model for data whose labels are targets: with one output, the number that is predicted.
    ///
    /// # Errors
    /// If the model cannot read such data, does not predict numbers, or a size makes no sense.
    pub fn regressor(&self, input: InputShape) -> Result<Architecture, ModelError> {
        if *self == (Self::Logistic {}) {
            return Err(ModelError::Predicts {
                model: self.name(),
                predicts: "classes",
                found: "numbers to predict",
                instead: "linear",
            });
        }
        self.layers(input, 1)
    }

    /// The layers with so many outputs.
    fn layers(&self, input: InputShape, classes: usize) -> Result<Architecture, ModelError> {
        let layers = match self {
            Self::Logistic {} | Self::Linear {} => dense(self.features(input)?, &[], classes),
            Self::Mlp { hidden } => {
                hidden
                    .iter()
                    .try_for_each(|&size| positive("hidden", size))?;
                dense(self.features(input)?, hidden, classes)
            }
            Self::Convnet { shape } => convnet(*shape, self.image(input)?, classes),
            Self::Lstm(sizes) => {
                recurrent(LayerSpec::Lstm, sizes.check()?, self.text(input)?, classes)
            }
            Self::Gru(sizes) => {
                recurrent(LayerSpec::Gru, sizes.check()?, self.text(input)?, classes)
            }
            Self::Transformer {
                width,
                heads,
                feedforward,
                blocks,
            } => {
                positive("feedforward", *feedforward)?;
                positive("blocks", *blocks)?;
                divides(("heads", *heads), ("width", *width))?;
                transformer(
                    (*width, *heads, *feedforward, *blocks),
                    self.text(input)?,
                    classes,
                )
            }
            Self::ResnetGn {
                channels,
                norm: Norm::Group,
                groups,
                blocks,
                cardinality,
            } => {
                positive("blocks", *blocks)?;
                divides(("groups", *groups), ("channels", *channels))?;
                divides(("cardinality", *cardinality), ("channels", *channels))?;
                resnet(
                    (*channels, *groups, *blocks),
                    *cardinality,
                    self.image(input)?,
                    classes,
                )
            }
        };
        Ok(Architecture::try_new(layers)?)
    }

    fn features(&self, input: InputShape) -> Result<usize, ModelError> {
        match input {
            InputShape::Features(features) if features > 0 => Ok(features),
            InputShape::Image(image) if !image.is_empty() => Ok(image.len()),
            _ => Err(self.cannot_read(input, "numbers or an image")),
        }
    }

    fn image(&self, input: InputShape) -> Result<ImageShape, ModelError> {
        match input {
            InputShape::Image(image)
                if image.channels == 1 && image.height >= 14 && image.width >= 14 =>
            {
                Ok(image)
            }
            _ => Err(self.cannot_read(input, "grey images of at least 14 × 14")),
        }
    }

    /// Positions and vocabulary.
    fn text(&self, input: InputShape) -> Result<(usize, usize), ModelError> {
        match input {
            InputShape::Tokens { length, vocabulary } if length > 0 && vocabulary > 0 => {
                Ok((length, vocabulary))
            }
            _ => Err(self.cannot_read(input, "texts")),
        }
    }

    fn cannot_read(&self, input: InputShape, reads: &'static str) -> ModelError {
        let found = match input {
            InputShape::Features(features) => format!("{features} numbers a record"),
            InputShape::Image(ImageShape {
                height,
                width,
                channels,
            }) => {
                format!("images of {height} × {width} × {channels}")
            }
            InputShape::Tokens { length, .. } => format!("texts of {length} characters"),
        };
        ModelError::Input {
            model: self.name(),
            reads,
            found,
        }
    }
}

pub(crate) const fn positive(key: &'static str, size: usize) -> Result<(), ModelError> {
    if size == 0 {
        Err(ModelError::Size { key })
    } else {
        Ok(())
    }
}

fn divides(
    (parts, count): (&'static str, usize),
    (whole, size): (&'static str, usize),
) -> Result<(), ModelError> {
    positive(parts, count)?;
    positive(whole, size)?;
    if size.is_multiple_of(count) {
        Ok(())
    } else {
        Err(ModelError::Uneven {
            parts,
            count,
            whole,
            size,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MNIST: InputShape = InputShape::Image(ImageShape {
        height: 28,
        width: 28,
        channels: 1,
    });

    #[test]
    fn published_models_have_their_published_sizes() {
        let size =
            |model: &ModelConfig, classes| model.architecture(MNIST, classes).unwrap().parameters();
        let opacus = ModelConfig::Convnet {
            shape: ConvnetShape::OpacusMnist,
        };
        let leaf = ModelConfig::Convnet {
            shape: ConvnetShape::LeafFemnist,
        };
        assert_eq!(size(&opacus, 10), 26_010);
        assert_eq!(size(&leaf, 62), 6_603_710);
        assert_eq!(
            size(
                &ModelConfig::Mlp {
                    hidden: vec![256, 128]
                },
                10
            ),
            235_146
        );
        assert_eq!(size(&ModelConfig::Logistic {}, 10), 7_850);
    }

    #[test]
    fn every_convnet_fits_the_smallest_image_it_accepts() {
        let smallest = InputShape::Image(ImageShape {
            height: 14,
            width: 14,
            channels: 1,
        });
        for shape in [ConvnetShape::OpacusMnist, ConvnetShape::LeafFemnist] {
            let model = ModelConfig::Convnet { shape }
                .architecture(smallest, 10)
                .unwrap();
            assert_eq!((model.inputs(), model.outputs()), (196, 10));
        }
    }

    #[test]
    fn a_model_that_the_data_does_not_fit_is_refused_with_a_remedy() {
        let error = ModelConfig::Convnet {
            shape: ConvnetShape::OpacusMnist,
        }
        .architecture(InputShape::Features(20), 2)
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "model convnet reads grey images of at least 14 × 14, the data has 20 numbers a record; \
             choose a model for it, or other data"
        );
        let hidden = ModelConfig::Mlp { hidden: vec![8, 0] };
        assert!(hidden.architecture(InputShape::Features(20), 2).is_err());
        assert!(
            ModelConfig::Logistic {}
                .architecture(InputShape::Features(20), 1)
                .is_err()
        );
    }

    #[test]
    fn a_number_takes_one_output_and_a_model_for_numbers() {
        let numbers = InputShape::Features(20);
        let size = |model: ModelConfig| model.regressor(numbers).unwrap().parameters();
        assert_eq!(size(ModelConfig::Linear {}), 21);
        assert_eq!(size(ModelConfig::Mlp { hidden: vec![8] }), 21 * 8 + 9);
        let error = ModelConfig::Logistic {}.regressor(numbers).unwrap_err();
        assert_eq!(
            error.to_string(),
            "model logistic predicts classes, the data has numbers to predict; choose model.kind = \"linear\""
        );
        let error = ModelConfig::Linear {}.architecture(numbers, 3).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("choose model.kind = \"logistic\"")
        );
    }

    #[test]
    fn texts_get_models_of_their_own() {
        let text = InputShape::Tokens {
            length: 80,
            vocabulary: 80,
        };
        let size = |json: &str| {
            let config: ModelConfig = serde_json::from_str(json).unwrap();
            config.architecture(text, 80).unwrap().parameters()
        };
        // LEAF's stacked LSTM: table, two layers with one bias each, head.
        assert_eq!(
            size(r#"{"kind": "lstm"}"#),
            80 * 8 + (264 + 1) * 1024 + (512 + 1) * 1024 + 257 * 80
        );
        assert_eq!(
            size(r#"{"kind": "gru", "layers": 1}"#),
            80 * 8 + (8 + 1 + 256 + 1) * 768 + 257 * 80
        );
        assert_eq!(
            size(r#"{"kind": "transformer"}"#),
            2 * 80 * 128 + 129 * 384 + 129 * 128 + 129 * 512 + 513 * 128 + 3 * 256 + 129 * 80
        );
    }

    #[test]
    fn what_a_scenario_cannot_mean_is_refused() {
        let refusal = |json: &str| {
            serde_json::from_str::<ModelConfig>(json)
                .unwrap_err()
                .to_string()
        };
        assert!(
            refusal(r#"{"kind": "resnet-gn", "norm": "batch"}"#).contains("other people's records")
        );
        assert!(refusal(r#"{"kind": "lstm", "width": 3}"#).contains("unknown field `width`"));
        assert!(refusal(r#"{"kind": "logistic", "hidden": 3}"#).contains("unknown field `hidden`"));
        let uneven = ModelConfig::Transformer {
            width: 10,
            heads: 4,
            feedforward: 8,
            blocks: 1,
        };
        let text = InputShape::Tokens {
            length: 8,
            vocabulary: 9,
        };
        let error = uneven.architecture(text, 9).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("model.heads = 4 does not divide model.width = 10")
        );
    }
}
