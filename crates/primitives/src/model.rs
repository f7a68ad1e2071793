//! The flat model vector.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::sync::Arc;

/// All parameters of a model, or an update to them, as one flat vector. Shape: `[parameters]`.
///
/// The order of parameters is the training crate's layer order; nobody else interprets it.
///
/// Clones share their parameters until one of them is changed: a model goes out to a cohort of a
/// hundred, into a checkpoint and into a report as one piece of memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelVector(Arc<Vec<f32>>);

/// Two vectors that should describe the same model have different lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("model vector has {found} parameters, the federation's model has {expected}")]
pub struct ModelLengthError {
    /// Parameters of the model in use.
    pub expected: usize,
    /// Parameters that were given.
    pub found: usize,
}

impl ModelVector {
    /// A model of `parameters` zeros.
    pub fn zeros(parameters: usize) -> Self {
        vec![0.0; parameters].into()
    }

    /// How many parameters there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The parameters.
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }

    /// The parameters, to change in place; copied first if a clone shares them.
    pub fn as_mut_slice(&mut self) -> &mut [f32] {
        Arc::make_mut(&mut self.0).as_mut_slice()
    }

    /// The parameters, by value; copied if a clone shares them.
    pub fn into_vec(self) -> Vec<f32> {
        Arc::unwrap_or_clone(self.0)
    }

    /// Whether every parameter is a finite number.
    pub fn is_finite(&self) -> bool {
        // Without a branch for each, eight and more are looked at together.
        let finite = |block: &[f32]| {
            block
                .iter()
                .fold(true, |all, value| all & value.is_finite())
        };
        self.0.chunks(4096).all(finite)
    }

    /// L2 norm, summed in `f64`: in eight sums, each over every eighth parameter in order, which are then added in
    /// order.
    pub fn l2_norm(&self) -> f64 {
        let mut sums = [0.0_f64; 8];
        let (blocks, rest) = self.0.as_chunks::<8>();
        for block in blocks {
            for (sum, &value) in sums.iter_mut().zip(block) {
                *sum += f64::from(value) * f64::from(value);
            }
        }
        for (sum, &value) in sums.iter_mut().zip(rest) {
            *sum += f64::from(value) * f64::from(value);
        }
        sums.iter().sum::<f64>().sqrt()
    }

    /// `self += factor · other`, computed in `f32` in parameter order.
    ///
    /// # Errors
    /// If the lengths differ.
    pub fn add_scaled(&mut self, factor: f32, other: &Self) -> Result<(), ModelLengthError> {
        self.check_length(other)?;
        for (mine, theirs) in self.as_mut_slice().iter_mut().zip(other.as_slice()) {
            *mine += factor * theirs;
        }
        Ok(())
    }

    /// `self − other`: the update that leads from `other` to `self`.
    ///
    /// # Errors
    /// If the lengths differ.
    pub fn minus(&self, other: &Self) -> Result<Self, ModelLengthError> {
        self.check_length(other)?;
        let pairs = self.0.iter().zip(other.as_slice());
        Ok(pairs
            .map(|(mine, theirs)| mine - theirs)
            .collect::<Vec<_>>()
            .into())
    }

    /// `Ok` if `other` has as many parameters as `self`.
    ///
    /// # Errors
    /// If it has not.
    pub fn check_length(&self, other: &Self) -> Result<(), ModelLengthError> {
        if self.len() == other.len() {
            Ok(())
        } else {
            Err(ModelLengthError {
                expected: self.len(),
                found: other.len(),
            })
        }
    }
}

impl From<Vec<f32>> for ModelVector {
    fn from(values: Vec<f32>) -> Self {
        Self(Arc::new(values))
    }
}

impl Serialize for ModelVector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ModelVector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_added_to_where_it_began_leads_to_where_it_ended() {
        let before = ModelVector::from(vec![1.0, -2.0, 0.5]);
        let after = ModelVector::from(vec![1.5, -2.0, 0.25]);
        let update = after.minus(&before).unwrap();
        let mut walked = before.clone();
        walked.add_scaled(1.0, &update).unwrap();
        assert_eq!(walked, after);
        assert!((update.l2_norm() - 0.3125_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_norm_is_that_of_a_plain_loop_whatever_the_length() {
        for length in [0, 1, 7, 8, 9, 100, 4097] {
            let values: Vec<f32> = (0..length).map(|i| (i as f32 * 0.37).sin() * 3.0).collect();
            let plain = values
                .iter()
                .map(|&v| f64::from(v).powi(2))
                .sum::<f64>()
                .sqrt();
            let mut model = ModelVector::from(values);
            assert!((model.l2_norm() - plain).abs() <= 1e-12 * plain, "{length}");
            assert!(model.is_finite());
            if let Some(last) = model.as_mut_slice().last_mut() {
                *last = f32::INFINITY;
                assert!(!model.is_finite() && !model.l2_norm().is_finite());
            }
        }
    }

    #[test]
    fn a_clone_that_is_changed_leaves_the_others_as_they_were() {
        let model = ModelVector::from(vec![1.0, 2.0]);
        let mut trained = model.clone();
        assert_eq!(trained.as_slice().as_ptr(), model.as_slice().as_ptr());
        trained.as_mut_slice()[0] = 5.0;
        assert_eq!(model.as_slice(), [1.0, 2.0]);
        assert_eq!(trained.into_vec(), [5.0, 2.0]);
    }

    #[test]
    fn vectors_of_different_models_do_not_mix() {
        let error = ModelVector::zeros(3)
            .minus(&ModelVector::zeros(2))
            .unwrap_err();
        assert_eq!(
            error,
            ModelLengthError {
                expected: 3,
                found: 2
            }
        );
    }
}
