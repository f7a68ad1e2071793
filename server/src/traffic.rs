//! How many needless messages a silo sends before nobody listens to it any more.

use primitives::SiloId;
use std::collections::BTreeMap;

/// The most needless messages of one silo in one attempt at a round: refused ones, repetitions, answers to
/// rounds that are over. A connection that comes back needs one join; this leaves room for a link that flaps.
pub const MOST_NEEDLESS_MESSAGES: u32 = 64;

/// Needless messages by silo, since the attempt under way began.
#[derive(Debug, Default)]
pub(crate) struct Traffic(BTreeMap<SiloId, u32>);

impl Traffic {
    /// Counts a message that brought nothing. Says whether it is the one too many.
    pub(crate) fn is_flooded_by(&mut self, silo: SiloId) -> bool {
        let count = self.0.entry(silo).or_default();
        *count += 1;
        *count == MOST_NEEDLESS_MESSAGES + 1
    }

    /// Whether nothing of `silo` is taken in for now.
    pub(crate) fn is_cut_off(&self, silo: SiloId) -> bool {
        self.0
            .get(&silo)
            .is_some_and(|&count| count > MOST_NEEDLESS_MESSAGES)
    }

    /// A new attempt begins.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}
