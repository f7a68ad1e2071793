//! Every message: its golden bytes, its way there and back, and what garbage does.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

mod any;
mod golden;
mod rules;
#[path = "../streams/mod.rs"]
mod streams;

use accounting::{Mechanism, NoiseMultiplier, SamplingRate};
use any::{to_coordinator, to_silo};
use arbitrary::Unstructured;
use primitives::{ModelVector, Round, SiloId};
use proptest::prelude::*;
use secure_sum::PublicKeys;
use siloscope_protocol as protocol;
use siloscope_protocol::{
    CodecError, Compression, Frame, Message, MessageReader, Release, SiloUpdate, ToCoordinator,
    ToSilo, UpdateMetrics, encode,
};
use std::fmt::Debug;

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(digit)
        .collect()
}

fn digit(value: u8) -> char {
    char::from_digit(value.into(), 16).unwrap()
}

pub(crate) fn frames<M: Message>(message: M, compression: Compression) -> Vec<Frame> {
    let frames = encode(message, compression).unwrap();
    let announced = frames.len();
    let frames: Vec<Frame> = frames.collect();
    assert_eq!(frames.len(), announced);
    frames
}

/// All frames in hexadecimal, one after the other.
pub(crate) fn wire<M: Message>(message: M, compression: Compression) -> String {
    let frames = frames(message, compression);
    let frames: Vec<String> = frames.iter().map(|frame| hex(frame.payload())).collect();
    frames.join(" ")
}

/// What a fresh reader makes of these frames: the message that the last one completes.
pub(crate) fn read<M: Message>(frames: &[Frame]) -> Result<Option<M>, CodecError> {
    let mut reader = MessageReader::new(1 << 20);
    let mut message = None;
    for frame in frames {
        message = reader.read(frame)?;
    }
    Ok(message)
}

pub(crate) fn frame(bytes: &[u8]) -> Frame {
    Frame::try_new(bytes.to_vec()).unwrap()
}

pub(crate) fn update() -> SiloUpdate {
    let mechanism = Mechanism::AveragedGradient {
        sampling_rate: SamplingRate::try_new(0.5).unwrap(),
        noise_multiplier: NoiseMultiplier::try_new(1.0).unwrap(),
    };
    SiloUpdate {
        round: Round(3),
        silo: SiloId(2),
        delta: ModelVector::from(vec![1.0, -0.5]),
        weight: 1.0,
        clip_norm: None,
        releases: vec![Release {
            mechanism,
            steps: 20,
        }],
        metrics: UpdateMetrics::Withheld,
    }
}

pub(crate) fn keys(byte: u8) -> PublicKeys {
    PublicKeys {
        mask: [byte; 32],
        seal: [byte + 1; 32],
        own_mask: [byte + 2; 32],
    }
}

fn there_and_back<M: Message + Clone + PartialEq + Debug>(
    message: &M,
) -> Result<(), TestCaseError> {
    let frames = frames(message.clone(), Compression::Zstd);
    let expected = Ok(Some(message.clone()));
    prop_assert_eq!(read::<M>(&frames), expected);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// The fuzz targets `framing`, `to_coordinator` and `to_silo`, without a fuzzer.
    #[test]
    fn any_bytes_are_frames_and_messages_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..900)) {
        // Bytes that run out are the end of the stream.
        let _ = streams::framing(&mut Unstructured::new(&bytes));
        let _ = streams::decoding::<ToCoordinator>(&mut Unstructured::new(&bytes));
        let _ = streams::decoding::<ToSilo>(&mut Unstructured::new(&bytes));
    }
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded(down in to_silo(), up in to_coordinator()) {
        there_and_back(&down)?;
        there_and_back(&up)?;
    }

    #[test]
    fn garbage_is_refused_or_is_a_message_of_its_own(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..4),
        marked: bool,
    ) {
        let mut up = MessageReader::<ToCoordinator>::new(100);
        let mut down = MessageReader::<ToSilo>::new(100);
        for mut bytes in frames {
            if marked && let Some(first) = bytes.first_mut() {
                *first &= 1;
            }
            if let Ok(Some(message)) = up.read(&frame(&bytes)) {
                prop_assert!(encode(message, Compression::None).is_ok());
            }
            if let Ok(Some(message)) = down.read(&frame(&bytes)) {
                prop_assert!(encode(message, Compression::None).is_ok());
            }
        }
    }

    #[test]
    fn a_flipped_bit_never_panics(
        message in to_coordinator(),
        which: prop::sample::Index,
        at: prop::sample::Index,
        bit in 0u8..8,
    ) {
        let mut frames = frames(message, Compression::Zstd);
        let which = which.index(frames.len());
        let mut bytes = frames[which].payload().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        frames[which] = frame(&bytes);
        let _ = read::<ToCoordinator>(&frames);
    }
}
