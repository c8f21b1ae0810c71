#![doc = include_str!("../README.md")]

mod client;
mod open;
mod replace;
mod scratch;

pub use client::{ClientError, Wheel, only_file, run, unpack_member};
pub use open::{open, read, read_at_most};
pub use replace::{part_of, replace, replace_shared, write};
pub use scratch::Scratch;
