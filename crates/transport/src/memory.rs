//! All links of a federation in memory, on virtual time.
//!
//! A discrete-event queue: a parcel that is sent is given the moment at which it arrives, and time jumps
//! to that moment when the parcel is delivered. Parcels that arrive at the same moment are delivered in
//! the order in which they were sent. Jitter is drawn from a stream of its own for each silo and
//! direction, so how often one silo sends changes nothing for another.

use crate::{End, Link, LinkError, LinkModel};
use primitives::{Role, Round, Seed, SiloId, Stream};
use protocol::Frame;
use rand_chacha::ChaCha20Rng;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// What a [`MemoryNetwork`] carries. Its length decides how long it is under way; the network does not
/// open it.
pub trait Parcel {
    /// Bytes on the wire, header included.
    fn wire_len(&self) -> usize;
}

impl Parcel for Frame {
    fn wire_len(&self) -> usize {
        Self::wire_len(self)
    }
}

/// Links between one coordinator and its silos.
///
/// ```
/// use primitives::{Seed, SiloId};
/// use protocol::Frame;
/// use siloscope_transport::{End, LinkModel, MemoryNetwork};
/// use std::time::Duration;
///
/// let model = LinkModel { latency_ms: 20, ..LinkModel::default() };
/// let mut network = MemoryNetwork::new(model, Seed::from_number(7));
/// network.send(SiloId(3), End::Silo, Frame::try_new(b"hello".to_vec())?)?;
/// let delivery = network.deliver().expect("a frame is under way");
/// assert_eq!((delivery.silo, delivery.to), (SiloId(3), End::Coordinator));
/// assert_eq!(network.now(), Duration::from_millis(20));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MemoryNetwork<P = Frame> {
    now: Duration,
    model: LinkModel,
    /// Links that follow a model of their own.
    exceptions: BTreeMap<SiloId, LinkModel>,
    seed: Seed,
    /// Parcels sent so far, over all links.
    parcels: u64,
    /// Bytes sent so far, headers included.
    bytes: u64,
    /// One direction of one link each, by the end that receives.
    pipes: BTreeMap<(SiloId, End), Pipe<P>>,
    /// Arrivals of all pipes.
    arrivals: BTreeSet<Arrival>,
    closed: BTreeSet<SiloId>,
}

#[derive(Debug)]
struct Pipe<P> {
    rng: ChaCha20Rng,
    /// When the last parcel will have been sent.
    free: Duration,
    under_way: VecDeque<(Arrival, P)>,
}

/// Ordered by the moment, then by which parcel was sent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Arrival {
    at: Duration,
    number: u64,
    silo: SiloId,
    to: End,
}

/// A parcel that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery<P = Frame> {
    /// When.
    pub at: Duration,
    /// Over whose link.
    pub silo: SiloId,
    /// At which end.
    pub to: End,
    /// What.
    pub parcel: P,
}

impl<P: Parcel> MemoryNetwork<P> {
    /// A network at time zero whose links all follow `model`.
    pub const fn new(model: LinkModel, seed: Seed) -> Self {
        Self {
            now: Duration::ZERO,
            model,
            exceptions: BTreeMap::new(),
            seed,
            parcels: 0,
            bytes: 0,
            pipes: BTreeMap::new(),
            arrivals: BTreeSet::new(),
            closed: BTreeSet::new(),
        }
    }

    /// Lets the link of `silo` follow a model of its own from now on.
    pub fn set_link(&mut self, silo: SiloId, model: LinkModel) {
        self.exceptions.insert(silo, model);
    }

    /// A network like this one was when it was made, but for the time, which goes on, and the stream of its
    /// randomness: nothing is under way, every link is open and idle.
    #[must_use]
    pub fn anew(&self, seed: Seed) -> Self {
        Self {
            now: self.now,
            exceptions: self.exceptions.clone(),
            ..Self::new(self.model, seed)
        }
    }

    /// Breaks the link of `silo` and makes it anew: parcels under way in either direction are lost, however much of
    /// them has arrived.
    pub fn reconnect(&mut self, silo: SiloId) {
        for to in [End::Coordinator, End::Silo] {
            if let Some(pipe) = self.pipes.get_mut(&(silo, to)) {
                for (arrival, _) in pipe.under_way.drain(..) {
                    self.arrivals.remove(&arrival);
                }
                pipe.free = self.now;
            }
        }
        self.closed.remove(&silo);
    }

