//! Subject LiRA: is this subject's margin what it would be with or without the subject?
//!
//! Carlini et al.: "Membership Inference Attacks From First Principles" (arXiv 2112.03570), with the record
//! replaced by a subject. `φ(s)` is the mean margin over `A_s`: `ln p_y − ln Σ_{j≠y} p_j`, or `−∛(f − y)²` where a
//! number is predicted, since the attack takes `φ` for normal. The shadow runs that
//! trained on `s` give a Gaussian of `φ` IN, the others a Gaussian OUT. Scores:
//!
//! * online: `ln N(φ; in) − ln N(φ; out)`;
//! * offline: `(φ − μ_out) / σ_out`, which orders subjects as the upper tail `Φ` of OUT does but does not
//!   saturate.
//!
//! Centres are medians, as in the authors' code. With few shadows a subject's own deviation is mostly noise:
//! below [`FEW_SHADOWS`] runs one deviation is shared by all subjects, pooled over their deviations from their
//! own centres, once for IN and once for OUT. (In the authors' code the shared OUT deviation is computed from
//! the IN array, and both mix in how much subjects differ from each other.)

use crate::attack::{AttackError, MembershipAttack, Observation};
use crate::evidence::Evidence;
use crate::score::{Scores, scores};
use crate::shadow::ShadowUse;
use crate::signals::SignalKind;
use crate::threat::View;
use serde::{Deserialize, Serialize};

/// Below this many shadow runs, [`Variance::Automatic`] shares one deviation among all subjects.
pub const FEW_SHADOWS: usize = 64;

/// Likelihood ratio of a subject's mean margin under shadow runs with and without the subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lira {
    /// Whether shadows that trained on the subject are used.
    #[serde(default)]
    pub shadows: ShadowUse,
    /// Whose deviation is used.
    #[serde(default)]
    pub variance: Variance,
}

/// Whose deviation a Gaussian gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variance {
    /// Fixed below [`FEW_SHADOWS`] runs, per subject from there on.
    #[default]
    Automatic,
    /// One for all subjects.
    Fixed,
    /// Each subject's own.
    PerSubject,
}

/// What the shadow runs of one kind say about one subject.
struct Side {
    centre: f64,
    /// Sum of squared deviations from the mean, and how many are free.
    squares: f64,
    freedom: usize,
}

impl Side {
    fn of(values: &mut [f64]) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        let middle = values.len() / 2;
        let centre = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares = values.iter().map(|v| (v - mean).powi(2)).sum();
        Self {
            centre,
            squares,
            freedom: values.len() - 1,
        }
    }

    fn variance<'a>(sides: impl IntoIterator<Item = &'a Self>) -> f64 {
        let sum = |(squares, freedom): (f64, usize), side: &Self| {
            (squares + side.squares, freedom + side.freedom)
        };
        let (squares, freedom) = sides.into_iter().fold((0.0, 0), sum);
        // A deviation of zero would make any other value infinitely unlikely.
        (squares / freedom as f64).max(1e-12)
    }
}

impl Lira {
    /// Every subject's side: the shadow runs that trained on it, or those that did not.
    fn sides(evidence: &Evidence<'_>, inside: bool) -> Result<Vec<Side>, AttackError> {
        let runs = evidence.shadows()?;
        let mut means = Vec::with_capacity(runs.len());
        for run in &runs {
            means.push(
                run.means(SignalKind::Margin)
                    .ok_or(AttackError::NoSignal(SignalKind::Margin))?,
            );
        }
        let mut values = Vec::with_capacity(runs.len());
        let side = |(position, &subject)| {
            values.clear();
            let chosen = runs
                .iter()
                .zip(&means)
                .filter(|(run, _)| run.has(subject) == inside);
            values.extend(chosen.map(|(_, means)| means[position]));
            if values.len() < 2 {
                return Err(AttackError::TooFewShadows {
                    needed: 4,
                    held: runs.len(),
                });
            }
            Ok(Side::of(&mut values))
        };
        evidence.subjects().iter().enumerate().map(side).collect()
    }

    /// The variance that each side is given.
    fn variances(self, sides: &[Side], runs: usize) -> Vec<f64> {
        let fixed = match self.variance {
            Variance::Automatic => runs < FEW_SHADOWS,
            Variance::Fixed => true,
            Variance::PerSubject => false,
        };
        if fixed {
            vec![Side::variance(sides); sides.len()]
        } else {
            sides.iter().map(|side| Side::variance([side])).collect()
        }
    }
}

impl MembershipAttack for Lira {
    fn name(&self) -> String {
        let variance = match self.variance {
            Variance::Automatic => "",
            Variance::Fixed => "/fixed-variance",
            Variance::PerSubject => "/per-subject-variance",
        };
        format!("lira/{}{variance}", self.shadows)
    }

    fn paper(&self) -> &'static str {
        "Carlini et al., arXiv 2112.03570"
    }

    fn needs(&self) -> Observation {
        Observation {
            shadow_runs: 4,
            ..Observation::of(View::FinalModel, &[SignalKind::Margin])
        }
    }

    fn score(&self, evidence: &Evidence<'_>) -> Result<Scores, AttackError> {
        let margins = evidence.means(SignalKind::Margin)?;
        let runs = evidence.shadows()?.len();
        let outside = Self::sides(evidence, false)?;
        let outside_variance = self.variances(&outside, runs);
        let distance =
            |margin: f64, side: &Side, variance: f64| (margin - side.centre) / variance.sqrt();
        let values: Vec<f64> = match self.shadows {
            ShadowUse::Offline => (margins.iter().zip(&outside).zip(outside_variance))
                .map(|((&margin, side), variance)| distance(margin, side, variance))
                .collect(),
            ShadowUse::Online => {
                let inside = Self::sides(evidence, true)?;
                let inside_variance = self.variances(&inside, runs);
                // ln N(x; m, v) + ln √(2π) = −((x − m)² / v + ln v) / 2.
                let log_density = |margin, side, variance: f64| {
                    -(distance(margin, side, variance).powi(2) + variance.ln()) / 2.0
                };
                (0..margins.len())
                    .map(|s| {
                        log_density(margins[s], &inside[s], inside_variance[s])
                            - log_density(margins[s], &outside[s], outside_variance[s])
                    })
                    .collect()
            }
        };
        Ok(scores(evidence.subjects(), values)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_is_the_median_and_the_unbiased_variance() {
        let odd = Side::of(&mut [5.0, 1.0, 3.0]);
        assert_eq!((odd.centre, Side::variance([&odd])), (3.0, 4.0));
        let even = Side::of(&mut [4.0, 1.0, 2.0, 9.0]);
        assert_eq!((even.centre, even.squares, even.freedom), (3.0, 38.0, 3));
        // Pooled: squares and degrees of freedom add, centres do not mix.
        assert!((Side::variance([&odd, &even]) - 46.0 / 5.0).abs() < 1e-12);
    }
}
