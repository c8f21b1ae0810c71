//! From an experiment file to a trained, scored run.

pub mod config;
pub mod ema;
