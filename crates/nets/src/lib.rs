//! Backbones `u(z, r, t | class)`: a multilayer perceptron for points in the plane, the DiT of the MeanFlow paper, the U-Net
//! of its CIFAR-10 experiments and the transformer of improved MeanFlow.
//!
//! Every network is written once, for any [`Backend`](burn::tensor::backend::Backend), with Burn's tensor operations
//! alone; on `Jvp<Autodiff<B>>` the same code therefore gives `u`, `du/dt` and the gradient. Initial weights are drawn on
//! the host from the run's [`Streams`](meanflow_core::Streams), one stream per parameter, never from a backend's
//! generator.
//!
//! [`NetConfig`] describes a network (and counts its parameters without making them), [`Net`] is one, [`flax`] and [`torch`]
//! read weights under the names of the official codes, and [`parity`] compares this implementation with reference numbers.

mod attention;
pub mod classifier;
pub mod config;
pub mod dit;
mod embed;
pub mod flax;
pub mod imf;
pub mod import;
mod init;
pub mod layout;
pub mod mlp;
pub mod net;
mod norm;
pub mod parity;
mod patch;
pub mod torch;
pub mod torch_dit;
pub mod unet;
pub mod weights;

pub use classifier::Classifier;
pub use config::{NetConfig, NetError};
pub use dit::{Dit, DitConfig};
pub use imf::{ImfDit, ImfDitConfig};
pub use mlp::{Mlp, MlpConfig};
pub use net::Net;
pub use unet::{SongUnet, UnetConfig};

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
