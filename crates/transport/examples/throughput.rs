//! How fast a model travels over a QUIC link, beside the bytes of the same length over a plain quinn stream.
//!
//! ```sh
//! cargo run --release -p siloscope-transport --example throughput -- [MiB] [repeats]
//! ```
//!
//! Both ends have a thread and a runtime of their own, as two processes would, on loopback. *link*: a model of 32-bit
//! values is encoded into frames, sent, cut out of the stream, decoded and put together. *quinn*: writes of 1 MiB, and
//! whatever arrives is dropped; once as quinn does it without being told, and once with the datagrams, the first congestion
//! window and the socket buffers that the link has on loopback. They take turns; ratios are those of medians.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement")]

use primitives::{ModelVector, Round, SiloId};
use protocol::{Compression, MessageReader, Task, ToSilo, encode};
use quinn::congestion::CubicConfig;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    ClientConfig, Endpoint, EndpointConfig, ServerConfig, TokioRuntime, TransportConfig, VarInt,
};
use rustls::pki_types::PrivateKeyDer;
use siloscope_transport::Link;
use siloscope_transport::quic::{
    Authority, Credentials, Limits, Listener, Peer, Term, Visit, dial,
};
use socket2::SockRef;
use std::future::Future;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

const MIB: usize = 1 << 20;

fn main() {
    let mut args = std::env::args().skip(1);
    let mut number = |default| args.next().map_or(default, |arg| arg.parse().unwrap());
    let (mebibytes, repeats): (usize, usize) = (number(256), number(5));
    let model: ModelVector = (0..mebibytes * MIB / 4)
        .map(|i| i as f32)
        .collect::<Vec<_>>()
        .into();
    let (mut link, mut quinn, mut tuned) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..repeats {
        link.push(rate(mebibytes, over_link(&model)));
        quinn.push(rate(mebibytes, over_quinn(mebibytes, false)));
        tuned.push(rate(mebibytes, over_quinn(mebibytes, true)));
    }
    let of_link = median(&mut link);
    println!("link          {link:7.0?} MiB/s, median {of_link:.0}");
    for (name, mut rates) in [("quinn", quinn), ("quinn, tuned", tuned)] {
        let median = median(&mut rates);
        let ratio = of_link / median;
        println!("{name:13} {rates:7.0?} MiB/s, median {median:.0}; link to it {ratio:.2}");
    }
}

fn rate(mebibytes: usize, time: Duration) -> f64 {
    mebibytes as f64 / time.as_secs_f64()
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(future)
}

const HERE: &str = "127.0.0.1:0";

/// The largest datagrams of a link.
const DATAGRAM: u16 = 6500;

/// From the first byte that the coordinator encodes to the silo's whole model.
fn over_link(model: &ModelVector) -> Duration {
    let authority = Authority::create(Term::days_from_now(1)).unwrap();
    let root = authority.keys().unwrap().certificate;
    let keys = |peer| {
        let issued = authority.issue(peer, Term::days_from_now(1)).unwrap();
        Credentials::from_pem(&root, &issued.certificate, &issued.key).unwrap()
    };
    let (coordinator, silo) = (keys(Peer::Coordinator), keys(Peer::Silo(SiloId(0))));
    let values = model.len() as u64;
    let limits = Limits::for_vectors(values, Duration::from_secs(20));
    let task = ToSilo::Train(Task {
        round: Round(1),
        model: model.clone(),
        clip_norm: None,
    });
    let (address, at) = mpsc::channel();
    let server = std::thread::spawn(move || {
        block_on(async {
            let mut listener = Listener::bind(HERE.parse().unwrap(), &coordinator, limits).unwrap();
            address.send(listener.address().unwrap()).unwrap();
            let mut link = loop {
                match listener.visit() {
                    Some(Visit::Arrived(arrival)) => break arrival.link,
                    Some(Visit::TurnedAway { parting, .. }) => panic!("{parting}"),
                    None => listener.news().await,
                }
            };
            link.arrival().await.unwrap();
            let begun = Instant::now();
            for frame in encode(task, Compression::None).unwrap() {
                while !link.has_room() {
                    link.news().await;
                }
                link.send(frame).unwrap();
            }
            // The silo closes when it has everything.
            link.ended().await;
            begun
        })
    });
    let ended = block_on(async {
        let mut link = dial(at.recv().unwrap(), &silo, None, limits).await.unwrap();
        link.send(protocol::Frame::try_new(Vec::new()).unwrap())
            .unwrap();
        let mut reader = MessageReader::<ToSilo>::new(values);
        loop {
            let frame = link.arrival().await.unwrap();
            if let Some(ToSilo::Train(task)) = reader.read(&frame).unwrap() {
                assert_eq!(task.model.len() as u64, values);
                let ended = Instant::now();
                link.quiet().await;
                break ended;
            }
        }
    });
    ended - server.join().unwrap()
}

