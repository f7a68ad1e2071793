//! Local steps against pseudocode, and what they tell the ledger.
#![allow(clippy::unwrap_used)]

use accounting::{ClipNorm, Mechanism, NoiseMultiplier, PrivacyUnit, SamplingRate};
use data::{Dataset, DatasetParts, Features, Labels};
use primitives::{
    ModelVector, RecordId, Role, Round, Seed, SiloId, Stream, SubjectId, noise, normal,
};
use siloscope_training::{
    AdaptiveClip, Architecture, Backend, Batch, Batches, Clipping, Evaluator, InputShape,
    LocalPlan, LocalRound, LocalSgd, LocalWork, ModelConfig, Optimizer, PlanError, Protection,
    Schedule, TrainingConfig, accuracy, sampling,
};
use std::num::NonZeroU32;
use std::sync::Arc;

const FEATURES: usize = 6;

/// `records` records of three classes; subject `s` has one record in seven, unevenly.
fn dataset(records: usize) -> Dataset {
    let subjects: Vec<SubjectId> = (0..records as u32)
        .map(|i| SubjectId([0, 0, 0, 0, 1, 1, 2][i as usize % 7]))
        .collect();
    Dataset::try_new(DatasetParts {
        name: "made for a test".to_owned(),
        features: Features::Floats(
            (0..records * FEATURES)
                .map(|i| ((i * i) as f32 * 0.37).sin())
                .collect(),
        ),
        shape: vec![FEATURES],
        labels: (0..records as u32).map(|i| i % 3).collect(),
        classes: ["a", "b", "c"].map(str::to_owned).to_vec(),
        subjects,
        subject_names: ["x", "y", "z"].map(str::to_owned).to_vec(),
        natural_silos: None,
        splits: None,
    })
    .unwrap()
}

fn model() -> Architecture {
    let mlp = ModelConfig::Mlp { hidden: vec![5] };
    mlp.architecture(InputShape::Features(FEATURES), 3).unwrap()
}

fn config(work: LocalWork, batches: Batches) -> TrainingConfig {
    TrainingConfig::sgd(work, batches, 0.5)
}

fn rate(value: f64) -> SamplingRate {
    SamplingRate::try_new(value).unwrap()
}

fn record_protection(clip: f64, noise: f64) -> Protection {
    Protection::Record {
        clip_norm: ClipNorm::try_new(clip).unwrap(),
        noise_multiplier: NoiseMultiplier::try_new(noise).unwrap(),
    }
}

fn plan(config: &TrainingConfig, protection: Protection, dataset: &Dataset) -> LocalPlan {
    let records: Vec<RecordId> = dataset.records().collect();
    LocalPlan::try_new(
        config,
        protection,
        dataset,
        &records,
        SiloId(4),
        &Seed::from_number(1),
    )
    .unwrap()
}

fn start() -> ModelVector {
    model().initial(&mut Seed::from_number(1).stream(Stream::run(Role::Init)))
}

fn run(plan: &LocalPlan, dataset: &Dataset) -> siloscope_training::LocalRun {
    let mut steps = LocalSgd::new(&model(), Backend::Fused);
    steps
        .run(&LocalRound {
            plan,
            dataset: &Arc::new(dataset.clone()),
            start: &start(),
            clip_norm: None,
            seed: &Seed::from_number(1),
            round: Round(2),
        })
        .unwrap()
}

/// An optimiser by its paper's formulas, in `f64`, a parameter at a time.
struct SlowOptimizer {
    kind: Optimizer,
    first: f64,
    second: f64,
}

impl SlowOptimizer {
    /// How far the parameter moves, in learning rates, along gradient `g` of noise `deviation` in step `t`.
    fn step(&mut self, g: f64, deviation: f64, t: i32) -> f64 {
        match self.kind {
            Optimizer::Sgd => g,
            Optimizer::Momentum { momentum } => {
                self.first = momentum * self.first + g;
                self.first
            }
            Optimizer::Adam {
                first_memory,
                second_memory,
                floor,
                correct_noise,
            } => {
                self.first = first_memory * self.first + (1.0 - first_memory) * g;
                self.second = second_memory * self.second + (1.0 - second_memory) * g * g;
                let mean = self.first / (1.0 - first_memory.powi(t));
                let square = self.second / (1.0 - second_memory.powi(t));
                if correct_noise {
                    mean / (square - deviation * deviation).max(floor * floor).sqrt()
                } else {
                    mean / (square.sqrt() + floor)
                }
            }
        }
    }
}

