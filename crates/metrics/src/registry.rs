//! The metrics that an experiment's own evaluation may name: one line each.

use crate::{
    Metric,
    kinds::{energy::Energy, fd_pca64::FdPca64, sliced_w2::SlicedW2, w2::W2},
};

/// The built-in metrics, in the order in which reports list them.
pub static METRICS: &[Metric] = &[Metric(&W2), Metric(&SlicedW2), Metric(&Energy), Metric(&FdPca64)];
