//! What the tests of the binary share: a small scenario, a folder for each test, and what a run leaves in it.

#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    reason = "every test file includes this one and uses its part of it"
)]

use safetensors::SafeTensors;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Thirty members over three silos, six rounds: a run takes some hundredths of a second.
pub const SCENARIO: &str = r#"name = "case"
seed = 7

[data]
source = { synthetic = { kind = "subjects", subjects = 60, records_per_subject = 8, features = 6, classes = 3, test_subjects = 20 } }
fresh_fraction = 0.25
records_per_adversary = 2

[federation]
silos = 3
rounds = 6
spread = { kind = "fixed", silos = 2 }

[model]
kind = "logistic"

[training]
local_steps = 3
sampling_rate = 0.2
learning_rate = 0.3

[privacy]
protection = "averaged-gradient"
clip_norm = 1.0
noise_multiplier = 1.0
delta = 1e-3

[adversary]
known_subjects = 5

[[attacks]]
kind = "loss-threshold"

[[attacks]]
kind = "loss-across-rounds"
"#;

/// What makes four tasks of [`SCENARIO`].
pub const SWEEP: &str = r#"
[sweep]
seeds = 2
[[sweep.axes]]
key = "data.source.synthetic.spread"
values = [0.0, 2.0]
"#;

/// The noise of [`SCENARIO`] as it is written there.
pub const NOISE: &str = "noise_multiplier = 1.0\ndelta = 1e-3";

/// [`SCENARIO`] with each `from` replaced by its `to`; an empty `from` appends.
pub fn scenario(changes: &[(&str, &str)]) -> String {
    let mut text = SCENARIO.to_owned();
    for (from, to) in changes {
        if from.is_empty() {
            text.push_str(to);
        } else {
            assert!(text.contains(from), "the scenario has no {from:?}");
            text = text.replacen(from, to, 1);
        }
    }
    text
}

/// What a call of the binary came to.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    /// Checks the exit code and that stderr has every one of `words`.
    #[track_caller]
    pub fn ends(self, code: i32, words: &[&str]) -> Self {
        let Self { stdout, stderr, .. } = &self;
        assert_eq!(self.code, code, "stdout: {stdout}\nstderr: {stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
        for word in words {
            assert!(stderr.contains(word), "no {word:?} in: {stderr}");
        }
        self
    }
}

/// A folder of a test's own, in which the binary is called.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A place with `text` as its `case.toml`.
    pub fn with(text: &str) -> Self {
        let place = Self::new();
        place.write("case.toml", text);
        place
    }

    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    /// The binary, to be started here, without the terminal settings of whoever tests.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_siloscope"));
        command.args(args).current_dir(self.0.path());
        for variable in ["NO_COLOR", "COLUMNS", "RUST_BACKTRACE"] {
            command.env_remove(variable);
        }
        command
    }

    /// Calls the binary and waits for it.
    pub fn siloscope(&self, args: &[&str]) -> Said {
        said(self.command(args))
    }

    /// Starts a run, kills it after `events` events of its stream, and says how many it had written by then.
    pub fn kill_after(&self, args: &[&str], events: usize) -> usize {
        let mut child = self
            .command(args)
            .args(["--jsonl", "-q"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let seen = lines.by_ref().take(events).count();
        child.kill().unwrap();
        child.wait().unwrap();
        seen + lines.count()
    }

    /// The one run folder below `runs`.
    #[track_caller]
    pub fn run_folder(&self) -> PathBuf {
        // Shadow federations are kept beside the runs, in a folder that begins with a dot.
        let hidden = |path: &Path| path.file_name().unwrap().as_encoded_bytes()[0] == b'.';
        let mut folders: Vec<_> = fs::read_dir(self.path("runs"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| !hidden(path))
            .collect();
        assert_eq!(folders.len(), 1, "{folders:?}");
        folders.remove(0)
    }

    /// A copy of the one run folder, under another name in this place.
    pub fn copy_of_run(&self, name: &str) -> PathBuf {
        let to = self.path(name);
        for (file, bytes) in all_files(&self.run_folder()) {
            let file = to.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, bytes).unwrap();
        }
        to
    }
}

/// Runs a command of [`Place::command`] to its end.
pub fn said(command: Command) -> Said {
    let output = assert_cmd::Command::from_std(command).output().unwrap();
    Said {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Every file below `folder` by its path in it.
fn all_files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// The files of a run folder that must not depend on when or where it was run.
pub fn lasting_files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = all_files(folder);
    for passing in ["timings.jsonl", "origin.json", "serve.json", ".lock"] {
        files.remove(Path::new(passing));
    }
    files
}

/// Checks that two run folders hold the same files with the same bytes.
#[track_caller]
pub fn assert_same(found: &Path, expected: &Path, what: &str) {
    let (found, expected) = (lasting_files(found), lasting_files(expected));
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&expected), "{what}");
    for (name, bytes) in &expected {
        assert!(found[name] == *bytes, "{what}: {} differs", name.display());
    }
}

/// `report.json` of a run folder.
pub fn report(folder: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap()
}

/// How far the numbers of two safetensors files lie apart, at most. Same names and shapes are demanded; `NaN` is infinitely far.
pub fn distance(left: &[u8], right: &[u8]) -> f64 {
    let (left, right) = (
        SafeTensors::deserialize(left).unwrap(),
        SafeTensors::deserialize(right).unwrap(),
    );
    assert_eq!(left.len(), right.len());
    let mut largest = 0.0;
    for (name, left) in left.iter() {
        let right = right.tensor(name).unwrap();
        assert_eq!((left.shape(), left.dtype()), (right.shape(), right.dtype()));
        let numbers = |bytes: &[u8]| -> Vec<f64> {
            let bytes = bytes.as_chunks::<4>().0.iter();
            bytes.map(|&b| f64::from(f32::from_le_bytes(b))).collect()
        };
        let (left, right) = (numbers(left.data()), numbers(right.data()));
        for (left, right) in left.into_iter().zip(right) {
            let apart = (left - right).abs();
            largest = f64::max(largest, if apart.is_nan() { f64::INFINITY } else { apart });
        }
    }
    largest
}
