//! The workloads of `benches/gpu.sh` on a device: rounds of local steps, plain and with DP-SGD, of one silo or of many
//! side by side.
//!
//! `device_steps` reads lines such as `W1 dp cuda 256 1 10` (workload, `plain` or `dp`, device, records of a batch, silos,
//! steps). For each it makes one call of `LocalSgd::run_all` with a round of so many steps for every silo, each on a whole
//! batch of its own, and answers with the seconds that the call took. It ends when the models have been read back, so
//! whatever the device was told is done by then. Data sets and networks are kept from line to line: what comes first is
//! not to be counted.
#![allow(clippy::print_stdout)]

mod workloads;

use accounting::{ClipNorm, NoiseMultiplier, SamplingRate};
use data::{Dataset, DatasetParts, Features, Labels};
use primitives::{ModelVector, RecordId, Role, Round, Seed, SiloId, SubjectId};
use siloscope_training::{
    Backend, Batches, Device, LocalPlan, LocalRound, LocalSgd, LocalWork, Protection,
    TrainingConfig,
};
use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::Arc;
use std::time::Instant;
use workloads::{Workload, stream};

/// Small, so that models stay where they are: what a step takes does not depend on it.
const LEARNING_RATE: f64 = 1e-4;

fn main() {
    let mut federations: BTreeMap<Asked, Federation> = BTreeMap::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("lines of text come in");
        let (asked, steps) = Asked::parse(&line).unwrap_or_else(|| {
            panic!(
                "{line:?} is not a workload, plain or dp, device, records of a batch, silos and steps"
            )
        });
        let federation = federations.entry(asked).or_insert_with_key(Federation::new);
        println!("{}", federation.seconds(steps));
    }
}

/// What a line asks for, less the number of steps.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    workload: String,
    protected: bool,
    device: String,
    batch: usize,
    silos: usize,
}

impl Asked {
    fn parse(line: &str) -> Option<(Self, u32)> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [
            workload,
            kind @ ("plain" | "dp"),
            device,
            batch,
            silos,
            steps,
        ] = words[..]
        else {
            return None;
        };
        let asked = Self {
            workload: workload.to_owned(),
            protected: kind == "dp",
            device: device.to_owned(),
            batch: batch.parse().ok()?,
            silos: silos.parse().ok()?,
        };
        Some((asked, steps.parse().ok()?))
    }

    /// The backend of the device, as a scenario would name it; on the CPU the one that stacks.
    fn backend(&self) -> Backend {
        let backend = match self.device.parse() {
            Ok(Device::Cpu) => Backend::Burn,
            Ok(Device::Cuda(index)) => Backend::Cuda(index),
            Ok(Device::Vulkan) => Backend::Vulkan,
            Ok(Device::Auto) => panic!("auto is no device to time: name one"),
            Err(error) => panic!("{error}"),
        };
        backend.check().unwrap_or_else(|error| panic!("{error}"));
        backend
    }

    /// Sampling and protection: every record in every batch.
    fn local(&self) -> (Batches, Protection) {
        if !self.protected {
            return (Batches::Shuffled(self.batch), Protection::None);
        }
        let rate = SamplingRate::try_new(1.0).expect("one is a rate");
        let protection = Protection::Record {
            clip_norm: ClipNorm::try_new(1.0).expect("one is a clip norm"),
            noise_multiplier: NoiseMultiplier::try_new(1.0).expect("one is a multiplier"),
        };
        (Batches::Poisson(rate), protection)
    }
}

/// Silos that train side by side.
struct Federation {
    asked: Asked,
    dataset: Arc<Dataset>,
    start: ModelVector,
    seed: Seed,
    trainer: LocalSgd,
    /// Rounds that were run.
    round: u32,
}

impl Federation {
    fn new(asked: &Asked) -> Self {
        let workload = Workload::named(&asked.workload);
        let model = workload.architecture();
        let records = asked.silos * asked.batch;
        let parts = DatasetParts {
            name: workload.name.to_owned(),
            features: Features::Floats(workload.features(records)),
            shape: workload.shape(),
            labels: Labels::Classes(workload.labels(records)),
            classes: (0..workload.classes).map(|i| i.to_string()).collect(),
            subjects: (0..records as u32).map(SubjectId).collect(),
            subject_names: (0..records).map(|i| i.to_string()).collect(),
            natural_silos: None,
            splits: None,
        };
        let dataset = Dataset::try_new(parts).expect("made-up records make a data set");
        Self {
            dataset: Arc::new(dataset),
            start: model.initial(&mut stream(Role::Init)),
            seed: Seed::from_number(1),
            trainer: LocalSgd::new(&model, asked.backend()),
            round: 0,
            asked: asked.clone(),
        }
    }

    /// How long a round of so many steps takes, from rounds that are planned to models that are here.
    fn seconds(&mut self, steps: u32) -> f64 {
        self.round += 1;
        let (batches, protection) = self.asked.local();
        let config = TrainingConfig::sgd(LocalWork::Steps(steps), batches, LEARNING_RATE);
        let records: Vec<RecordId> = self.dataset.records().collect();
        let plans: Vec<LocalPlan> = records
            .chunks(self.asked.batch)
            .zip(0..)
            .map(|(records, silo)| {
                let (dataset, seed) = (&self.dataset, &self.seed);
                LocalPlan::try_new(&config, protection, dataset, records, SiloId(silo), seed)
                    .expect("every silo has records")
            })
            .collect();
        let rounds: Vec<LocalRound<'_>> = plans
            .iter()
            .map(|plan| LocalRound {
                plan,
                dataset: &self.dataset,
                start: &self.start,
                clip_norm: None,
                seed: &self.seed,
                round: Round(self.round),
            })
            .collect();
        let begin = Instant::now();
        let runs = self.trainer.run_all(&rounds);
        let seconds = begin.elapsed().as_secs_f64();
        assert_eq!(runs.len(), self.asked.silos);
        for run in runs {
            let run = run.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(run.steps, steps);
        }
        seconds
    }
}
