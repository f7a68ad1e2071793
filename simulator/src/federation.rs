//! The whole federation in this process, on virtual time.
//!
//! Coordinator and silos exchange the same frames as over a real network. Training goes out of the state
//! machines as tasks; the tasks of a cohort are gathered and trained together, one silo a core, and their
//! results go back in the order of silo ids, so that neither the number of threads nor who is done first
//! can change a byte.

use crate::driver::{self, Driver, Progressed, Start};
use crate::exit::Failure;
use crate::progress::Progress;
use clients::{LocalTrainer, Silo, SiloCheckpoint, SiloEvent, SiloPlan, TrainError, TrainingTask};
use primitives::{Digest, SiloId};
use protocol::{
    CodecError, Compression, Message, MessageReader, OpenGate, RoundGate, SiloUpdate,
    ToCoordinator, ToSilo, encode,
};
use rayon::prelude::*;
use scenarios::Resolved;
use server::{Checkpoint, ConfigError, Coordinator, CoordinatorEvent, PlanError, RestoreError};
use std::collections::BTreeMap;
use transport::{End, LinkError, LinkModel, MemoryNetwork};

/// A federation that runs in memory.
pub struct Federation {
    coordinator: Coordinator,
    silos: BTreeMap<SiloId, Silo>,
    trainers: BTreeMap<SiloId, Box<dyn LocalTrainer>>,
    network: MemoryNetwork,
    readers: BTreeMap<SiloId, Readers>,
    compression: Compression,
    refused: Option<String>,
}

/// What puts the messages of one link together, at its two ends.
struct Readers {
    coordinator: MessageReader<ToCoordinator>,
    silo: MessageReader<ToSilo>,
}

/// Why a federation cannot be made or go on.
#[derive(Debug, thiserror::Error)]
pub enum FederationError {
    /// The aggregator's settings do not fit.
    #[error(transparent)]
    Aggregator(#[from] ConfigError),
    /// The plan's parts do not fit together.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The checkpoint is not of this run.
    #[error(transparent)]
    Checkpoint(#[from] RestoreError),
    /// A message cannot be carried.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A link is closed.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A silo could not train.
    #[error("{silo}: {error}")]
    Training {
        /// Which silo.
        silo: SiloId,
        /// Why.
        error: TrainError,
    },
    /// Nothing is under way and the run is not over.
    #[error(
        "the federation has come to a standstill: no message is under way and no silo is training"
    )]
    Standstill,
}

