//! Forward-mode automatic differentiation for Burn, as a backend decorator.

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
