//! The matrix product.
//!
//! The right factor is packed into panels a few vectors wide, and a tile of rows and one panel at a time stays in
//! registers. An entry is a chain of fused products and sums over the inner dimension, first to last, in equal
//! parts of at most 512: the same roundings in the same order whatever vectors the machine has, so every
//! machine gets the same bits. One without fused instructions gets them slowly.
//!
//! Nothing is allocated once the largest panel has been seen.

// What is called in a loop must be compiled with the loop's vectors.
#![allow(clippy::inline_always)]

use crate::matrix::extent;
use crate::panels::{PANEL, aligned, blocks, cut, depths, pack, room};
use crate::{Matrix, Write};
use pulp::{Arch, Simd, WithSimd};
use std::cell::RefCell;

/// Rows that go through the panels of a block before others do.
const ROWS: usize = 64;

thread_local! {
    /// Room for the panels of a block.
    static PANELS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// A right factor that is multiplied with many times.
#[derive(Debug, Default)]
pub struct Packed {
    panels: Vec<f32>,
    rows: usize,
    columns: usize,
}

impl Packed {
    /// Room for one.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            panels: Vec::new(),
            rows: 0,
            columns: 0,
        }
    }

    /// Takes over the entries of `right`.
    pub fn pack(&mut self, right: Matrix<'_>) {
        (self.rows, self.columns) = (right.rows, right.columns);
        Arch::new().dispatch(Pack {
            panels: &mut self.panels,
            right,
        });
    }
}

/// `out = left · right`, or `out += left · right`, in `f32`, on this thread.
///
/// `out`: `[left.rows, right.columns]`, rows `out_row_stride` apart. An empty inner dimension gives zeros.
///
/// # Panics
/// If the inner dimensions differ, if rows of `out` overlap, or if `out` is too short.
pub fn matmul(
    out: &mut [f32],
    out_row_stride: usize,
    write: Write,
    left: Matrix<'_>,
    right: Matrix<'_>,
) {
    assert_eq!(
        left.columns, right.rows,
        "inner dimensions of a product differ"
    );
    let target = Target::new(out, out_row_stride, write, left.rows, right.columns);
    multiply(target, left, right);
}

/// As [`matmul`], with a right factor that was packed before.
///
/// # Panics
/// As [`matmul`].
pub fn matmul_packed(
    out: &mut [f32],
    out_row_stride: usize,
    write: Write,
    left: Matrix<'_>,
    right: &Packed,
) {
    assert_eq!(
        left.columns, right.rows,
        "inner dimensions of a product differ"
    );
    let target = Target::new(out, out_row_stride, write, left.rows, right.columns);
    let panels = &right.panels[aligned(&right.panels)..];
    Arch::new().dispatch(Product {
        target,
        left,
        right: Right::Packed(panels),
    });
}

/// Writes the inner products of the rows of a matrix: entry `(i, j)` of `out` for `j ≤ i`; the others are undefined.
///
/// `out`: `[rows, rows]`.
///
/// # Panics
/// If `out` is too short.
pub fn gram(out: &mut [f32], rows: Matrix<'_>) {
    let mut target = Target::new(out, rows.rows, Write::Replace, rows.rows, rows.rows);
    target.lower = true;
    multiply(target, rows, rows.transposed());
}

fn multiply(target: Target<'_>, left: Matrix<'_>, right: Matrix<'_>) {
    PANELS.with_borrow_mut(|panels| {
        Arch::new().dispatch(Product {
            target,
            left,
            right: Right::Plain(right, panels),
        });
    });
}

/// Where a product goes.
struct Target<'a> {
    out: &'a mut [f32],
    row_stride: usize,
    columns: usize,
    add: bool,
    /// Whether only entries up to the diagonal are wanted.
    lower: bool,
}

impl<'a> Target<'a> {
    fn new(
        out: &'a mut [f32],
        row_stride: usize,
        write: Write,
        rows: usize,
        columns: usize,
    ) -> Self {
        assert!(
            rows <= 1 || row_stride >= columns,
            "rows of a product overlap"
        );
        assert!(
            extent(rows, columns, row_stride) <= out.len(),
            "the product does not fit"
        );
        Self {
            out,
            row_stride,
            columns,
            add: write == Write::Add,
            lower: false,
        }
    }
}

enum Right<'a> {
    Plain(Matrix<'a>, &'a mut Vec<f32>),
    Packed(&'a [f32]),
}

struct Pack<'a> {
    panels: &'a mut Vec<f32>,
    right: Matrix<'a>,
}

impl WithSimd for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { panels, right } = self;
        let width = right.columns.div_ceil(S::F32_LANES) * S::F32_LANES;
        let mut rest = room(panels, right.rows * width);
        for (from, to) in depths(right.rows) {
            for block in blocks::<S>(right.columns) {
                let floats = (to - from) * block.vectors * S::F32_LANES;
                let (mine, others) = rest.split_at_mut(floats);
                pack(simd, right, (from, to), block, mine);
                rest = others;
            }
        }
    }
}

