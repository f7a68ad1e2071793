//! The same federation as real processes: `serve`, `join`, and both at once on one machine.

pub mod args;
mod conversation;
mod deny_list;
mod door;
mod join;
mod loopback;
mod member;
mod members;
mod metrics;
mod own_gate;
mod rendezvous;
mod serve;
mod served;
mod silo_folder;

use protocol::Refusal;

pub use join::join;
pub use loopback::run;
pub use serve::{resume, serve, was_served};

/// Whether a refusal means that the silo may not take part at all.
fn shuts_out(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::ProtocolVersion { .. }
            | Refusal::PlanDigest { .. }
            | Refusal::UnknownSilo { .. }
            | Refusal::Identity { .. }
    )
}
