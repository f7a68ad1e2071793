//! How a silo trains between two messages to the coordinator.

use crate::{Backend, ClipStyle, CpuBackend, Device, Optimizer, Schedule};
use accounting::SamplingRate;
use serde::{Deserialize, Serialize};

/// Local training, as a scenario's `[training]` table writes it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Table", into = "Table")]
pub struct TrainingConfig {
    /// How much a silo does in a round.
    pub work: LocalWork,
    /// Which records a local step reads.
    pub batches: Batches,
    /// Size of a local step.
    pub learning_rate: f64,
    /// What a local step does with the gradient.
    pub optimizer: Optimizer,
    /// How the learning rate changes from round to round.
    pub schedule: Schedule,
    /// How clipped gradients are brought below their bound; without protection nothing is clipped.
    pub clipping: ClipStyle,
    /// Where the models compute.
    pub device: Device,
    /// What computes there if it is the CPU.
    pub cpu_backend: CpuBackend,
}

/// How much a silo does in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalWork {
    /// So many steps.
    Steps(u32),
    /// As many steps as it takes to read every record so many times, in expectation where batches are random.
    Epochs(u32),
}

/// Which records a local step reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Batches {
    /// Every unit joins each step independently with this chance: what privacy amplification is proved for.
    Poisson(SamplingRate),
    /// So many records at a time of a shuffled order; for training without protection.
    Shuffled(usize),
}

/// A `[training]` table that cannot be followed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TrainingConfigError {
    /// Not exactly one of the two.
    #[error(
        "training has {0} of `local_steps` and `local_epochs`: a round needs exactly one, e.g. local_epochs = 1"
    )]
    Work(&'static str),
    /// Not exactly one of the two.
    #[error(
        "training has {0} of `sampling_rate` and `batch_size`: with protection give sampling_rate, the chance that \
         a unit joins a step; without, batch_size will do"
    )]
    Batches(&'static str),
    /// A count of zero.
    #[error("training.{0} = 0: at least 1 is needed")]
    Zero(&'static str),
    /// Not a positive number.
    #[error("training.learning_rate = {0}: a positive number is needed, e.g. 0.1")]
    LearningRate(f64),
    /// Outside `[0, 1)`.
    #[error(
        "training.optimizer.{0} = {1} is outside [0, 1): it is the part of the past that is kept, e.g. 0.9"
    )]
    Memory(&'static str, f64),
    /// Not a positive number.
    #[error("training.optimizer.floor = {0}: a positive number is needed, e.g. 1e-8")]
    Floor(f64),
    /// Too small a floor for squares that the noise was taken off.
    #[error(
        "training.optimizer.floor = {0} with correct_noise: where the noise drowns a gradient, steps are as long as \
         1 / floor; give at least 1e-6, e.g. 3e-4"
    )]
    NoiseFloor(f64),
    /// Outside `(0, 1]`.
    #[error(
        "training.schedule.factor = {0} is outside (0, 1]: the learning rate is multiplied by it, e.g. 0.5"
    )]
    Factor(f64),
    /// The CPU's kernels on a GPU.
    #[error(
        "training.backend = \"fused\" is the CPU's, and device = \"{0}\" is a GPU, which has one backend: remove `backend`, \
         or use device = \"cpu\""
    )]
    FusedOnGpu(Device),
}

impl TrainingConfig {
    /// Plain SGD, and for the rest what a scenario gets that does not say: a constant rate, flat clipping.
    pub fn sgd(work: LocalWork, batches: Batches, learning_rate: f64) -> Self {
        Self {
            work,
            batches,
            learning_rate,
            optimizer: Optimizer::default(),
            schedule: Schedule::default(),
            clipping: ClipStyle::default(),
            device: Device::Cpu,
            cpu_backend: CpuBackend::default(),
        }
    }

    /// What computes on the device, or on what [`Device::Auto`] is here.
    pub fn backend(&self) -> Backend {
        match self.device.here() {
            Device::Cuda(index) => Backend::Cuda(index),
            Device::Vulkan => Backend::Vulkan,
            Device::Cpu | Device::Auto => match self.cpu_backend {
                CpuBackend::Fused => Backend::Fused,
                CpuBackend::Burn => Backend::Burn,
            },
        }
    }
}

impl LocalWork {
    /// Steps a round of a silo that has `records` records; at least one if it has any.
    pub fn steps(self, batches: Batches, records: usize) -> u32 {
        let a_pass = match batches {
            // 1/q of a q that was written as a decimal fraction is an integer up to rounding.
            Batches::Poisson(rate) => (1.0 / rate.get() - 1e-9).ceil().max(1.0) as u32,
            Batches::Shuffled(size) => records.div_ceil(size) as u32,
        };
        match self {
            Self::Steps(steps) => steps,
            Self::Epochs(epochs) => epochs.saturating_mul(a_pass),
        }
    }
}

