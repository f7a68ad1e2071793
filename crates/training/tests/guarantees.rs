//! By how much one record or one subject can move a clipped sum.
#![allow(clippy::unwrap_used)]

mod common;

use accounting::ClipNorm;
use primitives::{Role, Seed, Stream, noise};
use proptest::prelude::*;
use siloscope_training::architecture::ImageShape;
use siloscope_training::{
    Architecture, Backend, Batch, ClipBound, ClipStyle, Clipping, ConvnetShape, InputShape,
    ModelConfig,
};

/// What `f32` sums of a few dozen gradients may add to a distance.
const ROUNDING: f64 = 1.0 + 1e-5;

struct World {
    model: Architecture,
    weights: Vec<f32>,
    features: Vec<f32>,
    labels: Vec<u32>,
    subjects: Vec<u32>,
}

impl World {
    fn new(convnet: bool, scale: f64, subjects: &[u32], seed: u64) -> Self {
        let image = InputShape::Image(ImageShape {
            height: 14,
            width: 14,
            channels: 1,
        });
        let config = if convnet {
            ModelConfig::Convnet {
                shape: ConvnetShape::OpacusMnist,
            }
        } else {
            ModelConfig::Mlp { hidden: vec![12] }
        };
        let model = config.architecture(image, 4).unwrap();
        let seed = Seed::from_number(seed);
        let weights = model
            .initial(&mut seed.stream(Stream::run(Role::Init)))
            .into_vec();
        let mut features = vec![0.0; subjects.len() * model.inputs()];
        noise::add(
            &mut seed.stream(Stream::run(Role::Generate)),
            scale,
            &mut features,
        );
        let labels = (0..subjects.len() as u32).map(|i| i * i % 4).collect();
        Self {
            model,
            weights,
            features,
            labels,
            subjects: subjects.to_vec(),
        }
    }

    /// The clipped sum over the records that `keep` wants.
    fn sum(&self, backend: Backend, clipping: &Clipping, keep: impl Fn(usize) -> bool) -> Vec<f32> {
        let kept: Vec<usize> = (0..self.labels.len()).filter(|&i| keep(i)).collect();
        let inputs = self.model.inputs();
        let features: Vec<f32> = kept
            .iter()
            .flat_map(|&i| self.features[i * inputs..][..inputs].to_vec())
            .collect();
        let labels: Vec<u32> = kept.iter().map(|&i| self.labels[i]).collect();
        let subjects: Vec<u32> = kept.iter().map(|&i| self.subjects[i]).collect();
        let batch = Batch {
            features: &features,
            labels: data::LabelSlice::Classes(&labels),
            subjects: &subjects,
        };
        let mut sum = vec![0.0; self.model.parameters()];
        let mut network = backend.network(&self.model);
        network
            .add_clipped_sum(&self.weights, &batch, clipping, &mut sum)
            .unwrap();
        sum
    }
}

/// What computes: on the host, and on the device under test.
const BACKENDS: [fn() -> Backend; 2] = [|| Backend::Fused, common::device];

fn distance(left: &[f32], right: &[f32]) -> f64 {
    left.iter()
        .zip(right)
        .map(|(a, b)| f64::from(a - b).powi(2))
        .sum::<f64>()
        .sqrt()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn neighbours_are_no_further_apart_than_stated(
        convnet: bool,
        scale in 0.01..30.0_f64,
        bound in 0.001..10.0_f64,
        subjects in prop::collection::vec(0_u32..5, 1..24),
        seed: u64,
        choice: prop::sample::Index,
        style in prop::sample::select(vec![ClipStyle::Flat, ClipStyle::PerLayer, ClipStyle::Automatic]),
    ) {
        let world = World::new(convnet, scale, &subjects, seed);
        let clip = ClipBound { norm: ClipNorm::try_new(bound).unwrap(), style };
        let gone = choice.index(subjects.len());
        let subject = subjects[gone];
        let records = subjects.iter().filter(|&&s| s == subject).count() as f64;
        let bounds = [
            (Clipping::Records(clip), bound, records * bound),
            (Clipping::RecordsInSubjectMeans(clip), bound, bound),
            (Clipping::SubjectMeans(clip), 2.0 * bound, bound),
        ];
        for (backend, (clipping, of_record, of_subject)) in
            BACKENDS.iter().flat_map(|backend| bounds.map(|bounds| (backend(), bounds)))
        {
            let sum = |keep: &dyn Fn(usize) -> bool| world.sum(backend, &clipping, keep);
            let all = sum(&|_| true);
            let by_record = distance(&all, &sum(&|i| i != gone));
            let by_subject = distance(&all, &sum(&|i| subjects[i] != subject));
            prop_assert!(by_record <= of_record * ROUNDING, "{backend:?}, record: {by_record} {clipping:?}");
            prop_assert!(by_subject <= of_subject * ROUNDING, "{backend:?}, subject: {by_subject} {clipping:?}");
        }
    }
}

