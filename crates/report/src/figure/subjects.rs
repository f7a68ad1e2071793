//! Subject by subject: the attack's scores, and exposure beside the promise.

use super::leak::look;
use super::{Figure, histogram};
use crate::RunReport;
use crate::chart::{Axis, Plot, Stroke, Tone};
use crate::format;
use crate::model::{Epsilon, Pool, Regime, Subject, SubjectScore};
use crate::words;

/// Beyond this many dots a figure shows quantiles instead.
const DOTS: usize = 500;

fn score<'a>(subject: &'a Subject, attack: &str, regime: Regime) -> Option<&'a SubjectScore> {
    subject
        .scores
        .iter()
        .find(|score| score.attack == attack && score.regime == regime)
}

/// Scores of members and non-members under the strongest attack.
pub(crate) fn scores(report: &RunReport, regime: Regime) -> Option<Figure> {
    let attack = words::strongest(report, regime)?;
    let of = |pool: Pool| -> Vec<f64> {
        report
            .subjects
            .iter()
            .filter(|subject| subject.pool == pool)
            .filter_map(|subject| score(subject, &attack.attack, regime)?.score.finite())
            .collect()
    };
    let (members, others) = (of(Pool::Member), of(Pool::NonMember));
    if members.len() < 2 || others.len() < 2 {
        return None;
    }
    let plot = histogram::of_sides(
        "membership score, higher speaks for “member”",
        ("members", look(regime).0, &members),
        ("non-members", &others),
    );
    let nouns = &report.identity.nouns;
    Some(Figure::new(
        format!("scores-{}", regime.name()),
        format!(
            "Histogram of membership scores of {} members and {} non-members.",
            members.len(),
            others.len()
        ),
        format!(
            "{}, {}: scores of the {} after the last round. Where bars and outline agree, members \
             and non-members look alike.",
            attack.title,
            format::regime(regime),
            nouns.subject.many
        ),
        plot.draw(),
    ))
}

/// Each member's exposure beside its ε, or beside its records where ε is infinite.
pub(crate) fn exposure(report: &RunReport, regime: Regime) -> Option<Figure> {
    let attack = words::strongest(report, regime)?;
    let nouns = &report.identity.nouns;
    let members = || {
        report
            .subjects
            .iter()
            .filter(|subject| subject.pool == Pool::Member)
    };
    // Who never took part has lost nothing: that alone is no promise.
    let something = |subject: &Subject| {
        let loss = subject.epsilon.and_then(Epsilon::finite);
        loss.is_some_and(|loss| loss > 0.0)
    };
    let promised = members().any(something);
    let points: Vec<(f64, f64)> = members()
        .filter_map(|subject| {
            let x = if promised {
                subject.epsilon?.finite()?
            } else {
                subject.records() as f64
            };
            Some((
                x,
                score(subject, &attack.attack, regime)?
                    .percentile
                    .finite()?,
            ))
        })
        .collect();
    if points.len() < 2 {
        return None;
    }
    let label = if promised {
        format!("ε of the {}", nouns.subject.one)
    } else {
        format!("{} of the {}", nouns.record.many, nouns.subject.one)
    };
    let (low, high) = points.iter().fold((f64::MAX, 0.0_f64), |(low, high), p| {
        (low.min(p.0), high.max(p.0))
    });
    let x = if low > 0.0 && high / low > 20.0 {
        Axis::log(&format!("{label} (log scale)"), low, high)
    } else {
        Axis::linear(&label, 0.0, high, 6)
    };
    let (tone, _, marker) = look(regime);
    let groups = quantiles(&points);
    let mut plot = Plot::new(
        x,
        Axis::linear("non-members that score lower", 0.0, 1.0, 5).percent(),
    )
    .rule("chance", Tone::Ink, 0.5);
    if points.len() <= DOTS {
        let opacity = if points.len() > 200 { 0.4 } else { 0.6 };
        let dots = points.iter().map(|&(x, y)| (x, y, 3.0)).collect();
        plot = plot.dots("a member", tone, marker, opacity, dots);
    } else {
        let between = |low: usize, high: usize| {
            groups
                .iter()
                .map(|group| (group.x, group.of[low], group.of[high]))
                .collect()
        };
        plot = plot.band("half of the members, and nine in ten", tone, between(1, 3));
        plot = plot.band("", tone, between(0, 4));
    }
    let medians = groups.iter().map(|group| (group.x, group.of[2])).collect();
    let plot = plot.line("median", Tone::Ink, Stroke::Solid, None, medians);
    let correlation = rank_correlation(&points);
    let against = if promised {
        "its ε"
    } else {
        "its number of records"
    };
    Some(Figure::new(
        format!("exposure-{}", regime.name()),
        format!(
            "Scatter plot of exposure against {against} for {} members.",
            points.len()
        ),
        format!(
            "{}, {}: a member’s exposure beside {against}. Rank correlation {}.",
            attack.title,
            format::regime(regime),
            format::fixed(correlation, 2)
        ),
        plot.draw(),
    ))
}

