//! Who was a member? From what was seen of a run, while it runs or from its folder, to findings.
//!
//! ```text
//! models ─ Observer ▸ RoundSignals ─ Attacker ▸ Findings          while a run is under way
//! signals/, checkpoints/ ─ recall ▸ RoundSignals ─ Attacker ▸ …   from its folder, nothing trained again
//! ```
//!
//! Both ways give the same bytes: a stored signal is the number that was seen, and one that was not stored is
//! looked up in the stored model.

mod anew;
mod attacker;
mod checks;
mod dossier;
mod findings;
mod over_runs;
mod recall;

pub use anew::anew;
pub use attacker::{Attacker, AttackerError};
pub use dossier::Seen;
pub use findings::Findings;
pub use over_runs::OverRuns;
pub use recall::recorded;