#[test]
fn the_bounds_are_met_and_without_clipping_there_is_none() {
    let world = World::new(false, 10.0, &[0, 0, 0, 1], 7);
    let clip = ClipNorm::try_new(0.5).unwrap().into();
    for backend in BACKENDS.map(|backend| backend()) {
        for clipping in [
            Clipping::Records(clip),
            Clipping::RecordsInSubjectMeans(clip),
            Clipping::SubjectMeans(clip),
        ] {
            let alone = world.sum(backend, &clipping, |i| i == 3);
            let length = distance(&alone, &vec![0.0; alone.len()]);
            assert!(
                (0.4999..=0.5).contains(&length),
                "{backend:?}, {clipping:?}: {length}"
            );
        }
        let all = world.sum(backend, &Clipping::Nothing, |_| true);
        let moved = |gone| distance(&all, &world.sum(backend, &Clipping::Nothing, |i| i != gone));
        assert!(
            (0..4).map(moved).fold(0.0, f64::max) > 5.0,
            "{backend:?}: the check must see an unbounded record"
        );
    }
}

mod canaries {
    //! What a canary adds is what the plan's unit of that kind may add, and nothing else moves.

    use accounting::{ClipNorm, NoiseMultiplier, SamplingRate};
    use data::{Dataset, DatasetParts, Features};
    use primitives::{RecordId, Role, Round, Seed, SiloId, Stream, SubjectId};
    use siloscope_training::{
        Architecture, Backend, Batches, Canary, CanaryKind, InputShape, LocalPlan, LocalRound,
        LocalRun, LocalSgd, LocalWork, ModelConfig, Protection, TrainingConfig,
    };
    use std::num::NonZeroU32;
    use std::sync::Arc;

    const STEPS: u32 = 400;
    const RATE: f64 = 0.3;
    /// The parameter that the canary pushes.
    const PUSHED: u32 = 2;

    fn dataset() -> Dataset {
        Dataset::try_new(DatasetParts {
            name: "made for a test".to_owned(),
            features: Features::Floats((0..40 * 3).map(|i| (i as f32 * 0.7).sin()).collect()),
            shape: vec![3],
            labels: (0..40).map(|i| i % 2).collect(),
            classes: ["a", "b"].map(str::to_owned).to_vec(),
            subjects: (0..40).map(|i| SubjectId(i / 4)).collect(),
            subject_names: (0..10).map(|i| i.to_string()).collect(),
            natural_silos: None,
            splits: None,
        })
        .unwrap()
    }

    fn model() -> Architecture {
        ModelConfig::Mlp { hidden: vec![] }
            .architecture(InputShape::Features(3), 2)
            .unwrap()
    }

    fn run(protection: Protection, steps: u32, canaries: Vec<Canary>) -> LocalRun {
        let dataset = dataset();
        let records: Vec<RecordId> = dataset.records().collect();
        let rate = SamplingRate::try_new(RATE).unwrap();
        let config = TrainingConfig::sgd(LocalWork::Steps(steps), Batches::Poisson(rate), 0.1);
        let seed = Seed::from_number(1);
        let plan =
            LocalPlan::try_new(&config, protection, &dataset, &records, SiloId(3), &seed).unwrap();
        let start = model().initial(&mut seed.stream(Stream::run(Role::Init)));
        LocalSgd::new(&model(), Backend::Fused)
            .run(&LocalRound {
                plan: &plan.with_canaries(canaries),
                dataset: &Arc::new(dataset),
                start: &start,
                clip_norm: None,
                seed: &seed,
                round: Round(1),
            })
            .unwrap()
    }

    fn clip() -> ClipNorm {
        ClipNorm::try_new(0.5).unwrap()
    }

    fn noise(multiplier: f64) -> NoiseMultiplier {
        NoiseMultiplier::try_new(multiplier).unwrap()
    }

    fn three() -> NonZeroU32 {
        NonZeroU32::new(3).unwrap()
    }

    fn canary(kind: CanaryKind, included: bool) -> Canary {
        Canary {
            coordinate: PUSHED,
            kind,
            included,
        }
    }

    /// How often each whole number of clip norms was read, from -3 to 3; no reading may be anything else.
    fn pushes(protection: Protection, kind: CanaryKind, included: bool) -> [u32; 7] {
        let mut counts = [0; 7];
        for reading in run(protection, STEPS, vec![canary(kind, included)]).readings {
            let whole = reading.round();
            assert!((reading - whole).abs() < 1e-3, "{protection:?}: {reading}");
            counts[(whole + 3.0) as usize] += 1;
        }
        counts
    }

