//! A run from its folder's first file to its last.

use crate::assembly::{self, Outcome};
use crate::attack::Findings;
use crate::audit::{Evidence, audit};
use crate::checkpoint;
use crate::device;
use crate::driver::{Driver, End, Progressed, RoundTraffic, Start};
use crate::events::{AbandonedFigures, Course, Event, RoundFigures};
use crate::exit::{Exit, Failure};
use crate::export;
use crate::folder::{self, FolderError, RunFolder};
use crate::gate::gate;
use crate::interrupt::Interrupt;
use crate::progress::Progress;
use crate::recorder::{EVENTS, Recorder, UNDER_WAY};
use crate::shadow;
use crate::statement::Statement;
use crate::tables;
use primitives::Round;
use protocol::FinishReason;
use report::RunReport;
use report::model::HowEnded;
use scenarios::{PLAN_FORMAT, Plan, Resolved, ScenarioError, ScenarioFile};
use serde::{Deserialize, Serialize};
use server::Checkpoint;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Everything decided, before the first round.
pub const PLAN: &str = "plan.json";
/// The scenario of a run, as it was given.
pub const SCENARIO: &str = "scenario.toml";
const ORIGIN: &str = "origin.json";
/// What the run found; it is there when all else is.
pub const REPORT_JSON: &str = "report.json";
const REPORT_HTML: &str = "report.html";
const TIMINGS: &str = "timings.jsonl";

/// Where a scenario was read from: what its relative paths start from when the run is resumed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Origin {
    file: PathBuf,
    folder: PathBuf,
}

/// A run that is over, with its exit code.
#[derive(Debug)]
pub struct Finished {
    /// Its report.
    pub report: RunReport,
    /// Where it is.
    pub folder: PathBuf,
    /// How the process ends.
    pub exit: Exit,
}

impl Finished {
    /// The run in `folder` with this report.
    pub fn new(report: RunReport, folder: PathBuf) -> Self {
        let exit = exit_of(&report);
        Self {
            report,
            folder,
            exit,
        }
    }
}

/// The folder of a plan below `out`.
pub fn folder_of(plan: &Plan, out: &Path) -> PathBuf {
    out.join(format!("{}-{}", plan.scenario.name, plan.digest().short()))
}

/// The report of a run that is over; none if it is not.
///
/// # Errors
/// If the folder is no run, or its report cannot be read.
pub fn finished(path: &Path) -> Result<Option<Finished>, Failure> {
    if !has_report(path) {
        return Ok(None);
    }
    let file = path.join(REPORT_JSON);
    if has_begun(path) {
        read_plan(path)?;
    }
    let bytes = folder::read(&file)?;
    let report = RunReport::from_json(&String::from_utf8_lossy(&bytes)).map_err(|error| {
        FolderError::Damaged {
            path: file,
            what: error.to_string(),
        }
    })?;
    Ok(Some(Finished::new(report, path.to_owned())))
}

/// Whether the folder holds a run, finished or not.
pub fn has_begun(path: &Path) -> bool {
    path.join(PLAN).exists()
}

/// Whether the folder holds a run that is over.
pub fn has_report(path: &Path) -> bool {
    path.join(REPORT_JSON).exists()
}

/// Writes what a new run folder begins with. A folder that has begun is left as it is.
///
/// # Errors
/// If it has begun with another plan, or the system refuses.
pub fn prepare(folder: &RunFolder, resolved: &Resolved) -> Result<(), Failure> {
    if has_begun(folder.path()) {
        return check_plan(folder.path(), resolved);
    }
    let file = &resolved.file;
    let absolute = std::path::absolute(&file.folder).map_err(Failure::run)?;
    let origin = Origin {
        file: file.file.clone(),
        folder: absolute,
    };
    folder.write(SCENARIO, file.text.as_bytes())?;
    folder.write(
        ORIGIN,
        serde_json::to_vec_pretty(&origin).map_err(Failure::run)?,
    )?;
    folder.seal(PLAN, resolved.plan.to_json())
}

