//! Source inference: which silo holds the subject?
//!
//! Hu et al.: "Source Inference Attacks in Federated Learning" (arXiv 2109.05659) name, for a record known to
//! be a member, the silo whose own model has the smallest loss on it. Here the loss is the mean over `A_s`,
//! averaged over the rounds a silo took part in. A subject may lie in several silos, so beside the single
//! answer every silo gets a yes or no, by a threshold found on subjects whose silos are known.

use crate::attack::AttackError;
use crate::evidence::Evidence;
use crate::membership::Membership;
use crate::roc::{Roc, RocError};
use crate::score::{MembershipScore, ScoreError, Scores};
use crate::silo_signals::SiloSignalKind;
use crate::threshold::{Calibrated, calibrate};
use primitives::{SiloId, SubjectId};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Minus each silo's mean loss on each subject, higher = more likely the source.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceInference {
    scores: BTreeMap<SiloId, Scores>,
}

/// How well sources were named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceReport {
    /// Evaluated subjects that some silo holds.
    pub subjects: u64,
    /// Share of them for which the silo with the smallest loss does hold the subject.
    pub single: f64,
    /// The same share for a silo drawn by lot.
    pub chance: f64,
    /// For each silo: how well its loss tells the subjects it holds from those that others hold. Silos that
    /// hold all or none of the evaluated subjects are left out.
    pub silos: BTreeMap<SiloId, SiloSource>,
}

/// How well one silo's subjects are told from the others'.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiloSource {
    /// Chance that a subject of this silo scores above a subject of others only.
    pub auc: f64,
    /// What the threshold found on the known subjects does; `None` if none of them is known to lie here or
    /// elsewhere.
    pub calibrated: Option<Calibrated>,
}

impl SourceInference {
    /// Where it comes from.
    pub const PAPER: &'static str = "Hu et al., arXiv 2109.05659";

    /// Infers from all rounds up to that of `evidence`.
    ///
    /// # Errors
    /// If the threat model does not grant the silos' updates, or their losses were not computed.
    pub fn of(evidence: &Evidence<'_>) -> Result<Self, AttackError> {
        let subjects = evidence.subjects();
        let mut sums: BTreeMap<SiloId, (Vec<f64>, f64)> = BTreeMap::new();
        for round in evidence.silo_rounds()? {
            for (&silo, kinds) in &round.silos {
                let losses = kinds
                    .get(&SiloSignalKind::Loss)
                    .ok_or(AttackError::NoSiloUpdates)?;
                let (sum, rounds) = sums
                    .entry(silo)
                    .or_insert_with(|| (vec![0.0; subjects.len()], 0.0));
                sum.iter_mut()
                    .zip(losses)
                    .for_each(|(sum, &loss)| *sum += f64::from(loss));
                *rounds += 1.0;
            }
        }
        let score = |(silo, (sum, rounds)): (SiloId, (Vec<f64>, f64))| {
            let of = |(&subject, loss): (&SubjectId, f64)| -> Result<_, ScoreError> {
                Ok((subject, MembershipScore::try_new(-loss / rounds)?))
            };
            let scores = subjects
                .iter()
                .zip(sum)
                .map(of)
                .collect::<Result<Scores, _>>()?;
            Ok((silo, scores))
        };
        let scores = sums
            .into_iter()
            .map(score)
            .collect::<Result<_, AttackError>>()?;
        Ok(Self { scores })
    }

    /// The silo named for each subject: the one with the smallest loss, the first among equals.
    pub fn named(&self) -> BTreeMap<SubjectId, SiloId> {
        let mut named: BTreeMap<SubjectId, (MembershipScore, SiloId)> = BTreeMap::new();
        for (&silo, scores) in &self.scores {
            for (&subject, &score) in scores {
                let best = named.entry(subject).or_insert((score, silo));
                if score > best.0 {
                    *best = (score, silo);
                }
            }
        }
        named
            .into_iter()
            .map(|(subject, (_, silo))| (subject, silo))
            .collect()
    }

    /// Each silo's score for each subject.
    pub const fn scores(&self) -> &BTreeMap<SiloId, Scores> {
        &self.scores
    }

