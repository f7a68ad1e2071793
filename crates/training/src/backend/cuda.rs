//! Whether an NVIDIA GPU can be computed with: everything that burn would panic about, asked first.

use super::{Backend, BackendError};
use kernels::{CudaDriver, CudaVersion};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// What every program begins with that CubeCL writes (`cubecl-cpp`, `cuda/dialect.rs`).
const HEADER: &str = "cuda_runtime.h";

/// Answers so far: each costs a context on the device.
static ANSWERS: Mutex<BTreeMap<usize, Result<(), BackendError>>> = Mutex::new(BTreeMap::new());

/// `Ok` if the device with this index can be computed with.
///
/// # Errors
/// If it cannot.
pub(super) fn check(index: usize) -> Result<(), BackendError> {
    let mut answers = ANSWERS
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    answers.entry(index).or_insert_with(|| ask(index)).clone()
}

fn ask(index: usize) -> Result<(), BackendError> {
    let device = Backend::Cuda(index);
    let driver = CudaDriver::start()
        .map_err(|answer| BackendError::DriverFails { device, answer })?
        .ok_or(BackendError::NoDriver { device })?;
    // Within a generation the calls stay as they are.
    let built = CudaVersion::of_build();
    if driver.version.major < built.major {
        return Err(BackendError::OldDriver {
            device,
            built: built.major,
            driver: driver.version.to_string(),
            remedy: driver.version.number().to_string(),
        });
    }
    match driver.devices {
        0 => return Err(BackendError::NoDevice { device }),
        devices if index >= devices => return Err(BackendError::NoSuchDevice { device, devices }),
        _ => {}
    }
    if !kernels::has_nvrtc() {
        return Err(BackendError::NoCompiler { device });
    }
    let headers = headers().map_err(|place| BackendError::NoHeaders { device, place })?;
    let program = format!("#include <{HEADER}>\nextern \"C\" __global__ void nothing() {{}}\n");
    driver
        .try_program(index, &program, &headers)
        .map_err(|answer| BackendError::NotProgrammable { device, answer })
}

/// What the device is called; none if it does not say.
pub(super) fn name(index: usize) -> Option<String> {
    CudaDriver::start().ok()??.device_name(index)
}

/// Bytes of its memory that nobody uses; none if it does not say.
pub(super) fn free_memory(index: usize) -> Option<u64> {
    CudaDriver::start().ok()??.free_memory(index)
}

/// Where CubeCL will tell the compiler to look for headers (`cubecl-cuda`, `install::cuda_path`).
///
/// # Errors
/// If there are none: where they were looked for, in words.
fn headers() -> Result<PathBuf, String> {
    let named = std::env::var("CUDA_PATH").ok().map(PathBuf::from);
    let exists = |path: &&str| Path::new(path).exists();
    let usual = || {
        let user_wide = exists(&"/usr/bin/nvcc").then_some("/usr");
        ["/usr/local/cuda", "/opt/cuda"]
            .into_iter()
            .find(exists)
            .or(user_wide)
            .map(PathBuf::from)
    };
    let include = named.or_else(usual).map(|path| path.join("include"));
    match include {
        Some(include) if include.join(HEADER).exists() => Ok(include),
        Some(include) => Err(format!("{} has none", include.display())),
        None => Err(
            "there is no CUDA_PATH, no /usr/local/cuda, no /opt/cuda and no /usr/bin/nvcc beside them"
                .to_owned(),
        ),
    }
}
