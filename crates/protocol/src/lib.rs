//! Messages between coordinator and silos, their codec and framing.
//!
//! Three layers, each of which can be replaced without the others: what is said ([`ToSilo`],
//! [`ToCoordinator`]), how it becomes frames ([`encode`], [`MessageReader`]), and how frames are cut out of
//! a stream of bytes ([`Frame`], [`FrameReader`]). How frames travel is the transport's business.

mod codec;
mod compression;
mod framing;
mod gate;
mod message;
mod refusal;
mod update;

pub use codec::{
    CHUNK_VALUES, CodecError, Frames, MAX_FRAME_BYTES, MAX_VALUES, Message, MessageReader, encode,
};
pub use compression::Compression;
pub use framing::{FRAMING_VERSION, Frame, FrameError, FrameReader, HEADER_BYTES, MAGIC};
pub use gate::{BudgetReached, OpenGate, RoundGate};
pub use message::{Join, Masking, PROTOCOL_VERSION, ToCoordinator, ToSilo, Welcome};
pub use refusal::{Decline, FinishReason, Refusal};
pub use update::{Release, SiloUpdate, Summand, Task, UpdateMetrics, Weights};
