//! Silos side by side against the same silos one by one.
#![allow(clippy::unwrap_used)]

mod common;

use accounting::{ClipNorm, NoiseMultiplier, SamplingRate};
use common::{device, tolerance};
use data::{Dataset, DatasetParts, Features, Labels};
use primitives::{ModelVector, RecordId, Role, Round, Seed, SiloId, Stream, SubjectId, noise};
use siloscope_training::architecture::ImageShape;
use siloscope_training::{
    AdaptiveClip, Architecture, Backend, Batches, Canary, CanaryKind, ClipStyle, ConvnetShape,
    Evaluator, InputShape, LocalPlan, LocalRound, LocalRun, LocalSgd, LocalWork, ModelConfig,
    NetworkError, Norm, Optimizer, Protection, Recurrent, TrainingConfig,
};
use std::num::NonZeroU32;
use std::sync::Arc;

const CLASSES: usize = 3;

/// What is trained, on what.
struct Case {
    model: Architecture,
    dataset: Arc<Dataset>,
}

/// A silo's round, all owned.
struct Silo {
    plan: LocalPlan,
    start: ModelVector,
    clip_norm: Option<ClipNorm>,
    seed: Seed,
    round: Round,
}

impl Case {
    /// `records` random records of subjects that have few or many.
    fn new(
        model: Architecture,
        shape: &[usize],
        vocabulary: Option<usize>,
        records: usize,
    ) -> Self {
        let width: usize = shape.iter().product();
        let mut features = vec![0.0; records * width];
        let mut rng = Seed::from_number(3).stream(Stream::run(Role::Generate));
        noise::add(&mut rng, 1.0, &mut features);
        if let Some(vocabulary) = vocabulary {
            for token in &mut features {
                *token = (token.abs() * 1000.0).floor() % vocabulary as f32;
            }
        }
        let labels = if model.outputs() == 1 {
            Labels::Targets((0..records).map(|i| (i % 7) as f32 * 0.3 - 0.5).collect())
        } else {
            (0..records as u32)
                .map(|i| i * 5 % CLASSES as u32)
                .collect()
        };
        let is_number = matches!(labels, Labels::Targets(_));
        let subject = |i: usize| SubjectId([0, 0, 0, 0, 0, 1, 1, 2, 3, 3][i % 10]);
        let parts = DatasetParts {
            name: "made for a test".to_owned(),
            features: Features::Floats(features),
            shape: shape.to_vec(),
            labels,
            classes: if is_number {
                Vec::new()
            } else {
                (0..CLASSES).map(|i| i.to_string()).collect()
            },
            subjects: (0..records).map(subject).collect(),
            subject_names: (0..4).map(|i| i.to_string()).collect(),
            natural_silos: None,
            splits: None,
        };
        Self {
            model,
            dataset: Arc::new(Dataset::try_new(parts).unwrap()),
        }
    }

    fn dense() -> Self {
        let config = ModelConfig::Mlp { hidden: vec![9, 5] };
        let model = config.architecture(InputShape::Features(6), CLASSES);
        Self::new(model.unwrap(), &[6], None, 90)
    }

    /// Silos of different sizes, with models, rounds and seeds of their own.
    fn silos(&self, config: &TrainingConfig, protection: Protection) -> Vec<Silo> {
        let all: Vec<RecordId> = self.dataset.records().collect();
        let (first, rest) = all.split_at(all.len() / 6);
        let (second, third) = rest.split_at(rest.len() / 3);
        let silo = |(i, records): (usize, &[RecordId])| {
            let seed = Seed::from_number(40 + i as u64 / 2);
            let silo = SiloId(i as u32);
            let plan = LocalPlan::try_new(config, protection, &self.dataset, records, silo, &seed);
            Silo {
                plan: plan.unwrap(),
                start: self
                    .model
                    .initial(&mut Seed::from_number(i as u64).stream(Stream::run(Role::Init))),
                clip_norm: None,
                seed,
                round: Round(1 + i as u32),
            }
        };
        [first, second, third, second]
            .into_iter()
            .enumerate()
            .map(silo)
            .collect()
    }

