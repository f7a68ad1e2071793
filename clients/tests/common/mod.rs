//! A whole federation on virtual time: both state machines, a network between them, and toy trainers.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]
#![allow(dead_code, reason = "not every test file uses every helper")]

use accounting::{Mechanism, NoiseMultiplier, SamplingRate};
use primitives::{Digest, ModelVector, Role, Round, Seed, SiloId, Stream, noise};
use protocol::{
    Compression, Message, MessageReader, OpenGate, Release, SiloUpdate, Task, ToCoordinator,
    ToSilo, UpdateMetrics, Weights, encode,
};
use secure_sum::SumPlan;
use server::{
    CohortLaw, Coordinator, CoordinatorEvent, CoordinatorPlan, FedAvg, Parts, Patience,
    RoundOutcome, Sums, WeightedMean,
};
use siloscope_clients::{LocalTrainer, Silo, SiloEvent, SiloPlan, TrainError};
use std::collections::BTreeMap;
use transport::{Delivery, End, LinkModel, MemoryNetwork};

pub(crate) const SILOS: u32 = 5;
pub(crate) const COHORT: u32 = 3;
pub(crate) const ROUNDS: u32 = 6;
pub(crate) const PARAMETERS: usize = 17;
pub(crate) const LOCAL_STEPS: u32 = 4;
pub(crate) const LEARNING_RATE: f64 = 0.25;

pub(crate) fn seed() -> Seed {
    Seed::from_number(2024)
}

pub(crate) fn digest() -> Digest {
    Digest::of(b"a federation of toys")
}

/// What a toy trainer says it has done.
pub(crate) fn release() -> Release {
    let mechanism = Mechanism::AveragedGradient {
        sampling_rate: SamplingRate::try_new(0.25).unwrap(),
        noise_multiplier: NoiseMultiplier::try_new(1.5).unwrap(),
    };
    Release {
        mechanism,
        steps: LOCAL_STEPS.into(),
    }
}

/// Descends `‖w − target‖² / 2`, and adds noise of its silo and round.
pub(crate) struct Toy {
    pub(crate) silo: SiloId,
    pub(crate) noise: f64,
    /// Whether it tells its records and is weighted by them, or is protected.
    pub(crate) weights: Weights,
    /// What it says it has done.
    pub(crate) releases: Vec<Release>,
}

impl Toy {
    pub(crate) fn target(silo: SiloId) -> Vec<f64> {
        (0..PARAMETERS)
            .map(|i| f64::from(silo.0) - i as f64 / 4.0)
            .collect()
    }

    pub(crate) fn records(silo: SiloId) -> u64 {
        10 + 7 * u64::from(silo.0)
    }
}

impl LocalTrainer for Toy {
    fn train(&mut self, task: &Task) -> Result<SiloUpdate, TrainError> {
        let target = Self::target(self.silo);
        let mut delta = vec![0.0_f32; task.model.len()];
        let stream = Stream::silo(Role::Noise, self.silo, task.round);
        noise::add(&mut seed().stream(stream), self.noise, &mut delta);
        for ((delta, &start), target) in delta.iter_mut().zip(task.model.as_slice()).zip(target) {
            let mut w = f64::from(start);
            for _ in 0..LOCAL_STEPS {
                w -= LEARNING_RATE * (w - target);
            }
            *delta += (w - f64::from(start)) as f32;
        }
        let records = Self::records(self.silo);
        let metrics = match self.weights {
            Weights::Uniform => UpdateMetrics::Withheld,
            Weights::Records => UpdateMetrics::Open {
                records,
                mean_loss: None,
            },
        };
        Ok(SiloUpdate {
            round: task.round,
            silo: self.silo,
            delta: delta.into(),
            weight: self.weights.of(records),
            clip_norm: None,
            releases: self.releases.clone(),
            metrics,
        })
    }
}

/// How a test federation is set up.
#[derive(Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) link: LinkModel,
    pub(crate) network_seed: u64,
    /// Whether every message is sent twice.
    pub(crate) twice: bool,
    /// How updates travel.
    pub(crate) compression: Compression,
    /// How updates are summed, where the coordinator sees sums only.
    pub(crate) sums: Option<SumPlan>,
    pub(crate) weights: Weights,
    pub(crate) noise: f64,
    pub(crate) patience: Patience,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            link: LinkModel::default(),
            network_seed: 0,
            twice: false,
            compression: Compression::None,
            sums: None,
            weights: Weights::Uniform,
            noise: 0.5,
            patience: Patience::endless(COHORT),
        }
    }
}

