//! Datasets to host batches: toy densities in the plane, IDX image sets, and the ordered, resumable loader.
//!
//! This crate knows no network and no tensor library. A sample is `[channels, height, width]` in `f32`:
//! images in [−1, 1], points of the plane as `[2, 1, 1]`, scaled to about unit variance. Whatever is drawn is
//! drawn from ChaCha8 keyed by a seed, a name and a step ([`random`]).
//!
//! A new dataset is one file in `datasets/`, one variant of [`DataConfig`] and one line of [`KINDS`].

pub mod augment;
pub mod config;
pub mod dataset;
pub mod datasets;
pub mod density;
pub mod error;
pub mod fetch;
pub mod grid;
pub mod held_out;
pub mod idx;
pub mod images;
pub mod inspect;
pub mod loader;
pub mod order;
pub mod random;
pub mod registry;

pub use config::{DataConfig, Description};
pub use dataset::{Blocks, Dataset, Element, Field, View, labels_in_turn, read_rows};
pub use datasets::checkerboard::CheckerboardConfig;
pub use datasets::eight_gaussians::EightGaussiansConfig;
pub use datasets::fashion_mnist::FashionMnistConfig;
pub use datasets::idx_files::IdxConfig;
pub use datasets::mnist::MnistConfig;
pub use datasets::points::PointsConfig;
pub use datasets::silhouette::SilhouetteConfig;
pub use datasets::swiss_roll::SwissRollConfig;
pub use datasets::two_moons::TwoMoonsConfig;
pub use datasets::two_spirals::TwoSpiralsConfig;
pub use error::DataError;
pub use fetch::fetch;
pub use grid::{density_png, grid_png};
pub use idx::Part;
pub use inspect::{Inspection, contact_sheet, inspect};
pub use loader::{Cursor, HostBatch, Loader, LoaderConfig};
pub use registry::{KINDS, Kind, Listed, Presence, list};
