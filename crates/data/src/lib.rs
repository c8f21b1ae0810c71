//! Datasets to host batches: toy densities in the plane, image sets, latents, and the ordered, resumable loader.
//!
//! This crate knows no network and no tensor library. A sample is `[channels, height, width]` in `f32`:
//! images in [−1, 1], points of the plane as `[2, 1, 1]`, scaled to about unit variance. Whatever is drawn is
//! drawn from ChaCha8 keyed by a seed, a name and a step ([`random`]).
//!
//! A new dataset is one file in `datasets/` and its name in `datasets.rs`; or, in another crate, a file of the same form and a
//! list of [`Kind`]s that holds its own beside [`KINDS`].

mod absent;
pub mod augment;
mod block_cache;
pub mod cifar;
pub mod convert;
pub mod dataset;
pub mod datasets;
pub mod density;
pub mod error;
pub mod fetch;
pub mod grid;
pub(crate) mod hdf5;
pub mod held_out;
pub mod idx;
pub mod images;
pub mod inspect;
pub mod kind;
pub mod loader;
pub mod order;
mod pictures;
pub mod presence;
pub mod published;
pub mod read;
mod rows;

pub use augment::EdmConfig;
pub use cifar::Half;
pub use convert::{Conversion, convert};
pub use dataset::{Blocks, Dataset, Element, Field, Gaussians, View, labels_in_turn, read_rows};
pub use datasets::KINDS;
pub use datasets::checkerboard::CheckerboardConfig;
pub use datasets::cifar10::Cifar10Config;
pub use datasets::cifar100::{Cifar100Config, Level};
pub use datasets::eight_gaussians::EightGaussiansConfig;
pub use datasets::emoji::EmojiConfig;
pub use datasets::fashion_mnist::FashionMnistConfig;
pub use datasets::hdf5_files::{Encoding, Hdf5Config};
pub use datasets::idx_files::IdxConfig;
pub use datasets::image_folder::ImageFolderConfig;
pub use datasets::mnist::MnistConfig;
pub use datasets::points::PointsConfig;
pub use datasets::silhouette::SilhouetteConfig;
pub use datasets::swiss_roll::SwissRollConfig;
pub use datasets::two_moons::TwoMoonsConfig;
pub use datasets::two_spirals::TwoSpiralsConfig;
pub use error::DataError;
pub use fetch::fetch;
pub use grid::{density_png, grid_png, write_samples};
pub use hdf5::{Floats, array_names, read_floats, read_text, write_floats, write_floats_with};
pub use idx::Part;
pub use inspect::{Inspection, contact_sheet, inspect};
pub use kind::{DataConfig, DataKind, Description, Kind, Origin};
pub use loader::{Cursor, HostBatch, Loader, LoaderConfig};
pub use meanflow_random as random;
pub use pictures::Background;
pub use presence::{Listed, Presence, list};
pub use published::{Package, Published};
pub use read::read;

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
