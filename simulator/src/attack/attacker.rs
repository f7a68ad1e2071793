//! The adversary of a run: what it knows, and what it has seen round by round.

use super::dossier::{Dossier, Seen};
use crate::observer::Observer;
use attacks::{
    AttackError, AttackSubjects, Evidence, JudgeError, LossThreshold, Membership, MembershipAttack,
    MembershipError, RecordRegime, Roc, Scores, ShadowSignals, SignalsError, SiloSignalsError,
    View,
};
use primitives::{Role, Round, Stream};
use scenarios::{Scenario, World};

/// Collects signals; [`Attacker::findings`] attacks with them.
pub struct Attacker {
    pub(super) subjects: AttackSubjects,
    pub(super) view: View,
    pub(super) attacks: Vec<Box<dyn MembershipAttack>>,
    /// By regime, in the observer's order.
    pub(super) dossiers: Vec<Dossier>,
}

/// Why an attack could not be made or judged.
#[derive(Debug, thiserror::Error)]
pub enum AttackerError {
    /// Too few subjects.
    #[error("adversary.known_subjects: {0}")]
    Subjects(#[from] MembershipError),
    /// The signals of a round do not fit.
    #[error(transparent)]
    Signals(#[from] SignalsError),
    /// The signals of the silos' updates do not fit.
    #[error(transparent)]
    Silos(#[from] SiloSignalsError),
    /// A round was not seen.
    #[error(transparent)]
    Evidence(#[from] AttackError),
    /// An attack was refused or failed.
    #[error(transparent)]
    Judge(#[from] JudgeError),
}

impl Attacker {
    /// The scenario's adversary. `None` if the scenario has no attack.
    ///
    /// # Errors
    /// If there are too few subjects to know some and evaluate others.
    pub fn new(
        scenario: &Scenario,
        world: &World,
        observer: &Observer<'_>,
    ) -> Result<Option<Self>, AttackerError> {
        if scenario.attacks.is_empty() {
            return Ok(None);
        }
        let members = world.pools.members().iter().copied();
        let all = Membership::try_new(members, world.pools.non_members().iter().copied())?;
        // Round 1: the adversary's records come from round 0 of the same role.
        let stream = Stream {
            round: Round(1),
            ..Stream::run(Role::Adversary)
        };
        let known = scenario.adversary.known_subjects as usize;
        let subjects = AttackSubjects::choose(&all, known, &mut world.seed.stream(stream))?;
        let configs = scenario.attacks.iter();
        let attacks: Vec<_> = configs
            .flat_map(|config| config.attacks(world.seed))
            .collect();
        Ok(Some(Self {
            subjects,
            view: scenario.adversary.view,
            dossiers: Dossier::all(world, observer, &attacks),
            attacks,
        }))
    }

    /// Takes in what was seen of one round.
    ///
    /// # Errors
    /// If a value is not finite or the round is out of order.
    pub fn see(&mut self, seen: Seen) -> Result<(), AttackerError> {
        let mut silos = seen.silos.map(Vec::into_iter);
        for (dossier, signals) in self.dossiers.iter_mut().zip(seen.signals) {
            dossier.push(signals, silos.as_mut().and_then(Iterator::next))?;
        }
        Ok(())
    }

    /// Takes in what shadow runs say, by regime.
    pub fn see_shadows(&mut self, shadows: Vec<ShadowSignals>) {
        for (dossier, shadows) in self.dossiers.iter_mut().zip(shadows) {
            dossier.shadows = Some(shadows);
        }
    }

    /// AUC of the loss threshold after `round`, the figure shown while a run is under way.
    ///
    /// # Errors
    /// If the round was not seen.
    pub fn live_auc(
        &self,
        regime: RecordRegime,
        round: Round,
    ) -> Result<Option<f64>, AttackerError> {
        let of_regime = |dossier: &&Dossier| dossier.signals.regime() == regime;
        let Some(dossier) = self.dossiers.iter().find(of_regime) else {
            return Ok(None);
        };
        let scores = self.score(&LossThreshold {}, dossier, round)?;
        Ok(Roc::of(&scores, self.subjects.evaluated())
            .ok()
            .map(|roc| roc.auc()))
    }

    /// Scores of every subject, known or not, by its loss after `round` in each regime: what audits read, whose
    /// guesses must not depend on whom the adversary was told about.
    ///
    /// # Errors
    /// If the round was not seen.
    pub fn losses(&self, round: Round) -> Result<Vec<(RecordRegime, Scores)>, AttackerError> {
        let of_regime = |dossier: &Dossier| {
            let scores = self.score(&LossThreshold {}, dossier, round)?;
            Ok((dossier.signals.regime(), scores))
        };
        self.dossiers.iter().map(of_regime).collect()
    }

    pub(super) fn score(
        &self,
        attack: &dyn MembershipAttack,
        dossier: &Dossier,
        round: Round,
    ) -> Result<Scores, AttackerError> {
        let evidence = self.evidence(dossier, round)?;
        Ok(attacks::score(attack, &evidence).map_err(JudgeError::from)?)
    }

    pub(super) fn evidence<'a>(
        &'a self,
        dossier: &'a Dossier,
        round: Round,
    ) -> Result<Evidence<'a>, AttackError> {
        dossier.evidence(self.view, round, self.subjects.known())
    }
}
