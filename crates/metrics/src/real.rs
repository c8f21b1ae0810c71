//! What samples are compared with, and the samples.

use std::sync::Arc;

use ndarray::{ArcArray2, ArrayView2};

use crate::{
    MetricError, Mixture, Statistics,
    samples::{REAL, check},
};

/// The real side of a score.
#[derive(Clone, Debug)]
pub enum Real {
    /// The points, pixels or features themselves.
    Rows(ArcArray2<f32>),
    /// Features with the class of each.
    Labelled(ArcArray2<f32>, Vec<usize>),
    /// Mean and covariance, which is enough for a Fréchet distance.
    Statistics(Arc<Statistics>),
    /// The density that points are drawn from.
    Density(Arc<Mixture>),
    /// Nothing, which is enough for what compares with nothing.
    None,
}

impl Real {
    /// The rows, all finite, at least `needed` of them.
    ///
    /// # Errors
    /// Fewer, values that are not finite, or that there is something else or nothing.
    pub fn rows(&self, needed: usize) -> Result<ArcArray2<f32>, MetricError> {
        match self {
            Self::Rows(rows) | Self::Labelled(rows, _) => {
                check(rows.view(), REAL, needed)?;
                Ok(rows.clone())
            }
            Self::Statistics(_) => Err(MetricError::NeedsRows),
            Self::Density(_) | Self::None => Err(MetricError::NeedsReal),
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> Option<usize> {
        match self {
            Self::Rows(rows) | Self::Labelled(rows, _) => Some(rows.nrows()),
            _ => None,
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len().is_none_or(|rows| rows == 0)
    }
}

/// What is scored.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    /// `[n, dimension]`: points, pixels or features; logits for the inception score.
    pub rows: ArrayView2<'a, f32>,
    /// Their mean and covariance, if they are known; then a Fréchet distance does without the rows.
    pub statistics: Option<&'a Statistics>,
    /// Their classes.
    pub classes: Option<Classes<'a>>,
}

/// Classes of samples.
#[derive(Clone, Copy, Debug)]
pub struct Classes<'a> {
    /// The class that each was asked for.
    pub asked: &'a [usize],
    /// The class that a classifier takes each for.
    pub seen: &'a [usize],
    /// How many classes there are.
    pub count: usize,
}

impl<'a> From<ArrayView2<'a, f32>> for Samples<'a> {
    fn from(rows: ArrayView2<'a, f32>) -> Self {
        Self { rows, statistics: None, classes: None }
    }
}