struct Product<'a> {
    target: Target<'a>,
    left: Matrix<'a>,
    right: Right<'a>,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            mut target,
            left,
            mut right,
        } = self;
        if left.columns == 0 && !target.add {
            let rows = target.out.chunks_mut(target.row_stride.max(1));
            for row in rows.take(left.rows) {
                row[..target.columns].fill(0.0);
            }
        }
        for (from, to) in depths(left.columns) {
            for block in blocks::<S>(target.columns) {
                let floats = (to - from) * block.vectors * S::F32_LANES;
                let panels: &[f32] = match &mut right {
                    Right::Packed(panels) => panels.split_off(..floats).unwrap_or_default(),
                    Right::Plain(matrix, buffer) => {
                        let panels = room(buffer, floats);
                        pack(simd, *matrix, (from, to), block, panels);
                        panels
                    }
                };
                for first in (0..left.rows).step_by(ROWS) {
                    let rows = (first, left.rows.min(first + ROWS));
                    let mut panels = panels;
                    for piece in cut::<S>(block, PANEL) {
                        let floats = (to - from) * piece.vectors * S::F32_LANES;
                        let panel = panels.split_off(..floats).unwrap_or_default();
                        let panel = S::as_simd_f32s(panel).0;
                        let mut strip = Strip {
                            target: &mut target,
                            left,
                            from,
                            first: piece.first,
                        };
                        match (S::F32_LANES >= 16, piece.vectors) {
                            (true, 1) => strip.multiply::<S, 8, 1>(simd, rows, panel),
                            (true, 2) => strip.multiply::<S, 8, 2>(simd, rows, panel),
                            (true, _) => strip.multiply::<S, 8, PANEL>(simd, rows, panel),
                            (false, 1) => strip.multiply::<S, 4, 1>(simd, rows, panel),
                            (false, 2) => strip.multiply::<S, 4, 2>(simd, rows, panel),
                            (false, _) => strip.multiply::<S, 4, PANEL>(simd, rows, panel),
                        }
                    }
                }
            }
            target.add = true;
        }
    }
}

/// The entries below one panel.
struct Strip<'a, 'b> {
    target: &'a mut Target<'b>,
    left: Matrix<'a>,
    /// Where the panel begins in the inner dimension.
    from: usize,
    /// Its first column.
    first: usize,
}