/// Reads the plan of a run folder and makes its scenario anew.
///
/// # Errors
/// If the folder is no run of this format, or scenario and data no longer give the same plan.
pub fn reopen(path: &Path) -> Result<Resolved, Failure> {
    read_plan(path)?;
    let damaged = |file: &str, what: String| FolderError::Damaged {
        path: path.join(file),
        what,
    };
    let origin: Origin = serde_json::from_slice(&folder::read(&path.join(ORIGIN))?)
        .map_err(|error| damaged(ORIGIN, error.to_string()))?;
    let text = String::from_utf8(folder::read(&path.join(SCENARIO))?)
        .map_err(|error| damaged(SCENARIO, error.to_string()))?;
    // What is wrong is wrong with the folder's copy, wherever the scenario once came from.
    let copied = |mut error: ScenarioError| {
        error.file = path.join(SCENARIO);
        Failure::scenario(error)
    };
    let file = ScenarioFile::parse(&origin.file, &origin.folder, &text, &[]).map_err(copied)?;
    let resolved = Resolved::new(file).map_err(copied)?;
    check_plan(path, &resolved)?;
    Ok(resolved)
}

/// Refuses to go on in a folder that began with another plan.
///
/// # Errors
/// If it did, or is no run of this format.
fn check_plan(path: &Path, resolved: &Resolved) -> Result<(), Failure> {
    if resolved.plan.to_json().as_bytes() == read_plan(path)? {
        return Ok(());
    }
    Err(Failure::run(format!(
        "{}: the scenario and its data no longer give the plan that this run began with: the data or the version of \
         siloscope has changed; restore them, or run the scenario anew with --fresh",
        path.display()
    )))
}

/// The bytes of a run folder's plan, which this siloscope can read.
///
/// # Errors
/// If the folder is no run, or one of a newer format.
fn read_plan(path: &Path) -> Result<Vec<u8>, FolderError> {
    if !has_begun(path) {
        return Err(FolderError::NotARun(path.to_owned()));
    }
    let file = path.join(PLAN);
    let written = folder::read(&file)?;
    let version: Format =
        serde_json::from_slice(&written).map_err(|error| FolderError::Damaged {
            path: file,
            what: error.to_string(),
        })?;
    if version.format > PLAN_FORMAT {
        return Err(FolderError::Newer {
            path: path.to_owned(),
            found: version.format,
            known: PLAN_FORMAT,
        });
    }
    Ok(written)
}

/// Only what every format has.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// Where a federation begins: after what the recorder holds, with the budget that is left.
fn start(
    resolved: &Resolved,
    recorder: &Recorder<'_>,
    checkpoint: Option<Checkpoint>,
) -> Result<Start, Failure> {
    let gate = gate(
        resolved.file.scenario.privacy.budget(),
        recorder.holdings().clone(),
        &resolved.schedule.ledger(),
        recorder.ledger().entries(),
    )?;
    Ok(Start {
        digest: resolved.plan.digest(),
        gate,
        checkpoint,
        clock: recorder.clock(),
        probe: recorder.probe().clone(),
    })
}

