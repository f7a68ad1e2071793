//! Subject RMIA: does the model raise this subject's probability more than it raises others'?
//!
//! Zarifzadeh, Liu, Shokri: "Low-Cost High-Power Membership Inference Attacks" (arXiv 2312.03262), with the
//! record replaced by a subject. `p(s)` is the geometric mean of the true-class probability over `A_s`, which
//! is `exp(−mean loss)`. With `P(s)` the mean of `p(s)` over reference models,
//!
//! * `ratio(s) = p(s) / P(s)`, and the score is the share of population records `z` with
//!   `ratio(s) ≥ γ ratio(z)`;
//! * online, `P = ½ P_in + ½ P_out`; offline, `P = ½ ((1 + a) P_out + (1 − a))`, which guesses
//!   `P_in ≈ a P_out + 1 − a`.
//!
//! The population are the pooled records of subjects that are surely non-members
//! ([`Evidence::population`]). For those, every reference model that did not train on them counts as OUT.
//! Reference models are this repository's shadow runs.

use crate::attack::{AttackError, MembershipAttack, Observation, setting};
use crate::evidence::Evidence;
use crate::roc::Roc;
use crate::score::{MembershipScore, Scores, scores};
use crate::shadow::{ShadowRun, ShadowUse};
use crate::signals::SignalKind;
use crate::threat::View;
use primitives::SubjectId;
use serde::{Deserialize, Serialize};

/// Relative likelihood of a subject against a population.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rmia {
    /// Whether references that trained on the subject are used.
    #[serde(default)]
    pub shadows: ShadowUse,
    /// By how much a subject must outdo a population record.
    #[serde(default)]
    pub gamma: Gamma,
    /// Offline only: how `P_in` is guessed from `P_out`.
    #[serde(default)]
    pub scale: OfflineScale,
}

/// A factor of at least one.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Gamma(f64);

/// How offline RMIA guesses `P_in ≈ a P_out + 1 − a`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum OfflineScale {
    /// `a` from 0, 0.1, …, 1, whichever attacks the first shadow run best with the rest as references.
    #[default]
    Tuned,
    /// This `a`; the authors' default is 0.3.
    Fixed(Share),
}

/// A number in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Share(f64);

/// A setting of RMIA out of its range.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum RmiaError {
    /// γ below one.
    #[error(
        "gamma {0} is below 1 or not finite: a subject must at least equal a population record"
    )]
    Gamma(f64),
    /// a outside [0, 1].
    #[error("offline scale {0} is outside [0, 1]: it guesses P_in as a P_out + 1 - a, e.g. 0.3")]
    Scale(f64),
}

impl Default for Gamma {
    fn default() -> Self {
        Self(1.0)
    }
}

impl TryFrom<f64> for Gamma {
    type Error = RmiaError;

    fn try_from(value: f64) -> Result<Self, RmiaError> {
        if value >= 1.0 && value.is_finite() {
            Ok(Self(value))
        } else {
            Err(RmiaError::Gamma(value))
        }
    }
}

impl From<Gamma> for f64 {
    fn from(gamma: Gamma) -> Self {
        gamma.0
    }
}

impl TryFrom<f64> for Share {
    type Error = RmiaError;

    fn try_from(value: f64) -> Result<Self, RmiaError> {
        if (0.0..=1.0).contains(&value) {
            Ok(Self(value))
        } else {
            Err(RmiaError::Scale(value))
        }
    }
}

impl From<Share> for f64 {
    fn from(share: Share) -> Self {
        share.0
    }
}

/// How `P` follows from the references.
#[derive(Clone, Copy)]
enum Guess {
    Online,
    Offline { scale: f64 },
}

/// The losses of one model: the attacked one, or a shadow run's.
struct Model<'a> {
    means: &'a [f64],
    records: &'a [f32],
}

/// A reference model.
struct Reference<'a> {
    run: ShadowRun<'a>,
    model: Model<'a>,
}

impl<'a> Reference<'a> {
    fn of(run: ShadowRun<'a>) -> Result<Self, AttackError> {
        let losses = (run.means(SignalKind::Loss), run.records(SignalKind::Loss));
        let (Some(means), Some(records)) = losses else {
            return Err(AttackError::NoSignal(SignalKind::Loss));
        };
        Ok(Self {
            run,
            model: Model { means, records },
        })
    }
}

/// `p / P` for subjects, and for the population's records in order.
struct Ratios {
    subjects: Vec<f64>,
    population: Vec<f64>,
}