    fn rounds<'a>(&'a self, silos: &'a [Silo]) -> Vec<LocalRound<'a>> {
        let round = |silo: &'a Silo| LocalRound {
            plan: &silo.plan,
            dataset: &self.dataset,
            start: &silo.start,
            clip_norm: silo.clip_norm,
            seed: &silo.seed,
            round: silo.round,
        };
        silos.iter().map(round).collect()
    }

    /// Trains the silos side by side and one by one, and compares.
    fn compare(&self, what: &str, silos: &[Silo]) {
        let rounds = self.rounds(silos);
        let stacked = LocalSgd::new(&self.model, device()).run_all(&rounds);
        let mut one_by_one = LocalSgd::new(&self.model, Backend::Fused);
        for (i, (round, stacked)) in rounds.iter().zip(stacked).enumerate() {
            let slow = one_by_one.run(round).unwrap();
            assert_close(&format!("{what}, silo {i}"), &stacked.unwrap(), &slow);
        }
    }
}

fn assert_close(what: &str, fast: &LocalRun, slow: &LocalRun) {
    let error = fast.update.minus(&slow.update).unwrap().l2_norm();
    let error = error / slow.update.l2_norm();
    assert!(error < tolerance(), "{what}: {error:e}");
    assert_eq!(fast.steps, slow.steps, "{what}");
    assert_eq!(fast.mechanism, slow.mechanism, "{what}");
    assert_eq!(fast.readings.len(), slow.readings.len(), "{what}");
    for (fast, slow) in fast.readings.iter().zip(&slow.readings) {
        assert!(f64::from((fast - slow).abs()) < tolerance(), "{what}");
    }
    let (counted, truth) = (fast.clipping, slow.clipping);
    assert_eq!(
        (counted.records, counted.units, counted.clipped),
        (truth.records, truth.units, truth.clipped),
        "{what}"
    );
    let near = |a: f64, b: f64| (a - b).abs() <= tolerance() * b.abs().max(1.0);
    assert!(
        near(counted.balance, truth.balance),
        "{what}: {counted:?} {truth:?}"
    );
    assert!(
        near(counted.loss, truth.loss),
        "{what}: {counted:?} {truth:?}"
    );
    match (fast.clip_norm, slow.clip_norm) {
        (Some(fast), Some(slow)) => assert!(near(fast.get(), slow.get()), "{what}"),
        (fast, slow) => assert_eq!(fast, slow, "{what}"),
    }
}

fn poisson(rate: f64) -> Batches {
    Batches::Poisson(SamplingRate::try_new(rate).unwrap())
}

fn protections() -> [Protection; 5] {
    let clip_norm = ClipNorm::try_new(0.7).unwrap();
    let noise_multiplier = NoiseMultiplier::try_new(0.6).unwrap();
    let three = NonZeroU32::new(3).unwrap();
    [
        Protection::None,
        Protection::Record {
            clip_norm,
            noise_multiplier,
        },
        Protection::Group {
            clip_norm,
            noise_multiplier,
            group_size: three,
        },
        Protection::AveragedGradient {
            clip_norm,
            noise_multiplier,
        },
        Protection::SubjectSampling {
            clip_norm,
            noise_multiplier,
            records_per_subject: three,
        },
    ]
}

const ADAM: Optimizer = Optimizer::Adam {
    first_memory: 0.9,
    second_memory: 0.999,
    floor: 0.1,
    correct_noise: true,
};

