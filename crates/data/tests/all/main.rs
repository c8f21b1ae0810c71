//! Behaviour of the crate from outside, in one binary.

mod augment;
mod config;
mod idx;
mod images;
mod loader;
mod points;
mod silhouette;
mod toys;
