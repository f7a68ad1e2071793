//! The kernels on a real device against the host.

use super::super::arithmetic::Arithmetic;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use primitives::{NoiseStream, Role, Round, Seed, SiloId, Stream, noise};
use rand::Rng;
use rand_chacha::ChaCha20Rng;
use statrs::distribution::{ContinuousCDF, Normal};

#[cfg(all(feature = "cuda", not(feature = "vulkan")))]
mod here {
    pub(crate) type OnDevice = burn::backend::Cuda;
    pub(crate) type Runtime = cubecl::cuda::CudaRuntime;
}
#[cfg(feature = "vulkan")]
mod here {
    pub(crate) type OnDevice = burn::backend::Vulkan;
    pub(crate) type Runtime = cubecl::wgpu::WgpuRuntime;
}
pub(super) use here::{OnDevice, Runtime};
type Device = <OnDevice as burn::tensor::backend::BackendTypes>::Device;

/// The first device.
///
/// # Panics
/// If there is none, with what to do.
pub(super) fn device() -> Device {
    let device = Device::default();
    let started = std::panic::catch_unwind(|| OnDevice::sync(&device));
    assert!(
        matches!(started, Ok(Ok(()))),
        "no device to test on: install a driver, for Vulkan in software Debian's mesa-vulkan-drivers"
    );
    device
}

fn stream(seed: u64) -> ChaCha20Rng {
    let stream = Stream::silo(Role::Noise, SiloId(70_000), Round(9));
    Seed::from_number(seed).stream(stream)
}

fn drawn(streams: &[NoiseStream], length: usize) -> Vec<f32> {
    OnDevice::normals(streams, length, &device())
        .into_data()
        .to_vec()
        .expect("normals are floats")
}

/// What host and device may be apart: four units in the last place of a draw between four and eight.
const ROUNDING: f32 = 2e-6;

fn assert_drawn_as_on_the_host(streams: &[NoiseStream], length: usize) {
    let device = drawn(streams, length);
    assert_eq!(device.len(), streams.len() * length);
    for (place, row) in streams.iter().zip(device.chunks_exact(length)) {
        let mut host = vec![0.0; length];
        place.fill(&mut host);
        for (i, (device, host)) in row.iter().zip(host).enumerate() {
            assert!(
                (device - host).abs() <= ROUNDING
                    && (device.is_sign_negative() == host.is_sign_negative()),
                "{place:?}, normal {i} of {length}: {device} for {host}"
            );
        }
    }
}

#[test]
fn noise_is_the_host_s() {
    let streams: Vec<_> = (0..5).map(|seed| NoiseStream::of(&stream(seed))).collect();
    assert_drawn_as_on_the_host(&streams, 20_001);
    for length in [1, 15, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1000] {
        assert_drawn_as_on_the_host(&streams[..3], length);
    }
    assert_drawn_as_on_the_host(&streams[..1], 1 << 20);
}

#[test]
fn noise_goes_on_where_the_host_s_does() {
    let mut rng = stream(7);
    // A block that was begun is left alone.
    rng.next_u32();
    let mut place = NoiseStream::of(&rng);
    for length in [700, 1, 512, 4000] {
        let mut host = vec![0.0; length];
        noise::add(&mut rng, 1.0, &mut host);
        for (device, host) in drawn(&[place], length).iter().zip(host) {
            assert!((device - host).abs() <= ROUNDING, "{device} for {host}");
        }
        place = place.after(length);
    }
    assert_eq!(place, NoiseStream::of(&rng));
}

#[test]
fn block_counters_carry() {
    let at = |block, stream: u64| NoiseStream {
        key: std::array::from_fn(|i| 0x9e37_79b9_u32.wrapping_mul(i as u32 + 1)),
        stream,
        block,
    };
    let streams = [
        at((1 << 32) - 20, 3),
        at((1 << 32) - 1, u64::MAX),
        at((5 << 32) - 33, 1 << 32),
        at(u64::MAX - 7, 0),
        at((1 << 63) - 9, 1 << 63),
    ];
    assert_drawn_as_on_the_host(&streams, 3000);
}

/// Blocks of a stream with a rare radius word, with the first such pair and its word.
fn rare_blocks(rng: &mut ChaCha20Rng, blocks: u64) -> Vec<(u64, usize, u32)> {
    let mut rare = Vec::new();
    for block in 0..blocks {
        let words: [u32; 16] = std::array::from_fn(|_| rng.next_u32());
        let word = words[..8].iter().position(|&word| word < 1 << 16);
        rare.extend(word.map(|pair| (block, pair, words[pair])));
    }
    rare
}

