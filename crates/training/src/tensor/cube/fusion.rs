//! The same where burn records operations first and runs them later, joined where they can be.
//!
//! Neither joins with others: noise is a tensor that comes from elsewhere, as data of the host does, and a product
//! is an operation that fusion knows the shapes of and nothing else.

use super::super::arithmetic::Arithmetic;
use burn::backend::ir::{
    CustomOpIr, HandleContainer, InitOperationIr, OperationIr, OperationOutput, TensorIr,
};
use burn::tensor::{DType, Shape, Tensor, TensorPrimitive};
use burn_fusion::stream::{Operation, OperationStreams};
use burn_fusion::{Fusion, FusionBackend, NoOp, get_client};
use primitives::NoiseStream;
use std::marker::PhantomData;

impl<B: FusionBackend + Arithmetic> Arithmetic for Fusion<B> {
    fn normals(streams: &[NoiseStream], length: usize, device: &Self::Device) -> Tensor<Self, 2> {
        let normals = B::normals(streams, length, device)
            .into_primitive()
            .tensor();
        let client = get_client::<B>(device);
        let shape = Shape::new([streams.len(), length]);
        let operation = InitOperationIr::create(shape, DType::F32, || {
            client.register_tensor_handle(B::float_tensor_handle(normals))
        });
        let operation = OperationIr::Init(operation);
        let normals = client.register(OperationStreams::default(), operation, NoOp::<B>::new());
        Tensor::from_primitive(TensorPrimitive::Float(normals.output()))
    }

    fn product(lhs: Tensor<Self, 3>, rhs: Tensor<Self, 3>) -> Tensor<Self, 3> {
        let ([batch, m, _], [_, _, n]) = (lhs.dims(), rhs.dims());
        let (lhs, rhs) = (lhs.into_primitive().tensor(), rhs.into_primitive().tensor());
        let client = lhs.client.clone();
        let streams = OperationStreams::with_inputs([&lhs, &rhs]);
        let shape = Shape::new([batch, m, n]);
        let product = TensorIr::uninit(client.create_empty_handle(), shape, DType::F32);
        let inputs = [lhs.into_ir(), rhs.into_ir()];
        let operation = CustomOpIr::new("full-precision product", &inputs, &[product]);
        let product = Product::<B> {
            operation: operation.clone(),
            backend: PhantomData,
        };
        let product = client.register(streams, OperationIr::Custom(operation), product);
        Tensor::from_primitive(TensorPrimitive::Float(product.output()))
    }
}

/// A product that is still to be computed.
#[derive(Debug)]
struct Product<B> {
    operation: CustomOpIr,
    backend: PhantomData<B>,
}

impl<B: FusionBackend + Arithmetic> Operation<B::FusionRuntime> for Product<B> {
    fn execute(&self, handles: &mut HandleContainer<B::Handle>) {
        let ([lhs, rhs], [out]) = self.operation.as_fixed();
        let [lhs, rhs] = [lhs, rhs].map(|factor| {
            let factor = handles.get_float_tensor::<B>(factor);
            Tensor::from_primitive(TensorPrimitive::Float(factor))
        });
        let product = B::product(lhs, rhs).into_primitive().tensor();
        handles.register_float_tensor::<B>(&out.id, product);
    }
}