#[test]
fn steps_are_those_of_the_optimiser_on_noisy_means_of_full_batches() {
    let dataset = dataset(20);
    let adam = |correct_noise| Optimizer::Adam {
        first_memory: 0.9,
        second_memory: 0.99,
        floor: 1e-2,
        correct_noise,
    };
    let momentum = Optimizer::Momentum { momentum: 0.9 };
    let clip_norm = ClipNorm::try_new(0.3).unwrap();
    let schedule = Schedule::Step {
        every: 1,
        factor: 0.5,
    };
    for optimizer in [Optimizer::Sgd, momentum, adam(false), adam(true)] {
        for noise_multiplier in [0.0, 0.5] {
            let config = TrainingConfig {
                optimizer,
                schedule,
                ..config(LocalWork::Steps(4), Batches::Poisson(rate(1.0)))
            };
            let (protection, clipping) = if noise_multiplier > 0.0 {
                (
                    record_protection(0.3, noise_multiplier),
                    Clipping::Records(clip_norm.into()),
                )
            } else {
                (Protection::None, Clipping::Nothing)
            };
            let run = run(&plan(&config, protection, &dataset), &dataset);

            let mut network = Backend::Fused.network(&model());
            let (mut features, mut labels) = (Vec::new(), Labels::default());
            let records: Vec<RecordId> = dataset.records().collect();
            dataset.gather(&records, &mut features, &mut labels);
            let batch = Batch {
                features: &features,
                labels: labels.as_slice(),
                subjects: &[0; 20],
            };
            // `run` is silo 4 in round 2 of seed 1.
            let stream = Stream::silo(Role::Noise, SiloId(4), Round(2));
            let mut rng = Seed::from_number(1).stream(stream);
            let deviation = 0.3 * noise_multiplier;
            let mut model = start().into_vec();
            let mut states: Vec<SlowOptimizer> = model
                .iter()
                .map(|_| SlowOptimizer {
                    kind: optimizer,
                    first: 0.0,
                    second: 0.0,
                })
                .collect();
            for t in 1..=4 {
                let mut sum = vec![0.0; model.len()];
                network
                    .add_clipped_sum(&model, &batch, &clipping, &mut sum)
                    .unwrap();
                if deviation > 0.0 {
                    noise::add(&mut rng, deviation, &mut sum);
                }
                for ((w, sum), state) in model.iter_mut().zip(sum).zip(&mut states) {
                    let step = state.step(f64::from(sum) / 20.0, deviation / 20.0, t);
                    // Half the learning rate: it is the second round.
                    *w -= (0.25 * step) as f32;
                }
            }
            let updates = run.update.as_slice().iter();
            for ((update, after), before) in updates.zip(&model).zip(start().as_slice()) {
                let error = (update - (after - before)).abs();
                assert!(error < 2e-5, "{optimizer:?} {noise_multiplier}: {error:e}");
            }
            assert_eq!(run.steps, 4);
        }
    }
}

#[test]
fn an_epoch_of_shuffled_batches_reads_every_record_once() {
    let dataset = dataset(20);
    let plan = plan(
        &config(LocalWork::Epochs(3), Batches::Shuffled(8)),
        Protection::None,
        &dataset,
    );
    assert_eq!(plan.steps(), 9);
    assert_eq!(run(&plan, &dataset).clipping.records, 60);
}

#[test]
fn noise_has_the_stated_deviation_in_every_protection() {
    let dataset = dataset(70);
    let (clip_norm, noise_multiplier) = (
        ClipNorm::try_new(1e-6).unwrap(),
        NoiseMultiplier::try_new(3e6).unwrap(),
    );
    let group = NonZeroU32::new(4).unwrap();
    // The gradient vanishes beside the noise, so the update is −η σ N / divisor.
    for (protection, deviation, divisor) in [
        (
            Protection::Record {
                clip_norm,
                noise_multiplier,
            },
            3.0,
            0.5 * 70.0,
        ),
        (
            Protection::Group {
                clip_norm,
                noise_multiplier,
                group_size: group,
            },
            12.0,
            0.5 * 12.0,
        ),
        (
            Protection::AveragedGradient {
                clip_norm,
                noise_multiplier,
            },
            3.0,
            3.0 - 0.5_f64.powi(40) - 0.5_f64.powi(20) - 0.5_f64.powi(10),
        ),
        (
            Protection::SubjectSampling {
                clip_norm,
                noise_multiplier,
                records_per_subject: group,
            },
            3.0,
            0.5 * 3.0,
        ),
    ] {
        let plan = plan(
            &config(LocalWork::Steps(400), Batches::Poisson(rate(0.5))),
            protection,
            &dataset,
        );
        assert!((plan.noise_deviation() - deviation).abs() < 1e-9);
        assert!((plan.expected_batch().unwrap() - divisor).abs() < 1e-9);
        let run = run(&plan, &dataset);
        let count = run.update.len() as f64;
        let variance = run.update.l2_norm().powi(2) / count;
        let expected = 400.0 * (0.5 * deviation / divisor).powi(2);
        // A mean of squared normals has a relative deviation of √(2/n); 4.9 of them is one in a million.
        assert!(
            (variance / expected - 1.0).abs() < 4.9 * (2.0 / count).sqrt(),
            "{protection:?}"
        );
    }
}

