//! What every link must do.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

use primitives::{Seed, SiloId};
use protocol::Frame;
use siloscope_transport::{End, Link, LinkError, LinkModel, MemoryNetwork};
use std::num::NonZeroU32;
use std::time::Duration;

/// Two ends of one link, and a way to let everything under way arrive.
trait LinkPair {
    fn end(&mut self, end: End) -> Box<dyn Link + '_>;
    fn settle(&mut self);
}

impl LinkPair for MemoryNetwork {
    fn end(&mut self, end: End) -> Box<dyn Link + '_> {
        Box::new(self.link(SiloId(2), end))
    }

    fn settle(&mut self) {
        self.advance_to(self.now() + Duration::from_hours(1));
    }
}

fn frame(bytes: &[u8]) -> Frame {
    Frame::try_new(bytes.to_vec()).unwrap()
}

const ENDS: [End; 2] = [End::Coordinator, End::Silo];

fn frames_arrive_whole_once_and_in_order(pair: &mut dyn LinkPair) {
    let frames = [
        frame(b""),
        frame(b"a"),
        frame(&vec![7; 100_000]),
        frame(b"a"),
    ];
    for end in ENDS {
        for frame in &frames {
            pair.end(end).send(frame.clone()).unwrap();
        }
    }
    pair.settle();
    for end in ENDS {
        for frame in &frames {
            assert_eq!(pair.end(end).receive().unwrap().as_ref(), Some(frame));
        }
        assert_eq!(pair.end(end).receive(), Ok(None));
    }
}

fn nothing_arrives_at_the_end_that_sent(pair: &mut dyn LinkPair) {
    pair.end(End::Silo).send(frame(b"up")).unwrap();
    pair.settle();
    assert_eq!(pair.end(End::Silo).receive(), Ok(None));
    assert_eq!(pair.end(End::Coordinator).receive(), Ok(Some(frame(b"up"))));
}

fn what_was_sent_before_the_close_still_arrives(pair: &mut dyn LinkPair) {
    pair.end(End::Silo).send(frame(b"last words")).unwrap();
    for _ in 0..2 {
        pair.end(End::Silo).close();
    }
    pair.settle();
    assert_eq!(
        pair.end(End::Coordinator).receive(),
        Ok(Some(frame(b"last words")))
    );
    for end in ENDS {
        assert_eq!(pair.end(end).receive(), Err(LinkError::Closed));
        assert_eq!(pair.end(end).send(frame(b"more")), Err(LinkError::Closed));
    }
}

fn conforms(mut pair: impl FnMut() -> Box<dyn LinkPair>) {
    frames_arrive_whole_once_and_in_order(&mut *pair());
    nothing_arrives_at_the_end_that_sent(&mut *pair());
    what_was_sent_before_the_close_still_arrives(&mut *pair());
}

#[test]
fn a_memory_link_conforms() {
    let slow = LinkModel {
        latency_ms: 30,
        jitter_ms: 20,
        megabits_per_second: NonZeroU32::new(10),
        ..LinkModel::default()
    };
    for model in [LinkModel::default(), slow] {
        conforms(|| Box::new(MemoryNetwork::new(model, Seed::from_number(4))));
    }
}

#[cfg(feature = "quic")]
#[test]
fn a_quic_link_conforms() {
    conforms(|| Box::new(quic::Pair::new()));
}

#[cfg(feature = "quic")]
mod quic {
    use super::{End, Frame, Link, LinkError, LinkPair, SiloId};
    use siloscope_transport::quic::{
        Authority, Credentials, Limits, Listener, Peer, QuicLink, Term, Visit, dial,
    };
    use std::time::Duration;
    use tokio::runtime::Runtime;

    /// Both ends of a connection over loopback.
    pub(super) struct Pair {
        runtime: Runtime,
        ends: [QuicLink; 2],
        /// Frames sent to each end and not received there yet.
        under_way: [usize; 2],
        closed: bool,
        _listener: Listener,
    }

    impl Pair {
        pub(super) fn new() -> Self {
            let authority = Authority::create(Term::days_from_now(1)).unwrap();
            let root = authority.keys().unwrap().certificate;
            let keys = |peer| {
                let issued = authority.issue(peer, Term::days_from_now(1)).unwrap();
                Credentials::from_pem(&root, &issued.certificate, &issued.key).unwrap()
            };
            let limits = Limits::for_vectors(1 << 16, Duration::from_secs(20));
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            let (listener, ends) = runtime.block_on(async {
                let here = "127.0.0.1:0".parse().unwrap();
                let mut listener = Listener::bind(here, &keys(Peer::Coordinator), limits).unwrap();
                let address = listener.address().unwrap();
                let silo = keys(Peer::Silo(SiloId(2)));
                let mut silo = dial(address, &silo, None, limits).await.unwrap();
                // The coordinator sees a stream with its first bytes.
                silo.send(Frame::try_new(b"hello".to_vec()).unwrap())
                    .unwrap();
                let mut coordinator = loop {
                    match listener.visit() {
                        Some(Visit::Arrived(arrival)) => break arrival.link,
                        Some(other) => panic!("{other:?}"),
                        None => listener.news().await,
                    }
                };
                assert_eq!(coordinator.arrival().await.unwrap().payload(), b"hello");
                (listener, [coordinator, silo])
            });
            Self {
                runtime,
                ends,
                under_way: [0, 0],
                closed: false,
                _listener: listener,
            }
        }
    }

    impl LinkPair for Pair {
        fn end(&mut self, end: End) -> Box<dyn Link + '_> {
            Box::new(OneEnd { pair: self, end })
        }

        /// Whatever was sent is waited for when it is received; a close is waited for here.
        fn settle(&mut self) {
            if !self.closed {
                return;
            }
            // What has arrived stays to be received: only the other end's reader knows that all is there.
            let [coordinator, silo] = &self.ends;
            self.runtime.block_on(async {
                silo.ended().await;
                coordinator.ended().await;
            });
        }
    }

    struct OneEnd<'a> {
        pair: &'a mut Pair,
        end: End,
    }

    impl Link for OneEnd<'_> {
        fn send(&mut self, frame: Frame) -> Result<(), LinkError> {
            self.pair.ends[self.end as usize].send(frame)?;
            self.pair.under_way[self.end.other() as usize] += 1;
            Ok(())
        }

        fn receive(&mut self) -> Result<Option<Frame>, LinkError> {
            let under_way = &mut self.pair.under_way[self.end as usize];
            let end = &mut self.pair.ends[self.end as usize];
            if *under_way == 0 {
                // Nothing can come: but tasks may have to take note of an end.
                self.pair.runtime.block_on(tokio::task::yield_now());
                return end.receive();
            }
            *under_way -= 1;
            self.pair.runtime.block_on(end.arrival()).map(Some)
        }

        fn close(&mut self) {
            self.pair.closed = true;
            self.pair.ends[self.end as usize].close();
        }
    }
}

#[test]
fn a_frame_is_not_there_before_it_arrives() {
    let model = LinkModel {
        latency_ms: 30,
        ..LinkModel::default()
    };
    let mut network = MemoryNetwork::new(model, Seed::from_number(4));
    network.end(End::Silo).send(frame(b"up")).unwrap();
    network.advance_to(Duration::from_millis(29));
    assert_eq!(network.end(End::Coordinator).receive(), Ok(None));
    network.advance_to(Duration::from_millis(30));
    assert_eq!(
        network.end(End::Coordinator).receive(),
        Ok(Some(frame(b"up")))
    );
}
