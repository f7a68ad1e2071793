//! Linear least squares by Householder reflections, with cluster-robust standard errors.
//!
//! Columns are taken in order. One that is, but for rounding, a combination of those before it is left out and named,
//! so that the triangular factor always has an inverse.

use std::collections::BTreeMap;

/// Below this share of a column's length what is left of it after the columns before is taken for rounding.
const DEPENDENT: f64 = 1e-9;

/// A combination weighs less than this where it only rounds.
const NEGLIGIBLE: f64 = 1e-6;

/// Why a model cannot be fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FitError {
    /// As many coefficients as rows, or more: nothing is left to judge them by.
    Saturated {
        /// Coefficients.
        columns: usize,
    },
}

/// A fitted model `y = X b + e`.
#[derive(Clone, Debug)]
pub(crate) struct LeastSquares {
    /// The columns that were kept, as indices into those given.
    pub(crate) kept: Vec<usize>,
    /// The columns that were left out, each with the kept ones that it is a combination of.
    pub(crate) dependent: Vec<(usize, Vec<usize>)>,
    /// Coefficient of each kept column.
    pub(crate) coefficients: Vec<f64>,
    /// `y - X b`.
    pub(crate) residuals: Vec<f64>,
    /// `(XᵀX)⁻¹` of the kept columns.
    inverse: Vec<Vec<f64>>,
    rows: Vec<Vec<f64>>,
}

/// An upper triangle that grows a column at a time, and the reflections that made it.
#[derive(Default)]
struct Triangle {
    reflectors: Vec<Vec<f64>>,
    columns: Vec<Vec<f64>>,
}

impl Triangle {
    /// `column` after all reflections so far.
    fn reflected(&self, column: &[f64]) -> Vec<f64> {
        let mut column = column.to_vec();
        for v in &self.reflectors {
            let along = 2.0 * v.iter().zip(&column).map(|(v, c)| v * c).sum::<f64>();
            for (c, v) in column.iter_mut().zip(v) {
                *c -= along * v;
            }
        }
        column
    }

    /// Adds a column. If it depends on those before, says with which weights instead.
    fn add(&mut self, column: &[f64]) -> Result<(), Vec<f64>> {
        let k = self.columns.len();
        let mut column = self.reflected(column);
        let length = norm(&column);
        let rest = norm(&column[k.min(column.len())..]);
        if rest <= DEPENDENT * length {
            return Err(self.solve(&column));
        }
        // The reflection that turns what is left of the column onto its k-th axis, away from its own sign.
        let onto = if column[k] > 0.0 { -rest } else { rest };
        let mut v = vec![0.0; column.len()];
        v[k..].copy_from_slice(&column[k..]);
        v[k] -= onto;
        let size = norm(&v);
        for x in &mut v {
            *x /= size;
        }
        column.truncate(k);
        column.push(onto);
        self.reflectors.push(v);
        self.columns.push(column);
        Ok(())
    }

    /// `R⁻¹` times the head of `right`.
    fn solve(&self, right: &[f64]) -> Vec<f64> {
        let k = self.columns.len();
        let mut x = right[..k].to_vec();
        for i in (0..k).rev() {
            x[i] /= self.columns[i][i];
            let (above, from) = x.split_at_mut(i);
            for (x, r) in above.iter_mut().zip(&self.columns[i]) {
                *x -= from[0] * r;
            }
        }
        x
    }
}

impl LeastSquares {
    /// Fits `y` to `columns`, each as long as `y`.
    ///
    /// Source: Golub, Van Loan, Matrix Computations, 4th edition, section 5.3.
    ///
    /// # Errors
    ///
    /// [`FitError`] if there are not more rows than independent columns.
    pub(crate) fn fit(columns: &[Vec<f64>], y: &[f64]) -> Result<Self, FitError> {
        let mut triangle = Triangle::default();
        let (mut kept, mut dependent) = (Vec::new(), Vec::new());
        for (index, column) in columns.iter().enumerate() {
            if kept.len() == y.len() {
                return Err(FitError::Saturated {
                    columns: columns.len(),
                });
            }
            match triangle.add(column) {
                Ok(()) => kept.push(index),
                Err(weights) => {
                    let scale = |k: usize| norm(&columns[k]);
                    let length = norm(column);
                    let on = weights
                        .iter()
                        .zip(&kept)
                        .filter(|(weight, k)| weight.abs() * scale(**k) > NEGLIGIBLE * length)
                        .map(|(_, k)| *k)
                        .collect();
                    dependent.push((index, on));
                }
            }
        }
        let k = kept.len();
        if y.len() <= k {
            return Err(FitError::Saturated { columns: k });
        }
        let coefficients = triangle.solve(&triangle.reflected(y));
        let rows: Vec<Vec<f64>> = (0..y.len())
            .map(|i| kept.iter().map(|&c| columns[c][i]).collect())
            .collect();
        let residuals = rows
            .iter()
            .zip(y)
            .map(|(row, y)| y - dot(row, &coefficients))
            .collect();
        let unit = |i: usize| {
            (0..k)
                .map(|j| f64::from(u8::from(i == j)))
                .collect::<Vec<_>>()
        };
        let roots: Vec<Vec<f64>> = (0..k).map(|i| triangle.solve(&unit(i))).collect();
        // (XᵀX)⁻¹ = R⁻¹ R⁻ᵀ; `roots[m]` is the m-th column of R⁻¹.
        let inverse = (0..k)
            .map(|i| {
                (0..k)
                    .map(|j| roots.iter().map(|root| root[i] * root[j]).sum())
                    .collect()
            })
            .collect();
        Ok(Self {
            kept,
            dependent,
            coefficients,
            residuals,
            inverse,
            rows,
        })
    }

