//! Sums of which nobody sees a summand.
//!
//! * [`RingVector`]: what is summed, integers modulo 2³². [`FixedPoint`] turns updates into them and sums back.
//! * [`Member`] and [`Collector`]: the masking protocol, as two state machines without input or output.
//! * [`DistributedNoise`]: clipped summands that each carry a share of discrete Gaussian noise.
//!
//! Addition in the ring is exact, so a sum is the same number for number whether its summands were masked or not, in
//! whichever order they came.

mod collector;
mod discrete_gaussian;
mod fixed_point;
mod keys;
mod mask;
mod member;
mod noise;
mod plan;
mod ring;
mod shamir;

pub use collector::{Collector, MemberRefusal, TooFew, WrongShares};
pub use discrete_gaussian::DiscreteGaussian;
pub use fixed_point::{FixedPoint, FixedPointError};
pub use keys::{PublicKeys, RoundSecret, Sealed, Setting};
pub use mask::Masks;
pub use member::{FromMember, Member, MemberError, Opened, ToMember};
pub use noise::{DistributedNoise, NoiseError};
pub use plan::{SumCode, SumPlan};
pub use ring::RingVector;

/// The most members of a masked sum: a Shamir share over GF(2⁸) has one of 255 places.
pub const MOST_MEMBERS: usize = 255;
