//! Full-precision products where gradients are wanted.

use super::arithmetic::Arithmetic;
use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, binary};
use burn::tensor::{Tensor, TensorPrimitive};
use primitives::NoiseStream;

impl<B: Arithmetic> Arithmetic for Autodiff<B> {
    fn normals(streams: &[NoiseStream], length: usize, device: &Self::Device) -> Tensor<Self, 2> {
        Tensor::from_inner(B::normals(streams, length, device))
    }

    fn product(lhs: Tensor<Self, 3>, rhs: Tensor<Self, 3>) -> Tensor<Self, 3> {
        let (lhs, rhs) = (lhs.into_primitive().tensor(), rhs.into_primitive().tensor());
        let factors = (lhs.primitive.clone(), rhs.primitive.clone());
        let prepared = Product.prepare::<NoCheckpointing>([lhs.node.clone(), rhs.node.clone()]);
        let y = match prepared.compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                // Each is kept for the other's gradient.
                let kept = (
                    rhs.is_tracked().then(|| factors.0.clone()),
                    lhs.is_tracked().then(|| factors.1.clone()),
                );
                prepared.finish(kept, multiply::<B>(factors.0, factors.1))
            }
            OpsKind::UnTracked(prepared) => prepared.finish(multiply::<B>(factors.0, factors.1)),
        };
        Tensor::from_primitive(TensorPrimitive::Float(y))
    }
}

/// `lhs · rhs`, matrix by matrix.
#[derive(Debug)]
struct Product;

impl<B: Arithmetic> Backward<B, 2> for Product {
    type State = (
        Option<B::FloatTensorPrimitive>,
        Option<B::FloatTensorPrimitive>,
    );

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let (lhs, rhs) = ops.state;
        binary::<B, _, _>(
            ops.parents,
            ops.node,
            gradients,
            |g| multiply::<B>(g, B::float_transpose(rhs.expect("kept where it is needed"))),
            |g| multiply::<B>(B::float_transpose(lhs.expect("kept where it is needed")), g),
        );
    }
}

fn multiply<B: Arithmetic>(
    lhs: B::FloatTensorPrimitive,
    rhs: B::FloatTensorPrimitive,
) -> B::FloatTensorPrimitive {
    let tensor = |x| Tensor::<B, 3>::from_primitive(TensorPrimitive::Float(x));
    B::product(tensor(lhs), tensor(rhs))
        .into_primitive()
        .tensor()
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::backend::Flex;
    use burn::tensor::Distribution;

    type A = Autodiff<Flex>;

    /// burn's own product is the twin.
    #[test]
    fn gradients_are_those_of_burns_product() {
        let device = burn::backend::flex::FlexDevice;
        let random = |shape| Tensor::<A, 3>::random(shape, Distribution::Default, &device);
        let (x, w) = (random([2, 5, 3]), random([2, 3, 4]));
        let weights = random([2, 5, 4]);
        for (x_wanted, w_wanted) in [(true, true), (true, false), (false, true), (false, false)] {
            let leaf = |t: &Tensor<A, 3>, wanted| {
                let t = Tensor::from_inner(t.clone().inner());
                if wanted { t.require_grad() } else { t }
            };
            let by = |product: &dyn Fn(Tensor<A, 3>, Tensor<A, 3>) -> Tensor<A, 3>| {
                let (x, w) = (leaf(&x, x_wanted), leaf(&w, w_wanted));
                let y = product(x.clone(), w.clone());
                let value = y.clone().inner().into_data();
                let mut gradients = (y * weights.clone()).sum().backward();
                let mut of = |t: Tensor<A, 3>| t.grad_remove(&mut gradients).map(Tensor::into_data);
                (value, of(x), of(w))
            };
            let (ours, burns) = (by(&A::product), by(&|x, w| x.matmul(w)));
            assert_eq!(ours, burns);
            assert_eq!((ours.1.is_some(), ours.2.is_some()), (x_wanted, w_wanted));
        }
    }
}
