//! Products of matrices in full `f32`.
//!
//! burn's own `matmul` may round the factors of a product to TF32's ten bits of mantissa where a device has tensor
//! cores: its autotune and its `Strategy::Auto` try kernels for them, and those ask for TF32
//! (cubek-matmul 0.2.0, `definition/blueprint.rs:91`). A norm that is a thousandth too small would clip too little.
//! So this module picks among the kernels that leave types as they are:
//!
//! * `SimpleUnit` multiplies in registers (`TileMatmulKind::Register`, `routines/selector/unit.rs:543`),
//!   which asks for no tensor cores (`components/tile.rs:104`), and takes its types from the tensors
//!   (`MatmulElems::from_globals`, `routines/selector/unit.rs:76`, `definition/spec.rs:276`);
//! * so do `Naive` (`routines/naive.rs:42`), `GemvPlaneParallel` (`routines/vecmat_plane_parallel.rs:43`) and
//!   `GemvUnitPerpendicular` (`routines/vecmat_unit_perpendicular.rs:45`);
//! * `adjust_dtypes`, which alone brings TF32 in, is called by none of them.
//!
//! `DoubleUnit` is not among them: of several matrices at once it computes some wrongly (cubek 0.2.0, on Vulkan: 512 × k by
//! k × 32 for k of 1, 2, 6, 8, 10, …), and so does whatever autotune picks it for, burn's `matmul` with it.
//!
//! Which of them is fastest for a shape is measured when it is first asked for, as burn does for its own.

use burn_cubecl::kernel::matmul::init_matmul_output;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{CubeRuntime, CubeTuneId};
use cubecl::tune::{LocalTuner, Tunable, TunableSet, TuneGroup, local_tuner};
use cubek::matmul::definition::{MatmulElems, MatmulGlobalElems, MatmulKind, MatmulSetupError};
use cubek::matmul::launch::{self, MatmulAutotuneKey, MatmulGlobalScale, Strategy};
use cubek::matmul::routines::simple_unit::SimpleUnitSelectionArgs;
use cubek::matmul::routines::{BlueprintStrategy, TileSizeSelection};
use cubek::std::InputBinding;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Factors, and where their product goes.
type Operands<R> = (CubeTensor<R>, CubeTensor<R>, CubeTensor<R>);

/// What products share a choice of kernel: the shape of the matrices and how many there are, in powers of two.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct ProductKey {
    matrices: MatmulAutotuneKey,
    batch: usize,
}

impl fmt::Display for ProductKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} matrices: {}", self.batch, self.matrices)
    }
}

impl cubecl::tune::AutotuneKey for ProductKey {}

impl ProductKey {
    fn of<R: CubeRuntime>((lhs, rhs, out): &Operands<R>) -> Self {
        let matrices = MatmulAutotuneKey::generate(
            &lhs.client,
            lhs.meta.shape(),
            rhs.meta.shape(),
            lhs.meta.strides(),
            rhs.meta.strides(),
            lhs.dtype.into(),
            rhs.dtype.into(),
            out.dtype.into(),
            None,
            None,
        );
        Self {
            matrices,
            batch: out.meta.shape()[0].next_power_of_two(),
        }
    }
}

/// What a kernel is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Small matrices.
    Small,
    /// A matrix and a vector.
    Vector,
    /// Anything, and it takes anything.
    Any,
}

impl Purpose {
    fn suits(self, key: &ProductKey) -> bool {
        let analysis = &key.matrices.analysis;
        let small = matches!(analysis.scale_global, MatmulGlobalScale::Small);
        match self {
            Self::Small => small,
            Self::Vector => matches!(analysis.kind, MatmulKind::MatVec | MatmulKind::VecMat),
            Self::Any => true,
        }
    }
}

/// The kernels of full precision, by what they are good for.
fn kernels() -> Vec<(Strategy, Purpose)> {
    let plane = Strategy::GemvPlaneParallel(BlueprintStrategy::default());
    let perpendicular = Strategy::GemvUnitPerpendicular(BlueprintStrategy::default());
    let mut kernels = vec![
        (Strategy::Naive, Purpose::Small),
        (plane, Purpose::Vector),
        (perpendicular, Purpose::Vector),
    ];
    for tile_size in [
        TileSizeSelection::MaxTileSize,
        TileSizeSelection::MinTileSize,
    ] {
        let simple = BlueprintStrategy::Inferred(SimpleUnitSelectionArgs { tile_size });
        kernels.push((Strategy::SimpleUnit(simple), Purpose::Any));
    }
    kernels
}

