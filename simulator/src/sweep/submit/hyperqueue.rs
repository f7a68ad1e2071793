//! HyperQueue: a sweep is a task array of a running server.
//!
//! Source: HyperQueue's documentation, "Task arrays" and "Output mode"; `hq submit --help`.

use super::engine::{Engine, Handle, Part, Work, answer, ask, option, ranges, words};
use super::record::Job;
use crate::exit::Failure;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// HyperQueue, by its command.
#[derive(Debug)]
pub struct HyperQueue;

/// The script in a sweep's folder.
const SCRIPT: &str = "hq.sh";

impl Engine for HyperQueue {
    fn name(&self) -> &'static str {
        "hq"
    }

    fn script(&self, work: &Work) -> (PathBuf, String) {
        let text = work.script(self.name(), "$HQ_TASK_ID");
        (work.folder.join(SCRIPT), text)
    }

    fn parts(&self, _work: &Work, tasks: &[usize]) -> Result<Vec<Part>, Failure> {
        Ok(vec![Part {
            offset: 0,
            tasks: tasks.to_vec(),
        }])
    }

    fn words(&self, work: &Work, part: &Part, _after: Option<&str>) -> Vec<String> {
        let mut words = words(&["hq", "submit", "--output-mode=json"]);
        words.extend([
            format!("--name={}", work.job_name()),
            format!("--array={}", ranges(&part.tasks)),
            format!("--cpus={}", work.threads),
            "--stdout=none".to_owned(),
            option("--stderr", &work.logs(), "hq-%{JOB_ID}_%{TASK_ID}.log"),
        ]);
        words.extend(work.options.iter().cloned());
        let script = work.folder.join(SCRIPT).to_string_lossy().into_owned();
        words.extend(["--".to_owned(), "bash".to_owned(), script]);
        words
    }

    fn submit(&self, words: &[String]) -> Result<Handle, Failure> {
        // Ids begin at 1 with each server.
        let server = server()?.map_err(|said| {
            Failure::run(format!(
                "no HyperQueue server answers ({said}): start one with `hq server start`, and workers with `hq worker \
                 start`"
            ))
        })?;
        let said = answer(words)?;
        let answered: Value = serde_json::from_str(&said).unwrap_or_default();
        let job = answered["id"].as_u64().ok_or_else(|| {
            Failure::run(format!(
                "hq submit answers {said:?} and not the id of a job: look with `hq job list` whether it has taken the \
                 job, and cancel it before submitting again"
            ))
        })?;
        Ok(Handle {
            id: job.to_string(),
            server: Some(server),
        })
    }

    fn waiting(&self, job: &Job) -> Result<BTreeSet<usize>, Failure> {
        // A server that is gone, or another one, has nothing of ours.
        if server()?.ok() != job.server {
            return Ok(BTreeSet::new());
        }
        let list = words(&["hq", "task", "list", &job.id, "--output-mode=json"]);
        let said = answer(&list)?;
        let answered: Value = serde_json::from_str(&said).map_err(|error| {
            Failure::run(format!(
                "hq does not say what has become of job {}: {error} in {said:?}",
                job.id
            ))
        })?;
        let Some(listed) = answered[&job.id].as_array() else {
            return Ok(BTreeSet::new());
        };
        let over = |task: &Value| match task["state"].as_str() {
            Some("finished" | "failed" | "canceled") => Some(task["id"].as_u64()? as usize),
            _ => None,
        };
        let over: BTreeSet<usize> = listed.iter().filter_map(over).collect();
        // A task that is not listed has not begun.
        let tasks = job.tasks.keys().copied();
        Ok(tasks.filter(|task| !over.contains(task)).collect())
    }
}

/// The id of the running server; what is said against it if there is none.
fn server() -> Result<Result<String, String>, Failure> {
    let info = ask(&words(&["hq", "server", "info", "--output-mode=json"]))?;
    Ok(info.and_then(|said| {
        let answered: Value = serde_json::from_str(&said).unwrap_or_default();
        let server = answered["server_uid"].as_str().map(str::to_owned);
        server.ok_or(said)
    }))
}
