//! Each attack on every shadow federation in turn: how it does from run to run, and how exposed each subject is by
//! itself.
//!
//! A shadow is attacked as if it were the attacked run, with the other shadows as its shadows, less the one it was
//! paired with: of those that remain, every subject is a member of exactly half, whatever it is in the attacked one.
//! (With the twin left in, or only the attacked one left out, the sides would differ by one run, and under the null a
//! subject's own AUC would lie below one half.)

use super::dossier::Dossier;
use super::{Attacker, AttackerError};
use attacks::{
    AttackSubjects, Confidence, Evidence, Interval, JudgeError, Membership, MembershipAttack,
    RecordRegime, Roc, RunScores, ShadowSignals, SignalKind, Survival, by_luck, survival,
};
use primitives::{Role, Round, Seed, Stream, SubjectId};
use std::collections::{BTreeMap, BTreeSet};

/// One attack over all shadow runs, after the last round.
#[derive(Clone, Debug, PartialEq)]
pub struct OverRuns {
    /// The attack's name.
    pub attack: String,
    /// The record regime.
    pub regime: RecordRegime,
    /// AUC over all subjects in each run, the known ones left out.
    pub aucs: Vec<f64>,
    /// Every subject's own AUC over the runs, with its interval.
    pub subjects: BTreeMap<SubjectId, Interval>,
    /// Share of subjects by their own AUC.
    pub survival: Vec<Survival>,
    /// Chance of an own AUC of at least `u / (runs / 2)²`, for every `u`, if nothing leaked.
    pub by_luck: Vec<f64>,
}

impl OverRuns {
    /// Mean AUC over the runs.
    pub fn mean(&self) -> f64 {
        self.aucs.iter().sum::<f64>() / self.aucs.len() as f64
    }

    /// Standard deviation of the AUC from run to run.
    pub fn deviation(&self) -> f64 {
        let mean = self.mean();
        let squares = self.aucs.iter().map(|auc| (auc - mean).powi(2));
        (squares.sum::<f64>() / (self.aucs.len() - 1) as f64).sqrt()
    }
}

impl Attacker {
    /// Whether shadow runs recorded what `attack` reads, and it can be held against the shadows that remain.
    fn can_attack_shadows(attack: &dyn MembershipAttack, shadows: &ShadowSignals) -> bool {
        let needs = attack.needs();
        let recorded = |&kind: &SignalKind| shadows.has(kind);
        needs.signals.iter().all(recorded)
            && needs.silo_signals.is_empty()
            && needs.shadow_runs + 2 <= shadows.len()
    }

    /// Attacks every shadow run after `round` with every attack that can be. None without shadow runs.
    ///
    /// # Errors
    /// If an attack fails.
    pub(super) fn over_runs(
        &self,
        dossier: &Dossier,
        round: Round,
        seed: &Seed,
    ) -> Result<Vec<OverRuns>, AttackerError> {
        let Some(shadows) = &dossier.shadows else {
            return Ok(Vec::new());
        };
        self.attacks
            .iter()
            .map(AsRef::as_ref)
            .filter(|attack| Self::can_attack_shadows(*attack, shadows))
            .map(|attack| self.attack_over_runs(attack, dossier, shadows, round, seed))
            .collect()
    }

    fn attack_over_runs(
        &self,
        attack: &dyn MembershipAttack,
        dossier: &Dossier,
        shadows: &ShadowSignals,
        round: Round,
        seed: &Seed,
    ) -> Result<OverRuns, AttackerError> {
        let mut scores_of = RunScores::default();
        let mut aucs = Vec::with_capacity(shadows.len());
        for target in 0..shadows.len() {
            let (signals, others) = shadows.split(target);
            let members = &shadows.design().runs()[target];
            let subjects = self.in_run(members, &seed.child(Role::Shadow, target as u64))?;
            let mut evidence =
                Evidence::new(self.view, signals, round, subjects.known())?.with_shadows(&others);
            if let Some(features) = dossier.features() {
                evidence = evidence.with_features(features);
            }
            let scores = attacks::score(attack, &evidence).map_err(JudgeError::from)?;
            let roc = Roc::of(&scores, subjects.evaluated()).map_err(JudgeError::from)?;
            aucs.push(roc.auc());
            scores_of.push(&scores, members);
        }
        let subjects = scores_of.auc(Confidence::NINETY_FIVE);
        let half = shadows.len() / 2;
        Ok(OverRuns {
            attack: attack.name(),
            regime: shadows.regime(),
            aucs,
            survival: survival(&subjects),
            subjects,
            by_luck: by_luck(half, half),
        })
    }

    /// Who is known and who is evaluated in a shadow run: as many of each kind as in the attacked one, drawn anew, since
    /// other people are in it.
    fn in_run(
        &self,
        members: &BTreeSet<SubjectId>,
        seed: &Seed,
    ) -> Result<AttackSubjects, AttackerError> {
        let everybody = [self.subjects.known(), self.subjects.evaluated()];
        let everybody = everybody.into_iter().flat_map(Membership::iter);
        let (inside, outside): (Vec<_>, Vec<_>) = everybody
            .map(|(subject, _)| subject)
            .partition(|subject| members.contains(subject));
        let all = Membership::try_new(inside, outside)?;
        let known = self.subjects.known().members().len();
        let mut rng = seed.stream(Stream::run(Role::Adversary));
        Ok(AttackSubjects::choose(&all, known, &mut rng)?)
    }
}
