//! From an experiment file to a trained, scored run.

pub mod bench;
pub mod checkpoint;
mod checksum;
pub mod classifier;
pub mod config;
pub mod digest;
pub mod env;
mod error;
pub mod folder;
pub mod home;
mod inputs;
pub mod kinds;
pub mod known;
pub mod model;
pub mod onnx;
pub mod progress;
pub mod resume;
pub mod run;
pub mod sample;
pub mod sampler;
mod scored;
pub mod step;
mod teacher;
mod tensor_file;
pub mod verify;
pub mod weights;

pub use error::TrainError;
pub use kinds::{BuiltIn, Kinds};

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
