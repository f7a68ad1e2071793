//! What computes the gradients.

use crate::tensor::OnDevice;
use crate::{Architecture, FusedNetwork, Network};
use serde::{Deserialize, Serialize};

/// What computes the gradients. Results of two backends agree to rounding, not to the bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// Own kernels on one core ([`FusedNetwork`]).
    #[default]
    Fused,
    /// burn's tensors on the CPU.
    Burn,
    /// burn's tensors on the first NVIDIA GPU; in builds with the feature `cuda`.
    Cuda,
}

/// A backend that this build or this machine does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// Built without it.
    #[error(
        "backend = \"cuda\" needs a siloscope built with `--features cuda`, and this one is not; build it \
         so, or use backend = \"fused\""
    )]
    NotBuilt,
    /// There is no driver.
    #[error(
        "backend = \"cuda\" needs NVIDIA's driver (libcuda.so.1), and none is found on this machine; \
         install it, add its folder to LD_LIBRARY_PATH, or use backend = \"fused\""
    )]
    NoDriver,
    /// There is no device, or the driver does not start.
    #[error(
        "backend = \"cuda\" needs a CUDA device, and the driver names none{0}; check nvidia-smi, or use \
         backend = \"fused\""
    )]
    NoDevice(String),
}

impl Backend {
    /// `Ok` if this build on this machine can compute with it. Ask before the first network is made.
    ///
    /// # Errors
    /// If it cannot.
    pub fn check(self) -> Result<(), BackendError> {
        match self {
            Self::Fused | Self::Burn => Ok(()),
            Self::Cuda => check_cuda(),
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

#[cfg(feature = "cuda")]
fn check_cuda() -> Result<(), BackendError> {
    match kernels::cuda_devices() {
        Ok(None) => Err(BackendError::NoDriver),
        Ok(Some(0)) => Err(BackendError::NoDevice(String::new())),
        Ok(Some(_)) => Ok(()),
        Err(error) => Err(BackendError::NoDevice(format!(" ({error})"))),
    }
}

#[cfg(not(feature = "cuda"))]
const fn check_cuda() -> Result<(), BackendError> {
    Err(BackendError::NotBuilt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_a_gpu_is_told_what_to_do() {
        assert_eq!(Backend::Fused.check(), Ok(()));
        assert_eq!(Backend::Burn.check(), Ok(()));
        if let Err(error) = Backend::Cuda.check() {
            assert!(
                error.to_string().contains("use backend = \"fused\""),
                "{error}"
            );
        }
    }
}
