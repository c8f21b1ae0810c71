//! The kinds of data, one file each: the settings of its `[data.*]` table and what they open.

pub mod checkerboard;
pub mod cifar10;
pub mod cifar100;
pub mod eight_gaussians;
pub mod emoji;
pub mod fashion_mnist;
pub mod hdf5_files;
pub mod idx_files;
pub mod image_folder;
pub mod mnist;
pub mod points;
pub mod silhouette;
pub mod swiss_roll;
pub mod two_moons;
pub mod two_spirals;