/// The gradient of one record, or the mean gradient of several.
fn mean_gradient(model: &[f32], dataset: &Dataset, records: &[RecordId]) -> Vec<f64> {
    let mut network = Backend::Fused.network(&self::model());
    let mut mean = vec![0.0; model.len()];
    for &record in records {
        let (mut features, mut labels) = (Vec::new(), Labels::default());
        dataset.gather(&[record], &mut features, &mut labels);
        let batch = Batch {
            features: &features,
            labels: labels.as_slice(),
            subjects: &[0],
        };
        let mut gradient = vec![0.0; model.len()];
        network
            .add_clipped_sum(model, &batch, &Clipping::Nothing, &mut gradient)
            .unwrap();
        for (mean, value) in mean.iter_mut().zip(gradient) {
            *mean += f64::from(value) / records.len() as f64;
        }
    }
    mean
}

/// The clip norms of all steps, and where the model ends, by the pseudocode of the paper with a loop over units.
fn adapted(
    plan: &LocalPlan,
    protection: &Protection,
    dataset: &Dataset,
    adaptive: AdaptiveClip,
    quantile: f64,
) -> (Vec<f64>, Vec<f32>) {
    let stream = |role| Seed::from_number(1).stream(Stream::silo(role, SiloId(4), Round(2)));
    let (mut draws, mut noise, mut counts) = (
        stream(Role::Sampling),
        stream(Role::Noise),
        stream(Role::CountNoise),
    );
    let (_, z) = protection.bound().unwrap();
    let (gradient_noise, count_noise) = adaptive.noises(z);
    let group = if let Protection::Group { group_size, .. } = protection {
        f64::from(group_size.get())
    } else {
        1.0
    };
    let mut model = start().into_vec();
    let (mut norm, mut norms) = (adaptive.initial().get(), Vec::new());
    for _ in 0..plan.steps() {
        let mut rows = Vec::new();
        let Batches::Poisson(rate) = plan.batches() else {
            panic!("a protected plan samples")
        };
        sampling::poisson(plan.records().len(), rate.get(), &mut draws, &mut rows);
        let joined: Vec<RecordId> = rows
            .iter()
            .map(|&row| plan.records()[row as usize])
            .collect();
        // Each unit that is clipped, with what it counts.
        let of_subject = |record: &RecordId| {
            let same = |other: &&RecordId| dataset.subject(**other) == dataset.subject(*record);
            joined.iter().filter(same).copied().collect::<Vec<_>>()
        };
        let units: Vec<(Vec<RecordId>, f64)> = match protection {
            Protection::SubjectSampling { .. } => {
                let mut subjects: Vec<_> = joined.iter().map(of_subject).collect();
                subjects.dedup();
                subjects.into_iter().map(|unit| (unit, 1.0)).collect()
            }
            Protection::AveragedGradient { .. } => joined
                .iter()
                .map(|record| (vec![*record], 1.0 / of_subject(record).len() as f64))
                .collect(),
            _ => joined.iter().map(|&record| (vec![record], 1.0)).collect(),
        };
        let (mut sum, mut balance) = (vec![0.0_f64; model.len()], 0.0);
        for (unit, weight) in units {
            let gradient = mean_gradient(&model, dataset, &unit);
            let length = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
            balance += weight * if length <= norm { 0.5 } else { -0.5 };
            for (sum, g) in sum.iter_mut().zip(gradient) {
                *sum += weight * g * (norm / length).min(1.0);
            }
        }
        let mut noised: Vec<f32> = sum.iter().map(|&value| value as f32).collect();
        noise::add(&mut noise, gradient_noise.get() * group * norm, &mut noised);
        let expected = plan.expected_batch().unwrap();
        for (weight, g) in model.iter_mut().zip(&noised) {
            *weight -= (0.5 * f64::from(*g) / expected) as f32;
        }
        let mut normal = [0.0];
        normal::fill(&mut counts, &mut normal);
        let count = balance + count_noise.get() / 2.0 * group * normal[0];
        let share = (0.5 + count / expected).clamp(0.0, 1.0);
        norm *= (-0.2 * (share - quantile)).exp();
        norms.push(norm);
    }
    (norms, model)
}

