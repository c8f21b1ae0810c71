//! The metrics of an experiment's own evaluation, one a file.

pub(crate) mod energy;
pub(crate) mod fd_pca64;
pub(crate) mod sliced_w2;
pub(crate) mod w2;
