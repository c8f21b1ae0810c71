#![doc = include_str!("../README.md")]

mod client;
mod replace;
mod scratch;

pub use client::{ClientError, Wheel, only_file, run, unpack_member};
pub use replace::{part_of, replace, replace_shared, write};
pub use scratch::Scratch;
