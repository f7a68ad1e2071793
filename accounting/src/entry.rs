//! One line of the ledger: which data, which mechanism, how often.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{DpEvent, Mechanism, Presence, secure_sum};

/// Whose data a release was computed from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// One silo's local steps.
    Silo(u32),
    /// The coordinator's noised sum over these silos' updates, in increasing order.
    Cohort(Vec<u32>),
    /// The sum of one local step of each of these silos, in increasing order, of which nobody sees more
    /// than the sum. What that takes is listed in [`LedgerEntry::secure_sum`].
    SecureSum(Vec<u32>),
}

impl Scope {
    /// The silos the release was computed from.
    pub fn silos(&self) -> &[u32] {
        match self {
            Self::Silo(silo) => std::slice::from_ref(silo),
            Self::Cohort(cohort) | Self::SecureSum(cohort) => cohort,
        }
    }

    /// How much of the unit a release over this scope touched, as [`Mechanism::event`] counts it: the
    /// subject's records in a silo, or the silos of a cohort that hold it.
    pub(crate) fn multiplicity(&self, presence: Presence<'_>) -> u32 {
        match (self, presence) {
            (_, Presence::Record { silo } | Presence::Silo { silo }) => {
                u32::from(self.silos().contains(&silo))
            }
            (Self::Silo(here), Presence::Subject(records)) => records.in_silo(*here),
            (_, Presence::Subject(records)) => records.silos_among(self.silos()),
        }
    }
}

/// One line of the ledger: in this round, this was done to these data, so many times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "EntryAsWritten", into = "EntryAsWritten")]
pub struct LedgerEntry {
    round: u32,
    scope: Scope,
    mechanism: Mechanism,
    steps: u64,
}

/// A line that cannot stand in a ledger.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InvalidEntry {
    /// A cohort's noise in one silo, or a local mechanism over a cohort.
    #[error(
        "round {round}: {mechanism} over {scope}: silo noise and distributed noise are of the sum of a \
         cohort, every other mechanism of a silo's local steps"
    )]
    Scope {
        /// When.
        round: u32,
        /// What.
        mechanism: Mechanism,
        /// Over which data.
        scope: Scope,
    },
    /// Counts that the coordinator sees silo by silo.
    #[error(
        "round {round}: {mechanism} over {scope}: an adaptive clip norm is decided from each silo's own counts, so \
         more than the sum is seen; record the local steps of each silo"
    )]
    Counts {
        /// When.
        round: u32,
        /// What.
        mechanism: Mechanism,
        /// Over which data.
        scope: Scope,
    },
    /// Nobody, somebody twice, or out of order.
    #[error(
        "round {round}: the cohort {cohort:?} must name each of its silos once, in increasing order"
    )]
    Cohort {
        /// When.
        round: u32,
        /// As given.
        cohort: Vec<u32>,
    },
    /// No step at all.
    #[error("round {round}: an entry of 0 steps records no release: leave it out")]
    NoSteps {
        /// When.
        round: u32,
    },
    /// The past is closed.
    #[error(
        "round {round} comes after round {last} in the ledger: entries are appended in order of rounds"
    )]
    OutOfOrder {
        /// The late entry's.
        round: u32,
        /// The last one's.
        last: u32,
    },
}

impl LedgerEntry {
    /// `steps` local steps of `silo` in `round`, each of them `mechanism`.
    ///
    /// # Errors
    ///
    /// No steps, or a [mechanism of a cohort](Mechanism::is_of_cohort), which no silo runs alone.
    pub fn local_steps(
        round: u32,
        silo: u32,
        mechanism: Mechanism,
        steps: u64,
    ) -> Result<Self, InvalidEntry> {
        Self::try_new(round, Scope::Silo(silo), mechanism, steps)
    }

