//! What a run will cost, before anything is trained.

use crate::device;
use crate::exit::Failure;
use crate::observer::Observer;
use crate::shadow;
use crate::statement::{self, Losses};
use accounting::{Holdings, Odometer};
use primitives::{Role, Round, Stream};
use report::model::Epsilon;
use scenarios::Resolved;
use secure_sum::SumCode;
use serde::Serialize;
use std::fmt::Write as _;
use std::time::Instant;
use training::{Backend, Evaluator, LocalRound, LocalSgd};

/// Records that are scored to find out how long scoring takes.
const SCORED: usize = 512;

/// The forecast of a run.
#[derive(Debug, Serialize)]
pub struct Forecast {
    /// The scenario's name.
    pub name: String,
    /// Digest of the plan.
    pub plan: String,
    /// What computes, e.g. `cuda:0 (NVIDIA H200)`.
    pub device: String,
    /// Rounds.
    pub rounds: u32,
    /// Silos.
    pub silos: usize,
    /// Silos that take part in a round.
    pub cohort: usize,
    /// Members, whose records are trained on.
    pub members: u64,
    /// Training records.
    pub records: u64,
    /// Parameters of the model.
    pub parameters: u64,
    /// Local steps of all silos over all rounds.
    pub steps: u64,
    /// Deviation ÷ sensitivity of the noise, if there is any.
    pub noise_multiplier: Option<f64>,
    /// What the coordinator sees of a round.
    pub server_sees: String,
    /// The δ of every ε here.
    pub delta: f64,
    /// ε of the worst-off record if every round runs.
    pub epsilon_record: Epsilon,
    /// ε of the worst-off subject.
    pub epsilon_subject: Epsilon,
    /// ε of the worst-off silo.
    pub epsilon_silo: Epsilon,
    /// Why an ε is infinite, by unit.
    pub why_infinite: Vec<String>,
    /// Bytes of messages between coordinator and silos.
    pub bytes_sent: u64,
    /// Memory of the data and of one network a core or a stack of the cohort's width, roughly, in bytes.
    pub memory: u64,
    /// How long it will take on this machine now, roughly, in seconds. Measured, so it differs from call to call.
    /// Without the shadow federations.
    pub seconds: f64,
    /// What the shadow federations cost beside; none if no attack uses any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadows: Option<ShadowForecast>,
}

/// What shadow federations cost, once: they are kept for every attack on the same training.
#[derive(Debug, Serialize)]
pub struct ShadowForecast {
    /// How many.
    pub count: usize,
    /// Seconds for all of them on this machine, one on each core or many in a stack.
    pub seconds: f64,
    /// Bytes on disk.
    pub disk: u64,
    /// Bytes of memory while they are attacked with.
    pub memory: u64,
}

impl ShadowForecast {
    /// Scales up one local step and one record's score, in seconds of one lane.
    fn of(resolved: &Resolved, steps: u64, (step, score): (f64, f64)) -> Option<Self> {
        let count = shadow::wanted(resolved);
        if count == 0 {
            return None;
        }
        let observer = Observer::of_shadows(&resolved.world, &resolved.file.scenario);
        let records: usize = observer
            .regimes()
            .map(|(_, queries)| queries.records())
            .sum();
        let looks = f64::from(resolved.schedule.rounds + 1);
        let one = step * steps as f64 + score * observer.records() as f64 * looks;
        let turns = count.div_ceil(lanes(resolved));
        let values = records as u64 * u64::from(resolved.schedule.rounds + 1);
        let disk = count as u64 * values * 4 * observer.kinds().len() as u64;
        Some(Self {
            count,
            seconds: one * turns as f64,
            disk,
            // Every subject's means lie beside its records' values.
            memory: 2 * disk,
        })
    }
}

