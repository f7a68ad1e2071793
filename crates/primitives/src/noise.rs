//! Gaussian noise on `f32` vectors, fast enough for every step.
//!
//! The method is that of [`normal`](crate::normal), in single precision and with half the words: a pair of normals
//! takes 32 bits for its radius and 32 for its angle. `u = (word + ½) / 2³²` alone would end the tails at 6.76
//! deviations; of the smallest `u`, one in 65,536, a further word says where in `((word, word + 1]) / 2³²` it lies, so
//! they reach 11.5. Near the centre `u` is taken from its distance to one, so that nothing is lost there either.
//!
//! Sums, products and square roots are IEEE's, fused products and sums where they are written: every machine draws
//! the same bits, whatever vectors it has; golden values pin them. What `normal` says of floating-point noise holds.

// What is called in a loop must be compiled with the loop's vectors.
#![allow(clippy::inline_always)]

use crate::keystream::{BLOCKS, Keystream, WORDS, Words};
use crate::normal::ln;
use pulp::{Simd, WithSimd};
use rand_chacha::ChaCha20Rng;
use std::f32::consts::{FRAC_PI_2, LN_2};
use std::ops::Range;

/// Pairs of normals a block of the cipher.
const PAIRS: usize = WORDS / 2;

/// Normals of sixteen blocks.
const NORMALS: usize = WORDS * BLOCKS;

/// Sixteens of blocks made at once; what is left over of their normals is thrown away.
const AT_ONCE: usize = 2;

/// Radius words below this ask for a further word.
const RARE: u32 = 1 << 16;

/// `2⁻³²`.
const UNIT: f32 = f32::from_bits((127 - 32) << 23);

/// Adds independent normals of mean 0 and the given deviation to `values`.
///
/// Each is scaled and then added in `f32`, with a rounding each.
pub fn add(rng: &mut ChaCha20Rng, deviation: f64, values: &mut [f32]) {
    let deviation = deviation as f32;
    for_each(rng, values.len(), |places, normals| {
        for (value, normal) in values[places].iter_mut().zip(normals) {
            *value += deviation * normal;
        }
    });
}

/// `model += factor · (sum + noise)`: what [`add`] to `sum` and a step along it would give, in one pass.
///
/// # Panics
/// If the lengths differ.
pub fn descend(rng: &mut ChaCha20Rng, deviation: f64, sum: &[f32], factor: f32, model: &mut [f32]) {
    assert_eq!(
        sum.len(),
        model.len(),
        "a step along a vector of another length"
    );
    let deviation = deviation as f32;
    for_each(rng, sum.len(), |places, normals| {
        let values = model[places.clone()].iter_mut().zip(&sum[places]);
        for ((value, sum), normal) in values.zip(normals) {
            *value += factor * (sum + deviation * normal);
        }
    });
}

/// Blocks of the cipher that `length` normals drawn at once take.
pub(crate) const fn blocks(length: usize) -> u64 {
    (length.div_ceil(AT_ONCE * NORMALS) * AT_ONCE * BLOCKS) as u64
}

/// Calls `put` with the places of a vector of `length` entries, a few at a time, and a normal for each.
fn for_each(rng: &mut ChaCha20Rng, length: usize, put: impl FnMut(Range<usize>, &[f32])) {
    let keystream = Keystream::of(rng);
    pulp::Arch::new().dispatch(ForEach {
        keystream,
        length,
        put,
    });
}

/// The loop over blocks, to be compiled for every kind of vector.
struct ForEach<'a, P> {
    keystream: Keystream<'a>,
    length: usize,
    put: P,
}

