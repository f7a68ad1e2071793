//! What a build for CUDA says of machines that lack something, with libraries that pretend to be NVIDIA's.
//!
//! The pretended ones stand before any real ones, so this tests the same on a machine with a GPU. Needs a C compiler (`cc`).
//! Run it with `cargo test --workspace --features siloscope-simulator/cuda --test cuda`.

#![cfg(feature = "cuda")]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;

use common::{Place, SWEEP, Said, said, scenario};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Names under which libraries are looked for; the first that opens is taken, and a file that is none does not.
const NAMES: [&str; 9] = ["", ".13", ".12", ".11", ".10", ".9", ".1", "64", "32"];

/// A machine with these libraries and headers.
struct Machine {
    place: Place,
    /// What the libraries answer.
    answers: Vec<(&'static str, &'static str)>,
}

impl Machine {
    /// A machine that lacks nothing.
    fn whole() -> Self {
        let machine = Self::without_compiler();
        machine.library("nvrtc", include_str!("compiler.c"));
        machine
    }

    fn without_compiler() -> Self {
        let machine = Self::without_driver();
        machine.library("cuda", include_str!("driver.c"));
        fs::create_dir_all(machine.place.path("toolkit/include")).unwrap();
        machine.place.write("toolkit/include/cuda_runtime.h", "");
        machine
    }

    fn without_driver() -> Self {
        let place = Place::with(&scenario(&[]));
        fs::create_dir(place.path("libraries")).unwrap();
        for library in ["cuda", "nvcuda", "nvrtc"] {
            for name in NAMES {
                let name = match name {
                    "64" | "32" => format!("lib{library}{name}.so"),
                    version => format!("lib{library}.so{version}"),
                };
                place.write(&format!("libraries/{name}"), "no library");
            }
        }
        Self {
            place,
            answers: Vec::new(),
        }
    }

    fn library(&self, name: &str, source: &str) {
        self.place.write("library.c", source);
        let file = self.place.path(format!("libraries/lib{name}.so"));
        fs::remove_file(&file).unwrap();
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .args([&file, &self.place.path("library.c")])
            .status();
        assert!(compiled.unwrap().success(), "cc compiles no library");
    }

    fn answering(mut self, variable: &'static str, answer: &'static str) -> Self {
        self.answers.push((variable, answer));
        self
    }

    fn command(&self, args: &[&str], toolkit: &Path) -> Command {
        let mut command = self.place.command(args);
        command
            .env("LD_LIBRARY_PATH", self.place.path("libraries"))
            .env("CUDA_PATH", toolkit)
            .envs(self.answers.iter().copied());
        command
    }

    fn siloscope(&self, args: &[&str]) -> Said {
        said(self.command(args, &self.place.path("toolkit")))
    }

    /// Checks that a scenario for this device is refused with these words, before anything is written.
    #[track_caller]
    fn refuses(&self, device: &str, words: &[&str]) {
        for verb in ["run", "validate"] {
            let said = self.siloscope(&[verb, "./case.toml", "--device", device]);
            let said = said.ends(3, words);
            let begins = "error: scenario ./case.toml: training.device: device = \"cuda:";
            assert!(said.stderr.starts_with(begins), "{}", said.stderr);
            assert!(said.stderr.contains("device = \"cpu\""), "{}", said.stderr);
        }
        assert!(!self.place.path("runs").exists());
    }
}

#[test]
fn a_machine_that_lacks_nothing_is_taken() {
    let whole = Machine::whole();
    for device in ["cuda", "cuda:0"] {
        let args = ["validate", "./case.toml", "--device", device];
        whole.siloscope(&args).ends(0, &["valid"]);
    }
}

#[test]
fn no_driver() {
    Machine::without_driver().refuses(
        "cuda",
        &[
            "NVIDIA's driver (libcuda.so.1)",
            "none is found",
            "LD_LIBRARY_PATH",
        ],
    );
}

#[test]
fn a_driver_that_does_not_start() {
    Machine::whole().answering("FAKE_CUDA_INIT", "803").refuses(
        "cuda",
        &[
            "it does not start",
            "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
            "unsupported display driver",
            "nvidia-smi",
        ],
    );
}

