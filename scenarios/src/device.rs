//! Where a scenario computes: what `device = "auto"` stands for on this machine, and whether the machine has the device.

use crate::diagnosis::{Fault, ScenarioError};
use crate::file::ScenarioFile;
use serde::Deserialize;
use toml::Spanned;
use training::{Device, Taken};

/// Of a scenario only what says where it computes.
#[derive(Deserialize)]
struct OnlyTraining {
    training: OnlyDevice,
}

#[derive(Deserialize)]
struct OnlyDevice {
    device: Spanned<String>,
    backend: Option<String>,
}

/// A scenario's text with the device of this machine in place of `"auto"`, and nothing else changed; none if it does not
/// say `"auto"`.
///
/// The name of a device is what a run folder keeps and what names its plan: a run that is resumed on another machine must not
/// go on elsewhere without a word.
pub(crate) fn settled(text: &str) -> Option<(String, Taken)> {
    let OnlyTraining { training } = toml::from_str(text).ok()?;
    if training.device.get_ref().parse() != Ok(Device::Auto) {
        return None;
    }
    let taken = match training.backend.as_deref() {
        // Kernels of the CPU were asked for by name.
        Some("fused") => Taken {
            device: Device::Cpu,
            passed_over: Vec::new(),
        },
        _ => Device::auto(),
    };
    let mut settled = text.to_owned();
    settled.replace_range(training.device.span(), &format!("\"{}\"", taken.device));
    Some((settled, taken))
}

/// Refuses a device that this build or this machine does not have.
///
/// # Errors
/// If it has not.
pub(crate) fn check(file: &ScenarioFile) -> Result<(), ScenarioError> {
    let backend = file.scenario.training.backend();
    backend.check().map_err(|error| {
        let fault = Fault::new("training.device", error.to_string());
        file.error(vec![fault])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_becomes_a_device_and_nothing_else_is_touched() {
        let here = Device::Auto.here();
        for (text, expected) in [
            (
                "seed = 1 # auto\n[training]\ndevice = \"auto\"   # as it comes\nrate = 1\n",
                "seed = 1 # auto\n[training]\ndevice = \"HERE\"   # as it comes\nrate = 1\n",
            ),
            (
                "training = { rate = 1, device = 'auto' }\n",
                "training = { rate = 1, device = \"HERE\" }\n",
            ),
            (
                "training.device = \"\"\"auto\"\"\"\n",
                "training.device = \"HERE\"\n",
            ),
        ] {
            let (settled, taken) = settled(text).unwrap();
            assert_eq!(settled, expected.replace("HERE", &here.to_string()));
            assert_eq!(taken.device, here);
        }
    }

    #[test]
    fn auto_with_the_cpus_kernels_is_the_cpu() {
        let text = "[training]\nbackend = \"fused\"\ndevice = \"auto\"\n";
        let (settled, taken) = settled(text).unwrap();
        assert_eq!(settled, text.replace("auto", "cpu"));
        assert_eq!(taken.device, Device::Cpu);
    }

    #[test]
    fn what_says_no_auto_is_left_alone() {
        for text in [
            "",
            "[training]\n",
            "[training]\ndevice = \"cuda\"\n",
            "[training]\ndevice = 3\n",
            "[training\ndevice = \"auto\"\n",
            "[other]\ndevice = \"auto\"\n",
        ] {
            assert_eq!(settled(text), None, "{text}");
        }
    }
}
