//! Backbones `u(z, r, t | class)`: a multilayer perceptron for points in the plane, the DiT of the MeanFlow paper, the U-Net
//! of its CIFAR-10 experiments and the transformer of improved MeanFlow.
//!
//! Every network is written once, for any [`Backend`](burn::tensor::backend::Backend), with Burn's tensor operations
//! alone; on `Jvp<Autodiff<B>>` the same code therefore gives `u`, `du/dt` and the gradient. Initial weights are drawn on
//! the host from the run's [`Streams`](meanflow_core::Streams), one stream per parameter, never from a backend's
//! generator.
//!
//! A kind of network is its settings ([`Network`]): it reads its keys, counts its parameters without making them, and makes the
//! module. [`networks!`] makes one type of a list of kinds, as [`NetConfig`] is of the built-in ones, and [`Net`] is a network of
//! any of them. [`import`] knows the names that other programs have for the weights, and [`parity`] compares this implementation with reference numbers.

mod attention;
pub mod classifier;
pub mod dit;
pub mod embed;
mod error;
pub mod flax;
pub mod imf;
pub mod import;
pub mod init;
mod kinds;
pub mod layout;
mod linear;
pub mod mlp;
mod network;
pub mod norm;
pub mod parity;
pub mod patch;
mod registry;
mod start;
mod table;
pub mod unet;
pub mod weights;

pub use classifier::Classifier;
pub use dit::{Dit, DitConfig};
pub use error::NetError;
pub use imf::{ImfDit, ImfDitConfig};
pub use init::{Init, Law};
pub use kinds::{Net, Networks};
pub use mlp::{Mlp, MlpConfig};
pub use network::{Activations, Network};
pub use registry::{AnyNet, NetConfig};
pub use table::{of_table, read};
pub use unet::{SongUnet, UnetConfig};

/// For [`networks!`] in other crates.
pub use meanflow_core as core;

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
