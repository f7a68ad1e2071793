//! The coordinator's end: who comes in, and who is turned away.

use super::credentials::holder;
use super::limits::INTRODUCTION;
use super::{Credentials, Farewell, KeyError, Limits, Parting, Peer, QuicLink, Why, tls};
use primitives::{Digest, SiloId};
use quinn::{Connecting, Connection, ConnectionError, Endpoint, ServerConfig};
use rustls::pki_types::CertificateDer;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{Notify, Semaphore, mpsc};

/// Handshakes at the same time; whoever comes beyond them is told to come again.
const HANDSHAKES: usize = 64;

/// Visits that wait for the driver.
const VISITS: usize = 16;

/// Listens for the silos of one federation.
#[derive(Debug)]
pub struct Listener {
    endpoint: Endpoint,
    visits: mpsc::Receiver<Visit>,
    bell: Arc<Notify>,
}

/// Somebody came.
#[derive(Debug)]
pub enum Visit {
    /// A silo of the federation.
    Arrived(Arrival),
    /// Somebody who was turned away.
    TurnedAway {
        /// From where.
        address: SocketAddr,
        /// Why.
        parting: Parting,
    },
}

/// A silo that has shown its certificate.
#[derive(Debug)]
pub struct Arrival {
    /// Whose certificate it is.
    pub silo: SiloId,
    /// SHA-256 of the certificate.
    pub certificate: Digest,
    /// From where it came.
    pub address: SocketAddr,
    /// Its link.
    pub link: QuicLink,
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The keys are not the coordinator's.
    #[error("these are the keys of {0}: a server needs the coordinator's")]
    NotTheCoordinator(Peer),
    /// The system refuses.
    #[error("cannot listen on UDP {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's answer.
        source: std::io::Error,
    },
}

impl Listener {
    /// Listens on `address`. Call it within a tokio runtime.
    ///
    /// # Errors
    /// If the keys are not a coordinator's, or the address is taken.
    pub fn bind(
        address: SocketAddr,
        credentials: &Credentials,
        limits: Limits,
    ) -> Result<Self, ListenError> {
        if credentials.peer() != Peer::Coordinator {
            return Err(ListenError::NotTheCoordinator(credentials.peer()));
        }
        let [elsewhere, here] = tls::server(credentials, &limits)?;
        let endpoint = tls::endpoint(address, Some(elsewhere))
            .map_err(|source| ListenError::Bind { address, source })?;
        let (sender, visits) = mpsc::channel(VISITS);
        let bell = Arc::new(Notify::new());
        tokio::spawn(accept(
            endpoint.clone(),
            Arc::new(here),
            limits,
            sender,
            Arc::clone(&bell),
        ));
        Ok(Self {
            endpoint,
            visits,
            bell,
        })
    }

    /// The address, with the port that the system chose if none was given.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.endpoint.local_addr()
    }

    /// The next visit, if there was one.
    pub fn visit(&mut self) -> Option<Visit> {
        self.visits.try_recv().ok()
    }

    /// Waits until there is something to look at: a visit, a frame on one of its links, or the end of one.
    pub async fn news(&self) {
        self.bell.notified().await;
    }

    /// Lets nobody else in and waits until every peer has heard the last words, for a few seconds at most.
    pub async fn quiet(&self) {
        self.endpoint.set_server_config(None);
        let _ = tokio::time::timeout(INTRODUCTION, self.endpoint.wait_idle()).await;
    }
}

async fn accept(
    endpoint: Endpoint,
    here: Arc<ServerConfig>,
    limits: Limits,
    visits: mpsc::Sender<Visit>,
    bell: Arc<Notify>,
) {
    let room = Arc::new(Semaphore::new(HANDSHAKES));
    while let Some(incoming) = endpoint.accept().await {
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            incoming.refuse();
            continue;
        };
        // Half full: whoever comes must show that it can be answered at the address it comes from.
        if room.available_permits() < HANDSHAKES / 2 && !incoming.remote_address_validated() {
            let _ = incoming.retry();
            continue;
        }
        let (visits, bell) = (visits.clone(), Arc::clone(&bell));
        let address = incoming.remote_address();
        let here = address.ip().is_loopback().then(|| Arc::clone(&here));
        tokio::spawn(async move {
            let connecting = match here {
                Some(config) => incoming.accept_with(config),
                None => incoming.accept(),
            };
            let visit = match introduce(connecting, address, limits, Arc::clone(&bell)).await {
                Ok(arrival) => Visit::Arrived(arrival),
                Err(parting) => Visit::TurnedAway { address, parting },
            };
            // A driver that is gone lets the link go, which closes it.
            let _ = visits.send(visit).await;
            bell.notify_one();
            drop(place);
        });
    }
}

/// The handshake, and the stream that the silo opens.
async fn introduce(
    connecting: Result<Connecting, ConnectionError>,
    address: SocketAddr,
    limits: Limits,
    bell: Arc<Notify>,
) -> Result<Arrival, Parting> {
    let connecting = connecting.map_err(|error| Parting::of(&error, None))?;
    let connection = tokio::time::timeout(INTRODUCTION, connecting)
        .await
        .map_err(|_| Parting::Silent)?
        .map_err(|error| Parting::of(&error, None))?;
    let part = |farewell: Farewell| {
        connection.close(farewell.code(), farewell.bytes());
        Parting::Here(farewell)
    };
    let (silo, certificate) = silo_of(&connection).map_err(part)?;
    let stream = tokio::time::timeout(INTRODUCTION, connection.accept_bi())
        .await
        .map_err(|_| {
            part(Farewell::new(
                Why::SaidNothing,
                format!("{silo} has said nothing for {} s", INTRODUCTION.as_secs()),
            ))
        })?
        .map_err(|error| Parting::of(&error, None))?;
    let link = QuicLink::new(connection.clone(), stream, limits, bell);
    Ok(Arrival {
        silo,
        certificate,
        address,
        link,
    })
}

/// Whose certificate was shown. That it is one of the federation's is known from the handshake.
fn silo_of(connection: &Connection) -> Result<(SiloId, Digest), Farewell> {
    let shown = connection
        .peer_identity()
        .and_then(|identity| identity.downcast::<Vec<CertificateDer<'static>>>().ok());
    let certificate = shown.as_ref().and_then(|chain| chain.first());
    match certificate.map(|certificate| holder(certificate).map(|peer| (peer, certificate))) {
        Some(Ok(((Peer::Silo(silo), _), certificate))) => Ok((silo, Digest::of(certificate))),
        Some(Ok(((peer, _), _))) => Err(Farewell::new(
            Why::NotASilo,
            format!("these are the keys of {peer}: only silos may join"),
        )),
        Some(Err(error)) => Err(Farewell::new(Why::NotASilo, error.to_string())),
        None => Err(Farewell::new(Why::NotASilo, "no certificate was shown")),
    }
}
