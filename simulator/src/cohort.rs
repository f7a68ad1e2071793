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

/// What the updates of silos that are trained as one computation may take of the host's memory, in bytes.
const UPDATES: u64 = 4 << 30;

/// What an update takes on its way from the device: its start, what comes back, and itself. In bytes a parameter.
const ON_THE_WAY: u64 = 3 * size_of::<f32>() as u64;

/// How many silos are trained as one computation at most. It is a matter of the model alone: beside whom a silo is trained can
/// be seen in the last bits of its update, and must be the same on every machine.
pub fn most_together(parameters: u64) -> usize {
    let fitting = UPDATES / (ON_THE_WAY * parameters).max(1);
    usize::try_from(fitting).unwrap_or(usize::MAX).max(1)
}

/// One silo a core.
pub struct OneACore(BTreeMap<SiloId, SgdTrainer>);

/// All silos as one computation, or as many as [`most_together`] says.
pub struct Together {
    trainers: BTreeMap<SiloId, SgdTrainer>,
    sgd: LocalSgd,
    most: usize,
}

/// All silos of this federation and of the others at the meeting as one computation.
pub struct AtSeat {
    trainers: BTreeMap<SiloId, Arc<SgdTrainer>>,
    seat: Arc<StackSeat>,
    most: usize,
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
    /// These silos, at most `most` of them together, trained by `sgd`.
    pub const fn new(trainers: BTreeMap<SiloId, SgdTrainer>, sgd: LocalSgd, most: usize) -> Self {
        Self {
            trainers,
            sgd,
            most,
        }
    }
}

impl CohortTrainer for Together {
    fn at_a_time(&self) -> usize {
        self.most
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
    /// These silos, at most `most` of them together, trained where the seat is.
    pub fn new(trainers: BTreeMap<SiloId, SgdTrainer>, seat: Arc<StackSeat>, most: usize) -> Self {
        let shared = |(silo, trainer)| (silo, Arc::new(trainer));
        Self {
            trainers: trainers.into_iter().map(shared).collect(),
            seat,
            most,
        }
    }
}

impl CohortTrainer for AtSeat {
    fn at_a_time(&self) -> usize {
        self.most
    }

    fn train(&mut self, tasks: &[&TrainingTask]) -> Vec<Result<SiloUpdate, TrainError>> {
        let training = |work: &&TrainingTask| Training {
            trainer: Arc::clone(&self.trainers[&work.silo]),
            task: work.task.clone(),
        };
        self.seat.train(tasks.iter().map(training).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_model_is_trained_few_silos_at_a_time() {
        // Of a hundred million parameters, 1.2 GB on the way: 3 fit into 4 GiB.
        assert_eq!(most_together(100_000_000), 3);
        assert_eq!(most_together(1_000_000_000), 1);
        assert!(most_together(7850) > 40_000);
    }
}
