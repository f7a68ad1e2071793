//! What the verbs about runs and scenarios do.

use crate::archive::{self, Archive};
use crate::args::{
    AttackArgs, AuditArgs, CompareArgs, MakeArgs, OutputArgs, PlanArgs, ResumeArgs, RunFolderArgs,
    ScenarioArgs,
};
use crate::attack;
use crate::audit;
use crate::device;
use crate::driver::{self, Driver, Start};
use crate::exit::{Exit, Failure};
use crate::export;
use crate::folder::{FolderError, RunFolder};
use crate::foreign;
use crate::foresee;
use crate::interrupt::Interrupt;
use crate::network;
use crate::progress::{Progress, print, tell};
use crate::roll;
use crate::session::{self, Finished};
use crate::sweep;
use report::{Comparison, TextStyle};
use scenarios::{Resolved, ScenarioFile, SweepFile};
use serde_json::json;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Runs a scenario from its beginning, or on from where an earlier run of the same plan stopped.
pub fn run(args: &MakeArgs, output: OutputArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    make(args, output, interrupt, |_| Ok(()), driver::in_memory)
}

/// [`run`] with silos wherever `launch` finds them. `prepared` sees the run's folder when it is made.
pub fn make(
    args: &MakeArgs,
    output: OutputArgs,
    interrupt: &Interrupt,
    prepared: impl FnOnce(&RunFolder) -> Result<(), Failure>,
    launch: impl FnOnce(&Resolved, Start) -> Result<Box<dyn Driver>, Failure>,
) -> Result<Exit, Failure> {
    let resolved = resolve(&args.scenario)?;
    let path = session::folder_of(&resolved.plan, &args.out);
    make_in(path, resolved, args, output, interrupt, prepared, launch)
}

/// [`make`] with the run's folder at `path`.
pub fn make_in(
    path: PathBuf,
    #[cfg_attr(not(feature = "planted-faults"), allow(unused_mut))] mut resolved: Resolved,
    args: &MakeArgs,
    output: OutputArgs,
    interrupt: &Interrupt,
    prepared: impl FnOnce(&RunFolder) -> Result<(), Failure>,
    launch: impl FnOnce(&Resolved, Start) -> Result<Box<dyn Driver>, Failure>,
) -> Result<Exit, Failure> {
    let mut progress = Progress::new(output);
    #[cfg(feature = "planted-faults")]
    plant(&mut resolved, args.plant);
    foreign::refuse_training(&resolved)?;
    if args.fresh && path.exists() {
        // Opened first, so that nothing is taken away from a process that works in it.
        RunFolder::open(path.clone())?.remove()?;
    }
    if let Some(finished) = session::finished(&path)? {
        progress.say(&format!(
            "{} is finished already; --fresh runs it anew",
            path.display()
        ));
        return conclude("run", &finished, output);
    }
    let folder = RunFolder::open(path)?;
    session::prepare(&folder, &resolved)?;
    prepared(&folder)?;
    progress.say(&opening(&resolved, folder.path()));
    device::say(&resolved.file, &progress);
    let finished = session::carry_on(&folder, &resolved, &mut progress, interrupt, launch)?;
    conclude("run", &finished, output)
}

/// Goes on with an interrupted run, where it was run.
pub fn resume(
    args: &ResumeArgs,
    output: OutputArgs,
    interrupt: &Interrupt,
) -> Result<Exit, Failure> {
    if network::was_served(&find_run(&args.run)) {
        return network::resume(args, output, interrupt);
    }
    carry_on(args, output, interrupt, driver::in_memory)
}

/// Goes on with an interrupted run, with silos wherever `launch` finds them.
pub fn carry_on(
    args: &ResumeArgs,
    output: OutputArgs,
    interrupt: &Interrupt,
    launch: impl FnOnce(&Resolved, Start) -> Result<Box<dyn Driver>, Failure>,
) -> Result<Exit, Failure> {
    let path = find_run(&args.run);
    let mut progress = Progress::new(output);
    if let Some(finished) = session::finished(&path)? {
        progress.say(&format!("{} is finished already", path.display()));
        return conclude("run", &finished, output);
    }
    let resolved = session::reopen(&path)?;
    foreign::refuse_training(&resolved)?;
    device::say(&resolved.file, &progress);
    let folder = RunFolder::open(path)?;
    let finished = session::carry_on(&folder, &resolved, &mut progress, interrupt, launch)?;
    conclude("run", &finished, output)
}

