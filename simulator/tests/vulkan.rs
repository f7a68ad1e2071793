//! A federation on a device with a Vulkan driver: Mesa's in software, so that any machine can test it.
//!
//! Needs the Debian packages `libvulkan1` and `mesa-vulkan-drivers`. Run it with
//! `cargo test --workspace --features siloscope-simulator/vulkan --test vulkan`.

#![cfg(feature = "vulkan")]
#![allow(clippy::unwrap_used, missing_docs, reason = "tests")]

mod common;

use common::{Place, Said, distance, said, scenario};
use std::fs;
use std::path::{Path, PathBuf};

/// Where the Vulkan loader finds Mesa's driver in software.
fn software() -> PathBuf {
    let folder = "/usr/share/vulkan/icd.d";
    let drivers = fs::read_dir(folder).into_iter().flatten().flatten();
    drivers
        .map(|file| file.path())
        .find(|file| {
            file.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("lvp_icd")
        })
        .unwrap_or_else(|| panic!("no lvp_icd*.json in {folder}: install mesa-vulkan-drivers"))
}

/// Calls the binary on a machine with these Vulkan drivers and no other GPU.
fn siloscope(place: &Place, args: &[&str], drivers: &Path) -> Said {
    let mut command = place.command(args);
    for variable in ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] {
        command.env(variable, drivers);
    }
    command.env("CUDA_VISIBLE_DEVICES", "");
    said(command)
}

#[test]
fn a_federation_runs_there_and_says_where() {
    let cpu = Place::with(&scenario(&[]));
    cpu.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);
    let gpu = Place::with(&scenario(&[]));
    let args = ["run", "./case.toml", "--device", "vulkan"];
    siloscope(&gpu, &args, &software()).ends(0, &["device: vulkan (llvmpipe"]);

    let folder = gpu.run_folder();
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    assert!(read("plan.json").contains("\"device\": \"vulkan\""));
    let timings = read("timings.jsonl");
    assert!(
        timings.starts_with("{\"device\":\"vulkan\",\"name\":\"llvmpipe"),
        "{timings}"
    );

    // What was released is what would have been on a CPU, to the byte.
    let ledger = |place: &Place| fs::read(place.run_folder().join("ledger.jsonl")).unwrap();
    assert!(ledger(&cpu) == ledger(&gpu));

    // And the models say what they would have said.
    for round in 0..=6 {
        let signals = |place: &Place| {
            let name = format!("signals/round-{round:04}.safetensors");
            fs::read(place.run_folder().join(name)).unwrap()
        };
        let apart = distance(&signals(&cpu), &signals(&gpu));
        assert!(apart < 1e-3, "round {round}: {apart:e} apart");
    }

    // Where there is no such device it is not attacked on another.
    let run = folder.to_str().unwrap();
    let args = ["attack", run];
    siloscope(&gpu, &args, Path::new("/dev/null")).ends(
        3,
        &[
            "/scenario.toml, line",
            "training.device: device = \"vulkan\"",
        ],
    );
}

#[test]
fn a_machine_without_a_driver_says_what_to_install() {
    let place = Place::with(&scenario(&[]));
    let args = ["run", "./case.toml", "--device", "vulkan"];
    let words = [
        "training.device: device = \"vulkan\" needs",
        "mesa-vulkan-drivers",
        "device = \"cpu\"",
    ];
    siloscope(&place, &args, Path::new("/dev/null")).ends(3, &words);
    assert!(!place.path("runs").exists());
}

#[test]
fn auto_does_not_take_software_for_a_gpu() {
    let place = Place::with(&scenario(&[]));
    let args = ["run", "./case.toml", "--device", "auto"];
    let words = [
        "device: cpu, by auto",
        "would compute in software here, with llvmpipe",
    ];
    siloscope(&place, &args, &software()).ends(0, &words);
}
