//! Backbones `u(z, r, t | class)`: a multilayer perceptron for points in the plane and the DiT of the MeanFlow paper.
//!
//! Every network is written once, for any [`Backend`](burn::tensor::backend::Backend), with Burn's tensor operations
//! alone; on `Jvp<Autodiff<B>>` the same code therefore gives `u`, `du/dt` and the gradient. Initial weights are drawn on
//! the host from the run's [`Streams`](meanflow_core::Streams), one stream per parameter, never from a backend's
//! generator.
//!
//! [`NetConfig`] describes a network (and counts its parameters without making them), [`Net`] is one, [`flax`] reads
//! weights under the names of the official JAX code, and [`parity`] compares this implementation with reference numbers.

pub mod config;
pub mod dit;
mod embed;
pub mod flax;
pub mod import;
mod init;
pub mod mlp;
pub mod net;
mod norm;
pub mod parity;
pub mod torch_dit;

pub use config::{NetConfig, NetError};
pub use dit::{Dit, DitConfig};
pub use mlp::{Mlp, MlpConfig};
pub use net::Net;
