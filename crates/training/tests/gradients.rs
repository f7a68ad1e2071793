//! Every layer and every clipping rule against the loop of single records.
#![allow(clippy::unwrap_used)]

mod oracle;

mod common;

use accounting::ClipNorm;
use data::{LabelSlice, Labels};
use primitives::{Role, Seed, Stream, noise};
use siloscope_training::architecture::{
    AttentionSpec, Conv2dSpec, ImageShape, PoolSpec, RecurrentSpec,
};
use siloscope_training::{
    Architecture, Backend, Batch, ClipBound, ClipStyle, Clipping, ConvnetShape, InputShape,
    LayerSpec, ModelConfig, Network, NetworkError, Norm, Recurrent,
};

/// What computes: on the host, and on the device under test.
fn backends() -> [Backend; 2] {
    [Backend::Fused, common::device()]
}

const CLASSES: usize = 5;

/// Relative L2 error that `f32` arithmetic is allowed.
fn tolerance(backend: Backend) -> f64 {
    if backend == Backend::Fused {
        1e-5
    } else {
        common::tolerance()
    }
}

/// A model with a batch for it.
struct Case {
    name: &'static str,
    model: Architecture,
    weights: Vec<f32>,
    features: Vec<f32>,
    labels: Labels,
    subjects: Vec<u32>,
}

impl Case {
    /// A batch of `records` records of several subjects in no order; every fifth record is all zeros.
    fn new(name: &'static str, config: &ModelConfig, input: InputShape, records: usize) -> Self {
        let model = config.architecture(input, CLASSES).unwrap();
        let tokens = match input {
            InputShape::Tokens { vocabulary, .. } => Some(vocabulary),
            InputShape::Features(_) | InputShape::Image(_) => None,
        };
        Self::of(name, model, tokens, records)
    }

    fn of_layers(name: &'static str, layers: Vec<LayerSpec>, records: usize) -> Self {
        Self::of(name, Architecture::try_new(layers).unwrap(), None, records)
    }

    fn of(
        name: &'static str,
        model: Architecture,
        vocabulary: Option<usize>,
        records: usize,
    ) -> Self {
        let seed = Seed::from_number(records as u64);
        let weights = model
            .initial(&mut seed.stream(Stream::run(Role::Init)))
            .into_vec();
        let mut features = vec![0.0; records * model.inputs()];
        noise::add(
            &mut seed.stream(Stream::run(Role::Generate)),
            1.0,
            &mut features,
        );
        for (i, record) in features.chunks_exact_mut(model.inputs()).enumerate() {
            match vocabulary {
                Some(vocabulary) => {
                    for token in record {
                        *token = (token.abs() * 1000.0).floor() % vocabulary as f32;
                    }
                }
                None if i % 5 == 4 => record.fill(0.0),
                None => {}
            }
        }
        let labels = if model.outputs() == 1 {
            let target = |i| 0.3 * (i * 7 % CLASSES) as f32 - 0.5;
            Labels::Targets((0..records).map(target).collect())
        } else {
            (0..records as u32)
                .map(|i| i * 7 % CLASSES as u32)
                .collect()
        };
        let subjects = (0..records as u32).map(|i| i * i % 7 + 3).collect();
        Self {
            name,
            model,
            weights,
            features,
            labels,
            subjects,
        }
    }

    fn batch(&self) -> Batch<'_> {
        Batch {
            features: &self.features,
            labels: self.labels.as_slice(),
            subjects: &self.subjects,
        }
    }
}

