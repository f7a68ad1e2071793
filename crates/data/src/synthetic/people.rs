//! Who is in a generated data set, and whose every record is.

use crate::Split;
use primitives::SubjectId;

/// The subjects of a generator: those of the train split first, the population after them.
pub(super) struct People {
    /// How many records every subject has.
    pub counts: Vec<u32>,
    /// Subjects of the train split.
    pub train: u32,
}

impl People {
    /// How many records there are.
    pub(super) fn records(&self) -> usize {
        self.counts.iter().map(|&count| count as usize).sum()
    }

    /// The name of every subject.
    pub(super) fn names(&self) -> Vec<String> {
        (0..self.counts.len())
            .map(|subject| format!("s{subject}"))
            .collect()
    }

    /// The subject of every record: records lie subject after subject.
    pub(super) fn subjects(&self) -> Vec<SubjectId> {
        self.of_records(SubjectId)
    }

    /// The split of every record.
    pub(super) fn splits(&self) -> Vec<Split> {
        self.of_records(|subject| {
            if subject < self.train {
                Split::Train
            } else {
                Split::Test
            }
        })
    }

    fn of_records<T: Clone>(&self, of: impl Fn(u32) -> T) -> Vec<T> {
        let subjects = self.counts.iter().zip(0..);
        subjects
            .flat_map(|(&count, subject)| std::iter::repeat_n(of(subject), count as usize))
            .collect()
    }
}