#[test]
fn an_adaptive_clip_norm_follows_the_pseudocode_in_every_protection() {
    let dataset = dataset(70);
    let (clip_norm, noise_multiplier) = (
        ClipNorm::try_new(9.0).unwrap(),
        NoiseMultiplier::try_new(0.5).unwrap(),
    );
    let protections = [
        Protection::Record {
            clip_norm,
            noise_multiplier,
        },
        Protection::Group {
            clip_norm,
            noise_multiplier,
            group_size: NonZeroU32::new(4).unwrap(),
        },
        Protection::AveragedGradient {
            clip_norm,
            noise_multiplier,
        },
        Protection::SubjectSampling {
            clip_norm,
            noise_multiplier,
            records_per_subject: NonZeroU32::new(100).unwrap(),
        },
    ];
    for protection in protections {
        let sampled = matches!(protection, Protection::SubjectSampling { .. });
        let batches = Batches::Poisson(rate(if sampled { 1.0 } else { 0.5 }));
        let initial = ClipNorm::try_new(0.7).unwrap();
        let adaptive = AdaptiveClip::try_new(initial, 0.3, 0.2, 0.1).unwrap();
        let fixed = plan(&config(LocalWork::Steps(12), batches), protection, &dataset);
        let plan = fixed.clone().with_adaptive_clip(adaptive);
        let (norms, model) = adapted(&plan, &protection, &dataset, adaptive, 0.3);
        let run = run(&plan, &dataset);
        let found = run.clip_norm.unwrap().get();
        let expected = *norms.last().unwrap();
        // The library takes a hundred-thousandth off each count.
        assert!(
            (found / expected - 1.0).abs() < 1e-4,
            "{protection:?} {norms:?}"
        );
        assert!(
            (expected / 0.7 - 1.0).abs() > 1e-2,
            "{norms:?} does not adapt"
        );
        for ((update, after), before) in run
            .update
            .as_slice()
            .iter()
            .zip(&model)
            .zip(start().as_slice())
        {
            assert!((update - (after - before)).abs() < 1e-3, "{protection:?}");
        }
        // Beside the same steps with a fixed clip norm the ledger hears of another mechanism at the same cost.
        assert_ne!(plan.mechanism(), fixed.mechanism());
        let adapted = plan.mechanism();
        assert!(matches!(adapted, Mechanism::AdaptiveClip { .. }) && run.mechanism == adapted);
        let cost = |mechanism: Mechanism| format!("{:?}", mechanism.event(PrivacyUnit::Record, 1));
        assert_eq!(cost(adapted), cost(adapted.without_count()));
        assert_eq!(
            run.clip_norm.is_some(),
            self::run(&fixed, &dataset).clip_norm.is_none()
        );
    }
}

#[test]
fn a_round_begins_with_the_clip_norm_it_is_given() {
    let dataset = Arc::new(dataset(70));
    let adaptive = AdaptiveClip::try_new(ClipNorm::try_new(1.0).unwrap(), 0.5, 0.2, 0.1).unwrap();
    let steps = |steps| {
        let config = config(LocalWork::Steps(steps), Batches::Poisson(rate(0.5)));
        plan(&config, record_protection(1.0, 1.0), &dataset).with_adaptive_clip(adaptive)
    };
    let mut sgd = LocalSgd::new(&model(), Backend::Fused);
    let mut at = |clip_norm| {
        sgd.run(&LocalRound {
            plan: &steps(1),
            dataset: &dataset,
            start: &start(),
            clip_norm,
            seed: &Seed::from_number(1),
            round: Round(2),
        })
        .unwrap()
    };
    let given = ClipNorm::try_new(4.0).unwrap();
    assert_eq!(at(None), at(Some(adaptive.initial())));
    assert_ne!(at(None).update, at(Some(given)).update);
    let moved = (at(Some(given)).clip_norm.unwrap().get() / 4.0).ln().abs();
    // Equal when every unit, or none, was clipped: but for the rounding of the exponential and the logarithm.
    assert!(moved <= adaptive.largest_change(1) * (1.0 + 1e-12));
}

