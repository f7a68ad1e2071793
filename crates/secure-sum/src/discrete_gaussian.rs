//! Exact draws from the discrete Gaussian.
//!
//! Source: Canonne, Kamath, Steinke 2020, "The Discrete Gaussian for Differential Privacy" (arXiv 2004.00010),
//! algorithms 1 to 3. Integers all the way: no float is rounded, so what is drawn is the distribution itself.

use rand::Rng;

/// `Pr[x] ∝ exp(-x² / (2 variance))` on the integers.
///
/// The parameter is an integer; for more than about 1 it is also the variance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiscreteGaussian {
    variance: u64,
    /// Scale of the discrete Laplace that proposes: `⌊√variance⌋ + 1`.
    scale: u64,
}

impl DiscreteGaussian {
    /// The largest variance: squares of proposals and their products then fit in 128 bits.
    pub const LARGEST_VARIANCE: u64 = 1 << 52;

    /// For a variance of 1 to [`LARGEST_VARIANCE`](Self::LARGEST_VARIANCE); none outside.
    pub const fn new(variance: u64) -> Option<Self> {
        if variance == 0 || variance > Self::LARGEST_VARIANCE {
            return None;
        }
        let scale = variance.isqrt() + 1;
        Some(Self { variance, scale })
    }

    /// One draw.
    pub fn draw(&self, rng: &mut impl Rng) -> i64 {
        let (variance, scale) = (u128::from(self.variance), u128::from(self.scale));
        loop {
            let proposed = self.laplace(rng);
            // exp(-(|y| - variance/scale)² / (2 variance)), over one denominator.
            let distance = (u128::from(proposed.unsigned_abs()) * scale).abs_diff(variance);
            let exponent = (distance * distance, 2 * variance * scale * scale);
            if exp_minus(exponent, rng) {
                return proposed;
            }
        }
    }

    /// `Pr[y] ∝ exp(-|y| / scale)`: algorithm 2.
    fn laplace(&self, rng: &mut impl Rng) -> i64 {
        let scale = u128::from(self.scale);
        loop {
            let rest = below(scale, rng);
            if !exp_minus((rest, scale), rng) {
                continue;
            }
            let mut times: u128 = 0;
            while exp_minus((1, 1), rng) {
                times += 1;
            }
            // Beyond 1000 scales, with chance e^-1000, squares would no longer fit: that is drawn anew.
            if times > 1000 {
                continue;
            }
            let magnitude = (rest + scale * times) as i64;
            let negative = rng.next_u32() & 1 == 1;
            if !(negative && magnitude == 0) {
                return if negative { -magnitude } else { magnitude };
            }
        }
    }
}

/// True with chance `exp(-numerator/denominator)`: algorithm 1.
fn exp_minus((numerator, denominator): (u128, u128), rng: &mut impl Rng) -> bool {
    let ones = numerator.saturating_sub(1) / denominator;
    for _ in 0..ones {
        if !exp_minus_at_most_one((1, 1), rng) {
            return false;
        }
    }
    exp_minus_at_most_one((numerator - ones * denominator, denominator), rng)
}

fn exp_minus_at_most_one((numerator, denominator): (u128, u128), rng: &mut impl Rng) -> bool {
    let mut k = 1;
    while below(denominator * k, rng) < numerator {
        k += 1;
    }
    k % 2 == 1
}

