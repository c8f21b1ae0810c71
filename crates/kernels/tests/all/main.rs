//! Kernels against the same operations composed of Burn's, in double precision.

mod common;
mod conv2d;
mod group_norm;
mod pointwise;
mod resample;
mod threads;
mod tokens;
mod update;
