//! Experiments on the attacks themselves, made on every run: their answers are known beforehand.

use super::dossier::Dossier;
use super::{Attacker, AttackerError};
use attacks::hygiene::{self, BlindBaseline, Check, GATE, Permuted};
use attacks::{AttackFailed, AttackReport, JudgeError, Membership, RecordRegime, Scores};
use primitives::{Role, Round, SiloId, Stream, SubjectId};
use scenarios::World;
use std::collections::BTreeMap;

/// Shuffles of the membership labels.
const PERMUTATIONS: usize = 40;

impl Attacker {
    /// That nobody is judged on whom a threshold was chosen.
    pub(super) fn disjoint(&self) -> Check {
        hygiene::disjoint(self.subjects.known(), self.subjects.evaluated())
    }

    /// Every attack against the untrained model and with shuffled labels, and against a classifier that never sees the
    /// model. `reports` are those of the same regime.
    pub(super) fn checks(
        &self,
        dossier: &Dossier,
        reports: &[AttackReport],
        world: &World,
    ) -> Result<Vec<Check>, AttackerError> {
        let signals = &dossier.signals;
        let Some(last) = signals.rounds().last().map(|signals| signals.round) else {
            return Ok(Vec::new());
        };
        // Each experiment draws from a stream of its own.
        let stream = |experiment: u32| Stream {
            silo: SiloId(signals.regime() as u32),
            round: Round(experiment),
            ..Stream::run(Role::Bootstrap)
        };
        let mut checks = vec![
            self.untrained(dossier)?,
            self.permuted(dossier, last, world, stream(0))?,
        ];
        checks.extend(self.blind(signals.regime(), reports, world, stream(1))?);
        for check in &mut checks {
            check.name = format!("{} ({} records)", check.name, signals.regime());
        }
        Ok(checks)
    }

    fn untrained(&self, dossier: &Dossier) -> Result<Check, AttackerError> {
        let not_run = |why| {
            let expected = "every attack on the untrained model is chance: AUC 0.5";
            Ok(Check::not_run("untrained-model", expected, why))
        };
        if dossier.signals.position(Round::UNTRAINED).is_none() {
            return not_run("the model before training was not seen: save it as round 0");
        }
        // What needs more than one model, e.g. updates, cannot be asked of the first.
        let attacks: BTreeMap<String, Scores> = self
            .attacks
            .iter()
            .filter_map(|attack| {
                let scores = self.score(attack.as_ref(), dossier, Round::UNTRAINED);
                Some((attack.name(), scores.ok()?))
            })
            .collect();
        if attacks.is_empty() {
            return not_run("no attack of this scenario works on a single model");
        }
        let evaluated = self.subjects.evaluated();
        Ok(hygiene::untrained_model(&attacks, evaluated, GATE).map_err(JudgeError::from)?)
    }

    fn permuted(
        &self,
        dossier: &Dossier,
        last: Round,
        world: &World,
        stream: Stream,
    ) -> Result<Check, AttackerError> {
        let mut rng = world.seed.stream(stream);
        let mut found: BTreeMap<String, Permuted> = BTreeMap::new();
        for attack in &self.attacks {
            let path = |subjects: &attacks::AttackSubjects| -> Result<Scores, JudgeError> {
                let evidence = dossier.evidence(self.view, last, subjects.known());
                let evidence = evidence.map_err(|reason| AttackFailed {
                    attack: attack.name(),
                    reason,
                })?;
                Ok(attacks::score(attack.as_ref(), &evidence)?)
            };
            let subjects = &self.subjects;
            let permuted = hygiene::permuted_membership(subjects, PERMUTATIONS, &mut rng, path)?;
            found.insert(attack.name(), permuted);
        }
        Ok(Permuted::check(&found, self.subjects.evaluated(), GATE))
    }

    fn blind(
        &self,
        regime: RecordRegime,
        reports: &[AttackReport],
        world: &World,
        stream: Stream,
    ) -> Result<[Check; 2], AttackerError> {
        let mut rng = world.seed.stream(stream);
        let index = match regime {
            RecordRegime::Fresh => world.adversary.fresh(),
            RecordRegime::Training => world.adversary.training(),
        };
        let features = data::plain_features(&world.dataset, index);
        // Somebody without a fresh record is in no attack of that regime either.
        let described = |part: &Membership| {
            let held = |members: bool| {
                let all = part.iter().filter(move |&(_, member)| member == members);
                all.map(|(subject, _)| subject)
                    .filter(|subject| features.contains_key(subject))
            };
            Membership::try_new(held(true).collect::<Vec<SubjectId>>(), held(false))
        };
        let evaluated = described(self.subjects.evaluated())?;
        let known = described(self.subjects.known())?;
        let everybody = Membership::try_new(
            evaluated.members().union(known.members()).copied(),
            evaluated.non_members().union(known.non_members()).copied(),
        )?;
        let baseline = match BlindBaseline::of(&features, &everybody, GATE, &mut rng) {
            Ok(baseline) => baseline,
            Err(why) => {
                let expected = "a classifier that never sees the model is chance: AUC 0.5";
                let beaten = "an attack that succeeds does better than a classifier that never sees the model";
                return Ok([
                    Check::not_run("blind-baseline", expected, &why),
                    Check::not_run("beats-blind-baseline", beaten, &why),
                ]);
            }
        };
        let attacks = reports
            .iter()
            .map(|report| (report.attack.clone(), &report.scores))
            .collect();
        let beaten = baseline
            .check_beaten_by(&attacks, &evaluated, &mut rng)
            .map_err(JudgeError::from)?;
        Ok([baseline.check(), beaten])
    }
}
