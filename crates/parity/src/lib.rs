#![doc = include_str!("../README.md")]

mod error;
mod file;
mod report;

pub use error::ReferenceFileError;
pub use file::{ReferenceFile, StoredNumbers};
pub use report::{Discrepancy, ParityReport, ParityRow};
