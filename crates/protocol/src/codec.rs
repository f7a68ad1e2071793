//! Messages to bytes and back. Nothing else in Siloscope knows the encoding.
//!
//! A message is one frame, its *head*, and, if it carries a vector, as many *chunks* of it as there are:
//!
//! ```text
//! head    0x00 · message with an empty vector · nothing, or the vector's length and format
//! chunk   0x01 · number (u32) · 0x00 raw, 0x01 zstd · up to 262144 values
//! ```
//!
//! The head is bincode 2 in its standard configuration (little-endian, variable-length integers, fixed-width
//! floats). Every chunk but the last is full, so that its number says which values it holds, and no frame is
//! larger than [`MAX_FRAME_BYTES`]. [`encode`] makes chunks one by one as they are asked for, [`MessageReader`]
//! writes them where they belong as they come: beside the vector itself, either end holds one chunk.
//!
//! Reading is strict: a frame must use all of its bytes, chunks come in order and once, a vector is as long as
//! was said and no longer than the reader allows, and one frame that is none of this ends the stream.

use crate::compression::{Compression, Format, Values, shuffle, unshuffle, write_words};
use crate::{Frame, ToCoordinator, ToSilo};
use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use primitives::ModelVector;
use secure_sum::RingVector;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fmt;
use std::mem;
use std::ops::Range;

/// Values of a full chunk.
pub const CHUNK_VALUES: usize = 1 << 18;

/// The largest payload of a frame, in bytes: a full chunk of 32-bit values and its prefix.
pub const MAX_FRAME_BYTES: u32 = (4 * CHUNK_VALUES + CHUNK_PREFIX) as u32;

/// The longest vector that any message carries: 1 GiB of 32-bit values.
pub const MAX_VALUES: u64 = 1 << 28;

const HEAD: u8 = 0;
const CHUNK: u8 = 1;
const CHUNK_PREFIX: usize = 6;
/// Fast, and floating-point numbers hardly gain by more.
const ZSTD_LEVEL: i32 = 1;

const CONFIG: Configuration<LittleEndian, Varint, Limit<{ MAX_FRAME_BYTES as usize }>> =
    bincode::config::standard().with_limit::<{ MAX_FRAME_BYTES as usize }>();

/// What travels: [`ToCoordinator`] or [`ToSilo`].
pub trait Message: Serialize + DeserializeOwned + sealed::Sealed {}

impl Message for ToCoordinator {}
impl Message for ToSilo {}

mod sealed {
    use super::{Compression, Slot, ToCoordinator, ToSilo};

    pub trait Sealed {
        /// The vector that travels in chunks.
        fn vector(&mut self) -> Option<Slot<'_>>;

        /// What of `asked` goes for this direction.
        fn compression(asked: Compression) -> Compression;
    }

    impl Sealed for ToCoordinator {
        fn vector(&mut self) -> Option<Slot<'_>> {
            match self {
                Self::Update(update) => Some(Slot::Floats(&mut update.delta)),
                Self::Summand(summand) => Some(Slot::Words(&mut summand.values)),
                Self::Join(_) | Self::Decline { .. } | Self::Masking(_) => None,
            }
        }

        fn compression(asked: Compression) -> Compression {
            asked
        }
    }

    impl Sealed for ToSilo {
        fn vector(&mut self) -> Option<Slot<'_>> {
            match self {
                Self::Train(task) => Some(Slot::Floats(&mut task.model)),
                Self::Welcome(_) | Self::Refuse(_) | Self::Finish(_) | Self::Masking(_) => None,
            }
        }

        fn compression(asked: Compression) -> Compression {
            if asked.zstd() {
                Compression::Zstd
            } else {
                Compression::None
            }
        }
    }
}

