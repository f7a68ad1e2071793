//! Whether a GPU with a Vulkan driver can be computed with: what CubeCL would panic about, asked first.

use super::{Backend, BackendError};
use std::future::Future;
use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};
use wgpu::{
    Adapter, Backends, DeviceType, Instance, InstanceDescriptor, PowerPreference,
    RequestAdapterOptions,
};

/// What CubeCL computes with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// What it is called, e.g. `llvmpipe (LLVM 19.1.7, 256 bits)`.
    pub(super) name: String,
    /// Whether it is a driver in software.
    is_software: bool,
}

/// `Ok` if there is something to compute with.
///
/// # Errors
/// If there is nothing.
pub(super) fn check() -> Result<&'static Found, BackendError> {
    static FOUND: OnceLock<Result<Found, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let info = adapter()?.get_info();
        Ok(Found {
            name: info.name,
            is_software: info.device_type == DeviceType::Cpu,
        })
    });
    found.as_ref().map_err(|answer| BackendError::NoAdapter {
        device: Backend::Vulkan,
        answer: answer.clone(),
    })
}

/// [`check`], and an error as well where there is nothing but software.
///
/// # Errors
/// If there is nothing, or nothing but software.
pub(super) fn check_hardware() -> Result<(), BackendError> {
    match check()? {
        found if found.is_software => Err(BackendError::Software {
            device: Backend::Vulkan,
            adapter: found.name.clone(),
        }),
        _ => Ok(()),
    }
}

/// The adapter that CubeCL takes for its default device (`cubecl-wgpu`, `runtime.rs`): the one with the most power, unless
/// `CUBECL_WGPU_DEFAULT_DEVICE` names another, e.g. `IntegratedGpu(0)` or `Cpu`.
fn adapter() -> Result<Adapter, String> {
    let instance = Instance::new(InstanceDescriptor {
        backends: Backends::VULKAN,
        ..InstanceDescriptor::new_without_display_handle()
    });
    let named = std::env::var("CUBECL_WGPU_DEFAULT_DEVICE").ok();
    if let Some((kind, index)) = named.as_deref().and_then(kind) {
        let adapters = now(instance.enumerate_adapters(Backends::VULKAN))?;
        let mut alike = adapters
            .into_iter()
            .filter(|adapter| adapter.get_info().device_type == kind);
        return alike.nth(index).ok_or_else(|| {
            format!(
                "not the one that CUBECL_WGPU_DEFAULT_DEVICE={} names",
                named.unwrap_or_default()
            )
        });
    }
    let wanted = RequestAdapterOptions {
        power_preference: PowerPreference::HighPerformance,
        force_fallback_adapter: false,
        compatible_surface: None,
    };
    now(instance.request_adapter(&wanted))?.map_err(|error| {
        // It says of every kind of driver why it is none: one is of interest.
        let words = error.to_string();
        let part = words.split(", ").find(|part| part.starts_with("vulkan "));
        part.unwrap_or(&words).to_owned()
    })
}

/// The kind of device that a name of CubeCL's means, and which of that kind; none if it means no device.
fn kind(name: &str) -> Option<(DeviceType, usize)> {
    let index = |kind: &str| name.strip_prefix(kind)?.strip_suffix(')')?.parse().ok();
    if name == "Cpu" {
        return Some((DeviceType::Cpu, 0));
    }
    [
        ("DiscreteGpu(", DeviceType::DiscreteGpu),
        ("IntegratedGpu(", DeviceType::IntegratedGpu),
        ("VirtualGpu(", DeviceType::VirtualGpu),
    ]
    .into_iter()
    .find_map(|(prefix, kind)| Some((kind, index(prefix)?)))
}

/// The value of a future that only a browser would have to wait for.
fn now<T>(future: impl Future<Output = T>) -> Result<T, String> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Ok(value),
        Poll::Pending => Err("the driver does not answer".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_cubecl_are_understood() {
        assert_eq!(kind("Cpu"), Some((DeviceType::Cpu, 0)));
        assert_eq!(kind("DiscreteGpu(2)"), Some((DeviceType::DiscreteGpu, 2)));
        assert_eq!(
            kind("IntegratedGpu(0)"),
            Some((DeviceType::IntegratedGpu, 0))
        );
        for none in ["", "DiscreteGpu", "DiscreteGpu(x)", "Gpu(0)"] {
            assert_eq!(kind(none), None);
        }
    }
}