impl Setting {
    pub(crate) fn releases(&self) -> Vec<Release> {
        match self.weights {
            Weights::Uniform => vec![release()],
            Weights::Records => Vec::new(),
        }
    }

    pub(crate) fn coordinator_plan(&self) -> CoordinatorPlan {
        let roster = (0..SILOS).map(SiloId);
        CoordinatorPlan {
            digest: digest(),
            rounds: ROUNDS,
            cohorts: CohortLaw::try_new(roster.clone().collect(), COHORT, seed()).unwrap(),
            releases: roster.map(|silo| (silo, self.releases())).collect(),
            weights: self.weights,
            protected: self.weights == Weights::Uniform,
            max_update_norm: None,
            keep_deltas: true,
            clip_norm: None,
            patience: self.patience,
        }
    }

    pub(crate) fn silo_plan(&self, silo: SiloId) -> SiloPlan {
        SiloPlan {
            silo,
            digest: digest(),
            releases: self.releases(),
        }
    }

    pub(crate) fn trainer(&self, silo: SiloId) -> Box<dyn LocalTrainer> {
        Box::new(Toy {
            silo,
            noise: self.noise,
            weights: self.weights,
            releases: self.releases(),
        })
    }
}

pub(crate) fn parts() -> Parts {
    Parts {
        strategy: Box::new(FedAvg::new(1.0)),
        aggregator: Box::new(WeightedMean),
        gate: Box::new(OpenGate),
    }
}

fn readers<'a, M: Message>(
    silos: impl Iterator<Item = &'a SiloId>,
) -> BTreeMap<SiloId, MessageReader<M>> {
    silos
        .map(|&silo| (silo, MessageReader::new(PARAMETERS as u64)))
        .collect()
}

/// What becomes of a silo's message on its way.
pub(crate) type Fate = Box<dyn Fn(SiloId, ToCoordinator) -> Option<ToCoordinator>>;

/// The driver: everything that the state machines do without.
pub(crate) struct Federation {
    pub(crate) coordinator: Coordinator,
    pub(crate) silos: BTreeMap<SiloId, Silo>,
    pub(crate) trainers: BTreeMap<SiloId, Box<dyn LocalTrainer>>,
    pub(crate) network: MemoryNetwork,
    pub(crate) twice: bool,
    pub(crate) compression: Compression,
    pub(crate) up: BTreeMap<SiloId, MessageReader<ToCoordinator>>,
    pub(crate) down: BTreeMap<SiloId, MessageReader<ToSilo>>,
    /// What becomes of a silo's message on its way; nothing, if it is lost.
    pub(crate) fate: Fate,
    pub(crate) events: Vec<CoordinatorEvent>,
    pub(crate) silo_events: Vec<(SiloId, SiloEvent)>,
}

impl Federation {
    pub(crate) fn new(setting: &Setting) -> Self {
        let initial = ModelVector::zeros(PARAMETERS);
        let mut coordinator =
            Coordinator::new(setting.coordinator_plan(), parts(), initial).unwrap();
        if let Some(plan) = setting.sums {
            let mechanism = None;
            coordinator = coordinator.with_sums(Sums { plan, mechanism }).unwrap();
        }
        let silo = |silo| {
            let machine = Silo::new(setting.silo_plan(silo), Box::new(OpenGate));
            match setting.sums {
                Some(plan) => (silo, machine.with_sums(plan, seed(), seed())),
                None => (silo, machine),
            }
        };
        Self::with(
            setting,
            coordinator,
            (0..SILOS).map(SiloId).map(silo).collect(),
        )
    }

    pub(crate) fn with(
        setting: &Setting,
        coordinator: Coordinator,
        silos: BTreeMap<SiloId, Silo>,
    ) -> Self {
        let network_seed = Seed::from_number(setting.network_seed);
        Self {
            coordinator,
            trainers: silos
                .keys()
                .map(|&silo| (silo, setting.trainer(silo)))
                .collect(),
            up: readers(silos.keys()),
            down: readers(silos.keys()),
            silos,
            network: MemoryNetwork::new(setting.link, network_seed),
            twice: setting.twice,
            compression: setting.compression,
            fate: Box::new(|_, message| Some(message)),
            events: Vec::new(),
            silo_events: Vec::new(),
        }
    }

