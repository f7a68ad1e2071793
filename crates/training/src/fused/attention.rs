//! Attention among the positions of a record.

use super::{Layer, resize};
use crate::architecture::AttentionSpec;
use kernels::{Matrix, Write, exp, largest, matmul, reduce, total, vectorised};

/// `softmax(Q Kᵀ / √d) V`, head by head. Reads `[positions, 3 width]`: queries, keys, values side by side.
pub(super) struct Attention {
    spec: AttentionSpec,
    /// The weights of every head of every row. Shape: `[rows, heads, positions, positions]`.
    weights: Vec<f32>,
    /// The loss's gradient by the weights of one head.
    gradient: Vec<f32>,
}

impl Attention {
    pub(super) const fn new(spec: AttentionSpec) -> Self {
        Self {
            spec,
            weights: Vec::new(),
            gradient: Vec::new(),
        }
    }

    const fn square(&self) -> usize {
        self.spec.positions * self.spec.positions
    }

    /// Numbers of a head at a position.
    const fn depth(&self) -> usize {
        self.spec.width / self.spec.heads
    }

    /// Queries (`part` 0), keys (1) or values (2) of a head, out of one record. Shape: `[positions, depth]`.
    fn part<'a>(&self, record: &'a [f32], head: usize, part: usize) -> Matrix<'a> {
        let width = self.spec.width;
        let start = part * width + head * self.depth();
        Matrix::strided(
            &record[start..],
            self.spec.positions,
            self.depth(),
            3 * width,
        )
    }
}

impl Layer for Attention {
    fn forward(&mut self, _weights: &[f32], input: &[f32], output: &mut [f32], rows: usize) {
        let AttentionSpec {
            positions,
            width,
            heads,
            causal,
        } = self.spec;
        let (square, depth) = (self.square(), self.depth());
        let mut weights = std::mem::take(&mut self.weights);
        resize(&mut weights, rows * heads * square);
        let scale = 1.0 / (depth as f32).sqrt();
        for (pair, weights) in weights.chunks_exact_mut(square).enumerate() {
            let (row, head) = (pair / heads, pair % heads);
            let record = &input[row * 3 * positions * width..][..3 * positions * width];
            let (query, key) = (self.part(record, head, 0), self.part(record, head, 1));
            matmul(weights, positions, Write::Replace, query, key.transposed());
            for (place, scores) in weights.chunks_exact_mut(positions).enumerate() {
                let seen = if causal { place + 1 } else { positions };
                softmax(&mut scores[..seen], scale);
                scores[seen..].fill(0.0);
            }
            let out = &mut output[row * positions * width + head * depth..];
            let value = self.part(record, head, 2);
            matmul(
                out,
                width,
                Write::Replace,
                Matrix::new(weights, positions, positions),
                value,
            );
        }
        self.weights = weights;
    }

    fn backward(
        &mut self,
        _weights: &[f32],
        input: &[f32],
        output_gradient: &[f32],
        input_gradient: &mut [f32],
        _rows: usize,
    ) {
        let AttentionSpec {
            positions,
            width,
            heads,
            ..
        } = self.spec;
        let (square, depth) = (self.square(), self.depth());
        let mut gradient = std::mem::take(&mut self.gradient);
        resize(&mut gradient, square);
        let scale = 1.0 / (depth as f32).sqrt();
        for (pair, weights) in self.weights.chunks_exact(square).enumerate() {
            let (row, head) = (pair / heads, pair % heads);
            let record = &input[row * 3 * positions * width..][..3 * positions * width];
            let by_output = Matrix::strided(
                &output_gradient[row * positions * width + head * depth..],
                positions,
                depth,
                width,
            );
            let back = &mut input_gradient[row * 3 * positions * width..][..3 * positions * width];
            let mut put = |part: usize, left: Matrix<'_>, right: Matrix<'_>| {
                let out = &mut back[part * width + head * depth..];
                matmul(out, 3 * width, Write::Replace, left, right);
            };
            let attention = Matrix::new(weights, positions, positions);
            put(2, attention.transposed(), by_output);
            let value = self.part(record, head, 2);
            matmul(
                &mut gradient,
                positions,
                Write::Replace,
                by_output,
                value.transposed(),
            );
            let places = gradient
                .chunks_exact_mut(positions)
                .zip(weights.chunks_exact(positions));
            for (g, weights) in places {
                vectorised(
                    #[inline(always)]
                    || {
                        let mut sums = [0.0; 16];
                        reduce(&mut sums, positions, |s| g[s] * weights[s]);
                        let mean = total(sums);
                        for (g, weight) in g.iter_mut().zip(weights) {
                            *g = (*g - mean) * weight * scale;
                        }
                    },
                );
            }
            let by_scores = Matrix::new(&gradient, positions, positions);
            put(0, by_scores, self.part(record, head, 1));
            put(1, by_scores.transposed(), self.part(record, head, 0));
        }
        self.gradient = gradient;
    }

    fn workspace(&self) -> usize {
        self.spec.heads * self.square()
    }
}

/// Replaces `scores` by the softmax of their products with `scale`.
fn softmax(scores: &mut [f32], scale: f32) {
    let top = largest(scores);
    vectorised(
        #[inline(always)]
        || {
            for score in scores.iter_mut() {
                *score = exp((*score - top) * scale);
            }
            let mut sums = [0.0; 16];
            reduce(&mut sums, scores.len(), |i| scores[i]);
            let share = 1.0 / total(sums);
            for score in scores.iter_mut() {
                *score *= share;
            }
        },
    );
}