/// The least floor of Adam's root where the noise's variance is taken off.
const LEAST_NOISE_FLOOR: f64 = 1e-6;

/// The table as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(skip_serializing_if = "Option::is_none")]
    local_steps: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_epochs: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sampling_rate: Option<SamplingRate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_size: Option<usize>,
    learning_rate: f64,
    #[serde(default)]
    schedule: Schedule,
    #[serde(default)]
    clipping: ClipStyle,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    backend: Option<CpuBackend>,
    #[serde(default, skip_serializing_if = "Device::is_cpu")]
    device: Device,
    #[serde(default)]
    optimizer: Optimizer,
}

impl TryFrom<Table> for TrainingConfig {
    type Error = TrainingConfigError;

    fn try_from(table: Table) -> Result<Self, TrainingConfigError> {
        use TrainingConfigError as Error;
        let work = match (table.local_steps, table.local_epochs) {
            (Some(0), None) => return Err(Error::Zero("local_steps")),
            (None, Some(0)) => return Err(Error::Zero("local_epochs")),
            (Some(steps), None) => LocalWork::Steps(steps),
            (None, Some(epochs)) => LocalWork::Epochs(epochs),
            (None, None) => return Err(Error::Work("neither")),
            (Some(_), Some(_)) => return Err(Error::Work("both")),
        };
        let batches = match (table.sampling_rate, table.batch_size) {
            (None, Some(0)) => return Err(Error::Zero("batch_size")),
            (Some(rate), None) => Batches::Poisson(rate),
            (None, Some(size)) => Batches::Shuffled(size),
            (None, None) => return Err(Error::Batches("neither")),
            (Some(_), Some(_)) => return Err(Error::Batches("both")),
        };
        let learning_rate = table.learning_rate;
        if !(learning_rate > 0.0 && learning_rate.is_finite()) {
            return Err(Error::LearningRate(learning_rate));
        }
        check_optimizer(table.optimizer)?;
        check_schedule(table.schedule)?;
        let device = device(table.device, table.backend)?;
        let Table {
            optimizer,
            schedule,
            clipping,
            backend,
            ..
        } = table;
        Ok(Self {
            work,
            batches,
            learning_rate,
            optimizer,
            schedule,
            clipping,
            device,
            cpu_backend: backend.filter(|_| device.may_be_cpu()).unwrap_or_default(),
        })
    }
}

/// The device that goes with a backend, if one is written: [`CpuBackend::Fused`] settles [`Device::Auto`].
fn device(device: Device, backend: Option<CpuBackend>) -> Result<Device, TrainingConfigError> {
    match (backend, device) {
        (Some(CpuBackend::Fused), Device::Auto) => Ok(Device::Cpu),
        (Some(CpuBackend::Fused), Device::Cuda(_) | Device::Vulkan) => {
            Err(TrainingConfigError::FusedOnGpu(device))
        }
        _ => Ok(device),
    }
}

fn check_optimizer(optimizer: Optimizer) -> Result<(), TrainingConfigError> {
    let memory = |key, value| match value {
        0.0..1.0 => Ok(()),
        _ => Err(TrainingConfigError::Memory(key, value)),
    };
    match optimizer {
        Optimizer::Sgd => Ok(()),
        Optimizer::Momentum { momentum } => memory("momentum", momentum),
        Optimizer::Adam {
            first_memory,
            second_memory,
            floor,
            correct_noise,
        } => {
            memory("first_memory", first_memory)?;
            memory("second_memory", second_memory)?;
            if correct_noise && floor < LEAST_NOISE_FLOOR {
                return Err(TrainingConfigError::NoiseFloor(floor));
            }
            if floor > 0.0 && floor.is_finite() {
                Ok(())
            } else {
                Err(TrainingConfigError::Floor(floor))
            }
        }
    }
}

fn check_schedule(schedule: Schedule) -> Result<(), TrainingConfigError> {
    match schedule {
        Schedule::Step { every: 0, .. } => Err(TrainingConfigError::Zero("schedule.every")),
        Schedule::Cosine { rounds: 0 } => Err(TrainingConfigError::Zero("schedule.rounds")),
        Schedule::Step { factor, .. } if !(factor > 0.0 && factor <= 1.0) => {
            Err(TrainingConfigError::Factor(factor))
        }
        Schedule::Constant | Schedule::Step { .. } | Schedule::Cosine { .. } => Ok(()),
    }
}

