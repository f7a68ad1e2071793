//! Any operations on a silo: one update a round, charged before it leaves.
//!
//! `cargo +nightly fuzz run silo --features silo`. The property is that of the tests: `any_operations_charge_what_leaves` in `clients/tests/silo.rs`.

#![no_main]

#[path = "../../clients/tests/operations/mod.rs"]
mod operations;

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Bytes that run out are the end of the input.
    let _ = operations::silo(&mut Unstructured::new(bytes));
});
