#![doc = include_str!("../README.md")]

mod digest;
mod file;
mod module;

pub use digest::Digest;
pub use file::{StateFile, Texts, read, write};
pub use module::{
    Named, ParamVisitor, Path, StateError, all_used, fits, parameters, visit_parameters, with_parameters,
};
