//! What computes the gradients.

#[cfg(feature = "cuda")]
mod cuda;
mod error;
#[cfg(feature = "vulkan")]
mod vulkan;

pub use error::BackendError;

use crate::tensor::OnDevice;
use crate::{Architecture, FusedNetwork, Network};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What computes the gradients. Results of two backends agree to rounding, not to the bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// Own kernels on one core ([`FusedNetwork`]).
    #[default]
    Fused,
    /// burn's tensors on the CPU.
    Burn,
    /// burn's tensors on the NVIDIA GPU with this index; in builds with the feature `cuda`.
    Cuda(usize),
    /// burn's tensors on a GPU with a Vulkan driver; in builds with the feature `vulkan`.
    Vulkan,
}

/// What computes the gradients on a CPU: `training.backend` of a scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CpuBackend {
    /// [`Backend::Fused`].
    #[default]
    Fused,
    /// [`Backend::Burn`].
    Burn,
}

/// A text that names no backend of the CPU.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no backend of the CPU: allowed are \"fused\", own kernels, and \"burn\", its tensors; a GPU is asked for by \
     device = \"cuda\" or device = \"vulkan\""
)]
pub struct UnknownBackend(String);

impl TryFrom<String> for CpuBackend {
    type Error = UnknownBackend;

    fn try_from(text: String) -> Result<Self, UnknownBackend> {
        match text.as_str() {
            "fused" => Ok(Self::Fused),
            "burn" => Ok(Self::Burn),
            _ => Err(UnknownBackend(text)),
        }
    }
}

impl From<CpuBackend> for String {
    fn from(backend: CpuBackend) -> Self {
        match backend {
            CpuBackend::Fused => "fused".to_owned(),
            CpuBackend::Burn => "burn".to_owned(),
        }
    }
}

impl Backend {
    /// `Ok` if this build on this machine can compute with it. Ask before the first network is made.
    ///
    /// # Errors
    /// If it cannot.
    pub fn check(self) -> Result<(), BackendError> {
        match self {
            Self::Fused | Self::Burn => Ok(()),
            #[cfg(feature = "cuda")]
            Self::Cuda(index) => cuda::check(index),
            #[cfg(not(feature = "cuda"))]
            Self::Cuda(_) => Err(BackendError::NotBuilt {
                device: self,
                feature: "cuda",
            }),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => vulkan::check().map(drop),
            #[cfg(not(feature = "vulkan"))]
            Self::Vulkan => Err(BackendError::NotBuilt {
                device: self,
                feature: "vulkan",
            }),
        }
    }

    /// [`Backend::check`], and an error as well where what computes is no hardware of its own but a driver in software.
    pub(crate) fn check_hardware(self) -> Result<(), BackendError> {
        match self {
            #[cfg(feature = "vulkan")]
            Self::Vulkan => vulkan::check_hardware(),
            _ => self.check(),
        }
    }

    /// What the device is called, e.g. `NVIDIA H200`; none for the CPU, and where it is not there or does not say.
    pub fn device_name(self) -> Option<String> {
        match self {
            #[cfg(feature = "cuda")]
            Self::Cuda(index) => cuda::name(index),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => vulkan::check().ok().map(|found| found.name.clone()),
            _ => None,
        }
    }

    /// Bytes of the device's own memory that nobody uses now; none where it has none of its own or does not say.
    pub fn memory(self) -> Option<u64> {
        match self {
            #[cfg(feature = "cuda")]
            Self::Cuda(index) => cuda::free_memory(index),
            _ => None,
        }
    }

    /// Whether silos that are handed over together are trained as one computation; else nothing is gained by that, and
    /// one silo a core is best.
    pub const fn stacks(self) -> bool {
        !matches!(self, Self::Fused)
    }

    /// A network of this shape.
    ///
    /// # Panics
    /// If [`Backend::check`] would refuse the backend.
    pub fn network(self, architecture: &Architecture) -> Box<dyn Network> {
        match OnDevice::new(self, architecture) {
            Some(device) => device.network,
            None => Box::new(FusedNetwork::new(architecture)),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fused => f.write_str("fused"),
            Self::Burn => f.write_str("burn"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::Vulkan => f.write_str("vulkan"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_a_gpu_is_told_what_to_do() {
        assert_eq!(Backend::Fused.check(), Ok(()));
        assert_eq!(Backend::Burn.check(), Ok(()));
        for backend in [Backend::Cuda(0), Backend::Vulkan] {
            if let Err(error) = backend.check() {
                let error = error.to_string();
                assert!(
                    error.contains(&format!("device = \"{backend}\"")),
                    "{error}"
                );
                assert!(error.contains("use device = \"cpu\""), "{error}");
            }
        }
    }
}