    /// Judges the sources named for `evaluated` subjects, with thresholds found on `known` ones. Both map a
    /// subject to the silos that hold it.
    ///
    /// # Errors
    /// If no evaluated subject was scored.
    pub fn judge(
        &self,
        known: &BTreeMap<SubjectId, BTreeSet<SiloId>>,
        evaluated: &BTreeMap<SubjectId, BTreeSet<SiloId>>,
    ) -> Result<SourceReport, RocError> {
        let named = self.named();
        let (mut right, mut chance, mut subjects) = (0u64, 0.0, 0u64);
        for (subject, silos) in evaluated {
            let Some(silo) = named.get(subject) else {
                continue;
            };
            subjects += 1;
            right += u64::from(silos.contains(silo));
            let seen = silos
                .iter()
                .filter(|silo| self.scores.contains_key(silo))
                .count();
            chance += seen as f64 / self.scores.len() as f64;
        }
        if subjects == 0 {
            return Err(RocError {
                members: 0,
                non_members: 0,
            });
        }
        let silo = |(&silo, scores): (&SiloId, &Scores)| {
            let roc = Roc::of(scores, &holders(evaluated, silo)).ok()?;
            let known = holders(known, silo);
            let both = !known.members().is_empty() && !known.non_members().is_empty();
            let threshold = if both {
                calibrate(scores, &known)
            } else {
                None
            };
            let at = |threshold| Calibrated::at(threshold, scores, &holders(evaluated, silo));
            Some((
                silo,
                SiloSource {
                    auc: roc.auc(),
                    calibrated: threshold.map(at),
                },
            ))
        };
        Ok(SourceReport {
            subjects,
            single: right as f64 / subjects as f64,
            chance: chance / subjects as f64,
            silos: self.scores.iter().filter_map(silo).collect(),
        })
    }
}

/// The subjects that `silo` holds, and those that only others hold.
fn holders(subjects: &BTreeMap<SubjectId, BTreeSet<SiloId>>, silo: SiloId) -> Membership {
    let of = |wanted| {
        let holds = move |silos: &BTreeSet<SiloId>| silos.contains(&silo) == wanted;
        subjects
            .iter()
            .filter(move |(_, silos)| holds(silos))
            .map(|(&subject, _)| subject)
    };
    Membership::try_new(of(true), of(false)).expect("a silo holds a subject or does not")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> (SourceInference, BTreeMap<SubjectId, BTreeSet<SiloId>>) {
        // Six subjects over three silos, subject i in silo i mod 3, subject 0 also in silo 1.
        let score = |silo: u32, subject: u32| {
            let own = f64::from(u8::from(subject % 3 == silo || (subject == 0 && silo == 1)));
            MembershipScore::try_new(own - f64::from(subject) / 100.0).unwrap()
        };
        let scores = |silo| (0..6).map(|s| (SubjectId(s), score(silo, s))).collect();
        let scores = (0..3).map(|silo| (SiloId(silo), scores(silo))).collect();
        let mut silos: BTreeMap<_, _> = (0..6)
            .map(|s| (SubjectId(s), BTreeSet::from([SiloId(s % 3)])))
            .collect();
        silos.get_mut(&SubjectId(0)).unwrap().insert(SiloId(1));
        (SourceInference { scores }, silos)
    }

    #[test]
    fn the_silo_with_the_smallest_loss_is_named() {
        let (inference, silos) = world();
        let known = silos.iter().take(3).map(|(&s, h)| (s, h.clone())).collect();
        let report = inference.judge(&known, &silos).unwrap();
        assert_eq!((report.subjects, report.single), (6, 1.0));
        assert!((report.chance - 7.0 / 18.0).abs() < 1e-12);
        assert_eq!(report.silos.len(), 3);
        for source in report.silos.values() {
            assert_eq!((source.auc, source.calibrated.unwrap().f1), (1.0, 1.0));
        }
    }

    #[test]
    fn losses_shuffled_across_silos_name_the_source_by_chance() {
        // Each silo's losses handed to the next silo: the named silo never holds the subject, except where the
        // subject lies in both.
        let (inference, silos) = world();
        let shifted = inference
            .scores
            .iter()
            .map(|(silo, s)| (SiloId((silo.0 + 1) % 3), s.clone()));
        let shifted = SourceInference {
            scores: shifted.collect(),
        };
        let report = shifted.judge(&silos, &silos).unwrap();
        assert!((report.single - 1.0 / 6.0).abs() < 1e-12, "{report:?}");
    }
}
