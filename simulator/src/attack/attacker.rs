//! The adversary of a run: what it knows, and what it has seen round by round.

use crate::observer::Observer;
use attacks::{
    AttackError, AttackSubjects, Evidence, JudgeError, LossThreshold, Membership, MembershipAttack,
    MembershipError, RecordRegime, Roc, RoundSignals, Scores, Signals, SignalsError, View,
};
use primitives::{Role, Round, Stream};
use scenarios::{Scenario, World};

/// Collects signals; [`Attacker::findings`] attacks with them.
pub struct Attacker {
    pub(super) subjects: AttackSubjects,
    pub(super) view: View,
    pub(super) attacks: Vec<Box<dyn MembershipAttack>>,
    /// By regime, in the observer's order.
    pub(super) signals: Vec<Signals>,
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
        Ok(Some(Self {
            subjects,
            view: scenario.adversary.view,
            attacks: scenario
                .attacks
                .iter()
                .flat_map(|config| config.attacks(world.seed))
                .collect(),
            signals: observer
                .regimes()
                .map(|(regime, queries)| Signals::new(regime, queries.clone()))
                .collect(),
        }))
    }

    /// Takes in what was seen of one round, by regime.
    ///
    /// # Errors
    /// If a value is not finite or the round is out of order.
    pub fn see(&mut self, round: Vec<RoundSignals>) -> Result<(), AttackerError> {
        for (signals, round) in self.signals.iter_mut().zip(round) {
            signals.push(round)?;
        }
        Ok(())
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
        let Some(signals) = self
            .signals
            .iter()
            .find(|signals| signals.regime() == regime)
        else {
            return Ok(None);
        };
        let scores = self.score(&LossThreshold {}, signals, round)?;
        Ok(Roc::of(&scores, self.subjects.evaluated())
            .ok()
            .map(|roc| roc.auc()))
    }

    pub(super) fn score(
        &self,
        attack: &dyn MembershipAttack,
        signals: &Signals,
        round: Round,
    ) -> Result<Scores, AttackerError> {
        let evidence = self.evidence(signals, round)?;
        Ok(attacks::score(attack, &evidence).map_err(JudgeError::from)?)
    }

    pub(super) fn evidence<'a>(
        &'a self,
        signals: &'a Signals,
        round: Round,
    ) -> Result<Evidence<'a>, AttackError> {
        Evidence::new(self.view, signals, round, self.subjects.known())
    }
}