impl Federation {
    /// The federation of a resolved scenario: from its beginning, or after the round of `checkpoint`.
    ///
    /// # Errors
    /// If the plan's parts do not fit together, or the checkpoint is of another run.
    pub fn new(
        resolved: &Resolved,
        digest: Digest,
        gate: Box<dyn RoundGate>,
        trainers: BTreeMap<SiloId, Box<dyn LocalTrainer>>,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Self, FederationError> {
        let start = Start {
            digest,
            gate,
            checkpoint,
        };
        let coordinator = driver::coordinator(resolved, start)?;
        let parameters = resolved.plan.parameters;
        let silos: BTreeMap<SiloId, Silo> = resolved
            .schedule
            .releases()
            .into_iter()
            .map(|(silo, releases)| {
                // The coordinator has asked for the whole cohort; in one process a second filter in
                // every silo would only repeat its answer.
                (
                    silo,
                    Silo::restore(
                        SiloPlan {
                            silo,
                            digest,
                            releases,
                        },
                        Box::new(OpenGate),
                        SiloCheckpoint::default(),
                    ),
                )
            })
            .collect();
        let network = MemoryNetwork::new(LinkModel::default(), resolved.world.seed);
        let readers = |&silo: &SiloId| {
            let readers = Readers {
                coordinator: MessageReader::new(parameters),
                silo: MessageReader::new(parameters),
            };
            (silo, readers)
        };
        let mut federation = Self {
            coordinator,
            readers: silos.keys().map(readers).collect(),
            silos,
            trainers,
            network,
            compression: resolved.file.scenario.federation.compression,
            refused: None,
        };
        federation
            .silos
            .values_mut()
            .for_each(Silo::handle_connected);
        Ok(federation)
    }

    /// The coordinator between two rounds.
    pub fn checkpoint(&self) -> Checkpoint {
        self.coordinator.checkpoint()
    }

    /// Goes on until a round is finished or the run is over.
    ///
    /// # Errors
    /// If a silo cannot train, or a message cannot be carried.
    pub fn advance(&mut self) -> Result<Progressed, FederationError> {
        loop {
            while let Some(event) = self.coordinator.poll_event() {
                match event {
                    CoordinatorEvent::RoundFinished(outcome) => {
                        for silo in self.silos.values_mut() {
                            silo.handle_round_finished(outcome.round);
                        }
                        return Ok(Progressed::Round(Box::new(outcome)));
                    }
                    CoordinatorEvent::RoundRefused(refusal) => self.refused = Some(refusal.why),
                    CoordinatorEvent::Finished(reason) => {
                        return Ok(Progressed::Finished(reason, self.refused.take()));
                    }
                    other => tracing::debug!(?other, "coordinator"),
                }
            }
            self.send()?;
            if self.deliver()? {
                continue;
            }
            let tasks: Vec<TrainingTask> = self
                .silos
                .values_mut()
                .filter_map(Silo::poll_task)
                .collect();
            if tasks.is_empty() {
                return Err(FederationError::Standstill);
            }
            self.train(&tasks)?;
        }
    }

    /// Puts everything that is to be sent on its way.
    fn send(&mut self) -> Result<(), FederationError> {
        let mut queue = Outbox {
            network: &mut self.network,
            compression: self.compression,
        };
        while let Some(transmit) = self.coordinator.poll_transmit() {
            queue.send(transmit.to, End::Coordinator, transmit.message)?;
        }
        for (&id, silo) in &mut self.silos {
            while let Some(message) = silo.poll_transmit() {
                queue.send(id, End::Silo, message)?;
            }
        }
        Ok(())
    }

    /// Hands over the next frame, if one is under way.
    fn deliver(&mut self) -> Result<bool, FederationError> {
        let Some(delivery) = self.network.deliver() else {
            return Ok(false);
        };
        let Some(readers) = self.readers.get_mut(&delivery.silo) else {
            return Ok(true);
        };
        match delivery.to {
            End::Coordinator => {
                if let Some(message) = readers.coordinator.read(&delivery.frame)? {
                    self.coordinator.handle(delivery.at, delivery.silo, message);
                }
            }
            End::Silo => {
                let message = readers.silo.read(&delivery.frame)?;
                if let (Some(message), Some(silo)) = (message, self.silos.get_mut(&delivery.silo)) {
                    silo.handle(message);
                }
            }
        }
        Ok(true)
    }

    /// Trains a cohort, one silo a core.
    fn train(&mut self, tasks: &[TrainingTask]) -> Result<(), FederationError> {
        let asked: BTreeMap<SiloId, &TrainingTask> =
            tasks.iter().map(|task| (task.silo, task)).collect();
        let work: Vec<(&TrainingTask, &mut Box<dyn LocalTrainer>)> = self
            .trainers
            .iter_mut()
            .filter_map(|(silo, trainer)| Some((*asked.get(silo)?, trainer)))
            .collect();
        let results: Vec<Result<SiloUpdate, TrainError>> = work
            .into_par_iter()
            .map(|(task, trainer)| trainer.train(&task.task))
            .collect();
        for (task, result) in asked.values().zip(results) {
            let Some(silo) = self.silos.get_mut(&task.silo) else {
                continue;
            };
            silo.handle_trained(task.task.round, result);
            while let Some(event) = silo.poll_event() {
                if let SiloEvent::TrainingFailed { error, .. } = event {
                    return Err(FederationError::Training {
                        silo: task.silo,
                        error,
                    });
                }
            }
        }
        Ok(())
    }
}

impl Driver for Federation {
    fn checkpoint(&self) -> Checkpoint {
        Self::checkpoint(self)
    }

    fn advance(&mut self, _progress: &Progress) -> Result<Progressed, Failure> {
        Self::advance(self).map_err(Failure::run)
    }
}

/// The network, for messages instead of frames.
struct Outbox<'a> {
    network: &'a mut MemoryNetwork,
    compression: Compression,
}

impl Outbox<'_> {
    fn send(
        &mut self,
        silo: SiloId,
        from: End,
        message: impl Message,
    ) -> Result<(), FederationError> {
        for frame in encode(message, self.compression)? {
            self.network.send(silo, from, frame)?;
        }
        Ok(())
    }
}
