//! Slurm: a sweep is an array job, or several where arrays must be short. Nothing here is newer than Slurm 22.05.
//!
//! Source: the manual pages of sbatch, squeue and scontrol.

use super::engine::{Engine, Handle, Part, Work, answer, ask, option, ranges, words};
use super::record::Job;
use crate::exit::Failure;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Slurm, by its commands.
#[derive(Debug)]
pub struct Slurm;

/// The script in a sweep's folder.
const SCRIPT: &str = "slurm.sh";

impl Engine for Slurm {
    fn name(&self) -> &'static str {
        "slurm"
    }

    fn script(&self, work: &Work) -> (PathBuf, String) {
        // The first argument is where the job's numbers begin.
        let text = work.script(self.name(), "$((SLURM_ARRAY_TASK_ID + ${1:-0}))");
        (work.folder.join(SCRIPT), text)
    }

    fn parts(&self, _work: &Work, tasks: &[usize]) -> Result<Vec<Part>, Failure> {
        let config = answer(&words(&["scontrol", "show", "config"]))?;
        Ok(in_arrays(tasks, longest_array(&config)?))
    }

    fn words(&self, work: &Work, part: &Part, after: Option<&str>) -> Vec<String> {
        let numbers: Vec<usize> = part.tasks.iter().map(|task| task - part.offset).collect();
        let limit = work
            .limit
            .map_or_else(String::new, |limit| format!("%{limit}"));
        let mut words = words(&["sbatch", "--parsable"]);
        words.extend([
            format!("--job-name={}", work.job_name()),
            format!("--array={}{limit}", ranges(&numbers)),
            option("--output", &work.logs(), "slurm-%A_%a.log"),
            "--open-mode=append".to_owned(),
            format!("--cpus-per-task={}", work.threads),
        ]);
        // A limit is for a job: the next one waits for it to end.
        if let (Some(job), true) = (after, work.limit.is_some()) {
            words.push(format!("--dependency=afterany:{job}"));
        }
        words.extend(work.options.iter().cloned());
        words.push(work.folder.join(SCRIPT).to_string_lossy().into_owned());
        words.push(part.offset.to_string());
        words
    }

    fn submit(&self, words: &[String]) -> Result<Handle, Failure> {
        let said = answer(words)?;
        // `123`, or `123;cluster`.
        let job = said.lines().last().unwrap_or_default();
        let job = job.split(';').next().unwrap_or_default().trim();
        if job.is_empty() || !job.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Failure::run(format!(
                "sbatch answers {said:?} and not the number of a job: look with `squeue --me` whether it has taken the \
                 job, and cancel it before submitting again"
            )));
        }
        Ok(Handle {
            id: job.to_owned(),
            server: None,
        })
    }

    fn waiting(&self, job: &Job) -> Result<BTreeSet<usize>, Failure> {
        let squeue = words(&["squeue", "-h", "-r", "-j", &job.id, "-o", "%K"]);
        match ask(&squeue)? {
            Ok(said) => {
                let numbers = said.lines().filter_map(|line| line.trim().parse().ok());
                Ok(numbers.map(|number: usize| number + job.offset).collect())
            }
            // Slurm forgets a job some minutes after its end.
            Err(said) if said.contains("Invalid job id") => Ok(BTreeSet::new()),
            Err(said) => Err(Failure::run(format!(
                "squeue does not say what has become of job {}: {said}",
                job.id
            ))),
        }
    }
}

/// How many numbers an array may have: they go from 0 to one less.
fn longest_array(config: &str) -> Result<usize, Failure> {
    let value = config.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "MaxArraySize").then(|| value.trim().parse().ok())?
    });
    match value {
        Some(0) => Err(Failure::run(
            "this Slurm takes no array jobs (MaxArraySize is 0): ask its administrator, or use --engine hq",
        )),
        Some(longest) => Ok(longest),
        None => Err(Failure::run(
            "`scontrol show config` says nothing about MaxArraySize: is this Slurm?",
        )),
    }
}

/// Tasks by the array that has their numbers.
fn in_arrays(tasks: &[usize], longest: usize) -> Vec<Part> {
    let mut arrays: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &task in tasks {
        arrays.entry(task / longest).or_default().push(task);
    }
    let part = |(place, tasks)| Part {
        offset: place * longest,
        tasks,
    };
    arrays.into_iter().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::{NonZeroU32, NonZeroUsize};

    fn work(limit: Option<u32>) -> Work {
        Work {
            name: "study".to_owned(),
            folder: "/shared/sweeps/study".into(),
            program: "/opt/silo scope/siloscope".into(),
            threads: NonZeroUsize::new(2).unwrap(),
            limit: limit.and_then(NonZeroU32::new),
            options: vec!["--partition=long".to_owned()],
        }
    }

    #[test]
    fn arrays_are_no_longer_than_slurm_takes_them() {
        let config = "SlurmctldHost           = here\nMaxArraySize            = 4\n";
        assert_eq!(longest_array(config).unwrap(), 4);
        assert!(longest_array("MaxArraySize = 0").is_err());
        assert!(longest_array("").is_err());
        let part = |offset, tasks: &[usize]| Part {
            offset,
            tasks: tasks.to_vec(),
        };
        assert_eq!(
            in_arrays(&[0, 1, 3, 9, 10], 4),
            [part(0, &[0, 1, 3]), part(8, &[9, 10])]
        );
    }

    #[test]
    fn a_job_is_an_array_with_its_options_and_the_users_own_last() {
        let part = Part {
            offset: 1000,
            tasks: vec![1000, 1001, 1005],
        };
        let expected = [
            "sbatch",
            "--parsable",
            "--job-name=siloscope-study",
            "--array=0-1,5%3",
            "--output=/shared/sweeps/study/logs/slurm-%A_%a.log",
            "--open-mode=append",
            "--cpus-per-task=2",
            "--dependency=afterany:77",
            "--partition=long",
            "/shared/sweeps/study/slurm.sh",
            "1000",
        ];
        assert_eq!(Slurm.words(&work(Some(3)), &part, Some("77")), expected);
        let free = Slurm.words(&work(None), &part, Some("77"));
        assert!(free.contains(&"--array=0-1,5".to_owned()));
        assert!(!free.iter().any(|word| word.starts_with("--dependency")));
    }

    #[test]
    fn the_script_becomes_the_task() {
        let (path, text) = Slurm.script(&work(None));
        assert_eq!(path, PathBuf::from("/shared/sweeps/study/slurm.sh"));
        assert!(text.starts_with("#!/bin/bash\n"));
        let last = "exec '/opt/silo scope/siloscope' run --task /shared/sweeps/study/tasks.json:\"$((SLURM_ARRAY_TASK_ID \
                    + ${1:-0}))\" --threads 2 --quiet\n";
        assert!(text.ends_with(last), "{text}");
    }
}
