//! Vectors over the integers modulo 2³².

use serde::{Deserialize, Serialize};

/// A vector of integers modulo 2³². Read as signed, `-2³¹ … 2³¹ - 1`, it holds every sum that was planned to fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RingVector(Vec<u32>);

impl RingVector {
    /// A vector of `length` zeros.
    pub fn zeros(length: usize) -> Self {
        Self(vec![0; length])
    }

    /// How many integers there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The integers.
    pub fn as_slice(&self) -> &[u32] {
        &self.0
    }

    /// The integers, to change in place.
    pub fn as_mut_slice(&mut self) -> &mut [u32] {
        &mut self.0
    }

    /// The integers, by value.
    pub fn into_vec(self) -> Vec<u32> {
        self.0
    }

    /// The integers as signed numbers.
    pub fn signed(&self) -> impl Iterator<Item = i32> + '_ {
        self.0.iter().map(|word| word.cast_signed())
    }

    /// `self += other`, modulo 2³².
    ///
    /// # Panics
    /// If the lengths differ, which whoever takes summands in has checked.
    pub fn add(&mut self, other: &Self) {
        assert_eq!(self.len(), other.len(), "summands are of one length");
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine = mine.wrapping_add(*theirs);
        }
    }
}

impl From<Vec<u32>> for RingVector {
    fn from(words: Vec<u32>) -> Self {
        Self(words)
    }
}

impl FromIterator<i32> for RingVector {
    fn from_iter<I: IntoIterator<Item = i32>>(signed: I) -> Self {
        Self(signed.into_iter().map(i32::cast_unsigned).collect())
    }
}
