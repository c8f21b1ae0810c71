#![doc = include_str!("../README.md")]

pub mod batch;
mod cache;
pub mod classifier;
pub mod config;
pub mod date;
mod error;
mod eval;
mod features;
mod home;
mod judge;
pub mod kept;
mod machine;
mod nearest;
mod output;
mod reference;
mod request;
mod scores;
mod source;
pub mod within;

pub use error::ScoreError;
pub use eval::{Written, eval, write_statistics};
pub use home::{Home, Run, Samples};
pub use judge::Judge;
pub use machine::{Machine, Work};
pub use nearest::Found as Nearest;
pub use output::{Output, Score};
pub use reference::{COMPARED, POINT, most_compared};
pub use request::{Networks, Request};
