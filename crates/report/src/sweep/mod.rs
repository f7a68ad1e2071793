//! The report of a sweep: what several hundred runs of one file say together.
//!
//! ```text
//! RunReport ▸ Outcomes
//! Design, (Task, State)… ─ SweepReport::try_new ▸ effects · pairs · regressions · points ▸ HTML, text, JSON
//! ```
//!
//! A *task* is one run, a *point* the tasks that differ in their seed only, a *factor* what differs from point to
//! point, and a [`Measure`] one number of a finished run. Seeds of one point may share their data, so every interval
//! and standard error counts points, and says so where it cannot.

mod design;
mod effect;
mod explained;
mod grouping;
mod json;
mod measure;
mod outcome;
mod pair;
mod point;
mod regression;
mod report;
mod text;
mod values;
mod words;

pub use design::{Design, Factor, Level, Scale, Task};
pub use effect::{Effect, LevelInterval, LevelMean, Over};
pub use json::{SWEEP_SCHEMA, SWEEP_SCHEMA_VERSION};
pub use measure::Measure;
pub use outcome::{AttackOutcome, EpsilonOutcome, Outcomes, State};
pub use pair::Pair;
pub use point::PointSummary;
pub use regression::{Fit, LeftOut, Regression, RegressionOutcome, Term, TermError, TermOf};
pub use report::{Counts, SweepError, SweepReport, TaskReport};

pub(crate) use grouping::Grouping;
pub(crate) use point::frontier;
pub(crate) use text::coefficient;
pub(crate) use words::{findings, term};