/// Where a message keeps its vector.
pub enum Slot<'a> {
    /// A model or an update.
    Floats(&'a mut ModelVector),
    /// A summand.
    Words(&'a mut RingVector),
}

impl Slot<'_> {
    /// The vector, which a whole cohort may share.
    fn take(self) -> Vector {
        match self {
            Self::Floats(model) => Vector::Floats(mem::take(model)),
            Self::Words(summand) => Vector::Words(mem::take(summand)),
        }
    }

    /// Says whether the values are of the slot's kind.
    fn put(self, values: Values) -> bool {
        match (self, values) {
            (Self::Floats(model), Values::Floats(values)) => *model = values.into(),
            (Self::Words(summand), Values::Words(words)) => *summand = words.into(),
            _ => return false,
        }
        true
    }

    const fn format(&self, compression: Compression) -> Format {
        match self {
            Self::Floats(_) => compression.format(),
            Self::Words(_) => Format::Ring,
        }
    }

    /// Whether the slot is empty, and `format` is one for its kind.
    fn takes(&self, format: Format) -> bool {
        match self {
            Self::Floats(model) => model.is_empty() && !matches!(format, Format::Ring),
            Self::Words(summand) => summand.is_empty() && matches!(format, Format::Ring),
        }
    }
}

/// A message that cannot be written, or bytes that are no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The message's vector is longer than the limit.
    #[error("vector of {values} values is longer than the limit of {limit}")]
    TooLong {
        /// Its length.
        values: u64,
        /// The longest that is allowed.
        limit: u64,
    },
    /// The message cannot be written as bytes.
    #[error("message cannot be encoded: {0}")]
    Encode(String),
    /// The bytes are no message of the expected direction.
    #[error("bytes are not a message of this protocol: {0}")]
    Decode(String),
    /// A message was read, and bytes are left.
    #[error("{left} bytes follow the end of the message")]
    Trailing {
        /// Bytes left over.
        left: usize,
    },
    /// A frame is neither head nor chunk.
    #[error("frame begins with {found:?} instead of a head's or a chunk's mark")]
    Mark {
        /// The first byte, if there is one.
        found: Option<u8>,
    },
    /// A chunk comes before its message, or a message before the last one's chunks.
    #[error("{found} came where {expected} was expected")]
    Order {
        /// What came.
        found: &'static str,
        /// What should have.
        expected: &'static str,
    },
    /// A chunk is lost, repeated or out of order.
    #[error("chunk {found} came where chunk {expected} was expected")]
    ChunkOrder {
        /// The chunk's number.
        found: u32,
        /// The number that comes next.
        expected: u32,
    },
    /// A chunk does not hold the bytes that its place in the vector takes.
    #[error("chunk {number} does not hold the {expected} bytes of its values")]
    ChunkSize {
        /// The chunk.
        number: u32,
        /// Bytes of its values.
        expected: usize,
    },
}

/// What a head says of the vector that follows it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Outline {
    values: u64,
    format: Format,
}

/// The frames of one message, made one by one.
#[derive(Debug)]
pub struct Frames {
    head: Option<Frame>,
    vector: Vector,
    format: Format,
    zstd: bool,
    /// Chunks made so far.
    chunks: usize,
}

/// The vector of a message on its way out.
#[derive(Debug)]
enum Vector {
    Floats(ModelVector),
    Words(RingVector),
}

impl Vector {
    fn len(&self) -> usize {
        match self {
            Self::Floats(model) => model.len(),
            Self::Words(summand) => summand.len(),
        }
    }

    /// Appends the values of one chunk to `bytes`.
    fn write(&self, format: Format, range: Range<usize>, bytes: &mut Vec<u8>) {
        match self {
            Self::Floats(model) => format.write(&model.as_slice()[range], bytes),
            Self::Words(summand) => write_words(&summand.as_slice()[range], bytes),
        }
    }
}

