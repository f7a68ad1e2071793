//! A classifier that never sees the model.
//!
//! If members can be told from non-members by their records alone, an attack's AUC measures how the two groups
//! were collected, not what the model leaks. The baseline is trained on plain features of each subject's
//! records (means, label shares, …), once as a logistic regression and once as a small forest, and judged by
//! cross-validation over subjects.
//!
//! Source: "Inherent Challenges of Post-Hoc Membership Inference Attacks for Large Language Models"
//! (also "SoK: Membership Inference Attacks on LLMs are Rushing Nowhere"), arXiv 2406.17975.

use super::{Check, Outcome, counted};
use crate::bootstrap::auc_difference;
use crate::interval::{Confidence, Interval};
use crate::learn::{Forest, ForestSettings, Logistic, out_of_fold};
use crate::membership::Membership;
use crate::roc::{Roc, RocError};
use crate::score::{ScoreError, Scores, scores};
use primitives::SubjectId;
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const FOLDS: usize = 5;
const FOREST: ForestSettings = ForestSettings {
    trees: 100,
    depth: 4,
    leaf: 3,
};

/// Confidence at which an attack is better than the baseline, and the baseline better than chance beside it.
const BEATEN: Confidence = Confidence::NINETY_FIVE;

/// How well plain features alone tell members from non-members.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlindBaseline {
    /// AUC of logistic regression, 5-fold by subject.
    pub logistic: Interval,
    /// AUC of a small forest, 5-fold by subject.
    pub forest: Interval,
    /// Confidence of the two intervals together: each holds at `1 − α / 2`.
    pub confidence: Confidence,
    /// Scores of the stronger of the two, to hold an attack against.
    pub scores: Scores,
}

/// Why there is no baseline.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BlindError {
    /// A subject has no features.
    #[error("{0} has no features: the blind baseline needs them for every evaluated subject")]
    NoFeatures(SubjectId),
    /// Subjects have different numbers of features.
    #[error("{subject} has {given} features, the subjects before it have {expected}")]
    OtherWidth {
        /// The subject.
        subject: SubjectId,
        /// Features given.
        given: usize,
        /// Features of the others.
        expected: usize,
    },
    /// Too few subjects for five folds.
    #[error("{members} members and {non_members} non-members: five folds need at least 5 of each")]
    TooFew {
        /// Members.
        members: usize,
        /// Non-members.
        non_members: usize,
    },
    /// A feature is not finite.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// The scores do not cover both kinds of subject.
    #[error(transparent)]
    Roc(#[from] RocError),
}

impl BlindBaseline {
    /// Trains and judges both classifiers on `features` of the subjects of `membership`.
    ///
    /// # Errors
    /// If a subject has no features, their numbers differ, one is not finite, or there are fewer than five
    /// members or non-members.
    pub fn of(
        features: &BTreeMap<SubjectId, Vec<f64>>,
        membership: &Membership,
        confidence: Confidence,
        rng: &mut impl Rng,
    ) -> Result<Self, BlindError> {
        let (members, non_members) = (membership.members().len(), membership.non_members().len());
        if members < FOLDS || non_members < FOLDS {
            return Err(BlindError::TooFew {
                members,
                non_members,
            });
        }
        let (subjects, labels): (Vec<_>, Vec<_>) = membership.iter().unzip();
        let rows = rows(features, &subjects)?;
        let logistic = out_of_fold(&rows, &labels, FOLDS, rng, |rows, labels, _| {
            let model = Logistic::fit(rows, labels);
            move |row: &[f64]| model.log_odds(row)
        });
        let forest = out_of_fold(&rows, &labels, FOLDS, rng, |rows, labels, rng| {
            let model = Forest::fit(rows, labels, FOREST, rng);
            move |row: &[f64]| model.probability(row)
        });
        let each = confidence.shared_by(2);
        let (logistic, forest) = (scores(&subjects, logistic)?, scores(&subjects, forest)?);
        let auc = |scores| Roc::of(scores, membership).map(|roc| roc.auc_interval(each));
        let (by_line, by_forest) = (auc(&logistic)?, auc(&forest)?);
        Ok(Self {
            scores: if by_line.estimate >= by_forest.estimate {
                logistic
            } else {
                forest
            },
            logistic: by_line,
            forest: by_forest,
            confidence,
        })
    }

