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