#[test]
fn every_protection_style_and_optimiser() {
    let case = Case::dense();
    let plain_adam = Optimizer::Adam {
        first_memory: 0.9,
        second_memory: 0.99,
        floor: 1e-3,
        correct_noise: false,
    };
    let momentum = Optimizer::Momentum { momentum: 0.8 };
    for protection in protections() {
        for style in [ClipStyle::Flat, ClipStyle::PerLayer, ClipStyle::Automatic] {
            for optimizer in [Optimizer::Sgd, momentum, plain_adam, ADAM] {
                let config = TrainingConfig {
                    clipping: style,
                    optimizer,
                    ..TrainingConfig::sgd(LocalWork::Steps(5), poisson(0.4), 0.1)
                };
                let what = format!("{protection:?}, {style:?}, {optimizer:?}");
                case.compare(&what, &case.silos(&config, protection));
            }
        }
    }
}

#[test]
fn shuffled_batches_of_silos_with_more_and_fewer_steps() {
    let case = Case::dense();
    for optimizer in [Optimizer::Sgd, ADAM] {
        let config = TrainingConfig {
            optimizer,
            ..TrainingConfig::sgd(LocalWork::Epochs(2), Batches::Shuffled(8), 0.1)
        };
        let silos = case.silos(&config, Protection::None);
        assert_ne!(silos[0].plan.steps(), silos[2].plan.steps());
        case.compare(&format!("{optimizer:?}"), &silos);
    }
}

#[test]
fn clip_norms_that_adapt() {
    let case = Case::dense();
    let initial = ClipNorm::try_new(0.5).unwrap();
    let adaptive = AdaptiveClip::try_new(initial, 0.6, 0.3, 0.1).unwrap();
    let config = TrainingConfig::sgd(LocalWork::Steps(12), poisson(0.5), 0.1);
    for protection in &protections()[1..] {
        let mut silos = case.silos(&config, *protection);
        for silo in &mut silos {
            silo.plan = silo.plan.clone().with_adaptive_clip(adaptive);
        }
        silos[1].clip_norm = ClipNorm::try_new(2.0).ok();
        case.compare(&format!("{protection:?}"), &silos);
    }
}

#[test]
fn every_kind_of_model() {
    let image = |side| {
        InputShape::Image(ImageShape {
            height: side,
            width: side,
            channels: 1,
        })
    };
    let text = InputShape::Tokens {
        length: 7,
        vocabulary: 11,
    };
    let recurrent = Recurrent {
        embedding: 4,
        hidden: 5,
        layers: 2,
    };
    let transformer = ModelConfig::Transformer {
        width: 8,
        heads: 2,
        feedforward: 12,
        blocks: 1,
    };
    let resnet = ModelConfig::ResnetGn {
        channels: 4,
        norm: Norm::Group,
        groups: 2,
        blocks: 1,
        cardinality: 2,
    };
    let convnet = ModelConfig::Convnet {
        shape: ConvnetShape::OpacusMnist,
    };
    let models = [
        (
            "logistic",
            ModelConfig::Logistic {},
            InputShape::Features(6),
            vec![6],
        ),
        (
            "linear",
            ModelConfig::Linear {},
            InputShape::Features(6),
            vec![6],
        ),
        ("convnet", convnet, image(28), vec![1, 28, 28]),
        ("resnet", resnet, image(14), vec![1, 14, 14]),
        ("lstm", ModelConfig::Lstm(recurrent), text, vec![7]),
        ("gru", ModelConfig::Gru(recurrent), text, vec![7]),
        ("transformer", transformer, text, vec![7]),
    ];
    let config = TrainingConfig::sgd(LocalWork::Steps(2), poisson(0.5), 0.05);
    for (name, model, input, shape) in models {
        let model = match name {
            "linear" => model.regressor(input),
            _ => model.architecture(input, CLASSES),
        };
        let model = model.unwrap();
        let case = Case::new(model, &shape, (shape == [7]).then_some(11), 40);
        for protection in [protections()[1], protections()[4]] {
            case.compare(
                &format!("{name}, {protection:?}"),
                &case.silos(&config, protection),
            );
        }
    }
}

