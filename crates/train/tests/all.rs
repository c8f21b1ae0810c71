//! Behaviour of the crate through its public interface, in one binary.

mod config;
mod runs;
