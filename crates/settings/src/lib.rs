//! Settings from TOML: every value remembers its file and bytes, all problems are reported at once, and every key that was read
//! is written down with its value and origin.
//!
//! [`load`] makes one document tree per variant of a file; a [`Reader`] walks a tree key by key. This crate knows no key: those
//! who read say which there are.

mod load;
mod patterns;
mod period;
mod problem;
mod reader;
mod resolved;
mod scalar;
mod source;
mod tree;

pub use load::{Document, Layout, VariantTree, ask, load, parse};
pub use patterns::Patterns;
pub use period::{Every, PeriodError, Unit};
pub use problem::{ConfigError, Problem, Where};
pub use reader::{Log, Reader};
pub use resolved::{Difference, Entry, Origin, Resolved, Section};
pub use scalar::{
    Choice, Flag, Length, List, Number, Or, Pair, PathTo, Scalar, Steps, Text, Triple, Within, Wrong, period,
    quote,
};
pub use source::{Place, Source};
pub use tree::{Kinds, Node, Table, Value, merge};