/// Writes `message` as frames. What the iterator holds is the message's own vector, and one frame at a time.
///
/// # Errors
/// If the message's vector is longer than [`MAX_VALUES`], or the rest of it larger than a frame.
pub fn encode<M: Message>(mut message: M, compression: Compression) -> Result<Frames, CodecError> {
    let compression = M::compression(compression);
    let (mut vector, mut outline) = (Vector::Floats(ModelVector::default()), None);
    if let Some(slot) = message.vector() {
        let format = slot.format(compression);
        vector = slot.take();
        let values = vector.len() as u64;
        check_length(values, MAX_VALUES)?;
        outline = Some(Outline { values, format });
    }
    let mut payload = vec![HEAD];
    bincode::serde::encode_into_std_write((message, outline), &mut payload, CONFIG)
        .map_err(|error| CodecError::Encode(error.to_string()))?;
    if payload.len() > MAX_FRAME_BYTES as usize {
        let what = format!("{} bytes besides its vector", payload.len());
        return Err(CodecError::Encode(what));
    }
    let head = Frame::try_new(payload).map_err(|error| CodecError::Encode(error.to_string()))?;
    Ok(Frames {
        head: Some(head),
        vector,
        format: outline.map_or(Format::Full, |outline| outline.format),
        zstd: compression.zstd(),
        chunks: 0,
    })
}

impl Iterator for Frames {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        if let Some(head) = self.head.take() {
            return Some(head);
        }
        let start = self.chunks * CHUNK_VALUES;
        let end = self.vector.len().min(start + CHUNK_VALUES);
        if start >= end {
            return None;
        }
        let mut payload = Vec::with_capacity(CHUNK_PREFIX + self.format.bytes(end - start));
        payload.push(CHUNK);
        payload.extend((self.chunks as u32).to_le_bytes());
        payload.push(0);
        self.vector.write(self.format, start..end, &mut payload);
        if self.zstd {
            squeeze(&mut payload, self.format.width());
        }
        self.chunks += 1;
        Some(Frame::try_new(payload).expect("a chunk is far below 4 GiB"))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let chunks = self.vector.len().div_ceil(CHUNK_VALUES) - self.chunks;
        let left = chunks + usize::from(self.head.is_some());
        (left, Some(left))
    }
}

impl ExactSizeIterator for Frames {}

/// Makes a raw chunk one of zstd, if that is shorter.
fn squeeze(payload: &mut Vec<u8>, width: usize) {
    let planes = shuffle(&payload[CHUNK_PREFIX..], width);
    match zstd::bulk::compress(&planes, ZSTD_LEVEL) {
        Ok(shorter) if shorter.len() < planes.len() => {
            payload.truncate(CHUNK_PREFIX);
            payload[CHUNK_PREFIX - 1] = 1;
            payload.extend(shorter);
        }
        // What zstd cannot shorten, for whatever reason, travels as it is.
        Ok(_) | Err(_) => {}
    }
}

/// Puts the messages of one direction of a link together from their frames.
///
/// It is bounded: a vector longer than the reader was told to expect is refused at its head, and memory is taken
/// when the first chunk is there. Frames must come as every link promises them: whole, once and in
/// order; anything else is an error, and after an error the stream cannot be trusted: every later call gives
/// the same one.
///
/// ```
/// use primitives::{ModelVector, Round};
/// use siloscope_protocol::{Compression, MessageReader, Task, ToSilo, encode};
///
/// let task = Task { round: Round(1), model: ModelVector::zeros(300_000), clip_norm: None };
/// let mut reader = MessageReader::new(300_000);
/// let mut read = None;
/// for frame in encode(ToSilo::Train(task.clone()), Compression::None)? {
///     assert_eq!(read, None);
///     read = reader.read(&frame)?;
/// }
/// assert_eq!(read, Some(ToSilo::Train(task)));
/// # Ok::<(), siloscope_protocol::CodecError>(())
/// ```
pub struct MessageReader<M> {
    most_values: u64,
    state: State<M>,
}

enum State<M> {
    Idle,
    Filling {
        message: M,
        outline: Outline,
        values: Values,
        next: u32,
    },
    Broken(CodecError),
}

impl<M: Message> MessageReader<M> {
    /// A reader that refuses vectors of more than `most_values`: the parameters of the model that both ends share.
    pub fn new(most_values: u64) -> Self {
        let most_values = most_values.min(MAX_VALUES);
        let state = State::Idle;
        Self { most_values, state }
    }