    /// The noised sum over `cohort` in `round`; the cohort may be given in any order.
    ///
    /// # Errors
    ///
    /// An empty cohort, a silo named twice, or a mechanism that is [not of a cohort](Mechanism::is_of_cohort).
    pub fn noised_sum(
        round: u32,
        mut cohort: Vec<u32>,
        mechanism: Mechanism,
    ) -> Result<Self, InvalidEntry> {
        cohort.sort_unstable();
        Self::try_new(round, Scope::Cohort(cohort), mechanism, 1)
    }

    /// `steps` secure sums over `cohort` in `round`, each of one local step of every silo of it.
    ///
    /// Counts the noise of all silos together, and is honest only if every step starts from one model
    /// common to the cohort, nobody sees a single silo's step, and `cohort` is who really contributed.
    /// Against a silo of the cohort, which knows its own noise, one noise fewer protects. When in
    /// doubt, record [`local_steps`](Self::local_steps) of each silo: that holds against everybody.
    ///
    /// # Errors
    ///
    /// No steps, an empty cohort, a silo named twice, or a [mechanism of a cohort](Mechanism::is_of_cohort).
    pub fn secure_sum(
        round: u32,
        mut cohort: Vec<u32>,
        mechanism: Mechanism,
        steps: u64,
    ) -> Result<Self, InvalidEntry> {
        cohort.sort_unstable();
        Self::try_new(round, Scope::SecureSum(cohort), mechanism, steps)
    }

    /// A line as it is read back.
    ///
    /// # Errors
    ///
    /// See [`InvalidEntry`]; order is the ledger's to check.
    pub fn try_new(
        round: u32,
        scope: Scope,
        mechanism: Mechanism,
        steps: u64,
    ) -> Result<Self, InvalidEntry> {
        if steps == 0 {
            return Err(InvalidEntry::NoSteps { round });
        }
        let of_cohort = mechanism.is_of_cohort();
        match &scope {
            Scope::Cohort(cohort) | Scope::SecureSum(cohort)
                if cohort.is_empty() || !cohort.is_sorted_by(|a, b| a < b) =>
            {
                return Err(InvalidEntry::Cohort {
                    round,
                    cohort: cohort.clone(),
                });
            }
            Scope::SecureSum(_) if matches!(mechanism, Mechanism::AdaptiveClip { .. }) => {
                return Err(InvalidEntry::Counts {
                    round,
                    mechanism,
                    scope,
                });
            }
            Scope::Cohort(_) if of_cohort => {}
            Scope::Silo(_) | Scope::SecureSum(_) if !of_cohort => {}
            _ => {
                return Err(InvalidEntry::Scope {
                    round,
                    mechanism,
                    scope,
                });
            }
        }
        Ok(Self {
            round,
            scope,
            mechanism,
            steps,
        })
    }

    /// When.
    pub const fn round(&self) -> u32 {
        self.round
    }

    /// Over which data.
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What.
    pub const fn mechanism(&self) -> &Mechanism {
        &self.mechanism
    }

    /// How often: each step is one event.
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// What one step was for the unit whose presence is asked about.
    pub fn event(&self, presence: Presence<'_>) -> DpEvent {
        let unit = presence.unit();
        match &self.scope {
            Scope::SecureSum(cohort) => secure_sum::event(cohort, &self.mechanism, presence),
            scope => match scope.multiplicity(presence) {
                0 => DpEvent::NoOp,
                multiplicity => self.mechanism.event(unit, multiplicity),
            },
        }
    }

    /// Whether the release was computed from anything of the unit.
    pub fn touches(&self, presence: Presence<'_>) -> bool {
        self.scope.multiplicity(presence) > 0
    }

    /// Why this entry promises the unit nothing, in words; `None` if it promises something or does not
    /// touch the unit.
    pub fn why_infinite(&self, presence: Presence<'_>) -> Option<String> {
        let touched = self.scope.multiplicity(presence) > 0;
        let why = self
            .mechanism
            .why_infinite(presence.unit())
            .filter(|_| touched)?;
        Some(format!("{self}: {why}"))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silo(silo) => write!(f, "silo {silo}"),
            Self::Cohort(cohort) => write!(f, "a cohort of {}", cohort.len()),
            Self::SecureSum(cohort) => write!(f, "a secure sum of {}", cohort.len()),
        }
    }
}