#[test]
fn what_cannot_be_stacked_is_trained_by_itself_and_spoils_nothing() {
    let case = Case::dense();
    let config = TrainingConfig::sgd(LocalWork::Steps(4), poisson(0.5), 0.1);
    let mut silos = case.silos(&config, protections()[1]);
    silos.extend(case.silos(&config, protections()[4]));
    let canary = Canary {
        coordinate: 3,
        kind: CanaryKind::Record,
        included: true,
    };
    silos[2].plan = silos[2].plan.clone().with_canaries(vec![canary]);
    case.compare("mixed", &silos);

    silos[1].start = ModelVector::zeros(2);
    silos[3].start.as_mut_slice().fill(f32::NAN);
    // Finite gradients whose norm is not.
    silos[6].start.as_mut_slice().fill(3e12);
    let rounds = case.rounds(&silos);
    let results = LocalSgd::new(&case.model, device()).run_all(&rounds);
    assert!(matches!(
        results[1],
        Err(NetworkError::Parameters { found: 2, .. })
    ));
    assert_eq!(results[3], Err(NetworkError::Diverged));
    assert_eq!(results[6], Err(NetworkError::Diverged));
    let mut one_by_one = LocalSgd::new(&case.model, Backend::Fused);
    for i in [0, 2, 4, 5, 7] {
        let slow = one_by_one.run(&rounds[i]).unwrap();
        assert_close(&i.to_string(), results[i].as_ref().unwrap(), &slow);
    }
    assert_eq!(LocalSgd::new(&case.model, device()).run_all(&[]), []);
}

#[test]
fn many_models_asked_about_the_same_records() {
    let records = |case: &Case| -> Vec<RecordId> {
        case.dataset
            .records()
            .filter(|record| record.0 % 3 != 1)
            .collect()
    };
    let linear = ModelConfig::Linear {};
    let linear = linear.regressor(InputShape::Features(6)).unwrap();
    for case in [Case::dense(), Case::new(linear, &[6], None, 50)] {
        let records = records(&case);
        let model = |i| {
            let mut model = case
                .model
                .initial(&mut Seed::from_number(i).stream(Stream::run(Role::Init)));
            let double = model.clone();
            model.add_scaled(4.0, &double).unwrap();
            model
        };
        let models: Vec<ModelVector> = (0..4).map(model).collect();
        let models: Vec<&ModelVector> = models.iter().collect();
        let mut fast = Evaluator::new(&case.model, device());
        let mut slow = Evaluator::new(&case.model, Backend::Fused);
        let all = fast
            .scores_of_all(&models, &case.dataset, &records)
            .unwrap();
        assert_eq!(all.len(), models.len());
        for (model, scores) in models.into_iter().zip(all) {
            let truth = slow.scores(model, &case.dataset, &records).unwrap();
            assert_eq!(scores.len(), truth.len());
            for (score, truth) in scores.iter().zip(&truth) {
                let near = |a: f32, b: f32| f64::from((a - b).abs()) < tolerance() * 10.0;
                assert!(near(score.loss, truth.loss), "{score:?} {truth:?}");
                assert!(near(score.margin, truth.margin), "{score:?} {truth:?}");
                assert_eq!(score.correct, truth.correct);
            }
        }
        assert_eq!(fast.scores(&model(0), &case.dataset, &[]), Ok(Vec::new()));
        let wrong = ModelVector::zeros(1);
        assert_eq!(
            fast.scores(&wrong, &case.dataset, &records),
            slow.scores(&wrong, &case.dataset, &records)
        );
    }
}

#[test]
fn of_equal_logits_the_first_class_counts() {
    let case = Case::dense();
    let records: Vec<RecordId> = case.dataset.records().collect();
    let zeros = ModelVector::zeros(case.model.parameters());
    let scores = |backend| {
        let scores = Evaluator::new(&case.model, backend).scores(&zeros, &case.dataset, &records);
        let correct = scores.unwrap().into_iter().map(|score| score.correct);
        correct.collect::<Vec<_>>()
    };
    assert_eq!(scores(device()), scores(Backend::Fused));
}
