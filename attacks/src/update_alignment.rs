//! Update alignment: a silo that trained on the subject moved the model the subject's way.
//!
//! For a coordinator that sees each silo's update. Grad-Cosine and Grad-Diff compare the update with the
//! gradient on `A_s`, the loss of the silo's own model is the third statistic
//! ([`SiloSignalKind`](crate::SiloSignalKind)); all are averaged over the rounds a silo took part in.
//!
//! With [`Calibration::NonTarget`], FedMIA (Zhu et al., arXiv 2402.06289): for each silo and round the *other*
//! silos of the round show what the statistic is without the subject, `N(μ_out, σ_out)`, and the silo's own
//! value `m` counts as `Φ((m − μ_out) / σ_out)`. It assumes that few silos hold the subject.
//!
//! A subject is a member if *any* silo trained on it, so its score is the greatest over the silos.

use crate::attack::{AttackError, MembershipAttack, Observation};
use crate::evidence::Evidence;
use crate::interval::standard_normal;
use crate::score::{Scores, scores};
use crate::silo_signals::{SiloRound, SiloSignalKind};
use crate::threat::View;
use primitives::SiloId;
use serde::{Deserialize, Serialize};
use statrs::distribution::ContinuousCDF;
use std::collections::BTreeMap;

/// Greatest, over the silos, mean agreement of a silo's updates with a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateAlignment {
    /// What is compared.
    #[serde(default = "cosine")]
    pub statistic: SiloSignalKind,
    /// Against what it is held.
    #[serde(default)]
    pub calibration: Calibration,
}

const fn cosine() -> SiloSignalKind {
    SiloSignalKind::Cosine
}

/// Against what a silo's statistic is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Calibration {
    /// As it is.
    None,
    /// The other silos of the same round (FedMIA).
    #[default]
    NonTarget,
}

/// Other silos in a round that the non-target calibration needs at least: a deviation is that of two values or more.
const OTHERS: u32 = 2;

/// Each silo's values in one round, turned so that higher = member. Shape: `[silos][subjects]`.
fn oriented(
    round: &SiloRound,
    kind: SiloSignalKind,
) -> Result<Vec<(SiloId, Vec<f64>)>, AttackError> {
    let sign = if kind == SiloSignalKind::Loss {
        -1.0
    } else {
        1.0
    };
    let column = |(&silo, kinds): (&SiloId, &BTreeMap<SiloSignalKind, Vec<f32>>)| {
        let values = kinds.get(&kind).ok_or(AttackError::NoSiloUpdates)?;
        Ok((
            silo,
            values
                .iter()
                .map(|&value| sign * f64::from(value))
                .collect(),
        ))
    };
    round.silos.iter().map(column).collect()
}

/// `Φ((own − μ) / σ)` with `μ`, `σ` of the other values.
fn against_others(own: usize, values: &[f64]) -> f64 {
    let others = || {
        values
            .iter()
            .enumerate()
            .filter(|&(i, _)| i != own)
            .map(|(_, v)| v)
    };
    let count = (values.len() - 1) as f64;
    let mean = others().sum::<f64>() / count;
    let deviation = (others().map(|v| (v - mean).powi(2)).sum::<f64>() / (count - 1.0)).sqrt();
    standard_normal().cdf((values[own] - mean) / deviation.max(1e-12))
}

impl UpdateAlignment {
    fn calibrated(self, round: &SiloRound) -> Result<Vec<(SiloId, Vec<f64>)>, AttackError> {
        let mut silos = oriented(round, self.statistic)?;
        if self.calibration == Calibration::None || silos.is_empty() {
            return Ok(silos);
        }
        let needed = OTHERS as usize + 1;
        if silos.len() < needed {
            let (held, round) = (silos.len(), round.round);
            return Err(AttackError::TooFewSilos {
                needed,
                held,
                round,
            });
        }
        for subject in 0..silos[0].1.len() {
            let values: Vec<f64> = silos.iter().map(|(_, values)| values[subject]).collect();
            for (own, (_, calibrated)) in silos.iter_mut().enumerate() {
                calibrated[subject] = against_others(own, &values);
            }
        }
        Ok(silos)
    }
}

impl MembershipAttack for UpdateAlignment {
    fn name(&self) -> String {
        let statistic = self.statistic;
        match self.calibration {
            Calibration::None => format!("update-alignment/{statistic}"),
            Calibration::NonTarget => format!("update-alignment/{statistic}/non-target"),
        }
    }

    fn paper(&self) -> &'static str {
        "FedMIA of Zhu et al., arXiv 2402.06289"
    }

    fn needs(&self) -> Observation {
        Observation {
            silo_signals: match self.statistic {
                SiloSignalKind::Loss => &[SiloSignalKind::Loss],
                SiloSignalKind::Cosine => &[SiloSignalKind::Cosine],
                SiloSignalKind::GradientDifference => &[SiloSignalKind::GradientDifference],
            },
            silos: match self.calibration {
                Calibration::None => 1,
                Calibration::NonTarget => OTHERS + 1,
            },
            ..Observation::of(View::SiloUpdates, &[])
        }
    }

    fn score(&self, evidence: &Evidence<'_>) -> Result<Scores, AttackError> {
        let subjects = evidence.subjects();
        let mut sums: BTreeMap<SiloId, (Vec<f64>, f64)> = BTreeMap::new();
        for round in evidence.silo_rounds()? {
            for (silo, values) in self.calibrated(round)? {
                let (sum, rounds) = sums
                    .entry(silo)
                    .or_insert_with(|| (vec![0.0; subjects.len()], 0.0));
                sum.iter_mut()
                    .zip(values)
                    .for_each(|(sum, value)| *sum += value);
                *rounds += 1.0;
            }
        }
        // Before the first update nobody is more of a member than anybody else.
        let strongest = |subject| {
            let means = sums
                .values()
                .map(|(sum, rounds): &(Vec<f64>, f64)| sum[subject] / rounds);
            means.reduce(f64::max).unwrap_or(0.0)
        };
        Ok(scores(subjects, (0..subjects.len()).map(strongest))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_held_against_the_others_only() {
        // Others 1, 2, 3: mean 2, deviation 1; own 4 is two deviations up: Φ(2).
        assert!((against_others(3, &[1.0, 2.0, 3.0, 4.0]) - 0.977_249_868).abs() < 1e-8);
        assert_eq!(against_others(0, &[0.0, 0.0, 0.0]), 0.5);
    }

    #[test]
    fn the_calibration_needs_two_other_silos() {
        let silo = |h| {
            (
                SiloId(h),
                BTreeMap::from([(SiloSignalKind::Cosine, vec![0.5])]),
            )
        };
        let round = |silos: u32| SiloRound {
            round: primitives::Round(4),
            silos: (0..silos).map(silo).collect(),
        };
        let calibration = Calibration::NonTarget;
        let attack = UpdateAlignment {
            statistic: SiloSignalKind::Cosine,
            calibration,
        };
        let refused = attack.calibrated(&round(2)).unwrap_err();
        let expected = AttackError::TooFewSilos {
            needed: 3,
            held: 2,
            round: primitives::Round(4),
        };
        assert_eq!(refused, expected);
        assert_eq!(attack.calibrated(&round(3)).unwrap().len(), 3);
    }
}