fn cases(records: usize) -> Vec<Case> {
    let image = |height, width| {
        InputShape::Image(ImageShape {
            height,
            width,
            channels: 1,
        })
    };
    let convnet = |shape| ModelConfig::Convnet { shape };
    let text = InputShape::Tokens {
        length: 9,
        vocabulary: 12,
    };
    let recurrent = Recurrent {
        embedding: 4,
        hidden: 6,
        layers: 2,
    };
    let transformer = ModelConfig::Transformer {
        width: 8,
        heads: 2,
        feedforward: 12,
        blocks: 2,
    };
    let resnet = ModelConfig::ResnetGn {
        channels: 4,
        norm: Norm::Group,
        groups: 2,
        blocks: 2,
        cardinality: 2,
    };
    let numbers = InputShape::Features;
    let named = vec![
        Case::new("logistic", &ModelConfig::Logistic {}, numbers(20), records),
        Case::new(
            "mlp",
            &ModelConfig::Mlp {
                hidden: vec![32, 16],
            },
            numbers(30),
            records,
        ),
        Case::new(
            "opacus",
            &convnet(ConvnetShape::OpacusMnist),
            image(28, 28),
            records,
        ),
        Case::new(
            "narrow",
            &convnet(ConvnetShape::OpacusMnist),
            image(16, 19),
            records,
        ),
        Case::new(
            "leaf",
            &convnet(ConvnetShape::LeafFemnist),
            image(14, 15),
            records.min(6),
        ),
        Case::new("lstm", &ModelConfig::Lstm(recurrent), text, records),
        Case::new("gru", &ModelConfig::Gru(recurrent), text, records),
        Case::new("transformer", &transformer, text, records),
        Case::new("resnet-gn", &resnet, image(14, 15), records),
    ];
    let named = named.into_iter().chain(regressors(records));
    named.chain(layers(records)).collect()
}

/// Models of a number.
fn regressors(records: usize) -> [Case; 3] {
    let square = InputShape::Image(ImageShape {
        height: 16,
        width: 16,
        channels: 1,
    });
    let convnet = ModelConfig::Convnet {
        shape: ConvnetShape::OpacusMnist,
    };
    let mlp = ModelConfig::Mlp {
        hidden: vec![12, 8],
    };
    let numbers = InputShape::Features(20);
    [
        ("linear", ModelConfig::Linear {}, numbers),
        ("mlp of a number", mlp, numbers),
        ("convnet of a number", convnet, square),
    ]
    .map(|(name, config, input)| {
        let model = config.regressor(input).unwrap();
        Case::of(name, model, None, records)
    })
}

/// Layers that no named model has, or has only deep inside.
fn layers(records: usize) -> Vec<Case> {
    let pool = PoolSpec {
        image: ImageShape {
            height: 7,
            width: 6,
            channels: 3,
        },
        kernel: 3,
        stride: 2,
    };
    let state = RecurrentSpec {
        positions: 5,
        inputs: 4,
        hidden: 7,
    };
    let seen = AttentionSpec {
        positions: 5,
        width: 6,
        heads: 3,
        causal: true,
    };
    let linear = |positions, inputs, outputs| LayerSpec::Linear {
        positions,
        inputs,
        outputs,
    };
    let grouped = Conv2dSpec {
        image: ImageShape {
            height: 6,
            width: 5,
            channels: 6,
        },
        outputs: 9,
        kernel: 3,
        stride: 2,
        padding: 1,
        groups: 3,
    };
    let depthwise = Conv2dSpec {
        image: grouped.output(),
        outputs: 9,
        kernel: 3,
        stride: 1,
        padding: 0,
        groups: 9,
    };
    let cases = [
        (
            "grouped",
            vec![
                LayerSpec::Conv2d(grouped),
                LayerSpec::Relu {
                    width: grouped.output().len(),
                },
                LayerSpec::Conv2d(depthwise),
                linear(1, depthwise.output().len(), 5),
            ],
        ),
        (
            "average pool",
            vec![
                LayerSpec::AveragePool(pool),
                linear(1, pool.output().len(), 5),
            ],
        ),
        ("lstm first", vec![LayerSpec::Lstm(state), linear(1, 35, 5)]),
        ("gru first", vec![LayerSpec::Gru(state), linear(1, 35, 5)]),
        (
            "causal",
            vec![
                linear(5, 4, 18),
                LayerSpec::Attention(seen),
                linear(1, 30, 5),
            ],
        ),
    ];
    cases
        .map(|(name, layers)| Case::of_layers(name, layers, records))
        .into()
}

