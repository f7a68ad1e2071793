//! The gradient of one local step, plain and clipped: judge the second by its ratio to the first.
#![allow(missing_docs)]

use accounting::ClipNorm;
use criterion::{Criterion, criterion_group, criterion_main};
use primitives::{Role, Seed, Stream, noise};
use siloscope_training::architecture::ImageShape;
use siloscope_training::{
    Backend, Batch, ClipStyle, Clipping, ConvnetShape, InputShape, ModelConfig,
};

const RECORDS: usize = 64;

fn step(criterion: &mut Criterion) {
    let norm = ClipNorm::try_new(1.0).expect("one is a clip norm");
    let bound = |style| siloscope_training::ClipBound { norm, style };
    let image = InputShape::Image(ImageShape {
        height: 28,
        width: 28,
        channels: 1,
    });
    let models = [
        (
            "mlp",
            ModelConfig::Mlp {
                hidden: vec![256, 128],
            },
        ),
        (
            "convnet",
            ModelConfig::Convnet {
                shape: ConvnetShape::OpacusMnist,
            },
        ),
    ];
    let rules = [
        ("plain", Clipping::Nothing),
        ("records", Clipping::Records(bound(ClipStyle::Flat))),
        (
            "records-per-layer",
            Clipping::Records(bound(ClipStyle::PerLayer)),
        ),
        (
            "records-in-subject-means",
            Clipping::RecordsInSubjectMeans(bound(ClipStyle::Flat)),
        ),
        (
            "subject-means",
            Clipping::SubjectMeans(bound(ClipStyle::Flat)),
        ),
    ];
    for (name, config) in models {
        let model = config
            .architecture(image, 10)
            .expect("the models read such images");
        let stream = |role| Seed::from_number(1).stream(Stream::run(role));
        let weights = model.initial(&mut stream(Role::Init));
        let mut features = vec![0.0; RECORDS * model.inputs()];
        noise::add(&mut stream(Role::Generate), 1.0, &mut features);
        let labels: Vec<u32> = (0..RECORDS as u32).map(|i| i % 10).collect();
        let subjects: Vec<u32> = (0..RECORDS as u32).map(|i| i / 4).collect();
        let batch = Batch {
            features: &features,
            labels: data::LabelSlice::Classes(&labels),
            subjects: &subjects,
        };
        let mut network = Backend::Fused.network(&model);
        let mut sum = vec![0.0; model.parameters()];
        for (rule, clipping) in rules {
            criterion.bench_function(&format!("step/{name}-{rule}/{RECORDS}"), |bencher| {
                bencher.iter(|| {
                    network
                        .add_clipped_sum(weights.as_slice(), &batch, &clipping, &mut sum)
                        .expect("the batch fits the model")
                });
            });
        }
        criterion.bench_function(&format!("step/{name}-noise/{RECORDS}"), |bencher| {
            let mut rng = stream(Role::Noise);
            bencher.iter(|| noise::add(&mut rng, 1.0, &mut sum));
        });
    }
}

criterion_group!(benches, step);
criterion_main!(benches);
