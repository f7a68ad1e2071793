//! Subject-level membership attacks and the statistics that judge them.
//!
//! The question is always the same: *did any silo train on this person?* An adversary holds a few records of
//! the person, looks at what models say about them, and gives a score; higher means "member". This crate turns
//! such observations into scores, scores into success with intervals, and success into lower bounds on ε. It
//! sees numbers only: no tensor, no file, no clock, no generator but the one it is handed.
//!
//! # From forward passes to a report
//!
//! ```
//! # use std::collections::BTreeMap;
//! use primitives::{Role, Round, Seed, Stream, SubjectId};
//! use siloscope_attacks::{
//!     AttackReport, AttackSubjects, Confidence, Evidence, LossThreshold, Membership, Queries,
//!     RecordRegime, RoundSignals, SignalKind, Signals, ThreatModel, View,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Who was in, and for whom the adversary knows it: two of each here, ten of each by default.
//! let all = Membership::try_new((0..20).map(SubjectId), (20..40).map(SubjectId))?;
//! let mut rng = Seed::from_number(7).stream(Stream::run(Role::Adversary));
//! let subjects = AttackSubjects::choose(&all, 2, &mut rng)?;
//!
//! // One record of each; after every round its loss under the new model, in one flat array.
//! let queries = Queries::try_new(&(0..40).map(|id| (SubjectId(id), 1)).collect())?;
//! let mut signals = Signals::new(RecordRegime::Fresh, queries);
//! for round in 0..=3u32 {
//!     let loss = |id: u32| if id < 20 { 1.0 / (1.0 + round as f32) } else { 1.0 };
//!     let columns = BTreeMap::from([(SignalKind::Loss, (0..40).map(loss).collect())]);
//!     signals.push(RoundSignals { round: Round(round), columns })?;
//! }
//!
//! // Attack every round through a threat model, and judge it on the evaluated subjects.
//! let threat = ThreatModel { view: View::FinalModel, regime: RecordRegime::Fresh };
//! let mut report = AttackReport::new(&LossThreshold {}, threat, Confidence::NINETY_FIVE);
//! for round in signals.rounds() {
//!     let evidence = Evidence::new(threat.view, &signals, round.round, subjects.known())?;
//!     report.attack(&LossThreshold {}, &evidence, &subjects)?;
//! }
//! assert!(report.rounds[0].auc.contains(0.5));
//! assert!(report.rounds[3].auc.low > 0.8);
//! # Ok(())
//! # }
//! ```
//!
//! # Theory on a page
//!
//! *Loss.* Training lowers the loss of what was trained on. `L_r(s)`, the mean loss of round `r`'s model over
//! the adversary's records `A_s`, is smaller for members: [`LossThreshold`] reads the last model,
//! [`LossAcrossRounds`] the way there (Suri et al., arXiv 2206.03317), [`LossAcrossNeighbourhood`] the records'
//! surroundings, [`GradientNorm`] what is left to learn.
//!
//! *Calibration.* How hard a subject is for any model moves its loss more than membership does. Dividing by
//! the untrained model's loss removes part of it for free ([`LossRatio`]); predicting the loss from plain
//! features removes more ([`Quantile`]); shadow federations that had, or had not, this very subject remove it
//! ([`Lira`], arXiv 2112.03570; [`Rmia`], arXiv 2312.03262). [`ShadowDesign`] puts every subject into half of
//! the shadows.
//!
//! *Aggregation.* A subject is a set of records. The mean is the default; [`Range`] trims it (arXiv
//! 2408.05131); [`HistogramForest`] learns from known subjects what to look at (arXiv 2310.15007).
//!
//! *Updates.* A coordinator that sees each silo's update compares it with the subject's gradient
//! ([`UpdateAlignment`], arXiv 2402.06289), and asks which silo it was ([`SourceInference`], arXiv 2109.05659).
//!
//! *Success.* The AUC is the share of all member–non-member pairs in the right order, with an interval that
//! bears few subjects and unequal spreads; the true-positive rate at a small false-positive rate is given only where
//! there are at least `10 / FPR` non-members; F1 is at a threshold found on other subjects. [`exposure`] and
//! [`survival`] say who stands out.
//!
//! *ε.* (ε, δ)-DP at the subject level bounds every such attack: `TPR ≤ e^ε FPR + δ`. Turned round, scores
//! bound ε from below ([`audit`]), to be held against the accountant's bound from above.
//!
//! # Pitfalls
//!
//! * **The record regime changes everything.** With the training records even a population without any subject
//!   signal is found out, by memorisation. The regimes are never pooled, and a [`Signals`] belongs to one.
//! * **An attack can succeed without a leak**, if members differ from non-members by themselves. See
//!   [`hygiene`].
//! * **A count of falling rounds** forgets by how much they fell; once training has converged it counts coin
//!   flips. The other trends are beside it for that reason.
//! * **A pooled AUC near ½** does not exclude that a few people are found every time: look at each over many
//!   runs.
//! * **A threshold found on evaluated subjects** flatters F1. [`AttackSubjects`] keeps them apart, and a report
//!   refuses evidence that knows others.
//! * **The area under the convex hull**, which some tools report as AUC, is at least the AUC and larger by luck.
//! * **LiRA with few shadows** and noisy models falls below the plain loss: deviations are shared below
//!   [`FEW_SHADOWS`] runs. In the reference code the shared OUT deviation comes from the IN array; not here.
//! * **Source inference and non-target calibration** assume that few silos hold a subject.
//! * **An estimate is not a bound.** Every number called ε carries its [`audit::Nature`].

