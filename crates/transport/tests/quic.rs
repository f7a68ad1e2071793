//! Who is let in over QUIC, who is not, and that both ends can say why.

#![cfg(feature = "quic")]
#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

use primitives::{Digest, SiloId};
use protocol::Frame;
use siloscope_transport::quic::{
    Arrival, Authority, Credentials, Farewell, Limits, ListenError, Listener, Parting, Peer,
    QuicLink, Term, Visit, Why, dial, dial_speaking,
};
use siloscope_transport::{Link, LinkError};
use std::net::SocketAddr;
use std::time::Duration;

/// A federation's authority, with the certificate that its members trust.
struct Federation {
    authority: Authority,
    root: String,
}

impl Federation {
    fn new() -> Self {
        let authority = Authority::create(Term::days_from_now(1)).unwrap();
        let root = authority.keys().unwrap().certificate;
        Self { authority, root }
    }

    fn keys(&self, peer: Peer) -> Credentials {
        self.keys_for(peer, Term::days_from_now(1))
    }

    fn keys_for(&self, peer: Peer, term: Term) -> Credentials {
        let issued = self.authority.issue(peer, term).unwrap();
        Credentials::from_pem(&self.root, &issued.certificate, &issued.key).unwrap()
    }
}

const SILO: Peer = Peer::Silo(SiloId(1));

fn limits() -> Limits {
    Limits::for_vectors(100, Duration::from_secs(20))
}

fn listen(keys: &Credentials) -> (Listener, SocketAddr) {
    let here = "127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(here, keys, limits()).unwrap();
    let address = listener.address().unwrap();
    (listener, address)
}

async fn visit(listener: &mut Listener) -> Visit {
    loop {
        match listener.visit() {
            Some(visit) => return visit,
            None => listener.news().await,
        }
    }
}

async fn arrival(listener: &mut Listener) -> Arrival {
    match visit(listener).await {
        Visit::Arrived(arrival) => arrival,
        Visit::TurnedAway { parting, .. } => panic!("turned away: {parting}"),
    }
}

fn hello() -> Frame {
    Frame::try_new(b"hello".to_vec()).unwrap()
}

/// A silo that has been let in, at both ends.
async fn pair(federation: &Federation) -> (Listener, QuicLink, QuicLink) {
    pair_within(federation, limits()).await
}

async fn pair_within(federation: &Federation, limits: Limits) -> (Listener, QuicLink, QuicLink) {
    let here = "127.0.0.1:0".parse().unwrap();
    let mut listener = Listener::bind(here, &federation.keys(Peer::Coordinator), limits).unwrap();
    let address = listener.address().unwrap();
    let mut silo = dial(address, &federation.keys(SILO), None, limits)
        .await
        .unwrap();
    silo.send(hello()).unwrap();
    let mut arrived = arrival(&mut listener).await;
    assert_eq!(arrived.silo, SiloId(1));
    assert_eq!(arrived.link.arrival().await, Ok(hello()));
    (listener, arrived.link, silo)
}

/// What both ends say when a silo with `silo` comes to a server with `server`: the server first.
async fn words_of(server: &Credentials, silo: &Credentials) -> (String, String) {
    let (mut listener, address) = listen(server);
    let silo = async {
        match dial(address, silo, None, limits()).await {
            Ok(mut link) => {
                let _ = link.send(hello());
                link.ended().await
            }
            Err(parting) => parting,
        }
    };
    let (visit, silo) = tokio::join!(visit(&mut listener), silo);
    match visit {
        Visit::TurnedAway { parting, .. } => (parting.to_string(), silo.to_string()),
        Visit::Arrived(arrival) => panic!("let in: {arrival:?}"),
    }
}

#[track_caller]
fn says(words: &str, expected: &str) {
    assert!(words.contains(expected), "no {expected:?} in {words:?}");
}

#[tokio::test]
async fn a_certificate_of_another_federation() {
    let (ours, theirs) = (Federation::new(), Federation::new());
    // A silo that trusts our server, with a certificate that another authority issued.
    let issued = theirs
        .authority
        .issue(SILO, Term::days_from_now(1))
        .unwrap();
    let foreign = Credentials::from_pem(&ours.root, &issued.certificate, &issued.key).unwrap();
    let (mut listener, address) = listen(&ours.keys(Peer::Coordinator));
    // It looks for the coordinator of the federation that its own certificate names.
    let refused = dial(address, &foreign, None, limits()).await.unwrap_err();
    says(
        &refused.to_string(),
        "refused: the other end's certificate is not one for this role",
    );
    let Visit::TurnedAway { parting, .. } = visit(&mut listener).await else {
        panic!("let in")
    };
    says(&parting.to_string(), "refused by the other end");

    // A server of another federation altogether.
    let (server, silo) = words_of(&theirs.keys(Peer::Coordinator), &ours.keys(SILO)).await;
    says(
        &silo,
        "refused: the other end's certificate is not of this federation",
    );
    says(
        &server,
        "refused by the other end: this end's certificate is not of this federation",
    );
}