/// A number below `bound`, exactly uniform: as many bits as the bound has, drawn anew if they are no such number. Bounds
/// of at most 64 bits take one word, others two, the lower one first.
fn below(bound: u128, rng: &mut impl Rng) -> u128 {
    let bits = 128 - (bound - 1).leading_zeros();
    loop {
        let mut word = u128::from(rng.next_u64());
        if bits > 64 {
            word |= u128::from(rng.next_u64()) << 64;
        }
        let draw = if bits == 128 {
            word
        } else {
            word & ((1 << bits) - 1)
        };
        if draw < bound {
            return draw;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use primitives::{Role, Seed, Stream};
    use rand_chacha::ChaCha20Rng;
    use statrs::distribution::{ChiSquared, ContinuousCDF};

    fn rng(seed: u64) -> ChaCha20Rng {
        Seed::from_number(seed).stream(Stream::run(Role::Init))
    }

    /// The chance that a test whose hypothesis is true fails.
    const ALPHA: f64 = 1e-6;

    /// χ² of 200 000 draws against the discrete Gaussian of `variance`, in units of its critical value.
    fn chi_squared(variance: f64, mut draw: impl FnMut() -> i64) -> f64 {
        const DRAWS: u32 = 200_000;
        let tail = (4.0 * variance.sqrt()).ceil() as i64;
        let mut counts = vec![0.0; 2 * tail as usize + 1];
        for _ in 0..DRAWS {
            counts[(draw().clamp(-tail, tail) + tail) as usize] += 1.0;
        }
        let weight = |x: i64| (-(x as f64).powi(2) / (2.0 * variance)).exp();
        let total: f64 = (-40 * tail..=40 * tail).map(weight).sum();
        let beyond: f64 = (tail..=40 * tail).map(weight).sum();
        let expected = |x: i64| {
            let weight = if x.abs() == tail { beyond } else { weight(x) };
            f64::from(DRAWS) * weight / total
        };
        let statistic: f64 = (-tail..=tail)
            .zip(&counts)
            .map(|(x, count)| (count - expected(x)).powi(2) / expected(x))
            .sum();
        let degrees = (counts.len() - 1) as f64;
        statistic / ChiSquared::new(degrees).unwrap().inverse_cdf(1.0 - ALPHA)
    }

    /// From a program of its own in Python: ChaCha20 and the three algorithms in exact integers.
    #[test]
    fn golden_draws() {
        let draws = |variance, count| -> Vec<i64> {
            let gaussian = DiscreteGaussian::new(variance).unwrap();
            let mut rng = rng(7);
            (0..count).map(|_| gaussian.draw(&mut rng)).collect()
        };
        assert_eq!(draws(30, 12), [-7, -3, -4, 1, -14, 1, 1, 2, 9, 0, -6, 0]);
        let large = [
            -901_874, 1_701_232, -1_821_507, 704_764, -1_597_956, -1_233_624,
        ];
        assert_eq!(draws(1_234_567_890_123, 6), large);
    }

    #[test]
    fn draws_have_the_distribution_that_was_asked_for() {
        for variance in [1, 4, 30] {
            let gaussian = DiscreteGaussian::new(variance).unwrap();
            let mut rng = rng(variance);
            let statistic = chi_squared(variance as f64, || gaussian.draw(&mut rng));
            assert!(statistic < 1.0, "{variance}: {statistic}");
        }
    }

    #[test]
    fn the_test_finds_a_variance_that_is_a_little_off_and_a_rounded_gaussian() {
        let gaussian = DiscreteGaussian::new(30).unwrap();
        let mut first = rng(30);
        assert!(chi_squared(31.0, || gaussian.draw(&mut first)) > 1.0);
        let mut second = rng(1);
        let rounded = || {
            let mut normal = [0.0_f64];
            primitives::normal::fill(&mut second, &mut normal);
            normal[0].round() as i64
        };
        assert!(chi_squared(1.0, rounded) > 1.0);
    }

    /// A deviation of the size that sums of updates use: mean square against its own deviation √(2/n).
    #[test]
    fn a_large_variance_is_drawn_as_well() {
        let variance = 1_234_567_890_123;
        let gaussian = DiscreteGaussian::new(variance).unwrap();
        let mut rng = rng(9);
        let draws = 20_000;
        let square: f64 = (0..draws)
            .map(|_| (gaussian.draw(&mut rng) as f64).powi(2) / variance as f64)
            .sum();
        let off = square / f64::from(draws) - 1.0;
        // 4.9 deviations of a normal are exceeded with chance 1e-6.
        assert!(off.abs() < 4.9 * (2.0 / f64::from(draws)).sqrt(), "{off}");
    }

    #[test]
    fn variances_out_of_range_have_no_distribution() {
        assert_eq!(DiscreteGaussian::new(0), None);
        assert_eq!(
            DiscreteGaussian::new(DiscreteGaussian::LARGEST_VARIANCE + 1),
            None
        );
    }
}
