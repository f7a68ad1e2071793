//! Any operations on a coordinator: rounds in order, charged as admitted, made of accepted updates.
//!
//! `cargo +nightly fuzz run coordinator`. The property is that of the tests: `any_operations_keep_the_rounds_in_order` in `server/tests/coordinator.rs`.

#![no_main]

#[path = "../../server/tests/operations/mod.rs"]
mod operations;

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Bytes that run out are the end of the input.
    let _ = operations::coordinator(&mut Unstructured::new(bytes));
});
