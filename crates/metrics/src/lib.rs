//! How far a set of samples is from the data, in f64 on the host.
//!
//! Contract: every function is a pure function of its arguments (and of a seed where it draws), gives the same bits for
//! any number of threads, never trains, and refuses bad input with a [`MetricError`] that holds the offending values.
//! Samples come in as rows of a matrix `[n, dimension]` of f32 or f64; a point in the plane has dimension 2, an image has
//! `channels × height × width`.
//!
//! [`METRICS`] is the registry of what an experiment file and `meanflow eval` may name; a [`MetricKind`] of another crate can stand
//! beside them. [`Metric::reference`] prepares the real data once, [`Reference::evaluate`] scores samples against it with intervals, and
//! [`Reference::floor`] other real data.

mod assignment;
mod draws;
mod energy;
mod error;
mod fd_pca;
mod files;
mod frechet;
mod halves;
mod images;
mod inception_score;
mod input;
mod kid;
mod kinds;
mod linalg;
mod metric;
mod mixture;
mod mmd;
mod moments;
mod named;
mod nearest;
pub mod networks;
mod origin;
mod pairs;
pub mod parity;
mod prdc;
mod real;
mod registry;
mod samples;
mod scorer;
mod sliced;
mod statistics;
mod tiles;
mod value;
mod wasserstein;

pub use assignment::assign;
pub use energy::energy_distance;
pub use error::MetricError;
pub use fd_pca::{FdPca, FdPcaScore};
pub use files::{Array, InputError, Npz, read_npy};
pub use frechet::{Frechet, frechet};
pub use images::{Images, Pictures, Quantise};
pub use inception_score::{InceptionScore, inception_score};
pub use input::Input;
pub use kid::{KidSubsets, kid, kid_subsets};
pub use meanflow_transport::Assignment;
pub use metric::{Better, Metric, MetricKind, MetricReference, Reference, Taken, Unasked, apart};
pub use mixture::{Mixture, ModeCoverage};
pub use mmd::{median_distance, mmd_gaussian};
pub use moments::Moments;
pub use named::{Given, InceptionWeights, Named, Space};
pub use nearest::{Memorisation, Neighbour, memorisation, nearest};
pub use origin::Origin;
pub use prdc::{Prdc, prdc};
pub use real::{Classes, Real, Samples};
pub use registry::METRICS;
pub use scorer::Scorer;
pub use sliced::sliced_wasserstein2;
pub use statistics::{Statistics, StatisticsNames};
pub use value::{Settings, Value};
pub use wasserstein::wasserstein2;

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