/// Every rule, with a bound that leaves some gradients alone and one that leaves none.
fn rules(norms: &[f64]) -> Vec<Clipping> {
    let mut sorted = norms.to_vec();
    sorted.sort_by(f64::total_cmp);
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or(1.0);
    let mut rules = vec![Clipping::Nothing];
    for (bound, style) in [
        (median, ClipStyle::Flat),
        (0.01 * median, ClipStyle::Flat),
        (median, ClipStyle::PerLayer),
        (median, ClipStyle::Automatic),
    ] {
        let bound = ClipBound {
            norm: ClipNorm::try_new(bound).unwrap(),
            style,
        };
        rules.push(Clipping::Records(bound));
        rules.push(Clipping::RecordsInSubjectMeans(bound));
        rules.push(Clipping::SubjectMeans(bound));
    }
    rules
}

fn relative_error(found: &[f32], expected: &[f64]) -> f64 {
    let difference: f64 = found
        .iter()
        .zip(expected)
        .map(|(f, e)| (f64::from(*f) - e).powi(2))
        .sum();
    let size: f64 = expected.iter().map(|e| e * e).sum();
    if size == 0.0 {
        difference.sqrt()
    } else {
        (difference / size).sqrt()
    }
}

fn clipped_sum(
    network: &mut dyn Network,
    case: &Case,
    batch: &Batch<'_>,
    clipping: &Clipping,
) -> Vec<f32> {
    let mut sum = vec![0.0; case.model.parameters()];
    network
        .add_clipped_sum(&case.weights, batch, clipping, &mut sum)
        .unwrap();
    sum
}

#[test]
fn clipped_sums_agree_with_the_loop() {
    let any = Clipping::Records(ClipNorm::try_new(1.0).unwrap().into());
    for case in cases(23) {
        let (_, norms) = oracle::clipped_sum(&case.model, &case.weights, &case.batch(), &any);
        let mut networks = backends().map(|backend| backend.network(&case.model));
        let mut worst = [0.0_f64; 2];
        for clipping in rules(&norms) {
            let (expected, _) =
                oracle::clipped_sum(&case.model, &case.weights, &case.batch(), &clipping);
            for ((network, worst), backend) in networks.iter_mut().zip(&mut worst).zip(backends()) {
                let found = clipped_sum(&mut **network, &case, &case.batch(), &clipping);
                let error = relative_error(&found, &expected);
                assert!(
                    error < tolerance(backend),
                    "{} {backend:?} {clipping:?}: {error:e}",
                    case.name
                );
                *worst = worst.max(error);
            }
        }
        eprintln!(
            "{}: worst relative errors {:.1e} fused, {:.1e} burn",
            case.name, worst[0], worst[1]
        );
    }
}

#[test]
fn no_record_and_one_record_are_batches_too() {
    let bound = ClipNorm::try_new(0.1).unwrap().into();
    for case in cases(1) {
        for backend in backends() {
            let mut network = backend.network(&case.model);
            let empty = Batch {
                features: &[],
                labels: LabelSlice::Classes(&[]),
                subjects: &[],
            };
            for clipping in [
                Clipping::Nothing,
                Clipping::Records(bound),
                Clipping::RecordsInSubjectMeans(bound),
                Clipping::SubjectMeans(bound),
            ] {
                let nothing = clipped_sum(&mut *network, &case, &empty, &clipping);
                assert!(nothing.iter().all(|&g| g == 0.0));
                let (expected, _) =
                    oracle::clipped_sum(&case.model, &case.weights, &case.batch(), &clipping);
                let found = clipped_sum(&mut *network, &case, &case.batch(), &clipping);
                assert!(
                    relative_error(&found, &expected) < tolerance(backend),
                    "{} {clipping:?}",
                    case.name
                );
            }
        }
    }
}

#[test]
fn buffers_that_were_used_before_change_nothing() {
    for case in cases(23) {
        let clipping = Clipping::Records(ClipNorm::try_new(0.1).unwrap().into());
        let mut used = Backend::Fused.network(&case.model);
        for rows in [23, 5, 1] {
            let rows = rows.min(case.subjects.len());
            let batch = Batch {
                features: &case.features[..rows * case.model.inputs()],
                labels: case.labels.as_slice().range(0..rows),
                subjects: &case.subjects[..rows],
            };
            let mut fresh = Backend::Fused.network(&case.model);
            assert_eq!(
                clipped_sum(&mut *used, &case, &batch, &clipping),
                clipped_sum(&mut *fresh, &case, &batch, &clipping),
                "{}",
                case.name
            );
        }
    }
}

