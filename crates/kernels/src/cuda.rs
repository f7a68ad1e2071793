//! What this machine has for CUDA: asked before the first tensor, since burn's backend panics where something is missing.

use cudarc::driver::{CudaContext, result, sys};
use cudarc::nvrtc::{self, CompileError, CompileOptions};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A version of CUDA, e.g. 13.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CudaVersion {
    /// E.g. 13.
    pub major: u32,
    /// E.g. 0.
    pub minor: u32,
}

impl fmt::Display for CudaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl CudaVersion {
    /// The version that the calls of this build follow.
    pub const fn of_build() -> Self {
        Self::of_number(sys::CUDA_VERSION)
    }

    /// 13.2 as CUDA and cudarc's build count it, 13020.
    pub const fn number(self) -> u32 {
        self.major * 1000 + self.minor * 10
    }

    const fn of_number(number: u32) -> Self {
        Self {
            major: number / 1000,
            minor: number % 1000 / 10,
        }
    }
}

/// NVIDIA's driver, started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CudaDriver {
    /// The newest CUDA that it speaks.
    pub version: CudaVersion,
    /// Devices that programs can run on.
    pub devices: usize,
}

impl CudaDriver {
    /// Starts the driver; `None` if there is none.
    ///
    /// # Errors
    /// What the driver answers if it does not start.
    pub fn start() -> Result<Option<Self>, String> {
        // SAFETY: looks for the driver's library by name and opens it; nothing of it is called.
        #[allow(unsafe_code, reason = "every other call panics without it")]
        let is_there = unsafe { sys::is_culib_present() };
        if !is_there {
            return Ok(None);
        }
        let mut version = 0;
        // SAFETY: the library is there (above), and the call writes one int to where it is told; it may come before all others.
        #[allow(unsafe_code, reason = "cudarc has no safe call for it")]
        let answer = unsafe { sys::cuDriverGetVersion(&raw mut version) };
        answer.result().map_err(in_words)?;
        match CudaContext::device_count() {
            Ok(devices) => Ok(Some(Self {
                version: CudaVersion::of_number(version.cast_unsigned()),
                devices: usize::try_from(devices).unwrap_or(0),
            })),
            // What a driver without a device says to its first call.
            Err(result::DriverError(sys::CUresult::CUDA_ERROR_NO_DEVICE)) => Ok(Some(Self {
                version: CudaVersion::of_number(version.cast_unsigned()),
                devices: 0,
            })),
            Err(error) => Err(in_words(error)),
        }
    }

    /// What the device with this index is called, e.g. `NVIDIA H200`; none if there is no such device.
    pub fn device_name(&self, index: usize) -> Option<String> {
        let device = result::device::get(i32::try_from(index).ok()?).ok()?;
        result::device::get_name(device).ok()
    }

    /// Bytes of the device's memory that nobody uses; none if there is no such device or it does not say.
    pub fn free_memory(&self, index: usize) -> Option<u64> {
        let (free, _) = context(index).ok()?.mem_get_info().ok()?;
        u64::try_from(free).ok()
    }

    /// Compiles a program for the device with this index, with headers from `include`, and loads it there: what is done with
    /// every kernel. Call it where [`has_nvrtc`].
    ///
    /// # Errors
    /// What compiler or driver answer if they refuse.
    pub fn try_program(&self, index: usize, program: &str, include: &Path) -> Result<(), String> {
        let said = |error| format!("the driver answers {}", in_words(error));
        let context = context(index).map_err(said)?;
        let (major, minor) = context.compute_capability().map_err(said)?;
        // The architecture as CubeCL names it (`cubecl-cuda`, `compute/context.rs`).
        let own = if major >= 9 { "a" } else { "" };
        let options = CompileOptions {
            include_paths: vec![include.display().to_string()],
            options: vec![format!("--gpu-architecture=sm_{major}{minor}{own}")],
            ..CompileOptions::default()
        };
        let compiled = nvrtc::compile_ptx_with_opts(program, options).map_err(|error| {
            let log = match &error {
                CompileError::CompileError { log, .. } => log.to_string_lossy().trim().to_owned(),
                other => other.to_string(),
            };
            format!("NVRTC does not compile an empty program: {log}")
        })?;
        context.load_module(compiled).map(drop).map_err(said)
    }
}

/// An answer of the driver by its name, and as the driver puts it.
fn in_words(error: result::DriverError) -> String {
    match error.error_string() {
        Ok(words) => format!("{:?} ({})", error.0, words.to_string_lossy()),
        Err(_) => format!("{:?}", error.0),
    }
}

/// The device's context, made once: making one takes longer than what is asked of it.
fn context(index: usize) -> Result<Arc<CudaContext>, result::DriverError> {
    static MADE: Mutex<BTreeMap<usize, Arc<CudaContext>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(context) = made.get(&index) {
        return Ok(Arc::clone(context));
    }
    let context = CudaContext::new(index)?;
    made.insert(index, Arc::clone(&context));
    Ok(context)
}

/// Whether NVRTC, CUDA's compiler at run time, is there.
#[allow(unsafe_code, reason = "every other call panics without it")]
pub fn has_nvrtc() -> bool {
    // SAFETY: looks for the library by name and opens it; nothing of it is called.
    unsafe { nvrtc::sys::is_culib_present() }
}