/// A plain endpoint, or one with the socket of a link.
fn endpoint(server: Option<ServerConfig>, tuned: bool) -> Endpoint {
    let socket = UdpSocket::bind(HERE).unwrap();
    let mut config = EndpointConfig::default();
    if tuned {
        SockRef::from(&socket)
            .set_recv_buffer_size(4 * MIB)
            .unwrap();
        SockRef::from(&socket)
            .set_send_buffer_size(4 * MIB)
            .unwrap();
        config.max_udp_payload_size(DATAGRAM).unwrap();
    }
    Endpoint::new(config, server, socket, Arc::new(TokioRuntime)).unwrap()
}

/// From the first byte that the server writes to the last that the client reads.
fn over_quinn(mebibytes: usize, tuned: bool) -> Duration {
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = signed.cert.der().clone();
    let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut transport = TransportConfig::default();
    let window = VarInt::from_u32(8 << 20);
    transport
        .stream_receive_window(window)
        .receive_window(window)
        .send_window(8 << 20);
    if tuned {
        let mut congestion = CubicConfig::default();
        congestion.initial_window(8 << 20);
        transport
            .initial_mtu(DATAGRAM)
            .mtu_discovery_config(None)
            .congestion_controller_factory(Arc::new(congestion));
    }
    let transport = Arc::new(transport);
    let mut server =
        ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(server).unwrap()));
    server.transport_config(Arc::clone(&transport));
    let mut client = ClientConfig::new(Arc::new(QuicClientConfig::try_from(client).unwrap()));
    client.transport_config(transport);

    let (address, at) = mpsc::channel::<SocketAddr>();
    let server = std::thread::spawn(move || {
        block_on(async {
            let endpoint = endpoint(Some(server), tuned);
            address.send(endpoint.local_addr().unwrap()).unwrap();
            let connection = endpoint.accept().await.unwrap().await.unwrap();
            let (mut send, mut receive) = connection.accept_bi().await.unwrap();
            receive.read_chunk(1, true).await.unwrap();
            let piece = vec![7; MIB];
            let begun = Instant::now();
            for _ in 0..mebibytes {
                send.write_all(&piece).await.unwrap();
            }
            send.finish().unwrap();
            connection.closed().await;
            begun
        })
    });
    let ended = block_on(async {
        let endpoint = endpoint(None, tuned);
        let connecting = endpoint.connect_with(client, at.recv().unwrap(), "localhost");
        let connection = connecting.unwrap().await.unwrap();
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        send.write_all(b"!").await.unwrap();
        let mut bytes = 0;
        while let Some(chunk) = receive.read_chunk(usize::MAX, true).await.unwrap() {
            bytes += chunk.bytes.len();
        }
        assert_eq!(bytes, mebibytes * MIB);
        let ended = Instant::now();
        connection.close(0u32.into(), b"");
        endpoint.wait_idle().await;
        ended
    });
    ended - server.join().unwrap()
}