impl<P: FnMut(Range<usize>, &[f32])> WithSimd for ForEach<'_, P> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let mut blocks = [[[0; BLOCKS]; WORDS]; AT_ONCE];
        let mut normals = [0.0; AT_ONCE * NORMALS];
        for start in (0..self.length).step_by(normals.len()) {
            let first = self.keystream.block();
            self.keystream.next(simd, &mut blocks);
            let sixteens = blocks.iter().zip(normals.chunks_exact_mut(NORMALS));
            for (i, (words, normals)) in sixteens.enumerate() {
                transform(words, normals);
                let radii = words[..PAIRS].as_flattened();
                if radii.iter().fold(u32::MAX, |least, &word| least.min(word)) < RARE {
                    let first = first.wrapping_add((i * BLOCKS) as u64);
                    reach_out(words, normals, |b, p| {
                        self.keystream.far(first.wrapping_add(b as u64), p)
                    });
                }
            }
            let places = start..self.length.min(start + normals.len());
            let normals = &normals[..places.len()];
            (self.put)(places, normals);
        }
    }
}

/// Normals from the words of sixteen blocks. Pair `p` of a block takes its words `p` for the radius and `p + 8` for
/// the angle; its two normals are 128 places apart.
#[inline(always)]
fn transform(words: &Words, normals: &mut [f32]) {
    let (radii, angles) = words.as_flattened().split_at(PAIRS * BLOCKS);
    let (first, second) = normals.split_at_mut(PAIRS * BLOCKS);
    for i in 0..PAIRS * BLOCKS {
        let radius = radius(radii[i]);
        let (x, y) = point(angles[i]);
        first[i] = radius * x;
        second[i] = radius * y;
    }
}

/// Makes anew the pairs whose radius word is rare. `far` gives the further word of pair `p` of block `b`.
#[cold]
fn reach_out(words: &Words, normals: &mut [f32], far: impl Fn(usize, usize) -> u64) {
    for p in 0..PAIRS {
        for b in (0..BLOCKS).filter(|&b| words[p][b] < RARE) {
            let radius = far_radius(words[p][b], far(b, p));
            let (x, y) = point(words[p + PAIRS][b]);
            normals[p * BLOCKS + b] = radius * x;
            normals[(PAIRS + p) * BLOCKS + b] = radius * y;
        }
    }
}

/// `√(−2 ln u)` for `u = (word + (far + 1) / 2⁶⁴) / 2³²`.
fn far_radius(word: u32, far: u64) -> f32 {
    let unit = f64::from(UNIT);
    let u = (f64::from(word) + (far as f64 + 1.0) * unit * unit) * unit;
    (-2.0 * ln(u)).sqrt() as f32
}

/// `√(−2 ln u)` for `u = (word + ½) / 2³²`, relative error below 2e-7.
///
/// `u = 2ᵉ m` with `√½ ≤ m < √2`, and `ln m` by Cephes' polynomial (Moshier, `logf`) in `m − 1`. In the uppermost
/// range, where `e = 0`, `1 − m` comes from the word's complement, which a float can hold.
#[inline(always)]
fn radius(word: u32) -> f32 {
    const ROOT_OF_HALF: i32 = 0x3f35_04f3;
    let bits = (word as f32 + 0.5).to_bits().cast_signed();
    let exponent = (bits - ROOT_OF_HALF) >> 23;
    let m = f32::from_bits((bits - (exponent << 23)).cast_unsigned());
    let from_one = -((!word) as f32 + 0.5) * UNIT;
    let f = if exponent == 32 { from_one } else { m - 1.0 };
    let square = f * f;
    let mut series = LOGARITHM[0];
    for &term in &LOGARITHM[1..] {
        series = series.mul_add(f, term);
    }
    let ln_m = (f * square).mul_add(series, (-0.5_f32).mul_add(square, f));
    let ln_u = (exponent as f32 - 32.0).mul_add(LN_2, ln_m);
    (-2.0 * ln_u).sqrt()
}

