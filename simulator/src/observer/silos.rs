//! What a coordinator that sees every silo's update sees of the adversary's subjects.
//!
//! Updates are as large as models; what is kept of them is one number for each silo, subject and kind.

use super::{Observer, Regime};
use attacks::{SiloRound, SiloSignalKind};
use data::SubjectIndex;
use primitives::{ModelVector, RecordId, Round, SiloId, SubjectId};
use protocol::SiloUpdate;
use std::collections::{BTreeMap, BTreeSet};
use training::{Evaluator, NetworkError, RecordScore};

/// Subjects whose gradients one thread computes at a time. A constant, so that no number depends on the threads.
const SUBJECTS: usize = 16;

/// An update with what every subject is held against.
struct Sent<'a> {
    silo: SiloId,
    delta: &'a [f32],
    squared_norm: f64,
}

impl Observer<'_> {
    /// What is looked for in the silos' updates; empty unless the adversary sees them.
    pub const fn silo_kinds(&self) -> &BTreeSet<SiloSignalKind> {
        &self.silo_kinds
    }

    /// What the updates of `round`, which set out from the model `start`, say about every subject. By regime; `None`
    /// if nobody looks.
    ///
    /// # Errors
    /// If a model does not fit the data, or a gradient is not finite.
    pub fn silos(
        &self,
        round: Round,
        start: &ModelVector,
        updates: &BTreeMap<SiloId, SiloUpdate>,
    ) -> Result<Option<Vec<SiloRound>>, NetworkError> {
        if self.silo_kinds.is_empty() {
            return Ok(None);
        }
        let sent: Vec<Sent<'_>> = updates
            .iter()
            .map(|(&silo, update)| Sent {
                silo,
                delta: update.delta.as_slice(),
                squared_norm: dot(update.delta.as_slice(), update.delta.as_slice()),
            })
            .collect();
        let mut rounds: Vec<SiloRound> = Vec::with_capacity(self.regimes.len());
        for regime in &self.regimes {
            rounds.push(SiloRound {
                round,
                silos: sent
                    .iter()
                    .map(|sent| (sent.silo, BTreeMap::new()))
                    .collect(),
            });
            let last = rounds.len() - 1;
            self.add_alignment(&sent, start, regime, &mut rounds[last])?;
        }
        if self.silo_kinds.contains(&SiloSignalKind::Loss) {
            self.add_losses(&sent, start, &mut rounds)?;
        }
        Ok(Some(rounds))
    }

    /// The mean loss of every subject under each silo's own model.
    fn add_losses(
        &self,
        sent: &[Sent<'_>],
        start: &ModelVector,
        rounds: &mut [SiloRound],
    ) -> Result<(), NetworkError> {
        let model = |sent: &Sent<'_>| {
            let mut model = start.clone();
            for (parameter, delta) in model.as_mut_slice().iter_mut().zip(sent.delta) {
                *parameter += delta;
            }
            model
        };
        let of_silos: Vec<Vec<RecordScore>> = if self.backend.stacks() {
            let models: Vec<ModelVector> = sent.iter().map(model).collect();
            let models: Vec<&ModelVector> = models.iter().collect();
            let dataset = &self.world.dataset;
            self.evaluator()
                .scores_of_all(&models, dataset, &self.asked)?
        } else {
            let scores = |sent| self.scores_of(&self.asked, &model(sent));
            sent.iter().map(scores).collect::<Result<_, _>>()?
        };
        for (sent, scores) in sent.iter().zip(of_silos) {
            for (regime, round) in self.regimes.iter().zip(&mut *rounds) {
                let mean = |position: usize| {
                    let records = &regime.asked[regime.queries.range(position)];
                    let sum: f64 = records
                        .iter()
                        .map(|&at| f64::from(scores[at as usize].loss))
                        .sum();
                    (sum / records.len() as f64) as f32
                };
                let losses = (0..regime.queries.subjects().len()).map(mean).collect();
                if let Some(kinds) = round.silos.get_mut(&sent.silo) {
                    kinds.insert(SiloSignalKind::Loss, losses);
                }
            }
        }
        Ok(())
    }

    /// How every update lies to every subject's mean gradient.
    fn add_alignment(
        &self,
        sent: &[Sent<'_>],
        start: &ModelVector,
        regime: &Regime<'_>,
        round: &mut SiloRound,
    ) -> Result<(), NetworkError> {
        let wanted: Vec<SiloSignalKind> =
            [SiloSignalKind::Cosine, SiloSignalKind::GradientDifference]
                .into_iter()
                .filter(|kind| self.silo_kinds.contains(kind))
                .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        // Shape: [subjects][silos][wanted].
        let of_subjects = |evaluator: &mut Evaluator, subjects: &[SubjectId]| {
            let mut gradient = vec![0.0; start.len()];
            let subject = |&subject: &SubjectId| {
                let records: &[RecordId] = SubjectIndex::records(regime.index, subject);
                gradient.fill(0.0);
                evaluator.mean_gradient(start, &self.world.dataset, records, &mut gradient)?;
                let squared_norm = dot(&gradient, &gradient);
                let of_silo = |sent: &Sent<'_>| {
                    let product = dot(sent.delta, &gradient);
                    let value = |kind: &SiloSignalKind| {
                        align(*kind, product, sent.squared_norm, squared_norm)
                    };
                    wanted.iter().map(value).collect()
                };
                Ok(sent.iter().map(of_silo).collect())
            };
            subjects.iter().map(subject).collect()
        };
        let values: Vec<Vec<Vec<f32>>> =
            self.each(regime.queries.subjects(), SUBJECTS, of_subjects)?;
        for (h, sent) in sent.iter().enumerate() {
            let Some(kinds) = round.silos.get_mut(&sent.silo) else {
                continue;
            };
            for (k, &kind) in wanted.iter().enumerate() {
                kinds.insert(kind, values.iter().map(|silos| silos[h][k]).collect());
            }
        }
        Ok(())
    }
}

