//! The kernel that draws noise on the device.
//!
//! A thread makes one block of ChaCha20 and the sixteen normals of its words, by the formulas of
//! [`primitives::noise`] in the same order with the same fused products. ChaCha20 is integers, so the uniform words
//! are the host's to the bit on every device, and so is which words are rare. What may differ is rounding: a device
//! may round `fma`, `sqrt` and conversions its own way (Vulkan asks for no more than that; CUDA's are IEEE's), and
//! the radius of a rare word is taken in `f32` here and in `f64` there. No device may drop or cut off a tail for it.

use burn::tensor::{DType, Shape};
use burn_cubecl::CubeRuntime;
use burn_cubecl::ops::numeric::empty_device_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;
use primitives::NoiseStream;
use std::f32::consts::{FRAC_PI_2, LN_2};

/// Words of a block, and blocks whose normals lie interleaved.
const SIXTEEN: usize = 16;

/// Pairs of normals a block.
const PAIRS: usize = SIXTEEN / 2;

/// Normals of sixteen blocks.
const NORMALS: usize = SIXTEEN * SIXTEEN;

/// Words that say where a stream begins: eight of the key, two of the nonce, two of the first block.
const PLACE: usize = 12;

/// Radius words below this ask for a further word.
const RARE: u32 = 1 << 16;

/// `2⁻³²`.
const UNIT: f32 = 1.0 / 4_294_967_296.0;

/// The bits of `√½`.
const ROOT_OF_HALF: i32 = 0x3f35_04f3;

/// Standard normals, a row for each stream: what the host draws there. Shape: `[streams, length]`, neither of them zero.
///
/// Nothing comes back to the host, and the keys alone go up.
///
/// # Panics
/// If a row has more than 2³⁵ entries.
pub(super) fn normals<R: CubeRuntime>(
    streams: &[NoiseStream],
    length: usize,
    device: &R::Device,
) -> CubeTensor<R> {
    let client = R::client(device);
    let tensor = |shape, handle, dtype| {
        CubeTensor::new_contiguous(client.clone(), device.clone(), shape, handle, dtype)
    };
    let places: Vec<u32> = streams.iter().flat_map(words_of).collect();
    let shape = Shape::new([places.len()]);
    let places = tensor(
        shape,
        client.create_from_slice(u32::as_bytes(&places)),
        DType::U32,
    );

    let shape = Shape::new([streams.len(), length]);
    let normals = empty_device_dtype(client.clone(), device.clone(), shape, DType::F32);
    let blocks = length.div_ceil(NORMALS) * SIXTEEN;
    assert!(
        u32::try_from(blocks).is_ok(),
        "a row of {length} normals, of 2³⁵ at most"
    );
    let threads = streams.len() * blocks;
    let cube = CubeDim::new(&client, threads);
    draw::launch(
        &client,
        calculate_cube_count_elemwise(&client, threads, cube),
        cube,
        normals.required_address_type(),
        places.into_array_arg(),
        normals.clone().into_tensor_arg(),
    );
    normals
}

fn words_of(place: &NoiseStream) -> [u32; PLACE] {
    let mut words = [0; PLACE];
    words[..8].copy_from_slice(&place.key);
    for (pair, whole) in words[8..]
        .chunks_exact_mut(2)
        .zip([place.stream, place.block])
    {
        pair.copy_from_slice(&[whole as u32, (whole >> 32) as u32]);
    }
    words
}

