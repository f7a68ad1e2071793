//! How much of this end a peer may take up.

use protocol::{CHUNK_VALUES, HEADER_BYTES, MAX_FRAME_BYTES};
use std::time::Duration;

/// What one peer may do to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest payload of a frame, in bytes.
    pub frame_bytes: u32,
    /// How many frames the peer may send before it is [asked for more](super::QuicLink::allow_more).
    pub unasked_frames: u32,
    /// How many bytes, headers included.
    pub unasked_bytes: u64,
    /// How many bytes may wait to be sent before there is [no more room](super::QuicLink::has_room).
    pub waiting_bytes: usize,
    /// A connection over which nothing has come for so long is lost.
    pub silence: Duration,
}

/// Frames that have arrived and that the driver has not taken; more stay with the peer.
pub(super) const FRAMES_AHEAD: usize = 2;

/// Bytes that QUIC keeps for the reader, or keeps until the peer has them, on each connection.
pub(super) const WINDOW: u32 = 8 << 20;

/// The largest datagram that a path is tried with. Ethernet carries 1452 bytes of QUIC, jumbo frames and loopback more, and
/// what a packet costs hardly depends on its size. Ten of these, which QUIC hands over at once, are the most that the
/// system takes (64 KiB). A path that loses such packets is found out by probes, which carry nothing.
pub(super) const DATAGRAM: u16 = 6500;

/// Bytes that the system keeps until the socket is read, if it allows so many. Whole cohorts answer at once, each with a
/// window, and what finds no room is lost and sent again.
pub(super) const SOCKET_BUFFER: usize = 4 << 20;

/// How long a handshake, and the silo's first words after it, may take.
pub(super) const INTRODUCTION: Duration = Duration::from_secs(10);

impl Limits {
    /// Limits for messages that carry at most `values` values, of which one a round is expected.
    ///
    /// A message may be repeated some times over, as happens when a connection was lost, and may come with a
    /// few dozen small ones.
    pub fn for_vectors(values: u64, silence: Duration) -> Self {
        // A summand's values are integers of up to 64 bits.
        let frames = 1 + 2 * values.div_ceil(CHUNK_VALUES as u64);
        let bytes = 8 * values + frames * (HEADER_BYTES as u64 + 64);
        Self {
            frame_bytes: MAX_FRAME_BYTES,
            unasked_frames: u32::try_from(128 + 4 * frames).unwrap_or(u32::MAX),
            unasked_bytes: 4 * bytes + (1 << 20),
            waiting_bytes: 2 * MAX_FRAME_BYTES as usize,
            silence,
        }
    }

    /// How often a sign of life is sent.
    pub(super) fn keep_alive(&self) -> Duration {
        self.silence / 4
    }
}
