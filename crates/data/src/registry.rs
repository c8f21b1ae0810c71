//! The kinds of data by name, for error messages and `data list`.

use std::path::{Path, PathBuf};

use crate::fetch;

/// A kind of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name, as in `[data.<name>]`.
    pub name: &'static str,
    /// One line about it.
    pub description: &'static str,
    origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    BuiltIn,
    Fetched,
    Yours,
}

const fn kind(name: &'static str, origin: Origin, description: &'static str) -> Kind {
    Kind { name, description, origin }
}

/// Every kind of data there is.
pub const KINDS: &[Kind] = &[
    kind(
        "fashion-mnist",
        Origin::BuiltIn,
        "28×28 grey garments, 10 classes; 10,000 built in, 60,000 more to fetch",
    ),
    kind("mnist", Origin::Fetched, "28×28 grey digits, 10 classes, 60,000 + 10,000"),
    kind(
        "idx",
        Origin::Yours,
        "grey images of any size from IDX files, raw or gzipped, with or without labels",
    ),
    kind(
        "cifar10",
        Origin::Yours,
        "32×32 colour photos, 10 classes, from the official binary files or tar.gz",
    ),
    kind(
        "cifar100",
        Origin::Yours,
        "32×32 colour photos, 100 or 20 classes, from the official binary files or tar.gz",
    ),
    kind("image-folder", Origin::Yours, "PNG and JPEG pictures, a folder a class"),
    kind("emoji", Origin::Fetched, "Noto emoji as colour pictures, 9 classes, split by glyph"),
    kind("hdf5", Origin::Yours, "images or latents from HDF5 files, read from disk as they are needed"),
    kind("eight-gaussians", Origin::BuiltIn, "plane: eight Gaussians on a circle"),
    kind("checkerboard", Origin::BuiltIn, "plane: the dark squares of a 4×4 checkerboard"),
    kind("two-moons", Origin::BuiltIn, "plane: two interleaved half circles"),
    kind("two-spirals", Origin::BuiltIn, "plane: two arms of a spiral"),
    kind("swiss-roll", Origin::BuiltIn, "plane: a rolled-up line"),
    kind("points", Origin::Yours, "plane: points from a CSV or text file"),
    kind("silhouette", Origin::Yours, "plane: the silhouette of a PNG or JPEG picture"),
];

/// Whether a kind of data can be used as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Needs no file.
    BuiltIn,
    /// All published files are in this folder.
    Here(PathBuf),
    /// [`fetch`](crate::fetch()) gets all of it.
    Fetchable {
        /// Whether a part of it can be used without fetching.
        partly_built_in: bool,
    },
    /// Reads a file of the user's.
    YourFile,
}

/// A kind of data and whether it is present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name, as in `[data.<name>]`.
    pub name: &'static str,
    /// One line about it.
    pub description: &'static str,
    /// Whether it can be used as it is.
    pub presence: Presence,
}

/// Every kind of data, with the fetched ones looked for in `datasets/<name>`; names the files by existence,
/// without reading them.
pub fn list(datasets: &Path) -> Vec<Listed> {
    let presence = |kind: &Kind| {
        let Some(published) = fetch::published(kind.name) else {
            return if kind.origin == Origin::Yours { Presence::YourFile } else { Presence::BuiltIn };
        };
        let folder = datasets.join(kind.name);
        if published.files.iter().all(|(name, _)| folder.join(name).exists()) {
            Presence::Here(folder)
        } else {
            Presence::Fetchable { partly_built_in: kind.origin == Origin::BuiltIn }
        }
    };
    KINDS
        .iter()
        .map(|kind| Listed { name: kind.name, description: kind.description, presence: presence(kind) })
        .collect()
}