/// Fills row `r` of `normals` with what the host would draw from the place in `places[PLACE · r..]`.
///
/// One thread a block: `⌈row / 256⌉ · 16` of them for every row, the rows one after the other.
#[cube(launch, address_type = "dynamic")]
fn draw(places: &Array<u32>, normals: &mut Tensor<f32>) {
    let length = normals.shape(1);
    let blocks = (length + comptime!(NORMALS - 1)) / NORMALS * SIXTEEN;
    let row = ABSOLUTE_POS / blocks;
    let block = ABSOLUTE_POS % blocks;
    if row >= normals.shape(0) {
        terminate!();
    }

    let place = row * PLACE;
    let first = places[place + 10];
    let low = first + u32::cast_from(block);
    let high = places[place + 11] + u32::cast_from(low < first);
    let words = cipher(places, place, low, high);
    // Words of the block half the stream away, if there is a pair that needs one.
    let mut rare = false;
    #[unroll]
    for pair in 0..PAIRS {
        rare = rare || words[pair] < RARE;
    }
    let mut further = Array::<u32>::new(SIXTEEN);
    if rare {
        let far = cipher(places, place, low, high ^ comptime!(1u32 << 31));
        #[unroll]
        for word in 0..SIXTEEN {
            further[word] = far[word];
        }
    }

    let begin = row * normals.stride(0);
    let offset = block / SIXTEEN * NORMALS + block % SIXTEEN;
    #[unroll]
    for pair in 0..PAIRS {
        let place = offset + comptime!(pair * SIXTEEN);
        let word = words[pair];
        let distance = distance(word, further[2 * pair], further[2 * pair + 1]);
        let radius = radius(word, distance);
        let angle = words[pair + PAIRS];
        let (cos, sin) = point(angle);
        let turned = angle & comptime!(1u32 << 30) != 0;
        if place < length {
            normals[begin + place] = radius * select(turned, sin, cos);
        }
        if place + comptime!(PAIRS * SIXTEEN) < length {
            normals[begin + place + comptime!(PAIRS * SIXTEEN)] = radius * select(turned, cos, sin);
        }
    }
}

/// `chacha20_block` of RFC 8439, section 2.3, with a counter and a nonce of 64 bits each.
#[cube]
fn cipher(places: &Array<u32>, place: usize, low: u32, high: u32) -> Array<u32> {
    let mut start = Array::<u32>::new(SIXTEEN);
    // "expand 32-byte k"
    start[0] = 0x6170_7865;
    start[1] = 0x3320_646e;
    start[2] = 0x7962_2d32;
    start[3] = 0x6b20_6574;
    #[unroll]
    for word in 0..8usize {
        start[4 + word] = places[place + word];
    }
    start[12] = low;
    start[13] = high;
    start[14] = places[place + 8];
    start[15] = places[place + 9];

    let mut x = Array::<u32>::new(SIXTEEN);
    #[unroll]
    for word in 0..SIXTEEN {
        x[word] = start[word];
    }
    for _ in 0..10 {
        #[unroll]
        for i in 0..4usize {
            quarter_round(&mut x, i, i + 4, i + 8, i + 12);
        }
        #[unroll]
        for i in 0..4usize {
            quarter_round(
                &mut x,
                i,
                (i + 1) % 4 + 4,
                (i + 2) % 4 + 8,
                (i + 3) % 4 + 12,
            );
        }
    }
    #[unroll]
    for word in 0..SIXTEEN {
        x[word] += start[word];
    }
    x
}

#[cube]
fn quarter_round(x: &mut Array<u32>, a: usize, b: usize, c: usize, d: usize) {
    x[a] += x[b];
    x[d] = turn(x[d] ^ x[a], 16u32);
    x[c] += x[d];
    x[b] = turn(x[b] ^ x[c], 12u32);
    x[a] += x[b];
    x[d] = turn(x[d] ^ x[a], 8u32);
    x[c] += x[d];
    x[b] = turn(x[b] ^ x[c], 7u32);
}

#[cube]
fn turn(word: u32, #[comptime] bits: u32) -> u32 {
    (word << bits) | (word >> comptime!(32 - bits))
}

/// `2³² u` for the `u` of a radius word: `word + ½`, or where in `(word, word + 1]` the further word of a rare one, in
/// two halves, puts it.
#[cube]
fn distance(word: u32, low: u32, high: u32) -> f32 {
    let mut distance = f32::cast_from(word) + 0.5;
    if word < RARE {
        let low = (f32::cast_from(low) + 1.0) * UNIT;
        distance = f32::cast_from(word) + (f32::cast_from(high) + low) * UNIT;
    }
    distance
}