/// `cos(U, −g)`, or `‖U‖² − ‖U + g‖²`, from `U·g`, `‖U‖²` and `‖g‖²`. A vector of length zero has cosine 0.
fn align(kind: SiloSignalKind, product: f64, update: f64, gradient: f64) -> f32 {
    let value = match kind {
        SiloSignalKind::Cosine if update > 0.0 && gradient > 0.0 => {
            -product / (update.sqrt() * gradient.sqrt())
        }
        SiloSignalKind::GradientDifference => -2.0 * product - gradient,
        SiloSignalKind::Cosine | SiloSignalKind::Loss => 0.0,
    };
    value as f32
}

/// `a · b`, summed in `f64` in order.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(&a, &b)| f64::from(a) * f64::from(b))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alignment_is_that_of_the_vectors() {
        let (u, g) = ([1.0_f32, -2.0, 0.5], [0.5_f32, 1.0, -1.0]);
        let (product, uu, gg) = (dot(&u, &g), dot(&u, &u), dot(&g, &g));
        // U·g = −2, ‖U‖² = 5.25, ‖g‖² = 2.25; U + g = (1.5, −1, −0.5), of squared length 3.5.
        assert!((product + 2.0).abs() < 1e-12);
        let cosine = align(SiloSignalKind::Cosine, product, uu, gg);
        assert!((f64::from(cosine) - 2.0 / (5.25 * 2.25_f64).sqrt()).abs() < 1e-7);
        let shorter = align(SiloSignalKind::GradientDifference, product, uu, gg);
        assert!((f64::from(shorter) - (5.25 - 3.5)).abs() < 1e-7);
        assert!(align(SiloSignalKind::Cosine, 0.0, 0.0, 1.0).abs() < 1e-12);
    }
}
