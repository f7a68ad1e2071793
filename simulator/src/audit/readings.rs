//! Scores of crafted canaries, out of the readings of a run and the ledger that says what they are readings of.

use accounting::{LedgerEntry, Mechanism, Presence, PrivacyUnit, Scope};
use attacks::MembershipScore;
use attacks::audit::{CanaryLaw, CanaryScores, NoiseReadings};
use primitives::{Readings, SiloId};
use scenarios::{CanaryRoster, Planted};
use std::collections::BTreeMap;

/// What the readings of all rounds so far say.
pub struct Sheet<'a> {
    roster: &'a CanaryRoster,
    canaries: Vec<Tally>,
    noise: BTreeMap<Option<SiloId>, NoiseReadings>,
    /// Rounds that wait for a second one to be paired with, by whose sum and which canary.
    unpaired: BTreeMap<(Option<SiloId>, usize), Vec<f64>>,
    laws: BTreeMap<(String, PrivacyUnit, u32), Option<CanaryLaw>>,
}

/// One canary.
#[derive(Clone, Copy, Default)]
struct Tally {
    /// Log-likelihood ratio of "in" against "out".
    score: f64,
    /// Sum of the readings.
    sum: f64,
    /// Variance of the noise in that sum.
    variance: f64,
    /// Sum and variance when the last finished round ended.
    before: (f64, f64),
    /// What the readings add up to on average if the canary is in.
    expected: f64,
}

/// Which releases are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// All of them.
    SoFar,
    /// Those of the round under way.
    ThisRound,
}

/// What was read off one round's sums is not there, or not all of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadingsError {
    /// Nothing, or too little, was read.
    #[error("round {round}: {found} readings of {whose} where {expected} were planned")]
    Incomplete {
        /// The round.
        round: u32,
        /// Whose sums.
        whose: String,
        /// Readings that are there.
        found: usize,
        /// Readings that should be.
        expected: usize,
    },
    /// A sum over silos that nobody reads.
    #[error("round {0}: canaries are not read under secure aggregation")]
    SecureSum(u32),
    /// A reading is no number.
    #[error("a canary's readings are not finite")]
    NotFinite,
}

impl<'a> Sheet<'a> {
    /// Nothing was read yet.
    pub fn new(roster: &'a CanaryRoster) -> Self {
        Self {
            roster,
            canaries: vec![Tally::default(); roster.canaries().len()],
            noise: BTreeMap::new(),
            unpaired: BTreeMap::new(),
            laws: BTreeMap::new(),
        }
    }

    /// Takes in one release with what was read of its round.
    pub fn follow(
        &mut self,
        entry: &LedgerEntry,
        readings: &Readings,
    ) -> Result<(), ReadingsError> {
        let (whose, canaries): (Option<SiloId>, Vec<usize>) = match entry.scope() {
            Scope::Silo(silo) => {
                let silo = SiloId(*silo);
                let here = self.roster.in_silo(silo).map(|(at, _)| at).collect();
                (Some(silo), here)
            }
            Scope::Cohort(_) => (None, (0..self.canaries.len()).collect()),
            Scope::SecureSum(_) => return Err(ReadingsError::SecureSum(entry.round())),
        };
        let steps = entry.steps() as usize;
        let found = readings.get(&whose).map_or(&[][..], Vec::as_slice);
        let expected = canaries.len() * steps;
        if found.len() != expected {
            return Err(ReadingsError::Incomplete {
                round: entry.round(),
                whose: whose.map_or_else(|| "the coordinator".to_owned(), |silo| silo.to_string()),
                found: found.len(),
                expected,
            });
        }
        let width = canaries.len();
        for (column, at) in canaries.into_iter().enumerate() {
            let series = found.iter().skip(column).step_by(width.max(1));
            let series: Vec<f64> = series.map(|&reading| f64::from(reading)).collect();
            self.read(entry, whose, at, &series)?;
        }
        Ok(())
    }

