//! Scenario files: reading, checking, resolving into a plan, and the built-in catalogue.
//!
//! ```text
//! text ─ ScenarioFile::open ▸ Scenario        every key known, every number in its range, keys agree
//! Scenario ─ World::build ▸ World             data loaded, pools drawn, records in their silos
//! World ─ Resolved::new ▸ Schedule, Plan      noise found, who releases what when, a digest
//! ```
//!
//! A scenario that cannot be run says so with file, line, field, what was given, what is allowed and what to do
//! ([`ScenarioError`]), and says it as early as it can be known.

mod adversary;
mod attacked;
mod calibration;
mod canaries;
mod catalog;
mod check;
mod device;
mod diagnosis;
mod federation;
mod file;
mod foreign;
mod gates;
mod network;
mod overrides;
mod plan;
mod privacy;
mod resolve;
mod schedule;
mod shadow;
mod sight;
mod sweep;
mod trial;
mod world;

pub use adversary::AdversaryConfig;
pub use canaries::{CanaryRoster, Planted};
pub use catalog::{Entry, entries, find};
pub use diagnosis::{Fault, ScenarioError};
pub use federation::{FederationConfig, OnLostQuorum};
pub use file::{Scenario, ScenarioFile};
pub use foreign::{CheckpointsConfig, FoundCheckpoints};
pub use gates::Gates;
pub use network::{NetworkConfig, SiloNetwork};
pub use plan::{DataSummary, PLAN_FORMAT, Plan, SiloSummary};
pub use privacy::{Noise, PrivacyConfig, PrivacyConfigError, Protection};
pub use resolve::Resolved;
pub use schedule::Schedule;
pub use sight::{SecureAggregation, ServerSees};
pub use sweep::{
    Axis, Design, Factor, Level, NamedLevel, Scale, Seeds, SweepConfig, SweepFile, SweepTask,
};
pub use trial::{Audited, Trials};
pub use world::World;
