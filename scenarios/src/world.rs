//! Whose records lie where: what a scenario's data turns into.

use crate::diagnosis::{Fault, ScenarioError};
use crate::file::ScenarioFile;
use crate::privacy::Protection;
use accounting::NoiseMultiplier;
use data::{AdversaryRecords, Dataset, LabelKind, Partition, PartitionConfig, Pools};
use primitives::{Digest, Role, Seed, SiloId, Stream, SubjectId};
use std::sync::Arc;
use training::architecture::ImageShape;
use training::{Architecture, InputShape, LocalPlan, LocalWork};

/// The largest model: each silo in training and each round on disk takes several times four bytes a parameter.
const MOST_PARAMETERS: usize = 1 << 30;

/// The data of a scenario, its people in their pools, its records in their silos, and the model that reads them.
#[derive(Clone, Debug)]
pub struct World {
    /// The key of all randomness.
    pub seed: Seed,
    /// All records.
    pub dataset: Arc<Dataset>,
    /// Members, non-members, population.
    pub pools: Pools,
    /// Which training record lies in which silo.
    pub partition: Partition,
    /// What the adversary holds of every evaluated subject.
    pub adversary: AdversaryRecords,
    /// The model.
    pub architecture: Architecture,
    /// What tells the list of members from another, if there is one.
    pub enrolment: Option<Digest>,
    /// Whether records lie in the silos that the data names.
    natural: bool,
}

impl World {
    /// Loads or generates the data and deals it out.
    ///
    /// # Errors
    /// If the data cannot be read, or does not fill what the scenario asks for.
    pub fn build(file: &ScenarioFile) -> Result<Self, ScenarioError> {
        let scenario = &file.scenario;
        let fail = |field: &'static str| {
            move |error: &dyn std::fmt::Display| {
                file.error(vec![Fault::new(field, error.to_string())])
            }
        };
        let seed = Seed::from_number(scenario.seed);
        let dataset = scenario
            .data
            .load(&file.folder, &seed)
            .map_err(|e| fail("data.source")(&e))?;
        let enrolment = match &scenario.data.membership {
            Some(config) => {
                let enrolment = config.read(&file.folder, &dataset);
                Some(enrolment.map_err(|e| fail("data.membership")(&e))?)
            }
            None => None,
        };
        let pools = match &enrolment {
            Some(enrolment) => Pools::listed(&dataset, &scenario.data, enrolment, &seed),
            None => Pools::draw(&dataset, &scenario.data, &seed),
        };
        let pools = pools.map_err(|e| fail("data")(&e))?;
        let partition = Self::partition(file, &dataset, &pools, &seed)?;
        let per_subject = scenario.data.records_per_adversary.get() as usize;
        let adversary = AdversaryRecords::draw(&pools, per_subject, &seed);
        let input = input_shape(&dataset);
        let architecture = match dataset.label_kind() {
            LabelKind::Classes(classes) => scenario.model.architecture(input, classes),
            LabelKind::Targets => scenario.model.regressor(input),
        };
        let architecture = architecture.map_err(|e| fail("model")(&e))?;
        let parameters = architecture.parameters();
        if parameters > MOST_PARAMETERS {
            let message = format!(
                "{} has {parameters} parameters; allowed is at most {MOST_PARAMETERS}: choose a smaller model",
                scenario.model.name()
            );
            return Err(file.error(vec![Fault::new("model", message)]));
        }
        let natural = scenario.federation.partition == PartitionConfig::Natural {};
        let dataset = Arc::new(dataset);
        Ok(Self {
            seed,
            dataset,
            pools,
            partition,
            adversary,
            architecture,
            enrolment: enrolment.map(|enrolment| enrolment.digest()),
            natural,
        })
    }

    /// Deals the members' records out to the silos.
    pub(crate) fn partition(
        file: &ScenarioFile,
        dataset: &Dataset,
        pools: &Pools,
        seed: &Seed,
    ) -> Result<Partition, ScenarioError> {
        let federation = &file.scenario.federation;
        federation
            .partition
            .partitioner(federation.spread)
            .and_then(|partitioner| {
                let mut rng = seed.stream(Stream::run(Role::Partition));
                partitioner.partition(dataset, &pools.training(), federation.silos, &mut rng)
            })
            .map_err(|error| file.error(vec![Fault::new("federation", error.to_string())]))
    }

    /// The same people and records with exactly `members` in the federation.
    pub(crate) fn with_members(
        &self,
        file: &ScenarioFile,
        members: &[SubjectId],
        seed: Seed,
    ) -> Result<Self, ScenarioError> {
        let pools = self
            .pools
            .with_members(members)
            .map_err(|error| file.error(vec![Fault::new("data", error.to_string())]))?;
        let partition = Self::partition(file, &self.dataset, &pools, &seed)?;
        Ok(Self {
            seed,
            pools,
            partition,
            ..self.clone()
        })
    }

    /// What every silo will do in a round, with this much noise.
    ///
    /// # Errors
    /// If the training table does not go with the protection.
    pub fn local_plans(
        &self,
        file: &ScenarioFile,
        noise_multiplier: Option<NoiseMultiplier>,
    ) -> Result<Vec<LocalPlan>, ScenarioError> {
        let protection = local_protection(file.scenario.privacy.protection, noise_multiplier);
        let mut config = file.scenario.training;
        if let Some(steps) = file.scenario.federation.strategy.local_steps() {
            config.work = LocalWork::Steps(steps);
        }
        self.partition
            .silos()
            .map(|silo| {
                let records = self.partition.records(silo);
                let plan = LocalPlan::try_new(
                    &config,
                    protection,
                    &self.dataset,
                    records,
                    silo,
                    &self.seed,
                )?;
                Ok(match file.scenario.privacy.adaptive_clip {
                    Some(adaptive) => plan.with_adaptive_clip(adaptive),
                    None => plan,
                })
            })
            .collect::<Result<_, training::PlanError>>()
            .map_err(|error| file.error(vec![Fault::new("training", error.to_string())]))
    }

    /// A silo's name: the data's own where records lie in their natural silos.
    pub fn silo_name(&self, silo: SiloId) -> String {
        self.dataset
            .natural_silos()
            .filter(|_| self.natural)
            .map_or_else(
                || silo.to_string(),
                |natural| natural.names[silo.index()].clone(),
            )
    }
}

