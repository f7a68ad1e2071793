//! Matrices laid over slices.

/// A matrix laid over a slice. Entry `(i, j)` lies at `i · row_stride + j · column_stride`.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// One of the two strides is one.
    pub(crate) row_stride: usize,
    pub(crate) column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// The rows of `values` one after another. Shape: `[rows, columns]`.
    ///
    /// # Panics
    /// If `values` is shorter than `rows · columns`.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(values, rows, columns, columns)
    }

    /// As [`Matrix::new`], with the beginnings of two rows `row_stride` entries apart.
    ///
    /// # Panics
    /// If the last entry would lie outside `values`.
    pub fn strided(values: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert!(
            extent(rows, columns, row_stride) <= values.len(),
            "a [{rows}, {columns}] matrix with row stride {row_stride} needs more than {} entries",
            values.len()
        );
        Self {
            values,
            rows,
            columns,
            row_stride,
            column_stride: 1,
        }
    }

    /// The same entries with rows and columns exchanged.
    #[must_use]
    pub const fn transposed(self) -> Self {
        Self {
            values: self.values,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }

    /// Whether the entries of a column lie side by side, and not those of a row.
    pub(crate) const fn is_transposed(&self) -> bool {
        self.column_stride != 1
    }
}

/// What a product does with the numbers that are already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// Replace them.
    Replace,
    /// Add to them.
    Add,
}

/// Entries from the first to the last of a matrix, both included.
pub(crate) const fn extent(rows: usize, columns: usize, row_stride: usize) -> usize {
    if rows == 0 || columns == 0 {
        0
    } else {
        (rows - 1) * row_stride + columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "needs more than 3 entries")]
    fn a_view_past_the_end_is_refused() {
        let _ = Matrix::new(&[0.0; 3], 2, 2);
    }
}
