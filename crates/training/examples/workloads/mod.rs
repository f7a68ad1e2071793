//! What the benches of steps train, on records made up for it.

use primitives::{Role, Seed, Stream, noise};
use rand_chacha::ChaCha20Rng;
use siloscope_training::architecture::ImageShape;
use siloscope_training::{Architecture, ConvnetShape, InputShape, ModelConfig, Recurrent};

/// A model and the records it reads.
pub(crate) struct Workload {
    /// What the benches call it.
    pub(crate) name: &'static str,
    model: ModelConfig,
    input: InputShape,
    /// Classes of a label.
    pub(crate) classes: usize,
    /// Records of a batch on the CPU.
    #[allow(dead_code, reason = "on a device the batch is asked for")]
    pub(crate) records: usize,
}

impl Workload {
    /// The workload of this name.
    ///
    /// # Panics
    /// If there is none.
    pub(crate) fn named(name: &str) -> Self {
        let workload = all().into_iter().find(|workload| workload.name == name);
        workload.unwrap_or_else(|| panic!("there is no workload {name:?}"))
    }

    /// The model.
    pub(crate) fn architecture(&self) -> Architecture {
        let model = self.model.architecture(self.input, self.classes);
        model.expect("the workload's model fits its data")
    }

    /// The shape of a record's features.
    #[allow(dead_code, reason = "batches have none")]
    pub(crate) fn shape(&self) -> Vec<usize> {
        match self.input {
            InputShape::Features(width) => vec![width],
            InputShape::Image(image) => vec![image.channels, image.height, image.width],
            InputShape::Tokens { length, .. } => vec![length],
        }
    }

    /// Features of so many records: normals, or tokens of the vocabulary. Shape: `[records, inputs]`.
    pub(crate) fn features(&self, records: usize) -> Vec<f32> {
        let mut features = vec![0.0; records * self.architecture().inputs()];
        noise::add(&mut stream(Role::Generate), 1.0, &mut features);
        if let InputShape::Tokens { vocabulary, .. } = self.input {
            for token in &mut features {
                *token = (token.abs() * 1000.0).floor() % vocabulary as f32;
            }
        }
        features
    }

    /// A class for each of so many records.
    pub(crate) fn labels(&self, records: usize) -> Vec<u32> {
        (0..records)
            .map(|i| (i * 7 % self.classes) as u32)
            .collect()
    }
}

/// The stream of the benches' one seed.
pub(crate) fn stream(role: Role) -> ChaCha20Rng {
    Seed::from_number(1).stream(Stream::run(role))
}

fn all() -> [Workload; 5] {
    let digits = InputShape::Image(ImageShape {
        height: 28,
        width: 28,
        channels: 1,
    });
    let text = InputShape::Tokens {
        length: 80,
        vocabulary: 80,
    };
    let mlp = |name, hidden: &[usize]| Workload {
        name,
        model: ModelConfig::Mlp {
            hidden: hidden.to_vec(),
        },
        input: InputShape::Features(784),
        classes: 10,
        records: 256,
    };
    let lstm = Recurrent {
        embedding: 8,
        hidden: 256,
        layers: 2,
    };
    [
        mlp("W1", &[256, 128]),
        Workload {
            name: "W2",
            model: ModelConfig::Convnet {
                shape: ConvnetShape::OpacusMnist,
            },
            input: digits,
            classes: 10,
            records: 256,
        },
        Workload {
            name: "W3",
            model: ModelConfig::Lstm(lstm),
            input: text,
            classes: 80,
            records: 32,
        },
        Workload {
            name: "W4",
            model: ModelConfig::Transformer {
                width: 128,
                heads: 4,
                feedforward: 512,
                blocks: 1,
            },
            input: text,
            classes: 80,
            records: 32,
        },
        mlp("MLP", &[256]),
    ]
}
