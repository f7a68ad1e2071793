//! Virtual time as people write it.

use primitives::{Seed, Stream};
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A time in seconds: at least 0, at most [`Seconds::MOST`].
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Seconds(f64);

/// A number that is no time.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{0} is outside 0 to 1000000000 seconds")]
pub struct SecondsError(f64);

impl Seconds {
    /// Some thirty years.
    pub const MOST: f64 = 1e9;

    /// A time in seconds.
    ///
    /// # Errors
    /// Below 0, above [`Seconds::MOST`], or not a number.
    pub fn try_new(value: f64) -> Result<Self, SecondsError> {
        if (0.0..=Self::MOST).contains(&value) {
            Ok(Self(value))
        } else {
            Err(SecondsError(value))
        }
    }

    /// As a duration, to the nanosecond.
    pub fn duration(self) -> Duration {
        Duration::from_secs_f64(self.0)
    }

    /// A uniformly drawn part of it, out of a stream of its own.
    pub fn draw_part(self, seed: &Seed, stream: Stream) -> Duration {
        part_of(self.duration(), &mut seed.stream(stream))
    }

    /// Whether it is no time at all.
    pub fn is_zero(&self) -> bool {
        self.0 <= 0.0
    }
}

/// A time of at most `most`, uniformly, to the nanosecond.
pub(crate) fn part_of(most: Duration, rng: &mut impl Rng) -> Duration {
    // A multiple of 2⁻⁶⁴ of it: the bias is below a nanosecond.
    let nanos = (u128::from(rng.next_u64()) * (most.as_nanos() + 1)) >> 64;
    Duration::from_nanos(nanos as u64)
}

impl TryFrom<f64> for Seconds {
    type Error = SecondsError;

    fn try_from(value: f64) -> Result<Self, SecondsError> {
        Self::try_new(value)
    }
}

impl From<Seconds> for f64 {
    fn from(seconds: Seconds) -> Self {
        seconds.0
    }
}
