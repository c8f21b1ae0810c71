//! Flow mathematics of one-step generative models: interpolant, time samplers, adaptive weights, objectives and solvers.
//!
//! Convention (MeanFlow, arXiv 2505.13447): `z_t = (1−t)·x + t·e`, `t = 0` data, `t = 1` noise, `v = e − x`,
//! `0 ≤ r ≤ t ≤ 1`, `h = t − r`, `z_r = z_t − (t−r)·u(z_t, r, t)`.
//!
//! No files, no threads, no globals: every random number comes from [`random::Streams`].

pub mod backbone;
mod clock;
pub mod dropout;
pub mod flow;
pub mod interpolant;
pub mod levels;
mod log_weight;
pub mod objective;
pub mod precision;
pub mod random;
pub mod solver;
pub mod time;
pub mod weight;

pub use meanflow_settings as settings;

pub use backbone::{Backbone, Condition, Guidance, Heads};
pub use clock::Clock;
pub use dropout::Dropout;
pub use flow::{Flow, Prediction};
pub use log_weight::{LogWeight, Weighted};
pub use random::Streams;
pub use solver::Solver;

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
