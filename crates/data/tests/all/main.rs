//! Behaviour of the crate from outside, in one binary.

mod augment;
mod cifar;
mod config;
mod emoji;
mod hdf5;
mod idx;
mod image_folder;
mod images;
mod loader;
mod own;
mod points;
mod silhouette;
mod toys;
