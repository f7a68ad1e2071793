//! What the model says about the adversary's records, round by round.
//!
//! The forward passes of a round turn every record that the adversary holds into a few numbers (its loss, the
//! probability of its true class, …). Those numbers are all that an attack ever sees. They are kept as flat
//! arrays in query order, so that a run folder can store a round as one block per kind and an attack can be
//! repeated, or invented, long after the models are gone.

use crate::threat::RecordRegime;
use primitives::{Round, SubjectId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// One number that a model yields for one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignalKind {
    /// Cross-entropy of the true class, in nats; where a number is predicted, its squared error.
    Loss,
    /// Probability of the true class, in [0, 1]. Numbers have none.
    Probability,
    /// `ln p_y − ln Σ_{j≠y} p_j`: the logit-scaled confidence of Carlini et al. 2022. Of a number minus the cube root of
    /// its squared error: as near to a normal law as Wilson and Hilferty (1931) bring a square of normal errors.
    Margin,
    /// Mean loss over perturbed copies of the record.
    NeighbourhoodLoss,
    /// L2 norm of the record's gradient.
    GradientNorm,
}

/// Which subjects are asked about, and with how many records each: the layout of every flat array.
///
/// Subjects lie in id order; the records of a subject are adjacent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    try_from = "BTreeMap<SubjectId, u32>",
    into = "BTreeMap<SubjectId, u32>"
)]
pub struct Queries {
    subjects: Vec<SubjectId>,
    starts: Vec<usize>,
}

/// The signals of one round: for each kind a flat array over all records, in the order of [`Queries`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundSignals {
    /// The round whose model was asked; [`Round::UNTRAINED`] is the untrained model.
    pub round: Round,
    /// Shape of each array: `[records]`.
    pub columns: BTreeMap<SignalKind, Vec<f32>>,
}

/// The signals of all rounds so far, for one record regime. Round 0, the untrained model, comes first.
#[derive(Clone, Debug, PartialEq)]
pub struct Signals {
    regime: RecordRegime,
    queries: Queries,
    rounds: Vec<RoundSignals>,
    means: Vec<BTreeMap<SignalKind, Vec<f64>>>,
}

/// Why signals do not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignalsError {
    /// There is nobody to ask about.
    #[error("no subject is queried: an attack needs at least one subject with at least one record")]
    NoSubjects,
    /// A subject without records cannot be scored.
    #[error("{0} is queried with no record: leave it out or give the adversary a record of it")]
    NoRecords(SubjectId),
    /// Rounds are not in order.
    #[error("signals of {given} cannot follow {last}: rounds begin with 0 and increase")]
    OutOfOrder {
        /// The round that was given.
        given: Round,
        /// The last one that is held, or where they begin.
        last: Round,
    },
    /// An array has the wrong length.
    #[error("{kind} of {round} has {given} values for {expected} queried records")]
    WrongLength {
        /// The kind of signal.
        kind: SignalKind,
        /// The round.
        round: Round,
        /// Values given.
        given: usize,
        /// Records queried.
        expected: usize,
    },
    /// A value is not a number that can be compared.
    #[error(
        "{kind} of {subject} in {round} is not finite: the model diverged; lower the learning rate or clip \
         the gradients"
    )]
    NotFinite {
        /// The kind of signal.
        kind: SignalKind,
        /// The round.
        round: Round,
        /// The subject whose record it is.
        subject: SubjectId,
    },
    /// The kinds of signal differ between rounds.
    #[error(
        "{round} has other kinds of signal than the rounds before it: every round must be asked the same"
    )]
    OtherKinds {
        /// The round.
        round: Round,
    },
}

impl Queries {
    /// Asks about each subject with that many records.
    ///
    /// # Errors
    /// If there is no subject, or a subject has no record.
    pub fn try_new(records: &BTreeMap<SubjectId, u32>) -> Result<Self, SignalsError> {
        if records.is_empty() {
            return Err(SignalsError::NoSubjects);
        }
        let mut starts = vec![0];
        let mut end = 0;
        for (&subject, &count) in records {
            if count == 0 {
                return Err(SignalsError::NoRecords(subject));
            }
            end += count as usize;
            starts.push(end);
        }
        Ok(Self {
            subjects: records.keys().copied().collect(),
            starts,
        })
    }