/// Attacks a finished run again.
pub fn attack(
    args: &AttackArgs,
    output: OutputArgs,
    interrupt: &Interrupt,
) -> Result<Exit, Failure> {
    if let Some(scenario) = &args.scenario {
        let finished = foreign::attack(args, scenario, &mut Progress::new(output))?;
        return conclude("attack", &finished, output);
    }
    let archive = Archive::open(find_run(&args.run)).map_err(|failure| {
        if foreign::has_checkpoints(&args.run) {
            foreign::without_scenario(&args.run)
        } else {
            failure
        }
    })?;
    let file = archive
        .resolved
        .file
        .attacked_with(args.attacks.as_deref(), &args.set)
        .map_err(Failure::scenario)?;
    let attacked = attack::anew(archive, file, &mut Progress::new(output), interrupt)?;
    let anew: Vec<String> = attacked.anew.iter().map(ToString::to_string).collect();
    if !output.quiet {
        let signals = if anew.is_empty() {
            "from the signals of the run".to_owned()
        } else {
            format!("{} looked up in the run's checkpoints", anew.join(", "))
        };
        let shadows = attacked.shadows.map_or(String::new(), |(all, trained)| {
            format!("; {all} shadow federations, {trained} of them trained now")
        });
        tell(&format!(
            "attacked {} models with {}; {signals}{shadows}",
            attacked.rounds,
            attacked.attacks.join(", ")
        ));
    }
    let shadows = attacked.shadows.unwrap_or_default();
    let did = json!({
        "models": attacked.rounds,
        "attacks": attacked.attacks,
        "signals_anew": anew,
        "shadows": shadows.0,
        "shadows_trained": shadows.1,
    });
    conclude_with(
        "attack",
        &attacked.finished,
        output,
        json!({ "attacked": did }),
    )
}

/// Audits a finished run, or a scenario over many runs.
pub fn audit(args: &AuditArgs, output: OutputArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    if let Some(runs) = args.runs {
        return audit_over_runs(args, runs, output, interrupt);
    }
    let archive = Archive::open(find_run(&args.run))?;
    let overrides = audit::Overrides {
        confidence: args.confidence,
        rounds: args.rounds,
    };
    let finished = audit::anew(archive, overrides)?;
    conclude("audit", &finished, output)
}

/// Trains a scenario again and again, and audits whether a subject's presence shows.
fn audit_over_runs(
    args: &AuditArgs,
    runs: usize,
    output: OutputArgs,
    interrupt: &Interrupt,
) -> Result<Exit, Failure> {
    #[cfg_attr(not(feature = "planted-faults"), allow(unused_mut))]
    let mut resolved = resolve(&ScenarioArgs {
        scenario: args.run.display().to_string(),
        set: args.set.clone(),
        device: args.device,
    })?;
    #[cfg(feature = "planted-faults")]
    plant(&mut resolved, args.plant);
    foreign::refuse_training(&resolved)?;
    let scenario = &resolved.file.scenario;
    let written = scenario.audit.map(|audit| audit.confidence);
    let request = audit::over_runs::Request {
        audited: args.subject.clone(),
        runs,
        confidence: args
            .confidence
            .or(written)
            .unwrap_or(attacks::Confidence::NINETY_FIVE),
    };
    let mut progress = Progress::new(output);
    device::say(&resolved.file, &progress);
    let answer = audit::over_runs::audit(&resolved, &request, &args.out, &mut progress, interrupt)?;
    let found = &answer.audit;
    let stem = format!("{}-audit-{runs}-runs", args.subject.slug());
    let folder = session::folder_of(&resolved.plan, &args.out);
    let page = folder.with_file_name(format!("{}-{stem}.html", file_name(&folder)));
    crate::folder::write_whole(&page, found.to_html().as_bytes())?;
    let json = page.with_extension("json");
    crate::folder::write_whole(&json, found.to_json().as_bytes())?;
    let exit = if found.refuted { Exit::Gate } else { Exit::Ok };
    if output.json {
        let audit: serde_json::Value =
            serde_json::from_str(&found.to_json()).map_err(Failure::run)?;
        let content = json!({ "page": page, "audit": audit, "trained": answer.trained });
        print_json("audit", exit, content)?;
    }
    if !output.quiet {
        tell(&format!(
            "{runs} trials, {} of them trained now\n\n{}\naudit: {}",
            answer.trained,
            found.to_text(style()).trim_end(),
            page.display()
        ));
    }
    Ok(exit)
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Gives every silo the same fault.
#[cfg(feature = "planted-faults")]
fn plant(resolved: &mut Resolved, fault: Option<training::Fault>) {
    if let Some(fault) = fault {
        for local in &mut resolved.schedule.locals {
            *local = local.clone().with_fault(fault);
        }
    }
}

/// Checks a scenario with its data.
pub fn validate(args: &ScenarioArgs, output: OutputArgs) -> Result<Exit, Failure> {
    if SweepFile::is_one(&args.scenario) {
        return sweep::validate(args, output);
    }
    let resolved = resolve(args)?;
    let digest = resolved.plan.digest();
    if output.json {
        print_json(
            "validate",
            Exit::Ok,
            json!({ "name": resolved.plan.scenario.name, "plan": digest }),
        )?;
    } else if !output.quiet {
        tell(&format!(
            "{}: valid, plan {}",
            resolved.plan.scenario.name,
            digest.short()
        ));
    }
    Ok(Exit::Ok)
}

/// Says what a run will cost.
pub fn plan(args: &PlanArgs, output: OutputArgs) -> Result<Exit, Failure> {
    let resolved = resolve(&args.scenario)?;
    if let Some(path) = &args.records {
        roll::write(&resolved, path)?;
    }
    let forecast = foresee::forecast(&resolved)?;
    if output.json {
        print_json("plan", Exit::Ok, json!({ "forecast": forecast }))?;
    } else {
        print(&forecast.to_text())?;
    }
    Ok(Exit::Ok)
}

/// Writes the page of a finished run again from its `report.json`, and the events for TensorBoard.
pub fn report(args: &RunFolderArgs, output: OutputArgs) -> Result<Exit, Failure> {
    let finished = open_finished(&args.run)?;
    let page = finished.folder.join("report.html");
    crate::folder::write_whole(&page, finished.report.to_html().as_bytes())?;
    let events = finished.folder.join(export::event_file());
    crate::folder::write_whole(&events, &finished.report.to_tensorboard())?;
    conclude("report", &finished, output)?;
    Ok(Exit::Ok)
}

/// Puts finished runs side by side.
pub fn compare(args: &CompareArgs, output: OutputArgs) -> Result<Exit, Failure> {
    let reports = args
        .runs
        .iter()
        .map(|run| Ok(open_finished(run)?.report))
        .collect::<Result<Vec<_>, Failure>>()?;
    let comparison =
        Comparison::try_new(&reports).map_err(|error| Failure::new(Exit::Usage, error))?;
    crate::folder::write_whole(&args.out, comparison.to_html().as_bytes())?;
    if output.json {
        print_json(
            "compare",
            Exit::Ok,
            json!({ "page": args.out, "cautions": comparison.cautions() }),
        )?;
    } else {
        print(&comparison.to_text(style()))?;
        tell(&format!("page: {}", args.out.display()));
    }
    Ok(Exit::Ok)
}

/// The finished run in a folder.
///
/// # Errors
/// If it is no run, or not finished.
pub fn open_finished(run: &Path) -> Result<Finished, Failure> {
    let path = find_run(run);
    if let Some(finished) = session::finished(&path)? {
        return Ok(finished);
    }
    if !session::has_begun(&path) {
        return Err(FolderError::NotARun(path).into());
    }
    Err(archive::unfinished(&path))
}

/// A scenario with its data and its plan.
pub fn resolve(args: &ScenarioArgs) -> Result<Resolved, Failure> {
    let file = ScenarioFile::open(&args.scenario, &args.changes()).map_err(Failure::scenario)?;
    Resolved::new(file).map_err(Failure::scenario)
}

/// A run folder by path, or by its name under `runs/`.
pub fn find_run(run: &Path) -> PathBuf {
    let below = Path::new("runs").join(run);
    if !run.exists() && below.exists() {
        below
    } else {
        run.to_owned()
    }
}

/// How text is set on this terminal.
pub fn style() -> TextStyle {
    let width = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok())
        .unwrap_or(100);
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    TextStyle { width, colour }
}

