//! Any frames to a silo: messages that can be written again, or an error that stays.
//!
//! `cargo +nightly fuzz run to_silo`. The property is that of the tests: `any_bytes_are_frames_and_messages_or_refused` in `crates/protocol/tests/messages.rs`.

#![no_main]

#[allow(dead_code, reason = "another target has the other property")]
#[path = "../../crates/protocol/tests/streams/mod.rs"]
mod streams;

use ::protocol;
use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use protocol::ToSilo;

fuzz_target!(|bytes: &[u8]| {
    // Bytes that run out are the end of the input.
    let _ = streams::decoding::<ToSilo>(&mut Unstructured::new(bytes));
});