/// Runs on from wherever the folder stands, to the report; `launch` says where the silos are.
///
/// # Errors
/// If a round fails; the folder then ends with the round before, and the run can be resumed.
pub fn carry_on(
    folder: &RunFolder,
    resolved: &Resolved,
    progress: &mut Progress,
    interrupt: &Interrupt,
    launch: impl FnOnce(&Resolved, Start) -> Result<Box<dyn Driver>, Failure>,
) -> Result<Finished, Failure> {
    let last = checkpoint::last(folder)?;
    let (mut recorder, checkpoint) = match last {
        None => {
            let (recorder, event) = Recorder::begin(resolved, folder)?;
            let progress = progress.clone();
            folder.then(move || progress.event(&event))?;
            (recorder, None)
        }
        Some((checkpoint, journals)) => {
            let recorder = Recorder::restore(resolved, folder, &checkpoint, journals)?;
            (recorder, Some(checkpoint))
        }
    };
    let begun = checkpoint.is_some();
    let mut federation = launch(resolved, start(resolved, &recorder, checkpoint)?)?;
    let rounds = resolved.schedule.rounds;
    let done = recorder.rounds().len() as u32;
    progress.begin(done.saturating_sub(1), rounds);
    // The line of a round shows the worst-off subject's ε: a budget for another unit does not belong beside it.
    let budget = resolved.file.scenario.privacy.budget();
    let shown = budget
        .filter(|budget| budget.unit == accounting::PrivacyUnit::Subject)
        .map(|budget| budget.epsilon.get().into());
    // Said once the round is on disk.
    let tell = |recorder: &Recorder<'_>, event: Event, progress: &Progress| {
        let (figures, progress) = (recorder.rounds().last().cloned(), progress.clone());
        folder.then(move || {
            if let Some(figures) = figures {
                progress.round(&figures, rounds, shown);
            }
            progress.event(&event)
        })
    };
    if !begun {
        let start = federation.checkpoint();
        let model = start.state.model.clone();
        let nobody = BTreeMap::new();
        let course = Course::default();
        let event = recorder.round(Round::UNTRAINED, &model, &nobody, &[], course, &start)?;
        tell(&recorder, event, progress)?;
    }
    if let Some(figures) = recorder.rounds().last() {
        federation.recorded(figures);
    }
    if let Some(line) = computes(resolved) {
        folder.jot(TIMINGS, line)?;
    }
    let mut clock = Instant::now();
    let end = loop {
        if federation.is_remote() {
            // Its silos must not be asked for a round before the one before is on disk.
            folder.settle()?;
        }
        match federation.advance(progress, interrupt)? {
            Progressed::Interrupted => {
                folder.settle()?;
                progress.end();
                return Err(interrupted(folder, &recorder, progress));
            }
            Progressed::Finished(end) => break *end,
            Progressed::Round(outcome) => {
                let checkpoint = federation.checkpoint();
                let event = recorder.round(
                    outcome.round,
                    &outcome.model,
                    &outcome.updates,
                    &outcome.entries,
                    Course::new(&outcome.missing, outcome.attempts, federation.traffic()),
                    &checkpoint,
                )?;
                if let Some(figures) = recorder.rounds().last() {
                    federation.recorded(figures);
                }
                let seconds = clock.elapsed().as_secs_f64();
                clock = Instant::now();
                folder.jot(
                    TIMINGS,
                    format!(
                        "{{\"round\":{},\"seconds\":{seconds:.6}}}\n",
                        outcome.round.0
                    ),
                )?;
                tell(&recorder, event, progress)?;
            }
        }
    };
    folder.settle()?;
    progress.end();
    let traffic = federation.traffic();
    let shadows = shadow::ready(resolved, place_of(folder), progress, interrupt);
    let shadows = shadows.map_err(|failure| match failure.exit {
        Exit::Interrupted => interrupted(folder, &recorder, progress),
        _ => failure,
    })?;
    let findings = recorder.findings(shadows)?;
    finish(folder, resolved, recorder, findings, end, traffic, progress)
}

/// What computes the rounds that follow, for the file of what differs from machine to machine; nothing on a CPU.
fn computes(resolved: &Resolved) -> Option<String> {
    let training = &resolved.file.scenario.training;
    if device::is_cpu(training) {
        return None;
    }
    let (device, name) = (training.device, training.backend().device_name());
    Some(format!(
        "{}\n",
        serde_json::json!({ "device": device, "name": name })
    ))
}

/// The folder that holds a run's folder and those beside it.
pub fn place_of(folder: &RunFolder) -> &Path {
    folder.path().parent().unwrap_or(Path::new("."))
}