impl fmt::Display for LedgerEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "round {}, {}: {} × {}",
            self.round, self.scope, self.steps, self.mechanism
        )
    }
}

/// The line as it stands in a file, before its check.
#[derive(Serialize, Deserialize)]
struct EntryAsWritten {
    round: u32,
    scope: Scope,
    mechanism: Mechanism,
    steps: u64,
}

impl TryFrom<EntryAsWritten> for LedgerEntry {
    type Error = InvalidEntry;

    fn try_from(written: EntryAsWritten) -> Result<Self, InvalidEntry> {
        Self::try_new(
            written.round,
            written.scope,
            written.mechanism,
            written.steps,
        )
    }
}

impl From<LedgerEntry> for EntryAsWritten {
    fn from(entry: LedgerEntry) -> Self {
        let LedgerEntry {
            round,
            scope,
            mechanism,
            steps,
        } = entry;
        Self {
            round,
            scope,
            mechanism,
            steps,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NoiseMultiplier, PrivacyUnit, RecordsPerSilo, SamplingRate};

    fn z() -> NoiseMultiplier {
        NoiseMultiplier::try_new(1.0).unwrap()
    }

    fn record() -> Mechanism {
        Mechanism::Record {
            sampling_rate: SamplingRate::try_new(0.1).unwrap(),
            noise_multiplier: z(),
        }
    }

    fn silo_noise() -> Mechanism {
        Mechanism::SiloNoise {
            noise_multiplier: z(),
        }
    }

    #[test]
    fn each_unit_sees_its_own_share() {
        let subject = RecordsPerSilo::new([(0, 1), (2, 1)]);
        let local = LedgerEntry::local_steps(0, 2, record(), 20).unwrap();
        let sum = LedgerEntry::noised_sum(0, vec![0, 1, 2], silo_noise()).unwrap();
        assert_eq!(local.event(Presence::Record { silo: 1 }), DpEvent::NoOp);
        assert_eq!(local.event(Presence::Silo { silo: 2 }), DpEvent::NonPrivate);
        assert_eq!(
            local.event(Presence::Subject(&subject)),
            record().event(PrivacyUnit::Subject, 1)
        );
        let quarter = DpEvent::gaussian(NoiseMultiplier::try_new(0.25).unwrap());
        assert_eq!(sum.event(Presence::Subject(&subject)), quarter);
        assert_eq!(sum.event(Presence::Silo { silo: 3 }), DpEvent::NoOp);
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(matches!(
            LedgerEntry::local_steps(0, 0, silo_noise(), 1),
            Err(InvalidEntry::Scope { .. })
        ));
        assert!(matches!(
            LedgerEntry::noised_sum(0, vec![0], record()),
            Err(InvalidEntry::Scope { .. })
        ));
        assert!(matches!(
            LedgerEntry::noised_sum(0, vec![1, 1], silo_noise()),
            Err(InvalidEntry::Cohort { .. })
        ));
        let adaptive = Mechanism::AdaptiveClip {
            step: crate::ClippedStep::Record {
                sampling_rate: SamplingRate::ONE,
            },
            gradient_noise: z(),
            count_noise: z(),
        };
        assert!(LedgerEntry::local_steps(0, 0, adaptive, 1).is_ok());
        assert!(matches!(
            LedgerEntry::secure_sum(0, vec![0, 1], adaptive, 1),
            Err(InvalidEntry::Counts { .. })
        ));
        assert!(matches!(
            LedgerEntry::local_steps(0, 0, record(), 0),
            Err(InvalidEntry::NoSteps { .. })
        ));
    }
}
