//! The tests of forward mode, in one binary: its tensors are f64 by default.

mod binary;
mod common;
mod compositions;
mod elementwise;
mod forwarding;
mod interface;
mod modules;
mod networks;
mod orders;
mod reductions;
mod refusals;
mod reverse;
mod shapes;
mod tape;