impl Strip<'_, '_> {
    #[inline(always)]
    fn multiply<S: Simd, const TALL: usize, const WIDE: usize>(
        &mut self,
        simd: S,
        (mut row, end): (usize, usize),
        panel: &[S::f32s],
    ) {
        let panel = panel.as_chunks::<WIDE>().0;
        if self.target.lower {
            row = row.max(self.first);
        }
        while row + TALL <= end {
            self.tile::<S, TALL, WIDE>(simd, row, panel);
            row += TALL;
        }
        while row + 2 <= end {
            self.tile::<S, 2, WIDE>(simd, row, panel);
            row += 2;
        }
        if row < end {
            self.tile::<S, 1, WIDE>(simd, row, panel);
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const TALL: usize, const WIDE: usize>(
        &mut self,
        simd: S,
        row: usize,
        panel: &[[S::f32s; WIDE]],
    ) {
        let Matrix {
            values,
            row_stride,
            column_stride,
            ..
        } = self.left;
        let sums: [_; TALL] = if self.left.is_transposed() {
            let values = &values[self.from * column_stride + row..];
            sums(simd, panel, |p| {
                let column = &values[p * column_stride..][..TALL];
                std::array::from_fn(|i| column[i])
            })
        } else {
            let rows: [&[f32]; TALL] = std::array::from_fn(|i| {
                &values[(row + i) * row_stride + self.from..][..panel.len()]
            });
            sums(simd, panel, |p| std::array::from_fn(|i| rows[i][p]))
        };
        let width = (WIDE * S::F32_LANES).min(self.target.columns - self.first);
        for (i, sums) in sums.iter().enumerate() {
            let start = (row + i) * self.target.row_stride + self.first;
            let out = &mut self.target.out[start..start + width];
            let (whole, rest) = S::as_mut_simd_f32s(out);
            for (out, &sum) in whole.iter_mut().zip(sums) {
                *out = if self.target.add {
                    simd.add_f32s(*out, sum)
                } else {
                    sum
                };
            }
            if let Some(&sum) = sums.get(whole.len()) {
                let sum = if self.target.add {
                    simd.add_f32s(simd.partial_load_f32s(rest), sum)
                } else {
                    sum
                };
                simd.partial_store_f32s(rest, sum);
            }
        }
    }
}

/// The products of `TALL` rows with a panel. `left` gives their entries at a place of the inner dimension.
#[inline(always)]
fn sums<S: Simd, const TALL: usize, const WIDE: usize>(
    simd: S,
    panel: &[[S::f32s; WIDE]],
    left: impl Fn(usize) -> [f32; TALL],
) -> [[S::f32s; WIDE]; TALL] {
    let mut sums = [[simd.splat_f32s(0.0); WIDE]; TALL];
    for (p, right) in panel.iter().enumerate() {
        let left = left(p);
        for i in 0..TALL {
            let factor = simd.splat_f32s(left[i]);
            for j in 0..WIDE {
                sums[i][j] = simd.mul_add_f32s(factor, right[j], sums[i][j]);
            }
        }
    }
    // Copied, so that the sums themselves are never asked for by a number and stay in registers.
    std::array::from_fn(|i| std::array::from_fn(|j| sums[i][j]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ramp(length: usize, step: f32) -> Vec<f32> {
        (0..length).map(|i| (i as f32 * step).sin()).collect()
    }

    /// Entry `(i, j)` of a product as the module's documentation defines it.
    fn chain(inner: usize, entry: impl Fn(usize) -> (f32, f32), before: Option<f32>) -> f32 {
        let mut out = before;
        for (from, to) in depths(inner) {
            let sum = (from..to)
                .map(&entry)
                .fold(0.0_f32, |sum, (x, y)| x.mul_add(y, sum));
            out = Some(out.map_or(sum, |out| out + sum));
        }
        out.unwrap_or(0.0)
    }

    proptest! {
        #[test]
        fn is_the_chain_of_fused_products_to_the_bit(
            m in 0_usize..40, n in 0_usize..120, k in 0_usize..40, long: bool, gap in 0_usize..3,
            flip_left: bool, flip_right: bool, add: bool,
        ) {
            let k = if long { 20 * k } else { k };
            let (a, b) = (ramp(m * k, 0.7), ramp(k * n, 1.3));
            let left = if flip_left { Matrix::new(&a, k, m).transposed() } else { Matrix::new(&a, m, k) };
            let right = if flip_right { Matrix::new(&b, n, k).transposed() } else { Matrix::new(&b, k, n) };
            let before = ramp(m * (n + gap), 0.1);
            let write = if add { Write::Add } else { Write::Replace };
            let mut out = before.clone();
            matmul(&mut out, n + gap, write, left, right);
            let mut packed = Packed::new();
            packed.pack(right);
            let mut again = before.clone();
            matmul_packed(&mut again, n + gap, write, left, &packed);
            prop_assert_eq!(&out, &again);
            let mut portable = before.clone();
            let mut panels = Vec::new();
            Product {
                target: Target::new(&mut portable, n + gap, write, m, n),
                left,
                right: Right::Plain(right, &mut panels),
            }
            .with_simd(pulp::Scalar::new());
            prop_assert_eq!(&out, &portable, "without vectors");
            for i in 0..m {
                for j in 0..n + gap {
                    let at = i * (n + gap) + j;
                    let entry = |l: usize| {
                        let x = a[if flip_left { l * m + i } else { i * k + l }];
                        (x, b[if flip_right { j * k + l } else { l * n + j }])
                    };
                    let expected = if j < n { chain(k, entry, add.then_some(before[at])) } else { before[at] };
                    prop_assert_eq!(out[at], expected);
                }
            }
        }

        #[test]
        fn a_gram_matrix_is_a_product_up_to_its_diagonal(m in 0_usize..90, k in 0_usize..30) {
            let values = ramp(m * k, 0.7);
            let rows = Matrix::new(&values, m, k);
            let (mut out, mut whole) = (vec![0.0; m * m], vec![0.0; m * m]);
            gram(&mut out, rows);
            matmul(&mut whole, m, Write::Replace, rows, rows.transposed());
            for i in 0..m {
                prop_assert_eq!(&out[i * m..=i * m + i], &whole[i * m..=i * m + i]);
            }
        }
    }

    #[test]
    #[should_panic(expected = "does not fit")]
    fn a_product_that_does_not_fit_is_refused() {
        let ones = [1.0; 4];
        matmul(
            &mut [0.0; 3],
            2,
            Write::Replace,
            Matrix::new(&ones, 2, 2),
            Matrix::new(&ones, 2, 2),
        );
    }

    #[test]
    #[should_panic(expected = "rows of a product overlap")]
    fn overlapping_rows_are_refused() {
        let ones = [1.0; 4];
        matmul(
            &mut [0.0; 4],
            1,
            Write::Replace,
            Matrix::new(&ones, 2, 2),
            Matrix::new(&ones, 2, 2),
        );
    }
}