#[test]
fn scores_agree_with_the_loop() {
    for case in cases(9) {
        for backend in backends() {
            let mut scores = Vec::new();
            let mut network = backend.network(&case.model);
            network
                .evaluate(&case.weights, &case.batch(), &mut scores)
                .unwrap();
            let records = case
                .features
                .chunks_exact(case.model.inputs())
                .zip(case.labels.as_slice().iter());
            assert_eq!(scores.len(), records.len());
            for ((features, label), score) in records.zip(scores) {
                let (_, loss) = oracle::gradient(&case.model, &case.weights, features, label);
                let error = (f64::from(score.loss) - loss).abs();
                assert!(error < 1e-5 * loss.max(1.0), "{} {backend:?}", case.name);
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let case = &cases(4)[0];
    let wrong_label = [9; 4];
    for backend in backends() {
        let mut network = backend.network(&case.model);
        let mut sum = vec![0.0; case.model.parameters()];
        let mut refused = |weights: &[f32], batch: &Batch<'_>| {
            network
                .add_clipped_sum(weights, batch, &Clipping::Nothing, &mut sum)
                .unwrap_err()
        };
        let batch = case.batch();
        let short = Batch {
            features: &batch.features[1..],
            ..batch
        };
        assert!(matches!(
            refused(&case.weights, &short),
            NetworkError::Features { .. }
        ));
        let unowned = Batch {
            subjects: &[],
            ..batch
        };
        assert!(matches!(
            refused(&case.weights, &unowned),
            NetworkError::Subjects { .. }
        ));
        let unknown = Batch {
            labels: LabelSlice::Classes(&wrong_label),
            ..batch
        };
        assert!(matches!(
            refused(&case.weights, &unknown),
            NetworkError::Label { .. }
        ));
        let numbers = Batch {
            labels: LabelSlice::Targets(&[0.5; 4]),
            ..batch
        };
        assert!(matches!(
            refused(&case.weights, &numbers),
            NetworkError::Targets { .. }
        ));
        assert!(matches!(
            refused(&[0.0], &batch),
            NetworkError::Parameters { .. }
        ));
        let clipping = Clipping::Records(ClipNorm::try_new(1.0).unwrap().into());
        let broken = vec![f32::NAN; case.weights.len()];
        let diverged = network.add_clipped_sum(&broken, &batch, &clipping, &mut sum);
        assert_eq!(diverged.unwrap_err(), NetworkError::Diverged);
    }
}

#[test]
fn gradient_norms_are_those_of_single_records_in_the_batchs_order() {
    for case in cases(7) {
        let inputs = case.model.inputs();
        let alone = |i: usize| Batch {
            features: &case.features[i * inputs..(i + 1) * inputs],
            labels: case.labels.as_slice().range(i..i + 1),
            subjects: &case.subjects[i..=i],
        };
        let norm = |i| {
            let nothing = Clipping::Nothing;
            oracle::clipped_sum(&case.model, &case.weights, &alone(i), &nothing).1[0]
        };
        let expected: Vec<f64> = (0..case.subjects.len()).map(norm).collect();
        for backend in backends() {
            let mut network = backend.network(&case.model);
            // Twice, with gradients in between: nothing may be left over.
            for _ in 0..2 {
                let mut found = Vec::new();
                network
                    .gradient_norms(&case.weights, &case.batch(), &mut found)
                    .unwrap();
                for (found, expected) in found.iter().zip(&expected) {
                    let error = (f64::from(*found) - expected).abs();
                    assert!(
                        error < 1e-4 * expected.max(1e-3),
                        "{} {backend:?}: {found} for {expected}",
                        case.name
                    );
                }
                assert_eq!(found.len(), case.subjects.len());
                let bound = ClipNorm::try_new(0.1).unwrap().into();
                let clipping = Clipping::SubjectMeans(bound);
                clipped_sum(&mut *network, &case, &case.batch(), &clipping);
            }
        }
    }
}
