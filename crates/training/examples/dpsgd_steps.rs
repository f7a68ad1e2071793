//! Times one step of each workload of `benches/dpsgd`, plain and with DP-SGD, and prints a line of JSON for each.
//!
//! `cargo run --release -p siloscope-training --example dpsgd_steps [steps]`; CPU time is that of this one thread.
#![allow(clippy::print_stdout)]

use accounting::ClipNorm;
use primitives::{Role, Seed, Stream, noise};
use siloscope_training::architecture::ImageShape;
use siloscope_training::{
    Backend, Batch, Clipping, ConvnetShape, InputShape, ModelConfig, Recurrent,
};
use std::time::Instant;

struct Workload {
    name: &'static str,
    model: ModelConfig,
    input: InputShape,
    classes: usize,
    records: usize,
}

fn workloads() -> Vec<Workload> {
    let image = InputShape::Image(ImageShape {
        height: 28,
        width: 28,
        channels: 1,
    });
    let text = InputShape::Tokens {
        length: 80,
        vocabulary: 80,
    };
    let lstm = Recurrent {
        embedding: 8,
        hidden: 256,
        layers: 2,
    };
    let convnet = ModelConfig::Convnet {
        shape: ConvnetShape::OpacusMnist,
    };
    vec![
        Workload {
            name: "W1",
            model: ModelConfig::Mlp {
                hidden: vec![256, 128],
            },
            input: InputShape::Features(784),
            classes: 10,
            records: 256,
        },
        Workload {
            name: "W2",
            model: convnet,
            input: image,
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
    ]
}

fn main() {
    let steps = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(25);
    let clip = ClipNorm::try_new(1.0).expect("one is a clip norm");
    for workload in workloads() {
        for (kind, clipping, noise) in [
            ("plain", Clipping::Nothing, 0.0),
            ("dp", Clipping::Records(clip.into()), 1.0),
        ] {
            let (wall, cpu) = time(&workload, &clipping, noise, steps);
            println!(
                r#"{{"engine": "siloscope", "workload": "{}", "kind": "{kind}", "wall_ms": {wall:.4}, "cpu_ms": {cpu:.4}}}"#,
                workload.name
            );
        }
    }
}

/// Median of wall and mean of CPU milliseconds a step: gradient, clipping, noise and update.
fn time(workload: &Workload, clipping: &Clipping, noise: f64, steps: usize) -> (f64, f64) {
    let model = workload
        .model
        .architecture(workload.input, workload.classes);
    let model = model.expect("the workload's model fits its data");
    let stream = |role| Seed::from_number(1).stream(Stream::run(role));
    let mut weights = model.initial(&mut stream(Role::Init)).into_vec();
    let mut features = vec![0.0; workload.records * model.inputs()];
    noise::add(&mut stream(Role::Generate), 1.0, &mut features);
    if let InputShape::Tokens { vocabulary, .. } = workload.input {
        for token in &mut features {
            *token = (token.abs() * 1000.0).floor() % vocabulary as f32;
        }
    }
    let labels: Vec<u32> = (0..workload.records)
        .map(|i| (i * 7 % workload.classes) as u32)
        .collect();
    let subjects = vec![0; workload.records];
    let batch = Batch {
        features: &features,
        labels: &labels,
        subjects: &subjects,
    };
    let mut network = Backend::Fused.network(&model);
    let mut sum = vec![0.0; model.parameters()];
    let mut noises = stream(Role::Noise);
    let mut wall = Vec::new();
    let mut cpu_start = 0.0;
    for step in 0..steps + 3 {
        if step == 3 {
            cpu_start = cpu_ms();
        }
        let start = Instant::now();
        sum.fill(0.0);
        network
            .add_clipped_sum(&weights, &batch, clipping, &mut sum)
            .expect("the batch fits the model");
        if noise > 0.0 {
            noise::add(&mut noises, noise, &mut sum);
        }
        kernels::add_scaled(&mut weights, -1e-4 / workload.records as f32, &sum);
        if step >= 3 {
            wall.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    (median(wall), (cpu_ms() - cpu_start) / steps as f64)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Milliseconds this thread has run, or `NaN` where the system does not say.
fn cpu_ms() -> f64 {
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|line| line.split(' ').next()?.parse::<f64>().ok())
        .map_or(f64::NAN, |nanoseconds| nanoseconds / 1e6)
}
