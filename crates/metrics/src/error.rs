//! What can be wrong with the input of a metric.

use thiserror::Error;

/// Why a metric could not be computed. Every variant carries the values that were refused.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum MetricError {
    /// A NaN or an infinity in the samples.
    #[error("{set}: {value} at row {row}, column {column}")]
    NotFinite {
        /// Which of the sets: `the samples`, `the real data`, …
        set: &'static str,
        /// Row of the value.
        row: usize,
        /// Column of the value.
        column: usize,
        /// The value, as text, because a NaN does not compare.
        value: String,
    },
    /// The metric compares sets of equal size only.
    #[error("{metric} needs sets of equal size, got {first} and {second} samples")]
    UnequalSizes {
        /// Name of the metric.
        metric: &'static str,
        /// Rows of the first set.
        first: usize,
        /// Rows of the second set.
        second: usize,
    },
    /// The sets live in spaces of different dimension.
    #[error("the first set has dimension {first}, the second {second}")]
    UnequalDimensions {
        /// Columns of the first set.
        first: usize,
        /// Columns of the second set.
        second: usize,
    },
    /// Fewer samples than the metric can be computed from.
    #[error("{what}: at least {}, got {got}", counted(*needed))]
    TooFewSamples {
        /// What is short of them, or needs them.
        what: &'static str,
        /// The least number.
        needed: usize,
        /// The number given.
        got: usize,
    },
    /// Data of fewer dimensions than principal components were asked for.
    #[error("{components} principal components asked of data of dimension {dimension}")]
    TooFewDimensions {
        /// Columns of the data.
        dimension: usize,
        /// Components asked for.
        components: usize,
    },
    /// Data of more dimensions than a covariance of it could be held for.
    #[error("a covariance of data of dimension {dimension} is too large; the limit is {limit}")]
    TooManyDimensions {
        /// Columns of the data.
        dimension: usize,
        /// The most that is taken.
        limit: usize,
    },
    /// More points than their distances can be held for.
    #[error("`{metric}` holds the distances of all pairs: at most {limit} samples, not {got}")]
    TooManySamples {
        /// The metric.
        metric: &'static str,
        /// Samples of a set.
        got: usize,
        /// The most that is taken.
        limit: usize,
    },
    /// A count that must be at least one is zero.
    #[error("the number of {0} must be at least 1")]
    Zero(&'static str),
    /// A setting that must be a positive number is not.
    #[error("{what} must be a positive number, got {value}")]
    Positive {
        /// Which setting.
        what: &'static str,
        /// Its value, as text, because a NaN does not compare.
        value: String,
    },
    /// A comparison with nothing.
    #[error("this metric compares with real data, and there is none")]
    NeedsReal,
    /// Mean and covariance are not enough of the real data.
    #[error("the real data is given by its mean and covariance, and this metric needs the data itself")]
    NeedsRows,
    /// No density of the real data is known.
    #[error("this metric needs a density that is known, that of eight-gaussians")]
    NeedsDensity,
    /// Samples or real data without classes, or no classifier to look at them.
    #[error("this metric needs samples whose classes are known, and a classifier")]
    NeedsClasses,
    /// What is wrong with the samples of one class.
    #[error("class {class}: {error}")]
    OfClass {
        /// The class.
        class: usize,
        /// What is wrong.
        error: Box<MetricError>,
    },
    /// A matrix is not of the shape that the others demand.
    #[error("{what} is {rows} × {columns}, expected {expected} × {expected}")]
    NotSquare {
        /// Which matrix.
        what: &'static str,
        /// Its rows.
        rows: usize,
        /// Its columns.
        columns: usize,
        /// The size expected.
        expected: usize,
    },
    /// A matrix with an eigenvalue well below zero.
    #[error(
        "{what} has an eigenvalue of {lowest:.3e}, the largest being at most {largest:.3e}; these are no covariances"
    )]
    NotPositive {
        /// Which matrix.
        what: &'static str,
        /// Its lowest eigenvalue.
        lowest: f64,
        /// Its largest eigenvalue, or a bound of it.
        largest: f64,
    },
    /// Statistics of different spaces, or that were reached in different ways.
    #[error("`{what}` is {first} in one of the statistics and {second} in the other")]
    OtherOrigin {
        /// What is different.
        what: &'static str,
        /// What the one says.
        first: String,
        /// What the other says.
        second: String,
    },
    /// The symmetric eigenvalue iteration did not converge.
    #[error("the eigenvalues of a symmetric {size} × {size} matrix did not converge")]
    NoConvergence {
        /// Rows of the matrix.
        size: usize,
    },
}

impl MetricError {
    /// The error, said of `set` where it is of one set's samples.
    pub(crate) fn of(self, set: &'static str) -> Self {
        match self {
            Self::NotFinite { row, column, value, .. } => Self::NotFinite { set, row, column, value },
            Self::TooFewSamples { needed, got, .. } => Self::TooFewSamples { what: set, needed, got },
            other => other,
        }
    }
}

fn counted(samples: usize) -> String {
    format!("{samples} sample{}", if samples == 1 { "" } else { "s" })
}