// Exact values are compared where arithmetic is exact.
#![cfg_attr(test, allow(clippy::float_cmp))]

mod attack;
pub mod audit;
mod bootstrap;
mod config;
mod evidence;
mod exposure;
mod gradient_norm;
mod histogram_forest;
pub mod hygiene;
mod interval;
mod learn;
mod lira;
mod loss_across_rounds;
mod loss_ratio;
mod loss_threshold;
mod luck;
mod membership;
mod neighbourhood;
mod per_subject;
mod quantile;
mod range;
mod rank;
mod report;
mod rmia;
mod roc;
mod score;
mod shadow;
mod signals;
mod silo_signals;
mod source_inference;
mod threat;
mod threshold;
mod update_alignment;

pub use attack::{AttackError, AttackFailed, MembershipAttack, Observation, score};
pub use bootstrap::auc_difference;
pub use config::{AttackConfig, HistogramForestConfig, LossAcrossRoundsConfig};
pub use evidence::Evidence;
pub use exposure::exposure;
pub use gradient_norm::GradientNorm;
pub use histogram_forest::HistogramForest;
pub use interval::{
    Confidence, ConfidenceError, Interval, proportion_lower_limit, proportion_upper_limit,
};
pub use lira::{FEW_SHADOWS, Lira, Variance};
pub use loss_across_rounds::{LossAcrossRounds, Trend};
pub use loss_ratio::LossRatio;
pub use loss_threshold::LossThreshold;
pub use luck::by_luck;
pub use membership::{AttackSubjects, Membership, MembershipError};
pub use neighbourhood::{LossAcrossNeighbourhood, Neighbourhood, NeighbourhoodError};
pub use per_subject::{RunScores, Survival, survival};
pub use quantile::{Quantile, TargetFpr, TargetFprError};
pub use range::{Range, Trim, TrimError, TrimSide};
pub use rank::spearman;
pub use report::{AttackReport, FALSE_POSITIVE_RATES, JudgeError, RoundResult, Tpr, TprAtFpr};
pub use rmia::{Gamma, OfflineScale, Rmia, RmiaError, Share};
pub use roc::{Roc, RocError, RocPoint};
pub use score::{MembershipScore, ScoreError, Scores, scores};
pub use shadow::{ShadowDesign, ShadowError, ShadowRun, ShadowSignals, ShadowUse};
pub use signals::{Queries, RoundSignals, SignalKind, Signals, SignalsError};
pub use silo_signals::{SiloRound, SiloSignalKind, SiloSignals, SiloSignalsError};
pub use source_inference::{SiloSource, SourceInference, SourceReport};
pub use threat::{RecordRegime, ThreatModel, View};
pub use threshold::{Calibrated, calibrate};
pub use update_alignment::{Calibration, UpdateAlignment};
