//! Key folders: a federation's authority, and a folder for each host that needs keys.
//!
//! ```text
//! keys/authority/    authority.pem  authority.key        stays with whoever runs the federation
//! keys/coordinator/  authority.pem  coordinator.pem  coordinator.key
//! keys/silo-0/       authority.pem  silo-0.pem       silo-0.key      goes to that silo's host, and nowhere else
//! ```

use crate::args::OutputArgs;
use crate::commands::print_json;
use crate::exit::{Exit, Failure};
use crate::network::args::{KeysAddArgs, KeysCommand, KeysInitArgs, KeysShowArgs};
use crate::progress::print;
use primitives::{Digest, SiloId};
use serde_json::json;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use transport::quic::{Authority, Credentials, IssuedKeys, Peer, Term};

/// What each verb of `siloscope keys` does.
pub fn keys(command: &KeysCommand, output: OutputArgs) -> Result<Exit, Failure> {
    match command {
        KeysCommand::Init(args) => init(args, output),
        KeysCommand::Add(args) => add(args, output),
        KeysCommand::Show(args) => show(args, output),
    }
}

fn init(args: &KeysInitArgs, output: OutputArgs) -> Result<Exit, Failure> {
    if args.keys.exists() {
        return Err(exists(&args.keys));
    }
    create(
        &args.keys,
        args.silos.get(),
        Term::days_from_now(args.days.get()),
    )?;
    settle(&args.keys)?;
    shown(&args.keys, "keys-init", output)
}

/// Makes the keys of a new federation in `folder`, which is not there yet. A power cut may take them.
///
/// # Errors
/// If it is there, or the system refuses.
pub fn create(folder: &Path, silos: u32, term: Term) -> Result<(), Failure> {
    let authority = Authority::create(term).map_err(Failure::run)?;
    let keys = authority
        .keys()
        .ok_or_else(|| Failure::run("a new authority has its certificate"))?;
    make_folder(folder)?;
    let home = folder.join(Peer::Authority.label());
    make_folder(&home)?;
    write_keys(&home, Peer::Authority, &keys)?;
    let peers = (0..silos).map(|silo| Peer::Silo(SiloId(silo)));
    for peer in std::iter::once(Peer::Coordinator).chain(peers) {
        let issued = authority.issue(peer, term).map_err(Failure::run)?;
        hand_over(folder, peer, &keys.certificate, &issued)?;
    }
    Ok(())
}

fn add(args: &KeysAddArgs, output: OutputArgs) -> Result<Exit, Failure> {
    let home = args.keys.join(Peer::Authority.label());
    let authority = Authority::from_key(&read_secret(&home.join("authority.key"))?)
        .map_err(|error| Failure::run(format!("{}: {error}", home.display())))?;
    let certificate = read(&home.join("authority.pem"))?;
    let peer = args.peer;
    let folder = args.keys.join(peer.label());
    if folder.exists() {
        if !args.replace {
            return Err(exists(&folder));
        }
        fs::remove_dir_all(&folder).map_err(|error| io_failure("remove", &folder, &error))?;
    }
    let issued = authority
        .issue(peer, Term::days_from_now(args.days.get()))
        .map_err(Failure::run)?;
    hand_over(&args.keys, peer, &certificate, &issued)?;
    settle(&folder)?;
    shown(&folder, "keys-add", output)
}

fn show(args: &KeysShowArgs, output: OutputArgs) -> Result<Exit, Failure> {
    shown(&args.keys, "keys-show", output)
}

/// Says whose keys lie in a folder, or in the folders in it.
fn shown(folder: &Path, command: &str, output: OutputArgs) -> Result<Exit, Failure> {
    let mut folders: Vec<(Peer, PathBuf)> = Vec::new();
    if let Some(peer) = peer_of(folder) {
        folders.push((peer, folder.to_owned()));
    } else {
        let entries = fs::read_dir(folder).map_err(|error| io_failure("list", folder, &error))?;
        for entry in entries.flatten() {
            folders.extend(peer_of(&entry.path()).map(|peer| (peer, entry.path())));
        }
        folders.sort();
    }
    let mut lines = Vec::new();
    let mut values = Vec::new();
    for (peer, folder) in folders {
        let keys = load_folder(&folder, peer)?;
        let validity = keys
            .validity()
            .map_or_else(|| "unknown".to_owned(), |validity| validity.to_string());
        lines.push(format!(
            "{:12} {}  {validity}\n",
            peer.label(),
            keys.fingerprint()
        ));
        values.push(json!({
            "peer": peer.label(), "fingerprint": keys.fingerprint(), "valid": validity,
            "federation": keys.federation().to_string(), "folder": folder,
        }));
    }
    if values.is_empty() {
        let message = format!(
            "{} holds no keys: name a folder that `siloscope keys init` made",
            folder.display()
        );
        return Err(Failure::new(Exit::Usage, message));
    }
    if output.json {
        print_json(command, Exit::Ok, json!({ "keys": values }))?;
    } else if !output.quiet {
        print(&lines.concat())?;
    }
    Ok(Exit::Ok)
}