    /// Sum of the squared residuals.
    pub(crate) fn residual_squares(&self) -> f64 {
        self.residuals.iter().map(|e| e * e).sum()
    }

    /// Standard error of each coefficient, where rows of one cluster may depend on each other in any way.
    ///
    /// `V = G / (G - 1) · (n - 1) / (n - k) · (XᵀX)⁻¹ (Σ_g X_gᵀ e_g e_gᵀ X_g) (XᵀX)⁻¹` (CR1). `clusters` has the
    /// cluster of each row. None if there are not more clusters than coefficients: `V` has at most rank `G` then, and
    /// regressors that are constant within clusters leave it nothing to see.
    ///
    /// Source: Cameron, Miller 2015, Journal of Human Resources 50, section II.
    pub(crate) fn clustered_errors(&self, clusters: &[usize]) -> Option<Vec<f64>> {
        let (n, k) = (self.rows.len(), self.kept.len());
        let mut scores: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for ((row, e), cluster) in self.rows.iter().zip(&self.residuals).zip(clusters) {
            let score = scores.entry(*cluster).or_insert_with(|| vec![0.0; k]);
            for (s, x) in score.iter_mut().zip(row) {
                *s += x * e;
            }
        }
        let g = scores.len();
        if g <= k {
            return None;
        }
        let correction = g as f64 / (g as f64 - 1.0) * (n as f64 - 1.0) / (n - k) as f64;
        let error = |i: usize| {
            let squares = scores.values().map(|score| dot(&self.inverse[i], score));
            (correction * squares.map(|s| s * s).sum::<f64>()).sqrt()
        };
        Some((0..k).map(error).collect())
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(x: &[f64]) -> f64 {
    dot(x, x).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gaussian elimination with pivots on the normal equations; and the covariance as it is written.
    fn slow(columns: &[Vec<f64>], y: &[f64], clusters: &[usize]) -> (Vec<f64>, Vec<f64>) {
        let (k, n) = (columns.len(), y.len());
        let mut table: Vec<Vec<f64>> = (0..k)
            .map(|i| {
                let mut row: Vec<f64> = (0..k).map(|j| dot(&columns[i], &columns[j])).collect();
                row.push(dot(&columns[i], y));
                row.extend((0..k).map(|j| if i == j { 1.0 } else { 0.0 }));
                row
            })
            .collect();
        for i in 0..k {
            let pivot = (i..k)
                .max_by(|&a, &b| table[a][i].abs().total_cmp(&table[b][i].abs()))
                .unwrap();
            table.swap(i, pivot);
            let lead = table[i][i];
            table[i].iter_mut().for_each(|x| *x /= lead);
            for other in (0..k).filter(|&other| other != i) {
                let factor = table[other][i];
                let row = table[i].clone();
                table[other]
                    .iter_mut()
                    .zip(row)
                    .for_each(|(x, r)| *x -= factor * r);
            }
        }
        let b: Vec<f64> = table.iter().map(|row| row[k]).collect();
        let inverse: Vec<Vec<f64>> = table.iter().map(|row| row[k + 1..].to_vec()).collect();
        let e: Vec<f64> = (0..n)
            .map(|i| y[i] - (0..k).map(|j| columns[j][i] * b[j]).sum::<f64>())
            .collect();
        let mut meat = vec![vec![0.0; k]; k];
        for i in 0..n {
            for j in 0..n {
                if clusters[i] == clusters[j] {
                    for (p, row) in meat.iter_mut().enumerate() {
                        for (q, cell) in row.iter_mut().enumerate() {
                            *cell += columns[p][i] * e[i] * e[j] * columns[q][j];
                        }
                    }
                }
            }
        }
        let mut names = clusters.to_vec();
        names.sort_unstable();
        names.dedup();
        let g = names.len() as f64;
        let c = g / (g - 1.0) * (n as f64 - 1.0) / (n - k) as f64;
        let errors = (0..k).map(|i| {
            let mut v = 0.0;
            for p in 0..k {
                for q in 0..k {
                    v += inverse[i][p] * meat[p][q] * inverse[q][i];
                }
            }
            (c * v).max(0.0).sqrt()
        });
        (b, errors.collect())
    }

    proptest! {
        /// The same as elimination on the normal equations.
        #[test]
        fn reflections_agree_with_elimination(
            cells in prop::collection::vec((-3.0..3.0_f64, -3.0..3.0_f64, -1.0..1.0_f64), 12..30),
        ) {
            let n = cells.len();
            let columns = vec![
                vec![1.0; n],
                cells.iter().map(|c| c.0).collect::<Vec<_>>(),
                cells.iter().map(|c| c.1 + 0.3 * c.0).collect::<Vec<_>>(),
            ];
            let y: Vec<f64> = cells.iter().map(|c| 2.0 + c.0 - 0.5 * c.1 + c.2).collect();
            let clusters: Vec<usize> = (0..n).map(|i| i / 2).collect();
            let fit = LeastSquares::fit(&columns, &y).unwrap();
            let (b, errors) = slow(&columns, &y, &clusters);
            for (ours, twin) in fit.coefficients.iter().zip(&b) {
                prop_assert!((ours - twin).abs() < 1e-7 * (1.0 + twin.abs()), "{ours} {twin}");
            }
            for (ours, twin) in fit.clustered_errors(&clusters).unwrap().iter().zip(&errors) {
                prop_assert!((ours - twin).abs() < 1e-6 * (1.0 + twin.abs()), "{ours} {twin}");
            }
        }
    }

    /// `OLS(y, X).fit(cov_type="cluster", cov_kwds={"groups": g}, use_t=True)`, statsmodels 0.15.0: `params` and `bse`.
    #[test]
    fn coefficients_and_errors_are_statsmodels() {
        let (columns, y, clusters) = example();
        let fit = LeastSquares::fit(&columns, &y).unwrap();
        let errors = fit.clustered_errors(&clusters).unwrap();
        for (k, (b, se)) in [
            (0.54, 0.026_404_089_189_478_4),
            (0.1, 0.023_332_341_248_750_568),
            (-0.073_333_333_333_333_5, 0.032_712_741_505_262_5),
        ]
        .into_iter()
        .enumerate()
        {
            assert!(
                (fit.coefficients[k] - b).abs() < 1e-10,
                "{k}: {}",
                fit.coefficients[k]
            );
            assert!((errors[k] - se).abs() < 1e-10, "{k}: {}", errors[k]);
        }
        assert!((fit.residual_squares() - 0.017_533_333_333_333_34).abs() < 1e-12);
    }

    fn example() -> (Vec<Vec<f64>>, Vec<f64>, Vec<usize>) {
        let x = [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 0.0, 0.0, 1.0, 1.0, 2.0, 2.0];
        let treated = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0];
        let y = [
            0.50, 0.53, 0.63, 0.60, 0.81, 0.77, 0.49, 0.52, 0.55, 0.58, 0.60, 0.66,
        ];
        let columns = vec![vec![1.0; 12], x.to_vec(), treated.to_vec()];
        (columns, y.to_vec(), (0..12).map(|i| i / 2).collect())
    }

    #[test]
    fn a_column_that_others_make_up_is_left_out_and_named() {
        let (mut columns, y, clusters) = example();
        let whole = LeastSquares::fit(&columns, &y).unwrap();
        let double = columns[1].iter().map(|x| 5.0 - 2.0 * x).collect();
        columns.insert(2, double);
        columns.push(vec![3.0; 12]);
        let fit = LeastSquares::fit(&columns, &y).unwrap();
        assert_eq!(fit.kept, [0, 1, 3]);
        assert_eq!(fit.dependent, [(2, vec![0, 1]), (4, vec![0])]);
        for (a, b) in fit.coefficients.iter().zip(&whole.coefficients) {
            assert!((a - b).abs() < 1e-12);
        }
        let (a, b) = (
            fit.clustered_errors(&clusters).unwrap(),
            whole.clustered_errors(&clusters).unwrap(),
        );
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-12));
    }

    #[test]
    fn without_anything_to_spare_there_is_no_answer() {
        let columns = vec![vec![1.0, 1.0], vec![0.0, 1.0]];
        assert_eq!(
            LeastSquares::fit(&columns, &[1.0, 2.0]).unwrap_err(),
            FitError::Saturated { columns: 2 }
        );
        let wide = vec![vec![1.0], vec![2.0]];
        assert!(LeastSquares::fit(&wide, &[1.0]).is_err());
        // Three points cannot judge three coefficients, however many tasks each has.
        let (columns, y, _) = example();
        let fit = LeastSquares::fit(&columns, &y).unwrap();
        assert_eq!(
            fit.clustered_errors(&[0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]),
            None
        );
    }
}
