//! Arithmetic on devices that run CubeCL's kernels: NVIDIA's by CUDA, any by Vulkan.

mod normals;
mod product;
#[cfg(test)]
mod tests;

use super::arithmetic::Arithmetic;
use burn::tensor::{Tensor, TensorPrimitive};
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, IntElement};
use primitives::NoiseStream;

impl<R, I, BT> Arithmetic for CubeBackend<R, f32, I, BT>
where
    R: CubeRuntime,
    I: IntElement,
    BT: BoolElement,
{
    fn normals(streams: &[NoiseStream], length: usize, device: &Self::Device) -> Tensor<Self, 2> {
        let normals = normals::normals(streams, length, device);
        Tensor::from_primitive(TensorPrimitive::Float(normals))
    }

    fn product(lhs: Tensor<Self, 3>, rhs: Tensor<Self, 3>) -> Tensor<Self, 3> {
        let (lhs, rhs) = (lhs.into_primitive().tensor(), rhs.into_primitive().tensor());
        Tensor::from_primitive(TensorPrimitive::Float(product::product(lhs, rhs)))
    }
}
