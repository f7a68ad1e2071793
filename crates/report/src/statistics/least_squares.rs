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
    /// `X`: the kept columns of each row.
    rows: Vec<Vec<f64>>,
    /// `X (XᵀX)⁻¹`: how much of each coefficient a row's value is.
    weights: Vec<Vec<f64>>,
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
        let weigh = |row: &Vec<f64>| {
            let along: Vec<f64> = roots.iter().map(|root| dot(root, row)).collect();
            let of = |i: usize| roots.iter().zip(&along).map(|(root, a)| root[i] * a).sum();
            (0..k).map(of).collect()
        };
        let weights = rows.iter().map(weigh).collect();
        Ok(Self {
            kept,
            dependent,
            coefficients,
            residuals,
            rows,
            weights,
        })
    }

    /// Sum of the squared residuals.
    pub(crate) fn residual_squares(&self) -> f64 {
        self.residuals.iter().map(|e| e * e).sum()
    }

    /// Standard error of each coefficient, where rows of one cluster may depend on each other in any way.
    ///
    /// `V = G / (G - 1) · (n - 1) / (n - k) · (XᵀX)⁻¹ (Σ_g X_gᵀ e_g e_gᵀ X_g) (XᵀX)⁻¹` (CR1). `clusters` has the
    /// cluster of each row. None for a coefficient that leans on a cluster which the model fits whatever its values
    /// are: no residual tells how it varies, and `V` would leave it out.
    ///
    /// Source: Cameron, Miller 2015, Journal of Human Resources 50, section II.
    pub(crate) fn clustered_errors(&self, clusters: &[usize]) -> Vec<Option<f64>> {
        let (n, k) = (self.rows.len(), self.kept.len());
        let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (row, cluster) in clusters.iter().enumerate() {
            members.entry(*cluster).or_default().push(row);
        }
        if members.len() <= k {
            // `V` has no full rank then, whatever the coefficients lean on.
            return vec![None; k];
        }
        let g = members.len() as f64;
        let correction = g / (g - 1.0) * (n as f64 - 1.0) / (n - k) as f64;
        let error = |coefficient: usize| {
            let weights = self.weights_of(coefficient);
            let unseen = |rows: &Vec<usize>| self.is_unseen(&weights, rows);
            if members.values().any(unseen) {
                return None;
            }
            let sum = |rows: &Vec<usize>| -> f64 {
                rows.iter().map(|&i| weights[i] * self.residuals[i]).sum()
            };
            let squares: f64 = members.values().map(|rows| sum(rows).powi(2)).sum();
            Some((correction * squares).sqrt())
        };
        (0..k).map(error).collect()
    }

    /// Standard error and degrees of freedom of each coefficient, where all rows are independent of each other.
    ///
    /// `V = (XᵀX)⁻¹ (Σ_i x_i x_iᵀ e_i² / (1 - h_i)) (XᵀX)⁻¹` with leverages `h_i` (HC2), and as many degrees of freedom
    /// as a χ² with the mean and the variance that `V` has if all rows vary alike. For groups it is Welch's
    /// approximation, for one group the classic interval. None where a row is fitted whatever its value is.
    ///
    /// Source: Bell, McCaffrey 2002, Survey Methodology 28; Imbens, Kolesár 2016, Review of Economics and Statistics 98.
    pub(crate) fn independent_errors(&self) -> Vec<Option<(f64, f64)>> {
        let n = self.rows.len();
        let rest: Vec<Vec<f64>> = (0..n)
            .map(|i| {
                let one = |j: usize| f64::from(u8::from(i == j));
                (0..n).map(|j| one(j) - self.hat(i, j)).collect()
            })
            .collect();
        let error = |coefficient: usize| {
            let weights = self.weights_of(coefficient);
            if (0..n).any(|i| self.is_unseen(&weights, &[i])) {
                return None;
            }
            // Rows that the coefficient does not lean on may have no residual to divide by.
            let scaled: Vec<f64> = (0..n)
                .map(|i| match weights[i].powi(2) {
                    weight if weight > 0.0 => weight / rest[i][i].max(f64::EPSILON),
                    weight => weight,
                })
                .collect();
            let squares = scaled.iter().zip(&self.residuals);
            let variance: f64 = squares.map(|(scale, e)| scale * e * e).sum();
            let trace: f64 = (0..n).map(|i| scaled[i] * rest[i][i]).sum();
            let of_row = |i: usize| {
                let row = scaled.iter().zip(&rest[i]);
                scaled[i] * row.map(|(scale, rest)| scale * rest * rest).sum::<f64>()
            };
            let square: f64 = (0..n).map(of_row).sum();
            Some((variance.sqrt(), trace * trace / square))
        };
        (0..self.kept.len()).map(error).collect()
    }

    fn weights_of(&self, coefficient: usize) -> Vec<f64> {
        self.weights.iter().map(|row| row[coefficient]).collect()
    }

    /// An entry of `X (XᵀX)⁻¹ Xᵀ`: how much of a row's fitted value another row's value is.
    fn hat(&self, i: usize, j: usize) -> f64 {
        dot(&self.rows[i], &self.weights[j])
    }

    /// Whether a combination with `weights` leans on `rows` and their residuals are none of that, whatever their values.
    fn is_unseen(&self, weights: &[f64], rows: &[usize]) -> bool {
        let part: Vec<f64> = rows.iter().map(|&i| weights[i]).collect();
        if norm(&part) <= NEGLIGIBLE * norm(weights) {
            return false;
        }
        let seen = rows.iter().zip(&part).map(|(&i, weight)| {
            let fitted: f64 = rows
                .iter()
                .zip(&part)
                .map(|(&j, w)| self.hat(i, j) * w)
                .sum();
            weight - fitted
        });
        norm(&seen.collect::<Vec<f64>>()) <= NEGLIGIBLE * norm(&part)
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
            for (ours, twin) in fit.clustered_errors(&clusters).iter().zip(&errors) {
                let ours = ours.unwrap();
                prop_assert!((ours - twin).abs() < 1e-6 * (1.0 + twin.abs()), "{ours} {twin}");
            }
        }
    }

    /// `OLS(y, X).fit(cov_type="cluster", cov_kwds={"groups": g}, use_t=True)`, statsmodels 0.15.0: `params` and `bse`.
    #[test]
    fn coefficients_and_errors_are_statsmodels() {
        let (columns, y, clusters) = example();
        let fit = LeastSquares::fit(&columns, &y).unwrap();
        let errors = fit.clustered_errors(&clusters);
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
            let error = errors[k].unwrap();
            assert!((error - se).abs() < 1e-10, "{k}: {error}");
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
        let errors = |fit: &LeastSquares| -> Vec<f64> {
            let errors = fit.clustered_errors(&clusters);
            errors.into_iter().map(Option::unwrap).collect()
        };
        let (a, b) = (errors(&fit), errors(&whole));
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
            [None; 3]
        );
    }

    /// `OLS(y, X).fit().HC2_se`, statsmodels 0.15.0; degrees of freedom by numpy from the trace of Bell and McCaffrey's
    /// matrix and of its square.
    #[test]
    fn errors_of_independent_rows_are_statsmodels() {
        let (columns, y, _) = example();
        let fit = LeastSquares::fit(&columns, &y).unwrap();
        let golden = [
            (0.021_185_455_610_200_292, 3.998_339_789_706_698),
            (0.018_417_808_943_370_802, 6.148_936_170_212_765),
            (0.025_978_875_279_432_59, 8.958_462_492_250_47),
        ];
        for (found, (error, degrees)) in fit.independent_errors().iter().zip(golden) {
            let found = found.unwrap();
            assert!((found.0 - error).abs() < 1e-10, "{}", found.0);
            assert!((found.1 - degrees).abs() < 1e-8, "{}", found.1);
        }
    }

    /// A level with one cluster is fitted whatever its values are: its error is no less for that, it is not known. Its
    /// rows tell of it as the classic interval of their mean does, and one row alone tells nothing.
    #[test]
    fn what_a_lone_cluster_carries_has_no_error_of_clusters() {
        let level =
            |k: usize, of: &[usize]| of.iter().map(|c| f64::from(u8::from(c / 2 == k))).collect();
        let clusters = [0, 0, 0, 2, 2, 3, 3, 4, 4, 5, 5];
        let y = [0.5, 0.6, 0.58, 0.7, 0.72, 0.66, 0.7, 0.4, 0.42, 0.45, 0.5];
        let columns = vec![vec![1.0; 11], level(1, &clusters), level(2, &clusters)];
        let fit = LeastSquares::fit(&columns, &y).unwrap();
        // The constant is the mean of the lone cluster, and both contrasts are held against it.
        assert_eq!(fit.clustered_errors(&clusters), [None; 3]);
        let (error, degrees) = fit.independent_errors()[0].unwrap();
        let mean = y[..3].iter().sum::<f64>() / 3.0;
        let variance = y[..3].iter().map(|y| (y - mean).powi(2)).sum::<f64>() / 2.0;
        assert!((error - (variance / 3.0).sqrt()).abs() < 1e-12);
        assert!((degrees - 2.0).abs() < 1e-9);
        // Held against a level with two clusters, the other one has an error of clusters.
        let columns = vec![vec![1.0; 11], level(0, &clusters), level(2, &clusters)];
        let errors = LeastSquares::fit(&columns, &y)
            .unwrap()
            .clustered_errors(&clusters);
        assert!(errors[0].is_some() && errors[1].is_none() && errors[2].is_some());
        // One row of a level: nothing tells how it varies.
        let alone = LeastSquares::fit(
            &[vec![1.0; 4], vec![1.0, 0.0, 0.0, 0.0]],
            &[0.9, 0.5, 0.6, 0.55],
        )
        .unwrap()
        .independent_errors();
        assert!(alone[0].is_some() && alone[1].is_none());
    }
}
