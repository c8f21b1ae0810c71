//! The kinds of data, one file each: the settings of its `[data.*]` table and what they open.

pub mod checkerboard;
pub mod eight_gaussians;
pub mod fashion_mnist;
pub mod idx_files;
pub mod mnist;
pub mod points;
pub mod silhouette;
pub mod swiss_roll;
pub mod two_moons;
pub mod two_spirals;