/// A point on the unit circle, as in [`normal`](crate::normal) with 32 bits: sine and cosine by Cephes' polynomials
/// (`sinf`, `cosf`), absolute error below 2e-7.
#[inline(always)]
fn point(word: u32) -> (f32, f32) {
    // In [−½, ½) of a quarter turn.
    let x = (word << 2).cast_signed() as f32 * (FRAC_PI_2 * UNIT);
    let square = x * x;
    let sin = SINE[0].mul_add(square, SINE[1]).mul_add(square, SINE[2]);
    let sin = (x * square).mul_add(sin, x);
    let cos = COSINE[0]
        .mul_add(square, COSINE[1])
        .mul_add(square, COSINE[2]);
    let cos = (square * square).mul_add(cos, (-0.5_f32).mul_add(square, 1.0));
    let cos = f32::from_bits(cos.to_bits() | word & 1 << 31);
    if word & 1 << 30 == 0 {
        (cos, sin)
    } else {
        (sin, cos)
    }
}

const LOGARITHM: [f32; 9] = [
    7.037_683_6e-2,
    -1.151_461e-1,
    1.167_699_9e-1,
    -1.242_014_1e-1,
    1.424_932_3e-1,
    -1.666_805_7e-1,
    2.000_071_6e-1,
    -2.499_999_4e-1,
    3.333_333e-1,
];

const SINE: [f32; 3] = [-1.951_529_6e-4, 8.332_161e-3, -1.666_665_5e-1];

