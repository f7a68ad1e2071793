//! The tighter of the Rényi and the numerical accountant.

use crate::{
    Accountant, Delta, DpEvent, Epsilon, NeighboringRelation, PldAccountant, RdpAccountant,
    UnsupportedEvent,
};

/// An ε that promises nothing that anybody could use. A closer bound would promise as little, and the wider the losses
/// the longer the numerical accountant takes: seconds where the Rényi accountant says thousands.
const USELESS: f64 = 100.0;

/// Asks the Rényi and the numerical accountant and says the smaller of their bounds: each is proven on its
/// own, for the same events, so the smaller one holds too. [`proof`](Accountant::proof) names whose it is.
/// Beyond an ε of 100 the Rényi accountant's is not improved on.
///
/// An event that one of them cannot bound is left to the other from then on.
#[derive(Debug, Clone)]
pub struct TightestAccountant {
    relation: NeighboringRelation,
    rdp: Option<RdpAccountant>,
    pld: Option<PldAccountant>,
}

impl TightestAccountant {
    /// Nothing spent yet.
    pub fn new(relation: NeighboringRelation) -> Self {
        Self {
            relation,
            rdp: Some(RdpAccountant::new(relation)),
            pld: Some(PldAccountant::new(relation)),
        }
    }

    /// The Rényi accountant, if it has a bound for everything so far.
    pub const fn rdp(&self) -> Option<&RdpAccountant> {
        self.rdp.as_ref()
    }

    /// The numerical accountant, if it has a bound for everything so far.
    pub const fn pld(&self) -> Option<&PldAccountant> {
        self.pld.as_ref()
    }
}

impl Accountant for TightestAccountant {
    fn name(&self) -> &'static str {
        match (&self.rdp, &self.pld) {
            (Some(rdp), None) => rdp.name(),
            (None, Some(pld)) => pld.name(),
            _ => "rdp, pld",
        }
    }

    fn relation(&self) -> NeighboringRelation {
        self.relation
    }

    fn compose(&mut self, event: &DpEvent, times: u64) -> Result<(), UnsupportedEvent> {
        let rdp = after(self.rdp.as_ref(), event, times);
        let pld = after(self.pld.as_ref(), event, times);
        match (rdp, pld) {
            (Some(Err(refused)), None | Some(Err(_))) | (None, Some(Err(refused))) => {
                Err(UnsupportedEvent {
                    accountant: self.name(),
                    ..refused
                })
            }
            (rdp, pld) => {
                self.rdp = rdp.and_then(Result::ok);
                self.pld = pld.and_then(Result::ok);
                Ok(())
            }
        }
    }

    fn epsilon(&self, delta: Delta) -> Epsilon {
        self.proof(delta).0
    }

    fn proof(&self, delta: Delta) -> (Epsilon, &'static str) {
        let rdp = self.rdp.as_ref().map(|a| (a.epsilon(delta), a.name()));
        // Nothing is below zero: then there is nothing left to ask; and some answers are not worth a closer one.
        let worth = |epsilon: Epsilon| {
            epsilon > Epsilon::ZERO && (epsilon.get() <= USELESS || !epsilon.is_finite())
        };
        let pld = self
            .pld
            .as_ref()
            .filter(|_| rdp.is_none_or(|(epsilon, _)| worth(epsilon)))
            .map(|a| (a.epsilon(delta), a.name()));
        match (rdp, pld) {
            (Some(rdp), Some(pld)) if rdp.0 <= pld.0 => rdp,
            (_, Some(pld)) => pld,
            (Some(rdp), None) => rdp,
            (None, None) => (Epsilon::INFINITE, self.name()),
        }
    }

    fn quick_epsilon(&self, delta: Delta) -> Option<Epsilon> {
        self.rdp.as_ref().map(|rdp| rdp.epsilon(delta))
    }

    fn delta(&self, epsilon: Epsilon) -> Delta {
        let rdp = self.rdp.as_ref().map(|a| a.delta(epsilon));
        let pld = self.pld.as_ref().map(|a| a.delta(epsilon));
        match (rdp, pld) {
            (Some(rdp), Some(pld)) if rdp <= pld => rdp,
            (_, Some(delta)) | (Some(delta), None) => delta,
            (None, None) => Delta::ONE,
        }
    }
}

/// A clone that has composed the event as well.
fn after<A: Accountant + Clone>(
    accountant: Option<&A>,
    event: &DpEvent,
    times: u64,
) -> Option<Result<A, UnsupportedEvent>> {
    let mut next = accountant?.clone();
    Some(next.compose(event, times).map(|()| next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NoiseMultiplier, SamplingRate};

    #[test]
    fn says_the_smaller_bound_and_whose_it_is() {
        let (q, z) = (
            SamplingRate::try_new(0.02).unwrap(),
            NoiseMultiplier::try_new(2.0).unwrap(),
        );
        let delta = Delta::try_new(1e-5).unwrap();
        let mut both = TightestAccountant::new(NeighboringRelation::AddOrRemoveOne);
        assert_eq!(both.proof(delta), (Epsilon::ZERO, "rdp"));
        both.compose(&DpEvent::sampled_gaussian(q, z), 500).unwrap();
        let (epsilon, name) = both.proof(delta);
        assert_eq!(name, "pld");
        assert!(epsilon < both.quick_epsilon(delta).unwrap());
        assert!((epsilon.get() - 0.9209).abs() < 2e-3);
        assert!(both.delta(epsilon).get() <= 1.01e-5);
    }

    #[test]
    fn what_promises_nothing_is_not_looked_at_closely() {
        let event = DpEvent::gaussian(NoiseMultiplier::try_new(0.02).unwrap());
        let mut both = TightestAccountant::new(NeighboringRelation::AddOrRemoveOne);
        both.compose(&event, 1).unwrap();
        let (epsilon, name) = both.proof(Delta::try_new(1e-5).unwrap());
        assert_eq!(name, "rdp");
        let closer = both.pld().unwrap().epsilon(Delta::try_new(1e-5).unwrap());
        assert!(epsilon >= closer && closer.get() > 100.0);
    }

    #[test]
    fn what_one_cannot_bound_is_left_to_the_other() {
        let event = DpEvent::SampledWithoutReplacement {
            population: 1000,
            batch: 10,
            event: Box::new(DpEvent::gaussian(NoiseMultiplier::try_new(1.0).unwrap())),
        };
        let mut both = TightestAccountant::new(NeighboringRelation::ReplaceOne);
        both.compose(&event, 10).unwrap();
        assert!(both.rdp().is_none() && both.pld().is_some());
        assert_eq!(both.name(), "pld");
        assert!(both.epsilon(Delta::try_new(1e-5).unwrap()).is_finite());
        let mut neither = TightestAccountant::new(NeighboringRelation::AddOrRemoveOne);
        assert!(neither.compose(&event, 1).is_err() && neither.rdp().is_some());
    }
}
