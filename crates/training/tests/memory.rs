//! What a step asks of the allocator. One test, so that nothing else counts.
#![allow(clippy::unwrap_used)]

use accounting::ClipNorm;
use siloscope_training::architecture::ImageShape;
use siloscope_training::{
    Backend, Batch, ClipBound, ClipStyle, Clipping, ConvnetShape, InputShape, ModelConfig, Norm,
    Recurrent,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn a_step_that_saw_its_largest_batch_allocates_nothing() {
    let image = InputShape::Image(ImageShape {
        height: 16,
        width: 15,
        channels: 1,
    });
    let text = InputShape::Tokens {
        length: 9,
        vocabulary: 12,
    };
    let sizes = Recurrent {
        embedding: 4,
        hidden: 6,
        layers: 2,
    };
    let models = [
        (ModelConfig::Mlp { hidden: vec![32] }, image),
        (
            ModelConfig::Convnet {
                shape: ConvnetShape::OpacusMnist,
            },
            image,
        ),
        (
            ModelConfig::ResnetGn {
                channels: 4,
                norm: Norm::Group,
                groups: 2,
                blocks: 1,
                cardinality: 2,
            },
            image,
        ),
        (ModelConfig::Lstm(sizes), text),
        (ModelConfig::Gru(sizes), text),
        (
            ModelConfig::Transformer {
                width: 8,
                heads: 2,
                feedforward: 12,
                blocks: 1,
            },
            text,
        ),
    ];
    let bound = |style| ClipBound {
        norm: ClipNorm::try_new(0.1).unwrap(),
        style,
    };
    let rules = [
        Clipping::Nothing,
        Clipping::Records(bound(ClipStyle::Flat)),
        Clipping::RecordsInSubjectMeans(bound(ClipStyle::Automatic)),
        Clipping::SubjectMeans(bound(ClipStyle::PerLayer)),
    ];
    for (config, input) in models {
        let model = config.architecture(input, 5).unwrap();
        let weights = vec![0.01; model.parameters()];
        let features = vec![1.0; 40 * model.inputs()];
        let (labels, subjects) = ([3; 40], [0, 1, 2, 3, 4, 5, 6, 7].repeat(5));
        let mut network = Backend::Fused.network(&model);
        let mut sum = vec![0.0; model.parameters()];
        for clipping in rules {
            let mut step = |records: usize| {
                let batch = Batch {
                    features: &features[..records * model.inputs()],
                    labels: data::LabelSlice::Classes(&labels[..records]),
                    subjects: &subjects[..records],
                };
                let report = network.add_clipped_sum(&weights, &batch, &clipping, &mut sum);
                report.unwrap();
            };
            step(40);
            // The fewest of three times: the threads of the test's own harness ask for memory too, but not thrice.
            let times = [(); 3].map(|()| {
                let region = Region::new(ALLOCATOR);
                [40, 7, 33, 40].into_iter().for_each(&mut step);
                let asked = region.change();
                asked.allocations + asked.reallocations
            });
            let least = times.into_iter().min();
            assert_eq!(least, Some(0), "{} {clipping:?}", config.name());
        }
    }
}
