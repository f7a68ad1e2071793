//! The pinned Gaussian sampler.
//!
//! Normals are made two at a time from two 64-bit words of the generator by the method of Box and Muller
//! (1958): `r = √(−2 ln u)`, and `r cos θ`, `r sin θ` for a random angle. Neither statrs, rand_distr nor burn
//! promises that its stream stays the same, nor does the platform's `ln`; here the logarithm, sine and cosine
//! are polynomials in `f64` that use only IEEE additions, products, quotients and square roots, each rounded by
//! itself. Every machine therefore draws the same bits, whatever vectors it has; golden values pin them.
//!
//! `u` runs over the multiples of 2⁻⁶⁴, so the tails reach 9.41 deviations. The values are floating-point numbers:
//! an adversary who saw an un-rounded noisy sum bit for bit could use their gaps (Mironov 2012); the simulator
//! models adversaries who do not.

// What is called in a loop must be compiled with the loop's vectors.
#![allow(clippy::inline_always)]

use crate::keystream::{BLOCKS, Keystream, WORDS, Words};
use pulp::{Simd, WithSimd};
use rand_chacha::ChaCha20Rng;
use std::f64::consts::{FRAC_PI_2, LN_2, SQRT_2};

/// Pairs of normals a block of the cipher.
const PAIRS: usize = WORDS / 4;

/// Normals made at once.
const NORMALS: usize = 2 * PAIRS * BLOCKS;

/// Fills `out` with independent standard normals.
///
/// They are made 128 at a time from sixteen whole blocks of the generator; what is left over is thrown away.
pub fn fill(rng: &mut ChaCha20Rng, out: &mut [f64]) {
    let keystream = Keystream::of(rng);
    pulp::Arch::new().dispatch(Fill { keystream, out });
}

/// The loop over blocks, to be compiled for every kind of vector.
struct Fill<'a> {
    keystream: Keystream<'a>,
    out: &'a mut [f64],
}

impl WithSimd for Fill<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let mut blocks = [[[0; BLOCKS]; WORDS]];
        for chunk in self.out.chunks_mut(NORMALS) {
            self.keystream.next(simd, &mut blocks);
            chunk.copy_from_slice(&normals(&blocks[0])[..chunk.len()]);
        }
    }
}

/// Normals from the words of sixteen blocks. Pair `p` of a block takes its words `p` and `p + 4` for the radius,
/// `p + 8` and `p + 12` for the angle, the low half first; its two normals are 64 places apart.
#[inline(always)]
fn normals(words: &Words) -> [f64; NORMALS] {
    let mut normals = [0.0; NORMALS];
    let (first, second) = normals.split_at_mut(NORMALS / 2);
    let word = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
    for p in 0..PAIRS {
        for b in 0..BLOCKS {
            let radius = radius(word(words[p][b], words[p + 4][b]));
            let (x, y) = point(word(words[p + 8][b], words[p + 12][b]));
            first[p * BLOCKS + b] = radius * x;
            second[p * BLOCKS + b] = radius * y;
        }
    }
    normals
}

/// `√(−2 ln u)` for `u = (word + 1) / 2⁶⁴`.
#[inline(always)]
fn radius(word: u64) -> f64 {
    // 2⁻⁶⁴; the sum rounds to 2⁶⁴, so u = 1, for the largest words.
    let u = (word as f64 + 1.0) * f64::from_bits((1023 - 64) << 52);
    (-2.0 * ln(u)).sqrt()
}

/// `ln u` for a normal positive number: `u = 2ᵉ m`, `√½ ≤ m < √2`, and `ln m = 2 artanh s`, `s = (m − 1) / (m + 1)`,
/// by the first eleven terms of its series. Absolute error below 4e-16 for `u` in `[2⁻⁶⁴, 1]`, relative near one.
#[inline(always)]
pub(crate) fn ln(u: f64) -> f64 {
    let bits = u.to_bits();
    let mantissa = f64::from_bits(bits & 0x000f_ffff_ffff_ffff | 1023 << 52);
    // The exponent as a float without a conversion of 64-bit integers, which few machines vectorise.
    let exponent = f64::from_bits(bits >> 52 | 1075 << 52) - 4_503_599_627_370_496.0 - 1023.0;
    let upper = mantissa >= SQRT_2;
    let m = if upper { 0.5 * mantissa } else { mantissa };
    let e = if upper { exponent + 1.0 } else { exponent };
    let s = (m - 1.0) / (m + 1.0);
    let t = s * s;
    let mut series = 1.0 / 21.0;
    for k in (0..10).rev() {
        series = series * t + 1.0 / f64::from(2 * k + 1);
    }
    e * LN_2 + 2.0 * s * series
}

/// A point on the unit circle: its angle is uniform over 2⁶⁴ places.
///
/// 62 bits place it within an eighth turn of the axis, where the series are short; of the other two, one turns it
/// to the far side and one exchanges the axes.
#[inline(always)]
fn point(word: u64) -> (f64, f64) {
    // 2⁻⁶⁴ of a signed word: in [−½, ½) of a quarter turn.
    let x = (word << 2).cast_signed() as f64 * f64::from_bits((1023 - 64) << 52) * FRAC_PI_2;
    let t = x * x;
    let mut sin = 1.0 / 1_307_674_368_000.0;
    let mut cos = 1.0 / 20_922_789_888_000.0;
    for k in SIN {
        sin = k - sin * t;
    }
    for k in COS {
        cos = k - cos * t;
    }
    let sin = x * sin;
    let cos = f64::from_bits(cos.to_bits() | word & 1 << 63);
    if word & 1 << 62 == 0 {
        (cos, sin)
    } else {
        (sin, cos)
    }
}

