//! When a silo cannot be reached.

use crate::{Seconds, SecondsError};
use primitives::{Role, Round, Seed, SiloId, Stream};
use rand::Rng;
use rand_chacha::ChaCha20Rng;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a silo comes and goes. It starts out up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Outages {
    /// Down from one second to another, as written.
    Trace {
        /// Pairs of begin and end, in seconds of the run, in order and apart.
        seconds: Trace,
    },
    /// Up and down by turns, each for an exponentially distributed time: an alternating renewal process.
    Random {
        /// Mean time up.
        mean_up_seconds: Seconds,
        /// Mean time down.
        mean_down_seconds: Seconds,
    },
}

/// Intervals in order, apart from each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<[f64; 2]>", into = "Vec<[f64; 2]>")]
pub struct Trace(Vec<[Seconds; 2]>);

/// Intervals that are no trace.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum TraceError {
    /// A bound that is no time.
    #[error(transparent)]
    Seconds(#[from] SecondsError),
    /// An interval that is empty, or begins before the last one has ended.
    #[error(
        "[{0}, {1}] ends before it begins, or begins before the interval before it has ended: give pairs of begin and \
         end in order, e.g. [[100, 200], [400, 450]]"
    )]
    Order(f64, f64),
}

impl TryFrom<Vec<[f64; 2]>> for Trace {
    type Error = TraceError;

    fn try_from(pairs: Vec<[f64; 2]>) -> Result<Self, TraceError> {
        let mut trace: Vec<[Seconds; 2]> = Vec::with_capacity(pairs.len());
        for [begin, end] in pairs {
            let pair = [Seconds::try_new(begin)?, Seconds::try_new(end)?];
            let after_the_last = trace.last().is_none_or(|last| last[1] < pair[0]);
            if pair[0] >= pair[1] || !after_the_last {
                return Err(TraceError::Order(begin, end));
            }
            trace.push(pair);
        }
        Ok(Self(trace))
    }
}

impl From<Trace> for Vec<[f64; 2]> {
    fn from(trace: Trace) -> Self {
        trace
            .0
            .into_iter()
            .map(|pair| pair.map(f64::from))
            .collect()
    }
}

/// Follows one silo's outages through time.
///
/// The moments of change follow from the seed and the silo alone, whoever asks from whenever on.
#[derive(Debug)]
pub struct OutageClock {
    changes: Changes,
    up: bool,
    /// When `up` changes next, if ever.
    next: Option<Duration>,
}

#[derive(Debug)]
enum Changes {
    Trace(std::vec::IntoIter<Duration>),
    Random {
        rng: Box<ChaCha20Rng>,
        mean_up: Duration,
        mean_down: Duration,
    },
}

impl OutageClock {
    /// The clock of `silo` at time zero; random times come out of a stream of `seed` for [`Role::Network`].
    pub fn new(outages: &Outages, seed: &Seed, silo: SiloId) -> Self {
        let changes = match outages {
            Outages::Trace { seconds } => {
                let moments: Vec<Duration> =
                    seconds.0.iter().flatten().map(|at| at.duration()).collect();
                Changes::Trace(moments.into_iter())
            }
            Outages::Random {
                mean_up_seconds,
                mean_down_seconds,
            } => Changes::Random {
                rng: Box::new(seed.stream(Stream::silo(Role::Network, silo, Round(0)))),
                mean_up: mean_up_seconds.duration(),
                mean_down: mean_down_seconds.duration(),
            },
        };
        let mut clock = Self {
            changes,
            up: true,
            next: None,
        };
        clock.next = clock.change_after(Duration::ZERO);
        clock
    }

    /// Whether the silo is up.
    pub const fn is_up(&self) -> bool {
        self.up
    }

    /// When that changes, if ever.
    pub const fn next_change(&self) -> Option<Duration> {
        self.next
    }

    /// Goes on to `now`: a change at `now` itself has happened.
    pub fn advance_to(&mut self, now: Duration) {
        while let Some(at) = self.next.filter(|&at| at <= now) {
            self.up = !self.up;
            self.next = self.change_after(at);
        }
    }

    /// The change after the one at `at`.
    fn change_after(&mut self, at: Duration) -> Option<Duration> {
        match &mut self.changes {
            Changes::Trace(moments) => moments.next(),
            Changes::Random {
                rng,
                mean_up,
                mean_down,
            } => {
                let mean = if self.up { *mean_up } else { *mean_down };
                Some(at + exponential(mean, rng))
            }
        }
    }
}

/// `−mean · ln u`, with `u` uniform over the multiples of 2⁻⁵³ in `(0, 1]`; at least a nanosecond, so that time
/// goes on.
fn exponential(mean: Duration, rng: &mut impl Rng) -> Duration {
    let uniform = ((rng.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    let time = mean.mul_f64(-libm::log(uniform));
    time.max(Duration::from_nanos(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(value: f64) -> Seconds {
        Seconds::try_new(value).unwrap()
    }

    #[test]
    fn a_trace_is_followed_as_written() {
        let text = "kind = \"trace\"\nseconds = [[10, 20.5], [30, 31]]";
        let outages: Outages = toml::from_str(text).unwrap();
        let mut clock = OutageClock::new(&outages, &Seed::from_number(1), SiloId(0));
        let at = |clock: &mut OutageClock, ms| {
            clock.advance_to(Duration::from_millis(ms));
            clock.is_up()
        };
        let states = [0, 9_999, 10_000, 20_499, 20_500, 30_000, 31_000, 999_999];
        let up = states.map(|ms| at(&mut clock, ms));
        assert_eq!(up, [true, true, false, false, true, false, true, true]);
        assert_eq!(clock.next_change(), None);
    }

    #[test]
    fn intervals_out_of_order_are_no_trace() {
        for wrong in [
            "[[5, 5]]",
            "[[6, 5]]",
            "[[1, 3], [2, 4]]",
            "[[1, 3], [3, 4]]",
            "[[-1, 3]]",
        ] {
            let text = format!("kind = \"trace\"\nseconds = {wrong}");
            assert!(toml::from_str::<Outages>(&text).is_err(), "{wrong}");
        }
    }

    /// The share of time down is `down / (up + down) = ¼`. Over 4000 cycles its deviation is about
    /// `√(2 · 4000) · ¾ · ¼ / 4000 = 0.0042`; five of them are a false alarm in a million.
    #[test]
    fn random_outages_take_their_share_of_the_time_and_are_the_same_from_anywhere() {
        let outages = Outages::Random {
            mean_up_seconds: seconds(30.0),
            mean_down_seconds: seconds(10.0),
        };
        let seed = Seed::from_number(5);
        let mut clock = OutageClock::new(&outages, &seed, SiloId(3));
        let (mut down, mut now) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..8000 {
            let next = clock.next_change().unwrap();
            if !clock.is_up() {
                down += next.saturating_sub(now);
            }
            now = next;
            clock.advance_to(now);
        }
        let share = down.as_secs_f64() / now.as_secs_f64();
        assert!((share - 0.25).abs() < 0.021, "{share}");
        let mut again = OutageClock::new(&outages, &seed, SiloId(3));
        again.advance_to(now);
        assert_eq!(
            (again.is_up(), again.next_change()),
            (clock.is_up(), clock.next_change())
        );
    }
}
