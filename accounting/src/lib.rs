//! Differential-privacy accounting for records, subjects and silos: events, accountants, ledger and filter.
//!
//! # The theory on one page
//!
//! **The promise.** A run is (ε, δ)-private for a unit if for every set `S` of outcomes
//! `Pr[run(D) ∈ S] ≤ e^ε Pr[run(D') ∈ S] + δ` whenever `D` and `D'` are neighbours ([`NeighboringRelation`]),
//! here: differ by one record, one subject or one silo ([`PrivacyUnit`]). Dwork, Roth 2014,
//! "The Algorithmic Foundations of Differential Privacy", chapters 2 and 3.
//!
//! **The step.** DP-SGD (Abadi et al. 2016, arXiv 1607.00133) bounds what a unit contributes ([`ClipNorm`] `C`),
//! lets it join a step only with chance `q` ([`SamplingRate`]) and adds Gaussian noise of deviation `z C`
//! ([`NoiseMultiplier`]). All that matters of a step is how far the unit can move the sum and with
//! which chance. [`Mechanism`] records which of the six ways was taken; [`Mechanism::event`] derives
//! from it, once and for every unit, the [`DpEvent`]: a pair of scalar distributions that dominates all
//! pairs of neighbours. Derivations and sources stand in [`mechanism`].
//!
//! **Subjects.** A person's `k` records in a silo are not `k` separate losses: `Binomial(k, q)` of them join
//! together, which is a [`MixtureOfGaussians`] (Ganesh 2024, arXiv 2401.10294). Over silos, which sample and
//! add noise independently, the events compose ([`RecordsPerSilo`]); concentrating records in one silo
//! costs more than spreading them. The generic lemma for groups ([`group`]) is offered for what has no such form.
//!
//! **Composition.** Rounds see what earlier rounds released, and losses add up: as Rényi divergences
//! order by order ([`RdpAccountant`]; Mironov 2017, arXiv 1702.07476), or as distributions of the privacy loss,
//! which is exact up to its grid ([`PldAccountant`]). Each direction of the neighbouring relation is composed
//! on its own and the worse one counts, since the unit is missing from all steps or from none (Lebeda,
//! Regehr, Kamath, Steinke 2024, arXiv 2405.20769, on what goes wrong otherwise).
//!
//! **Post-processing.** What is computed from a release costs nothing more. So the silo's steps are
//! accounted, not the update it sends, and the ε holds against the coordinator, the other silos and everybody
//! who sees the model. Silo noise is the exception: it is added by the coordinator, who must be trusted.
//!
//! # How the parts fit
//!
//! ```text
//! Mechanism ─▸ LedgerEntry ─▸ Ledger ─ replay ▸ Odometer ─▸ PrivacyLoss    what was lost, and why if infinite
//!                   └───▸ PrivacyFilter ─▸ admitted, or refused before it is spent
//! DpEvent ─▸ Accountant ─▸ ε(δ), δ(ε)               calibrate: the noise, steps or rate that meet a budget
//! ```
//!
//! ```
//! use siloscope_accounting::{
//!     Delta, Holdings, LedgerEntry, Mechanism, NeighboringRelation, NoiseMultiplier, Odometer,
//!     RdpAccountant, RecordsPerSilo, SamplingRate,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mechanism = Mechanism::Record {
//!     sampling_rate: SamplingRate::try_new(0.02)?,
//!     noise_multiplier: NoiseMultiplier::try_new(2.0)?,
//! };
//! let mut odometer = Odometer::new(RdpAccountant::new(NeighboringRelation::AddOrRemoveOne));
//! for round in 0..25 {
//!     for silo in 0..2 {
//!         odometer.append(LedgerEntry::local_steps(round, silo, mechanism, 20)?)?;
//!     }
//! }
//! let delta = Delta::try_new(1e-5)?;
//! let subjects = Holdings::new([RecordsPerSilo::new([(0, 4)]), RecordsPerSilo::new([(0, 2), (1, 2)])]);
//! let [together, apart] = &odometer.subjects(&subjects, delta)[..] else { panic!("two subjects") };
//! assert!(together.epsilon > apart.epsilon);
//! # Ok(())
//! # }
//! ```
//!
//! # Rounding
//!
//! Every answer is at least the truth. Formulas and quadratures are enlarged by more than their relative
//! error, truncation goes towards more loss, NaN becomes infinity, and an event that has no bound is an
//! error that names it. `docs/sharp-edges.md` lists how the guarantee can be lost outside of this crate.

mod accountant;
pub mod calibrate;
mod clipped_step;
mod crowd;
mod entry;
mod event;
mod filter;
pub mod gdp;
pub mod group;
mod holdings;
mod horizontal;
mod known;
mod ledger;
mod loss;
pub mod matrix;
pub mod mechanism;
mod meter;
mod mixture;
mod odometer;
mod params;
mod pld;
pub mod rdp;
mod relation;
mod secure_sum;
mod tally;
mod tightest;
pub mod zcdp;

pub use accountant::{Accountant, UnsupportedEvent};
pub use clipped_step::{ClippedStep, joint_noise, split_noise};
pub use entry::{InvalidEntry, LedgerEntry, Scope};
pub use event::DpEvent;
pub use filter::{NoTheorem, PrivacyFilter, Refusal};
pub use gdp::GdpAccountant;
pub use holdings::{Holding, Holdings};
pub use horizontal::{Presence, RecordsPerSilo};
pub use ledger::Ledger;
pub use loss::{PrivacyBudget, PrivacyLoss};
pub use mechanism::Mechanism;
pub use mixture::{InvalidMixture, MixtureOfGaussians};
pub use odometer::Odometer;
pub use params::{ClipNorm, Delta, Epsilon, InvalidParameter, NoiseMultiplier, SamplingRate};
pub use pld::PldAccountant;
pub use rdp::RdpAccountant;
pub use relation::{NeighboringRelation, PrivacyUnit};
pub use tightest::TightestAccountant;
pub use zcdp::ZcdpAccountant;
