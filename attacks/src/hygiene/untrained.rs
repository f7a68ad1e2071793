//! The untrained model knows nobody.

use super::{Check, Outcome, counted};
use crate::interval::Confidence;
use crate::membership::Membership;
use crate::roc::{Roc, RocError};
use crate::score::Scores;
use std::collections::BTreeMap;

/// Checks that the scores of every attack on the untrained model are chance: the interval of each AUC holds ½, at a
/// confidence that all of them hold together.
///
/// # Errors
/// If no member, or no non-member, of `evaluated` has a score.
pub fn untrained_model(
    attacks: &BTreeMap<String, Scores>,
    evaluated: &Membership,
    confidence: Confidence,
) -> Result<Check, RocError> {
    let each = confidence.shared_by(attacks.len());
    let mut aucs = Vec::with_capacity(attacks.len());
    for (attack, scores) in attacks {
        let auc = Roc::of(scores, evaluated)?.auc_interval(each);
        aucs.push((attack, auc));
    }
    let trips: Vec<String> = aucs
        .iter()
        .filter(|(_, auc)| !auc.contains(0.5))
        .map(|(attack, auc)| {
            format!(
                "{attack} AUC {:.3} ({:.3} to {:.3})",
                auc.estimate, auc.low, auc.high
            )
        })
        .collect();
    let estimates = || aucs.iter().map(|(_, auc)| auc.estimate);
    Ok(Check {
        name: "untrained-model".to_owned(),
        expected: "every attack on the untrained model is chance: AUC 0.5".to_owned(),
        found: if trips.is_empty() {
            let (low, high) = (
                estimates().fold(1.0, f64::min),
                estimates().fold(0.0, f64::max),
            );
            format!("AUC {low:.3} to {high:.3} over {}", counted(attacks.len()))
        } else {
            trips.join("; ")
        },
        outcome: Outcome::of(trips.is_empty()),
        meaning: "The score tells members from non-members before anything is trained, so it measures the people and \
                  not the model: members' records are easier, later or better kept than the others'. Draw membership \
                  at random among people collected alike; until then no AUC of this run is a leak."
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hygiene::GATE;
    use crate::score::scores;
    use primitives::SubjectId;

    fn check(attacks: &[(&str, Vec<f64>)]) -> Check {
        let count = attacks[0].1.len();
        let ids: Vec<_> = (0..count as u32).map(SubjectId).collect();
        let (members, others) = ids.split_at(count / 2);
        let evaluated = Membership::try_new(members.to_vec(), others.to_vec()).unwrap();
        let scores = |values: &Vec<f64>| scores(&ids, values.iter().copied()).unwrap();
        let attacks = attacks
            .iter()
            .map(|(name, values)| ((*name).to_owned(), scores(values)))
            .collect();
        untrained_model(&attacks, &evaluated, GATE).unwrap()
    }

    #[test]
    fn equal_scores_pass_and_a_planted_difference_trips() {
        assert!(check(&[("one", vec![1.0; 60])]).passed());
        let alternating: Vec<f64> = (0..60).map(|i| f64::from(i * 7 % 30)).collect();
        let both = check(&[("one", vec![1.0; 60]), ("other", alternating.clone())]);
        assert!(
            both.passed() && both.found.contains("over 2 attacks"),
            "{both:?}"
        );
        // Planted: members' records are easier for any model, and one of two attacks notices.
        let easier: Vec<f64> = (0..60).map(|i| f64::from(i * 7 % 30 - i)).collect();
        let tripped = check(&[("one", alternating), ("other", easier)]);
        assert_eq!(tripped.outcome, Outcome::Tripped, "{tripped:?}");
        assert!(tripped.found.starts_with("other AUC"), "{tripped:?}");
    }
}
