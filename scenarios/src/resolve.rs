//! From a scenario to a plan: data dealt out, noise found, everything decided.

use crate::calibration;
use crate::device;
use crate::diagnosis::{Fault, ScenarioError};
use crate::file::ScenarioFile;
use crate::plan::{DataSummary, PLAN_FORMAT, Plan, SiloSummary};
use crate::privacy::Noise;
use crate::schedule::Schedule;
use crate::world::World;
use attacks::{AttackConfig, SignalKind};
use data::{Features, LabelKind};
use secure_sum::SumPlan;
use std::path::Path;
use training::{Batches, Device};

/// A scenario, its data and its plan: all that a run needs.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// As it was written, with the device that this process computes on.
    pub file: ScenarioFile,
    /// Whose records lie where.
    pub world: World,
    /// Who releases what in which round.
    pub schedule: Schedule,
    /// How a round's updates are summed, where the coordinator sees sums only.
    pub sums: Option<SumPlan>,
    /// What the run folder records.
    pub plan: Plan,
}

impl Resolved {
    /// Loads the data, deals it out, and finds the noise that the budget needs.
    ///
    /// # Errors
    /// If this machine does not have the scenario's device, the data does not go with the scenario, or no noise meets the
    /// budget.
    pub fn new(file: ScenarioFile) -> Result<Self, ScenarioError> {
        device::check(&file)?;
        Self::decide(file)
    }

    /// The same for a machine that computes on a device of its own, whatever the scenario's is: the plan, and with it the
    /// digest, is the scenario's.
    ///
    /// # Errors
    /// As [`Resolved::new`], about that device.
    pub fn computed_on(mut file: ScenarioFile, device: Device) -> Result<Self, ScenarioError> {
        let written = file.scenario.training.device;
        let device = device.here();
        file.scenario.training.device = device;
        device::check(&file)?;
        file.scenario.training.device = written;
        let mut resolved = Self::decide(file)?;
        resolved.file.scenario.training.device = device;
        Ok(resolved)
    }

    fn decide(file: ScenarioFile) -> Result<Self, ScenarioError> {
        let world = World::build(&file)?;
        check_delta(&file, &world)?;
        check_adversary(&file, &world)?;
        check_labels(&file, &world)?;
        let noise_multiplier = match file.scenario.privacy.noise {
            None => None,
            Some(
                Noise::Multiplier {
                    noise_multiplier, ..
                }
                | Noise::Capped {
                    noise_multiplier, ..
                },
            ) => Some(noise_multiplier),
            Some(Noise::Budget(budget)) => Some(calibration::noise_for(&file, &world, budget)?),
        };
        let schedule = Schedule::new(&file, &world, noise_multiplier)?;
        let sums = crate::sight::sum_plan(&file.scenario, noise_multiplier)
            .map_err(|fault| file.error(vec![fault]))?;
        let plan = Plan {
            format: PLAN_FORMAT,
            siloscope: env!("CARGO_PKG_VERSION").to_owned(),
            scenario: file.scenario.clone(),
            data: data(&world, &file.folder),
            parameters: world.architecture.parameters() as u64,
            silos: silos(&world, &schedule),
            noise_multiplier,
        };
        Ok(Self {
            file,
            world,
            schedule,
            sums,
            plan,
        })
    }

    /// The same run, attacked as `file` says: a scenario that differs from this one in `[adversary]`, `[[attacks]]`
    /// and `[gates]` alone ([`ScenarioFile::attacked_with`]).
    ///
    /// # Errors
    /// If too few subjects remain to be attacked. Nothing is changed then.
    pub fn attack_with(&mut self, file: ScenarioFile) -> Result<(), ScenarioError> {
        check_adversary(&file, &self.world)?;
        check_labels(&file, &self.world)?;
        let scenario = &mut self.plan.scenario;
        scenario.adversary = file.scenario.adversary.clone();
        scenario.attacks.clone_from(&file.scenario.attacks);
        scenario.gates = file.scenario.gates.clone();
        self.file = file;
        Ok(())
    }
}

