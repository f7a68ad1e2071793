//! Federations trained again with membership known: the yardstick of the strongest attacks.
//!
//! A shadow federation is the attacked one with other subjects in it. What its model says about a subject
//! shows what is usual for that very subject as a member, and as a non-member. How difficult a subject is then
//! cancels, which a plain loss cannot do.

use crate::signals::{Queries, SignalKind, Signals};
use crate::threat::RecordRegime;
use primitives::{Round, SubjectId};
use rand::Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// Which subjects are members of which shadow run.
///
/// Runs come in pairs: a random half of the subjects, and the other half. So every subject is a member of
/// exactly half of the runs, and every run has half of the subjects (one more or less if their number is odd).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShadowDesign {
    runs: Vec<BTreeSet<SubjectId>>,
}

/// The signals of all shadow runs, with the same records asked of each.
#[derive(Clone, Debug, PartialEq)]
pub struct ShadowSignals {
    design: ShadowDesign,
    runs: Vec<Arc<Signals>>,
}

/// One shadow run at one round.
#[derive(Clone, Copy, Debug)]
pub struct ShadowRun<'a> {
    members: &'a BTreeSet<SubjectId>,
    signals: &'a Signals,
    index: usize,
}

/// Whether the shadow runs may hold the attacked subjects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShadowUse {
    /// Compare with shadows that had the subject and shadows that had not.
    #[default]
    Online,
    /// Use only shadows that had not: they can be trained before anybody knows who will be attacked.
    Offline,
}

impl fmt::Display for ShadowUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Online => "online",
            Self::Offline => "offline",
        })
    }
}

/// Why shadow runs cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShadowError {
    /// An odd number cannot be balanced.
    #[error("{0} shadow runs cannot be balanced: use an even number of at least 2, e.g. 16")]
    NotEven(usize),
    /// Signals do not match the design.
    #[error("{given} shadow runs were observed, the design has {expected}")]
    WrongCount {
        /// Runs given.
        given: usize,
        /// Runs designed.
        expected: usize,
    },
    /// A run was asked about other records.
    #[error(
        "shadow run {0} was asked about other records, or another regime, than the run before it"
    )]
    OtherQueries(usize),
}

impl ShadowDesign {
    /// Assigns `subjects` to `runs` shadow runs.
    ///
    /// # Errors
    /// If the number of runs is zero or odd.
    pub fn balanced(
        subjects: &BTreeSet<SubjectId>,
        runs: usize,
        rng: &mut impl Rng,
    ) -> Result<Self, ShadowError> {
        if runs == 0 || !runs.is_multiple_of(2) {
            return Err(ShadowError::NotEven(runs));
        }
        let mut order: Vec<SubjectId> = subjects.iter().copied().collect();
        let pairs = (0..runs / 2).flat_map(|_| {
            order.sort_unstable();
            order.shuffle(rng);
            let (half, other) = order.split_at(order.len() / 2);
            [
                half.iter().copied().collect(),
                other.iter().copied().collect(),
            ]
        });
        Ok(Self {
            runs: pairs.collect(),
        })
    }

    /// The members of each run.
    pub fn runs(&self) -> &[BTreeSet<SubjectId>] {
        &self.runs
    }
}

impl ShadowSignals {
    /// The signals of each run of `design`, in its order.
    ///
    /// # Errors
    /// If there are more or fewer than the design has, or they differ in their queries or regime.
    pub fn try_new(design: ShadowDesign, runs: Vec<Signals>) -> Result<Self, ShadowError> {
        if runs.len() != design.runs.len() {
            let (given, expected) = (runs.len(), design.runs.len());
            return Err(ShadowError::WrongCount { given, expected });
        }
        let alike = |signals: &Signals| (signals.regime(), signals.queries().clone());
        if let Some(other) = runs
            .windows(2)
            .position(|pair| alike(&pair[0]) != alike(&pair[1]))
        {
            return Err(ShadowError::OtherQueries(other + 1));
        }
        let runs = runs.into_iter().map(Arc::new).collect();
        Ok(Self { design, runs })
    }

    /// How many runs there are.
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Who is in which run.
    pub const fn design(&self) -> &ShadowDesign {
        &self.design
    }

    /// Whether every run recorded `kind`.
    pub fn has(&self, kind: SignalKind) -> bool {
        let recorded = |run: &Arc<Signals>| run.records(kind, 0).is_some();
        self.runs.iter().all(recorded)
    }