    /// Takes in the next frame, and gives the message that it completes.
    ///
    /// # Errors
    /// If the frame does not belong where it came.
    pub fn read(&mut self, frame: &Frame) -> Result<Option<M>, CodecError> {
        let state = mem::replace(&mut self.state, State::Idle);
        let outcome = match (state, frame.payload().split_first()) {
            (State::Broken(error), _) => Err(error),
            (State::Idle, Some((&HEAD, head))) => self.begin(head),
            (
                State::Filling {
                    message,
                    outline,
                    values,
                    next,
                },
                Some((&CHUNK, chunk)),
            ) => self.fill(message, outline, values, next, chunk),
            (State::Idle, Some((&CHUNK, _))) => Err(CodecError::Order {
                found: "a chunk",
                expected: "a message",
            }),
            (State::Filling { .. }, Some((&HEAD, _))) => Err(CodecError::Order {
                found: "a message",
                expected: "a chunk of the one before",
            }),
            (_, first) => Err(CodecError::Mark {
                found: first.map(|(&mark, _)| mark),
            }),
        };
        if let Err(error) = &outcome {
            self.state = State::Broken(error.clone());
        }
        outcome
    }

    /// Whether the stream may end here: no message has been begun.
    pub const fn is_between_messages(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    fn begin(&mut self, head: &[u8]) -> Result<Option<M>, CodecError> {
        let ((mut message, outline), read): ((M, Option<Outline>), usize) =
            bincode::serde::decode_from_slice(head, CONFIG)
                .map_err(|error| CodecError::Decode(error.to_string()))?;
        if head.len() > read {
            return Err(CodecError::Trailing {
                left: head.len() - read,
            });
        }
        let outline = match (message.vector(), outline) {
            (None, None) => return Ok(Some(message)),
            (Some(slot), Some(outline)) if slot.takes(outline.format) => outline,
            _ => {
                let what = "its vector is not announced as it should be";
                return Err(CodecError::Decode(what.to_owned()));
            }
        };
        check_length(outline.values, self.most_values)?;
        if outline.values == 0 {
            return Ok(Some(message));
        }
        self.state = State::Filling {
            message,
            outline,
            values: Values::empty(outline.format),
            next: 0,
        };
        Ok(None)
    }

    fn fill(
        &mut self,
        mut message: M,
        outline: Outline,
        mut values: Values,
        next: u32,
        chunk: &[u8],
    ) -> Result<Option<M>, CodecError> {
        let Some((&[n0, n1, n2, n3, squeezed], body)) = chunk.split_first_chunk() else {
            return Err(CodecError::ChunkSize {
                number: next,
                expected: CHUNK_PREFIX,
            });
        };
        let found = u32::from_le_bytes([n0, n1, n2, n3]);
        if found != next {
            return Err(CodecError::ChunkOrder {
                found,
                expected: next,
            });
        }
        let whole = outline.values as usize;
        values.make_room(whole);
        let count = CHUNK_VALUES.min(whole - values.len());
        let expected = outline.format.bytes(count);
        let wrong = || CodecError::ChunkSize {
            number: next,
            expected,
        };
        match squeezed {
            0 if body.len() == expected => values.read(outline.format, body, count),
            1 => {
                let planes = zstd::bulk::decompress(body, expected).map_err(|_| wrong())?;
                if planes.len() != expected {
                    return Err(wrong());
                }
                let raw = unshuffle(&planes, outline.format.width());
                values.read(outline.format, &raw, count);
            }
            _ => return Err(wrong()),
        }
        if values.len() == whole {
            let put = message.vector().is_some_and(|slot| slot.put(values));
            debug_assert!(put, "checked when the message began");
            return Ok(Some(message));
        }
        self.state = State::Filling {
            message,
            outline,
            values,
            next: next + 1,
        };
        Ok(None)
    }
}

impl<M> fmt::Debug for MessageReader<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Idle => "between messages".to_owned(),
            State::Filling {
                values, outline, ..
            } => {
                format!("{} of {} values", values.len(), outline.values)
            }
            State::Broken(error) => error.to_string(),
        };
        f.debug_struct("MessageReader")
            .field("most_values", &self.most_values)
            .field("state", &state)
            .finish()
    }
}

fn check_length(values: u64, limit: u64) -> Result<(), CodecError> {
    if values > limit {
        return Err(CodecError::TooLong { values, limit });
    }
    Ok(())
}