    /// Checks that neither classifier separates: no interval lies above ½.
    pub fn check(&self) -> Check {
        let text =
            |auc: &Interval| format!("{:.3} ({:.3} to {:.3})", auc.estimate, auc.low, auc.high);
        Check {
            name: "blind-baseline".to_owned(),
            expected: "a classifier that never sees the model is chance: AUC 0.5".to_owned(),
            found: format!(
                "AUC {} logistic, {} forest",
                text(&self.logistic),
                text(&self.forest)
            ),
            outcome: Outcome::of(self.logistic.low <= 0.5 && self.forest.low <= 0.5),
            meaning: "Members and non-members differ by their records alone, whatever the model learnt: they were \
                      collected at other times, places or in other ways, and an attack may find just that. Draw \
                      membership at random among people collected alike."
                .to_owned(),
        }
    }

    /// Checks that every attack that claims success does better than no model at all.
    ///
    /// An attack claims success if its own interval lies above ½, at a confidence that all hold together; it is better
    /// if the paired bootstrap interval of its AUC less the baseline's lies above 0 at 95 %. One that is not trips the
    /// check where the baseline itself lies above ½ at 95 %, and otherwise is a caution: there are too few subjects to
    /// tell.
    ///
    /// # Errors
    /// If a kind of subject has no score.
    pub fn check_beaten_by(
        &self,
        attacks: &BTreeMap<String, &Scores>,
        membership: &Membership,
        rng: &mut impl Rng,
    ) -> Result<Check, RocError> {
        let each = self.confidence.shared_by(attacks.len());
        let (mut claims, mut unbeaten) = (0, Vec::new());
        for (attack, scores) in attacks {
            let own = Roc::of(scores, membership)?.auc_interval(each);
            if own.low <= 0.5 {
                continue;
            }
            claims += 1;
            let gain = auc_difference(scores, &self.scores, membership, BEATEN, rng)?;
            if gain.low <= 0.0 {
                unbeaten.push(format!(
                    "{attack} AUC {:.3}, {:.3} more than the baseline ({:.3} to {:.3})",
                    own.estimate, gain.estimate, gain.low, gain.high
                ));
            }
        }
        let blind = Roc::of(&self.scores, membership)?.auc_interval(BEATEN.shared_by(2));
        Ok(Check {
            name: "beats-blind-baseline".to_owned(),
            expected: "an attack that succeeds does better than a classifier that never sees the model".to_owned(),
            found: match (claims, unbeaten.is_empty()) {
                (0, _) => "no attack claims success".to_owned(),
                (_, true) => format!("{} of {} succeed, each better", claims, counted(attacks.len())),
                _ => unbeaten.join("; "),
            },
            outcome: if unbeaten.is_empty() {
                Outcome::Passed
            } else if blind.low > 0.5 {
                Outcome::Tripped
            } else {
                Outcome::Caution
            },
            meaning: "What the attack finds may be in the records rather than in the model: a classifier that never \
                      saw the model does about as well. Bring more subjects, or draw membership at random."
                .to_owned(),
        })
    }
}

