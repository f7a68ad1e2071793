//! What a schedule of faults is drawn from: a number.

use crate::common::{PARAMETERS, Toy, digest, release};
use accounting::{ClipNorm, LedgerEntry, Mechanism, NoiseMultiplier};
use primitives::{ModelVector, Role, Round, Seed, SiloId, Stream};
use protocol::{
    BudgetReached, Compression, MessageReader, OpenGate, Release, RoundGate, SiloUpdate,
    ToCoordinator, Weights, encode,
};
use rand::Rng;
use rand_chacha::ChaCha20Rng;
use secure_sum::{DistributedNoise, FixedPoint, SumCode, SumPlan};
use server::{
    Aggregator, ClippedNoisedSum, CohortLaw, Coordinator, CoordinatorPlan, FedAvg, LostQuorum,
    Parts, Patience, Sums, WeightedMean,
};
use siloscope_clients::{LocalTrainer, Silo, SiloCheckpoint, SiloPlan};
use std::time::Duration;
use transport::{LinkModel, Loss};

/// A planted error, which the checker must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    None,
    /// A silo that has lost its disk believes that it has spent nothing.
    SiloForgets,
    /// A silo that was started anew does not know that it has helped to take masks off.
    OpensAgain,
    /// The noise of a round that is trained again is new.
    FreshNoise,
    /// What a round that was given up has released is not charged.
    AbandonedUncharged,
    /// Silos whose update was not used are not charged.
    MissingUncharged,
    /// The next tasks leave before the checkpoint is on disk.
    SendsBeforeWriting,
}

/// What a silo that does not keep to the protocol sends instead of its update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Malice {
    NotANumber,
    Infinite,
    Huge,
    WrongShape,
    Unplanned,
    Weight,
    Impostor,
    WrongRound,
    Garbage,
    FloodOfGarbage,
    FloodOfJoins,
}

const COMPRESSION: [Compression; 6] = [
    Compression::None,
    Compression::Zstd,
    Compression::Fp16,
    Compression::Int8,
    Compression::Fp16Zstd,
    Compression::Int8Zstd,
];

const MALICE: [Malice; 11] = [
    Malice::NotANumber,
    Malice::Infinite,
    Malice::Huge,
    Malice::WrongShape,
    Malice::Unplanned,
    Malice::Weight,
    Malice::Impostor,
    Malice::WrongRound,
    Malice::Garbage,
    Malice::FloodOfGarbage,
    Malice::FloodOfJoins,
];

/// A small federation and how badly it is treated; all of it follows from the seed.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) seed: u64,
    pub(crate) silos: u32,
    pub(crate) cohort: u32,
    pub(crate) rounds: u32,
    /// Whether the coordinator adds the noise.
    pub(crate) central: bool,
    pub(crate) patience: Patience,
    pub(crate) link: LinkModel,
    pub(crate) compression: Compression,
    /// How updates are summed, where the coordinator sees sums only.
    pub(crate) sums: Option<SumPlan>,
    /// The most ledger entries that the gate admits.
    pub(crate) budget: usize,
    /// Faults at most.
    pub(crate) faults: u32,
    pub(crate) malice: Option<(SiloId, Malice)>,
    pub(crate) bug: Bug,
}

/// A number below `bound`.
pub(crate) fn below(rng: &mut ChaCha20Rng, bound: u32) -> u32 {
    ((u64::from(rng.next_u32()) * u64::from(bound)) >> 32) as u32
}

pub(crate) fn milliseconds(rng: &mut ChaCha20Rng, bound: u32) -> Duration {
    Duration::from_millis(below(rng, bound).into())
}

impl Case {
    pub(crate) fn draw(seed: u64, bug: Bug) -> Self {
        let mut rng = Seed::from_number(seed).stream(Stream::run(Role::Sweep));
        let rng = &mut rng;
        let silos = 2 + below(rng, 3);
        let cohort = 1 + below(rng, silos);
        let cohort = if below(rng, 2) == 0 { silos } else { cohort };
        let rounds = 1 + below(rng, 4);
        let lost_quorum = match below(rng, 3) {
            0 => LostQuorum::End,
            _ => LostQuorum::Repeat {
                at_most: 1 + below(rng, 3),
            },
        };
        let patience = Patience {
            deadline: Some(Duration::from_millis(1500)),
            quorum: 1 + below(rng, cohort),
            lost_quorum,
        };
        let link = LinkModel {
            latency_ms: below(rng, 150),
            jitter_ms: below(rng, 100),
            megabits_per_second: None,
            loss: Loss::try_new(f64::from(below(rng, 3)) / 10.0).unwrap(),
        };
        let whole = (cohort * rounds) as usize;
        let malice = (below(rng, 3) == 0).then(|| {
            let kind = MALICE[below(rng, MALICE.len() as u32) as usize];
            (SiloId(below(rng, silos)), kind)
        });
        let case = Self {
            seed,
            silos,
            cohort,
            rounds,
            central: below(rng, 4) == 0,
            patience,
            link,
            compression: Compression::None,
            sums: None,
            budget: if below(rng, 5) == 0 {
                whole * 3 / 4
            } else {
                whole
            },
            faults: below(rng, 9),
            malice,
            bug,
        };
        let compression = COMPRESSION[below(rng, COMPRESSION.len() as u32) as usize];
        let sums = below(rng, 2) == 0 && !case.central && case.cohort > 1;
        let case = Self {
            compression,
            ..case
        };
        if sums { case.summing(rng) } else { case }
    }

