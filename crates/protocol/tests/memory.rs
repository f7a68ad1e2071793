//! What sending and receiving a model takes beside the model itself.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

use peak_alloc::PeakAlloc;
use primitives::{ModelVector, Round};
use siloscope_protocol::{Compression, MAX_FRAME_BYTES, MessageReader, Task, ToSilo, encode};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const MEBIBYTE: usize = 1 << 20;

/// A model of 64 MiB, sent frame by frame and put together again: both models, and a few chunks. One test in
/// this file, since the counter is the whole process's.
#[test]
fn a_model_on_its_way_takes_a_few_chunks_beside_itself() {
    let parameters = 16 * MEBIBYTE;
    let model = 4 * parameters;
    for compression in [Compression::None, Compression::Zstd] {
        let task = Task {
            round: Round(1),
            model: ModelVector::zeros(parameters),
            clip_norm: None,
        };
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage();
        let mut reader = MessageReader::new(parameters as u64);
        let mut read = None;
        for frame in encode(ToSilo::Train(task), compression).unwrap() {
            assert!(frame.payload().len() <= MAX_FRAME_BYTES as usize);
            read = reader.read(&frame).unwrap();
        }
        let Some(ToSilo::Train(task)) = read else {
            panic!("the model has arrived")
        };
        assert_eq!(task.model.len(), parameters);
        let beside = MEMORY.peak_usage() - before - model;
        assert!(beside < 6 * MEBIBYTE, "{compression:?}: {beside} bytes");
    }
}