#[tokio::test]
async fn an_expired_certificate() {
    let federation = Federation::new();
    let old = federation.keys_for(SILO, Term::last_year());
    let (server, silo) = words_of(&federation.keys(Peer::Coordinator), &old).await;
    says(&server, "refused: the other end's certificate has expired");
    says(
        &silo,
        "refused by the other end: this end's certificate has expired",
    );

    let old = federation.keys_for(Peer::Coordinator, Term::last_year());
    let (server, silo) = words_of(&old, &federation.keys(SILO)).await;
    says(&silo, "refused: the other end's certificate has expired");
    says(
        &server,
        "refused by the other end: this end's certificate has expired",
    );
}

#[tokio::test]
async fn keys_for_another_role() {
    let federation = Federation::new();
    let coordinator = federation.keys(Peer::Coordinator);
    let (server, silo) = words_of(&coordinator, &federation.keys(Peer::Coordinator)).await;
    says(
        &server,
        "refused: the other end's certificate is not one for this role",
    );
    says(
        &silo,
        "refused by the other end: this end's certificate is not one for this role",
    );
    let here = "127.0.0.1:0".parse().unwrap();
    let refused = Listener::bind(here, &federation.keys(SILO), limits()).unwrap_err();
    assert!(
        matches!(refused, ListenError::NotTheCoordinator(SILO)),
        "{refused}"
    );
}

#[tokio::test]
async fn another_version_of_the_protocol() {
    let federation = Federation::new();
    let (mut listener, address) = listen(&federation.keys(Peer::Coordinator));
    let keys = federation.keys(SILO);
    let version = protocol::PROTOCOL_VERSION;
    let (visit, refused) = tokio::join!(
        visit(&mut listener),
        dial_speaking(version + 1, address, &keys, None, limits())
    );
    let expected = format!("does not speak siloscope/{version}");
    says(&refused.unwrap_err().to_string(), &expected);
    let Visit::TurnedAway { parting, .. } = visit else {
        panic!("let in")
    };
    says(&parting.to_string(), &expected);
}

#[tokio::test]
async fn a_pinned_certificate_is_the_only_one() {
    let federation = Federation::new();
    let coordinator = federation.keys(Peer::Coordinator);
    let (mut listener, address) = listen(&coordinator);
    let silo = federation.keys(SILO);
    let another = Some(Digest::of(b"another certificate"));
    let (visit, refused) = tokio::join!(
        visit(&mut listener),
        dial(address, &silo, another, limits())
    );
    let refused = refused.unwrap_err();
    assert_eq!(refused.why(), Some(Why::NotPinned));
    says(&refused.to_string(), &coordinator.fingerprint().to_string());
    let Visit::TurnedAway { parting, .. } = visit else {
        panic!("let in")
    };
    assert_eq!(parting.why(), Some(Why::NotPinned), "{parting}");
    let pin = Some(coordinator.fingerprint());
    assert!(dial(address, &silo, pin, limits()).await.is_ok());
}

#[tokio::test]
async fn last_words_are_heard_after_everything_else() {
    let federation = Federation::new();
    let (_listener, mut coordinator, mut silo) = pair(&federation).await;
    let frames: Vec<Frame> = (0..20u8)
        .map(|i| Frame::try_new(vec![i; 50_000]).unwrap())
        .collect();
    for frame in &frames {
        coordinator.send(frame.clone()).unwrap();
    }
    coordinator.part(Farewell::new(Why::Finished, "the run is over"));
    assert_eq!(coordinator.send(hello()), Err(LinkError::Closed));
    for frame in &frames {
        assert_eq!(silo.arrival().await.as_ref(), Ok(frame));
        silo.allow_more();
    }
    assert_eq!(silo.arrival().await, Err(LinkError::Closed));
    let said = Farewell::new(Why::Finished, "the run is over");
    assert_eq!(silo.parting(), Some(&Parting::There(said)));
}