/// `√(−2 ln u)` for `u = distance / 2³²`.
#[cube]
fn radius(word: u32, distance: f32) -> f32 {
    let bits = i32::reinterpret(distance);
    let exponent = (bits - ROOT_OF_HALF) >> 23;
    let m = f32::reinterpret(bits - (exponent << 23));
    let from_one = -(f32::cast_from(!word) + 0.5) * UNIT;
    let f = select(exponent == 32, from_one, m - 1.0);
    let square = f * f;
    let series = fma(7.037_683_6e-2_f32, f, -1.151_461e-1_f32);
    let series = fma(series, f, 1.167_699_9e-1_f32);
    let series = fma(series, f, -1.242_014_1e-1_f32);
    let series = fma(series, f, 1.424_932_3e-1_f32);
    let series = fma(series, f, -1.666_805_7e-1_f32);
    let series = fma(series, f, 2.000_071_6e-1_f32);
    let series = fma(series, f, -2.499_999_4e-1_f32);
    let series = fma(series, f, 3.333_333e-1_f32);
    let ln_m = fma(f * square, series, fma(-0.5_f32, square, f));
    let ln_u = fma(f32::cast_from(exponent) - 32.0, LN_2, ln_m);
    f32::sqrt(-2.0 * ln_u)
}

/// Cosine, with the sign of the angle's upper half, and sine of the angle within its quarter turn.
#[cube]
fn point(word: u32) -> (f32, f32) {
    let x = f32::cast_from(i32::reinterpret(word << 2)) * comptime!(FRAC_PI_2 * UNIT);
    let square = x * x;
    let sin = fma(-1.951_529_6e-4_f32, square, 8.332_161e-3_f32);
    let sin = fma(sin, square, -1.666_665_5e-1_f32);
    let sin = fma(x * square, sin, x);
    let cos = fma(2.443_315_7e-5_f32, square, -1.388_731_6e-3_f32);
    let cos = fma(cos, square, 4.166_664_6e-2_f32);
    let cos = fma(square * square, cos, fma(-0.5_f32, square, 1.0_f32));
    let cos = f32::reinterpret(u32::reinterpret(cos) | (word & comptime!(1u32 << 31)));
    (cos, sin)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Runtime, device};
    use super::*;
    use cubecl::Runtime as _;

    #[cube(launch)]
    fn radii(words: &Array<u32>, radii: &mut Array<f32>) {
        if ABSOLUTE_POS < radii.len() {
            let word = words[3 * ABSOLUTE_POS];
            let (low, high) = (words[3 * ABSOLUTE_POS + 1], words[3 * ABSOLUTE_POS + 2]);
            radii[ABSOLUTE_POS] = radius(word, distance(word, low, high));
        }
    }

    /// Words that no search finds, as far out and as near to the centre as there are.
    #[test]
    fn radii_are_right_at_both_ends() {
        let furthest = [(0, 0), (1, 0), (u32::MAX, 0), (0, 1), (7, 0x8000_0000)];
        let far = [(u32::MAX, u32::MAX), (3, 0x1234_5678)];
        let mut words = Vec::new();
        for word in [
            0,
            1,
            2,
            100,
            RARE - 1,
            RARE,
            RARE + 1,
            1 << 24,
            3_037_000_499,
        ] {
            for (low, high) in furthest.into_iter().chain(far) {
                words.extend([word, low, high]);
            }
        }
        for down in 0..200_u32 {
            words.extend([u32::MAX - down * down * down, 5, 6]);
        }
        let (device, count) = (device(), words.len() / 3);
        let client = Runtime::client(&device);
        let array = |length: usize, handle, dtype| {
            let shape = Shape::new([length]);
            CubeTensor::new_contiguous(client.clone(), device.clone(), shape, handle, dtype)
        };
        let handle = client.create_from_slice(u32::as_bytes(&words));
        let out = client.empty(count * size_of::<f32>());
        radii::launch::<Runtime>(
            &client,
            CubeCount::new_1d(count.div_ceil(32) as u32),
            CubeDim::new_1d(32),
            array(words.len(), handle, DType::U32).into_array_arg(),
            array(count, out.clone(), DType::F32).into_array_arg(),
        );
        let bytes = client.read_one_unchecked(out);
        for (words, radius) in words.chunks_exact(3).zip(f32::from_bytes(&bytes)) {
            let (word, unit) = (words[0], f64::from(UNIT));
            let ln_u = if word < RARE {
                let v = (f64::from(words[2]) + (f64::from(words[1]) + 1.0) * unit) * unit;
                ((f64::from(word) + v) * unit).ln()
            } else {
                (-(f64::from(!word) + 0.5) * unit).ln_1p()
            };
            let right = (-2.0 * ln_u).sqrt();
            assert!(
                (f64::from(*radius) / right - 1.0).abs() < 4e-7,
                "{words:?}: {radius} for {right}"
            );
        }
    }
}
