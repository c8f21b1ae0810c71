#![doc = include_str!("../README.md")]

mod children;
mod document;
mod kind;
mod layout;
mod length;
mod list;
mod load;
mod merge;
mod nearest;
mod number;
mod parse;
mod period;
mod problem;
mod reader;
mod resolved;
mod scalar;
mod set;
mod source;
mod tables;
mod text;
mod tree;
mod words;

pub use document::{Document, Reading, VariantTree};
pub use layout::{Kinds, Layout};
pub use length::{Length, Period, Steps};
pub use list::{List, Pair, Series, Triple};
pub use number::{Number, Within};
pub use period::{Every, PeriodError, Unit};
pub use problem::{ConfigError, Problem, Where};
pub use reader::Reader;
pub use resolved::{Difference, Entry, Key, Origin, Resolved, Section};
pub use scalar::{Flag, Or, Scalar, Wrong, quote};
pub use source::{Place, Source};
pub use text::{Choice, Named, PathTo, Text};
pub use tree::{Node, Table, Value};
