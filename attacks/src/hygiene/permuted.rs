//! With shuffled labels there is nothing to find.

use super::{Check, Outcome, counted};
use crate::interval::Confidence;
use crate::membership::{AttackSubjects, Membership};
use crate::roc::{Roc, RocError};
use crate::score::Scores;
use primitives::SubjectId;
use rand::Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What an attack finds when membership is assigned by lot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permuted {
    /// The AUC with the true labels.
    pub auc: f64,
    /// The AUC of each shuffle.
    pub null: Vec<f64>,
    /// How often chance alone does at least as well: `(1 + #{null ≥ auc}) / (1 + shuffles)`. Valid as a p-value
    /// for "the attack learnt nothing", whatever the distribution of the scores.
    pub p_value: f64,
}

/// Runs `attack` with the true labels, then `shuffles` times with membership assigned by lot to the same
/// numbers of known and evaluated subjects, and judges each on the labels it was given.
///
/// `attack` is the whole path from labels to scores, as the run takes it: it gets subjects and gives scores.
/// An attack that gives the same scores under the first shuffle ignores the labels: it is scored no more, only judged.
///
/// # Errors
/// If the attack fails, or a kind of evaluated subject has no score.
pub fn permuted_membership<E: From<RocError>>(
    subjects: &AttackSubjects,
    shuffles: usize,
    rng: &mut impl Rng,
    mut attack: impl FnMut(&AttackSubjects) -> Result<Scores, E>,
) -> Result<Permuted, E> {
    let auc = |scores: &Scores, subjects: &AttackSubjects| -> Result<f64, E> {
        Ok(Roc::of(scores, subjects.evaluated())?.auc())
    };
    let mut scores = attack(subjects)?;
    let observed = auc(&scores, subjects)?;
    let mut ignores_labels = false;
    let mut null = Vec::with_capacity(shuffles);
    for shuffled in 0..shuffles {
        let subjects = shuffle(subjects, rng);
        if !ignores_labels {
            let others = attack(&subjects)?;
            ignores_labels = shuffled == 0 && others == scores;
            scores = others;
        }
        null.push(auc(&scores, &subjects)?);
    }
    let as_good = null.iter().filter(|&&other| other >= observed).count();
    let p_value = (1 + as_good) as f64 / (1 + shuffles) as f64;
    Ok(Permuted {
        auc: observed,
        null,
        p_value,
    })
}

/// The same subjects and numbers, with labels by lot.
fn shuffle(subjects: &AttackSubjects, rng: &mut impl Rng) -> AttackSubjects {
    let mut order: Vec<SubjectId> = [subjects.known(), subjects.evaluated()]
        .into_iter()
        .flat_map(|part| part.iter().map(|(subject, _)| subject))
        .collect();
    order.shuffle(rng);
    let mut rest = order.into_iter();
    let mut deal = |like: &Membership| {
        let members: BTreeSet<_> = rest.by_ref().take(like.members().len()).collect();
        let others: BTreeSet<_> = rest.by_ref().take(like.non_members().len()).collect();
        Membership::try_new(members, others).expect("each subject is dealt once")
    };
    let known = deal(subjects.known());
    let evaluated = deal(subjects.evaluated());
    AttackSubjects::try_new(known, evaluated).expect("each subject is dealt once")
}

impl Permuted {
    /// Checks that the mean AUC over the shuffles is ½ for every attack, each within the normal interval of that mean
    /// and all of them together at `confidence`.
    ///
    /// The deviation of one AUC under chance is at most `√((n₊ + n₋ + 1) / (12 n₊ n₋))` (Mann–Whitney; ties
    /// only lower it), and the shuffles are independent.
    pub fn check(
        attacks: &BTreeMap<String, Self>,
        evaluated: &Membership,
        confidence: Confidence,
    ) -> Check {
        let (members, others) = (evaluated.members().len(), evaluated.non_members().len());
        let variance = (members + others + 1) as f64 / (12.0 * members as f64 * others as f64);
        let shuffles = attacks
            .values()
            .map(|found| found.null.len())
            .min()
            .unwrap_or(0);
        let z = confidence.shared_by(attacks.len()).two_sided_z();
        let width = z * (variance / shuffles.max(1) as f64).sqrt();
        let means = || attacks.iter().map(|(attack, found)| (attack, found.mean()));
        let trips: Vec<String> = means()
            .filter(|(_, mean)| (mean - 0.5).abs() > width)
            .map(|(attack, mean)| format!("{attack} mean AUC {mean:.3}"))
            .collect();
        let mean = |pick: fn(f64, f64) -> f64| means().map(|(_, mean)| mean).reduce(pick);
        Check {
            name: "permuted-membership".to_owned(),
            expected: format!("shuffled labels give AUC 0.5 ± {width:.3} on average"),
            found: if trips.is_empty() {
                format!(
                    "mean AUC {:.3} to {:.3} over {shuffles} shuffles of {}",
                    mean(f64::min).unwrap_or(0.5),
                    mean(f64::max).unwrap_or(0.5),
                    counted(attacks.len())
                )
            } else {
                trips.join("; ")
            },
            outcome: Outcome::of(trips.is_empty()),
            meaning: "An attack succeeds at labels that were drawn by lot, so it was told the labels it is judged on: \
                      an error of this program, please report it."
                .to_owned(),
        }
    }

    fn mean(&self) -> f64 {
        self.null.iter().sum::<f64>() / self.null.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hygiene::GATE;
    use crate::score::MembershipScore;
    use primitives::{Role, Seed, Stream};

    fn subjects() -> AttackSubjects {
        let all = Membership::try_new((0..60).map(SubjectId), (60..130).map(SubjectId)).unwrap();
        let mut rng = Seed::from_number(1).stream(Stream::run(Role::Adversary));
        AttackSubjects::choose(&all, 10, &mut rng).unwrap()
    }

    fn run(attack: impl FnMut(&AttackSubjects) -> Result<Scores, RocError>) -> (Permuted, Check) {
        let mut rng = Seed::from_number(1).stream(Stream::run(Role::Bootstrap));
        let permuted = permuted_membership(&subjects(), 100, &mut rng, attack).unwrap();
        let attacks = BTreeMap::from([("an-attack".to_owned(), permuted.clone())]);
        let check = Permuted::check(&attacks, subjects().evaluated(), GATE);
        (permuted, check)
    }

    #[test]
    fn a_real_signal_passes_the_check_and_has_a_small_p_value() {
        let by_id = |_: &AttackSubjects| {
            let score = |id: u32| MembershipScore::try_new(-f64::from(id)).unwrap();
            Ok((0..130).map(|id| (SubjectId(id), score(id))).collect())
        };
        let (permuted, check) = run(by_id);
        assert!(check.passed(), "{check:?}");
        assert_eq!(permuted.auc, 1.0);
        assert!((permuted.p_value - 1.0 / 101.0).abs() < 1e-12);
    }

    #[test]
    fn an_attack_that_is_told_the_answers_trips() {
        // Planted: the driver hands the evaluated labels to the attack, which repeats them.
        let told = |subjects: &AttackSubjects| {
            let evaluated = subjects.evaluated().iter();
            let score = |member| MembershipScore::try_new(f64::from(u8::from(member))).unwrap();
            Ok(evaluated
                .map(|(subject, member)| (subject, score(member)))
                .collect())
        };
        let (permuted, check) = run(told);
        assert!(!check.passed(), "{check:?}");
        assert!(permuted.p_value > 0.99);
    }
}
