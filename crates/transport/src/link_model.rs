//! How long a frame is on its way.

use crate::seconds::part_of;
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;
use std::time::Duration;

/// A link as a model: each direction sends one frame after the other at its bandwidth, and each frame
/// then takes the latency and some jitter. Frames of one direction never overtake each other.
///
/// A frame that is lost is sent again, as TCP and QUIC do it: after a round trip in which no word of it came back,
/// at the cost of its bytes. Losses delay what comes behind; they never break the link.
///
/// The default takes no time at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkModel {
    /// From the last bit sent to the last bit received, in milliseconds.
    pub latency_ms: u32,
    /// At most this much more, uniformly, in milliseconds.
    pub jitter_ms: u32,
    /// Bandwidth of each direction; without one, sending takes no time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub megabits_per_second: Option<NonZeroU32>,
    /// Chance that a frame is lost on its way, each time it is sent.
    #[serde(skip_serializing_if = "Loss::is_none")]
    pub loss: Loss,
}

/// The chance that a frame is lost: at least 0 and at most [`Loss::MOST`].
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Loss(f64);

/// A number that is no chance of losing a frame.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "loss {0} is outside [0, 0.9]: it is the chance that a frame must be sent again, e.g. 0.01"
)]
pub struct LossError(f64);

impl Loss {
    /// With more than this a link is down rather than bad.
    pub const MOST: f64 = 0.9;

    /// A chance of losing a frame.
    ///
    /// # Errors
    /// Outside `[0, Loss::MOST]`.
    pub fn try_new(value: f64) -> Result<Self, LossError> {
        if (0.0..=Self::MOST).contains(&value) {
            Ok(Self(value))
        } else {
            Err(LossError(value))
        }
    }

    /// The chance as a number.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// Whether nothing is ever lost.
    pub fn is_none(&self) -> bool {
        self.0 <= 0.0
    }
}

impl TryFrom<f64> for Loss {
    type Error = LossError;

    fn try_from(value: f64) -> Result<Self, LossError> {
        Self::try_new(value)
    }
}

impl From<Loss> for f64 {
    fn from(loss: Loss) -> Self {
        loss.0
    }
}

impl LinkModel {
    /// How long the link is busy with `bytes`, rounded up to nanoseconds.
    pub fn sending_time(&self, bytes: usize) -> Duration {
        let Some(rate) = self.megabits_per_second else {
            return Duration::ZERO;
        };
        // A megabit per second is a bit per 1000 ns.
        let nanos = (bytes as u64)
            .saturating_mul(8_000)
            .div_ceil(rate.get().into());
        Duration::from_nanos(nanos)
    }

    /// How long a bit is on its way. Draws once if there is jitter.
    pub fn travel_time(&self, rng: &mut impl Rng) -> Duration {
        let latency = Duration::from_millis(self.latency_ms.into());
        if self.jitter_ms == 0 {
            return latency;
        }
        latency + part_of(Duration::from_millis(self.jitter_ms.into()), rng)
    }

    /// How often a frame is lost before it comes through. Draws once for every time it is sent, if frames can
    /// be lost.
    pub fn losses(&self, rng: &mut impl Rng) -> u32 {
        if self.loss.is_none() {
            return 0;
        }
        // The chance as a multiple of 2⁻⁵³, compared with as many uniform bits.
        let lost = (self.loss.get() * (1_u64 << 53) as f64) as u64;
        let mut count = 0;
        while rng.next_u64() >> 11 < lost {
            count += 1;
        }
        count
    }

    /// How long the sender waits before it takes a frame for lost: the longest round trip.
    pub fn round_trip(&self) -> Duration {
        2 * Duration::from_millis(u64::from(self.latency_ms) + u64::from(self.jitter_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use primitives::{Role, Seed, Stream};

    #[test]
    fn a_megabyte_at_eight_megabits_takes_a_second() {
        let link = LinkModel {
            megabits_per_second: NonZeroU32::new(8),
            ..LinkModel::default()
        };
        assert_eq!(link.sending_time(1_000_000), Duration::from_secs(1));
        assert_eq!(link.sending_time(0), Duration::ZERO);
        assert_eq!(
            LinkModel::default().sending_time(usize::MAX),
            Duration::ZERO
        );
    }

    #[test]
    fn jitter_fills_its_range_and_stays_in_it() {
        let link = LinkModel {
            latency_ms: 20,
            jitter_ms: 10,
            ..LinkModel::default()
        };
        let mut rng = Seed::from_number(3).stream(Stream::run(Role::Network));
        let times: Vec<_> = (0..2000).map(|_| link.travel_time(&mut rng)).collect();
        let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
        assert!((20_000..20_050).contains(&least.as_micros()), "{least:?}");
        assert!((29_950..=30_000).contains(&most.as_micros()), "{most:?}");
    }
    /// A geometric number of losses: with loss ½ its mean is 1 and its variance 2. Over 20 000 frames the mean
    /// lies within five of its deviations, `5·√(2 / 20 000) = 0.05`, but for one draw in a million.
    #[test]
    fn losses_are_geometric() {
        let link = LinkModel {
            loss: Loss::try_new(0.5).unwrap(),
            ..LinkModel::default()
        };
        let mut rng = Seed::from_number(3).stream(Stream::run(Role::Network));
        let counts: Vec<u32> = (0..20_000).map(|_| link.losses(&mut rng)).collect();
        let mean = f64::from(counts.iter().sum::<u32>()) / 20_000.0;
        assert!((mean - 1.0).abs() < 0.05, "{mean}");
        assert!(counts.iter().any(|&count| count > 8));
        for nonsense in [-0.1, 0.95, f64::NAN] {
            assert!(Loss::try_new(nonsense).is_err());
        }
    }
}