impl From<TrainingConfig> for Table {
    fn from(config: TrainingConfig) -> Self {
        let (local_steps, local_epochs) = match config.work {
            LocalWork::Steps(steps) => (Some(steps), None),
            LocalWork::Epochs(epochs) => (None, Some(epochs)),
        };
        let (sampling_rate, batch_size) = match config.batches {
            Batches::Poisson(rate) => (Some(rate), None),
            Batches::Shuffled(size) => (None, Some(size)),
        };
        Self {
            local_steps,
            local_epochs,
            sampling_rate,
            batch_size,
            learning_rate: config.learning_rate,
            optimizer: config.optimizer,
            schedule: config.schedule,
            clipping: config.clipping,
            backend: config.device.is_cpu().then_some(config.cpu_backend),
            device: config.device,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table {
            local_steps: None,
            local_epochs: Some(2),
            sampling_rate: SamplingRate::try_new(0.1).ok(),
            batch_size: None,
            learning_rate: 0.1,
            schedule: Schedule::Constant,
            clipping: ClipStyle::Flat,
            backend: None,
            device: Device::Cpu,
            optimizer: Optimizer::Sgd,
        }
    }

    #[test]
    fn a_table_is_read_and_written_alike() {
        let config = TrainingConfig::try_from(table()).unwrap();
        assert_eq!(TrainingConfig::try_from(Table::from(config)), Ok(config));
        assert_eq!(config.work.steps(config.batches, 1000), 20);
        assert_eq!(config.work.steps(Batches::Shuffled(64), 1000), 32);
        assert_eq!(LocalWork::Steps(5).steps(config.batches, 1000), 5);
    }

    #[test]
    fn a_table_is_the_same_with_the_cpu_written_or_left_out() {
        let bare = TrainingConfig::try_from(table()).unwrap();
        let json = serde_json::to_string(&bare).unwrap();
        assert!(json.contains("\"backend\":\"fused\""), "{json}");
        assert!(!json.contains("device"), "{json}");
        assert_eq!(bare.backend(), Backend::Fused);
        let burn = TrainingConfig::try_from(Table {
            backend: Some(CpuBackend::Burn),
            ..table()
        });
        assert_eq!(burn.unwrap().backend(), Backend::Burn);
    }

    #[test]
    fn a_gpu_has_one_backend() {
        for device in [Device::Cuda(1), Device::Vulkan] {
            for backend in [None, Some(CpuBackend::Burn)] {
                let table = Table {
                    backend,
                    device,
                    ..table()
                };
                let config = TrainingConfig::try_from(table).unwrap();
                let json = serde_json::to_string(&config).unwrap();
                assert!(json.contains(&format!("\"device\":\"{device}\"")), "{json}");
                assert!(!json.contains("backend"), "{json}");
                assert_eq!(
                    serde_json::from_str::<TrainingConfig>(&json).unwrap(),
                    config
                );
            }
        }
        assert_eq!(
            TrainingConfig {
                device: Device::Cuda(1),
                ..TrainingConfig::try_from(table()).unwrap()
            }
            .backend(),
            Backend::Cuda(1)
        );
    }

    #[test]
    fn fused_kernels_are_the_cpus() {
        let fused = |device| {
            TrainingConfig::try_from(Table {
                backend: Some(CpuBackend::Fused),
                device,
                ..table()
            })
        };
        assert_eq!(
            fused(Device::Vulkan),
            Err(TrainingConfigError::FusedOnGpu(Device::Vulkan))
        );
        let words = fused(Device::Cuda(0)).unwrap_err().to_string();
        assert!(words.contains("device = \"cuda:0\" is a GPU"), "{words}");
        assert_eq!(fused(Device::Auto).unwrap().device, Device::Cpu);
        assert_eq!(fused(Device::Cpu).unwrap().device, Device::Cpu);
    }

    #[test]
    fn what_makes_no_sense_is_refused_at_its_key() {
        let cases: [(Table, &str); 10] = [
            (
                Table {
                    optimizer: Optimizer::Adam {
                        first_memory: 0.9,
                        second_memory: 0.999,
                        floor: 1e-8,
                        correct_noise: true,
                    },
                    ..table()
                },
                "correct_noise",
            ),
            (
                Table {
                    local_steps: Some(1),
                    ..table()
                },
                "both",
            ),
            (
                Table {
                    local_epochs: None,
                    ..table()
                },
                "neither",
            ),
            (
                Table {
                    local_epochs: Some(0),
                    ..table()
                },
                "local_epochs",
            ),
            (
                Table {
                    batch_size: Some(8),
                    ..table()
                },
                "both",
            ),
            (
                Table {
                    sampling_rate: None,
                    ..table()
                },
                "neither",
            ),
            (
                Table {
                    learning_rate: f64::NAN,
                    ..table()
                },
                "learning_rate",
            ),
            (
                Table {
                    optimizer: Optimizer::Momentum { momentum: 1.0 },
                    ..table()
                },
                "momentum",
            ),
            (
                Table {
                    schedule: Schedule::Cosine { rounds: 0 },
                    ..table()
                },
                "schedule.rounds",
            ),
            (
                Table {
                    schedule: Schedule::Step {
                        every: 1,
                        factor: 2.0,
                    },
                    ..table()
                },
                "factor",
            ),
        ];
        for (table, word) in cases {
            let error = TrainingConfig::try_from(table).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
