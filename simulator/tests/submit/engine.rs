//! Engines that are scripts: they take jobs, keep a queue in files, and run nothing by themselves.

use crate::common::{Place, SWEEP, Said, said, scenario};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

/// Expands `0-2,5%3` into a number a line.
const EXPAND: &str =
    r#"expand() { for part in ${1//,/ }; do seq "${part%-*}" "${part#*-}"; done; }"#;

const SBATCH: &str = r#"
for word in "$@"; do echo "$word"; case $word in --array=*) array=${word#--array=};; esac; done >> "$FAKE/calls"
echo == >> "$FAKE/calls"
[ ! -e "$FAKE/refusal" ] || { cat "$FAKE/refusal" >&2; exit 1; }
[ ! -e "$FAKE/answer" ] || { cat "$FAKE/answer"; exit; }
job=$(($(ls "$FAKE" | grep -c '^queue') + 41))
expand "${array%\%*}" > "$FAKE/queue.$job"
echo "$job;here"
"#;

const SQUEUE: &str = r#"
[ "$1 $2 $3" = "-h -r -j" ] && [ "$5 $6" = "-o %K" ] || exit 9
[ -s "$FAKE/queue.$4" ] || { echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1; }
cat "$FAKE/queue.$4"
"#;

const SCONTROL: &str = r#"
echo "MaxArraySize            = $(cat "$FAKE/longest" || echo 1001)" 2> /dev/null
"#;

const HQ: &str = r#"
case "$1 $2" in
"server info")
    [ -e "$FAKE/server" ] || { echo "No online server was found" >&2; exit 1; }
    echo "{\"server_uid\": \"$(cat "$FAKE/server")\"}" ;;
"submit --output-mode=json")
    for word in "$@"; do echo "$word"; case $word in --array=*) array=${word#--array=};; esac; done >> "$FAKE/calls"
    echo == >> "$FAKE/calls"
    expand "$array" > "$FAKE/queue.1"
    echo '{"id": 1}' ;;
"task list")
    # Tasks that have ended are in a file; of the others one is listed and the rest are not.
    echo "{\"$3\": [{\"id\": 0, \"state\": \"running\"}"
    while read -r task state; do echo ", {\"id\": $task, \"state\": \"$state\"}"; done < "$FAKE/ended"
    echo "]}" ;;
*) exit 9 ;;
esac
"#;

/// A planned sweep, and engines to submit it to.
pub(crate) struct Cluster(pub(crate) Place);

impl Cluster {
    pub(crate) fn new() -> Self {
        let place = Place::with(&scenario(&[("", SWEEP)]));
        fs::create_dir_all(place.path("fake")).unwrap();
        for (name, script) in [
            ("sbatch", SBATCH),
            ("squeue", SQUEUE),
            ("scontrol", SCONTROL),
            ("hq", HQ),
        ] {
            place.write(
                &format!("fake/{name}"),
                format!("#!/bin/bash\n{EXPAND}\n{script}"),
            );
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(place.path(format!("fake/{name}")), mode).unwrap();
        }
        place
            .siloscope(&["sweep", "plan", "case.toml"])
            .ends(0, &[]);
        Self(place)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        self.0.write(&format!("fake/{name}"), text);
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path("sweeps/case").join(name)
    }

    fn among_engines(&self, mut command: Command) -> Said {
        let fake = self.0.path("fake");
        let path = std::env::var("PATH").unwrap();
        command
            .env("FAKE", &fake)
            .env("PATH", format!("{}:{path}", fake.display()));
        said(command)
    }

    /// Submits to an engine, with more words.
    pub(crate) fn submit(&self, engine: &str, more: &[&str]) -> Said {
        let words = [&["sweep", "submit", "case", "--engine", engine], more].concat();
        self.among_engines(self.0.command(&words))
    }

    /// The words of the calls that handed over a job, since this was last asked.
    pub(crate) fn calls(&self) -> Vec<Vec<String>> {
        let path = self.0.path("fake/calls");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        let calls = text.split("==\n").filter(|call| !call.is_empty());
        calls
            .map(|call| call.lines().map(str::to_owned).collect())
            .collect()
    }

    /// Runs one task as the engine would; gives the exit code.
    pub(crate) fn run(&self, script: &str, variable: &str, number: &str, offset: &[&str]) -> i32 {
        let mut command = Command::new("bash");
        command
            .arg(self.file(script))
            .args(offset)
            .env(variable, number)
            .current_dir("/");
        self.among_engines(command).code
    }

    /// Takes all but these numbers out of a job's queue.
    pub(crate) fn leave(&self, job: &str, numbers: &str) {
        self.write(&format!("queue.{job}"), numbers);
    }

    /// The id of a task.
    pub(crate) fn id(&self, index: usize) -> String {
        let text = fs::read(self.file("tasks.json")).unwrap();
        let tasks: serde_json::Value = serde_json::from_slice(&text).unwrap();
        tasks[index]["id"].as_str().unwrap().to_owned()
    }
}
