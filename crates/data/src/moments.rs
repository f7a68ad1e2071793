//! Mean and variance of some numbers.

/// What some numbers are on average, and how far they lie about it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Their mean.
    pub mean: f64,
    /// Their mean squared deviation from it: the numbers are all there are, and no sample of more.
    pub variance: f64,
}

impl Moments {
    /// The moments of `values`; not a number if there are none.
    pub fn of(values: impl Iterator<Item = f32> + Clone) -> Self {
        let values = values.map(f64::from);
        let count = values.clone().count() as f64;
        let mean = values.clone().sum::<f64>() / count;
        let squares = values.map(|value| (value - mean).powi(2));
        Self {
            mean,
            variance: squares.sum::<f64>() / count,
        }
    }

    /// The square root of the variance.
    pub fn deviation(self) -> f64 {
        self.variance.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_over_all_there_are() {
        let moments = Moments::of([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0].into_iter());
        let found = (moments.mean, moments.variance, moments.deviation());
        assert_eq!(found, (5.0, 4.0, 2.0));
        assert!(Moments::of(std::iter::empty()).mean.is_nan());
    }
}