/// `exp(−own) / P`, with `loss` the loss under a reference model.
fn ratio(
    own: f64,
    subject: SubjectId,
    references: &[Reference<'_>],
    guess: Guess,
    loss: impl Fn(&Model<'_>) -> f64,
) -> Result<f64, AttackError> {
    let mean = |inside: bool| {
        let side = references
            .iter()
            .filter(|reference| reference.run.has(subject) == inside);
        let (sum, count) = side.fold((0.0, 0u32), |(sum, count), reference| {
            (sum + (-loss(&reference.model)).exp(), count + 1)
        });
        if count == 0 {
            return Err(AttackError::TooFewShadows {
                needed: 4,
                held: references.len(),
            });
        }
        Ok(sum / f64::from(count))
    };
    let usual = match guess {
        Guess::Online => f64::midpoint(mean(true)?, mean(false)?),
        Guess::Offline { scale } => f64::midpoint((1.0 + scale) * mean(false)?, 1.0 - scale),
    };
    Ok((-own).exp() / usual.max(f64::MIN_POSITIVE))
}

impl Ratios {
    fn of(
        target: &Model<'_>,
        references: &[Reference<'_>],
        evidence: &Evidence<'_>,
        guess: Guess,
    ) -> Result<Self, AttackError> {
        let mut subjects = Vec::with_capacity(target.means.len());
        for (position, &subject) in evidence.subjects().iter().enumerate() {
            let loss = |model: &Model<'_>| model.means[position];
            subjects.push(ratio(loss(target), subject, references, guess, loss)?);
        }
        let mut population = Vec::new();
        for position in evidence.population() {
            for record in evidence.queries().range(position) {
                let loss = |model: &Model<'_>| f64::from(model.records[record]);
                let subject = evidence.subjects()[position];
                population.push(ratio(loss(target), subject, references, guess, loss)?);
            }
        }
        if population.is_empty() {
            let kind = "non-members";
            return Err(AttackError::TooFewKnown {
                kind,
                needed: 1,
                held: 0,
            });
        }
        population.sort_unstable_by(f64::total_cmp);
        Ok(Self {
            subjects,
            population,
        })
    }

    /// Share of the population that each subject outdoes by `gamma`.
    fn shares(&self, gamma: f64) -> impl Iterator<Item = f64> {
        self.subjects.iter().map(move |ratio| {
            let outdone = self
                .population
                .partition_point(|other| gamma * other <= *ratio);
            outdone as f64 / self.population.len() as f64
        })
    }
}

impl Rmia {
    /// The `a` that attacks the first shadow run best, the rest being its references. It is judged on that
    /// run's own membership, so no label of the attacked model is used.
    fn tuned(self, evidence: &Evidence<'_>, runs: &[Reference<'_>]) -> Result<f64, AttackError> {
        let [target, references @ ..] = runs else {
            return Err(AttackError::TooFewShadows { needed: 4, held: 0 });
        };
        let mut best = (f64::NEG_INFINITY, 0.0);
        for tenth in 0..=10 {
            let scale = f64::from(tenth) / 10.0;
            let ratios = Ratios::of(
                &target.model,
                references,
                evidence,
                Guess::Offline { scale },
            )?;
            let mut sides = [Vec::new(), Vec::new()];
            for (&subject, share) in evidence.subjects().iter().zip(ratios.shares(self.gamma.0)) {
                let score = MembershipScore::try_new(share)?;
                sides[usize::from(target.run.has(subject))].push(score);
            }
            // A run with all or none of the subjects cannot rank scales; the first one stands.
            let auc = Roc::try_new(&sides[1], &sides[0]).map_or(0.5, |roc| roc.auc());
            if auc > best.0 {
                best = (auc, scale);
            }
        }
        Ok(best.1)
    }
}

impl MembershipAttack for Rmia {
    fn name(&self) -> String {
        let gamma = setting("gamma", self.gamma, Gamma::default());
        let scale = match self.scale {
            OfflineScale::Tuned => String::new(),
            OfflineScale::Fixed(share) => format!("/scale-{}", share.0),
        };
        format!("rmia/{}{gamma}{scale}", self.shadows)
    }

    fn paper(&self) -> &'static str {
        "Zarifzadeh et al., arXiv 2312.03262"
    }

    fn needs(&self) -> Observation {
        Observation {
            shadow_runs: 4,
            known_each: 1,
            ..Observation::of(View::FinalModel, &[SignalKind::Loss])
        }
    }

    fn score(&self, evidence: &Evidence<'_>) -> Result<Scores, AttackError> {
        let runs = evidence.shadows()?;
        let references = runs
            .into_iter()
            .map(Reference::of)
            .collect::<Result<Vec<_>, _>>()?;
        let guess = match (self.shadows, self.scale) {
            (ShadowUse::Online, _) => Guess::Online,
            (ShadowUse::Offline, OfflineScale::Fixed(Share(scale))) => Guess::Offline { scale },
            (ShadowUse::Offline, OfflineScale::Tuned) => Guess::Offline {
                scale: self.tuned(evidence, &references)?,
            },
        };
        let target = Model {
            means: evidence.means(SignalKind::Loss)?,
            records: evidence.all_records(SignalKind::Loss)?,
        };
        let ratios = Ratios::of(&target, &references, evidence, guess)?;
        Ok(scores(evidence.subjects(), ratios.shares(self.gamma.0))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_is_the_share_of_the_population_that_is_outdone() {
        let subjects = vec![1.0, 0.4, 9.0];
        let ratios = Ratios {
            subjects,
            population: vec![0.5, 1.0, 1.0, 2.0],
        };
        assert_eq!(ratios.shares(1.0).collect::<Vec<_>>(), [0.75, 0.0, 1.0]);
        assert_eq!(ratios.shares(2.0).collect::<Vec<_>>(), [0.25, 0.0, 1.0]);
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let read = |table: &str| serde_json::from_str::<Rmia>(table);
        assert!(read(r#"{"gamma":0.5}"#).is_err());
        assert!(read(r#"{"scale":{"fixed":1.5}}"#).is_err());
        let fixed = read(r#"{"shadows":"offline","scale":{"fixed":0.3}}"#).unwrap();
        assert_eq!(fixed.scale, OfflineScale::Fixed(Share(0.3)));
        assert_eq!(read("{}").unwrap().gamma, Gamma(1.0));
    }
}