    #[test]
    fn a_canary_pushes_as_its_kind_of_unit_may() {
        let (clip_norm, noise_multiplier) = (clip(), noise(0.0));
        let record = Protection::Record {
            clip_norm,
            noise_multiplier,
        };
        let averaged = Protection::AveragedGradient {
            clip_norm,
            noise_multiplier,
        };
        let sampled = Protection::SubjectSampling {
            clip_norm,
            noise_multiplier,
            records_per_subject: three(),
        };
        let subject = CanaryKind::Subject { records: three() };
        // Expected counts over 400 steps; off by 5 deviations (chance below 1e-6) at most.
        let none = [0.0; 7];
        let at = |pairs: &[(i32, f64)]| {
            let mut law = none;
            for &(push, chance) in pairs {
                law[(push + 3) as usize] = chance;
            }
            law
        };
        let any = 1.0 - 0.7_f64.powi(3);
        let once = at(&[(0, 0.7), (1, 0.3)]);
        let out = at(&[(0, 1.0)]);
        for (protection, kind, inside, outside) in [
            (record, CanaryKind::Record, once, out),
            (
                record,
                subject,
                at(&[(0, 0.343), (1, 0.441), (2, 0.189), (3, 0.027)]),
                out,
            ),
            (averaged, CanaryKind::Record, once, out),
            (averaged, subject, at(&[(0, 1.0 - any), (1, any)]), out),
            (
                sampled,
                CanaryKind::Record,
                once,
                at(&[(0, 0.7), (-1, 0.3)]),
            ),
            (sampled, subject, once, out),
        ] {
            for (included, law) in [(true, inside), (false, outside)] {
                let counts = pushes(protection, kind, included);
                for (count, chance) in counts.into_iter().zip(law) {
                    let expected = f64::from(STEPS) * chance;
                    let allowed = 5.0 * (expected * (1.0 - chance)).sqrt() + 1e-9;
                    assert!(
                        (f64::from(count) - expected).abs() <= allowed,
                        "{protection:?} {kind:?} {included}: {counts:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_canary_moves_its_own_parameter_and_no_one_elses_draws() {
        let protection = Protection::Record {
            clip_norm: clip(),
            noise_multiplier: noise(1.0),
        };
        let without = run(protection, 1, Vec::new());
        let with = run(protection, 1, vec![canary(CanaryKind::Record, true)]);
        for (at, (a, b)) in
            (0_u32..).zip(without.update.as_slice().iter().zip(with.update.as_slice()))
        {
            assert!(a.to_bits() == b.to_bits() || at == PUSHED, "{at}");
        }
        assert_eq!(without.clipping, with.clipping);
        assert!(without.readings.is_empty() && with.readings.len() == 1);
    }
}

mod faults {
    //! An audit of one silo's steps catches every planted fault, and passes what is right.

    use accounting::{
        Accountant, ClipNorm, Epsilon, NeighboringRelation, NoiseMultiplier, PldAccountant,
        PrivacyUnit, SamplingRate,
    };
    use attacks::audit::{
        CanaryLaw, CanaryScores, Claim, NoiseCheckKind, NoiseReadings, laid_thresholds,
    };
    use attacks::{Confidence, MembershipScore};
    use data::{Dataset, DatasetParts, Features};
    use primitives::{RecordId, Role, Round, Seed, SiloId, Stream, SubjectId};
    use siloscope_training::{
        Architecture, Backend, Batches, Canary, CanaryKind, Fault, InputShape, LocalPlan,
        LocalRound, LocalSgd, LocalWork, ModelConfig, Protection, TrainingConfig,
    };
    use std::sync::Arc;

    const STEPS: u32 = 40;
    const CANARIES: u32 = 2400;
    const FEATURES: usize = 60;
    /// Significance of the bound, and of every noise check.
    const ALPHA: f64 = 1e-5;

    fn model() -> Architecture {
        ModelConfig::Mlp { hidden: vec![40] }
            .architecture(InputShape::Features(FEATURES), 2)
            .unwrap()
    }

    fn dataset() -> Dataset {
        Dataset::try_new(DatasetParts {
            name: "made for a test".to_owned(),
            features: Features::Floats(
                (0..200 * FEATURES)
                    .map(|i| ((i * i) as f32 * 0.7).sin())
                    .collect(),
            ),
            shape: vec![FEATURES],
            labels: (0..200).map(|i| i % 2).collect(),
            classes: ["a", "b"].map(str::to_owned).to_vec(),
            subjects: (0..200).map(|i| SubjectId(i / 4)).collect(),
            subject_names: (0..50).map(|i| i.to_string()).collect(),
            natural_silos: None,
            splits: None,
        })
        .unwrap()
    }

    /// What an audit says: whether the promise is refuted, and which noise checks trip.
    fn audit(fault: Option<Fault>) -> (bool, Vec<NoiseCheckKind>) {
        let dataset = dataset();
        let records: Vec<RecordId> = dataset.records().collect();
        let batches = Batches::Poisson(SamplingRate::try_new(0.1).unwrap());
        let config = TrainingConfig::sgd(LocalWork::Steps(STEPS), batches, 0.1);
        let protection = Protection::Record {
            clip_norm: ClipNorm::try_new(0.5).unwrap(),
            noise_multiplier: NoiseMultiplier::try_new(0.8).unwrap(),
        };
        let seed = Seed::from_number(11);
        let canaries: Vec<Canary> = (0..CANARIES)
            .map(|coordinate| Canary {
                coordinate,
                kind: CanaryKind::Record,
                included: coordinate % 2 == 0,
            })
            .collect();
        let plan =
            LocalPlan::try_new(&config, protection, &dataset, &records, SiloId(0), &seed).unwrap();
        let mut plan = plan.with_canaries(canaries.clone());
        if let Some(fault) = fault {
            plan = plan.with_fault(fault);
        }
        let start = model().initial(&mut seed.stream(Stream::run(Role::Init)));
        let run = LocalSgd::new(&model(), Backend::Fused)
            .run(&LocalRound {
                plan: &plan,
                dataset: &Arc::new(dataset),
                start: &start,
                clip_norm: None,
                seed: &seed,
                round: Round(1),
            })
            .unwrap();

        // The ledger says what should have been done, whatever was.
        let law = CanaryLaw::of(&run.mechanism, PrivacyUnit::Record, 1).unwrap();
        let mut accountant = PldAccountant::new(NeighboringRelation::AddOrRemoveOne);
        let event = run.mechanism.event(PrivacyUnit::Record, 1);
        accountant.compose(&event, u64::from(STEPS)).unwrap();
        let claimed = accountant.epsilon(accounting::Delta::try_new(1e-5).unwrap());
        let pairs = (0..16).map(|i| {
            let epsilon = Epsilon::try_new(claimed.get() * f64::from(i) / 16.0).unwrap();
            (epsilon, accountant.delta(epsilon))
        });
        let claim = Claim::new(pairs.collect());

        let mut noise = NoiseReadings::default();
        let (mut inside, mut outside) = (Vec::new(), Vec::new());
        for (at, canary) in canaries.iter().enumerate() {
            let series = run.readings.iter().skip(at).step_by(canaries.len());
            let series: Vec<f64> = series.map(|&reading| f64::from(reading)).collect();
            let score = series.iter().map(|&reading| law.log_ratio(reading)).sum();
            let score = MembershipScore::try_new(score).unwrap();
            if canary.included {
                inside.push(score);
            } else {
                outside.push(score);
                let fresh = series.iter().zip([1.0, -1.0].into_iter().cycle());
                let fresh: Vec<f64> = fresh.map(|(x, sign)| sign * x / 0.8).collect();
                noise.add(&fresh, None);
            }
        }
        let scores = CanaryScores::try_new(inside, outside).unwrap();
        let refuted = claim.is_refuted(&scores, &laid_thresholds(claimed), ALPHA);
        let level = Confidence::try_new(1.0 - ALPHA).unwrap();
        let checks = noise.checks().into_iter();
        let tripped = checks.filter(|check| !check.passes(level)).map(|c| c.kind);
        (refuted, tripped.collect())
    }

    /// Three tests at 1e-5: right steps would have failed with a chance of at most 3e-5 when the seed was chosen.
    #[test]
    fn right_steps_pass_and_every_fault_is_caught() {
        use NoiseCheckKind::{FreshInEveryStep, Strength};
        assert_eq!(audit(None), (false, Vec::new()));
        assert_eq!(audit(Some(Fault::NoiseHalved)), (true, vec![Strength]));
        // A score of single steps does not see that they share their noise; the pairs do.
        let (_, tripped) = audit(Some(Fault::NoiseReused));
        assert!(tripped.contains(&FreshInEveryStep), "{tripped:?}");
        assert!(!audit(Some(Fault::ClipPerBatch)).1.is_empty());
        assert_eq!(
            audit(Some(Fault::RealisedDenominator)),
            (false, vec![Strength])
        );
        assert_eq!(audit(Some(Fault::RateDoubled)), (true, Vec::new()));
        assert!(
            audit(Some(Fault::ForgetfulSilo(SiloId(0))))
                .1
                .contains(&Strength)
        );
        // The mistake of another silo is not this one's.
        let elsewhere = audit(Some(Fault::ForgetfulSilo(SiloId(1))));
        assert_eq!(elsewhere, (false, Vec::new()));
    }
}
