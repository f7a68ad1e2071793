//! All that computes on a device, for models of one shape.

use super::arithmetic::Arithmetic;
use super::network::TensorNetwork;
use super::scores::TensorScores;
use super::stack::Stack;
use crate::evaluator::Scores;
use crate::host_steps::HostSteps;
use crate::local_sgd::Steps;
use crate::{Architecture, Backend, Network};
use burn::backend::Flex;
use burn::backend::flex::FlexDevice;

/// Memory that may be used of a device that does not say how much it has: 1 GiB.
const UNKNOWN: u64 = 1 << 30;

/// What computes on a device. Each part is light until it is used.
pub(crate) struct OnDevice {
    pub(crate) network: Box<dyn Network>,
    pub(crate) steps: Box<dyn Steps>,
    pub(crate) scores: Box<dyn Scores>,
}

impl OnDevice {
    /// What computes on the backend's device; none for a backend without tensors.
    ///
    /// # Panics
    /// If [`Backend::check`] would refuse the backend.
    pub(crate) fn new(backend: Backend, architecture: &Architecture) -> Option<Self> {
        // The other half is for what burn keeps for later and for other parts of this process.
        let memory = backend.memory().map_or(UNKNOWN, |free| free / 2);
        match backend {
            Backend::Fused => None,
            Backend::Burn => Some(Self::on::<Flex>(architecture, &FlexDevice, memory)),
            #[cfg(feature = "cuda")]
            Backend::Cuda(index) => {
                use burn::backend::cuda::{Cuda, CudaDevice};
                let device = CudaDevice::new(index);
                Some(Self::on::<Cuda>(architecture, &device, memory))
            }
            #[cfg(not(feature = "cuda"))]
            Backend::Cuda(_) => panic!("built without the feature cuda"),
            #[cfg(feature = "vulkan")]
            Backend::Vulkan => {
                use burn::backend::Vulkan;
                use burn::backend::wgpu::WgpuDevice;
                let device = WgpuDevice::DefaultDevice;
                Some(Self::on::<Vulkan>(architecture, &device, memory))
            }
            #[cfg(not(feature = "vulkan"))]
            Backend::Vulkan => panic!("built without the feature vulkan"),
        }
    }

    fn on<B: Arithmetic>(architecture: &Architecture, device: &B::Device, memory: u64) -> Self
    where
        B::Device: Send,
    {
        let network = || Box::new(TensorNetwork::<B>::new(architecture, device.clone()));
        let one_by_one = HostSteps::new(network());
        Self {
            network: network(),
            steps: Box::new(Stack::<B>::new(
                architecture,
                device.clone(),
                memory,
                one_by_one,
            )),
            scores: Box::new(TensorScores::<B>::new(architecture, device.clone(), memory)),
        }
    }
}
