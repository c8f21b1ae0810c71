//! From an experiment file to a trained, scored run.

pub mod bench;
pub mod checkpoint;
pub mod config;
pub mod digest;
pub mod env;
mod error;
pub mod folder;
pub mod home;
mod inputs;
pub mod jobs;
pub mod kinds;
pub mod known;
pub mod progress;
pub mod resume;
pub mod run;
mod scored;
mod start;
pub mod step;
mod teacher;
pub mod trained;
pub mod verify;

pub use error::TrainError;
pub use kinds::{BuiltIn, Kinds};

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
