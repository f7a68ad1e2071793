//! What silos are training, and when they will be done.

use crate::cohort::CohortTrainer;
use clients::{TrainError, TrainingTask};
use primitives::SiloId;
use protocol::SiloUpdate;
use std::collections::BTreeMap;
use std::time::Duration;

/// Training under way, in the order in which it will be done; at the same moment, in the order of silos.
#[derive(Default)]
pub struct Jobs(BTreeMap<(Duration, SiloId), Job>);

/// One silo's training. The result is known before its time: it is computed together with others'.
struct Job {
    task: TrainingTask,
    result: Option<Result<SiloUpdate, TrainError>>,
}

/// Training that is done.
pub struct Done {
    /// What was to be done, and in which silo.
    pub task: TrainingTask,
    /// What came of it.
    pub result: Result<SiloUpdate, TrainError>,
}

impl Jobs {
    /// Begins a silo's training, which will be done at `done`.
    pub fn begin(&mut self, done: Duration, task: TrainingTask) {
        self.0.insert((done, task.silo), Job { task, result: None });
    }

    /// Forgets what `silo` was training.
    pub fn lose(&mut self, silo: SiloId) {
        self.0.retain(|&(_, of), _| of != silo);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// When the next training is done.
    pub fn next_done(&self) -> Option<Duration> {
        self.0.first_key_value().map(|(&(done, _), _)| done)
    }

    /// The next training that is done at `now`. Where its result is not known yet, it is computed, together with
    /// those of the next silos that will be done before `until` (it is not worth waiting for later ones), as many
    /// as the trainer takes at a time.
    pub fn take_done(
        &mut self,
        now: Duration,
        until: Option<Duration>,
        trainer: &mut dyn CohortTrainer,
    ) -> Option<Done> {
        let (&(done, _), job) = self.0.first_key_value()?;
        if done > now {
            return None;
        }
        if job.result.is_none() {
            self.train(until, trainer);
        }
        let (_, Job { task, result }) = self.0.pop_first()?;
        Some(Done {
            task,
            result: result?,
        })
    }

    fn train(&mut self, until: Option<Duration>, trainer: &mut dyn CohortTrainer) {
        let due = self.0.iter_mut().filter(|((done, _), job)| {
            job.result.is_none() && until.is_none_or(|until| *done <= until)
        });
        let (tasks, results): (Vec<&TrainingTask>, Vec<_>) = due
            .take(trainer.at_a_time())
            .map(|(_, Job { task, result })| (&*task, result))
            .unzip();
        for (result, trained) in results.into_iter().zip(trainer.train(&tasks)) {
            *result = Some(trained);
        }
    }
}
