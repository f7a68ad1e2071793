//! TLS 1.3 in which both ends show a certificate of the same federation.

use super::limits::{DATAGRAM, SOCKET_BUFFER, WINDOW};
use super::{Credentials, KeyError, Limits};
use quinn::congestion::CubicConfig;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    Endpoint, EndpointConfig, IdleTimeout, MtuDiscoveryConfig, TokioRuntime, TransportConfig,
    VarInt,
};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use socket2::SockRef;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

/// The name of the protocol and its version, agreed on in the handshake.
pub(super) fn alpn(version: u16) -> String {
    format!("siloscope/{version}")
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn roots(credentials: &Credentials) -> Result<Arc<RootCertStore>, KeyError> {
    let mut roots = RootCertStore::empty();
    roots
        .add(credentials.authority().clone())
        .map_err(KeyError::mismatch)?;
    Ok(Arc::new(roots))
}

/// The coordinator's side: only certificates of its own authority come in. Nothing of a connection is kept
/// for a later one, so every handshake looks at a certificate and its dates.
///
/// The first configuration is for peers elsewhere, the second for those on this machine.
pub(super) fn server(
    credentials: &Credentials,
    limits: &Limits,
) -> Result<[quinn::ServerConfig; 2], KeyError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(credentials)?, provider())
        .build()
        .map_err(KeyError::mismatch)?;
    let mut tls = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(KeyError::mismatch)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(credentials.chain(), credentials.key())
        .map_err(KeyError::mismatch)?;
    tls.alpn_protocols = vec![alpn(protocol::PROTOCOL_VERSION).into_bytes()];
    tls.session_storage = Arc::new(NoServerSessionStorage {});
    tls.send_tls13_tickets = 0;
    let crypto = QuicServerConfig::try_from(tls).map_err(KeyError::mismatch)?;
    let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    Ok([false, true].map(|is_here| {
        let mut config = config.clone();
        config.transport_config(Arc::new(transport(limits, 1, is_here)));
        config
    }))
}

/// A silo's side, for a server that is on this machine or elsewhere: it must be the coordinator of its own federation.
pub(super) fn client(
    credentials: &Credentials,
    version: u16,
    limits: &Limits,
    is_here: bool,
) -> Result<quinn::ClientConfig, KeyError> {
    let mut tls = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(KeyError::mismatch)?
        .with_root_certificates(roots(credentials)?)
        .with_client_auth_cert(credentials.chain(), credentials.key())
        .map_err(KeyError::mismatch)?;
    tls.alpn_protocols = vec![alpn(version).into_bytes()];
    tls.resumption = rustls::client::Resumption::disabled();
    let crypto = QuicClientConfig::try_from(tls).map_err(KeyError::mismatch)?;
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport(limits, 0, is_here)));
    Ok(config)
}

/// The socket at `address`, ready for datagrams as large as are tried.
pub(super) fn endpoint(
    address: SocketAddr,
    server: Option<quinn::ServerConfig>,
) -> std::io::Result<Endpoint> {
    let mut config = EndpointConfig::default();
    config
        .max_udp_payload_size(DATAGRAM)
        .expect("a size that QUIC allows");
    let socket = UdpSocket::bind(address)?;
    // Where the system allows less, it is less.
    let _ = SockRef::from(&socket).set_recv_buffer_size(SOCKET_BUFFER);
    let _ = SockRef::from(&socket).set_send_buffer_size(SOCKET_BUFFER);
    Endpoint::new(config, server, socket, Arc::new(TokioRuntime))
}

/// One stream, opened by the silo, and nothing else; windows that bound what either end keeps.
fn transport(limits: &Limits, streams: u32, is_here: bool) -> TransportConfig {
    let mut transport = TransportConfig::default();
    // A time that QUIC cannot express is longer than anyone waits.
    let silence = IdleTimeout::try_from(limits.silence).ok();
    if is_here {
        // Known without probes, which are made of padding. And there is no network that has to be asked, by sending ever
        // more, how much it carries.
        let mut congestion = CubicConfig::default();
        congestion.initial_window(WINDOW.into());
        transport
            .initial_mtu(DATAGRAM)
            .mtu_discovery_config(None)
            .congestion_controller_factory(Arc::new(congestion));
    } else {
        let mut discovery = MtuDiscoveryConfig::default();
        discovery.upper_bound(DATAGRAM);
        transport.mtu_discovery_config(Some(discovery));
    }
    transport
        .max_concurrent_bidi_streams(streams.into())
        .max_concurrent_uni_streams(0u32.into())
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(WINDOW))
        .receive_window(VarInt::from_u32(WINDOW))
        .send_window(WINDOW.into())
        .max_idle_timeout(silence)
        .keep_alive_interval(Some(limits.keep_alive()));
    transport
}