    /// Everybody connects.
    pub(crate) fn start(&mut self) {
        self.silos.values_mut().for_each(Silo::handle_connected);
    }

    /// Runs until nothing is left to do, or until `stop` says so.
    pub(crate) fn run_until(&mut self, stop: impl Fn(&Self) -> bool) {
        self.start();
        while self.step() && !stop(self) {}
    }

    pub(crate) fn run(&mut self) {
        self.run_until(|_| false);
    }

    /// Does what comes next; says whether there was anything.
    pub(crate) fn step(&mut self) -> bool {
        self.send();
        let arrival = self.network.next_arrival();
        let timeout = self.coordinator.next_timeout();
        match (arrival, timeout) {
            (Some(arrival), timeout) if timeout.is_none_or(|timeout| arrival < timeout) => {
                let delivery = self.network.deliver().unwrap();
                self.receive(&delivery);
                true
            }
            (_, timeout) => {
                self.train()
                    || timeout.is_some_and(|timeout| {
                        self.network.advance_to(timeout);
                        self.coordinator.handle_timeout(timeout);
                        true
                    })
            }
        }
    }

    /// Everything that the state machines say goes into the network; a silo's events come first.
    fn send(&mut self) {
        let copies = if self.twice { 2 } else { 1 };
        self.events
            .extend(std::iter::from_fn(|| self.coordinator.poll_event()));
        while let Some(transmit) = self.coordinator.poll_transmit() {
            for _ in 0..copies {
                self.carry(transmit.to, End::Coordinator, transmit.message.clone());
            }
        }
        let silos: Vec<SiloId> = self.silos.keys().copied().collect();
        for silo in silos {
            let machine = self.silos.get_mut(&silo).unwrap();
            self.silo_events
                .extend(std::iter::from_fn(|| Some((silo, machine.poll_event()?))));
            let messages: Vec<_> = std::iter::from_fn(|| machine.poll_transmit()).collect();
            for message in messages {
                let Some(message) = (self.fate)(silo, message) else {
                    continue;
                };
                for _ in 0..copies {
                    self.carry(silo, End::Silo, message.clone());
                }
            }
        }
    }

    fn carry(&mut self, silo: SiloId, from: End, message: impl Message) {
        for frame in encode(message, self.compression).unwrap() {
            self.network.send(silo, from, frame).unwrap();
        }
    }

    /// Garbage costs a silo its connection: both begin anew, and so does the reader.
    fn receive(&mut self, delivery: &Delivery) {
        let (now, silo) = (self.network.now(), delivery.silo);
        match delivery.to {
            End::Coordinator => {
                let reader = self.up.get_mut(&silo).unwrap();
                match reader.read(&delivery.parcel) {
                    Ok(Some(message)) => self.coordinator.handle(now, silo, message),
                    Ok(None) => {}
                    Err(_) => {
                        *reader = MessageReader::new(PARAMETERS as u64);
                        self.coordinator.handle_malformed(now, silo);
                    }
                }
            }
            End::Silo => {
                let reader = self.down.get_mut(&silo).unwrap();
                if let Some(message) = reader.read(&delivery.parcel).unwrap() {
                    self.silos.get_mut(&silo).unwrap().handle(message);
                }
            }
        }
    }

    /// Trains everything that was asked for, and feeds the results back in the order of the silos.
    fn train(&mut self) -> bool {
        let tasks: Vec<_> = self
            .silos
            .values_mut()
            .filter_map(Silo::poll_task)
            .collect();
        for work in &tasks {
            let result = self.trainers.get_mut(&work.silo).unwrap().train(&work.task);
            self.silos
                .get_mut(&work.silo)
                .unwrap()
                .handle_trained(work.task.round, result);
        }
        !tasks.is_empty()
    }

    pub(crate) fn outcomes(&self) -> Vec<RoundOutcome> {
        let finished = |event: &CoordinatorEvent| match event {
            CoordinatorEvent::RoundFinished(outcome) => Some(outcome.clone()),
            _ => None,
        };
        self.events.iter().filter_map(finished).collect()
    }

    pub(crate) fn rounds_done(&self) -> Round {
        self.coordinator.state().round
    }
}
