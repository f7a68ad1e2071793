//! The statistics of a sweep: plain functions of numbers, which know nothing of runs.
//!
//! [`clustered`] has means whose intervals count points rather than tasks, [`least_squares`] linear models with
//! standard errors that do the same, [`student`] the distribution by which both are judged.

mod clustered;
mod least_squares;
mod student;

pub(crate) use clustered::clustered_mean;
pub(crate) use least_squares::{FitError, LeastSquares};
pub(crate) use student::{t_quantile, two_sided_p};
