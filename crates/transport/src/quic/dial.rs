//! The silo's end: connecting to the coordinator.

use super::limits::INTRODUCTION;
use super::{Credentials, Farewell, Limits, Parting, Peer, QuicLink, Why, tls};
use primitives::Digest;
use quinn::ConnectError;
use rustls::pki_types::CertificateDer;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use tokio::sync::Notify;

/// Connects to the coordinator at `address`. Call it within a tokio runtime.
///
/// The server must show the coordinator's certificate of this silo's federation, and if `pin` is given, it
/// must be the certificate with this SHA-256. The coordinator's own verdict on the silo's certificate comes
/// later: it is the link's [parting](QuicLink::parting).
///
/// # Errors
/// If there is no answer, or no trust.
pub async fn dial(
    address: SocketAddr,
    credentials: &Credentials,
    pin: Option<Digest>,
    limits: Limits,
) -> Result<QuicLink, Parting> {
    dial_speaking(
        protocol::PROTOCOL_VERSION,
        address,
        credentials,
        pin,
        limits,
    )
    .await
}

/// [`dial`] as a release with another version of the protocol would do it.
///
/// # Errors
/// If there is no answer, or no trust.
pub async fn dial_speaking(
    version: u16,
    address: SocketAddr,
    credentials: &Credentials,
    pin: Option<Digest>,
    limits: Limits,
) -> Result<QuicLink, Parting> {
    let broken = |error: &dyn std::fmt::Display| Parting::Broken(error.to_string());
    let config = tls::client(credentials, version, &limits, address.ip().is_loopback())
        .map_err(|error| broken(&error))?;
    let here: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let endpoint = tls::endpoint(here, None).map_err(|error| broken(&error))?;
    let server = Peer::Coordinator.dns_name(credentials.federation());
    let connecting = endpoint
        .connect_with(config, address, &server)
        .map_err(|error: ConnectError| broken(&error))?;
    let connection = tokio::time::timeout(INTRODUCTION, connecting)
        .await
        .map_err(|_| Parting::Silent)?
        .map_err(|error| Parting::of(&error, None))?;
    let shown = connection
        .peer_identity()
        .and_then(|identity| identity.downcast::<Vec<CertificateDer<'static>>>().ok())
        .and_then(|chain| Some(Digest::of(chain.first()?)));
    if pin.is_some() && pin != shown {
        let farewell = Farewell::new(
            Why::NotPinned,
            format!(
                "the server's certificate has the fingerprint {}, pinned is {}",
                shown.map_or_else(String::new, |digest| digest.to_string()),
                pin.map_or_else(String::new, |digest| digest.to_string()),
            ),
        );
        connection.close(farewell.code(), farewell.bytes());
        endpoint.wait_idle().await;
        return Err(Parting::Here(farewell));
    }
    let stream = connection
        .open_bi()
        .await
        .map_err(|error| Parting::of(&error, None))?;
    let bell = Arc::new(Notify::new());
    Ok(QuicLink::new(connection, stream, limits, bell).with_endpoint(endpoint))
}