    /// The virtual time.
    pub const fn now(&self) -> Duration {
        self.now
    }

    /// Bytes sent so far over all links, headers and repetitions of lost parcels included.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Sends `parcel` from one end of `silo`'s link to the other.
    ///
    /// # Errors
    /// If the link is closed.
    pub fn send(&mut self, silo: SiloId, from: End, parcel: P) -> Result<(), LinkError> {
        if self.closed.contains(&silo) {
            return Err(LinkError::Closed);
        }
        let to = from.other();
        let model = self.exceptions.get(&silo).unwrap_or(&self.model);
        let stream = Stream::silo(Role::Network, silo, Round(to as u32));
        let pipe = self.pipes.entry((silo, to)).or_insert_with(|| Pipe {
            rng: self.seed.stream(stream),
            free: Duration::ZERO,
            under_way: VecDeque::new(),
        });
        let sending = model.sending_time(parcel.wire_len());
        let losses = model.losses(&mut pipe.rng);
        pipe.free = pipe.free.max(self.now) + sending + losses * (sending + model.round_trip());
        let at = pipe.free + model.travel_time(&mut pipe.rng);
        let before = pipe
            .under_way
            .back()
            .map_or(Duration::ZERO, |(last, _)| last.at);
        let arrival = Arrival {
            at: at.max(before),
            number: self.parcels,
            silo,
            to,
        };
        self.parcels += 1;
        self.bytes += (u64::from(losses) + 1) * parcel.wire_len() as u64;
        self.arrivals.insert(arrival);
        pipe.under_way.push_back((arrival, parcel));
        Ok(())
    }

    /// When the next parcel arrives, if one is under way.
    pub fn next_arrival(&self) -> Option<Duration> {
        self.arrivals.first().map(|arrival| arrival.at)
    }

    /// Lets time pass until the next parcel arrives, and gives it.
    pub fn deliver(&mut self) -> Option<Delivery<P>> {
        let Arrival { at, silo, to, .. } = *self.arrivals.first()?;
        self.now = self.now.max(at);
        self.take(silo, to).map(|parcel| Delivery {
            at,
            silo,
            to,
            parcel,
        })
    }

    /// Lets time pass until `moment`, if it lies ahead. Parcels that arrive meanwhile stay to be taken.
    pub fn advance_to(&mut self, moment: Duration) {
        self.now = self.now.max(moment);
    }

    /// The parcel that arrives next at one end of a link, whenever that may be.
    fn take(&mut self, silo: SiloId, to: End) -> Option<P> {
        let (arrival, parcel) = self.pipes.get_mut(&(silo, to))?.under_way.pop_front()?;
        self.arrivals.remove(&arrival);
        Some(parcel)
    }
}

impl MemoryNetwork {
    /// One end of `silo`'s link.
    pub const fn link(&mut self, silo: SiloId, end: End) -> MemoryLink<'_> {
        MemoryLink {
            network: self,
            silo,
            end,
        }
    }
}

/// One end of one silo's link in a [`MemoryNetwork`].
#[derive(Debug)]
pub struct MemoryLink<'a> {
    network: &'a mut MemoryNetwork,
    silo: SiloId,
    end: End,
}

