//! Who comes in: silos of the roster, one connection each, and nobody who broke the rules.

use super::args::ServeSettings;
use super::deny_list::DenyList;
use super::rendezvous::{self, Rendezvous};
use crate::exit::Failure;
use crate::progress::Progress;
use primitives::{Digest, SiloId};
use protocol::Refusal;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use transport::quic::{Arrival, Credentials, Farewell, Limits, Listener, Visit, Why};

/// Strangers whose refusal is told; more are not worth a line.
const STRANGERS: usize = 1000;

/// The door of a served run.
pub struct Door {
    listener: Listener,
    roster: BTreeSet<SiloId>,
    /// Silos that broke the rules: how, and in what words.
    barred: BTreeMap<SiloId, (Refusal, String)>,
    denied: Option<DenyList>,
    /// Who was turned away, and told.
    turned_away: BTreeSet<String>,
    rendezvous: Option<PathBuf>,
}

impl Door {
    /// Opens the door for `roster`, and writes where it is.
    ///
    /// # Errors
    /// If the address cannot be listened on, or the file cannot be written.
    pub fn open(
        settings: &ServeSettings,
        keys: &Credentials,
        limits: Limits,
        roster: BTreeSet<SiloId>,
        plan: Digest,
    ) -> Result<(Self, String), Failure> {
        let denied = settings.deny.clone().map(DenyList::open).transpose()?;
        let listener = Listener::bind(settings.listen, keys, limits).map_err(Failure::run)?;
        let address = listener.address().map_err(Failure::run)?;
        if let Some(path) = &settings.rendezvous {
            let addresses = if settings.advertise.is_empty() {
                rendezvous::reachable(address)
            } else {
                settings.advertise.clone()
            };
            Rendezvous::new(addresses, keys.fingerprint(), plan).write(path)?;
        }
        let opening = format!(
            "listening on UDP {address} for {} silos; certificate {}",
            roster.len(),
            keys.fingerprint()
        );
        let door = Self {
            listener,
            roster,
            barred: BTreeMap::new(),
            denied,
            turned_away: BTreeSet::new(),
            rendezvous: settings.rendezvous.clone(),
        };
        Ok((door, opening))
    }

    /// Who may come in.
    pub const fn roster(&self) -> &BTreeSet<SiloId> {
        &self.roster
    }

    /// Who may not any more, and why.
    pub const fn barred(&self) -> &BTreeMap<SiloId, (Refusal, String)> {
        &self.barred
    }

    /// Closes the door on a silo for as long as this process lives.
    pub fn bar(&mut self, silo: SiloId, refusal: Refusal, words: String) {
        self.barred.insert(silo, (refusal, words));
    }

    /// The next silo that comes in, if one has come; whoever else came is told why not. `is_connected` says who
    /// is in already.
    pub fn arrival(
        &mut self,
        is_connected: impl Fn(SiloId) -> bool,
        progress: &Progress,
    ) -> Option<Arrival> {
        loop {
            match self.listener.visit()? {
                Visit::Arrived(mut arrival) => {
                    let Arrival { silo, address, .. } = arrival;
                    let denied = self.denial(arrival.certificate, progress);
                    let Some(farewell) = denied.or_else(|| self.objection(silo, &is_connected))
                    else {
                        return Some(arrival);
                    };
                    let words = &farewell.words;
                    progress.say(&format!("turned away {silo} from {address}: {words}"));
                    arrival.link.part(farewell);
                }
                Visit::TurnedAway { address, parting } => {
                    let line = format!("turned away {}: {parting}", address.ip());
                    if self.turned_away.len() < STRANGERS && self.turned_away.insert(line.clone()) {
                        progress.say(&line);
                    }
                }
            }
        }
    }

    fn denial(&mut self, certificate: Digest, progress: &Progress) -> Option<Farewell> {
        let denied = self.denied.as_mut()?;
        denied.denies(certificate, progress).then(|| {
            let words = format!("certificate {certificate} is on the coordinator's deny list");
            Farewell::new(Why::Denied, words)
        })
    }

    fn objection(&self, silo: SiloId, is_connected: impl Fn(SiloId) -> bool) -> Option<Farewell> {
        if let Some((_, words)) = self.barred.get(&silo) {
            let words = format!("{silo} is out of this run: {words}");
            return Some(Farewell::new(Why::Barred, words));
        }
        if !self.roster.contains(&silo) {
            let words = Refusal::UnknownSilo { silo }.to_string();
            return Some(Farewell::new(Why::Refused, words));
        }
        is_connected(silo).then(|| {
            let words = format!("{silo} is connected already: one process a silo");
            Farewell::new(Why::ConnectedAlready, words)
        })
    }

    /// Waits until somebody has come, or there is something to look at on a link.
    pub async fn news(&self) {
        self.listener.news().await;
    }

    /// Takes back the word of where it is, so that nobody who is sent away comes here again.
    pub fn hide(&mut self) {
        if let Some(path) = self.rendezvous.take() {
            // A file that stays misleads for a while at most.
            let _ = std::fs::remove_file(path);
        }
    }

    /// Closes the door, once everybody has heard the last words.
    pub async fn close(&self) {
        self.listener.quiet().await;
    }
}
