//! The arithmetic of the CPU path: matrix products and loops over vectors.
//!
//! Everything is compiled for several instruction sets and the widest that the machine has is taken at run time. The
//! order of every sum is fixed, and a product and a sum share one rounding where they are written so and nowhere
//! else; so which set it was cannot be seen in the result. Everything runs on the calling thread: a silo keeps to
//! one core. Nothing is `unsafe` but the few calls, behind the feature `cuda`, that ask a machine for its driver and compiler.

// Exact values are compared where every rounding is known.
#![cfg_attr(test, allow(clippy::float_cmp))]

mod activation;
#[cfg(feature = "cuda")]
mod cuda;
mod matrix;
mod panels;
mod product;
mod vector;

pub use activation::{exp, sigmoid, tanh};
#[cfg(feature = "cuda")]
pub use cuda::{CudaDriver, CudaVersion, has_nvrtc};
pub use matrix::{Matrix, Write};
pub use product::{Packed, gram, matmul, matmul_packed};
pub use vector::{add, add_scaled, dot, largest, reduce, scale, squared_norm, total, vectorised};
