//! What a built-in objective is made of is public: each of these files compiles outside the framework as it stands.

/// In place of the framework's `crate`.
pub use meanflow::core::*;

#[allow(dead_code)]
mod copied;
