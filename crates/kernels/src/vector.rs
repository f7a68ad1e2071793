//! Loops over vectors.

// What is called in a loop must be compiled with the loop's vectors.
#![allow(clippy::inline_always)]

/// Partial sums of a reduction: enough for the widest registers, the same on every machine.
const LANES: usize = 16;

/// Runs `work` compiled for the widest vectors this machine has.
///
/// Only what is inlined into `work` gains; mark what it calls `#[inline(always)]`.
#[inline]
pub fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// Adds `f(i)` for every `i` below `count` to sixteen partial sums, whose total [`total`] gives.
///
/// For reductions inside [`vectorised`]: one running sum would wait for itself.
#[inline(always)]
pub fn reduce(sums: &mut [f32; LANES], count: usize, f: impl Fn(usize) -> f32) {
    let whole = count / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += f(start + lane);
        }
    }
    for i in whole..count {
        sums[i - whole] += f(i);
    }
}

/// The total of partial sums, in a fixed order.
#[inline(always)]
#[must_use]
pub fn total(sums: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    let mut sums = sums;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0]
}

/// The largest of `values`; minus infinity if there are none. Not a number if one is not.
pub fn largest(values: &[f32]) -> f32 {
    vectorised(
        #[inline(always)]
        || {
            // A comparison that is false of what is no number lets it through.
            let larger = |a: f32, b: f32| if a >= b || a.is_nan() { a } else { b };
            let mut tops = [f32::NEG_INFINITY; LANES];
            let (chunks, rest) = values.as_chunks::<LANES>();
            for chunk in chunks {
                for lane in 0..LANES {
                    tops[lane] = larger(tops[lane], chunk[lane]);
                }
            }
            rest.iter()
                .chain(&tops)
                .fold(f32::NEG_INFINITY, |top, &value| larger(top, value))
        },
    )
}

/// `Σ left[i] · right[i]`: products and sixteen partial sums in `f32`, their total in `f64`.
///
/// # Panics
/// If the lengths differ.
pub fn dot(left: &[f32], right: &[f32]) -> f64 {
    assert_eq!(
        left.len(),
        right.len(),
        "a dot product of vectors of different lengths"
    );
    vectorised(
        #[inline(always)]
        || {
            let mut sums = [0.0_f32; LANES];
            let (left, left_rest) = left.as_chunks::<LANES>();
            let (right, right_rest) = right.as_chunks::<LANES>();
            for (a, b) in left.iter().zip(right) {
                for lane in 0..LANES {
                    sums[lane] += a[lane] * b[lane];
                }
            }
            for (lane, (a, b)) in left_rest.iter().zip(right_rest).enumerate() {
                sums[lane] += a * b;
            }
            sums.iter().map(|&sum| f64::from(sum)).sum()
        },
    )
}

/// `Σ values[i]²`, as [`dot`].
pub fn squared_norm(values: &[f32]) -> f64 {
    dot(values, values)
}

/// `out += values`.
///
/// # Panics
/// If the lengths differ.
pub fn add(out: &mut [f32], values: &[f32]) {
    assert_eq!(
        out.len(),
        values.len(),
        "a sum of vectors of different lengths"
    );
    vectorised(
        #[inline(always)]
        || {
            for (out, value) in out.iter_mut().zip(values) {
                *out += value;
            }
        },
    );
}

/// `out += factor · values`.
///
/// # Panics
/// If the lengths differ.
pub fn add_scaled(out: &mut [f32], factor: f32, values: &[f32]) {
    assert_eq!(
        out.len(),
        values.len(),
        "a sum of vectors of different lengths"
    );
    vectorised(
        #[inline(always)]
        || {
            for (out, value) in out.iter_mut().zip(values) {
                *out += factor * value;
            }
        },
    );
}

/// `values *= factor`.
pub fn scale(values: &mut [f32], factor: f32) {
    vectorised(
        #[inline(always)]
        || {
            for value in values {
                *value *= factor;
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_the_largest() {
        for place in [0, 5, 20, 32] {
            let mut values = [1.0; 33];
            values[place] = f32::NAN;
            assert!(largest(&values).is_nan(), "{place}");
        }
    }

    #[test]
    fn reductions_and_updates_agree_with_plain_loops() {
        for length in [0, 1, 15, 16, 17, 100] {
            let a: Vec<f32> = (0..length).map(|i| (i as f32).sin()).collect();
            let b: Vec<f32> = (0..length).map(|i| (i as f32).cos()).collect();
            let exact: f64 = a
                .iter()
                .zip(&b)
                .map(|(x, y)| f64::from(*x) * f64::from(*y))
                .sum();
            assert!((dot(&a, &b) - exact).abs() < 1e-5);
            assert!(squared_norm(&a) >= 0.0);
            let mut sums = [0.0; LANES];
            reduce(&mut sums, length, |i| a[i] * b[i]);
            assert!((f64::from(total(sums)) - exact).abs() < 1e-5);
            let top = a.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert_eq!(largest(&a).to_bits(), top.to_bits());
            let mut out = a.clone();
            add_scaled(&mut out, 2.0, &b);
            add(&mut out, &b);
            scale(&mut out, 0.5);
            for i in 0..length {
                assert!((out[i] - 0.5 * (a[i] + 3.0 * b[i])).abs() < 1e-6);
            }
        }
    }
}