/// Thresholds are chosen on known subjects, and at least two members and two non-members must remain.
fn check_adversary(file: &ScenarioFile, world: &World) -> Result<(), ScenarioError> {
    let scenario = &file.scenario;
    if let Features::Tokens(_) = world.dataset.features() {
        let perturbs = |config: &AttackConfig| {
            let attacks = config.attacks(world.seed);
            let kind = SignalKind::NeighbourhoodLoss;
            attacks
                .iter()
                .any(|attack| attack.needs().signals.contains(&kind))
        };
        if let Some(i) = scenario.attacks.iter().position(perturbs) {
            let message = format!(
                "loss-across-neighbourhood adds noise to continuous features, and the records of {} are text: leave \
                 it out",
                world.dataset.name()
            );
            return Err(file.error(vec![Fault::new(format!("attacks[{i}]"), message)]));
        }
    }
    let known = u64::from(scenario.adversary.known_subjects);
    let (members, others) = (world.pools.members().len(), world.pools.non_members().len());
    let fewer = members.min(others) as u64;
    if scenario.attacks.is_empty() || known + 2 <= fewer {
        return Ok(());
    }
    let (field, remedy) = if fewer < 2 {
        let field = "data.member_fraction";
        (field, "an attack needs at least 2 of each: change the fraction, bring more subjects, or remove the attacks".to_owned())
    } else {
        let remedy = format!(
            "an attack needs at least 2 of each beside the known ones: give at most {}, or more subjects",
            fewer - 2
        );
        ("adversary.known_subjects", remedy)
    };
    let message = format!(
        "{known} known subjects of each kind out of {members} members and {others} non-members; {remedy}"
    );
    Err(file.error(vec![Fault::new(field, message)]))
}

/// Attacks and gates that have a meaning for classes alone, or for numbers alone.
fn check_labels(file: &ScenarioFile, world: &World) -> Result<(), ScenarioError> {
    let (scenario, data) = (&file.scenario, world.dataset.name());
    let mut faults = Vec::new();
    let mut refuse = |field: String, message: String| faults.push(Fault::new(field, message));
    if world.dataset.label_kind() == LabelKind::Targets {
        let ratio_of_probabilities =
            |config: &AttackConfig| matches!(config, AttackConfig::Rmia(_));
        if let Some(i) = scenario.attacks.iter().position(ratio_of_probabilities) {
            let message = format!(
                "rmia compares the probabilities of classes, and {data} has numbers to predict: leave it out, or use lira"
            );
            refuse(format!("attacks[{i}]"), message);
        }
        if scenario.gates.min_accuracy.is_some() {
            let message = format!(
                "{data} has numbers to predict, which are not right or wrong: use min_r_squared"
            );
            refuse("gates.min_accuracy".to_owned(), message);
        }
    } else if scenario.gates.min_r_squared.is_some() {
        let message = format!("{data} has classes to predict: use min_accuracy");
        refuse("gates.min_r_squared".to_owned(), message);
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(file.error(faults))
    }
}

/// A mechanism that publishes one of the subjects whole has δ = 1/subjects: no δ may be as large.
fn check_delta(file: &ScenarioFile, world: &World) -> Result<(), ScenarioError> {
    let privacy = &file.scenario.privacy;
    let members = world.pools.members().len();
    let delta = privacy.delta().get();
    if !privacy.protection.is_on() || delta * (members as f64) < 1.0 {
        return Ok(());
    }
    let field = if privacy.budget().is_some() {
        "privacy.budget"
    } else {
        "privacy.delta"
    };
    let message = format!(
        "delta = {delta} is not below 1/{members} subjects: a mechanism that publishes one of them whole would \
         pass; give delta below {:.1e}",
        0.1 / members as f64
    );
    Err(file.error(vec![Fault::new(field, message)]))
}

fn data(world: &World, folder: &Path) -> DataSummary {
    let name = world.dataset.name();
    // A file is named as it is written: a resumed run reaches the same folder by another path.
    let as_written = Path::new(name).strip_prefix(folder).ok();
    DataSummary {
        name: as_written.map_or_else(|| name.to_owned(), |path| path.display().to_string()),
        digest: world.dataset.digest(),
        membership: world.enrolment,
        records: world.dataset.len() as u64,
        subjects: world.dataset.subject_names().len() as u64,
        members: world.pools.members().len() as u64,
        non_members: world.pools.non_members().len() as u64,
        population: world.pools.population().len() as u64,
        features: world.dataset.width() as u64,
        classes: world.dataset.classes().len() as u64,
    }
}

/// What every silo holds and does.
pub(crate) fn silos(world: &World, schedule: &Schedule) -> Vec<SiloSummary> {
    schedule
        .locals
        .iter()
        .map(|local| SiloSummary {
            name: world.silo_name(local.silo()),
            subjects: local.subject_records().count() as u64,
            records: local.records().len() as u64,
            most_records_of_a_subject: local
                .subject_records()
                .map(|(_, records)| records)
                .max()
                .unwrap_or(0),
            steps: local.steps(),
            batch: match local.batches() {
                Batches::Poisson(_) => local.expected_batch().unwrap_or(0.0),
                Batches::Shuffled(size) => size as f64,
            },
        })
        .collect()
}
