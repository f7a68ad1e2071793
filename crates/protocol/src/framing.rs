//! Cutting a stream of bytes into frames.
//!
//! A frame on the wire is
//!
//! ```text
//! magic "SILO" (4 bytes) · framing version (u16) · payload length (u32) · payload
//! ```
//!
//! with little-endian integers. Framing knows nothing of what a payload means: that is the
//! [codec](crate::codec)'s business. Reading is incremental, and it is bounded twice: a length above
//! the limit is refused as soon as the header is complete, and memory is taken only as payload bytes
//! really arrive, so that a peer which promises a gigabyte and sends ten bytes costs ten bytes.

use bytes::Bytes;
use std::mem;

/// What every frame begins with.
pub const MAGIC: [u8; 4] = *b"SILO";

/// The layout of the header. What messages mean has a version of its own
/// ([`PROTOCOL_VERSION`](crate::PROTOCOL_VERSION)).
pub const FRAMING_VERSION: u16 = 2;

/// Bytes in front of every payload.
pub const HEADER_BYTES: usize = 10;

/// Memory that is taken for a payload when its first byte arrives, at most; it grows fourfold from there.
const FIRST_ROOM: usize = 1 << 16;

/// A piece of a message, without its header. A copy shares the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(Bytes);

/// Bytes that are no frame of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The stream does not begin with [`MAGIC`].
    #[error(
        "stream begins with the bytes {found:02x?} instead of \"SILO\": the peer speaks another protocol"
    )]
    Magic {
        /// What it begins with.
        found: [u8; 4],
    },
    /// The header has a layout of another version.
    #[error(
        "framing version {found} is not {FRAMING_VERSION}: both ends must run the same release"
    )]
    Version {
        /// The version found.
        found: u16,
    },
    /// The payload would be larger than the reader allows, or than a length field can say.
    #[error("frame of {bytes} bytes is larger than the limit of {limit} bytes")]
    TooLarge {
        /// Bytes of the payload.
        bytes: u64,
        /// The limit.
        limit: u32,
    },
}

impl Frame {
    /// A frame that carries `payload`.
    ///
    /// # Errors
    /// If the payload is longer than a length field can say (4 GiB).
    pub fn try_new(payload: Vec<u8>) -> Result<Self, FrameError> {
        match u32::try_from(payload.len()) {
            Ok(_) => Ok(Self(payload.into())),
            Err(_) => Err(FrameError::TooLarge {
                bytes: payload.len() as u64,
                limit: u32::MAX,
            }),
        }
    }

    /// What it carries.
    pub fn payload(&self) -> &[u8] {
        &self.0
    }

    /// What it carries, to be handed on without a copy.
    pub fn into_payload(self) -> Bytes {
        self.0
    }

    /// Bytes on the wire, header included.
    pub fn wire_len(&self) -> usize {
        HEADER_BYTES + self.0.len()
    }

    /// The header, to be written before the [payload](Self::payload).
    pub fn header(&self) -> [u8; HEADER_BYTES] {
        // It fits: checked when the frame was made.
        let length = self.0.len() as u32;
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(&MAGIC);
        header[4..6].copy_from_slice(&FRAMING_VERSION.to_le_bytes());
        header[6..].copy_from_slice(&length.to_le_bytes());
        header
    }

    /// Header and payload.
    pub fn to_wire(&self) -> Vec<u8> {
        let mut wire = Vec::with_capacity(self.wire_len());
        wire.extend_from_slice(&self.header());
        wire.extend_from_slice(&self.0);
        wire
    }
}

/// Reads frames from bytes that arrive in pieces of any size.
///
/// ```
/// use siloscope_protocol::{Frame, FrameReader};
///
/// let wire = Frame::try_new(b"hello".to_vec())?.to_wire();
/// let mut reader = FrameReader::new(1024);
/// let (mut first, mut second) = wire.split_at(7);
/// assert_eq!(reader.read(&mut first)?, None);
/// let frame = reader.read(&mut second)?.expect("the frame is complete");
/// assert_eq!(frame.payload(), b"hello");
/// # Ok::<(), siloscope_protocol::FrameError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FrameReader {
    limit: u32,
    state: ReaderState,
}

#[derive(Clone, Debug)]
enum ReaderState {
    Header {
        bytes: [u8; HEADER_BYTES],
        filled: usize,
    },
    Payload {
        length: usize,
        bytes: Vec<u8>,
    },
    Broken(FrameError),
}

const EMPTY_HEADER: ReaderState = ReaderState::Header {
    bytes: [0; HEADER_BYTES],
    filled: 0,
};

impl FrameReader {
    /// A reader that refuses payloads of more than `limit` bytes.
    pub const fn new(limit: u32) -> Self {
        Self {
            limit,
            state: EMPTY_HEADER,
        }
    }