/// `1/13!, 1/11!, …, 1/1!`.
const SIN: [f64; 7] = [
    1.0 / 6_227_020_800.0,
    1.0 / 39_916_800.0,
    1.0 / 362_880.0,
    1.0 / 5_040.0,
    1.0 / 120.0,
    1.0 / 6.0,
    1.0,
];

/// `1/14!, 1/12!, …, 1/0!`.
const COS: [f64; 8] = [
    1.0 / 87_178_291_200.0,
    1.0 / 479_001_600.0,
    1.0 / 3_628_800.0,
    1.0 / 40_320.0,
    1.0 / 720.0,
    1.0 / 24.0,
    1.0 / 2.0,
    1.0,
];

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{Role, Seed, Stream};
    use rand_chacha::ChaCha20Rng;
    use statrs::distribution::{ContinuousCDF, Normal};

    /// The chance that a right sampler fails one of these tests.
    const ALPHA: f64 = 1e-6;
    pub(crate) const DRAWS: usize = 1 << 20;

    fn stream() -> ChaCha20Rng {
        Seed::from_number(1).stream(Stream::run(Role::Noise))
    }

    fn draws() -> Vec<f64> {
        let mut draws = vec![0.0; DRAWS];
        fill(&mut stream(), &mut draws);
        draws
    }

    /// Whether the Kolmogorov–Smirnov distance to the standard normal is one that chance explains
    /// (Dvoretzky, Kiefer, Wolfowitz with Massart's constant).
    pub(crate) fn looks_normal(draws: &[f64]) -> bool {
        let mut sorted = draws.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let (law, n) = (Normal::standard(), sorted.len() as f64);
        let distance = sorted
            .iter()
            .enumerate()
            .fold(0.0_f64, |distance, (i, &x)| {
                let p = law.cdf(x);
                distance.max(p - i as f64 / n).max((i + 1) as f64 / n - p)
            });
        distance < ((2.0 / ALPHA).ln() / (2.0 * n)).sqrt()
    }

    /// Whether the mean of `f` over the draws lies within what chance explains of its expectation.
    pub(crate) fn has_mean(
        draws: &[f64],
        expectation: f64,
        deviation: f64,
        f: impl Fn(f64) -> f64,
    ) -> bool {
        let mean = draws.iter().map(|&x| f(x)).sum::<f64>() / draws.len() as f64;
        let bound = -Normal::standard().inverse_cdf(ALPHA / 2.0);
        (mean - expectation).abs() * (draws.len() as f64).sqrt() < bound * deviation
    }

    #[test]
    fn golden_values() {
        let mut draws = [0.0; 256];
        fill(&mut stream(), &mut draws);
        let bits = [0, 1, 64, 127, 128, 255].map(|i: usize| draws[i].to_bits());
        // To the bit as first drawn; to 1e-15 as a script in Python with its own ChaCha20 and the platform's functions.
        let golden = [
            4_607_444_951_087_472_585,
            13_822_407_611_993_729_611,
            4_588_296_433_266_113_988,
            4_606_452_547_493_678_078,
            13_824_878_583_172_001_541,
            13_830_741_201_208_689_985,
        ];
        assert_eq!(bits, golden);
    }

    #[test]
    fn a_prefix_is_a_prefix() {
        let mut whole = [0.0; 300];
        fill(&mut stream(), &mut whole);
        let mut part = [0.0; 130];
        fill(&mut stream(), &mut part);
        assert_eq!(part, whole[..130]);
    }

    #[test]
    fn the_law_is_the_normal_law_and_the_check_sees_another() {
        let draws = draws();
        assert!(looks_normal(&draws));
        let wide: Vec<f64> = draws.iter().map(|x| 1.02 * x).collect();
        assert!(!looks_normal(&wide), "two per cent too wide must be seen");
    }

    #[test]
    fn moments_and_neighbours() {
        let draws = draws();
        assert!(has_mean(&draws, 0.0, 1.0, |x| x));
        assert!(has_mean(&draws, 1.0, 2.0_f64.sqrt(), |x| x * x));
        assert!(has_mean(&draws, 0.0, 15.0_f64.sqrt(), |x| x.powi(3)));
        assert!(has_mean(&draws, 3.0, 96.0_f64.sqrt(), |x| x.powi(4)));
        assert!(
            !has_mean(&draws, 1.01, 2.0_f64.sqrt(), |x| x * x),
            "the check must see it"
        );
        for lag in [1, 2, 64, 128] {
            let pairs: Vec<f64> = draws.windows(lag + 1).map(|w| w[0] * w[lag]).collect();
            assert!(
                has_mean(&pairs, 0.0, 1.0, |x| x),
                "draws {lag} apart go together"
            );
        }
    }

    #[test]
    fn the_functions_agree_with_the_platform_s() {
        let mut word = 1_u64;
        for _ in 0..100_000 {
            word = word
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let u = (word >> (word % 60)) as f64 * (-64.0_f64).exp2();
            assert!(
                (ln(u) - u.ln()).abs() <= 1e-15 * u.ln().abs().max(0.1),
                "ln {u:e}"
            );
            let (a, b) = point(word);
            assert!((a * a + b * b - 1.0).abs() < 1e-15);
            let angle = (word << 2).cast_signed() as f64 / 2.0_f64.powi(64) * FRAC_PI_2;
            let (near, far) = if word & 1 << 62 == 0 { (b, a) } else { (a, b) };
            assert!((near - angle.sin()).abs() < 1e-15);
            assert!((far.abs() - angle.cos()).abs() < 1e-15);
        }
    }

    #[test]
    fn the_tails_reach_nine_deviations() {
        assert!((radius(0) - (128.0 * LN_2).sqrt()).abs() < 1e-14);
        assert!(radius(0) > 9.4);
        assert_eq!(radius(u64::MAX), 0.0);
    }
}
