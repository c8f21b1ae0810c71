//! The metrics, one a file.

pub(crate) mod accuracy;
pub(crate) mod class_coverage;
pub(crate) mod energy;
pub(crate) mod fd;
pub(crate) mod fd_pca64;
pub(crate) mod inception_score;
pub(crate) mod kid;
pub(crate) mod kid_full;
pub(crate) mod mmd;
pub(crate) mod modes;
pub(crate) mod nll;
pub(crate) mod pairs;
pub(crate) mod prdc;
pub(crate) mod sliced_w2;
pub(crate) mod sw2;
pub(crate) mod w2;
