//! Processes of ours, and the folders that they work in.

use crate::common::{Place, Said, scenario};
use primitives::Digest;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use transport::quic::{Authority, Credentials, IssuedKeys, Peer};

/// Cohorts that are drawn, and server state beyond the model.
pub(crate) fn moments_and_cohorts() -> String {
    scenario(&[(
        "silos = 3\nrounds = 6",
        "silos = 4\nrounds = 8\nsilos_per_round = 2\nstrategy = { kind = \"fed-adam\", server_learning_rate = 0.05 }",
    )])
}

/// The coordinator clips and noises, and a budget ends the run before its last round.
pub(crate) fn stopped_by_budget() -> String {
    scenario(&[
        ("averaged-gradient", "silo-noise"),
        (
            crate::common::NOISE,
            "noise_multiplier = 4.0\nbudget = { unit = \"silo\", epsilon = 2.2, delta = 1e-3 }",
        ),
        ("rounds = 6", "rounds = 12"),
    ])
}

/// The same scenario, run in memory.
pub(crate) fn in_memory(text: &str) -> (Place, PathBuf) {
    let place = Place::with(text);
    place.siloscope(&["run", "./case.toml", "-q"]).ends(0, &[]);
    let folder = place.run_folder();
    (place, folder)
}

/// A process of ours, stopped if a test ends before it.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        Self(
            command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap(),
        )
    }

    /// Reads what it tells people until a line has all of `words`.
    #[track_caller]
    pub(crate) fn until(&mut self, words: &[&str]) -> String {
        // Byte by byte: what follows the line stays to be read.
        let lines = BufReader::with_capacity(1, self.0.stderr.as_mut().unwrap()).lines();
        let mut heard = Vec::new();
        for line in lines {
            let line = line.unwrap();
            if words.iter().all(|word| line.contains(word)) {
                return line;
            }
            heard.push(line);
        }
        panic!("it ended without saying {words:?}: {heard:#?}");
    }

    /// Reads `count` events of its stream.
    #[track_caller]
    pub(crate) fn events(&mut self, count: usize) {
        let mut lines = BufReader::with_capacity(1, self.0.stdout.as_mut().unwrap()).lines();
        for _ in 0..count {
            lines.next().unwrap().unwrap();
        }
    }

    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    pub(crate) fn interrupt(&self) {
        let asked = Command::new("kill")
            .args(["-INT", &self.0.id().to_string()])
            .status();
        assert!(asked.unwrap().success());
    }

    pub(crate) fn wait(mut self) -> Said {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        let out = self.0.stdout.take();
        let reader = std::thread::spawn(move || {
            out.unwrap().read_to_string(&mut stdout).unwrap();
            stdout
        });
        self.0
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        Said {
            code: self.0.wait().unwrap().code().unwrap_or(-1),
            stdout: reader.join().unwrap(),
            stderr,
        }
    }
}

impl Place {
    /// A place with a scenario and keys for its silos.
    pub(crate) fn federation(text: &str, silos: u32) -> Self {
        let place = Self::with(text);
        let silos = silos.to_string();
        place
            .siloscope(&["keys", "init", "keys", "--silos", &silos, "-q"])
            .ends(0, &[]);
        place
    }

    pub(crate) fn serve(&self, words: &[&str]) -> Process {
        let mut all = vec![
            "serve",
            "./case.toml",
            "--keys",
            "keys",
            "--listen",
            "127.0.0.1:0",
        ];
        all.extend(["--rendezvous", "here.json"]);
        all.extend(words);
        Process::start(self.command(&all))
    }

    pub(crate) fn join(&self, silo: u32, words: &[&str]) -> Process {
        let silo = silo.to_string();
        let mut all = vec!["join", "./case.toml", "--silo", &silo, "--keys", "keys"];
        all.extend(["--rendezvous", "here.json"]);
        all.extend(words);
        Process::start(self.command(&all))
    }

    /// The folder of a silo.
    pub(crate) fn silo_folder(&self, silo: u32) -> PathBuf {
        let mut runs = fs::read_dir(self.path("silos")).unwrap();
        runs.next()
            .unwrap()
            .unwrap()
            .path()
            .join(format!("silo-{silo}"))
    }

    /// The rounds that a silo has spent, in its own words.
    pub(crate) fn spent(&self, silo: u32) -> Vec<u64> {
        let journal = fs::read(self.silo_folder(silo).join("silo.journal")).unwrap();
        let mut rest = &journal[..];
        let mut spent = Vec::new();
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let line: serde_json::Value = serde_json::from_slice(&rest[..end]).unwrap();
            spent.extend(line["last"].as_u64());
            let update = line["update"]["bytes"].as_u64().unwrap_or(0) as usize;
            rest = &rest[end + 1 + update..];
        }
        spent
    }

    pub(crate) fn credentials(&self, peer: Peer) -> Credentials {
        let folder = self.path("keys").join(peer.label());
        let read = |name: String| fs::read_to_string(folder.join(name)).unwrap();
        let (pem, key) = (
            format!("{}.pem", peer.label()),
            format!("{}.key", peer.label()),
        );
        Credentials::from_pem(&read("authority.pem".to_owned()), &read(pem), &read(key)).unwrap()
    }

    /// Puts other keys into the folder of a silo.
    pub(crate) fn put_keys(&self, silo: u32, keys: &IssuedKeys) {
        let folder = self.path(format!("keys/silo-{silo}"));
        fs::write(folder.join(format!("silo-{silo}.pem")), &keys.certificate).unwrap();
        fs::write(folder.join(format!("silo-{silo}.key")), &keys.key).unwrap();
    }

    pub(crate) fn authority(&self) -> Authority {
        let key = fs::read_to_string(self.path("keys/authority/authority.key")).unwrap();
        Authority::from_key(&key).unwrap()
    }
}

impl Place {
    /// The digest of the scenario's plan.
    pub(crate) fn plan(&self) -> Digest {
        let said = self.siloscope(&["validate", "./case.toml", "--json"]);
        let value: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        Digest::try_from(value["plan"].as_str().unwrap().to_owned()).unwrap()
    }
}

/// Where `serve` says that it listens.
pub(crate) fn address_in(line: &str) -> String {
    let rest = line.split("listening on UDP ").nth(1).unwrap();
    rest.split(' ').next().unwrap().to_owned()
}

pub(crate) fn all_end_well(processes: Vec<Process>) {
    for process in processes {
        process.wait().ends(0, &[]);
    }
}