/// Every gradient is within a clip norm of a million and none within a millionth, so that every step moves it by all that a
/// step can.
#[test]
fn single_precision_moves_a_clip_norm_no_further_than_its_steps() {
    let dataset = Arc::new(dataset(70));
    let mut sgd = LocalSgd::new(&model(), Backend::Burn);
    for (initial, speed) in [(1e6, 0.1), (1e6, 0.2), (1e-6, 0.2), (1e-6, 0.7)] {
        for steps in 1..20 {
            let initial = ClipNorm::try_new(initial * (1.0 + f64::from(steps) / 64.0)).unwrap();
            let adaptive = AdaptiveClip::try_new(initial, 0.5, speed, 0.1).unwrap();
            let config = config(LocalWork::Steps(steps), Batches::Poisson(rate(1.0)));
            let protection = record_protection(initial.get(), 0.01);
            let plan = plan(&config, protection, &dataset).with_adaptive_clip(adaptive);
            let run = sgd.run(&LocalRound {
                plan: &plan,
                dataset: &dataset,
                start: &start(),
                clip_norm: None,
                seed: &Seed::from_number(1),
                round: Round(2),
            });
            let moved = (run.unwrap().clip_norm.unwrap().get() / initial.get()).ln();
            let largest = adaptive.largest_change(steps);
            assert!(moved.abs() <= largest + 1e-12, "{steps}: {moved}");
            assert!(moved.abs() > largest * 0.9, "{steps}: {moved}");
        }
    }
}

#[test]
fn the_ledger_hears_what_was_done() {
    let dataset = dataset(70);
    let (sampling_rate, noise_multiplier) = (rate(0.25), NoiseMultiplier::try_new(1.5).unwrap());
    let clip_norm = ClipNorm::try_new(1.0).unwrap();
    let group_size = NonZeroU32::new(4).unwrap();
    let config = config(LocalWork::Epochs(2), Batches::Poisson(sampling_rate));
    for (protection, mechanism) in [
        (Protection::None, Mechanism::None),
        (
            Protection::Record {
                clip_norm,
                noise_multiplier,
            },
            Mechanism::Record {
                sampling_rate,
                noise_multiplier,
            },
        ),
        (
            Protection::Group {
                clip_norm,
                noise_multiplier,
                group_size,
            },
            Mechanism::Group {
                sampling_rate,
                noise_multiplier,
                group_size,
            },
        ),
        (
            Protection::AveragedGradient {
                clip_norm,
                noise_multiplier,
            },
            Mechanism::AveragedGradient {
                sampling_rate,
                noise_multiplier,
            },
        ),
        (
            Protection::SubjectSampling {
                clip_norm,
                noise_multiplier,
                records_per_subject: group_size,
            },
            Mechanism::SubjectSampling {
                sampling_rate,
                noise_multiplier,
            },
        ),
    ] {
        let plan = plan(&config, protection, &dataset);
        let run = run(&plan, &dataset);
        assert_eq!((run.mechanism, run.steps), (mechanism, 8));
        let records: Vec<(u32, u32)> = plan.subject_records().map(|(s, n)| (s.0, n)).collect();
        let capped = matches!(protection, Protection::Group { .. });
        assert_eq!(
            records,
            if capped {
                [(0, 4), (1, 4), (2, 4)]
            } else {
                [(0, 40), (1, 20), (2, 10)]
            }
        );
        let protected = mechanism.why_infinite(PrivacyUnit::Record).is_none();
        assert_eq!(protected, run.mechanism != Mechanism::None);
    }
}

#[test]
fn a_run_depends_on_its_silo_and_round_alone() {
    let dataset = Arc::new(dataset(40));
    let config = config(LocalWork::Steps(3), Batches::Poisson(rate(0.3)));
    let protection = record_protection(1.0, 1.0);
    let plan_of = |silo| {
        let records: Vec<RecordId> = dataset.records().collect();
        let seed = Seed::from_number(1);
        LocalPlan::try_new(&config, protection, &dataset, &records, SiloId(silo), &seed).unwrap()
    };
    let mut steps = LocalSgd::new(&model(), Backend::Fused);
    let mut run = |silo, round| {
        let seed = Seed::from_number(1);
        steps
            .run(&LocalRound {
                plan: &plan_of(silo),
                dataset: &dataset,
                start: &start(),
                clip_norm: None,
                seed: &seed,
                round: Round(round),
            })
            .unwrap()
            .update
    };
    let first = run(4, 2);
    assert_ne!(first, run(5, 2));
    assert_ne!(first, run(4, 3));
    assert_eq!(first, run(4, 2));
}