    /// Subjects in the order of every array.
    pub fn subjects(&self) -> &[SubjectId] {
        &self.subjects
    }

    /// How many records are asked about in all.
    pub fn records(&self) -> usize {
        self.starts[self.subjects.len()]
    }

    /// Where the records of the `position`-th subject lie in a flat array.
    ///
    /// # Panics
    /// If there is no such subject.
    pub fn range(&self, position: usize) -> std::ops::Range<usize> {
        self.starts[position]..self.starts[position + 1]
    }

    /// The position of `subject`, if it is asked about.
    pub fn position(&self, subject: SubjectId) -> Option<usize> {
        self.subjects.binary_search(&subject).ok()
    }

    /// Mean of each subject's records in `column`, summed in `f64` in record order. Shape: `[subjects]`.
    fn means(&self, column: &[f32]) -> Vec<f64> {
        (0..self.subjects.len())
            .map(|position| {
                let records = &column[self.range(position)];
                records.iter().map(|&v| f64::from(v)).sum::<f64>() / records.len() as f64
            })
            .collect()
    }
}

impl Signals {
    /// No round yet.
    pub const fn new(regime: RecordRegime, queries: Queries) -> Self {
        Self {
            regime,
            queries,
            rounds: Vec::new(),
            means: Vec::new(),
        }
    }

    /// Appends a round.
    ///
    /// # Errors
    /// If rounds are out of order, an array has the wrong length, a value is not finite, or the kinds of
    /// signal differ from the round before. Nothing is appended then.
    pub fn push(&mut self, signals: RoundSignals) -> Result<(), SignalsError> {
        self.check(&signals)?;
        let means = signals
            .columns
            .iter()
            .map(|(&kind, column)| (kind, self.queries.means(column)));
        self.means.push(means.collect());
        self.rounds.push(signals);
        Ok(())
    }

    fn check(&self, signals: &RoundSignals) -> Result<(), SignalsError> {
        let round = signals.round;
        match self.rounds.last() {
            None if round != Round::UNTRAINED => {
                return Err(SignalsError::OutOfOrder {
                    given: round,
                    last: Round::UNTRAINED,
                });
            }
            Some(last) if round <= last.round => {
                return Err(SignalsError::OutOfOrder {
                    given: round,
                    last: last.round,
                });
            }
            Some(last) if !last.columns.keys().eq(signals.columns.keys()) => {
                return Err(SignalsError::OtherKinds { round });
            }
            _ => {}
        }
        for (&kind, column) in &signals.columns {
            let expected = self.queries.records();
            if column.len() != expected {
                let given = column.len();
                return Err(SignalsError::WrongLength {
                    kind,
                    round,
                    given,
                    expected,
                });
            }
            if let Some(record) = column.iter().position(|value| !value.is_finite()) {
                let position = self
                    .queries
                    .starts
                    .partition_point(|&start| start <= record)
                    - 1;
                let subject = self.queries.subjects[position];
                return Err(SignalsError::NotFinite {
                    kind,
                    round,
                    subject,
                });
            }
        }
        Ok(())
    }

    /// Which records were asked about.
    pub const fn regime(&self) -> RecordRegime {
        self.regime
    }

    /// Who was asked about.
    pub const fn queries(&self) -> &Queries {
        &self.queries
    }

    /// Every round, as it was appended: what a run folder stores.
    pub fn rounds(&self) -> &[RoundSignals] {
        &self.rounds
    }

    /// The position of `round` among [`Self::rounds`], if it was observed.
    pub fn position(&self, round: Round) -> Option<usize> {
        self.rounds
            .binary_search_by_key(&round, |signals| signals.round)
            .ok()
    }

    /// All records' values in the `index`-th observed round. Shape: `[records]`.
    pub fn records(&self, kind: SignalKind, index: usize) -> Option<&[f32]> {
        self.rounds
            .get(index)?
            .columns
            .get(&kind)
            .map(Vec::as_slice)
    }

