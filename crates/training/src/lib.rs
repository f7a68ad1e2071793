//! Models, per-record gradients, clipping, noise and evaluation.

mod adaptive_clip;
pub mod architecture;
mod arrangement;
mod backend;
mod batch;
mod canary;
mod clipping;
mod device;
mod draws;
mod evaluator;
#[cfg(feature = "planted-faults")]
mod fault;
pub mod foreign;
mod fused;
mod host_steps;
mod local_plan;
mod local_sgd;
mod loss;
mod model_config;
mod network;
mod norm;
mod optimizer;
mod recurrent;
pub mod sampling;
mod tensor;
mod training_config;
mod zoo;

pub use adaptive_clip::{AdaptiveClip, AdaptiveClipError};
pub use architecture::{Architecture, LayerSpec};
pub use backend::{Backend, BackendError, CpuBackend, UnknownBackend};
pub use batch::{Batch, NetworkError};
pub use canary::{Canary, CanaryKind};
pub use clipping::{ClipBound, ClipReport, ClipStyle, Clipping};
pub use device::{Device, Taken, UnknownDevice};
pub use evaluator::{Evaluator, accuracy};
#[cfg(feature = "planted-faults")]
pub use fault::Fault;
pub use fused::FusedNetwork;
pub use local_plan::{LocalPlan, PlanError, Protection};
pub use local_sgd::{LocalRound, LocalRun, LocalSgd};
pub use model_config::{ConvnetShape, InputShape, ModelConfig, ModelError};
pub use network::{Network, RecordScore};
pub use norm::{Norm, NormError};
pub use optimizer::{Optimizer, Schedule};
pub use recurrent::Recurrent;
pub use training_config::{Batches, LocalWork, TrainingConfig, TrainingConfigError};
