//! Experiments on the attacks themselves, made on every run: their answers are known beforehand.

use super::{Attacker, AttackerError};
use attacks::{JudgeError, LossThreshold, Scores, Signals, hygiene};
use primitives::{Role, Round, Stream};
use scenarios::World;

/// Shuffles of the membership labels.
const PERMUTATIONS: usize = 100;

impl Attacker {
    /// The loss threshold against the untrained model and with shuffled labels.
    pub(super) fn checks(
        &self,
        signals: &Signals,
        world: &World,
    ) -> Result<Vec<hygiene::Check>, AttackerError> {
        let Some(last) = signals.rounds().last() else {
            return Ok(Vec::new());
        };
        let evaluated = self.subjects.evaluated();
        let named = |mut check: hygiene::Check| {
            check.name = format!("{} ({} records)", check.name, signals.regime());
            check
        };
        let untrained = self.score(&LossThreshold {}, signals, Round::UNTRAINED)?;
        let mut checks = Vec::new();
        checks.push(named(
            hygiene::untrained_model("loss-threshold", &untrained, evaluated, hygiene::GATE)
                .map_err(JudgeError::from)?,
        ));
        let mut rng = world.seed.stream(Stream::run(Role::Bootstrap));
        let permuted = hygiene::permuted_membership(
            &self.subjects,
            PERMUTATIONS,
            &mut rng,
            |subjects| -> Result<Scores, JudgeError> {
                let evidence =
                    attacks::Evidence::new(self.view, signals, last.round, subjects.known())
                        .map_err(|reason| attacks::AttackFailed {
                            attack: "loss-threshold".to_owned(),
                            reason,
                        })?;
                Ok(attacks::score(&LossThreshold {}, &evidence)?)
            },
        )?;
        checks.push(named(permuted.check(evaluated, hygiene::GATE)));
        Ok(checks)
    }
}
