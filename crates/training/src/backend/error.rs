//! Why a build or a machine cannot compute on a device.

use super::Backend;

/// A device that this build or this machine cannot compute with. Every message says which device and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    /// Built without it.
    #[error(
        "device = \"{device}\" needs a siloscope built with `--features {feature}`, and this one is not; build it so, or use \
         device = \"cpu\""
    )]
    NotBuilt {
        /// What was asked for.
        device: Backend,
        /// The feature of builds that have it.
        feature: &'static str,
    },
    /// CUDA: no driver.
    #[error(
        "device = \"{device}\" needs NVIDIA's driver (libcuda.so.1), and none is found on this machine; install it, add its \
         folder to LD_LIBRARY_PATH, or use device = \"cpu\""
    )]
    NoDriver {
        /// What was asked for.
        device: Backend,
    },
    /// CUDA: the driver does not start.
    #[error(
        "device = \"{device}\" needs NVIDIA's driver, and it does not start: it answers {answer}; see whether nvidia-smi works, \
         or use device = \"cpu\""
    )]
    DriverFails {
        /// What was asked for.
        device: Backend,
        /// What the driver answered.
        answer: String,
    },
    /// CUDA: the driver is of an older generation than this build.
    #[error(
        "device = \"{device}\" needs a driver for CUDA {built}.0 or newer, as this siloscope was built, and this machine's is for \
         {driver}; update the driver, build siloscope with CUDARC_CUDA_VERSION={remedy}, or use device = \"cpu\""
    )]
    OldDriver {
        /// What was asked for.
        device: Backend,
        /// The generation that the build is for, e.g. 13.
        built: u32,
        /// The newest CUDA that the driver knows.
        driver: String,
        /// The same as the build's setting has it.
        remedy: String,
    },
    /// CUDA: no device.
    #[error(
        "device = \"{device}\" needs an NVIDIA GPU, and the driver names none; see nvidia-smi and CUDA_VISIBLE_DEVICES, or use \
         device = \"cpu\""
    )]
    NoDevice {
        /// What was asked for.
        device: Backend,
    },
    /// CUDA: fewer devices.
    #[error("device = \"{device}\" is not there: {}", there_are(*devices))]
    NoSuchDevice {
        /// What was asked for.
        device: Backend,
        /// How many there are; at least one.
        devices: usize,
    },
    /// CUDA: no compiler.
    #[error(
        "device = \"{device}\" needs NVRTC, CUDA's compiler at run time (libnvrtc.so), and none is found on this machine; \
         install it with the CUDA toolkit, add its folder to LD_LIBRARY_PATH, or use device = \"cpu\""
    )]
    NoCompiler {
        /// What was asked for.
        device: Backend,
    },
    /// CUDA: no headers.
    #[error(
        "device = \"{device}\" needs CUDA's headers (cuda_runtime.h), and {place}; install them with the CUDA toolkit, set \
         CUDA_PATH to the folder that has them below include/, or use device = \"cpu\""
    )]
    NoHeaders {
        /// What was asked for.
        device: Backend,
        /// Where they were looked for, in words.
        place: String,
    },
    /// CUDA: an empty program is not compiled or not loaded.
    #[error(
        "device = \"{device}\" cannot be programmed: {answer}; see nvidia-smi for who else uses it, make driver, NVRTC \
         (libnvrtc.so) and headers (CUDA_PATH) those of one CUDA, with the driver the newest, or use device = \"cpu\""
    )]
    NotProgrammable {
        /// What was asked for.
        device: Backend,
        /// What compiler or driver answered.
        answer: String,
    },
    /// Vulkan: no adapter.
    #[error(
        "device = \"{device}\" needs a GPU with a Vulkan driver, and none is found on this machine ({answer}); install the GPU's \
         driver, or mesa-vulkan-drivers, which computes in software where there is no GPU, or use device = \"cpu\""
    )]
    NoAdapter {
        /// What was asked for.
        device: Backend,
        /// What was answered.
        answer: String,
    },
    /// Vulkan: there is nothing but software. Only [`Device::Auto`](crate::Device::Auto) minds.
    #[error(
        "device = \"{device}\" would compute in software here, with {adapter}, and a CPU computes better by device = \"cpu\"; ask \
         for it by name if you want it"
    )]
    Software {
        /// What was asked for.
        device: Backend,
        /// What the driver is called.
        adapter: String,
    },
}

fn there_are(devices: usize) -> String {
    match devices {
        1 => {
            "this machine has one CUDA device, \"cuda:0\"; use that or device = \"cpu\"".to_owned()
        }
        _ => format!(
            "this machine has {devices} CUDA devices; allowed are \"cuda:0\" to \"cuda:{}\", or device = \"cpu\"",
            devices - 1
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_names_the_device_and_a_way_out() {
        let device = Backend::Cuda(3);
        let text = || "something".to_owned();
        let errors = [
            BackendError::NotBuilt {
                device,
                feature: "cuda",
            },
            BackendError::NoDriver { device },
            BackendError::DriverFails {
                device,
                answer: text(),
            },
            BackendError::OldDriver {
                device,
                built: 13,
                driver: text(),
                remedy: text(),
            },
            BackendError::NoDevice { device },
            BackendError::NoSuchDevice { device, devices: 1 },
            BackendError::NoSuchDevice { device, devices: 3 },
            BackendError::NoCompiler { device },
            BackendError::NoHeaders {
                device,
                place: text(),
            },
            BackendError::NotProgrammable {
                device,
                answer: text(),
            },
            BackendError::NoAdapter {
                device,
                answer: text(),
            },
            BackendError::Software {
                device,
                adapter: text(),
            },
        ];
        for error in errors {
            let words = error.to_string();
            assert!(words.starts_with("device = \"cuda:3\" "), "{words}");
            assert!(words.contains("device = \"cpu\""), "{words}");
        }
        let words = BackendError::NoSuchDevice { device, devices: 3 }.to_string();
        assert!(words.contains("\"cuda:0\" to \"cuda:2\""), "{words}");
    }
}
