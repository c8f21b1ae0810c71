#![doc = include_str!("../README.md")]

mod allocator;
mod corpus;
mod mutate;
mod read;
mod run;
mod target;
pub mod targets;
mod watch;

pub use allocator::{Counting, MOST as MOST_MEMORY};
pub use corpus::Seed;
pub use mutate::mutated;
pub use read::{Outcome, check};
pub use run::{Fault, Tally, input, run};
pub use target::Target;
pub use targets::TARGETS;
pub use watch::MOST as MOST_TIME;