impl Link for MemoryLink<'_> {
    fn send(&mut self, frame: Frame) -> Result<(), LinkError> {
        self.network.send(self.silo, self.end, frame)
    }

    fn receive(&mut self) -> Result<Option<Frame>, LinkError> {
        let pipe = self.network.pipes.get(&(self.silo, self.end));
        match pipe.and_then(|pipe| pipe.under_way.front()) {
            Some((arrival, _)) if arrival.at <= self.network.now => {
                Ok(self.network.take(self.silo, self.end))
            }
            None if self.network.closed.contains(&self.silo) => Err(LinkError::Closed),
            Some(_) | None => Ok(None),
        }
    }

    fn close(&mut self) {
        self.network.closed.insert(self.silo);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Loss;
    use proptest::prelude::*;
    use std::num::NonZeroU32;

    fn frame(bytes: &[u8]) -> Frame {
        Frame::try_new(bytes.to_vec()).unwrap()
    }

    #[test]
    fn two_frames_share_the_bandwidth_of_one_direction() {
        let model = LinkModel {
            latency_ms: 5,
            megabits_per_second: NonZeroU32::new(8),
            ..LinkModel::default()
        };
        let mut network = MemoryNetwork::new(model, Seed::from_number(1));
        let kilobyte = frame(&[0; 990]);
        for silo in [1, 1, 2] {
            network
                .send(SiloId(silo), End::Silo, kilobyte.clone())
                .unwrap();
        }
        let arrivals = std::iter::from_fn(|| network.deliver());
        let arrivals: Vec<_> = arrivals.map(|d| (d.silo.0, d.at.as_millis())).collect();
        assert_eq!(arrivals, [(1, 6), (2, 6), (1, 7)]);
        assert_eq!(network.bytes(), 3000);
    }

    #[test]
    fn a_lost_frame_costs_its_bytes_and_a_round_trip_and_holds_up_what_follows() {
        let model = LinkModel {
            latency_ms: 5,
            megabits_per_second: NonZeroU32::new(8),
            loss: Loss::try_new(0.5).unwrap(),
            ..LinkModel::default()
        };
        let mut network = MemoryNetwork::new(model, Seed::from_number(1));
        for number in 0..200 {
            let mut payload = vec![0; 990];
            payload[0] = number;
            network.send(SiloId(1), End::Silo, frame(&payload)).unwrap();
        }
        let sent = network.bytes() / 1000;
        assert!(sent > 300, "{sent}");
        let last = (0..200).map(|number| {
            let delivery = network.deliver().unwrap();
            assert_eq!(delivery.parcel.payload()[0], number);
            delivery.at
        });
        // A millisecond for every frame sent, ten for every one lost, five for the last one's way.
        let expected = Duration::from_millis(sent + 10 * (sent - 200) + 5);
        assert_eq!(last.last(), Some(expected));
    }

    #[test]
    fn what_is_under_way_when_a_link_breaks_is_lost_and_no_other_links_frames_are() {
        let mut network = MemoryNetwork::new(LinkModel::default(), Seed::from_number(1));
        for silo in [1, 2] {
            for end in [End::Silo, End::Coordinator] {
                network.send(SiloId(silo), end, frame(b"first")).unwrap();
            }
        }
        network.reconnect(SiloId(1));
        network.send(SiloId(1), End::Silo, frame(b"then")).unwrap();
        let arrived: Vec<_> = std::iter::from_fn(|| network.deliver())
            .map(|delivery| (delivery.silo.0, delivery.parcel.payload().to_vec()))
            .collect();
        let first = b"first".to_vec();
        assert_eq!(
            arrived,
            [(2, first.clone()), (2, first), (1, b"then".to_vec())]
        );
    }

    #[test]
    fn time_never_runs_backwards() {
        let model = LinkModel {
            latency_ms: 5,
            ..LinkModel::default()
        };
        let mut network = MemoryNetwork::new(model, Seed::from_number(1));
        network.send(SiloId(1), End::Silo, frame(b"late")).unwrap();
        network.advance_to(Duration::from_millis(9));
        assert_eq!(network.next_arrival(), Some(Duration::from_millis(5)));
        assert_eq!(network.deliver().unwrap().at, Duration::from_millis(5));
        assert_eq!(network.now(), Duration::from_millis(9));
        network.advance_to(Duration::ZERO);
        assert_eq!(network.now(), Duration::from_millis(9));
    }

    proptest! {
        #[test]
        fn jitter_never_lets_frames_of_a_link_overtake(
            jitter_ms in 0u32..100,
            silos in prop::collection::vec(0u32..4, 1..60),
        ) {
            let model = LinkModel { latency_ms: 1, jitter_ms, ..LinkModel::default() };
            let mut network = MemoryNetwork::new(model, Seed::from_number(9));
            for (i, &silo) in (0u8..).zip(&silos) {
                network.send(SiloId(silo), End::Coordinator, frame(&[i])).unwrap();
            }
            let mut last = BTreeMap::new();
            let mut before = Duration::ZERO;
            for _ in &silos {
                let delivery = network.deliver().unwrap();
                let number = delivery.parcel.payload()[0];
                prop_assert!(last.insert(delivery.silo, number).is_none_or(|last| last < number));
                prop_assert!(before <= delivery.at);
                before = delivery.at;
            }
            prop_assert_eq!(network.deliver(), None);
        }
    }
}