#[test]
fn an_empty_batch_still_adds_noise() {
    let dataset = dataset(7);
    let config = config(LocalWork::Steps(1), Batches::Poisson(rate(1e-12)));
    let run = run(
        &plan(&config, record_protection(1.0, 1.0), &dataset),
        &dataset,
    );
    assert_eq!(run.clipping.records, 0);
    assert!(run.update.l2_norm() > 0.0);
}

#[test]
fn what_has_no_proof_is_refused() {
    let dataset = dataset(7);
    let seed = Seed::from_number(1);
    let records: Vec<RecordId> = dataset.records().collect();
    let fixed = config(LocalWork::Steps(1), Batches::Shuffled(4));
    let refused = LocalPlan::try_new(
        &fixed,
        record_protection(1.0, 1.0),
        &dataset,
        &records,
        SiloId(0),
        &seed,
    );
    assert_eq!(refused.unwrap_err(), PlanError::FixedBatches);
    let empty = LocalPlan::try_new(&fixed, Protection::None, &dataset, &[], SiloId(0), &seed);
    assert_eq!(empty.unwrap_err(), PlanError::NoRecords(SiloId(0)));
}

#[test]
fn training_learns_and_the_evaluator_sees_it() {
    let dataset = Arc::new(dataset(60));
    let config = config(LocalWork::Epochs(400), Batches::Shuffled(20));
    let run = run(&plan(&config, Protection::None, &dataset), &dataset);
    let mut after = start();
    after.add_scaled(1.0, &run.update).unwrap();
    let records: Vec<RecordId> = dataset.records().collect();
    let mut evaluator = Evaluator::new(&model(), Backend::Fused);
    let before = accuracy(&evaluator.scores(&start(), &dataset, &records).unwrap());
    let after = accuracy(&evaluator.scores(&after, &dataset, &records).unwrap());
    assert!(before < 0.5 && after > 0.6, "{before} {after}");
}

#[test]
fn a_neighbouring_silo_keeps_all_that_is_public() {
    let dataset = dataset(35);
    let poisson = Batches::Poisson(rate(0.3));
    let clip_norm = ClipNorm::try_new(1.0).unwrap();
    let noise_multiplier = NoiseMultiplier::try_new(1.0).unwrap();
    let averaged = Protection::AveragedGradient {
        clip_norm,
        noise_multiplier,
    };
    let sampled = Protection::SubjectSampling {
        clip_norm,
        noise_multiplier,
        records_per_subject: NonZeroU32::new(2).unwrap(),
    };
    for protection in [record_protection(1.0, 1.0), averaged, sampled] {
        let whole = plan(&config(LocalWork::Steps(4), poisson), protection, &dataset);
        let kept: Vec<RecordId> = dataset
            .records()
            .filter(|&record| dataset.subject(record) != SubjectId(0))
            .collect();
        let without = whole.clone().holding(&dataset, &kept).unwrap();
        assert_eq!(without.expected_batch(), whole.expected_batch());
        assert_eq!(without.steps(), whole.steps());
        assert_eq!(without.mechanism(), whole.mechanism());
        assert_eq!(without.records().len(), kept.len());
        assert!(without.subject_records().all(|(s, _)| s != SubjectId(0)));
        // Planned anew, its own denominator would tell that somebody is missing.
        let anew = LocalPlan::try_new(
            &config(LocalWork::Steps(4), poisson),
            protection,
            &dataset,
            &kept,
            SiloId(4),
            &Seed::from_number(1),
        )
        .unwrap();
        assert_ne!(anew.expected_batch(), whole.expected_batch());
        assert_eq!(anew.records(), without.records());
        // Back again it is the plan that it was, step for step.
        let all: Vec<RecordId> = dataset.records().collect();
        let back = without.holding(&dataset, &all).unwrap();
        assert_eq!(run(&back, &dataset), run(&whole, &dataset));
        assert!(whole.holding(&dataset, &[]).is_err());
    }
}
