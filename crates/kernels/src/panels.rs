//! The panels that a right factor is packed into.
//!
//! A panel is some neighbouring columns, a few vectors wide, row after row; columns beyond the matrix are zeros.

// What is called in a loop must be compiled with the loop's vectors.
#![allow(clippy::inline_always)]

use crate::Matrix;
use pulp::Simd;

/// Longest part of the inner dimension that is summed before it is written.
pub(crate) const DEPTH: usize = 512;

/// Vectors of a panel; with eight rows they fill the registers of AVX-512, with four those of AVX2.
pub(crate) const PANEL: usize = 3;

/// Vectors of the panels that are packed together and stay in the second-level cache.
pub(crate) const BLOCK: usize = 6 * PANEL;

/// Bytes of a cache line, at which panels begin.
const LINE: usize = 64;

/// Some neighbouring columns, as whole vectors; the last may reach beyond the matrix.
#[derive(Clone, Copy)]
pub(crate) struct Columns {
    pub(crate) first: usize,
    pub(crate) vectors: usize,
}

/// The inner dimension in equal parts: where each begins and ends.
pub(crate) fn depths(inner: usize) -> impl Iterator<Item = (usize, usize)> {
    let depth = inner.div_ceil(inner.div_ceil(DEPTH).max(1)).max(1);
    (0..inner)
        .step_by(depth)
        .map(move |from| (from, inner.min(from + depth)))
}

/// `vectors` vectors from column `first` on, cut into pieces of `width`; a last piece of one takes another from
/// the piece before.
#[inline(always)]
pub(crate) fn cut<S: Simd>(columns: Columns, width: usize) -> impl Iterator<Item = Columns> {
    let Columns {
        mut first,
        vectors: mut left,
    } = columns;
    std::iter::from_fn(move || {
        let vectors = if left == width + 1 {
            width - 1
        } else {
            left.min(width)
        };
        let piece = Columns { first, vectors };
        first += vectors * S::F32_LANES;
        left -= vectors;
        (vectors > 0).then_some(piece)
    })
}

#[inline(always)]
pub(crate) fn blocks<S: Simd>(columns: usize) -> impl Iterator<Item = Columns> {
    let all = Columns {
        first: 0,
        vectors: columns.div_ceil(S::F32_LANES),
    };
    cut::<S>(all, BLOCK)
}

/// Where the floats at a cache line's beginning start.
pub(crate) fn aligned(floats: &[f32]) -> usize {
    floats.as_ptr().align_offset(LINE).min(floats.len())
}

/// Room for `floats` floats from a cache line's beginning on.
pub(crate) fn room(buffer: &mut Vec<f32>, floats: usize) -> &mut [f32] {
    let needed = floats + LINE / size_of::<f32>();
    if buffer.len() < needed {
        buffer.resize(needed, 0.0);
    }
    let start = aligned(buffer);
    &mut buffer[start..start + floats]
}

/// Packs rows `from..to` of a block of columns, panel after panel; columns beyond the matrix are zeros.
#[inline(always)]
pub(crate) fn pack<S: Simd>(
    simd: S,
    right: Matrix<'_>,
    (from, to): (usize, usize),
    block: Columns,
    mut panels: &mut [f32],
) {
    for Columns { first, vectors } in cut::<S>(block, PANEL) {
        let width = vectors * S::F32_LANES;
        let used = width.min(right.columns - first);
        let (panel, rest) = panels.split_at_mut((to - from) * width);
        panels = rest;
        if used < width {
            panel.fill(0.0);
        }
        if right.is_transposed() {
            turn(right, from, first, used, panel, width);
        } else {
            for (row, panel) in (from..to).zip(panel.chunks_exact_mut(width)) {
                let entries = &right.values[row * right.row_stride + first..][..used];
                let (whole, rest) = S::as_simd_f32s(entries);
                let (vectors, panel) = S::as_mut_simd_f32s(panel);
                debug_assert!(panel.is_empty(), "panels are whole vectors");
                for (to, from) in vectors.iter_mut().zip(whole) {
                    *to = *from;
                }
                if !rest.is_empty() {
                    vectors[whole.len()] = simd.partial_load_f32s(rest);
                }
            }
        }
    }
}

/// Packs a panel whose columns lie one after another.
#[inline(always)]
fn turn(
    right: Matrix<'_>,
    from: usize,
    first: usize,
    used: usize,
    panel: &mut [f32],
    width: usize,
) {
    // A few rows at a time, so that the panel's lines are filled while they are near.
    for (part, panel) in panel.chunks_mut(16 * width).enumerate() {
        let (from, depth) = (from + 16 * part, panel.len() / width);
        let column = |j: usize| &right.values[(first + j) * right.column_stride + from..][..depth];
        for j in (0..used / 4).map(|quad| 4 * quad) {
            let four = [column(j), column(j + 1), column(j + 2), column(j + 3)];
            for (p, panel) in panel.chunks_exact_mut(width).enumerate() {
                panel[j..j + 4].copy_from_slice(&four.map(|column| column[p]));
            }
        }
        for j in used / 4 * 4..used {
            let column = column(j);
            for (panel, entry) in panel.chunks_exact_mut(width).zip(column) {
                panel[j] = *entry;
            }
        }
    }
}