    /// The regime of all runs.
    ///
    /// # Panics
    /// If there is no run.
    pub fn regime(&self) -> RecordRegime {
        self.runs[0].regime()
    }

    /// The `target`-th run, and the others less the one it was paired with: of those, every subject is a member of
    /// exactly half, whatever it is in the target.
    ///
    /// # Panics
    /// If there is no such run.
    pub fn split(&self, target: usize) -> (&Signals, Self) {
        let pair = target / 2;
        let others = |run: &usize| run / 2 != pair;
        let rest = (0..self.runs.len()).filter(others);
        let (members, runs) = rest
            .map(|run| (self.design.runs[run].clone(), Arc::clone(&self.runs[run])))
            .unzip();
        let others = Self {
            design: ShadowDesign { runs: members },
            runs,
        };
        (&self.runs[target], others)
    }

    /// Every run at `round`; `None` if a run was not observed then.
    pub fn at(&self, round: Round) -> Option<Vec<ShadowRun<'_>>> {
        let signals = self.runs.iter().map(Arc::as_ref);
        let runs = self.design.runs.iter().zip(signals);
        runs.map(|(members, signals)| {
            let index = signals.position(round)?;
            Some(ShadowRun {
                members,
                signals,
                index,
            })
        })
        .collect()
    }
}

impl<'a> ShadowRun<'a> {
    /// Whether `subject` was trained on in this run.
    pub fn has(&self, subject: SubjectId) -> bool {
        self.members.contains(&subject)
    }

    /// The layout of the arrays.
    pub const fn queries(&self) -> &'a Queries {
        self.signals.queries()
    }

    /// The record regime.
    pub const fn regime(&self) -> RecordRegime {
        self.signals.regime()
    }

    /// Each subject's mean; `None` if the signal was not computed. Shape: `[subjects]`.
    pub fn means(&self, kind: SignalKind) -> Option<&'a [f64]> {
        self.signals.means(kind, self.index)
    }

    /// Each record's value; `None` if the signal was not computed. Shape: `[records]`.
    pub fn records(&self, kind: SignalKind) -> Option<&'a [f32]> {
        self.signals.records(kind, self.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use primitives::{Role, Seed, Stream};
    use std::collections::BTreeMap;

    #[test]
    fn every_subject_is_in_half_of_the_runs_and_every_run_has_half_of_the_subjects() {
        let subjects: BTreeSet<_> = (0..101).map(SubjectId).collect();
        let mut rng = Seed::from_number(4).stream(Stream::run(Role::Shadow));
        let design = ShadowDesign::balanced(&subjects, 16, &mut rng).unwrap();
        for subject in &subjects {
            assert_eq!(
                design
                    .runs()
                    .iter()
                    .filter(|run| run.contains(subject))
                    .count(),
                8
            );
        }
        assert!(
            design
                .runs()
                .iter()
                .all(|run| (50..=51).contains(&run.len()))
        );
        assert_ne!(design.runs()[0], design.runs()[2]);
        let mut again = Seed::from_number(4).stream(Stream::run(Role::Shadow));
        assert_eq!(
            design,
            ShadowDesign::balanced(&subjects, 16, &mut again).unwrap()
        );
        for odd in [0, 3] {
            let refused = ShadowDesign::balanced(&subjects, odd, &mut rng).unwrap_err();
            assert_eq!(refused, ShadowError::NotEven(odd));
        }
    }

    #[test]
    fn runs_that_were_asked_something_else_are_refused() {
        let subjects: BTreeSet<_> = (0..4).map(SubjectId).collect();
        let mut rng = Seed::from_number(4).stream(Stream::run(Role::Shadow));
        let design = ShadowDesign::balanced(&subjects, 2, &mut rng).unwrap();
        let run = |records| {
            let queries = Queries::try_new(&BTreeMap::from([(SubjectId(0), records)])).unwrap();
            Signals::new(RecordRegime::Fresh, queries)
        };
        let short = ShadowSignals::try_new(design.clone(), vec![run(1)]).unwrap_err();
        assert_eq!(
            short,
            ShadowError::WrongCount {
                given: 1,
                expected: 2
            }
        );
        let other = ShadowSignals::try_new(design.clone(), vec![run(1), run(2)]).unwrap_err();
        assert_eq!(other, ShadowError::OtherQueries(1));
        let good = ShadowSignals::try_new(design, vec![run(1), run(1)]).unwrap();
        assert_eq!(good.len(), 2);
        assert!(good.at(Round(0)).is_none());
    }
}
