//! A server and all its silos on this machine, in processes of their own, with keys for this one time.

use crate::args::{OutputArgs, RunArgs};
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::process::{self, Started};
use crate::{commands, keys};
use primitives::SiloId;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::UNIX_EPOCH;
use tokio::runtime::Handle;
use transport::quic::Term;

/// So many silos have a process each, unless it is said otherwise. A process that holds several loads the data once.
const SILOS_APART: u32 = 8;

/// Runs a scenario as separate processes over QUIC on 127.0.0.1.
///
/// Each process holds the end of a pipe as its tether: when this process ends, however it does, they stop too.
///
/// # Errors
/// If a process cannot be started, or a silo's ends before the run is over.
pub fn run(args: &RunArgs, output: OutputArgs, interrupt: &Interrupt) -> Result<Exit, Failure> {
    let resolved = commands::resolve(&args.make.scenario)?;
    let place = Place::new()?;
    let silos = resolved.plan.silos.len() as u32;
    drop(resolved);
    keys::create(&place.0.join("keys"), silos, Term::days_from_now(1))?;
    Handle::current().block_on(async {
        let mut server = process::start(server_words(args, output, &place.0), Stdio::inherit())?;
        let mut members: BTreeMap<SiloId, Started> = BTreeMap::new();
        let processes = processes(args, silos);
        for first in (0..processes).map(SiloId) {
            let held = (first.0..silos).step_by(processes as usize).map(SiloId);
            let member =
                process::start(member_words(args, output, &place.0, held), Stdio::inherit())?;
            members.insert(first, member);
        }
        watch(&mut server, &mut members, interrupt).await
    })
}

/// Over how many processes the silos are spread.
fn processes(args: &RunArgs, silos: u32) -> u32 {
    let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
    let wanted = args.processes.map(NonZeroU32::get);
    let processes = wanted.unwrap_or_else(|| if silos <= SILOS_APART { silos } else { cores() });
    processes.min(silos)
}

/// Waits for the server's end; a silo that fails, or Ctrl-C, ends it early.
async fn watch(
    server: &mut Started,
    members: &mut BTreeMap<SiloId, Started>,
    interrupt: &Interrupt,
) -> Result<Exit, Failure> {
    let mut failed: Option<String> = None;
    let status = loop {
        let stop = failed.is_some() || interrupt.is_asked_for();
        if stop {
            // The end of its tether: it stops when nothing is lost.
            drop(server.tether.take());
        }
        tokio::select! {
            status = server.process.wait() => break status.map_err(Failure::run)?,
            (silo, status) = first_to_end(members) => {
                members.remove(&silo);
                let orderly = status.code().is_some_and(|code| {
                    [Exit::Ok, Exit::Budget, Exit::Partial].map(Exit::code).map(i32::from).contains(&code)
                });
                if !orderly {
                    failed.get_or_insert(format!("a process of silos, that of {silo}, has ended early ({status})"));
                }
            }
            () = interrupt.asked(), if !stop => {}
        }
    };
    for member in members.values_mut() {
        drop(member.tether.take());
    }
    while !members.is_empty() {
        let (silo, _) = first_to_end(members).await;
        members.remove(&silo);
    }
    match failed {
        Some(words) if status.code() == Some(Exit::Interrupted.code().into()) => {
            Err(Failure::run(words))
        }
        _ => Ok(status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .and_then(Exit::from_code)
            .unwrap_or(Exit::Failed)),
    }
}

async fn first_to_end(members: &mut BTreeMap<SiloId, Started>) -> (SiloId, ExitStatus) {
    let waits: Vec<_> = members
        .iter_mut()
        .map(|(&silo, member)| Box::pin(async move { (silo, member.process.wait().await) }))
        .collect();
    let mut waits = waits;
    std::future::poll_fn(|context| {
        for wait in &mut waits {
            if let std::task::Poll::Ready((silo, Ok(status))) = wait.as_mut().poll(context) {
                return std::task::Poll::Ready((silo, status));
            }
        }
        std::task::Poll::Pending
    })
    .await
}

/// A folder that is private to this run, and gone after it.
struct Place(PathBuf);

impl Place {
    fn new() -> Result<Self, Failure> {
        let nanos = UNIX_EPOCH.elapsed().map_or(0, |since| since.subsec_nanos());
        let name = format!("siloscope-{}-{nanos:09}", std::process::id());
        // In memory, if there is such a place and nobody asks for another: keys that last for a run need no disk.
        let memory = Path::new("/dev/shm");
        if std::env::var_os("TMPDIR").is_none() && memory.is_dir() {
            let path = memory.join(&name);
            if keys::make_folder(&path).is_ok() {
                return Ok(Self(path));
            }
        }
        let path = std::env::temp_dir().join(name);
        keys::make_folder(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What stays behind is private, and in the folder for what may be removed.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The words that both sides have in common.
fn words(verb: &str, args: &RunArgs, place: &Path) -> Vec<OsString> {
    let scenario = &args.make.scenario;
    let mut words: Vec<OsString> = vec![verb.into(), scenario.scenario.clone().into()];
    for change in scenario.changes() {
        words.extend(["--set".into(), change.into()]);
    }
    words.extend(["--keys".into(), place.join("keys").into()]);
    words.extend(["--rendezvous".into(), place.join("rendezvous.json").into()]);
    words.push("--tethered".into());
    words
}

fn server_words(args: &RunArgs, output: OutputArgs, place: &Path) -> Vec<OsString> {
    let mut words = words("serve", args, place);
    words.extend(["--out".into(), args.make.out.clone().into()]);
    words.extend(["--listen".into(), "127.0.0.1:0".into()]);
    let flags = [
        (args.make.fresh, "--fresh"),
        (output.json, "--json"),
        (output.jsonl, "--jsonl"),
        (output.quiet, "--quiet"),
    ];
    words.extend(
        flags
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, word)| OsString::from(word)),
    );
    words.extend((0..output.verbose).map(|_| OsString::from("-v")));
    words
}

fn member_words(
    args: &RunArgs,
    output: OutputArgs,
    place: &Path,
    silos: impl Iterator<Item = SiloId>,
) -> Vec<OsString> {
    let mut words = words("join", args, place);
    for silo in silos {
        words.extend(["--silo".into(), silo.0.to_string().into()]);
    }
    // The server tells how the run goes; of a silo only what is wrong is of interest.
    if output.verbose == 0 {
        words.push("--quiet".into());
    }
    words.extend((0..output.verbose).map(|_| OsString::from("-v")));
    words
}
