//! A server and all its silos on this machine, each a process of its own, with keys for this one time.

use crate::args::{OutputArgs, RunArgs};
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::process::{self, Started};
use crate::{commands, keys};
use primitives::SiloId;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::UNIX_EPOCH;
use tokio::runtime::Handle;
use transport::quic::{Peer, Term};

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
        for silo in (0..silos).map(SiloId) {
            let member =
                process::start(member_words(args, output, &place.0, silo), Stdio::inherit())?;
            members.insert(silo, member);
        }
        watch(&mut server, &mut members, interrupt).await
    })
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
                    failed.get_or_insert(format!("the process of {silo} has ended early ({status})"));
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
fn words(verb: &str, args: &RunArgs, place: &Path, keys: Peer, out: &Path) -> Vec<OsString> {
    let scenario = &args.make.scenario;
    let mut words: Vec<OsString> = vec![verb.into(), scenario.scenario.clone().into()];
    for set in &scenario.set {
        words.extend(["--set".into(), set.into()]);
    }
    words.extend([
        "--keys".into(),
        place.join("keys").join(keys.label()).into(),
    ]);
    words.extend(["--rendezvous".into(), place.join("rendezvous.json").into()]);
    words.extend(["--out".into(), out.into()]);
    words.push("--tethered".into());
    words
}

fn server_words(args: &RunArgs, output: OutputArgs, place: &Path) -> Vec<OsString> {
    let mut words = words("serve", args, place, Peer::Coordinator, &args.make.out);
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

fn member_words(args: &RunArgs, output: OutputArgs, place: &Path, silo: SiloId) -> Vec<OsString> {
    let mut words = words("join", args, place, Peer::Silo(silo), &place.join("silos"));
    words.extend(["--silo".into(), silo.0.to_string().into()]);
    // The server tells how the run goes; of a silo only what is wrong is of interest.
    if output.verbose == 0 {
        words.push("--quiet".into());
    }
    words.extend((0..output.verbose).map(|_| OsString::from("-v")));
    words
}
