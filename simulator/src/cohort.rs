//! What trains the silos of one federation that have to train at the same time.

use crate::stack::{StackSeat, Training};
use clients::{SgdTrainer, TrainError, TrainingTask};
use primitives::SiloId;
use protocol::SiloUpdate;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use training::LocalSgd;

/// Trains a cohort's silos. How, is a matter of the backend; what comes of a task is not.
pub trait CohortTrainer {
    /// How many tasks it is best given at once, if there are so many.
    fn at_a_time(&self) -> usize;

    /// Trains the silos of `tasks`, which are of one federation, each at most once; one result each, in order. A silo that
    /// fails takes nothing from the others.
    ///
    /// # Panics
    /// If there is no trainer for a silo.
    fn train(&mut self, tasks: &[&TrainingTask]) -> Vec<Result<SiloUpdate, TrainError>>;
}

/// One silo a core.
pub struct OneACore(BTreeMap<SiloId, SgdTrainer>);

/// All silos as one computation.
pub struct Together {
    trainers: BTreeMap<SiloId, SgdTrainer>,
    sgd: LocalSgd,
}

/// All silos of this federation and of the others at the meeting as one computation.
pub struct AtSeat {
    trainers: BTreeMap<SiloId, Arc<SgdTrainer>>,
    seat: Arc<StackSeat>,
}

impl OneACore {
    /// Tasks for each thread: enough that no thread waits long, and few updates in memory however large the cohort.
    const AT_A_TIME: usize = 8;

    /// These silos.
    pub const fn new(trainers: BTreeMap<SiloId, SgdTrainer>) -> Self {
        Self(trainers)
    }
}

impl CohortTrainer for OneACore {
    fn at_a_time(&self) -> usize {
        Self::AT_A_TIME * rayon::current_num_threads()
    }

    fn train(&mut self, tasks: &[&TrainingTask]) -> Vec<Result<SiloUpdate, TrainError>> {
        let trainers = &self.0;
        tasks
            .par_iter()
            .map(|work| trainers[&work.silo].train_alone(&work.task))
            .collect()
    }
}

impl Together {
    /// These silos, trained by `sgd`.
    pub const fn new(trainers: BTreeMap<SiloId, SgdTrainer>, sgd: LocalSgd) -> Self {
        Self { trainers, sgd }
    }
}

impl CohortTrainer for Together {
    /// All of them: what fits a device is for the computation to know.
    fn at_a_time(&self) -> usize {
        usize::MAX
    }

    fn train(&mut self, tasks: &[&TrainingTask]) -> Vec<Result<SiloUpdate, TrainError>> {
        let silos: Vec<_> = tasks
            .iter()
            .map(|work| (&self.trainers[&work.silo], &work.task))
            .collect();
        SgdTrainer::train_together(&mut self.sgd, &silos)
    }
}

impl AtSeat {
    /// These silos, trained where the seat is.
    pub fn new(trainers: BTreeMap<SiloId, SgdTrainer>, seat: Arc<StackSeat>) -> Self {
        let shared = |(silo, trainer)| (silo, Arc::new(trainer));
        Self {
            trainers: trainers.into_iter().map(shared).collect(),
            seat,
        }
    }
}

impl CohortTrainer for AtSeat {
    fn at_a_time(&self) -> usize {
        usize::MAX
    }

    fn train(&mut self, tasks: &[&TrainingTask]) -> Vec<Result<SiloUpdate, TrainError>> {
        let training = |work: &&TrainingTask| Training {
            trainer: Arc::clone(&self.trainers[&work.silo]),
            task: work.task.clone(),
        };
        self.seat.train(tasks.iter().map(training).collect())
    }
}