/// The keys of `peer`: in `folder` itself, or in the folder below it that has the peer's name.
///
/// # Errors
/// If they are not there, another user can read them, or they are no keys.
pub fn load(folder: &Path, peer: Peer) -> Result<Credentials, Failure> {
    let below = folder.join(peer.label());
    let folder = if below.is_dir() { &below } else { folder };
    if !folder.join(format!("{}.key", peer.label())).exists() {
        let message = match peer_of(folder) {
            Some(other) => format!(
                "{} holds the keys of {other}, not of {peer}",
                folder.display()
            ),
            None => format!(
                "{} holds no keys of {peer}: make them with `siloscope keys init` and copy {} to this host",
                folder.display(),
                peer.label()
            ),
        };
        return Err(Failure::new(Exit::Usage, message));
    }
    load_folder(folder, peer)
}

fn load_folder(folder: &Path, peer: Peer) -> Result<Credentials, Failure> {
    let label = peer.label();
    let keys = Credentials::from_pem(
        &read(&folder.join("authority.pem"))?,
        &read(&folder.join(format!("{label}.pem")))?,
        &read_secret(&folder.join(format!("{label}.key")))?,
    )
    .map_err(|error| Failure::run(format!("{}: {error}", folder.display())))?;
    if keys.peer() != peer {
        let message = format!(
            "{}: these are the keys of {}, not of {peer}",
            folder.display(),
            keys.peer()
        );
        return Err(Failure::run(message));
    }
    Ok(keys)
}

/// Whose key lies in `folder`.
fn peer_of(folder: &Path) -> Option<Peer> {
    let entries = fs::read_dir(folder).ok()?;
    entries.flatten().find_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        Peer::from_label(name.strip_suffix(".key")?)
    })
}

/// Makes the folder that goes to `peer`'s host.
fn hand_over(keys: &Path, peer: Peer, authority: &str, issued: &IssuedKeys) -> Result<(), Failure> {
    let folder = keys.join(peer.label());
    make_folder(&folder)?;
    write_new(&folder.join("authority.pem"), authority)?;
    write_keys(&folder, peer, issued)
}

fn write_keys(folder: &Path, peer: Peer, issued: &IssuedKeys) -> Result<(), Failure> {
    let label = peer.label();
    write_new(&folder.join(format!("{label}.pem")), &issued.certificate)?;
    write_new(&folder.join(format!("{label}.key")), &issued.key)
}

/// A folder that nobody else can look into.
///
/// # Errors
/// If it is there, or the system refuses.
pub fn make_folder(path: &Path) -> Result<(), Failure> {
    DirBuilder::new()
        .mode(0o700)
        .create(path)
        .map_err(|error| io_failure("make folder", path, &error))
}

/// A file that nobody else can read, and that was not there before.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(text.as_bytes())
    };
    write().map_err(|error| io_failure("write", path, &error))
}

/// Waits until a folder is on disk with all that is in it.
fn settle(folder: &Path) -> Result<(), Failure> {
    let sync = |path: &Path| File::open(path).and_then(|file| file.sync_all());
    let entries = fs::read_dir(folder).map_err(|error| io_failure("list", folder, &error))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            settle(&path)?;
        } else {
            sync(&path).map_err(|error| io_failure("write", &path, &error))?;
        }
    }
    sync(folder).map_err(|error| io_failure("write", folder, &error))
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| io_failure("read", path, &error))
}

/// Reads a private key, which must be private.
fn read_secret(path: &Path) -> Result<String, Failure> {
    let mode = fs::metadata(path)
        .map_err(|error| io_failure("read", path, &error))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        let message = format!(
            "{} can be read by others (mode {:04o}): chmod 600 it, and issue new keys if it was read",
            path.display(),
            mode & 0o7777
        );
        return Err(Failure::run(message));
    }
    read(path)
}

fn exists(path: &Path) -> Failure {
    let message = format!(
        "{} exists already, and keys are never overwritten: name another folder, or use `siloscope keys add --replace`",
        path.display()
    );
    Failure::new(Exit::Usage, message)
}

fn io_failure(action: &str, path: &Path, error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::AlreadyExists {
        return exists(path);
    }
    Failure::run(format!("cannot {action} {}: {error}", path.display()))
}

/// A peer on the command line: `coordinator`, or a silo by number or name.
///
/// # Errors
/// If it is neither.
pub fn peer(text: &str) -> Result<Peer, String> {
    match Peer::from_label(text) {
        Some(peer @ (Peer::Coordinator | Peer::Silo(_))) => Ok(peer),
        _ => silo(text)
            .map(Peer::Silo)
            .map_err(|_| "give coordinator, or a silo as 3 or silo-3".to_owned()),
    }
}

/// A certificate's SHA-256 as `serve` and `keys show` print it, or with colons.
///
/// # Errors
/// If it is none.
pub fn fingerprint(text: &str) -> Result<Digest, String> {
    Digest::try_from(text.replace(':', "").to_lowercase()).map_err(|_| {
        "give the 64 hexadecimal digits that `siloscope serve` and `siloscope keys show` print"
            .to_owned()
    })
}

/// A silo on the command line, by number or by the name of its keys.
///
/// # Errors
/// If it is neither.
pub fn silo(text: &str) -> Result<SiloId, String> {
    text.strip_prefix("silo-")
        .unwrap_or(text)
        .parse()
        .map(SiloId)
        .map_err(|_| "give a silo as 3 or silo-3".to_owned())
}
