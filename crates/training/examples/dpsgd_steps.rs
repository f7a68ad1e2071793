//! The workloads of `benches/dpsgd`, step by step: plain, and with DP-SGD.
//!
//! `dpsgd_steps` reads lines such as `W1 dp 2 5` (workload, `plain` or `dp`, threads, steps), takes so many steps on every
//! thread, each of a silo of its own, and answers with a line; so another program can take turns with it and hold the
//! watch.
//! `dpsgd_steps memory W1 dp` takes ten steps and says what they needed.
#![allow(clippy::print_stdout)]

mod workloads;

use accounting::ClipNorm;
use primitives::{Role, noise};
use rand_chacha::ChaCha20Rng;
use siloscope_training::{Architecture, Backend, Batch, Clipping, Network};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::collections::BTreeMap;
use std::io::BufRead;
use workloads::{Workload, stream};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [memory, name, kind] = &arguments[..]
        && memory == "memory"
    {
        return print_memory(name, kind);
    }
    let mut silos: BTreeMap<(String, bool), Vec<Silo>> = BTreeMap::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("lines of text come in");
        let words: Vec<&str> = line.split_whitespace().collect();
        let [name, kind, threads, steps] = words[..] else {
            panic!("{line:?} is not a workload, plain or dp, threads and steps");
        };
        let threads: usize = threads.parse().expect("a number of threads");
        let steps: usize = steps.parse().expect("a number of steps");
        let silos = silos.entry((name.to_owned(), kind == "dp")).or_default();
        silos.resize_with(threads.max(silos.len()), || Silo::new(name, kind == "dp"));
        match &mut silos[..threads] {
            [silo] => (0..steps).for_each(|_| silo.step()),
            silos => std::thread::scope(|scope| {
                for silo in silos {
                    scope.spawn(move || (0..steps).for_each(|_| silo.step()));
                }
            }),
        }
        println!("taken");
    }
}

/// A silo in the middle of its local steps.
struct Silo {
    model: Architecture,
    network: Box<dyn Network>,
    weights: Vec<f32>,
    features: Vec<f32>,
    labels: Vec<u32>,
    subjects: Vec<u32>,
    sum: Vec<f32>,
    rng: ChaCha20Rng,
    clipping: Clipping,
}

impl Silo {
    fn new(name: &str, protected: bool) -> Self {
        let workload = Workload::named(name);
        let model = workload.architecture();
        let clip = ClipNorm::try_new(1.0).expect("one is a clip norm");
        Self {
            network: Backend::Fused.network(&model),
            weights: model.initial(&mut stream(Role::Init)).into_vec(),
            features: workload.features(workload.records),
            labels: workload.labels(workload.records),
            subjects: vec![0; workload.records],
            sum: vec![0.0; model.parameters()],
            rng: stream(Role::Noise),
            clipping: if protected {
                Clipping::Records(clip.into())
            } else {
                Clipping::Nothing
            },
            model,
        }
    }

    /// Gradient, clipping, noise and update.
    fn step(&mut self) {
        let batch = Batch {
            features: &self.features,
            labels: data::LabelSlice::Classes(&self.labels),
            subjects: &self.subjects,
        };
        self.sum.fill(0.0);
        self.network
            .add_clipped_sum(&self.weights, &batch, &self.clipping, &mut self.sum)
            .expect("the batch fits the model");
        let factor = -1e-4 / self.labels.len() as f32;
        if self.clipping == Clipping::Nothing {
            kernels::add_scaled(&mut self.weights, factor, &self.sum);
        } else {
            noise::descend(&mut self.rng, 1.0, &self.sum, factor, &mut self.weights);
        }
    }
}

fn print_memory(name: &str, kind: &str) {
    let before = resident_mib("VmRSS");
    let mut silo = Silo::new(name, kind == "dp");
    (0..3).for_each(|_| silo.step());
    let region = Region::new(ALLOCATOR);
    (0..10).for_each(|_| silo.step());
    let change = region.change();
    println!(
        r#"{{"workload": "{name}", "kind": "{kind}", "parameters": {}, "before_mib": {before:.1}, "peak_mib": {:.1}, "allocations_of_ten_steps": {}}}"#,
        silo.model.parameters(),
        resident_mib("VmHWM"),
        change.allocations + change.reallocations,
    );
}

/// A line of this process's status, or `NaN` where the system does not say.
fn resident_mib(key: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(key));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok())
        .map_or(f64::NAN, |kibibytes| kibibytes / 1024.0)
}
