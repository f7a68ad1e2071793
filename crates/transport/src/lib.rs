//! Links between coordinator and silos.
//!
//! A [`Link`] carries [`Frame`](protocol::Frame)s and does not know what they mean. [`MemoryNetwork`]
//! holds all links of a simulated federation on virtual time, with a [`LinkModel`] for delay and
//! bandwidth; it is deterministic, so a run over it can be repeated to the byte. It carries whatever
//! knows its length on the wire ([`Parcel`]): frames, or messages that a process keeps to itself.
//! With the feature `quic`, [`quic`] connects hosts.

mod link;
mod link_model;
mod memory;
mod outage;
#[cfg(feature = "quic")]
pub mod quic;
mod seconds;

pub use link::{End, Link, LinkError};
pub use link_model::{LinkModel, Loss, LossError};
pub use memory::{Delivery, MemoryLink, MemoryNetwork, Parcel};
pub use outage::{OutageClock, Outages, Trace, TraceError};
pub use seconds::{Seconds, SecondsError};
