//! CIFAR-100 (Krizhevsky, 2009): 32×32 colour photos in 100 classes of 20 groups, from the binary version that is
//! published.

use std::path::PathBuf;
use std::sync::Arc;

use meanflow_settings::{Choice, Flag, Number, PathTo, Reader};

use crate::augment::EdmConfig;
use crate::cifar::{Half, Layout};
use crate::kind::{DataConfig, DataKind, Description, Kind, Origin};
use crate::dataset::Dataset;
use crate::error::DataError;

const FINE: Layout =
    Layout { name: "cifar100", train: &["train.bin"], test: &["test.bin"], labels: 2, class: Some((1, 100)) };
const COARSE: Layout = Layout { class: Some((0, 20)), ..FINE };
const OFF: Layout = Layout { class: None, ..FINE };

/// Which of the two labels of an image is its class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// 100 classes.
    #[default]
    Fine,
    /// 20 groups of classes.
    Coarse,
    /// Neither: training is unconditional.
    Off,
}

impl Level {
    /// The names that an experiment file may use for `labels`.
    pub const ALL: [(&'static str, Self); 3] =
        [("fine", Self::Fine), ("coarse", Self::Coarse), ("off", Self::Off)];

    fn layout(self) -> &'static Layout {
        match self {
            Self::Fine => &FINE,
            Self::Coarse => &COARSE,
            Self::Off => &OFF,
        }
    }
}

/// What the registry knows of it.
pub static KIND: Kind = Kind {
    name: "cifar100",
    description: "32×32 colour photos, 100 or 20 classes, from the official binary files or tar.gz",
    origin: Origin::Yours { wanted: "cifar-100-binary.tar.gz, or the folder of its .bin files" },
    read: |r| DataConfig::new(Cifar100Config::read(r)),
};

/// `[data.cifar100]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Cifar100Config {
    /// Folder with the `.bin` files, or the archive `cifar-100-binary.tar.gz`.
    pub path: PathBuf,
    /// Which half of the set.
    pub split: Half,
    /// Which labels.
    pub labels: Level,
    /// Mirror half of the training images left to right, anew each epoch.
    pub flip: bool,
    /// Warp the training images after that, anew each epoch.
    pub augment: Option<EdmConfig>,
    /// Fraction set aside to score against.
    pub held_out: f64,
}

impl Cifar100Config {
    /// CIFAR-100 in this folder or archive, with the defaults for the rest.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            split: Half::Train,
            labels: Level::Fine,
            flip: false,
            augment: None,
            held_out: 0.0,
        }
    }

    /// Reads the keys of `[data.cifar100]`.
    fn read(r: &mut Reader) -> Self {
        let default = Self::new(r.need("path", PathTo));
        Self {
            split: r.get("split", Choice(Half::ALL.to_vec()), default.split),
            labels: r.get("labels", Choice(Level::ALL.to_vec()), default.labels),
            flip: r.get("flip", Flag, default.flip),
            augment: EdmConfig::read(r),
            held_out: r.get("held-out", Number::BELOW_ONE, default.held_out),
            path: default.path,
        }
    }
}

impl DataKind for Cifar100Config {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn describe(&self) -> Result<Description, DataError> {
        self.labels.layout().describe(&self.path, self.split, self.held_out)
    }

    fn open(&self) -> Result<Arc<dyn Dataset>, DataError> {
        self.labels.layout().open(&self.path, self.split, self.held_out)
    }

    fn missing(&self) -> Option<DataError> {
        self.labels.layout().missing(&self.path, self.split)
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
