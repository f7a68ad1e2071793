//! A federation of real processes: the same bytes as in memory, whatever happens to its processes.

#![allow(clippy::unwrap_used, reason = "the helpers of a test may end it")]

#[path = "../common/mod.rs"]
mod common;

mod faults;
mod hosts;
mod keys;
mod process;
mod refusals;
mod runs;
mod wire;