    /// Takes in what one canary read of one release.
    fn read(
        &mut self,
        entry: &LedgerEntry,
        whose: Option<SiloId>,
        at: usize,
        series: &[f64],
    ) -> Result<(), ReadingsError> {
        let canary = &self.roster.canaries()[at];
        let multiplicity = multiplicity(entry.scope(), canary);
        let mechanism: &Mechanism = entry.mechanism();
        let key = (mechanism.to_string(), canary.unit, multiplicity);
        let law = self
            .laws
            .entry(key)
            .or_insert_with(|| CanaryLaw::of(mechanism, canary.unit, multiplicity));
        let Some(law) = law else { return Ok(()) };
        if series.iter().any(|reading| !reading.is_finite()) {
            return Err(ReadingsError::NotFinite);
        }
        let tally = &mut self.canaries[at];
        for &reading in series {
            tally.score += law.log_ratio(reading);
            tally.sum += reading;
        }
        let steps = series.len() as f64;
        tally.variance += steps * law.deviation().powi(2);
        tally.expected += steps * law.mean_push();
        if !canary.included && law.is_silent_outside() {
            // The sign of a push takes turns from step to step; taken back, equal noises are equal numbers.
            let first = u64::from(entry.round()) * entry.steps();
            let noise = (first..).zip(series).map(|(step, reading)| {
                let sign = if step.is_multiple_of(2) { 1.0 } else { -1.0 };
                sign * reading / law.deviation()
            });
            let noise: Vec<f64> = noise.collect();
            let before = self.unpaired.remove(&(whose, at));
            let readings = self.noise.entry(whose).or_default();
            readings.add(&noise, before.as_deref());
            if before.is_none() {
                self.unpaired.insert((whose, at), noise);
            }
        }
        Ok(())
    }

    /// Scores of the canaries of `unit`; none if there is nobody on one side.
    pub fn scores(&self, unit: PrivacyUnit) -> Option<CanaryScores> {
        let side = |included: bool| {
            self.of(unit)
                .filter(|(canary, _)| canary.included == included)
                .filter_map(|(_, tally)| MembershipScore::try_new(tally.score).ok())
                .collect()
        };
        CanaryScores::try_new(side(true), side(false)).ok()
    }

    /// How much all readings of the first canary so far speak for "in".
    pub fn first_score(&self) -> f64 {
        self.canaries.first().map_or(0.0, |tally| tally.score)
    }

    /// A round has ended: what comes next is the next round's.
    pub fn end_round(&mut self) {
        for tally in &mut self.canaries {
            tally.before = (tally.sum, tally.variance);
        }
    }

    /// Cosines of the releases with the directions of the canaries of `unit` that are in, for a model of `parameters`: of
    /// what was released in `span`. What Andrew et al. (arXiv 2302.03098) estimate from.
    pub fn cosines(&self, unit: PrivacyUnit, parameters: u64, span: Span) -> Vec<f64> {
        let released = |tally: &Tally| match span {
            Span::SoFar => (tally.sum, tally.variance),
            Span::ThisRound => (tally.sum - tally.before.0, tally.variance - tally.before.1),
        };
        self.of(unit)
            .filter(|(canary, _)| canary.included)
            .map(|(_, tally)| released(tally))
            .filter(|&(_, variance)| variance > 0.0)
            .map(|(sum, variance)| sum / (variance * parameters as f64).sqrt())
            .collect()
    }

    /// What canaries of `unit` that are in have added, over what the ledger lets them add.
    pub fn push(&self, unit: PrivacyUnit) -> Option<f64> {
        let inside = || self.of(unit).filter(|(canary, _)| canary.included);
        let expected: f64 = inside().map(|(_, tally)| tally.expected).sum();
        let found: f64 = inside().map(|(_, tally)| tally.sum).sum();
        (expected > 0.0).then(|| found / expected)
    }

    /// Readings of noise alone, by whose sums they were read off.
    pub const fn noise(&self) -> &BTreeMap<Option<SiloId>, NoiseReadings> {
        &self.noise
    }

    fn of(&self, unit: PrivacyUnit) -> impl Iterator<Item = (&Planted, &Tally)> {
        let all = self.roster.canaries().iter().zip(&self.canaries);
        all.filter(move |(canary, _)| canary.unit == unit)
    }
}

/// How much of a canary a release touched, as the ledger counts it.
fn multiplicity(scope: &Scope, canary: &Planted) -> u32 {
    match scope {
        Scope::Silo(silo) => canary.records.in_silo(*silo),
        Scope::Cohort(cohort) | Scope::SecureSum(cohort) => canary.records.silos_among(cohort),
    }
}

/// Whom the accountant is asked about for a canary.
pub fn presence(canary: &Planted) -> Presence<'_> {
    let silo = canary.records.iter().next().map_or(0, |(silo, _)| silo);
    match canary.unit {
        PrivacyUnit::Record => Presence::Record { silo },
        PrivacyUnit::Subject => Presence::Subject(&canary.records),
        PrivacyUnit::Silo => Presence::Silo { silo },
    }
}
