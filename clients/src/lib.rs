//! The silo's state machine, its local trainers, ledger and filter.
//!
//! [`Silo`] is stepped like a value; it knows the protocol, its ledger and its budget, and no data.
//! A [`LocalTrainer`] knows data and no protocol. Between them goes a [`TrainingTask`] out and an
//! update back, so that a driver may train a whole cohort at once, on as many cores as it has.
//!
//! # A driver in memory
//!
//! All that the state machines do without is here: a network, its time, and the hands that train.
//!
//! ```
//! use primitives::{Digest, ModelVector, Seed, SiloId};
//! use protocol::{
//!     Compression, MessageReader, OpenGate, SiloUpdate, Task, UpdateMetrics, Weights, encode,
//! };
//! use server::{CohortLaw, Coordinator, CoordinatorPlan, FedAvg, Parts, Patience, WeightedMean};
//! use siloscope_clients::{LocalTrainer, Silo, SiloPlan, TrainError};
//! use std::collections::BTreeMap;
//! use transport::{End, LinkModel, MemoryNetwork};
//!
//! /// Walks half of the way to a point of its own.
//! struct Halfway(SiloId);
//!
//! impl LocalTrainer for Halfway {
//!     fn train(&mut self, task: &Task) -> Result<SiloUpdate, TrainError> {
//!         let to_target = |&w: &f32| (self.0.0 as f32 - w) / 2.0;
//!         let delta: Vec<f32> = task.model.as_slice().iter().map(to_target).collect();
//!         Ok(SiloUpdate {
//!             round: task.round,
//!             silo: self.0,
//!             delta: delta.into(),
//!             weight: 1.0,
//!             clip_norm: None,
//!             releases: Vec::new(),
//!             metrics: UpdateMetrics::Withheld,
//!         })
//!     }
//! }
//!
//! let (digest, seed) = (Digest::of(b"plan"), Seed::from_number(7));
//! let roster = || (0..4).map(SiloId);
//! let plan = CoordinatorPlan {
//!     digest,
//!     rounds: 20,
//!     cohorts: CohortLaw::try_new(roster().collect(), 4, seed)?,
//!     releases: roster().map(|silo| (silo, Vec::new())).collect(),
//!     weights: Weights::Uniform,
//!     protected: false,
//!     max_update_norm: None,
//!     keep_deltas: false,
//!     clip_norm: None,
//!     patience: Patience::endless(4),
//! };
//! let parts = Parts {
//!     strategy: Box::new(FedAvg::new(1.0)),
//!     aggregator: Box::new(WeightedMean),
//!     gate: Box::new(OpenGate),
//! };
//! let mut coordinator = Coordinator::new(plan, parts, ModelVector::zeros(2))?;
//! let silo_plan = |silo| SiloPlan { silo, digest, releases: Vec::new() };
//! let mut silos: BTreeMap<SiloId, Silo> =
//!     roster().map(|silo| (silo, Silo::new(silo_plan(silo), Box::new(OpenGate)))).collect();
//! let mut trainers: BTreeMap<SiloId, Halfway> =
//!     roster().map(|silo| (silo, Halfway(silo))).collect();
//! let mut network = MemoryNetwork::new(LinkModel::default(), seed);
//! let mut up: BTreeMap<SiloId, _> = roster().map(|silo| (silo, MessageReader::new(2))).collect();
//! let mut down: BTreeMap<SiloId, _> = roster().map(|silo| (silo, MessageReader::new(2))).collect();
//!
//! silos.values_mut().for_each(Silo::handle_connected);
//! loop {
//!     // 1. Events first: what has to be on disk is on disk before anything leaves.
//!     while let Some(_event) = coordinator.poll_event() {}
//!     while let Some(transmit) = coordinator.poll_transmit() {
//!         for frame in encode(transmit.message, Compression::None)? {
//!             network.send(transmit.to, End::Coordinator, frame)?;
//!         }
//!     }
//!     for (&silo, machine) in &mut silos {
//!         while let Some(_event) = machine.poll_event() {}
//!         while let Some(message) = machine.poll_transmit() {
//!             for frame in encode(message, Compression::None)? {
//!                 network.send(silo, End::Silo, frame)?;
//!             }
//!         }
//!     }
//!     // 2. Whatever arrives before the next deadline, one frame at a time.
//!     let (arrival, timeout) = (network.next_arrival(), coordinator.next_timeout());
//!     if arrival.is_some_and(|at| timeout.is_none_or(|timeout| at < timeout)) {
//!         let delivery = network.deliver().expect("a frame is under way");
//!         let (silo, frame) = (delivery.silo, &delivery.parcel);
//!         match delivery.to {
//!             End::Silo => {
//!                 let reader = down.get_mut(&silo).expect("a reader for each link");
//!                 if let Some(message) = reader.read(frame)? {
//!                     silos.get_mut(&silo).expect("a link for each silo").handle(message);
//!                 }
//!             }
//!             End::Coordinator => match up.get_mut(&silo).expect("a reader for each link").read(frame) {
//!                 Ok(Some(message)) => coordinator.handle(network.now(), silo, message),
//!                 Ok(None) => {}
//!                 Err(_) => coordinator.handle_malformed(network.now(), silo),
//!             },
//!         }
//!         continue;
//!     }
//!     // 3. Nothing is under way: train the whole cohort, in parallel if you like, and feed the
//!     //    results back in the order of the silos.
//!     let tasks: Vec<_> = silos.values_mut().filter_map(Silo::poll_task).collect();
//!     for work in &tasks {
//!         let trainer = trainers.get_mut(&work.silo).expect("a trainer for each silo");
//!         let result = trainer.train(&work.task);
//!         let silo = silos.get_mut(&work.silo).expect("it gave the task");
//!         silo.handle_trained(work.task.round, result);
//!     }
//!     // 4. Nothing to train either: let time pass until the deadline, or stop.
//!     match timeout {
//!         _ if !tasks.is_empty() => {}
//!         Some(timeout) => {
//!             network.advance_to(timeout);
//!             coordinator.handle_timeout(timeout);
//!         }
//!         None => break,
//!     }
//! }
//! // The mean of 0, 1, 2 and 3.
//! assert!((coordinator.state().model.as_slice()[0] - 1.5).abs() < 1e-5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod plan;
mod sgd_pool;
mod sgd_trainer;
mod silo;
mod trainer;

pub use plan::{SiloCheckpoint, SiloEvent, SiloPlan, TrainingTask};
pub use sgd_pool::SgdPool;
pub use sgd_trainer::{Audience, SgdTrainer, planned_releases};
pub use silo::Silo;
pub use trainer::{LocalTrainer, TrainError};
