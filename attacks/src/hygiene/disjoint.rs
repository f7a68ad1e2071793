//! Nobody is judged on whom a threshold was chosen.

use super::{Check, Outcome};
use crate::membership::Membership;

/// Checks that no subject is both known to the adversary and evaluated.
///
/// [`crate::AttackSubjects`] cannot be made otherwise; this looks at what an attack was really given.
pub fn disjoint(known: &Membership, evaluated: &Membership) -> Check {
    let both = known
        .iter()
        .filter(|&(subject, _)| evaluated.of(subject).is_some())
        .count();
    Check {
        name: "disjoint-calibration".to_owned(),
        expected: "no subject is both known to the adversary and evaluated".to_owned(),
        found: format!("{both} of {} known subjects are evaluated", known.len()),
        outcome: Outcome::of(both == 0),
        meaning: "Thresholds and learning attacks were fitted to the very subjects they are judged on, which flatters \
                  them: an error of this program, please report it."
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use primitives::SubjectId;

    #[test]
    fn a_shared_subject_trips() {
        let subjects = |members: std::ops::Range<u32>, others: std::ops::Range<u32>| {
            Membership::try_new(members.map(SubjectId), others.map(SubjectId)).unwrap()
        };
        let evaluated = subjects(0..10, 10..20);
        assert!(disjoint(&subjects(20..23, 30..33), &evaluated).passed());
        // Planted: one known non-member is an evaluated member.
        let tripped = disjoint(&subjects(20..23, 9..10), &evaluated);
        assert_eq!(tripped.outcome, Outcome::Tripped);
        assert!(tripped.found.starts_with("1 of 4"), "{tripped:?}");
    }
}
