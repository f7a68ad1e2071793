//! What a coordinator that sees each silo's update learns about a subject.
//!
//! With `g_s` the mean gradient of the loss on `A_s` at the model a round starts from, and `U_h` the update
//! that silo `h` sends back, an update trained on the subject points along `−g_s` more than others do.

use crate::threat::RecordRegime;
use primitives::{Round, SiloId, SubjectId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// One number for a silo's update and a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SiloSignalKind {
    /// Mean loss on `A_s` of the silo's own model: the round's model plus `U_h`.
    Loss,
    /// Cosine of `U_h` and `−g_s`.
    Cosine,
    /// `‖U_h‖² − ‖U_h + g_s‖²`: how much shorter the update gets by taking the subject's step out of it.
    GradientDifference,
}

impl SiloSignalKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Loss, Self::Cosine, Self::GradientDifference];
}

impl fmt::Display for SiloSignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loss => "loss",
            Self::Cosine => "cosine",
            Self::GradientDifference => "gradient-difference",
        })
    }
}

/// All silos of one round's cohort.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiloRound {
    /// The round that the updates led to.
    pub round: Round,
    /// For each silo of the cohort and each kind: one value a subject, in the order of
    /// [`SiloSignals::subjects`].
    pub silos: BTreeMap<SiloId, BTreeMap<SiloSignalKind, Vec<f32>>>,
}

/// The coordinator's view of all rounds so far, for one record regime.
#[derive(Clone, Debug, PartialEq)]
pub struct SiloSignals {
    regime: RecordRegime,
    subjects: Vec<SubjectId>,
    rounds: Vec<SiloRound>,
}

/// Why a round of silo signals does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SiloSignalsError {
    /// Rounds are not in order.
    #[error("silo signals of {0} come after a later round")]
    OutOfOrder(Round),
    /// An array has the wrong length.
    #[error("{silo} has {given} values in {round} for {expected} subjects")]
    WrongLength {
        /// The silo.
        silo: SiloId,
        /// The round.
        round: Round,
        /// Values given.
        given: usize,
        /// Subjects asked about.
        expected: usize,
    },
    /// A value is not finite.
    #[error("a signal of {silo} in {round} is not finite: its update diverged")]
    NotFinite {
        /// The silo.
        silo: SiloId,
        /// The round.
        round: Round,
    },
}

impl SiloSignals {
    /// No round yet. `subjects` must increase and be those of the [`crate::Signals`] beside it.
    pub const fn new(regime: RecordRegime, subjects: Vec<SubjectId>) -> Self {
        Self {
            regime,
            subjects,
            rounds: Vec::new(),
        }
    }

    /// Appends a round.
    ///
    /// # Errors
    /// If rounds are out of order, an array has the wrong length or a value is not finite. Nothing is appended
    /// then.
    pub fn push(&mut self, signals: SiloRound) -> Result<(), SiloSignalsError> {
        let round = signals.round;
        if self.rounds.last().is_some_and(|last| round <= last.round) {
            return Err(SiloSignalsError::OutOfOrder(round));
        }
        let expected = self.subjects.len();
        for (&silo, kinds) in &signals.silos {
            for column in kinds.values() {
                if column.len() != expected {
                    let given = column.len();
                    return Err(SiloSignalsError::WrongLength {
                        silo,
                        round,
                        given,
                        expected,
                    });
                }
                if column.iter().any(|value| !value.is_finite()) {
                    return Err(SiloSignalsError::NotFinite { silo, round });
                }
            }
        }
        self.rounds.push(signals);
        Ok(())
    }

    /// Which records were asked about.
    pub const fn regime(&self) -> RecordRegime {
        self.regime
    }

    /// Subjects in the order of every array.
    pub fn subjects(&self) -> &[SubjectId] {
        &self.subjects
    }

    /// Every round, as it was appended.
    pub fn rounds(&self) -> &[SiloRound] {
        &self.rounds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_checked_before_they_are_kept() {
        let mut signals = SiloSignals::new(RecordRegime::Fresh, vec![SubjectId(1), SubjectId(2)]);
        let round = |number, values: &[f32]| SiloRound {
            round: Round(number),
            silos: BTreeMap::from([(
                SiloId(0),
                BTreeMap::from([(SiloSignalKind::Cosine, values.to_vec())]),
            )]),
        };
        signals.push(round(1, &[0.1, 0.2])).unwrap();
        assert_eq!(
            signals.push(round(1, &[0.1, 0.2])).unwrap_err(),
            SiloSignalsError::OutOfOrder(Round(1))
        );
        let short = signals.push(round(2, &[0.1])).unwrap_err();
        assert!(matches!(
            short,
            SiloSignalsError::WrongLength {
                given: 1,
                expected: 2,
                ..
            }
        ));
        let broken = signals.push(round(2, &[0.1, f32::NAN])).unwrap_err();
        assert_eq!(
            broken,
            SiloSignalsError::NotFinite {
                silo: SiloId(0),
                round: Round(2)
            }
        );
        assert_eq!(signals.rounds().len(), 1);
    }
}