#[test]
fn rare_words_reach_out_as_on_the_host() {
    let start = NoiseStream::of(&stream(11));
    let rare = rare_blocks(&mut stream(11), 400_000);
    assert!(rare.len() > 20, "{} of about 49", rare.len());
    let mut told_apart = 0;
    for (i, &(block, pair, word)) in rare.iter().enumerate() {
        // Anywhere among its sixteen.
        let before = (i % 16) as u64;
        let place = NoiseStream {
            block: (start.block + block).wrapping_sub(before),
            ..start
        };
        assert_drawn_as_on_the_host(&[place], 256);
        let normals = drawn(&[place], 256);
        let at = pair * 16 + i % 16;
        let radius = f64::from(normals[at]).hypot(f64::from(normals[at + 128]));
        let cut_off = (-2.0 * ((f64::from(word) + 0.5) / 4_294_967_296.0).ln()).sqrt();
        assert!(radius > 4.7 && (radius - cut_off).abs() < 0.5);
        told_apart += usize::from((radius - cut_off).abs() > 4e-6);
    }
    assert!(
        told_apart > 5,
        "{told_apart}: the further word must be seen"
    );
}

/// Fails for a right sampler once in a million (Dvoretzky, Kiefer, Wolfowitz with Massart's constant).
#[test]
fn the_law_is_the_normal_law() {
    let far_from_normal = |scale: f64| {
        let mut draws: Vec<_> = drawn(&[NoiseStream::of(&stream(1))], 1 << 20)
            .into_iter()
            .map(|x| f64::from(x) * scale)
            .collect();
        draws.sort_unstable_by(f64::total_cmp);
        let (law, n) = (Normal::standard(), draws.len() as f64);
        let distances = draws.iter().enumerate().map(|(i, &x)| {
            let p = law.cdf(x);
            (p - i as f64 / n).max((i + 1) as f64 / n - p)
        });
        distances.fold(0.0, f64::max) > ((2.0 / 1e-6_f64).ln() / (2.0 * n)).sqrt()
    };
    assert!(!far_from_normal(1.0));
    assert!(far_from_normal(1.02), "two per cent too wide must be seen");
}

/// A matrix of numbers with all their digits.
pub(super) fn matrix(seed: u64, shape: [usize; 3]) -> Vec<f32> {
    let mut values = vec![0.0; shape.iter().product()];
    noise::add(&mut stream(seed), 1.0, &mut values);
    values
}

/// Whether a product is as near to one in `f64` as sums in `f32` in any order come: `|Δ| ≤ k u Σ |lhs| |rhs|` with
/// a unit of rounding `u = 2⁻²⁴`, and `k + 1` for what is of second order.
pub(super) fn is_product(
    [batch, m, k, n]: [usize; 4],
    lhs: &[f32],
    rhs: &[f32],
    product: &[f32],
) -> bool {
    let mut right = product.len() == batch * m * n;
    for b in 0..batch {
        for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
            let terms = (0..k)
                .map(|l| f64::from(lhs[(b * m + i) * k + l]) * f64::from(rhs[(b * k + l) * n + j]));
            let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), x| (sum + x, size + x.abs()));
            let bound = (k + 1) as f64 * size / 16_777_216.0;
            right &= (f64::from(product[(b * m + i) * n + j]) - sum).abs() <= bound;
        }
    }
    right
}

/// Shapes `[batch, m, k, n]` of every kind: scalars, vectors, thin, odd, and longer than a tile.
pub(super) const SHAPES: [[usize; 4]; 16] = [
    [1, 1, 1, 1],
    [3, 1, 37, 1],
    [1, 1, 50, 33],
    [5, 1, 8, 64],
    [5, 64, 8, 1],
    [2, 17, 1, 19],
    [2, 1, 1, 19],
    [2, 17, 1, 1],
    [9, 13, 7, 5],
    [64, 16, 16, 16],
    [3, 65, 63, 129],
    [1, 130, 530, 70],
    // What a kernel of two buffers computes wrongly.
    [2, 512, 1, 32],
    [2, 512, 8, 32],
    [3, 512, 10, 32],
    [2, 64, 66, 16],
];

