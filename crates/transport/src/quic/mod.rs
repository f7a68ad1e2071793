//! Links between hosts: QUIC, with TLS in which both ends show a certificate.
//!
//! A federation has an [`Authority`] of its own, which gives the coordinator and every silo a key pair. A
//! certificate says in its one DNS name who its holder is and in which federation, so identity is nothing
//! that a peer could claim: the [`Listener`] tells whose link it is. A connection carries one stream of
//! [`Frame`](protocol::Frame)s each way; the ALPN name carries the protocol's version.
//!
//! Everything that a peer can make this end keep is bounded ([`Limits`]): a frame has a limit, frames that
//! have arrived and were not taken stop the peer by flow control, and what a peer may send without having
//! been asked has an end. Whoever oversteps is cut off with a reason that both ends can show ([`Parting`]).

mod authority;
mod credentials;
mod dial;
mod limits;
mod link;
mod listener;
mod parting;
mod peer;
mod tls;
mod validity;

pub use authority::{Authority, IssuedKeys, Term};
pub use credentials::{Credentials, KeyError};
pub use dial::{dial, dial_speaking};
pub use limits::Limits;
pub use link::{QuicLink, Traffic};
pub use listener::{Arrival, ListenError, Listener, Visit};
pub use parting::{Farewell, Parting, Why};
pub use peer::{FederationId, Peer};
pub use validity::Validity;
