//! Where the models compute, as a scenario writes it.

use crate::{Backend, BackendError};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Where the models compute: `training.device` of a scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Device {
    /// `"cpu"`: the machine's cores.
    #[default]
    Cpu,
    /// `"cuda:1"`: the NVIDIA GPU with this index; `"cuda"` is the first, `"cuda:0"`.
    Cuda(usize),
    /// `"vulkan"`: a GPU with a Vulkan driver, whoever made it.
    Vulkan,
    /// `"auto"`: the best that there is ([`Device::here`]).
    Auto,
}

/// A text that names no device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no device: allowed are \"cpu\", \"cuda\" (the first NVIDIA GPU) or \"cuda:0\", \"cuda:1\", …, \"vulkan\" \
     (a GPU with a Vulkan driver) and \"auto\" (the best that is there)"
)]
pub struct UnknownDevice(String);

/// What became of [`Device::Auto`] on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// What was taken; never [`Device::Auto`].
    pub device: Device,
    /// Why better ones were not, where this build could have used them.
    pub passed_over: Vec<BackendError>,
}

/// The greatest index of a device: CUDA counts them in an `int`, burn in 16 bits.
const LAST: usize = u16::MAX as usize;

impl Device {
    /// This device, or what [`Device::Auto`] is on this machine: the first NVIDIA GPU if this build can compute with it, else
    /// a GPU with a Vulkan driver that is more than software, else the CPU.
    #[must_use]
    pub fn here(self) -> Self {
        match self {
            Self::Auto => Self::auto().device,
            named => named,
        }
    }

    /// What [`Device::Auto`] is on this machine, and why it is nothing better.
    pub fn auto() -> Taken {
        let mut passed_over = Vec::new();
        for (device, backend) in [
            (Self::Cuda(0), Backend::Cuda(0)),
            (Self::Vulkan, Backend::Vulkan),
        ] {
            match backend.check_hardware() {
                Ok(()) => {
                    return Taken {
                        device,
                        passed_over,
                    };
                }
                Err(BackendError::NotBuilt { .. }) => {}
                Err(error) => passed_over.push(error),
            }
        }
        Taken {
            device: Self::Cpu,
            passed_over,
        }
    }

    pub(crate) fn is_cpu(&self) -> bool {
        *self == Self::Cpu
    }

    pub(crate) const fn may_be_cpu(self) -> bool {
        matches!(self, Self::Cpu | Self::Auto)
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::Vulkan => f.write_str("vulkan"),
            Self::Auto => f.write_str("auto"),
        }
    }
}

impl FromStr for Device {
    type Err = UnknownDevice;

    fn from_str(text: &str) -> Result<Self, UnknownDevice> {
        let unknown = || UnknownDevice(text.to_owned());
        match text {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            "vulkan" => Ok(Self::Vulkan),
            "auto" => Ok(Self::Auto),
            _ => {
                let index = text.strip_prefix("cuda:").ok_or_else(unknown)?;
                // One device has one name: no sign, no leading zeros.
                let index = index.parse().ok().filter(|index: &usize| {
                    *index <= LAST && text.len() == "cuda:".len() + index.to_string().len()
                });
                index.map(Self::Cuda).ok_or_else(unknown)
            }
        }
    }
}

impl TryFrom<String> for Device {
    type Error = UnknownDevice;

    fn try_from(text: String) -> Result<Self, UnknownDevice> {
        text.parse()
    }
}

impl From<Device> for String {
    fn from(device: Device) -> Self {
        device.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_device_is_read_from_its_name() {
        for (text, device) in [
            ("cpu", Device::Cpu),
            ("cuda:0", Device::Cuda(0)),
            ("cuda:17", Device::Cuda(17)),
            ("vulkan", Device::Vulkan),
            ("auto", Device::Auto),
        ] {
            assert_eq!(text.parse(), Ok(device));
            assert_eq!(device.to_string(), text);
            let json = serde_json::to_string(&device).unwrap();
            assert_eq!(json, format!("{text:?}"));
            assert_eq!(serde_json::from_str::<Device>(&json).unwrap(), device);
        }
        assert_eq!("cuda".parse(), Ok(Device::Cuda(0)));
    }

    #[test]
    fn what_is_no_device_is_named_with_those_that_are() {
        for text in [
            "gpu",
            "CPU",
            "",
            "cuda:",
            "cuda:-1",
            "cuda:+1",
            "cuda:01",
            "cuda: 1",
            "cuda:70000",
            "cuda1",
            "vulkan:0",
            "auto ",
        ] {
            let error = text.parse::<Device>().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("{text:?} is no device")),
                "{error}"
            );
            for allowed in [
                "\"cpu\"",
                "\"cuda\"",
                "\"cuda:1\"",
                "\"vulkan\"",
                "\"auto\"",
            ] {
                assert!(error.contains(allowed), "{error}");
            }
        }
    }

    #[test]
    fn auto_takes_what_this_machine_can_compute_with() {
        let taken = Device::auto();
        assert_eq!(Device::Auto.here(), taken.device);
        assert_eq!(Device::Vulkan.here(), Device::Vulkan);
        let backend = match taken.device {
            Device::Cpu => Backend::Fused,
            Device::Cuda(index) => Backend::Cuda(index),
            Device::Vulkan => Backend::Vulkan,
            Device::Auto => panic!("auto is no device"),
        };
        assert_eq!(backend.check(), Ok(()));
    }
}
