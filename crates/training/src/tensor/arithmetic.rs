//! What a device must do to the last digit, beyond burn's own operations.

use burn::backend::Flex;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use primitives::NoiseStream;

/// Noise and products that a guarantee rests on.
pub(crate) trait Arithmetic: Backend {
    /// Standard normals, a row for each stream: what [`primitives::noise`] draws there, up to the rounding of the
    /// transform. Shape: `[streams, length]`.
    fn normals(streams: &[NoiseStream], length: usize, device: &Self::Device) -> Tensor<Self, 2>;

    /// `lhs · rhs`, matrix by matrix, with full `f32` products: norms and clipped sums may not lose digits to a
    /// device's shorter formats. Shapes: `[batch, m, k]`, `[batch, k, n]`; result `[batch, m, n]`.
    fn product(lhs: Tensor<Self, 3>, rhs: Tensor<Self, 3>) -> Tensor<Self, 3>;
}

/// The host itself.
impl Arithmetic for Flex {
    fn normals(streams: &[NoiseStream], length: usize, device: &Self::Device) -> Tensor<Self, 2> {
        let mut normals = vec![0.0; streams.len() * length];
        for (stream, row) in streams.iter().zip(normals.chunks_exact_mut(length)) {
            stream.fill(row);
        }
        Tensor::from_data(TensorData::new(normals, [streams.len(), length]), device)
    }

    fn product(lhs: Tensor<Self, 3>, rhs: Tensor<Self, 3>) -> Tensor<Self, 3> {
        lhs.matmul(rhs)
    }
}
