#![doc = include_str!("../README.md")]

mod assignment;
mod auction;
mod sinkhorn;

pub use assignment::{Assignment, assign};
pub use sinkhorn::{draw, sinkhorn};
