//! The rows of a batch in the order in which they are clipped.

use crate::Clipping;
use std::ops::Range;

/// A batch's rows with the rows of a unit side by side, and what each row counts.
#[derive(Default)]
pub(crate) struct Arrangement {
    order: Vec<u32>,
    /// What a row's loss is multiplied with before its unit's gradient is clipped.
    before: Vec<f32>,
    /// What a row's gradient is multiplied with after it was clipped.
    after: Vec<f32>,
    /// Where each unit ends in `order`.
    unit_ends: Vec<usize>,
}

/// Some whole units of a batch.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    /// Rows of the batch.
    pub(crate) rows: &'a [u32],
    /// By place in `rows`; see [`Arrangement`].
    pub(crate) before: &'a [f32],
    /// By place in `rows`; the same for all rows of a unit.
    pub(crate) after: &'a [f32],
    /// How the places fall into units.
    pub(crate) units: Units<'a>,
}

/// The units of a part, whose gradients are clipped: each a run of one or more rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Units<'a> {
    start: usize,
    ends: &'a [usize],
}

impl Arrangement {
    /// Arranges a batch by the subject of each row. Subjects come in the order of their numbers, rows of a subject in
    /// their own.
    pub(crate) fn arrange(&mut self, subjects: &[u32], clipping: &Clipping) {
        let rows = subjects.len();
        self.order.clear();
        self.order.extend(0..rows as u32);
        for weights in [&mut self.before, &mut self.after] {
            weights.clear();
            weights.resize(rows, 1.0);
        }
        self.unit_ends.clear();
        let (of_row, of_subject) = match clipping {
            Clipping::Nothing | Clipping::Records(_) => (true, None),
            Clipping::RecordsInSubjectMeans(_) => (true, Some(&mut self.after)),
            Clipping::SubjectMeans(_) => (false, Some(&mut self.before)),
        };
        if of_row {
            self.unit_ends.extend(1..=rows);
        }
        let Some(weights) = of_subject else { return };
        self.order
            .sort_unstable_by_key(|&row| (subjects[row as usize], row));
        let same_subject = |a: &u32, b: &u32| subjects[*a as usize] == subjects[*b as usize];
        let mut start = 0;
        for rows in self.order.chunk_by(same_subject) {
            let end = start + rows.len();
            weights[start..end].fill(1.0 / rows.len() as f32);
            if !of_row {
                self.unit_ends.push(end);
            }
            start = end;
        }
    }

    /// How many units there are.
    pub(crate) fn units(&self) -> usize {
        self.unit_ends.len()
    }

    /// Rows of the longest unit.
    pub(crate) fn longest(&self) -> usize {
        self.all().longest()
    }

    fn all(&self) -> Units<'_> {
        Units {
            start: 0,
            ends: &self.unit_ends,
        }
    }

    /// The units numbered `units`, as far as there are any.
    pub(crate) fn part(&self, units: Range<usize>) -> Option<Part<'_>> {
        let ends = self
            .unit_ends
            .get(units.start..units.end.min(self.units()))?;
        let end = *ends.last()?;
        let start = match units.start {
            0 => 0,
            first => self.unit_ends[first - 1],
        };
        let places = start..end;
        Some(Part {
            rows: &self.order[places.clone()],
            before: &self.before[places.clone()],
            after: &self.after[places],
            units: Units { start, ends },
        })
    }

    /// The batch in parts of at most `limit` rows each; a longer unit is a part of its own.
    pub(crate) fn parts(&self, limit: usize) -> impl Iterator<Item = Part<'_>> {
        let (mut start, mut first) = (0, 0);
        std::iter::from_fn(move || {
            let fitting = self.unit_ends[first..].partition_point(|&end| end - start <= limit);
            let part = self.part(first..first + fitting.max(1))?;
            first += part.units.len();
            start += part.rows.len();
            Some(part)
        })
    }
}

impl Units<'_> {
    pub(crate) const fn len(&self) -> usize {
        self.ends.len()
    }

    /// The places of a unit.
    pub(crate) fn rows(&self, unit: usize) -> Range<usize> {
        let start = if unit == 0 {
            self.start
        } else {
            self.ends[unit - 1]
        };
        start - self.start..self.ends[unit] - self.start
    }

    /// Rows of all units.
    pub(crate) fn total_rows(&self) -> usize {
        self.ends.last().map_or(0, |end| end - self.start)
    }

    /// Rows of the longest unit.
    pub(crate) fn longest(&self) -> usize {
        (0..self.len())
            .map(|unit| self.rows(unit).len())
            .max()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use accounting::ClipNorm;

    #[test]
    fn units_stay_whole_and_every_row_comes_once() {
        let batch = [4, 2, 4, 9, 4, 4, 2];
        let norm = ClipNorm::try_new(1.0).unwrap().into();
        let mut arrangement = Arrangement::default();
        arrangement.arrange(&batch, &Clipping::SubjectMeans(norm));
        let parts: Vec<_> = arrangement
            .parts(3)
            .map(|part| (part.rows.to_vec(), part.before.to_vec(), part.units.len()))
            .collect();
        assert_eq!(
            parts,
            [
                (vec![1, 6], vec![0.5; 2], 1),
                (vec![0, 2, 4, 5], vec![0.25; 4], 1),
                (vec![3], vec![1.0], 1),
            ]
        );
        arrangement.arrange(&batch, &Clipping::RecordsInSubjectMeans(norm));
        let part = arrangement.parts(10).next().unwrap();
        assert_eq!(part.after, [0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 1.0]);
        assert_eq!((part.units.len(), part.units.longest()), (7, 1));
        arrangement.arrange(&batch, &Clipping::Records(norm));
        let sizes: Vec<usize> = arrangement
            .parts(3)
            .map(|part| part.units.total_rows())
            .collect();
        assert_eq!(sizes, [3, 3, 1]);
        arrangement.arrange(&[], &Clipping::Nothing);
        assert_eq!(arrangement.parts(3).count(), 0);
    }
}