/// `lhs · rhs` of `[b, m, k]` and `[b, k, n]`, all `f32`, by whichever kernel is fastest here.
pub(super) fn product<R: CubeRuntime>(lhs: CubeTensor<R>, rhs: CubeTensor<R>) -> CubeTensor<R> {
    static TUNER: LocalTuner<ProductKey, CubeTuneId> = local_tuner!();
    let tunables = TUNER.init(|| {
        let group = TuneGroup::<ProductKey>::new("full precision", |_| 0);
        let mut set = TunableSet::<_, Operands<R>, ()>::new_cloning_inputs(ProductKey::of::<R>);
        for (kernel, purpose) in kernels() {
            let name = kernel.to_string();
            let tunable = Tunable::new(&name, move |operands: Operands<R>| {
                // Not every shape that shares a key with the one that was measured suits the kernel chosen there.
                let any = Strategy::SimpleUnit(BlueprintStrategy::default());
                launch(&kernel, operands.clone())
                    .or_else(|_| launch(&any, operands))
                    .map_err(|error| format!("{error:?}"))
            });
            set = set.with(tunable.group(&group, move |key| purpose.suits(key).into()));
        }
        set
    });
    let out = init_matmul_output(&lhs, &rhs, lhs.dtype);
    let client = lhs.client.clone();
    let id = CubeTuneId::new(&client, &lhs.device);
    TUNER.execute(&id, &client, tunables, (lhs, rhs, out.clone()));
    out
}

/// Has one kernel write the product.
fn launch<R: CubeRuntime>(
    kernel: &Strategy,
    (lhs, rhs, out): Operands<R>,
) -> Result<(), MatmulSetupError> {
    let client = out.client.clone();
    let mut types = MatmulElems::from_globals(&MatmulGlobalElems {
        lhs: lhs.dtype.into(),
        rhs: rhs.dtype.into(),
        out: out.dtype.into(),
    });
    let (lhs_type, rhs_type) = (lhs.dtype.into(), rhs.dtype.into());
    launch::launch_ref(
        kernel,
        &client,
        InputBinding::new(lhs.binding(), lhs_type),
        InputBinding::new(rhs.binding(), rhs_type),
        out.binding(),
        &mut types,
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Runtime, SHAPES, device, is_product, matrix, on};
    use super::*;
    use burn::tensor::{Tensor, TensorPrimitive};
    use burn_cubecl::CubeBackend;

    #[test]
    fn no_kernel_asks_for_tensor_cores() {
        for (kernel, _) in kernels() {
            assert!(
                matches!(
                    kernel,
                    Strategy::Naive
                        | Strategy::SimpleUnit(_)
                        | Strategy::GemvPlaneParallel(_)
                        | Strategy::GemvUnitPerpendicular(_)
                ),
                "{kernel}"
            );
        }
    }

    /// Each by itself, whichever is fastest here, on all that it is good for.
    #[test]
    fn every_kernel_multiplies_right() {
        type Plain = CubeBackend<Runtime, f32, i32, u8>;
        let device = device();
        for (kernel, purpose) in kernels() {
            let mut launched = 0;
            for shape @ [batch, m, k, n] in SHAPES {
                for turned in [false, true] {
                    let (lhs, rhs) = (matrix(1, [batch, m, k]), matrix(2, [batch, k, n]));
                    let left = on::<Plain>(&device, &lhs, [batch, m, k], turned);
                    let right = on::<Plain>(&device, &rhs, [batch, k, n], turned);
                    let [left, right] = [left, right].map(|x| x.into_primitive().tensor());
                    let out = init_matmul_output(&left, &right, left.dtype);
                    let operands = (left, right, out.clone());
                    if purpose.suits(&ProductKey::of(&operands))
                        && launch(&kernel, operands).is_ok()
                    {
                        launched += 1;
                        let out = Tensor::<Plain, 3>::from_primitive(TensorPrimitive::Float(out));
                        let out: Vec<f32> = out.into_data().to_vec().expect("floats");
                        assert!(is_product(shape, &lhs, &rhs, &out), "{kernel}, {shape:?}");
                    }
                }
            }
            let least = if purpose == Purpose::Any {
                2 * SHAPES.len()
            } else {
                1
            };
            assert!(launched >= least, "{kernel} ran {launched} times");
        }
    }
}
