//! The command line of federations whose silos are other processes: serving, joining, keys.

use crate::args::{MakeArgs, SpeedArgs, setting};
use crate::exit::Failure;
use clap::{Args, Subcommand};
use primitives::Digest;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;
use training::Device;
use transport::quic::Peer;

/// A run to serve.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The run.
    #[command(flatten)]
    pub make: MakeArgs,
    /// How to serve it.
    #[command(flatten)]
    pub settings: ServeSettings,
    /// Stop as by Ctrl-C when stdin ends
    #[arg(long, hide = true)]
    pub tethered: bool,
}

/// How a run is served; kept in its folder, so that `siloscope resume` serves it again.
#[derive(Clone, Debug, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServeSettings {
    /// The folder with the coordinator's keys, as `siloscope keys init` made it
    #[arg(long, value_name = "DIR")]
    pub keys: PathBuf,
    /// The UDP address to listen on; port 0 lets the system choose
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0:4433")]
    pub listen: SocketAddr,
    /// Write address and fingerprint to this file, for silos that wait for it
    #[arg(long, value_name = "FILE")]
    pub rendezvous: Option<PathBuf>,
    /// The host:port to write there instead of this host's own (repeatable)
    #[arg(long, value_name = "HOST:PORT", requires = "rendezvous")]
    pub advertise: Vec<String>,
    /// Let in no certificate whose SHA-256 this file names, one a line; it is read again whenever a silo comes
    #[arg(long, value_name = "FILE")]
    #[serde(default)]
    pub deny: Option<PathBuf>,
    /// Show rounds, silos, bytes and the worst-off subject's epsilon at http://ADDR/metrics, for Prometheus
    #[arg(long, value_name = "ADDR")]
    pub metrics: Option<SocketAddr>,
    /// The links.
    #[command(flatten)]
    pub link: LinkArgs,
}

impl ServeSettings {
    /// The same from whatever folder the run is resumed.
    ///
    /// # Errors
    /// If there is no current folder.
    pub fn absolute(&self) -> Result<Self, Failure> {
        let absolute = |path: &PathBuf| std::path::absolute(path).map_err(Failure::run);
        Ok(Self {
            keys: absolute(&self.keys)?,
            rendezvous: self.rendezvous.as_ref().map(absolute).transpose()?,
            deny: self.deny.as_ref().map(absolute).transpose()?,
            ..self.clone()
        })
    }
}

/// Settings of a link that change no number.
#[derive(Clone, Copy, Debug, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkArgs {
    /// A connection over which nothing has come for so long is lost
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=3600))]
    silence: u32,
}

impl LinkArgs {
    /// How long a link may be silent.
    pub const fn silence(self) -> Duration {
        Duration::from_secs(self.silence as u64)
    }
}

/// A silo that takes part.
#[derive(Debug, Args)]
pub struct JoinArgs {
    /// The coordinator's scenario: a catalogue name or the path of a file
    pub scenario: String,
    /// Change a key of the scenario as the coordinator does, e.g. --set privacy.clip_norm=0.5 (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub set: Vec<String>,
    /// Train on cpu, cuda (cuda:1, …), vulkan or auto, the best that is there, whatever device the plan names: the plan
    /// stays the coordinator's, and updates agree with those of its device to rounding, not to the bit
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<Device>,
    /// Which silo: its number or its name; given several times, one process holds them all
    #[arg(long, value_name = "SILO", required = true)]
    pub silo: Vec<String>,
    /// The folder with this silo's keys, or the one above it
    #[arg(long, value_name = "DIR")]
    pub keys: PathBuf,
    /// Where the coordinator is
    #[arg(
        long,
        value_name = "HOST:PORT",
        conflicts_with = "rendezvous",
        required_unless_present = "rendezvous"
    )]
    pub server: Option<String>,
    /// Admit no other certificate than the one with this SHA-256, which `serve` prints
    #[arg(long, value_name = "HEX", requires = "server", value_parser = crate::keys::fingerprint)]
    pub fingerprint: Option<Digest>,
    /// Wait for the file that `serve --rendezvous` writes, and go where it says
    #[arg(long, value_name = "FILE")]
    pub rendezvous: Option<PathBuf>,
    /// Where the silo keeps its ledger and its last update
    #[arg(long, value_name = "DIR", default_value = "silos")]
    pub out: PathBuf,
    /// Give up when there was no coordinator for so long
    #[arg(long, value_name = "SECONDS", default_value = "600")]
    patience: u32,
    /// The link.
    #[command(flatten)]
    pub link: LinkArgs,
    /// How fast to do it.
    #[command(flatten)]
    pub speed: SpeedArgs,
    /// Stop as by Ctrl-C when stdin ends
    #[arg(long, hide = true)]
    pub tethered: bool,
}

impl JoinArgs {
    /// How long to go without a coordinator.
    pub const fn patience(&self) -> Duration {
        Duration::from_secs(self.patience as u64)
    }
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Make a federation's authority, the coordinator's keys, and a key pair for each silo
    Init(KeysInitArgs),
    /// Issue keys for one more silo, or anew for one whose keys expire or were lost
    Add(KeysAddArgs),
    /// Show whose keys a folder holds, their fingerprints, and until when they are good
    Show(KeysShowArgs),
}

/// Keys of a new federation.
#[derive(Debug, Args)]
pub struct KeysInitArgs {
    /// The folder to make; it must not be there
    #[arg(value_name = "DIR", default_value = "keys")]
    pub keys: PathBuf,
    /// How many silos the federation has
    #[arg(long, value_name = "N")]
    pub silos: NonZeroU32,
    /// How long the certificates are good
    #[arg(long, value_name = "DAYS", default_value = "365")]
    pub days: NonZeroU32,
}

/// Keys for one peer.
#[derive(Debug, Args)]
pub struct KeysAddArgs {
    /// The folder that `keys init` made, with the authority's key in it
    #[arg(value_name = "DIR")]
    pub keys: PathBuf,
    /// For whom: coordinator, or a silo as 3 or silo-3
    #[arg(value_name = "PEER", value_parser = crate::keys::peer)]
    pub peer: Peer,
    /// Remove the keys that are there
    #[arg(long)]
    pub replace: bool,
    /// How long the certificate is good
    #[arg(long, value_name = "DAYS", default_value = "365")]
    pub days: NonZeroU32,
}

/// Keys to look at.
#[derive(Debug, Args)]
pub struct KeysShowArgs {
    /// A folder that `keys init` made, or one of the folders in it
    #[arg(value_name = "DIR", default_value = "keys")]
    pub keys: PathBuf,
}