const COSINE: [f32; 3] = [2.443_315_7e-5, -1.388_731_6e-3, 4.166_664_6e-2];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normal::tests::{DRAWS, has_mean, looks_normal};
    use crate::{Role, Seed, Stream};
    use rand::Rng;

    fn stream() -> ChaCha20Rng {
        Seed::from_number(1).stream(Stream::run(Role::Noise))
    }

    fn draws(count: usize) -> Vec<f32> {
        let mut draws = vec![0.0; count];
        add(&mut stream(), 1.0, &mut draws);
        draws
    }

    /// The sampler by its formula, in `f64`, from words of the generator one by one.
    fn twin(sixteens: usize) -> Vec<f64> {
        let mut rng = stream();
        let mut normals = Vec::new();
        for _ in 0..sixteens {
            let blocks: [[u32; WORDS]; BLOCKS] =
                std::array::from_fn(|_| std::array::from_fn(|_| rng.next_u32()));
            let pair = |i: usize| {
                let (radius, angle) = (blocks[i % 16][i / 16], blocks[i % 16][i / 16 + 8]);
                let radius = (-2.0 * ((f64::from(radius) + 0.5) / 4_294_967_296.0).ln()).sqrt();
                let x = f64::from((angle << 2).cast_signed()) / 4_294_967_296.0;
                let (sin, cos) = (x * std::f64::consts::FRAC_PI_2).sin_cos();
                let cos = if angle >> 31 == 1 { -cos } else { cos };
                if angle >> 30 & 1 == 0 {
                    (radius * cos, radius * sin)
                } else {
                    (radius * sin, radius * cos)
                }
            };
            normals.extend((0..128).map(|i| pair(i).0));
            normals.extend((0..128).map(|i| pair(i).1));
        }
        normals
    }

    #[test]
    fn golden_values() {
        let draws = draws(512);
        // A script in Python with its own ChaCha20 and the platform's functions.
        let golden = [
            (0, -0.735_652_149_918_180_3),
            (1, 0.405_019_936_349_414_6),
            (127, -1.177_581_362_755_131),
            (128, 0.009_754_425_267_511_475),
            (256, -1.512_858_858_046_545),
            (511, -1.041_465_842_860_689),
        ];
        for (place, value) in golden {
            assert!((f64::from(draws[place]) - value).abs() < 1e-6, "{place}");
        }
        // To the bit as first drawn, all of them.
        let digest = draws.iter().fold(0_u64, |digest, draw| {
            digest.wrapping_mul(0x0100_0000_01b3) ^ u64::from(draw.to_bits())
        });
        assert_eq!(digest, 364_944_226_635_690_840);
    }

    #[test]
    fn agrees_with_its_formula_in_double_precision() {
        for (draw, twin) in draws(16 * 512).iter().zip(twin(32)) {
            assert!((f64::from(*draw) - twin).abs() < 1e-6, "{draw} {twin}");
        }
    }

    #[test]
    fn vectors_change_no_bit() {
        let best = draws(5000);
        let mut rng = stream();
        let mut portable = vec![0.0; 5000];
        ForEach {
            keystream: Keystream::of(&mut rng),
            length: 5000,
            put: |places: Range<usize>, normals: &[f32]| portable[places].copy_from_slice(normals),
        }
        .with_simd(pulp::Scalar::new());
        assert_eq!(best, portable);
    }

    #[test]
    fn a_step_in_one_pass_is_noise_and_then_a_step() {
        let sum: Vec<f32> = (0..1000).map(|i| (i as f32).sin()).collect();
        let mut model = vec![1.0_f32; 1000];
        descend(&mut stream(), 0.7, &sum, -0.01, &mut model);
        let mut noisy = sum;
        add(&mut stream(), 0.7, &mut noisy);
        for (model, noisy) in model.iter().zip(noisy) {
            assert_eq!(*model, 1.0 + -0.01 * noisy);
        }
        assert_eq!(draws(130), draws(300)[..130], "a prefix is a prefix");
    }

    #[test]
    fn the_law_is_the_normal_law() {
        let draws: Vec<f64> = draws(DRAWS).into_iter().map(f64::from).collect();
        assert!(looks_normal(&draws));
        assert!(has_mean(&draws, 0.0, 1.0, |x| x));
        assert!(has_mean(&draws, 1.0, 2.0_f64.sqrt(), |x| x * x));
        assert!(has_mean(&draws, 0.0, 15.0_f64.sqrt(), |x| x.powi(3)));
        assert!(has_mean(&draws, 3.0, 96.0_f64.sqrt(), |x| x.powi(4)));
        for lag in [1, 16, 128, 256] {
            let pairs: Vec<f64> = draws.windows(lag + 1).map(|w| w[0] * w[lag]).collect();
            assert!(has_mean(&pairs, 0.0, 1.0, |x| x), "{lag} apart");
        }
        // Beyond 4 deviations: 6.334e-5, so that the count has the deviation √(p (1 − p)).
        let chance = 6.334_248e-5_f64;
        let beyond = |x: f64| f64::from(u8::from(x.abs() > 4.0));
        assert!(has_mean(
            &draws,
            chance,
            (chance * (1.0 - chance)).sqrt(),
            beyond
        ));
        assert!(
            !has_mean(&draws, 2.0 * chance, chance.sqrt(), beyond),
            "the check must see it"
        );
    }

    #[test]
    fn rare_words_reach_out_and_common_ones_lose_nothing_near_the_centre() {
        let mut words = [[u32::MAX; BLOCKS]; WORDS];
        words[3][5] = 0;
        words[7][0] = RARE - 1;
        words[0][1] = RARE;
        let mut normals = [0.0; NORMALS];
        transform(&words, &mut normals);
        let before = normals;
        reach_out(&words, &mut normals, |_, _| 0);
        let changed: Vec<usize> = (0..NORMALS).filter(|&i| before[i] != normals[i]).collect();
        assert_eq!(changed, [53, 112, 181, 240]);
        let length = normals[53].hypot(normals[181]);
        assert!((f64::from(length) - (192.0 * std::f64::consts::LN_2).sqrt()).abs() < 1e-5);
        // The two ways to a radius meet where they part.
        let (far, near) = (far_radius(RARE, u64::MAX / 2), radius(RARE));
        assert!((far - near).abs() < 1e-6);
        for step in 0..1000 {
            let exact = (-2.0 * (-(f64::from(step) + 0.5) / 4_294_967_296.0).ln_1p()).sqrt();
            assert!(
                (f64::from(radius(!step)) / exact - 1.0).abs() < 3e-7,
                "{step}"
            );
        }
    }
}
