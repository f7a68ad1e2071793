//! The device that tests compute on.

use siloscope_training::{Backend, Device};

/// A backend that stacks: burn's on the CPU, or the device that `SILOSCOPE_TEST_DEVICE` names, as a scenario would.
pub(crate) fn device() -> Backend {
    match std::env::var("SILOSCOPE_TEST_DEVICE").as_deref() {
        Err(_) | Ok("cpu") => Backend::Burn,
        Ok(other) => match other.parse() {
            Ok(Device::Cuda(index)) => Backend::Cuda(index),
            Ok(Device::Vulkan) => Backend::Vulkan,
            _ => panic!("SILOSCOPE_TEST_DEVICE = {other:?}: cpu, cuda, cuda:1, … or vulkan"),
        },
    }
}

/// The relative L2 error that the device is allowed: single precision on the CPU; a GPU also has shorter products in
/// its forward pass.
#[allow(dead_code, reason = "not every test file compares")]
pub(crate) fn tolerance() -> f64 {
    if device() == Backend::Burn {
        1e-5
    } else {
        1e-3
    }
}