/// Forecasts a run; trains one silo, or a stack of the cohort's width, for one round and scores some records to see how fast
/// this machine is.
///
/// # Errors
/// If the model does not fit the data.
pub fn forecast(resolved: &Resolved) -> Result<Forecast, Failure> {
    let (plan, schedule, world) = (&resolved.plan, &resolved.schedule, &resolved.world);
    let delta = plan.scenario.privacy.delta();
    let mut odometer = Odometer::new(statement::accountant());
    for entry in schedule.ledger().entries() {
        odometer.append(entry.clone()).map_err(Failure::run)?;
    }
    let holdings = Holdings::new(schedule.holdings().into_values());
    let losses = Losses::read(&mut odometer, &holdings, delta);
    let cohort = schedule.cohorts.size();
    let rounds = schedule.rounds;
    let silos = schedule.locals.len();
    // Every silo takes part equally often in expectation.
    let all_steps: u64 = schedule
        .locals
        .iter()
        .map(|local| u64::from(local.steps()))
        .sum();
    let steps = all_steps * u64::from(rounds) * cohort as u64 / silos.max(1) as u64;
    let model_bytes = 4 * plan.parameters;
    let speed = speed(resolved)?;
    let seconds = seconds(resolved, steps, speed);
    let networks = width(resolved).max(lanes(resolved));
    let per_network = (world.dataset.width() * 4 * 2048) as u64 + 8 * model_bytes;
    Ok(Forecast {
        name: plan.scenario.name.clone(),
        plan: plan.digest().to_string(),
        device: device::named(&resolved.file.scenario.training),
        rounds,
        silos,
        cohort,
        members: plan.data.members,
        records: plan.silos.iter().map(|silo| silo.records).sum(),
        parameters: plan.parameters,
        steps,
        noise_multiplier: plan.noise_multiplier.map(accounting::NoiseMultiplier::get),
        server_sees: sight(resolved),
        delta: delta.get(),
        epsilon_record: statement::epsilon(&losses.record),
        epsilon_subject: statement::epsilon(&losses.subject),
        epsilon_silo: statement::epsilon(&losses.silo),
        why_infinite: [&losses.record, &losses.subject, &losses.silo]
            .into_iter()
            .filter_map(|loss| Some(format!("{}: {}", loss.unit, loss.why_infinite.as_ref()?)))
            .collect(),
        bytes_sent: (model_bytes + plan.scenario.federation.compression.bytes(plan.parameters))
            * cohort as u64
            * u64::from(rounds),
        memory: world.dataset.feature_bytes() as u64 + networks as u64 * per_network,
        seconds,
        shadows: ShadowForecast::of(resolved, steps, speed),
    })
}

/// What the coordinator sees of a round, in words.
fn sight(resolved: &Resolved) -> String {
    let Some(sums) = resolved.sums else {
        return "every silo's update".to_owned();
    };
    let how = sums.threshold.map_or_else(
        || "added up by a trusted party".to_owned(),
        |threshold| {
            format!(
                "masked, unmasked by at least {threshold} of {} silos",
                sums.cohort
            )
        },
    );
    let noise = match &sums.code {
        SumCode::Plain(_) => String::new(),
        SumCode::Noised(noise) => {
            format!(
                ", with noise of which {} silos' shares suffice",
                noise.shares()
            )
        }
    };
    format!("the sum of the updates, {how}{noise}")
}

/// How many silos are trained as one computation.
fn width(resolved: &Resolved) -> usize {
    if resolved.file.scenario.training.backend().stacks() {
        resolved.schedule.cohorts.size()
    } else {
        1
    }
}

/// How many computations go on side by side: one a core, or one for everything where the backend stacks.
fn lanes(resolved: &Resolved) -> usize {
    if resolved.file.scenario.training.backend().stacks() {
        1
    } else {
        rayon::current_num_threads()
    }
}

/// Seconds of one lane for the run's steps and looks, over all lanes.
fn seconds(resolved: &Resolved, steps: u64, (step, score): (f64, f64)) -> f64 {
    let world = &resolved.world;
    let of_adversary = if resolved.file.scenario.attacks.is_empty() {
        0
    } else {
        world.adversary.all_records().len()
    };
    let asked = world.pools.population_records().len() + of_adversary;
    let looks = score * asked as f64 * f64::from(resolved.schedule.rounds + 1);
    (step * steps as f64 + looks) / lanes(resolved) as f64
}

