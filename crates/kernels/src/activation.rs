//! Exponential functions in `f32`, by polynomials that every machine evaluates alike.

// What is called in a loop must be compiled with the loop's vectors.
#![allow(clippy::inline_always)]

use std::f32::consts::LOG2_E;

/// `eˣ`, relative error below 2e-7; zero below −87, and what `e⁸⁸` is above 88.
///
/// `x = n ln 2 + r` with `|r| ≤ ½ ln 2`; `eʳ` by the first eight terms of its series.
#[inline(always)]
#[must_use]
pub fn exp(x: f32) -> f32 {
    // Adding and taking away 1.5 · 2²³ rounds to the nearest integer.
    const ROUND: f32 = 12_582_912.0;
    let clamped = x.clamp(-87.0, 88.0);
    let n = clamped.mul_add(LOG2_E, ROUND) - ROUND;
    // ln 2 in two parts, the first with so few bits that n times it is exact.
    let r = n.mul_add(2.121_944_4e-4, n.mul_add(-355.0 / 512.0, clamped));
    let mut series = 1.0_f32 / 5040.0;
    for term in [
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        series = series.mul_add(r, term);
    }
    let power = f32::from_bits(((n + ROUND).to_bits().wrapping_add(127)) << 23);
    if x < -87.0 { 0.0 } else { series * power }
}

/// `1 / (1 + e⁻ˣ)`.
#[inline(always)]
#[must_use]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// `tanh x`, absolute error below 2e-7, relative below 1e-6.
#[inline(always)]
#[must_use]
pub fn tanh(x: f32) -> f32 {
    let t = x * x;
    let near = t
        .mul_add(-17.0 / 315.0, 2.0 / 15.0)
        .mul_add(t, -1.0 / 3.0)
        .mul_add(t, 1.0)
        * x;
    let far = 1.0 - 2.0 / (1.0 + exp(2.0 * x));
    if t < 0.02 { near } else { far }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_agree_with_the_platform_s() {
        for i in -100_000..=100_000 {
            let x = i as f32 * 1e-3;
            let exact = f64::from(x).exp();
            if (-87.0..=88.0).contains(&x) {
                assert!((f64::from(exp(x)) / exact - 1.0).abs() < 2e-7, "exp {x}");
            }
            assert!(
                (f64::from(sigmoid(x)) - 1.0 / (1.0 + 1.0 / exact)).abs() < 2e-7,
                "sigmoid {x}"
            );
            let fine = x * 0.03;
            let error = f64::from(tanh(fine)) - f64::from(fine).tanh();
            assert!(
                error.abs() < 2e-7 && error.abs() <= 1e-6 * f64::from(fine.abs()),
                "tanh {fine}"
            );
        }
        assert!(exp(-200.0) <= 0.0 && exp(200.0).is_finite() && tanh(50.0) >= 1.0);
        assert!(tanh(f32::NAN).is_nan() && exp(f32::NAN).is_nan());
    }
}
