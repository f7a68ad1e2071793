//! Real numbers as integers, so that a sum cannot leave its range.

use crate::RingVector;

/// The largest sum that the ring holds as a signed number.
pub(crate) const LARGEST_SUM: u32 = i32::MAX as u32;

/// Numbers between `-range` and `range` in `2 L + 1` steps, with `L = ⌊(2³¹ - 1) / summands⌋`.
///
/// Each summand is an integer of at most `L`, so a sum of `summands` of them is at most 2³¹ - 1: it cannot
/// overflow. A number outside the range becomes the nearest one inside. The error of a coordinate of the mean is at
/// most half a step, `range / 2L`: for a range of 16 and ten summands 4e-8.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FixedPoint {
    range: f64,
    levels: u32,
}

/// A range or a number of summands that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum FixedPointError {
    /// The range is no positive number.
    #[error(
        "range {0} is no positive finite number: give the largest magnitude of a coordinate of an update, e.g. 16.0"
    )]
    Range(f64),
    /// Nothing is summed, or more than leaves a step each.
    #[error("{0} summands; allowed is 1 to 65536")]
    Summands(u32),
}

impl FixedPoint {
    /// Steps for sums of at most `summands` numbers of at most `range`.
    ///
    /// # Errors
    /// If the range is not a positive number, or there is nothing to sum or more than 65536.
    pub fn try_new(range: f64, summands: u32) -> Result<Self, FixedPointError> {
        if !range.is_finite() || range <= 0.0 {
            return Err(FixedPointError::Range(range));
        }
        if summands == 0 || summands > 1 << 16 {
            return Err(FixedPointError::Summands(summands));
        }
        let levels = LARGEST_SUM / summands;
        Ok(Self { range, levels })
    }

    /// The nearest step of each value, ties to even.
    pub fn encode(&self, values: &[f32]) -> RingVector {
        let levels = f64::from(self.levels);
        let step = |&value: &f32| {
            let scaled = f64::from(value) / self.range * levels;
            scaled.round_ties_even().clamp(-levels, levels) as i32
        };
        values.iter().map(step).collect()
    }

    /// The numbers that a sum of summands stands for, over `divisor`.
    pub fn decode(&self, sum: &RingVector, divisor: f64) -> Vec<f32> {
        let step = self.range / f64::from(self.levels) / divisor;
        sum.signed()
            .map(|word| (f64::from(word) * step) as f32)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn golden_steps() {
        let code = FixedPoint::try_new(2.0, 2).unwrap();
        // L = (2³¹ - 1) / 2 = 1073741823.
        let words = code.encode(&[2.0, -2.0, 1e9, 1.0, 0.0]);
        let signed: Vec<i32> = words.signed().collect();
        assert_eq!(
            signed,
            [1_073_741_823, -1_073_741_823, 1_073_741_823, 536_870_912, 0]
        );
        assert_eq!(code.decode(&words, 1.0), [2.0, -2.0, 2.0, 1.0, 0.0]);
    }

    #[test]
    fn what_cannot_be_summed_is_refused() {
        assert_eq!(
            FixedPoint::try_new(1.0, 0),
            Err(FixedPointError::Summands(0))
        );
        assert_eq!(
            FixedPoint::try_new(0.0, 1),
            Err(FixedPointError::Range(0.0))
        );
        assert!(FixedPoint::try_new(f64::NAN, 1).is_err());
    }

    proptest! {
        /// Even if every summand is at the end of the range.
        #[test]
        fn a_sum_never_overflows(summands in 1u32..300, range in 1e-3f64..1e3, scale in 0.0f64..2.0) {
            let code = FixedPoint::try_new(range, summands).unwrap();
            let value = (range * scale) as f32;
            let mut sum = RingVector::zeros(2);
            for _ in 0..summands {
                sum.add(&code.encode(&[value, -value]));
            }
            let mean = code.decode(&sum, f64::from(summands));
            let expected = f64::from(value).min(range);
            let half_a_step = range * f64::from(summands) / f64::from(LARGEST_SUM);
            prop_assert!((f64::from(mean[0]) - expected).abs() <= half_a_step + expected * 1e-7);
            prop_assert_eq!(mean[0].to_bits(), (-mean[1]).to_bits());
        }
    }
}
