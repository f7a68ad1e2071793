//! What is compared over a sweep: one number of each finished task.

use super::outcome::{Outcomes, State};
use crate::figure::LOWEST_R_SQUARED;
use crate::format;
use crate::model::{Epsilon, PrivacyUnit, Quality, Real, Regime};
use serde::Serialize;

/// One number of a finished task.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Measure {
    /// How good the model is.
    Utility {
        /// What was measured, as a field is called: `accuracy` or `r_squared`.
        metric: &'static str,
        /// The same for people.
        name: &'static str,
        /// Whether it is a share of something.
        #[serde(skip)]
        share: bool,
    },
    /// Chance that an attack scores a member above a non-member.
    Auc {
        /// The attack's name, its statistic after a slash.
        attack: String,
        /// Which records the adversary holds.
        regime: Regime,
    },
    /// Members caught at a bounded rate of false alarms.
    TprAtFpr {
        /// The attack's name, its statistic after a slash.
        attack: String,
        /// Which records the adversary holds.
        regime: Regime,
        /// The bound on false alarms.
        fpr: Real,
    },
    /// True-positive rate less false-positive rate at a threshold set on known subjects.
    Advantage {
        /// The attack's name, its statistic after a slash.
        attack: String,
        /// Which records the adversary holds.
        regime: Regime,
    },
    /// The worst-off unit's ε.
    Epsilon {
        /// Whose presence is hidden.
        unit: PrivacyUnit,
    },
}

impl Measure {
    /// Everything that at least one of `states` has a number for: utility, attacks in their order, ε by unit.
    pub(crate) fn all(states: &[State]) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        let mut add = |measure: Self| {
            let there = || states.iter().filter_map(State::outcomes);
            if !all.contains(&measure) && there().any(|o| measure.of(o).is_some()) {
                all.push(measure);
            }
        };
        let outcomes = || states.iter().filter_map(State::outcomes);
        for quality in outcomes().filter_map(|outcome| outcome.utility) {
            add(Self::Utility {
                metric: quality.key(),
                name: quality.name(),
                share: matches!(quality, Quality::Accuracy(_)),
            });
        }
        for found in outcomes().flat_map(|outcome| &outcome.attacks) {
            let (attack, regime) = (found.attack.clone(), found.regime);
            add(Self::Auc {
                attack: attack.clone(),
                regime,
            });
            for point in &found.tpr_at_fpr {
                add(Self::TprAtFpr {
                    attack: attack.clone(),
                    regime,
                    fpr: point.fpr,
                });
            }
            add(Self::Advantage { attack, regime });
        }
        for unit in PrivacyUnit::ALL {
            add(Self::Epsilon { unit });
        }
        all
    }

    /// The number in `outcomes`, if the run could state it: perhaps infinite, never "not a number".
    pub fn of(&self, outcomes: &Outcomes) -> Option<f64> {
        let value = match self {
            Self::Utility { metric, .. } => {
                let quality = outcomes.utility?;
                (quality.key() == *metric).then(|| quality.get())
            }
            Self::Auc { attack, regime } => Some(outcomes.attack(attack, *regime)?.auc.value.get()),
            Self::TprAtFpr {
                attack,
                regime,
                fpr,
            } => {
                let mut points = outcomes.attack(attack, *regime)?.tpr_at_fpr.iter();
                points.find(|point| point.fpr == *fpr)?.tpr.value()
            }
            Self::Advantage { attack, regime } => {
                outcomes.attack(attack, *regime)?.advantage.value()
            }
            Self::Epsilon { unit } => outcomes.epsilon(*unit).map(Epsilon::get),
        };
        value.filter(|value| !value.is_nan())
    }

    /// What it is, in words: "AUC of loss-threshold, fresh records".
    pub fn title(&self) -> String {
        match self {
            Self::Utility { name, .. } => (*name).to_owned(),
            Self::Auc { attack, regime } => {
                format!("AUC of {attack}, {}", format::regime(*regime))
            }
            Self::TprAtFpr {
                attack,
                regime,
                fpr,
            } => format!(
                "TPR at {} FPR of {attack}, {}",
                format::rate(fpr.get()),
                format::regime(*regime)
            ),
            Self::Advantage { attack, regime } => {
                format!("advantage of {attack}, {}", format::regime(*regime))
            }
            Self::Epsilon { unit } => match unit {
                PrivacyUnit::Record => "ε of a record",
                PrivacyUnit::Subject => "ε of the worst-off subject",
                PrivacyUnit::Silo => "ε of a silo",
            }
            .to_owned(),
        }
    }

    /// The same for the heading of a column, where the attack is named elsewhere: "AUC, fresh records".
    pub(crate) fn short(&self) -> String {
        match self {
            Self::Auc { regime, .. } => format!("AUC, {}", format::regime(*regime)),
            _ => self.title(),
        }
    }

    /// Whether it reads as a percentage.
    pub(crate) fn is_share(&self) -> bool {
        match self {
            Self::Utility { share, .. } => *share,
            Self::TprAtFpr { .. } => true,
            Self::Auc { .. } | Self::Advantage { .. } | Self::Epsilon { .. } => false,
        }
    }

    /// The least and the greatest that it can be.
    pub(crate) fn bounds(&self) -> (f64, f64) {
        match self {
            Self::Utility { share: false, .. } => (f64::NEG_INFINITY, 1.0),
            Self::Utility { .. } | Self::Auc { .. } | Self::TprAtFpr { .. } => (0.0, 1.0),
            Self::Advantage { .. } => (-1.0, 1.0),
            Self::Epsilon { .. } => (0.0, f64::INFINITY),
        }
    }

    /// `value` held to what it can be: an interval of a mean keeps its confidence, since the mean lies within.
    pub(crate) fn within(&self, value: f64) -> f64 {
        let (least, greatest) = self.bounds();
        value.clamp(least, greatest)
    }

    /// The least and the greatest that a figure shows: far below zero an R² has nothing to tell.
    pub(crate) fn limits(&self) -> (f64, f64) {
        let (least, greatest) = self.bounds();
        if least.is_finite() {
            (least, greatest)
        } else {
            (LOWEST_R_SQUARED, greatest)
        }
    }

    /// What it is where nothing leaks, if that is known.
    pub(crate) fn chance(&self) -> Option<f64> {
        matches!(self, Self::Auc { .. }).then_some(0.5)
    }

    /// What an axis shows at the least, so that noise does not fill it.
    pub(crate) fn reference_range(&self) -> Option<(f64, f64)> {
        matches!(self, Self::Auc { .. }).then_some((0.5, 0.6))
    }

    /// A value as people read it.
    pub(crate) fn written(&self, value: f64) -> String {
        match self {
            Self::Epsilon { .. } => format::epsilon_upper(value.into()),
            _ if self.is_share() => format!("{}\u{a0}%", format::fixed(100.0 * value, 1)),
            _ => format::fixed(value, 3),
        }
    }

    /// The attack and regime that it is about, if it is about one.
    pub(crate) fn attack(&self) -> Option<(&str, Regime)> {
        match self {
            Self::Auc { attack, regime }
            | Self::TprAtFpr { attack, regime, .. }
            | Self::Advantage { attack, regime } => Some((attack, *regime)),
            Self::Utility { .. } | Self::Epsilon { .. } => None,
        }
    }

    /// Its AUC's regime, if it is an AUC.
    pub(crate) fn auc_regime(&self) -> Option<Regime> {
        match self {
            Self::Auc { regime, .. } => Some(*regime),
            _ => None,
        }
    }
}
