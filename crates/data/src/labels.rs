//! What is to be predicted about records: a class each, or a number each.

use crate::features::digest_of_u32s;
use primitives::{Digest, RecordId};
use std::ops::Range;

/// One entry for every record: its class, or the number that is its target.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// Classes, as indices into the data set's names of them.
    Classes(Vec<u32>),
    /// Targets of a regression.
    Targets(Vec<f32>),
}

/// [`Labels`] that lie elsewhere. Shape of either: `[records]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LabelSlice<'a> {
    /// Classes.
    Classes(&'a [u32]),
    /// Targets.
    Targets(&'a [f32]),
}

/// What is to be predicted about one record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Label {
    /// A class.
    Class(u32),
    /// A number.
    Target(f32),
}

/// What a data set's labels are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelKind {
    /// So many classes.
    Classes(usize),
    /// Numbers.
    Targets,
}

impl Labels {
    /// All of them, borrowed.
    pub fn as_slice(&self) -> LabelSlice<'_> {
        match self {
            Self::Classes(classes) => LabelSlice::Classes(classes),
            Self::Targets(targets) => LabelSlice::Targets(targets),
        }
    }

    /// Replaces these by the labels of `records` out of `all`. Memory is kept where both are of one kind.
    pub(crate) fn gather(&mut self, all: &Self, records: &[RecordId]) {
        match (self, all) {
            (Self::Classes(out), Self::Classes(all)) => {
                out.clear();
                out.extend(records.iter().map(|record| all[record.index()]));
            }
            (Self::Targets(out), Self::Targets(all)) => {
                out.clear();
                out.extend(records.iter().map(|record| all[record.index()]));
            }
            (out, Self::Classes(_)) => {
                *out = Self::Classes(Vec::new());
                out.gather(all, records);
            }
            (out, Self::Targets(_)) => {
                *out = Self::Targets(Vec::new());
                out.gather(all, records);
            }
        }
    }

    /// Adds one more; `false` if it is of the other kind.
    pub(crate) fn push(&mut self, label: Label) -> bool {
        match (self, label) {
            (Self::Classes(classes), Label::Class(class)) => classes.push(class),
            (Self::Targets(targets), Label::Target(target)) => targets.push(target),
            _ => return false,
        }
        true
    }

    /// A digest of every label.
    pub(crate) fn digest(&self) -> Digest {
        match self {
            Self::Classes(classes) => digest_of_u32s(classes.iter().copied()),
            Self::Targets(targets) => {
                // A first number that no class can be, so that targets are not taken for classes.
                let bits = targets.iter().map(|target| target.to_bits());
                digest_of_u32s(std::iter::once(u32::MAX).chain(bits))
            }
        }
    }
}

impl Default for Labels {
    fn default() -> Self {
        Self::Classes(Vec::new())
    }
}

impl From<Vec<u32>> for Labels {
    fn from(classes: Vec<u32>) -> Self {
        Self::Classes(classes)
    }
}

impl From<Vec<f32>> for Labels {
    fn from(targets: Vec<f32>) -> Self {
        Self::Targets(targets)
    }
}

impl FromIterator<u32> for Labels {
    fn from_iter<I: IntoIterator<Item = u32>>(classes: I) -> Self {
        Self::Classes(classes.into_iter().collect())
    }
}

impl<'a> LabelSlice<'a> {
    /// How many there are.
    pub const fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Targets(targets) => targets.len(),
        }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those at some places.
    ///
    /// # Panics
    /// If a place is beyond the last.
    #[must_use]
    pub fn range(&self, places: Range<usize>) -> Self {
        match self {
            Self::Classes(classes) => Self::Classes(&classes[places]),
            Self::Targets(targets) => Self::Targets(&targets[places]),
        }
    }

    /// Every label, in order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = Label> + use<'a> {
        (0..self.len()).map(move |place| self.at(place))
    }

    /// The label at a place.
    ///
    /// # Panics
    /// If the place is beyond the last.
    pub fn at(&self, place: usize) -> Label {
        match self {
            Self::Classes(classes) => Label::Class(classes[place]),
            Self::Targets(targets) => Label::Target(targets[place]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_takes_the_kind_of_what_it_gathers() {
        let records = [RecordId(2), RecordId(0)];
        let mut buffer = Labels::default();
        buffer.gather(&Labels::Targets(vec![0.5, 1.5, 2.5]), &records);
        assert_eq!(buffer, Labels::Targets(vec![2.5, 0.5]));
        assert_eq!(buffer.as_slice().at(1), Label::Target(0.5));
        assert_eq!(buffer.as_slice().range(1..2), LabelSlice::Targets(&[0.5]));
        buffer.gather(&Labels::Classes(vec![4, 5, 6]), &records);
        assert_eq!(buffer.as_slice(), LabelSlice::Classes(&[6, 4]));
    }

    #[test]
    fn targets_are_not_taken_for_classes() {
        let bits = Labels::Classes(vec![1.0_f32.to_bits()]);
        assert_ne!(bits.digest(), Labels::Targets(vec![1.0]).digest());
        assert_ne!(
            Labels::Targets(vec![2.0]).digest(),
            Labels::Targets(vec![1.0]).digest()
        );
    }
}
