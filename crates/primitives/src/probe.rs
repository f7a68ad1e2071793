//! What an auditor reads off the noised sums of a run: one number a canary and step, out of band.

use crate::{Round, SiloId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Readings of one round, by whose sum they were read off: a silo's, or (`None`) the coordinator's.
pub type Readings = BTreeMap<Option<SiloId>, Vec<f32>>;

/// Collects the readings of whoever adds noise. Clones are the same probe.
///
/// Readings are no part of any message and of nothing that is released: they exist in a simulation that audits
/// itself, and nobody but the auditor sees them.
#[derive(Clone, Debug, Default)]
pub struct Probe(Arc<Mutex<BTreeMap<Round, Readings>>>);

impl Probe {
    /// Keeps what was read off the sums of `silo`, or of the coordinator, in `round`. A round that is repeated
    /// overwrites its readings.
    pub fn put(&self, round: Round, silo: Option<SiloId>, readings: Vec<f32>) {
        let mut rounds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rounds.entry(round).or_default().insert(silo, readings);
    }

    /// Hands over the readings of `round` and forgets them with those of all earlier rounds.
    pub fn take(&self, round: Round) -> Readings {
        let mut rounds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut later = rounds.split_off(&round);
        let readings = later.remove(&round).unwrap_or_default();
        *rounds = later;
        readings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_is_handed_over_once_and_the_past_is_forgotten() {
        let probe = Probe::default();
        for round in 1..=3 {
            probe
                .clone()
                .put(Round(round), Some(SiloId(4)), vec![round as f32]);
        }
        assert_eq!(
            probe.take(Round(2)),
            BTreeMap::from([(Some(SiloId(4)), vec![2.0])])
        );
        assert!(probe.take(Round(1)).is_empty() && probe.take(Round(2)).is_empty());
        assert_eq!(probe.take(Round(3)).len(), 1);
    }
}
