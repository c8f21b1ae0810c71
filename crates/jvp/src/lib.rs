#![doc = include_str!("../README.md")]
//!
//! ## How it is built
//!
//! Burn's backend traits have some 420 methods. Those on ints, bools and quantised tensors are forwarded. Each operation on
//! floats belongs to a class of rule (linear, bilinear, affine, elementwise by input or output, piecewise, none), and a
//! line of a table names operation and derivative. Defaults of the traits are implemented too: a default composes other
//! operations and would lose the fast path of the backend below. A test and a lint see one that is missing.

mod backend;
pub mod check;
mod derivative;
mod forward;
mod functional;
mod mode;
mod ops;
mod rules;
mod tensor;

pub use backend::Jvp;
pub use forward::{Dual, ForwardMode};
pub use functional::{Duals, jvp};
pub use mode::{Mode, OffTape, Taped, Untaped};
pub use tensor::JvpTensor;