/// What the silos do in a local step; with noise for whole silos that is nothing.
fn local_protection(
    protection: Protection,
    noise_multiplier: Option<NoiseMultiplier>,
) -> training::Protection {
    use training::Protection as Local;
    let Some(noise_multiplier) = noise_multiplier else {
        return Local::None;
    };
    match protection {
        Protection::None | Protection::SiloNoise { .. } | Protection::DistributedNoise { .. } => {
            Local::None
        }
        Protection::Record { clip_norm } => Local::Record {
            clip_norm,
            noise_multiplier,
        },
        Protection::Group {
            clip_norm,
            group_size,
        } => Local::Group {
            clip_norm,
            noise_multiplier,
            group_size,
        },
        Protection::AveragedGradient { clip_norm } => Local::AveragedGradient {
            clip_norm,
            noise_multiplier,
        },
        Protection::SubjectSampling {
            clip_norm,
            records_per_subject,
        } => Local::SubjectSampling {
            clip_norm,
            noise_multiplier,
            records_per_subject,
        },
    }
}

/// What a network reads of such records.
fn input_shape(dataset: &Dataset) -> InputShape {
    match (dataset.shape(), dataset.features()) {
        (_, data::Features::Tokens(_)) => {
            // The class of a window is its next character: classes and vocabulary are the same.
            InputShape::Tokens {
                length: dataset.width(),
                vocabulary: dataset.classes().len(),
            }
        }
        (&[channels, height, width], _) => InputShape::Image(ImageShape {
            height,
            width,
            channels,
        }),
        _ => InputShape::Features(dataset.width()),
    }
}