/// Matrices on a device, as they are or as views of their transposes, as gradients are.
pub(super) fn on<B: Backend>(
    device: &B::Device,
    values: &[f32],
    [batch, rows, columns]: [usize; 3],
    turned: bool,
) -> Tensor<B, 3> {
    if !turned {
        let data = TensorData::new(values.to_vec(), [batch, rows, columns]);
        return Tensor::from_data(data, device);
    }
    let mut transposed = Vec::with_capacity(values.len());
    for matrix in values.chunks_exact(rows * columns) {
        for column in 0..columns {
            transposed.extend((0..rows).map(|row| matrix[row * columns + column]));
        }
    }
    let data = TensorData::new(transposed, [batch, columns, rows]);
    Tensor::from_data(data, device).swap_dims(1, 2)
}

#[test]
fn products_lose_no_digit() {
    let device = device();
    for shape @ [batch, m, k, n] in SHAPES {
        let (lhs, rhs) = (matrix(1, [batch, m, k]), matrix(2, [batch, k, n]));
        for turned @ (left, right) in [(false, false), (true, false), (false, true), (true, true)] {
            let product = OnDevice::product(
                on(&device, &lhs, [batch, m, k], left),
                on(&device, &rhs, [batch, k, n], right),
            );
            assert_eq!(product.dims(), [batch, m, n]);
            let product: Vec<f32> = product.into_data().to_vec().expect("floats");
            assert!(
                is_product(shape, &lhs, &rhs, &product),
                "{shape:?}, {turned:?}"
            );
        }
    }
}

/// One matrix that stands for several, as a view does, is multiplied as if it were there several times.
#[test]
fn a_factor_may_be_a_view_of_one_for_all() {
    let device = device();
    let (lhs, rhs) = (matrix(1, [3, 9, 20]), matrix(2, [1, 20, 6]));
    let product = OnDevice::product(
        on(&device, &lhs, [3, 9, 20], false),
        on(&device, &rhs, [1, 20, 6], false).expand([3, 20, 6]),
    );
    let product: Vec<f32> = product.into_data().to_vec().expect("floats");
    assert!(is_product([3, 9, 20, 6], &lhs, &rhs.repeat(3), &product));
}

/// The check must see factors that were rounded to ten bits of mantissa, as TF32's are.
#[test]
fn a_product_of_shorter_factors_is_told_apart() {
    let shape = [2, 8, 32, 8];
    let (lhs, rhs) = (matrix(1, [2, 8, 32]), matrix(2, [2, 32, 8]));
    let short = |values: &[f32]| -> Vec<f32> {
        let round = |x: &f32| f32::from_bits((x.to_bits() + (1 << 12)) & !((1 << 13) - 1));
        values.iter().map(round).collect()
    };
    let multiply = |lhs: &[f32], rhs: &[f32]| -> Vec<f32> {
        let place = |at: usize| {
            let (b, i, j) = (at / 64, at / 8 % 8, at % 8);
            let term = |l: usize| lhs[(b * 8 + i) * 32 + l] * rhs[(b * 32 + l) * 8 + j];
            (0..32).map(term).sum()
        };
        (0..128).map(place).collect()
    };
    assert!(is_product(shape, &lhs, &rhs, &multiply(&lhs, &rhs)));
    let shorter = multiply(&short(&lhs), &short(&rhs));
    assert!(!is_product(shape, &lhs, &rhs, &shorter));
}

/// Operations before and after see the right tensors.
#[test]
fn noise_and_products_stand_among_other_operations() {
    let device = device();
    let places = [NoiseStream::of(&stream(3)), NoiseStream::of(&stream(4))];
    let (values, shape) = (matrix(5, [2, 6, 6]), [2, 6, 6]);
    let x = Tensor::<OnDevice, 3>::from_data(TensorData::new(values.clone(), shape), &device);
    for step in 0..3_u8 {
        let scale = f32::from(step) + 0.5;
        let y = x.clone() * scale;
        let z = OnDevice::product(y.clone(), y + 1.0);
        let z = z * 0.25 + OnDevice::normals(&places, 36, &device).reshape(shape);
        let z: Vec<f32> = z.into_data().to_vec().expect("floats");
        for b in 0..2 {
            let mut normals = [0.0; 36];
            places[b].fill(&mut normals);
            for (i, j) in (0..6).flat_map(|i| (0..6).map(move |j| (i, j))) {
                let y = |i: usize, j: usize| scale * values[(b * 6 + i) * 6 + j];
                let sum: f32 = (0..6).map(|l| y(i, l) * (y(l, j) + 1.0)).sum();
                let right = sum * 0.25 + normals[i * 6 + j];
                assert!((z[(b * 6 + i) * 6 + j] - right).abs() < 1e-4);
            }
        }
    }
}
