//! By how much one record or one subject can move a clipped sum.
#![allow(clippy::unwrap_used)]

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
    fn sum(&self, clipping: &Clipping, keep: impl Fn(usize) -> bool) -> Vec<f32> {
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
            labels: &labels,
            subjects: &subjects,
        };
        let mut sum = vec![0.0; self.model.parameters()];
        let mut network = Backend::Fused.network(&self.model);
        network
            .add_clipped_sum(&self.weights, &batch, clipping, &mut sum)
            .unwrap();
        sum
    }
}

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
        for (clipping, of_record, of_subject) in [
            (Clipping::Records(clip), bound, records * bound),
            (Clipping::RecordsInSubjectMeans(clip), bound, bound),
            (Clipping::SubjectMeans(clip), 2.0 * bound, bound),
        ] {
            let all = world.sum(&clipping, |_| true);
            let by_record = distance(&all, &world.sum(&clipping, |i| i != gone));
            let by_subject = distance(&all, &world.sum(&clipping, |i| subjects[i] != subject));
            prop_assert!(by_record <= of_record * ROUNDING, "record: {by_record} {clipping:?}");
            prop_assert!(by_subject <= of_subject * ROUNDING, "subject: {by_subject} {clipping:?}");
        }
    }
}

#[test]
fn the_bounds_are_met_and_without_clipping_there_is_none() {
    let world = World::new(false, 10.0, &[0, 0, 0, 1], 7);
    let clip = ClipNorm::try_new(0.5).unwrap().into();
    for clipping in [
        Clipping::Records(clip),
        Clipping::RecordsInSubjectMeans(clip),
        Clipping::SubjectMeans(clip),
    ] {
        let alone = world.sum(&clipping, |i| i == 3);
        let length = distance(&alone, &vec![0.0; alone.len()]);
        assert!((0.4999..=0.5).contains(&length), "{clipping:?}: {length}");
    }
    let all = world.sum(&Clipping::Nothing, |_| true);
    let moved = |gone| distance(&all, &world.sum(&Clipping::Nothing, |i| i != gone));
    assert!(
        (0..4).map(moved).fold(0.0, f64::max) > 5.0,
        "the check must see an unbounded record"
    );
}