    /// Takes bytes from the front of `input` up to the end of one frame, and gives that frame if it
    /// is complete. `None` means that `input` is used up. Call again while `input` holds bytes.
    ///
    /// # Errors
    /// If the bytes are no frame of ours. A stream cannot be trusted after that: every later call
    /// gives the same error.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, FrameError> {
        loop {
            match &mut self.state {
                ReaderState::Broken(error) => return Err(*error),
                ReaderState::Header { bytes, filled } => {
                    let part = take(input, HEADER_BYTES - *filled);
                    bytes[*filled..*filled + part.len()].copy_from_slice(part);
                    *filled += part.len();
                    if *filled < HEADER_BYTES {
                        return Ok(None);
                    }
                    self.state = match payload_length(bytes, self.limit) {
                        Ok(length) => ReaderState::Payload {
                            length,
                            bytes: Vec::new(),
                        },
                        Err(error) => ReaderState::Broken(error),
                    };
                }
                ReaderState::Payload { length, bytes } => {
                    let part = take(input, *length - bytes.len());
                    if bytes.capacity() < bytes.len() + part.len() {
                        let room = (4 * bytes.capacity()).max(FIRST_ROOM).min(*length);
                        bytes.reserve_exact(room.max(bytes.len() + part.len()) - bytes.len());
                    }
                    bytes.extend_from_slice(part);
                    if bytes.len() < *length {
                        return Ok(None);
                    }
                    let payload = mem::take(bytes);
                    self.state = EMPTY_HEADER;
                    return Ok(Some(Frame(payload.into())));
                }
            }
        }
    }

    /// Whether the stream may end here: no frame has been begun.
    pub fn is_between_frames(&self) -> bool {
        matches!(self.state, ReaderState::Header { filled: 0, .. })
    }
}

fn take<'a>(input: &mut &'a [u8], at_most: usize) -> &'a [u8] {
    let (part, rest) = input.split_at(at_most.min(input.len()));
    *input = rest;
    part
}

fn payload_length(header: &[u8; HEADER_BYTES], limit: u32) -> Result<usize, FrameError> {
    let [m0, m1, m2, m3, v0, v1, l0, l1, l2, l3] = *header;
    let found = [m0, m1, m2, m3];
    if found != MAGIC {
        return Err(FrameError::Magic { found });
    }
    let found = u16::from_le_bytes([v0, v1]);
    if found != FRAMING_VERSION {
        return Err(FrameError::Version { found });
    }
    let length = u32::from_le_bytes([l0, l1, l2, l3]);
    if length > limit {
        return Err(FrameError::TooLarge {
            bytes: length.into(),
            limit,
        });
    }
    Ok(length as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_all(reader: &mut FrameReader, mut input: &[u8]) -> Result<Vec<Frame>, FrameError> {
        let mut frames = Vec::new();
        while let Some(frame) = reader.read(&mut input)? {
            frames.push(frame);
        }
        assert!(input.is_empty());
        Ok(frames)
    }

    #[test]
    fn golden_bytes_of_a_frame() {
        let frame = Frame::try_new(vec![0xaa, 0xbb]).unwrap();
        assert_eq!(frame.to_wire(), b"SILO\x02\x00\x02\x00\x00\x00\xaa\xbb");
        assert_eq!(frame.wire_len(), 12);
    }

    #[test]
    fn a_promise_of_much_costs_nothing_until_it_is_kept() {
        let mut reader = FrameReader::new(u32::MAX);
        let mut header: &[u8] = b"SILO\x02\x00\xff\xff\xff\xff";
        assert_eq!(reader.read(&mut header), Ok(None));
        let ReaderState::Payload { bytes, .. } = &reader.state else {
            panic!("a payload is due")
        };
        assert_eq!(bytes.capacity(), 0);
        assert!(!reader.is_between_frames());
    }

    #[test]
    fn what_is_no_frame_is_refused_for_good() {
        let cases: [(&[u8], FrameError); 3] = [
            (
                b"HTTP\x02\x00\x00\x00\x00\x00",
                FrameError::Magic { found: *b"HTTP" },
            ),
            (
                b"SILO\x01\x00\x00\x00\x00\x00",
                FrameError::Version { found: 1 },
            ),
            (
                b"SILO\x02\x00\x09\x00\x00\x00",
                FrameError::TooLarge { bytes: 9, limit: 8 },
            ),
        ];
        for (bytes, error) in cases {
            let mut reader = FrameReader::new(8);
            assert_eq!(read_all(&mut reader, bytes), Err(error));
            assert_eq!(
                read_all(&mut reader, b"SILO\x02\x00\x00\x00\x00\x00"),
                Err(error)
            );
        }
    }

    proptest! {
        #[test]
        fn any_split_of_the_bytes_gives_the_same_frames(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6),
            cuts in prop::collection::vec(1usize..30, 0..40),
        ) {
            let frames: Vec<_> = payloads.into_iter().map(|payload| Frame(payload.into())).collect();
            let wire: Vec<u8> = frames.iter().flat_map(Frame::to_wire).collect();
            let mut reader = FrameReader::new(64);
            let mut read = Vec::new();
            let mut rest = &wire[..];
            for cut in cuts {
                let piece = take(&mut rest, cut);
                read.extend(read_all(&mut reader, piece).unwrap());
            }
            read.extend(read_all(&mut reader, rest).unwrap());
            prop_assert_eq!(read, frames);
            prop_assert!(reader.is_between_frames());
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = FrameReader::new(100);
            let mut input = &bytes[..];
            while let Ok(Some(_)) = reader.read(&mut input) {}
        }
    }
}
