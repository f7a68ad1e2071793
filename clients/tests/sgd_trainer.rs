//! The trainer that real runs use, over a small data set.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

use accounting::{ClipNorm, Mechanism, NoiseMultiplier, SamplingRate};
use data::{Dataset, DatasetParts, Features};
use primitives::{ModelVector, Role, Round, Seed, SiloId, Stream, SubjectId, noise};
use protocol::{Task, UpdateMetrics, Weights};
use siloscope_clients::{
    Audience, LocalTrainer, SgdPool, SgdTrainer, TrainError, planned_releases,
};
use std::num::NonZeroU32;
use std::sync::Arc;
use training::{
    Architecture, Backend, Batches, InputShape, LocalPlan, LocalSgd, LocalWork, ModelConfig,
    Protection, TrainingConfig,
};

const SILO: SiloId = SiloId(3);
const STEPS: u32 = 5;

fn seed() -> Seed {
    Seed::from_number(8)
}

/// Sixty records of ten subjects, four features, three classes.
fn dataset() -> Arc<Dataset> {
    let mut features = vec![0.0; 60 * 4];
    noise::add(
        &mut seed().stream(Stream::run(Role::Generate)),
        1.0,
        &mut features,
    );
    let names = |count: u32| (0..count).map(|i| i.to_string()).collect();
    let parts = DatasetParts {
        name: "toy".to_owned(),
        features: Features::Floats(features),
        shape: vec![4],
        labels: (0..60).map(|i| i % 3).collect(),
        classes: names(3),
        subjects: (0..60).map(|i| SubjectId(i % 10)).collect(),
        subject_names: names(10),
        natural_silos: None,
        splits: None,
    };
    Arc::new(Dataset::try_new(parts).unwrap())
}

fn architecture() -> Architecture {
    ModelConfig::Logistic {}
        .architecture(InputShape::Features(4), 3)
        .unwrap()
}

fn plan(dataset: &Dataset, protection: Protection) -> LocalPlan {
    let batches = Batches::Poisson(SamplingRate::try_new(0.5).unwrap());
    let config = TrainingConfig::sgd(LocalWork::Steps(STEPS), batches, 0.5);
    let records: Vec<_> = dataset.records().collect();
    LocalPlan::try_new(&config, protection, dataset, &records, SILO, &seed()).unwrap()
}

fn trainer(protection: Protection, audience: Audience, weights: Weights) -> SgdTrainer {
    let dataset = dataset();
    let plan = plan(&dataset, protection);
    let pool = Arc::new(SgdPool::new(architecture(), Backend::Fused));
    SgdTrainer::new(pool, plan, dataset, seed(), audience, weights)
}

fn task(round: u32) -> Task {
    Task {
        round: Round(round),
        model: ModelVector::zeros(architecture().parameters()),
        clip_norm: None,
    }
}

fn protections() -> [Protection; 4] {
    let clip_norm = ClipNorm::try_new(1.0).unwrap();
    let noise_multiplier = NoiseMultiplier::try_new(1.5).unwrap();
    let three = NonZeroU32::new(3).unwrap();
    [
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

#[test]
fn a_protected_silo_emits_what_it_ran_and_tells_nothing_else() {
    for protection in protections() {
        let mut trainer = trainer(protection, Audience::Everyone, Weights::Uniform);
        let update = trainer.train(&task(1)).unwrap();
        let planned = planned_releases(&plan(&dataset(), protection), Audience::Everyone);
        assert_eq!(update.releases, planned);
        assert_eq!(update.releases[0].steps, u64::from(STEPS));
        assert_ne!(update.releases[0].mechanism, Mechanism::None);
        assert_eq!(update.metrics, UpdateMetrics::Withheld);
        assert!((update.weight - 1.0).abs() < f64::EPSILON);
        assert!(update.delta.l2_norm() > 0.0);
    }
}

#[test]
fn an_open_silo_tells_its_records_and_its_loss() {
    let mut trainer = trainer(Protection::None, Audience::Everyone, Weights::Records);
    let update = trainer.train(&task(1)).unwrap();
    assert_eq!(update.releases[0].mechanism, Mechanism::None);
    assert!((update.weight - 60.0).abs() < f64::EPSILON);
    let UpdateMetrics::Open {
        records: 60,
        mean_loss: Some(loss),
    } = update.metrics
    else {
        panic!("{:?}", update.metrics)
    };
    // It begins at ln 3 with a model of zeros, and falls.
    assert!((0.5..1.2).contains(&loss), "{loss}");
}

#[test]
fn local_steps_that_only_the_coordinator_sees_are_no_release() {
    let mut trainer = trainer(Protection::None, Audience::Coordinator, Weights::Uniform);
    let update = trainer.train(&task(1)).unwrap();
    assert!(update.releases.is_empty());
    assert_eq!(update.metrics, UpdateMetrics::Withheld);
}

#[test]
fn the_same_task_gives_the_same_update_whatever_was_trained_before() {
    for protection in protections() {
        let make = || trainer(protection, Audience::Everyone, Weights::Uniform);
        let fresh = make().train(&task(2)).unwrap();
        let mut used = make();
        let first = used.train(&task(1)).unwrap();
        assert_eq!(used.train(&task(2)).unwrap(), fresh);
        assert_ne!(first.delta, fresh.delta);
    }
}

#[test]
fn a_model_of_another_shape_is_refused() {
    let mut trainer = trainer(Protection::None, Audience::Everyone, Weights::Uniform);
    let error = trainer
        .train(&Task {
            model: ModelVector::zeros(2),
            clip_norm: None,
            ..task(1)
        })
        .unwrap_err();
    assert!(matches!(error, TrainError::Network(_)), "{error}");
}

#[test]
fn silos_trained_together_are_as_each_alone_and_one_that_fails_is_alone_with_it() {
    for backend in [Backend::Fused, Backend::Burn] {
        let trainers = protections().map(|protection| {
            let trainer = trainer(protection, Audience::Everyone, Weights::Records);
            (trainer, task(2))
        });
        let mut silos: Vec<(&SgdTrainer, &Task)> =
            trainers.iter().map(|(t, task)| (t, task)).collect();
        let misshapen = Task {
            model: ModelVector::zeros(2),
            ..task(2)
        };
        let lost = Task {
            model: vec![f32::NAN; architecture().parameters()].into(),
            ..task(2)
        };
        silos.insert(1, (&trainers[0].0, &misshapen));
        silos.insert(3, (&trainers[1].0, &lost));
        let mut sgd = LocalSgd::new(&architecture(), backend);
        let mut together = SgdTrainer::train_together(&mut sgd, &silos);
        assert_eq!(together.len(), 6);
        assert!(together.remove(3).is_err());
        assert!(matches!(together.remove(1), Err(TrainError::Network(_))));
        for ((trainer, task), together) in trainers.iter().zip(together) {
            let (alone, together) = (trainer.train_alone(task).unwrap(), together.unwrap());
            // Fused, the same computation; on burn's tensors another one, of 5 steps in f32 from losses near 1.
            let tolerance = if backend == Backend::Fused { 0.0 } else { 1e-5 };
            let pairs = alone.delta.as_slice().iter().zip(together.delta.as_slice());
            for (alone, together) in pairs {
                assert!((alone - together).abs() <= tolerance, "{alone} {together}");
            }
            let rest = |update: protocol::SiloUpdate| protocol::SiloUpdate {
                delta: ModelVector::zeros(0),
                ..update
            };
            assert_eq!(rest(alone), rest(together));
        }
    }
}
