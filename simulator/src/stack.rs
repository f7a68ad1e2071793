//! What a backend that stacks computes for many federations at once.
//!
//! Federations on threads of their own sit at a [meeting](crate::meeting); what they ask of its host, this is what does it.
//! Nobody else touches the device meanwhile.

use crate::cohort::most_together;
use crate::meeting::Seat;
use clients::{SgdTrainer, TrainError};
use data::Dataset;
use primitives::{ModelVector, RecordId};
use protocol::{SiloUpdate, Task};
use scenarios::Resolved;
use std::sync::{Arc, mpsc};
use training::{Evaluator, LocalSgd, NetworkError, RecordScore};

/// Federations at a time, however small: each has a thread.
const MOST: usize = 64;

/// Trains and looks at many models of one shape.
pub struct Stack {
    sgd: LocalSgd,
    evaluator: Evaluator,
    /// Federations at a time.
    federations: usize,
}

/// The place of a federation whose work is done in a stack.
pub type StackSeat = Seat<Asked, Answered>;

/// What a federation asks at a time.
#[derive(Default)]
pub struct Asked {
    trainings: Vec<Training>,
    looks: Vec<Look>,
    others: Vec<Other>,
}

/// Work with an evaluator.
type Other = Box<dyn FnOnce(&mut Evaluator) + Send>;

/// What comes of its trainings and looks, one for one.
pub struct Answered {
    updates: Vec<Result<SiloUpdate, TrainError>>,
    scores: Vec<Result<Vec<RecordScore>, NetworkError>>,
}

/// A silo's round.
pub struct Training {
    /// Who trains in the silo.
    pub trainer: Arc<SgdTrainer>,
    /// What it was asked for.
    pub task: Task,
}

/// Records that a model is asked about.
struct Look {
    model: ModelVector,
    dataset: Arc<Dataset>,
    records: Vec<RecordId>,
}

impl Look {
    fn is_at_the_same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.dataset, &other.dataset) && self.records == other.records
    }
}

impl Stack {
    /// For the federation and others like it, with other people or another seed; none if its backend does not stack.
    pub fn of(resolved: &Resolved) -> Option<Self> {
        let backend = resolved.file.scenario.training.backend();
        let architecture = &resolved.world.architecture;
        backend.stacks().then(|| Self {
            sgd: LocalSgd::new(architecture, backend),
            evaluator: Evaluator::new(architecture, backend),
            federations: at_a_time(resolved.plan.parameters, resolved.schedule.cohorts.size()),
        })
    }

    /// How many federations it takes at a time: a matter of the plan alone.
    pub const fn federations(&self) -> usize {
        self.federations
    }

    /// Does all that is asked: the trainings of all federations as one computation, and so what their models say about the
    /// same records. One answer for each, in order.
    pub fn answer(&mut self, asked: Vec<Asked>) -> Vec<Answered> {
        let trainings = asked.iter().flat_map(|asked| &asked.trainings);
        let silos: Vec<(&SgdTrainer, &Task)> = trainings
            .map(|training| (training.trainer.as_ref(), &training.task))
            .collect();
        let mut updates = SgdTrainer::train_together(&mut self.sgd, &silos).into_iter();
        let looks: Vec<&Look> = asked.iter().flat_map(|asked| &asked.looks).collect();
        let mut scores = self.scores(&looks).into_iter();
        let mut answer = |asked: Asked| {
            for other in asked.others {
                other(&mut self.evaluator);
            }
            Answered {
                updates: updates.by_ref().take(asked.trainings.len()).collect(),
                scores: scores.by_ref().take(asked.looks.len()).collect(),
            }
        };
        asked.into_iter().map(&mut answer).collect()
    }

    fn scores(&mut self, looks: &[&Look]) -> Vec<Result<Vec<RecordScore>, NetworkError>> {
        let mut scores: Vec<Option<_>> = looks.iter().map(|_| None).collect();
        while let Some(first) = scores.iter().position(Option::is_none) {
            let look = looks[first];
            let alike: Vec<usize> = (first..looks.len())
                .filter(|&at| scores[at].is_none() && look.is_at_the_same_as(looks[at]))
                .collect();
            let models: Vec<&ModelVector> = alike.iter().map(|&at| &looks[at].model).collect();
            let evaluator = &mut self.evaluator;
            match evaluator.scores_of_all(&models, &look.dataset, &look.records) {
                Ok(of_all) => {
                    for (at, of_one) in alike.into_iter().zip(of_all) {
                        scores[at] = Some(Ok(of_one));
                    }
                }
                // The models are of one shape: what is wrong with one is wrong with all.
                Err(error) => alike
                    .into_iter()
                    .for_each(|at| scores[at] = Some(Err(error))),
            }
        }
        scores.into_iter().flatten().collect()
    }
}

/// Federations whose cohorts are trained together: as many as have their updates in memory together, one at least.
fn at_a_time(parameters: u64, cohort: usize) -> usize {
    (most_together(parameters) / cohort.max(1)).clamp(1, MOST)
}

impl StackSeat {
    /// Trains silos. One result each, in order.
    pub fn train(&self, trainings: Vec<Training>) -> Vec<Result<SiloUpdate, TrainError>> {
        let asked = Asked {
            trainings,
            ..Asked::default()
        };
        self.ask(asked).updates
    }

    /// The score of every one of `records` of `dataset` under `model`, in order.
    ///
    /// # Errors
    /// If the model or the data does not fit the network.
    pub fn scores(
        &self,
        model: &ModelVector,
        dataset: &Arc<Dataset>,
        records: &[RecordId],
    ) -> Result<Vec<RecordScore>, NetworkError> {
        let look = Look {
            model: model.clone(),
            dataset: Arc::clone(dataset),
            records: records.to_vec(),
        };
        let asked = Asked {
            looks: vec![look],
            ..Asked::default()
        };
        let mut scores = self.ask(asked).scores;
        scores.pop().expect("one look has one answer")
    }

    /// Whatever else can be made with an evaluator, for this federation alone.
    pub fn evaluate<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Evaluator) -> T + Send + 'static,
    ) -> T {
        let (sender, receiver) = mpsc::channel();
        let work = move |evaluator: &mut Evaluator| {
            // Whoever asked waits for it.
            let _ = sender.send(work(evaluator));
        };
        self.ask(Asked {
            others: vec![Box::new(work)],
            ..Asked::default()
        });
        receiver.recv().expect("what was asked has been done")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_federations_as_have_their_updates_in_memory() {
        assert_eq!(at_a_time(7850, 10), MOST);
        // 357 updates of a million parameters fit into 4 GiB.
        assert_eq!(at_a_time(1_000_000, 10), 35);
        assert_eq!(at_a_time(1_000_000, 1000), 1);
        assert_eq!(at_a_time(0, 0), MOST);
    }
}
