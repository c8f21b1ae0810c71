#![doc = include_str!("../README.md")]

mod error;
mod load;
mod model;
mod onnx;
mod sample;
mod sampler;
mod sampling;
mod shown;
pub mod side_by_side;

pub use error::GeneratorError;
pub use load::{Load, Loaded, load};
pub use model::Model;
pub use onnx::{Computes, onnx};
pub use sample::{Request, Samples, sample};
pub use sampler::Sampler;
pub use sampling::{Drawn, NOISE, SampleGuidance, Sampling, label_tensor};
pub use shown::shown;