#[tokio::test]
async fn what_is_no_frame_is_cut_off() {
    let federation = Federation::new();
    let (_listener, mut coordinator, mut silo) = pair(&federation).await;
    silo.send(Frame::try_new(vec![0; limits().frame_bytes as usize + 1]).unwrap())
        .unwrap();
    assert_eq!(coordinator.arrival().await, Err(LinkError::Closed));
    let parting = coordinator.parting().unwrap();
    assert_eq!(parting.why(), Some(Why::Misconduct));
    says(&parting.to_string(), "is larger than the limit of");
    says(
        &silo.ended().await.to_string(),
        "is larger than the limit of",
    );
}

#[tokio::test]
async fn a_flood_is_cut_off_and_an_answer_is_not() {
    let federation = Federation::new();
    let (_listener, mut coordinator, mut silo) = pair(&federation).await;
    let Limits { unasked_frames, .. } = limits();
    // Asked again and again, a silo may speak for as long as the run takes.
    for _ in 0..2 * unasked_frames {
        coordinator.allow_more();
        silo.send(hello()).unwrap();
        assert_eq!(coordinator.arrival().await, Ok(hello()));
    }
    coordinator.allow_more();
    for _ in 0..=unasked_frames {
        silo.send(hello()).unwrap();
    }
    for _ in 0..unasked_frames {
        assert_eq!(coordinator.arrival().await, Ok(hello()));
    }
    assert_eq!(coordinator.arrival().await, Err(LinkError::Closed));
    says(&coordinator.parting().unwrap().to_string(), "flood");
    says(&silo.ended().await.to_string(), "flood");
}

#[tokio::test]
async fn who_does_not_take_what_arrives_stops_the_one_who_sends() {
    let federation = Federation::new();
    // A peer that may send much more than this unasked is stopped by flow control alone.
    let limits = Limits::for_vectors(1 << 24, Duration::from_secs(20));
    let (_listener, coordinator, mut silo) = pair_within(&federation, limits).await;
    let frame = Frame::try_new(vec![7; 1 << 20]).unwrap();
    // Windows of 8 MiB at either end, 2 MiB that may wait, and frames on their way between them.
    let mut sent = 0u64;
    let mut patience = 20_000;
    while patience > 0 {
        if silo.has_room() {
            silo.send(frame.clone()).unwrap();
            sent += frame.wire_len() as u64;
            assert!(sent < 40 << 20, "{sent} bytes were taken and nobody reads");
            patience = 20_000;
        }
        patience -= 1;
        tokio::task::yield_now().await;
    }
    assert_eq!(coordinator.parting(), None);
    // Two frames that wait, and one in the hand of who puts them there.
    let received = coordinator.traffic().received;
    assert!(received < 4 << 20, "{received} bytes were kept");
}

#[tokio::test]
async fn a_silo_that_vanishes_is_noticed() {
    let federation = Federation::new();
    let (_listener, mut coordinator, silo) = pair(&federation).await;
    drop(silo);
    assert_eq!(coordinator.arrival().await, Err(LinkError::Closed));
    says(
        &coordinator.parting().unwrap().to_string(),
        "no longer needed",
    );
}

#[test]
fn credentials_do_not_show_their_key() {
    let federation = Federation::new();
    let issued = federation
        .authority
        .issue(SILO, Term::days_from_now(1))
        .unwrap();
    let keys = Credentials::from_pem(&federation.root, &issued.certificate, &issued.key).unwrap();
    let shown = format!("{keys:?}");
    assert!(shown.contains("SiloId(1)"), "{shown}");
    let secret: String = issued
        .key
        .lines()
        .nth(1)
        .unwrap()
        .chars()
        .take(16)
        .collect();
    assert!(
        !shown.contains(&secret) && !shown.contains("PRIVATE"),
        "{shown}"
    );
    let validity = keys.validity().unwrap();
    assert!(
        validity.from < validity.until && validity.from.starts_with("20"),
        "{validity}"
    );
}

#[test]
fn keys_of_two_peers_do_not_mix() {
    let federation = Federation::new();
    let issue = |peer| {
        federation
            .authority
            .issue(peer, Term::days_from_now(1))
            .unwrap()
    };
    let (one, other) = (issue(SILO), issue(Peer::Coordinator));
    let mixed = Credentials::from_pem(&federation.root, &other.certificate, &one.key).unwrap();
    let here = "127.0.0.1:0".parse().unwrap();
    let error = Listener::bind(here, &mixed, limits()).unwrap_err();
    says(&error.to_string(), "do not go together");
    assert!(Credentials::from_pem(&federation.root, "", &one.key).is_err());
    assert!(Credentials::from_pem(&federation.root, &one.certificate, "").is_err());
}