/// Quantiles of the heights in one group of points.
struct Quantiles {
    x: f64,
    of: [f64; 5],
}

/// 5, 25, 50, 75 and 95 % of the heights, in groups of equal size along the axis.
fn quantiles(points: &[(f64, f64)]) -> Vec<Quantiles> {
    let most = if points.len() > DOTS { 20 } else { 8 };
    let groups = (points.len() / 12).clamp(1, most);
    let mut order = points.to_vec();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut all: Vec<Quantiles> = Vec::new();
    for group in order.chunks(order.len().div_ceil(groups)) {
        let x = group[group.len() / 2].0;
        let mut heights: Vec<f64> = group.iter().map(|point| point.1).collect();
        heights.sort_by(f64::total_cmp);
        let at = |q: f64| heights[((heights.len() - 1) as f64 * q).round() as usize];
        // Many subjects may share an ε, in which case groups share it too.
        if all.last().is_none_or(|last| x > last.x) {
            all.push(Quantiles {
                x,
                of: [0.05, 0.25, 0.5, 0.75, 0.95].map(at),
            });
        }
    }
    all
}

/// Spearman's rank correlation, ties at their mean rank; zero if one side never varies.
fn rank_correlation(points: &[(f64, f64)]) -> f64 {
    let (a, b) = (
        ranks(points.iter().map(|p| p.0)),
        ranks(points.iter().map(|p| p.1)),
    );
    let mean = f64::midpoint(points.len() as f64, 1.0);
    let product = |a: &[f64], b: &[f64]| {
        a.iter()
            .zip(b)
            .map(|(x, y)| (x - mean) * (y - mean))
            .sum::<f64>()
    };
    let spread = (product(&a, &a) * product(&b, &b)).sqrt();
    if spread > 0.0 {
        product(&a, &b) / spread
    } else {
        0.0
    }
}

fn ranks(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let values: Vec<f64> = values.collect();
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    let mut below = 0;
    for tie in order.chunk_by(|&i, &j| values[i].total_cmp(&values[j]).is_eq()) {
        for &i in tie {
            ranks[i] = f64::from(below) + f64::midpoint(tie.len() as f64, 1.0);
        }
        below += tie.len() as u32;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rank_correlation_agrees_with_the_textbook() {
        // Ranks 1, 2.5, 2.5, 4 and 2, 1, 3, 4 by hand: 3 / sqrt(4.5 · 5).
        let points = [(1.0, 3.0), (2.0, 1.0), (2.0, 4.0), (4.0, 5.0)];
        assert!((rank_correlation(&points) - (3.0 / 22.5_f64.sqrt())).abs() < 1e-12);
        assert!(rank_correlation(&[(1.0, 1.0), (1.0, 2.0)]).abs() < 1e-12);
    }

    #[test]
    fn quantiles_follow_the_points() {
        let points: Vec<(f64, f64)> = (0..6000)
            .map(|k| (f64::from(k), f64::from(k % 101)))
            .collect();
        let groups = quantiles(&points);
        assert_eq!(groups.len(), 20);
        for group in groups {
            for (found, expected) in group.of.iter().zip([5.0, 25.0, 50.0, 75.0, 95.0]) {
                assert!((found - expected).abs() <= 1.0, "{found} for {expected}");
            }
        }
        assert_eq!(quantiles(&[(1.0, 0.2), (1.0, 0.8)]).len(), 1);
    }
}
