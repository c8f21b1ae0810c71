//! CIFAR-10 (Krizhevsky, 2009): 32×32 colour photos in 10 classes, from the binary version that is published.

use std::path::PathBuf;
use std::sync::Arc;

use meanflow_settings::{Choice, Flag, Number, PathTo, Reader};

use crate::augment::EdmConfig;
use crate::cifar::{Half, Layout};
use crate::kind::{DataConfig, DataKind, Description, Kind, Origin};
use crate::dataset::Dataset;
use crate::error::DataError;

const LAYOUT: Layout = Layout {
    name: "cifar10",
    train: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ],
    test: &["test_batch.bin"],
    labels: 1,
    class: Some((0, 10)),
};
const WITHOUT_LABELS: Layout = Layout { class: None, ..LAYOUT };

/// What the registry knows of it.
pub static KIND: Kind = Kind {
    name: LAYOUT.name,
    description: "32×32 colour photos, 10 classes, from the official binary files or tar.gz",
    origin: Origin::Yours { wanted: "cifar-10-binary.tar.gz, or the folder of its .bin files" },
    read: |r| DataConfig::new(Cifar10Config::read(r)),
};

/// `[data.cifar10]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Cifar10Config {
    /// Folder with the `.bin` files, or the archive `cifar-10-binary.tar.gz`.
    pub path: PathBuf,
    /// Which half of the set.
    pub split: Half,
    /// Whether samples carry their classes; without, training is unconditional.
    pub labels: bool,
    /// Mirror half of the training images left to right, anew each epoch.
    pub flip: bool,
    /// Warp the training images after that, anew each epoch.
    pub augment: Option<EdmConfig>,
    /// Fraction set aside to score against.
    pub held_out: f64,
}

impl Cifar10Config {
    /// CIFAR-10 in this folder or archive, with the defaults for the rest.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            split: Half::Train,
            labels: true,
            flip: false,
            augment: None,
            held_out: 0.0,
        }
    }

    fn layout(&self) -> &'static Layout {
        if self.labels { &LAYOUT } else { &WITHOUT_LABELS }
    }

    /// Reads the keys of `[data.cifar10]`.
    fn read(r: &mut Reader) -> Self {
        let default = Self::new(r.need("path", PathTo));
        Self {
            split: r.get("split", Choice(Half::ALL.to_vec()), default.split),
            labels: r.get("labels", Flag, default.labels),
            flip: r.get("flip", Flag, default.flip),
            augment: EdmConfig::read(r),
            held_out: r.get("held-out", Number::BELOW_ONE, default.held_out),
            path: default.path,
        }
    }
}

impl DataKind for Cifar10Config {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn describe(&self) -> Result<Description, DataError> {
        self.layout().describe(&self.path, self.split, self.held_out)
    }

    fn open(&self) -> Result<Arc<dyn Dataset>, DataError> {
        self.layout().open(&self.path, self.split, self.held_out)
    }

    fn missing(&self) -> Option<DataError> {
        self.layout().missing(&self.path, self.split)
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
