//! Ids, seeds, random streams and the flat model vector that every part of Siloscope shares.
//!
//! Nothing here knows a tensor, a socket, a file or a clock. Three promises are made:
//!
//! * an id is never mistaken for another kind of id ([`SiloId`], [`SubjectId`], [`RecordId`], [`Round`]);
//! * randomness is asked for by purpose ([`Seed::stream`]), so that neither the order in which silos
//!   run nor the number of threads can change a draw;
//! * a model is a flat vector of `f32` ([`ModelVector`]) everywhere outside the training crate.

// Exact values are compared where arithmetic is exact.
#![cfg_attr(test, allow(clippy::float_cmp))]

mod digest;
mod ids;
mod keystream;
mod model;
pub mod noise;
mod noise_stream;
pub mod normal;
mod probe;
mod seed;

pub use digest::Digest;
pub use ids::{RecordId, Round, SiloId, SubjectId};
pub use model::{ModelLengthError, ModelVector};
pub use noise_stream::NoiseStream;
pub use probe::{Probe, Readings};
pub use seed::{Role, Seed, Stream};
