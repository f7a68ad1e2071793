//! What the adversary holds against the subjects of one record regime.

use super::AttackerError;
use crate::observer::Observer;
use attacks::{
    AttackError, Evidence, Membership, MembershipAttack, RecordRegime, RoundSignals, ShadowSignals,
    Signals, SiloRound, SiloSignals, View,
};
use primitives::{Round, SubjectId};
use scenarios::World;
use std::collections::BTreeMap;

/// What was seen of one round, by regime.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Of its model.
    pub signals: Vec<RoundSignals>,
    /// Of the silos' updates that led to it; none if nobody sees those.
    pub silos: Option<Vec<SiloRound>>,
}

/// All evidence of one regime.
pub(super) struct Dossier {
    pub(super) signals: Signals,
    silos: SiloSignals,
    features: Option<BTreeMap<SubjectId, Vec<f64>>>,
    pub(super) shadows: Option<ShadowSignals>,
}

impl Dossier {
    /// A dossier for each regime of `observer`, before any round.
    pub(super) fn all(
        world: &World,
        observer: &Observer<'_>,
        attacks: &[Box<dyn MembershipAttack>],
    ) -> Vec<Self> {
        let needed = attacks.iter().any(|attack| attack.needs().features);
        let dossiers = observer.regimes().map(|(regime, queries)| Self {
            silos: SiloSignals::new(regime, queries.subjects().to_vec()),
            features: needed.then(|| {
                let index = match regime {
                    RecordRegime::Fresh => world.adversary.fresh(),
                    RecordRegime::Training => world.adversary.training(),
                };
                data::plain_features(&world.dataset, index)
            }),
            signals: Signals::new(regime, queries.clone()),
            shadows: None,
        });
        dossiers.collect()
    }

    pub(super) fn push(
        &mut self,
        signals: RoundSignals,
        silos: Option<SiloRound>,
    ) -> Result<(), AttackerError> {
        self.signals.push(signals)?;
        // No update leads to the untrained model.
        if let Some(silos) = silos.filter(|silos| !silos.silos.is_empty()) {
            self.silos.push(silos)?;
        }
        Ok(())
    }

    /// Plain features of every subject's records, if an attack reads them. No model has a part in them, so they are the
    /// same for every run.
    pub(super) const fn features(&self) -> Option<&BTreeMap<SubjectId, Vec<f64>>> {
        self.features.as_ref()
    }

    /// The evidence after `round`.
    pub(super) fn evidence<'a>(
        &'a self,
        view: View,
        round: Round,
        known: &'a Membership,
    ) -> Result<Evidence<'a>, AttackError> {
        let mut evidence = Evidence::new(view, &self.signals, round, known)?;
        if view >= View::SiloUpdates {
            evidence = evidence.with_silo_updates(&self.silos);
        }
        if let Some(features) = &self.features {
            evidence = evidence.with_features(features);
        }
        if let Some(shadows) = &self.shadows {
            evidence = evidence.with_shadows(shadows);
        }
        Ok(evidence)
    }
}
