//! Audits as a scenario names them: the `[audit]` table.

use crate::interval::Confidence;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

/// What is planted into a run so that it can be audited, and how surely an audit must know.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditConfig {
    /// Crafted canaries for each unit that the protection promises something: each in by its own fair coin, each with
    /// a gradient as long as the clip norm in a direction of its own.
    pub canaries: NonZeroU32,
    /// How often a correct run passes its audit: the confidence of all its tests together.
    pub confidence: Confidence,
    /// Rounds after which the bounds are drawn, evenly spaced with the last among them. More rounds share the same
    /// allowance for false alarms, so each is tested less sharply.
    pub rounds: NonZeroU32,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self {
            canaries: NonZeroU32::new(1000).expect("1000 is not 0"),
            confidence: Confidence::NINETY_FIVE,
            rounds: NonZeroU32::new(5).expect("5 is not 0"),
        }
    }
}

impl AuditConfig {
    /// The audited ones among `rounds` rounds, in order.
    pub fn audited(&self, rounds: u32) -> Vec<u32> {
        let count = self.rounds.get().min(rounds);
        let at = |i: u32| (u64::from(i) * u64::from(rounds)).div_ceil(u64::from(count)) as u32;
        (1..=count).map(at).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audited_rounds_are_evenly_spaced_and_end_with_the_last() {
        let audited = |count: u32, rounds: u32| {
            let rounds_config = NonZeroU32::new(count).unwrap();
            AuditConfig {
                rounds: rounds_config,
                ..AuditConfig::default()
            }
            .audited(rounds)
        };
        assert_eq!(audited(5, 20), [4, 8, 12, 16, 20]);
        assert_eq!(audited(5, 3), [1, 2, 3]);
        assert_eq!(audited(3, 10), [4, 7, 10]);
        assert_eq!(audited(1, 7), [7]);
        assert!(audited(4, 0).is_empty());
    }

    #[test]
    fn unknown_keys_and_impossible_values_are_refused() {
        for table in [
            r#"{"canary":3}"#,
            r#"{"canaries":0}"#,
            r#"{"confidence":1.0}"#,
        ] {
            assert!(
                serde_json::from_str::<AuditConfig>(table).is_err(),
                "{table}"
            );
        }
        let given: AuditConfig = serde_json::from_str(r#"{"canaries":7}"#).unwrap();
        assert_eq!((given.canaries.get(), given.rounds.get()), (7, 5));
    }
}
