//! What any bytes do to framing and decoding: for random bytes in the tests, and for a fuzzer's in `fuzz/`.

use crate::protocol::{
    Compression, Frame, FrameError, FrameReader, HEADER_BYTES, Message, MessageReader, encode,
};
use arbitrary::{Result, Unstructured};

/// The longest frame that the readers here take.
const LIMIT: u32 = 200;
/// The longest vector that the readers here take.
const MOST_VALUES: u64 = 40;

/// Bytes in which frames are likely.
fn wire(input: &mut Unstructured) -> Result<Vec<u8>> {
    let mut wire = Vec::new();
    for _ in 0..input.int_in_range(0..=8)? {
        let payload = payload(input)?;
        let frame = Frame::try_new(payload).expect("some hundred bytes are no large frame");
        let mut bytes = frame.to_wire();
        if input.ratio(1, 4)? {
            let at = input.choose_index(HEADER_BYTES)?;
            bytes[at] = input.arbitrary()?;
        }
        wire.extend(bytes);
    }
    wire.extend(payload(input)?);
    Ok(wire)
}

fn payload(input: &mut Unstructured) -> Result<Vec<u8>> {
    let length = input
        .int_in_range(0..=LIMIT as usize + 10)?
        .min(input.len());
    Ok(input.bytes(length)?.to_vec())
}

fn read_on(
    reader: &mut FrameReader,
    mut piece: &[u8],
    frames: &mut Vec<Frame>,
) -> Option<FrameError> {
    loop {
        match reader.read(&mut piece) {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => {
                assert!(piece.is_empty(), "bytes are left and no frame is");
                return None;
            }
            Err(error) => return Some(error),
        }
    }
}

/// Bytes give the same frames and the same error however they are cut, the frames are the bytes, none is longer than
/// allowed, and after an error there is nothing but that error.
pub(crate) fn framing(input: &mut Unstructured) -> Result<()> {
    let wire = wire(input)?;
    let (mut whole, mut frames) = (FrameReader::new(LIMIT), Vec::new());
    let error = read_on(&mut whole, &wire, &mut frames);
    let bytes: Vec<u8> = frames.iter().flat_map(Frame::to_wire).collect();
    assert!(wire.starts_with(&bytes), "the frames are not the bytes");
    assert!(
        frames
            .iter()
            .all(|frame| frame.payload().len() <= LIMIT as usize)
    );
    if let Some(error) = error {
        assert_eq!(
            whole.read(&mut &wire[..]),
            Err(error),
            "an error was forgotten"
        );
    } else {
        assert!(wire.len() - bytes.len() < HEADER_BYTES + LIMIT as usize);
        assert_eq!(whole.is_between_frames(), wire.len() == bytes.len());
    }
    let (mut cut, mut again) = (FrameReader::new(LIMIT), Vec::new());
    let mut rest = &wire[..];
    let mut found = None;
    while !rest.is_empty() && found.is_none() {
        let length = if input.is_empty() {
            rest.len()
        } else {
            input.int_in_range(1..=40)?
        };
        let (piece, left) = rest.split_at(length.min(rest.len()));
        found = read_on(&mut cut, piece, &mut again);
        rest = left;
    }
    assert_eq!((again, found), (frames, error), "a cut changed something");
    Ok(())
}

/// Any frames are messages or refused, never a panic; a message that was read can be written, and is read back to the
/// same bytes; after an error there is nothing but that error.
pub(crate) fn decoding<M: Message + Clone>(input: &mut Unstructured) -> Result<()> {
    let mut reader = MessageReader::<M>::new(MOST_VALUES);
    for _ in 0..input.int_in_range(1..=6)? {
        let mut payload = payload(input)?;
        if input.ratio(7, 8)? {
            // The mark of a head or of a chunk.
            payload.insert(0, u8::from(input.arbitrary::<bool>()?));
        }
        let frame = Frame::try_new(payload).expect("some hundred bytes are no large frame");
        match reader.read(&frame) {
            Ok(None) => {}
            Ok(Some(message)) => {
                let written = written(message);
                let mut again = MessageReader::<M>::new(MOST_VALUES);
                let mut read = None;
                for frame in &written {
                    assert!(read.is_none(), "a message ended before its frames");
                    read = again.read(frame).expect("what was read can be read again");
                }
                let back = self::written(read.expect("a message has an end"));
                assert_eq!(back, written, "reading back changed something");
            }
            Err(error) => {
                let error = Err(error);
                assert!(
                    reader.read(&frame).map(drop) == error,
                    "an error was forgotten"
                );
                return Ok(());
            }
        }
    }
    Ok(())
}

fn written<M: Message>(message: M) -> Vec<Frame> {
    let frames = encode(message, Compression::None);
    frames.expect("what was read is small").collect()
}