    /// Each subject's mean in the `index`-th observed round. Shape: `[subjects]`.
    pub fn means(&self, kind: SignalKind, index: usize) -> Option<&[f64]> {
        self.means.get(index)?.get(&kind).map(Vec::as_slice)
    }
}

impl TryFrom<BTreeMap<SubjectId, u32>> for Queries {
    type Error = SignalsError;

    fn try_from(records: BTreeMap<SubjectId, u32>) -> Result<Self, SignalsError> {
        Self::try_new(&records)
    }
}

impl From<Queries> for BTreeMap<SubjectId, u32> {
    fn from(queries: Queries) -> Self {
        let count = |position| queries.range(position).len() as u32;
        queries
            .subjects
            .iter()
            .enumerate()
            .map(|(i, &subject)| (subject, count(i)))
            .collect()
    }
}

impl SignalKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Loss,
        Self::Probability,
        Self::Margin,
        Self::NeighbourhoodLoss,
        Self::GradientNorm,
    ];
}

impl fmt::Display for SignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loss => "loss",
            Self::Probability => "probability",
            Self::Margin => "margin",
            Self::NeighbourhoodLoss => "neighbourhood-loss",
            Self::GradientNorm => "gradient-norm",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queries() -> Queries {
        Queries::try_new(&BTreeMap::from([(SubjectId(7), 2), (SubjectId(3), 1)])).unwrap()
    }

    fn round(number: u32, losses: &[f32]) -> RoundSignals {
        let columns = BTreeMap::from([(SignalKind::Loss, losses.to_vec())]);
        RoundSignals {
            round: Round(number),
            columns,
        }
    }

    #[test]
    fn records_lie_in_subject_order_and_means_are_over_a_subjects_records() {
        let mut signals = Signals::new(RecordRegime::Fresh, queries());
        signals.push(round(0, &[3.0, 1.0, 2.0])).unwrap();
        signals.push(round(5, &[2.0, 0.5, 0.25])).unwrap();
        assert_eq!(signals.queries().subjects(), [SubjectId(3), SubjectId(7)]);
        assert_eq!(signals.means(SignalKind::Loss, 0), Some(&[3.0, 1.5][..]));
        assert_eq!(signals.means(SignalKind::Loss, 1), Some(&[2.0, 0.375][..]));
        assert_eq!(signals.position(Round(5)), Some(1));
        assert_eq!(signals.position(Round(1)), None);
        assert_eq!(signals.means(SignalKind::Margin, 0), None);
    }

    #[test]
    fn a_round_that_does_not_fit_is_refused_and_changes_nothing() {
        let mut signals = Signals::new(RecordRegime::Fresh, queries());
        let error = signals.push(round(1, &[0.0; 3])).unwrap_err();
        assert_eq!(
            error,
            SignalsError::OutOfOrder {
                given: Round(1),
                last: Round(0)
            }
        );
        signals.push(round(0, &[0.0; 3])).unwrap();
        assert!(matches!(
            signals.push(round(0, &[0.0; 3])),
            Err(SignalsError::OutOfOrder { .. })
        ));
        assert!(matches!(
            signals.push(round(1, &[0.0; 2])),
            Err(SignalsError::WrongLength {
                given: 2,
                expected: 3,
                ..
            })
        ));
        assert!(matches!(
            signals.push(round(1, &[0.0, 0.0, f32::NAN])),
            Err(SignalsError::NotFinite {
                subject: SubjectId(7),
                ..
            })
        ));
        let other = RoundSignals {
            round: Round(1),
            columns: BTreeMap::new(),
        };
        assert!(matches!(
            signals.push(other),
            Err(SignalsError::OtherKinds { .. })
        ));
        assert_eq!(signals.rounds().len(), 1);
    }

    #[test]
    fn rounds_and_queries_survive_being_stored() {
        let stored = serde_json::to_string(&(queries(), round(2, &[1.0, 2.0, 3.0]))).unwrap();
        let (read, signals): (Queries, RoundSignals) = serde_json::from_str(&stored).unwrap();
        assert_eq!((read, signals), (queries(), round(2, &[1.0, 2.0, 3.0])));
        assert!(serde_json::from_str::<Queries>(r#"{"3":0}"#).is_err());
    }
}
