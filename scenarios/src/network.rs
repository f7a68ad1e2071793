//! The `[network]` table: how long messages and training take in the run's virtual time, and who is away when.

use primitives::SiloId;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;
use transport::{LinkModel, Loss, Outages, Seconds};

/// A network in virtual time. Without the table nothing takes any time and nobody is ever away.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
    /// How long every frame is on its way, in milliseconds.
    pub latency_ms: u32,
    /// At most this much more, uniformly, in milliseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub jitter_ms: u32,
    /// Chance that a frame is lost and must be sent again.
    #[serde(skip_serializing_if = "Loss::is_none")]
    pub loss: Loss,
    /// Bandwidth of a silo's link, in each direction; without one, sending takes no time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub megabits_per_second: Option<NonZeroU32>,
    /// How long a silo trains in a round.
    #[serde(skip_serializing_if = "Seconds::is_zero")]
    pub training_seconds: Seconds,
    /// At most this much longer, uniformly, anew for every silo and round.
    #[serde(skip_serializing_if = "Seconds::is_zero")]
    pub training_jitter_seconds: Seconds,
    /// When silos are away; never, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outages: Option<Outages>,
    /// Silos that differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub silos: Vec<SiloNetwork>,
}

/// What differs for one silo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiloNetwork {
    /// Which silo, counted from 0.
    pub silo: SiloId,
    /// As in [`NetworkConfig`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u32>,
    /// As in [`NetworkConfig`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_ms: Option<u32>,
    /// As in [`NetworkConfig`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// As in [`NetworkConfig`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub megabits_per_second: Option<NonZeroU32>,
    /// As in [`NetworkConfig`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training_seconds: Option<Seconds>,
    /// As in [`NetworkConfig`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training_jitter_seconds: Option<Seconds>,
    /// As in [`NetworkConfig`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outages: Option<Outages>,
}

impl NetworkConfig {
    fn exception(&self, silo: SiloId) -> Option<&SiloNetwork> {
        self.silos.iter().find(|exception| exception.silo == silo)
    }

    /// The link that all silos have unless they differ.
    pub const fn link(&self) -> LinkModel {
        LinkModel {
            latency_ms: self.latency_ms,
            jitter_ms: self.jitter_ms,
            megabits_per_second: self.megabits_per_second,
            loss: self.loss,
        }
    }

    /// The links that differ.
    pub fn links(&self) -> impl Iterator<Item = (SiloId, LinkModel)> {
        self.silos.iter().map(|exception| {
            let megabits_per_second = exception.megabits_per_second.or(self.megabits_per_second);
            let link = LinkModel {
                latency_ms: exception.latency_ms.unwrap_or(self.latency_ms),
                jitter_ms: exception.jitter_ms.unwrap_or(self.jitter_ms),
                megabits_per_second,
                loss: exception.loss.unwrap_or(self.loss),
            };
            (exception.silo, link)
        })
    }

    /// How long `silo` trains in a round: at least, and at most so much longer.
    pub fn training_time(&self, silo: SiloId) -> (Seconds, Seconds) {
        let exception = self.exception(silo);
        let least = exception.and_then(|exception| exception.training_seconds);
        let jitter = exception.and_then(|exception| exception.training_jitter_seconds);
        (
            least.unwrap_or(self.training_seconds),
            jitter.unwrap_or(self.training_jitter_seconds),
        )
    }

    /// When `silo` is away.
    pub fn outages(&self, silo: SiloId) -> Option<&Outages> {
        self.exception(silo)
            .and_then(|exception| exception.outages.as_ref())
            .or(self.outages.as_ref())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_zero(value: &u32) -> bool {
    *value == 0
}
