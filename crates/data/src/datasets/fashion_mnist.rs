//! Fashion-MNIST (arXiv 1708.07747): 28×28 grey garments in 10 classes. Its 10,000-image file is part of this
//! crate.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use meanflow_settings::{Flag, Number, Or, PathTo, Reader, Within};

use crate::augment::EdmConfig;
use crate::kind::{DataConfig, DataKind, Description, Kind, Origin};
use crate::dataset::Dataset;
use crate::error::DataError;
use crate::published::{Package, Published};
use crate::idx::{Part, IdxBytes};
use crate::images::{self, Reading};

const NAME: &str = "fashion-mnist";
const SIZE: [usize; 2] = [28, 28];
const CLASSES: usize = 10;

static TEST_IMAGES: &[u8] =
    include_bytes!("../../../../datasets/fashion-mnist-10k/t10k-images-idx3-ubyte.gz");
static TEST_LABELS: &[u8] =
    include_bytes!("../../../../datasets/fashion-mnist-10k/t10k-labels-idx1-ubyte.gz");

/// The four published files and where an ordinary package client gets them.
const PUBLISHED: Published = Published {
    package: Package::Debian { name: "dataset-fashion-mnist", folder: "usr/share/datasets/fashion-mnist" },
    files: &[
        ("train-images-idx3-ubyte.gz", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
        ("train-labels-idx1-ubyte.gz", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
        ("t10k-images-idx3-ubyte.gz", "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
        ("t10k-labels-idx1-ubyte.gz", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
    ],
};

/// What the registry knows of it.
pub static KIND: Kind = Kind {
    name: NAME,
    description: "28×28 grey garments, 10 classes; 10,000 built in, 60,000 more to fetch",
    origin: Origin::Published { set: &PUBLISHED, partly_built_in: true },
    read: |r| DataConfig::new(FashionMnistConfig::read(r)),
};

/// `[data.fashion-mnist]`.
#[derive(Clone, Debug, PartialEq)]
pub struct FashionMnistConfig {
    /// Folder with the IDX files, raw or gzipped; without it, the 10,000 images in the program.
    pub path: Option<PathBuf>,
    /// Which half of the set. The program itself holds only the test half.
    pub split: Part,
    /// Pad with black to a square of this side; 28 without.
    pub size: Option<usize>,
    /// Whether samples carry their classes; without, training is unconditional.
    pub labels: bool,
    /// Mirror half of the training images left to right, anew each epoch.
    pub flip: bool,
    /// Warp the training images after that, anew each epoch.
    pub augment: Option<EdmConfig>,
    /// Fraction set aside to score against.
    pub held_out: f64,
}

impl Default for FashionMnistConfig {
    /// The 10,000 images in the program, as they are.
    fn default() -> Self {
        Self {
            path: None,
            split: Part::Auto,
            size: None,
            labels: true,
            flip: false,
            augment: None,
            held_out: 0.0,
        }
    }
}

impl FashionMnistConfig {
    /// Reads the keys of `[data.fashion-mnist]`.
    fn read(r: &mut Reader) -> Self {
        let default = Self::default();
        Self {
            path: r.get("path", Or("built-in", PathTo), default.path),
            split: r.get("split", Part::choice(), default.split),
            size: r.get("size", Or("off", Within::SAMPLES), default.size),
            labels: r.get("labels", Flag, default.labels),
            flip: r.get("flip", Flag, default.flip),
            augment: EdmConfig::read(r),
            held_out: r.get("held-out", Number::BELOW_ONE, default.held_out),
        }
    }
}

impl DataKind for FashionMnistConfig {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn describe(&self) -> Result<Description, DataError> {
        if self.path.is_none() {
            DataError::require(
                self.split != Part::Train,
                "split",
                "train",
                "needs `path`: only the 10,000 test images are built in",
            )?;
        }
        let count = match &self.path {
            Some(folder) => super::mnist::count(folder, self.split),
            None => Some(10_000),
        };
        images::describe(count, SIZE, self.labels.then_some(CLASSES), self.size, self.held_out)
    }

    fn open(&self) -> Result<Arc<dyn Dataset>, DataError> {
        self.describe()?;
        let files = self.path.as_ref().map(|folder| self.split.find(folder)).transpose()?;
        let [images, labels] = match &files {
            Some([images, labels]) => [IdxBytes::File(images), IdxBytes::File(labels)],
            None => [
                IdxBytes::Memory(Path::new("the built-in t10k-images-idx3-ubyte.gz"), TEST_IMAGES),
                IdxBytes::Memory(Path::new("the built-in t10k-labels-idx1-ubyte.gz"), TEST_LABELS),
            ],
        };
        Reading {
            name: NAME,
            images,
            labels: self.labels.then_some((labels, Some(CLASSES))),
            expected: Some(SIZE),
            size: self.size,
            held_out: self.held_out,
        }
        .open()
    }

    fn missing(&self) -> Option<DataError> {
        self.path.as_ref().and_then(|folder| self.split.find(folder).err())
    }

    fn flip(&self) -> bool {
        self.flip
    }

    fn augment(&self) -> Option<EdmConfig> {
        self.augment
    }

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        self.path.iter_mut().collect()
    }
}