    /// The same federation, whose coordinator sees sums only.
    fn summing(self, rng: &mut ChaCha20Rng) -> Self {
        let cohort = self.cohort;
        let majority = (cohort / 2 + 1).max(2);
        let threshold = majority + below(rng, cohort - majority + 1);
        let threshold = (below(rng, 4) > 0).then_some(threshold);
        let code = if below(rng, 2) == 0 {
            SumCode::Plain(FixedPoint::try_new(16.0, cohort).unwrap())
        } else {
            let shares = 1 + below(rng, cohort);
            SumCode::Noised(DistributedNoise::try_new(1.0, 0.5, cohort, shares).unwrap())
        };
        let plan = SumPlan {
            code,
            cohort,
            threshold,
        };
        let patience = Patience {
            quorum: self.patience.quorum.max(plan.fewest()),
            ..self.patience
        };
        Self {
            sums: Some(plan),
            patience,
            ..self
        }
    }

    /// A silo's machine with what it has kept. Its masks are made from what no other process knows: `life` says which.
    pub(crate) fn machine(&self, silo: SiloId, kept: Option<SiloCheckpoint>, life: u32) -> Silo {
        let plan = self.silo_plan(silo);
        let machine = match kept {
            Some(kept) => Silo::restore(plan, Box::new(OpenGate), kept),
            None => Silo::new(plan, Box::new(OpenGate)),
        };
        let masks = self.seed().child(Role::Masks, life.into());
        match self.sums {
            Some(sums) => machine.with_sums(sums, self.seed(), masks),
            None => machine,
        }
    }

    /// A coordinator that sees what it may.
    pub(crate) fn seeing(&self, coordinator: Coordinator) -> Coordinator {
        let mechanism = None;
        match self.sums {
            Some(plan) => coordinator.with_sums(Sums { plan, mechanism }).unwrap(),
            None => coordinator,
        }
    }

    /// Whether summands are masked.
    pub(crate) fn is_masked(&self) -> bool {
        self.sums.is_some_and(|plan| plan.threshold.is_some())
    }

    /// An update as it arrives: rounded, if that is how updates travel.
    pub(crate) fn arrived(&self, update: SiloUpdate) -> SiloUpdate {
        let mut reader = MessageReader::new(PARAMETERS as u64);
        let frames = encode(ToCoordinator::Update(update), self.compression).unwrap();
        let read = frames.filter_map(|frame| reader.read(&frame).unwrap());
        match read.last() {
            Some(ToCoordinator::Update(update)) => update,
            other => panic!("{other:?}"),
        }
    }

    /// The same federation, treated well.
    pub(crate) fn undisturbed(&self) -> Self {
        Self {
            faults: 0,
            malice: None,
            link: LinkModel::default(),
            bug: Bug::None,
            ..self.clone()
        }
    }

    pub(crate) fn seed(&self) -> Seed {
        Seed::from_number(self.seed)
    }

    pub(crate) fn roster(&self) -> impl Iterator<Item = SiloId> + use<> {
        (0..self.silos).map(SiloId)
    }

    pub(crate) fn is_honest(&self, silo: SiloId) -> bool {
        self.malice.is_none_or(|(malicious, _)| malicious != silo)
    }

    /// What one update of a silo releases.
    pub(crate) fn releases(&self) -> Vec<Release> {
        if self.central {
            Vec::new()
        } else {
            vec![release()]
        }
    }

    pub(crate) fn central_noise() -> NoiseMultiplier {
        NoiseMultiplier::try_new(2.0).unwrap()
    }

    pub(crate) fn central_mechanism() -> Mechanism {
        Mechanism::SiloNoise {
            noise_multiplier: Self::central_noise(),
        }
    }

    pub(crate) fn cohorts(&self) -> CohortLaw {
        CohortLaw::try_new(self.roster().collect(), self.cohort, self.seed()).unwrap()
    }

    pub(crate) fn plan(&self) -> CoordinatorPlan {
        CoordinatorPlan {
            digest: digest(),
            rounds: self.rounds,
            cohorts: self.cohorts(),
            releases: self.roster().map(|silo| (silo, self.releases())).collect(),
            weights: Weights::Uniform,
            protected: true,
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

    pub(crate) fn aggregator(&self) -> Box<dyn Aggregator> {
        if self.central {
            let clip = ClipNorm::try_new(1.0).unwrap();
            let cohort = self.cohort as usize;
            Box::new(ClippedNoisedSum::new(
                clip,
                Self::central_noise(),
                cohort,
                self.seed(),
            ))
        } else {
            Box::new(WeightedMean)
        }
    }

    pub(crate) fn strategy() -> FedAvg {
        FedAvg::new(1.0)
    }

    /// What the coordinator computes with, once its ledger has `spent` entries.
    pub(crate) fn parts(&self, spent: usize) -> Parts {
        Parts {
            strategy: Box::new(Self::strategy()),
            aggregator: self.aggregator(),
            gate: Box::new(UpTo {
                left: self.budget.saturating_sub(spent),
            }),
        }
    }

    pub(crate) fn trainer(&self, silo: SiloId) -> Box<dyn LocalTrainer> {
        Box::new(Toy {
            silo,
            noise: 0.5,
            weights: Weights::Uniform,
            releases: self.releases(),
        })
    }

    pub(crate) fn initial() -> ModelVector {
        ModelVector::zeros(PARAMETERS)
    }
}

/// Admits so many entries.
#[derive(Debug)]
struct UpTo {
    left: usize,
}

impl RoundGate for UpTo {
    fn admit(&mut self, round: Round, entries: &[LedgerEntry]) -> Result<(), BudgetReached> {
        match self.left.checked_sub(entries.len()) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(BudgetReached {
                round,
                why: "enough entries".to_owned(),
            }),
        }
    }
}
