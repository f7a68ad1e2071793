//! What silos are training, and when they will be done.

use clients::{LocalTrainer, TrainError, TrainingTask};
use primitives::SiloId;
use protocol::SiloUpdate;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

/// Trainings that are computed together, for each thread: enough that no thread waits long, and few updates in memory
/// however large the cohort.
const AT_A_TIME: usize = 8;

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
    /// those of the next silos that will be done before `until` (it is not worth waiting for later ones): one silo a core.
    pub fn take_done(
        &mut self,
        now: Duration,
        until: Option<Duration>,
        trainers: &mut BTreeMap<SiloId, Box<dyn LocalTrainer>>,
    ) -> Option<Done> {
        let (&(done, _), job) = self.0.first_key_value()?;
        if done > now {
            return None;
        }
        if job.result.is_none() {
            self.train(until, trainers);
        }
        let (_, Job { task, result }) = self.0.pop_first()?;
        Some(Done {
            task,
            result: result?,
        })
    }

    fn train(
        &mut self,
        until: Option<Duration>,
        trainers: &mut BTreeMap<SiloId, Box<dyn LocalTrainer>>,
    ) {
        let due = self.0.iter_mut().filter(|((done, _), job)| {
            job.result.is_none() && until.is_none_or(|until| *done <= until)
        });
        let due = due.take(AT_A_TIME * rayon::current_num_threads());
        let mut due: BTreeMap<SiloId, &mut Job> =
            due.map(|((_, silo), job)| (*silo, job)).collect();
        let work: Vec<(&mut Job, &mut Box<dyn LocalTrainer>)> = trainers
            .iter_mut()
            .filter_map(|(silo, trainer)| Some((due.remove(silo)?, trainer)))
            .collect();
        work.into_par_iter()
            .for_each(|(job, trainer)| job.result = Some(trainer.train(&job.task.task)));
    }
}
