//! What a run found, as a value, and how it is shown: HTML, text, JSON, TensorBoard's events.
//!
//! [`RunReport`] is everything there is to say about a run, apart from how long it took: two runs of
//! the same plan give equal reports, byte for byte, so timings have a file of their own. The driver
//! fills the value in; this crate knows only how to show it and none of the code that made it.
//!
//! Every rendering computes its sentences and pictures from the same value, so the page, the terminal
//! and the JSON file cannot disagree.

#![allow(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "pages are put together from strings; write! into one would need an expect each time"
)]

mod chart;
mod compare;
mod figure;
mod format;
mod html;
mod json;
pub mod model;
mod repeated_audit;
mod series;
mod statistics;
pub mod sweep;
mod tensorboard;
mod text;
mod words;

pub use compare::{CompareError, Comparison};
pub use figure::{AxisLabel, Curve, Figure, all as figures, curves};
pub use format::epsilon_upper;
pub use json::{ReadError, SCHEMA, SCHEMA_VERSION};
pub use model::{RepeatedAudit, RunReport};
pub use series::{Rounding, Series};
pub use sweep::SweepReport;
pub use tensorboard::TENSORBOARD_FILE;
pub use text::{RoundLine, TextStyle};
pub use words::{Sentence, Span, findings};
