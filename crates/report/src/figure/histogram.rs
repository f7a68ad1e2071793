//! Counting values into bars: (left, right, count).

use crate::chart::{Axis, Plot, Tone};

/// Scores of who was in as bars and of who was out as an outline, each side as shares of its own. A few extreme scores
/// go to the bars at the edge. Neither side is empty.
pub(super) fn of_sides(
    label: &str,
    (inside_label, tone, inside): (&str, Tone, &[f64]),
    (outside_label, outside): (&str, &[f64]),
) -> Plot {
    let mut all: Vec<f64> = inside.iter().chain(outside).copied().collect();
    all.sort_by(f64::total_cmp);
    // A few extreme scores must not squeeze the others into one bar.
    let quantile = |q: f64| all[((all.len() - 1) as f64 * q).round() as usize];
    let (low, high) = (quantile(0.005), quantile(0.995));
    let high = if high > low { high } else { low + 1.0 };
    let share = |values: &[f64]| -> Vec<(f64, f64, f64)> {
        let bars = equal(values, low, high, 24);
        bars.into_iter()
            .map(|bar| (bar.0, bar.1, bar.2 / values.len() as f64))
            .collect()
    };
    let (inside, outside) = (share(inside), share(outside));
    let tallest = inside
        .iter()
        .chain(&outside)
        .map(|bar| bar.2)
        .fold(0.0, f64::max);
    Plot::new(
        Axis::linear(label, low, high, 6),
        Axis::linear("share", 0.0, tallest, 5).percent(),
    )
    .bars(inside_label, tone, inside)
    .steps(outside_label, Tone::Ink, outside)
}

/// Bars of equal width over `low..high`; values outside go to the bar at the edge.
pub(super) fn equal(values: &[f64], low: f64, high: f64, bars: usize) -> Vec<(f64, f64, f64)> {
    let width = (high - low) / bars as f64;
    let mut counts = vec![0.0; bars];
    for value in values {
        let bar = ((value - low) / width)
            .floor()
            .clamp(0.0, (bars - 1) as f64);
        counts[bar as usize] += 1.0;
    }
    let edge = |k: usize| low + width * k as f64;
    counts
        .into_iter()
        .enumerate()
        .map(|(k, count)| (edge(k), edge(k + 1), count))
        .collect()
}

/// Bars for whole numbers from `first`, one a number, or one a few numbers if there are many.
pub(super) fn whole(values: &[u64], first: u64) -> Vec<(f64, f64, f64)> {
    let last = values.iter().copied().max().unwrap_or(first).max(first);
    let width = (last - first + 1).div_ceil(32);
    let bars = (last - first + 1).div_ceil(width);
    let mut counts = vec![0.0; bars as usize];
    for value in values {
        counts[(value.max(&first) - first).div_euclid(width) as usize] += 1.0;
    }
    let edge = |k: usize| (first + width * k as u64) as f64 - 0.5;
    counts
        .into_iter()
        .enumerate()
        .map(|(k, count)| (edge(k), edge(k + 1), count))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_counted_once() {
        assert_eq!(
            equal(&[0.0, 0.5, 1.0, 9.0], 0.0, 1.0, 2),
            [(0.0, 0.5, 1.0), (0.5, 1.0, 3.0)]
        );
        assert_eq!(
            whole(&[1, 1, 3], 1),
            [(0.5, 1.5, 2.0), (1.5, 2.5, 0.0), (2.5, 3.5, 1.0)]
        );
        let many: Vec<u64> = (1..=1000).collect();
        assert!((whole(&many, 1).iter().map(|bar| bar.2).sum::<f64>() - 1000.0).abs() < 1e-9);
    }
}
