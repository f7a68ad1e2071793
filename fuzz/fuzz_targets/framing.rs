//! Any bytes, however cut: frames that are the bytes, or an error that stays.
//!
//! `cargo +nightly fuzz run framing`. The property is that of the tests: `any_bytes_are_frames_and_messages_or_refused` in `crates/protocol/tests/messages.rs`.

#![no_main]

#[allow(dead_code, reason = "another target has the other property")]
#[path = "../../crates/protocol/tests/streams/mod.rs"]
mod streams;

use ::protocol;
use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Bytes that run out are the end of the input.
    let _ = streams::framing(&mut Unstructured::new(bytes));
});
