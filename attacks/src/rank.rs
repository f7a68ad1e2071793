//! Do two things rise together?

use crate::interval::{Confidence, Interval, standard_normal};
use statrs::distribution::ContinuousCDF;

/// Spearman's rank correlation of pairs, ties by their mean rank, with its interval; `None` for fewer than four pairs or
/// where one side does not vary.
///
/// The interval is Fisher's, `tanh(artanh ρ ± z √(1.06 / (n − 3)))`, with the variance of Fieller, Hartley and Pearson
/// 1957 ("Tests for Rank Correlation Coefficients I"). It holds roughly for independent pairs and moderate ρ.
pub fn spearman(pairs: &[(f64, f64)], confidence: Confidence) -> Option<Interval> {
    if pairs.len() < 4 {
        return None;
    }
    let first = ranks(&pairs.iter().map(|pair| pair.0).collect::<Vec<_>>());
    let second = ranks(&pairs.iter().map(|pair| pair.1).collect::<Vec<_>>());
    let middle = (pairs.len() + 1) as f64 / 2.0;
    let product = |a: &[f64], b: &[f64]| -> f64 {
        let both = a.iter().zip(b);
        both.map(|(a, b)| (a - middle) * (b - middle)).sum()
    };
    let (own, other) = (product(&first, &first), product(&second, &second));
    if own <= 0.0 || other <= 0.0 {
        return None;
    }
    let estimate = (product(&first, &second) / (own * other).sqrt()).clamp(-1.0, 1.0);
    let z = standard_normal().inverse_cdf(f64::midpoint(1.0, confidence.value()));
    let half = z * (1.06 / (pairs.len() as f64 - 3.0)).sqrt();
    // At ±1 Fisher's scale has no end.
    let centre = estimate.clamp(-1.0 + 1e-12, 1.0 - 1e-12).atanh();
    Some(Interval {
        estimate,
        low: (centre - half).tanh().min(estimate),
        high: (centre + half).tanh().max(estimate),
    })
}

/// Ranks from 1, ties by their mean.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for tied in order.chunk_by(|&a, &b| values[a].total_cmp(&values[b]).is_eq()) {
        let rank = start as f64 + (tied.len() + 1) as f64 / 2.0;
        for &i in tied {
            ranks[i] = rank;
        }
        start += tied.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_decide_and_ties_share_theirs() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
        let at = Confidence::NINETY_FIVE;
        let rising: Vec<_> = (0..10).map(|i| (f64::from(i), f64::from(i * i))).collect();
        assert_eq!(spearman(&rising, at).unwrap().estimate, 1.0);
        // Without ties ρ = 1 − 6 Σ d² / (n (n² − 1)): d = (0, 1, 1, 0, 0), Σ d² = 2, n = 5: 0.9.
        let swapped = [(1.0, 1.0), (2.0, 3.0), (3.0, 2.0), (4.0, 4.0), (5.0, 5.0)];
        let found = spearman(&swapped, at).unwrap();
        assert!((found.estimate - 0.9).abs() < 1e-12);
        // artanh 0.9 = 1.4722; half = 1.95996 √(1.06 / 2) = 1.4269; tanh(0.0453), tanh(2.8991).
        assert!(
            (found.low - 0.0453).abs() < 2e-4 && (found.high - 0.9940).abs() < 2e-4,
            "{found:?}"
        );
        assert!(spearman(&[(1.0, 2.0), (1.0, 3.0), (1.0, 4.0), (1.0, 5.0)], at).is_none());
    }
}