/// The features of `subjects`, checked.
fn rows<'a>(
    features: &'a BTreeMap<SubjectId, Vec<f64>>,
    subjects: &[SubjectId],
) -> Result<Vec<&'a [f64]>, BlindError> {
    let mut rows: Vec<&[f64]> = Vec::with_capacity(subjects.len());
    for &subject in subjects {
        let row = features
            .get(&subject)
            .ok_or(BlindError::NoFeatures(subject))?;
        if let Some(first) = rows.first().filter(|first| first.len() != row.len()) {
            let (given, expected) = (row.len(), first.len());
            return Err(BlindError::OtherWidth {
                subject,
                given,
                expected,
            });
        }
        if let Some(&value) = row.iter().find(|value| !value.is_finite()) {
            return Err(ScoreError(value).into());
        }
        rows.push(row);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hygiene::GATE;
    use crate::interval::standard_normal;
    use primitives::{Role, Seed, Stream};
    use rand::RngExt;
    use statrs::distribution::ContinuousCDF;

    /// 80 members and 80 non-members with ten Gaussian features; members' first is moved by `shift`.
    fn world(seed: u64, shift: f64) -> (BTreeMap<SubjectId, Vec<f64>>, Membership) {
        let mut rng = Seed::from_number(seed).stream(Stream::run(Role::Generate));
        let features = (0..160).map(|id| {
            let mut gaussian = || standard_normal().inverse_cdf(rng.random());
            let mut row: Vec<f64> = (0..10).map(|_| gaussian()).collect();
            row[0] += if id < 80 { shift } else { 0.0 };
            (SubjectId(id), row)
        });
        let membership =
            Membership::try_new((0..80).map(SubjectId), (80..160).map(SubjectId)).unwrap();
        (features.collect(), membership)
    }

    fn baseline(seed: u64, shift: f64) -> (BlindBaseline, Membership) {
        let (features, membership) = world(seed, shift);
        let mut rng = Seed::from_number(seed).stream(Stream::run(Role::Bootstrap));
        (
            BlindBaseline::of(&features, &membership, GATE, &mut rng).unwrap(),
            membership,
        )
    }

    #[test]
    fn groups_drawn_alike_pass_and_a_planted_shift_trips() {
        // False alarms: 1e-4 a seed by construction of the interval.
        for seed in 0..5 {
            let (null, _) = baseline(seed, 0.0);
            assert!(null.check().passed(), "{:?}", null.check());
        }
        let (shifted, _) = baseline(1, 1.5);
        assert!(!shifted.check().passed(), "{:?}", shifted.check());
        assert!(shifted.logistic.estimate > 0.8 && shifted.forest.estimate > 0.75);
    }

    #[test]
    fn an_attack_that_only_repeats_the_records_does_not_beat_the_baseline() {
        let (shifted, membership) = baseline(1, 1.5);
        let beaten = |blind: &BlindBaseline, attacked: &Scores| {
            let mut rng = Seed::from_number(9).stream(Stream::run(Role::Bootstrap));
            let attacks = BTreeMap::from([("a".to_owned(), attacked)]);
            blind
                .check_beaten_by(&attacks, &membership, &mut rng)
                .unwrap()
                .outcome
        };
        assert_eq!(beaten(&shifted, &shifted.scores), Outcome::Tripped);
        let subjects: Vec<_> = membership.iter().map(|(subject, _)| subject).collect();
        let knows = membership
            .iter()
            .map(|(_, member)| f64::from(u8::from(member)));
        let knows = scores(&subjects, knows).unwrap();
        assert_eq!(beaten(&shifted, &knows), Outcome::Passed);
        let nothing = scores(&subjects, vec![0.0; subjects.len()]).unwrap();
        assert_eq!(
            beaten(&shifted, &nothing),
            Outcome::Passed,
            "an attack that claims nothing need not beat anything"
        );
        // A baseline that is itself nothing: an attack as good as luck makes the baseline is a caution, not a trip.
        let (mut null, _) = baseline(2, 0.0);
        null.scores = nothing;
        let mut rng = Seed::from_number(4).stream(Stream::run(Role::Generate));
        let weak = membership.iter().map(|(_, member)| {
            let noise = standard_normal().inverse_cdf(rng.random::<f64>());
            noise + if member { 1.0 } else { 0.0 }
        });
        let weak = scores(&subjects, weak).unwrap();
        assert_eq!(beaten(&null, &weak), Outcome::Passed);
        null.scores = weak.clone();
        null.confidence = Confidence::NINETY_FIVE;
        assert_eq!(beaten(&null, &weak), Outcome::Tripped);
    }

    #[test]
    fn features_that_cannot_be_used_are_refused() {
        let (mut features, membership) = world(1, 0.0);
        let mut rng = Seed::from_number(1).stream(Stream::run(Role::Bootstrap));
        let mut error =
            |features: &_| BlindBaseline::of(features, &membership, GATE, &mut rng).unwrap_err();
        features.insert(SubjectId(3), vec![0.0]);
        assert!(matches!(
            error(&features),
            BlindError::OtherWidth {
                subject: SubjectId(3),
                ..
            }
        ));
        features.insert(SubjectId(3), vec![f64::NAN; 10]);
        assert!(matches!(error(&features), BlindError::Score(_)));
        features.remove(&SubjectId(3));
        assert_eq!(error(&features), BlindError::NoFeatures(SubjectId(3)));
    }
}
