//! What a reader takes for a message, and what ends its stream.

use crate::{frame, frames, read, update};
use primitives::Round;
use siloscope_protocol::{
    CHUNK_VALUES, CodecError, Compression, Frame, MessageReader, SiloUpdate, Task, ToCoordinator,
    ToSilo,
};

#[test]
fn a_message_must_use_all_of_its_bytes_and_all_of_its_bytes_must_come() {
    let whole = frames(ToCoordinator::Update(update()), Compression::None);
    assert_eq!(read(&whole), Ok(Some(ToCoordinator::Update(update()))));
    let head = whole[0].payload();
    let longer = frame(&[head, &[0]].concat());
    assert_eq!(
        read::<ToCoordinator>(&[longer]),
        Err(CodecError::Trailing { left: 1 })
    );
    for cut in 1..head.len() {
        let error = read::<ToCoordinator>(&[frame(&head[..cut])]).unwrap_err();
        assert!(matches!(error, CodecError::Decode(_)), "{cut}");
    }
    let chunk = whole[1].payload();
    for cut in 1..chunk.len() {
        let error = read::<ToCoordinator>(&[whole[0].clone(), frame(&chunk[..cut])]).unwrap_err();
        assert!(matches!(error, CodecError::ChunkSize { .. }), "{cut}");
    }
    let longer = frame(&[chunk, &[0]].concat());
    let error = read::<ToCoordinator>(&[whole[0].clone(), longer]).unwrap_err();
    assert_eq!(
        error,
        CodecError::ChunkSize {
            number: 0,
            expected: 8
        }
    );
}

/// A task of two chunks and a bit.
fn long_task() -> (Task, Vec<Frame>) {
    let values = (0..2 * CHUNK_VALUES + 3).map(|i| (i as f32).sin());
    let task = Task {
        round: Round(3),
        model: values.collect::<Vec<_>>().into(),
        clip_norm: None,
    };
    let frames = frames(ToSilo::Train(task.clone()), Compression::None);
    assert_eq!(frames.len(), 4);
    (task, frames)
}

#[test]
fn frames_that_are_lost_repeated_or_swapped_end_the_stream() {
    let (task, whole) = long_task();
    assert_eq!(read(&whole), Ok(Some(ToSilo::Train(task))));
    let order = |numbers: &[usize]| {
        let frames: Vec<Frame> = numbers.iter().map(|&at| whole[at].clone()).collect();
        read::<ToSilo>(&frames).unwrap_err()
    };
    let chunk = |found, expected| CodecError::ChunkOrder { found, expected };
    assert_eq!(order(&[0, 2]), chunk(1, 0));
    assert_eq!(order(&[0, 1, 1]), chunk(0, 1));
    assert_eq!(order(&[0, 1, 3]), chunk(2, 1));
    assert!(matches!(
        order(&[1]),
        CodecError::Order {
            found: "a chunk",
            ..
        }
    ));
    assert!(matches!(
        order(&[0, 1, 0]),
        CodecError::Order {
            found: "a message",
            ..
        }
    ));
    assert!(matches!(
        order(&[0, 1, 2, 3, 3]),
        CodecError::Order {
            found: "a chunk",
            ..
        }
    ));

    let mut reader = MessageReader::<ToSilo>::new(1 << 20);
    let error = reader.read(&frame(&[7, 7])).unwrap_err();
    assert_eq!(error, CodecError::Mark { found: Some(7) });
    assert_eq!(reader.read(&whole[0]), Err(error), "an error is for good");
    assert_eq!(
        read::<ToSilo>(&[frame(&[])]),
        Err(CodecError::Mark { found: None })
    );
}

#[test]
fn a_vector_longer_than_the_federations_model_is_refused_at_its_head() {
    let (task, frames) = long_task();
    let values = task.model.len() as u64;
    let limit = values - 1;
    let error = MessageReader::<ToSilo>::new(limit).read(&frames[0]);
    assert_eq!(error, Err(CodecError::TooLong { values, limit }));
    assert_eq!(
        MessageReader::<ToSilo>::new(values).read(&frames[0]),
        Ok(None)
    );
    // A vector written into the head itself would pass by that limit.
    let inline = frame(b"\x00\x01\x03\x01\x00\x00\x80\x3f\x01\x00\x00");
    assert!(matches!(
        read::<ToSilo>(&[inline]),
        Err(CodecError::Decode(_))
    ));
}

#[test]
fn zstd_changes_the_bytes_on_the_way_and_nothing_else() {
    let delta: Vec<f32> = (0..CHUNK_VALUES + 100)
        .map(|i| (i as f32 * 0.01).cos() * 1e-3)
        .collect();
    let update = SiloUpdate {
        delta: delta.into(),
        ..update()
    };
    let pairs = [
        (Compression::None, Compression::Zstd),
        (Compression::Fp16, Compression::Fp16Zstd),
        (Compression::Int8, Compression::Int8Zstd),
    ];
    for (plain, squeezed) in pairs {
        let plain = frames(ToCoordinator::Update(update.clone()), plain);
        let squeezed = frames(ToCoordinator::Update(update.clone()), squeezed);
        assert_eq!(
            read::<ToCoordinator>(&plain),
            read::<ToCoordinator>(&squeezed)
        );
        let bytes = |frames: &[Frame]| frames.iter().map(Frame::wire_len).sum::<usize>();
        assert!(bytes(&squeezed) < bytes(&plain));
        // A squeezed chunk that unfolds to more than its values is refused without unfolding it.
        let zeros = zstd::bulk::compress(&vec![0; 64 << 20], 1).unwrap();
        let bomb = frame(&[&[1, 0, 0, 0, 0, 1][..], &zeros].concat());
        let error = read::<ToCoordinator>(&[plain[0].clone(), bomb]).unwrap_err();
        assert!(
            matches!(error, CodecError::ChunkSize { number: 0, .. }),
            "{error}"
        );
    }
}

/// Models are never rounded, whatever is asked for updates.
#[test]
fn a_model_travels_exactly() {
    let task = Task {
        round: Round(1),
        model: vec![0.1, 1e-30, 3e38].into(),
        clip_norm: None,
    };
    for compression in [Compression::Fp16, Compression::Int8, Compression::Int8Zstd] {
        let frames = frames(ToSilo::Train(task.clone()), compression);
        assert_eq!(read(&frames), Ok(Some(ToSilo::Train(task.clone()))));
    }
}

#[test]
fn a_number_out_of_its_range_is_no_message() {
    let frames = frames(ToCoordinator::Update(update()), Compression::None);
    let head = frames[0].payload();
    let half = 0.5_f64.to_le_bytes();
    let at = head.windows(8).position(|window| window == half).unwrap();
    let mut bytes = head.to_vec();
    bytes[at..at + 8].copy_from_slice(&1.5_f64.to_le_bytes());
    let error = read::<ToCoordinator>(&[frame(&bytes)]).unwrap_err();
    assert!(error.to_string().contains("sampling rate 1.5"), "{error}");
}