/// Seconds of one lane that a local step takes, and a record's score: a round of as many silos as are trained as one
/// computation, and one look, timed.
fn speed(resolved: &Resolved) -> Result<(f64, f64), Failure> {
    let (schedule, world) = (&resolved.schedule, &resolved.world);
    let backend = resolved.file.scenario.training.backend();
    let model = world
        .architecture
        .initial(&mut world.seed.stream(Stream::run(Role::Init)));
    let locals = schedule.locals.iter().take(width(resolved));
    let rounds: Vec<LocalRound<'_>> = locals
        .map(|plan| LocalRound {
            plan,
            dataset: &world.dataset,
            start: &model,
            clip_norm: None,
            seed: &world.seed,
            round: Round(1),
        })
        .collect();
    let steps: u32 = rounds.iter().map(|round| round.plan.steps()).sum();
    let asked = world.pools.population_records();
    let sample = &asked[..asked.len().min(SCORED)];
    let mut sgd = LocalSgd::new(&world.architecture, backend);
    let mut evaluator = Evaluator::new(&world.architecture, backend);
    let mut once = || -> Result<(f64, f64), Failure> {
        let clock = Instant::now();
        for run in sgd.run_all(&rounds) {
            run.map_err(Failure::run)?;
        }
        let a_step = clock.elapsed().as_secs_f64() / f64::from(steps.max(1));
        let clock = Instant::now();
        evaluator
            .scores(&model, &world.dataset, sample)
            .map_err(Failure::run)?;
        let a_score = clock.elapsed().as_secs_f64() / sample.len().max(1) as f64;
        Ok((a_step, a_score))
    };
    let first = once()?;
    if backend.stacks() && backend != Backend::Burn {
        // The first time, kernels are made for the device: once a process, however long the run is.
        once()
    } else {
        Ok(first)
    }
}

impl Forecast {
    /// The forecast as people read it.
    pub fn to_text(&self) -> String {
        let epsilon = report::epsilon_upper;
        let mut text = format!(
            "{}\n\n  silos      {} ({} a round), {} rounds, {} local steps in all\n  people     {} members, {} training records\n  model      {} parameters\n",
            self.name,
            self.silos,
            self.cohort,
            self.rounds,
            self.steps,
            self.members,
            self.records,
            self.parameters
        );
        text += &self.noise_multiplier.map_or_else(
            || "  noise      none\n".to_owned(),
            |noise| format!("  noise      multiplier {noise:.4}\n"),
        );
        let _ = writeln!(text, "  seen       {}", self.server_sees);
        let _ = writeln!(text, "  device     {}", self.device);
        let mut lines = vec![format!(
            "\n  if every round runs, at δ = {}:\n  record     ε ≤ {}\n  subject    ε ≤ {}  (the worst-off)\n  silo       ε ≤ {}",
            self.delta,
            epsilon(self.epsilon_record),
            epsilon(self.epsilon_subject),
            epsilon(self.epsilon_silo)
        )];
        lines.extend(
            self.why_infinite
                .iter()
                .map(|why| format!("             {why}")),
        );
        lines.push(format!(
            "\n  about {} of memory, {} between coordinator and silos, {} on this machine\n",
            size(self.memory),
            size(self.bytes_sent),
            duration(self.seconds)
        ));
        if let Some(shadows) = &self.shadows {
            lines.push(format!(
                "  and {} shadow federations, once: {} on this machine, {} of disk, {} of memory\n",
                shadows.count,
                duration(shadows.seconds),
                size(shadows.disk),
                size(shadows.memory)
            ));
        }
        text + &lines.join("\n")
    }
}

fn size(bytes: u64) -> String {
    match bytes as f64 / f64::from(1 << 20) {
        mebibytes if mebibytes < 1024.0 => format!("{mebibytes:.0} MiB"),
        mebibytes => format!("{:.1} GiB", mebibytes / 1024.0),
    }
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => "under a second".to_owned(),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}