#[test]
fn a_driver_of_an_older_generation() {
    Machine::whole()
        .answering("FAKE_CUDA_VERSION", "11080")
        .refuses(
            "cuda",
            &[
                "is for 11.8",
                "update the driver",
                "CUDARC_CUDA_VERSION=11080",
            ],
        );
}

#[test]
fn no_device() {
    let words = ["needs an NVIDIA GPU", "names none", "CUDA_VISIBLE_DEVICES"];
    Machine::whole()
        .answering("FAKE_CUDA_DEVICES", "0")
        .refuses("cuda", &words);
    // What a driver without a device says when it starts.
    Machine::whole()
        .answering("FAKE_CUDA_INIT", "100")
        .refuses("cuda", &words);
}

#[test]
fn an_index_beyond_the_devices() {
    Machine::whole().refuses(
        "cuda:1",
        &["\"cuda:1\" is not there", "one CUDA device, \"cuda:0\""],
    );
    Machine::whole()
        .answering("FAKE_CUDA_DEVICES", "4")
        .refuses(
            "cuda:4",
            &[
                "\"cuda:4\" is not there",
                "has 4 CUDA devices",
                "\"cuda:0\" to \"cuda:3\"",
            ],
        );
}

#[test]
fn no_compiler() {
    Machine::without_compiler().refuses(
        "cuda",
        &["NVRTC", "libnvrtc.so", "none is found", "LD_LIBRARY_PATH"],
    );
}

#[test]
fn no_headers() {
    let whole = Machine::whole();
    let empty = whole.place.path("nothing");
    let args = ["run", "./case.toml", "--device", "cuda"];
    let words = [
        "CUDA's headers (cuda_runtime.h)",
        "nothing/include has none",
        "set CUDA_PATH",
    ];
    said(whole.command(&args, &empty)).ends(3, &words);
}

/// The words of the compiler are shown, and it is asked as burn asks it.
#[test]
fn a_compiler_that_does_not_compile() {
    Machine::whole()
        .answering("FAKE_NVRTC_COMPILE", "6")
        .refuses(
            "cuda",
            &[
                "cannot be programmed",
                "NVRTC does not compile an empty program: #include <cuda_runtime.h>",
                "--include-path=",
                "toolkit/include",
                "--gpu-architecture=sm_90a",
                "of one CUDA",
            ],
        );
}

#[test]
fn a_device_that_loads_no_program() {
    Machine::whole().answering("FAKE_CUDA_LOAD", "222").refuses(
        "cuda",
        &[
            "cannot be programmed",
            "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
            "unsupported toolchain",
            "with the driver the newest",
        ],
    );
    Machine::whole()
        .answering("FAKE_CUDA_CONTEXT", "2")
        .refuses(
            "cuda",
            &["cannot be programmed", "CUDA_ERROR_OUT_OF_MEMORY"],
        );
}

#[test]
fn auto_takes_the_first_device_that_lacks_nothing() {
    let submit = [
        "sweep",
        "submit",
        "./case.toml",
        "--engine",
        "slurm",
        "--dry-run",
        "--device",
        "auto",
    ];
    let whole = Machine::whole();
    whole.place.write("case.toml", scenario(&[("", SWEEP)]));
    // Whether Slurm is there does not matter: the list is written before it is asked.
    whole.siloscope(&submit);
    let tasks = fs::read_to_string(whole.place.path("sweeps/case/tasks.json")).unwrap();
    assert_eq!(
        tasks.matches("device = \\\"cuda:0\\\"").count(),
        4,
        "{tasks}"
    );

    let lacking = Machine::without_compiler();
    lacking
        .siloscope(&["run", "./case.toml", "--device", "auto"])
        .ends(
            0,
            &[
                "device: cpu, by auto",
                "not a better one: device = \"cuda:0\" needs NVRTC",
            ],
        );
    let plan = fs::read_to_string(lacking.place.run_folder().join("plan.json")).unwrap();
    assert!(!plan.contains("device"), "{plan}");
}