/// Tells programs that the run was interrupted, and gives what people are told.
fn interrupted(folder: &RunFolder, recorder: &Recorder<'_>, progress: &Progress) -> Failure {
    let rounds = recorder.rounds().len() as u32 - 1;
    if let Err(failure) = progress.event(&Event::Interrupted { rounds }) {
        return failure;
    }
    let path = folder.path().display();
    let message = format!("interrupted; go on with: siloscope resume {path}");
    Failure::new(Exit::Interrupted, message)
}

/// Writes what a run ends with; the report in JSON comes last and says that all else is there.
///
/// # Errors
/// If the system refuses.
pub fn finish(
    folder: &RunFolder,
    resolved: &Resolved,
    mut recorder: Recorder<'_>,
    findings: Option<Findings>,
    end: End,
    traffic: Option<RoundTraffic>,
    progress: &Progress,
) -> Result<Finished, Failure> {
    let End {
        reason,
        refused,
        abandoned,
    } = end;
    let abandoned = match abandoned {
        None => None,
        Some(round) => {
            let figures = AbandonedFigures {
                round: round.round.0,
                course: Course::new(&round.missing, round.attempts, traffic),
            };
            progress.event(&recorder.abandon(&round.entries, figures.clone())?)?;
            Some(figures)
        }
    };
    let rounds = recorder.rounds();
    let last = rounds.last().map_or(0, |figures| figures.round);
    let ledger = recorder.ledger();
    let statement = Statement::of(resolved, ledger, last);
    let attendance = assembly::attendance(resolved, rounds, abandoned.as_ref(), ledger, &statement);
    let evidence = Evidence {
        folder: folder.path(),
        resolved,
        ledger,
        last,
        attacker: recorder.attacker(),
    };
    let report = assembly::report(Outcome {
        resolved,
        plan: resolved.plan.digest(),
        rounds,
        statement,
        findings,
        attendance,
        ending: assembly::ending(resolved, rounds, reason, refused.clone()),
        audit: audit(&evidence, None)?,
    });
    if reason == FinishReason::BudgetReached {
        let event = Event::BudgetReached {
            round: last + 1,
            why: refused.unwrap_or_default(),
        };
        folder.append(EVENTS, event.to_line())?;
        progress.event(&event)?;
    }
    let finished = Finished::new(report, folder.path().to_owned());
    let Finished { report, exit, .. } = &finished;
    let event = Event::RunFinished {
        ending: reason.to_string(),
        rounds: last,
        gates_passed: report.gates.iter().all(|gate| gate.passed),
        exit_code: exit.code(),
    };
    folder.append(EVENTS, event.to_line())?;
    write_report(folder, rounds, report)?;
    progress.event(&event)?;
    Ok(finished)
}

/// Writes the tables, the events for TensorBoard, and the report; the one in JSON comes last.
///
/// # Errors
/// If the system refuses.
pub fn write_report(
    folder: &RunFolder,
    rounds: &[RoundFigures],
    report: &RunReport,
) -> Result<(), Failure> {
    for (name, table) in [
        ("rounds.parquet", tables::rounds(rounds, report)),
        ("subjects.parquet", tables::subjects(report)),
        ("attacks.parquet", tables::attacks(report)),
    ] {
        folder.write(name, table.to_parquet().map_err(Failure::run)?)?;
    }
    folder.write(export::event_file(), report.to_tensorboard())?;
    folder.write(REPORT_HTML, report.to_html())?;
    folder.seal(REPORT_JSON, report.to_json())?;
    folder.settle()?;
    Ok(folder.discard(UNDER_WAY)?)
}

/// How the process of such a run ends.
fn exit_of(report: &RunReport) -> Exit {
    match report.ending.how {
        HowEnded::BudgetReached if report.ending.rounds_finished == 0 => Exit::Budget,
        HowEnded::Interrupted => Exit::Failed,
        HowEnded::QuorumLost => Exit::Partial,
        HowEnded::Finished | HowEnded::BudgetReached => {
            // A limit that failed, or a check that tripped: the run's figures are not what they seem.
            if report.holds() { Exit::Ok } else { Exit::Gate }
        }
    }
}