fn opening(resolved: &Resolved, folder: &Path) -> String {
    let plan = &resolved.plan;
    format!(
        "{}: {} silos, {} members of {} subjects, {} training records, {} parameters → {}",
        plan.scenario.name,
        plan.silos.len(),
        plan.data.members,
        plan.data.subjects,
        plan.silos.iter().map(|silo| silo.records).sum::<u64>(),
        plan.parameters,
        folder.display(),
    )
}

/// Says how a run ended: to people on stderr, to programs on stdout.
fn conclude(command: &str, finished: &Finished, output: OutputArgs) -> Result<Exit, Failure> {
    conclude_with(command, finished, output, json!({}))
}

/// The same, with more for programs to read.
fn conclude_with(
    command: &str,
    finished: &Finished,
    output: OutputArgs,
    mut content: serde_json::Value,
) -> Result<Exit, Failure> {
    let Finished {
        report,
        folder,
        exit,
    } = finished;
    if output.json {
        let value: serde_json::Value =
            serde_json::from_str(&report.to_json()).map_err(Failure::run)?;
        content["folder"] = json!(folder);
        content["report"] = value;
        print_json(command, *exit, content)?;
    }
    if !output.quiet {
        let page = folder.join("report.html");
        tell(&format!(
            "\n{}\nreport: {}",
            report.to_text(style()).trim_end(),
            page.display()
        ));
    }
    Ok(*exit)
}

/// The one envelope that programs read.
///
/// # Errors
/// If stdout cannot be written.
pub fn print_json(command: &str, exit: Exit, content: serde_json::Value) -> Result<(), Failure> {
    let mut envelope = json!({
        "schema": "siloscope/result",
        "schema_version": 1,
        "command": command,
        "exit_code": exit.code(),
    });
    if let (Some(envelope), serde_json::Value::Object(content)) =
        (envelope.as_object_mut(), content)
    {
        envelope.extend(content);
    }
    print(&format!("{envelope}\n"))
}
