//! Any set of grey images in the IDX format: Kuzushiji, EMNIST, a user's own.

use std::path::PathBuf;
use std::sync::Arc;

use meanflow_settings::{Flag, Number, Or, PathTo, Reader, Within};
use sha2::{Digest, Sha256};

use crate::absent::absent;
use crate::augment::EdmConfig;
use crate::kind::{DataConfig, DataKind, Description, Kind, Origin};
use crate::dataset::Dataset;
use crate::error::DataError;
use crate::idx::{self, IdxBytes};
use crate::images::{self, Reading};

/// What the registry knows of it.
pub static KIND: Kind = Kind {
    name: "idx",
    description: "grey images of any size from IDX files, raw or gzipped, with or without labels",
    origin: Origin::Yours { wanted: "an IDX file, raw or gzipped" },
    read: |r| DataConfig::new(IdxConfig::read(r)),
};

/// `[data.idx]`.
#[derive(Clone, Debug, PartialEq)]
pub struct IdxConfig {
    /// File of images (`idx3-ubyte`), raw or gzipped.
    pub images: PathBuf,
    /// File of labels (`idx1-ubyte`), raw or gzipped; without it, samples have no class.
    pub labels: Option<PathBuf>,
    /// Number of classes; without it, one more than the largest label.
    pub classes: Option<usize>,
    /// Pad with black to a square of this side.
    pub size: Option<usize>,
    /// Mirror half of the training images left to right, anew each epoch.
    pub flip: bool,
    /// Warp the training images after that, anew each epoch.
    pub augment: Option<EdmConfig>,
    /// Fraction set aside to score against.
    pub held_out: f64,
}

impl IdxConfig {
    /// Unlabelled images from this file, with the defaults for the rest.
    pub fn new(images: impl Into<PathBuf>) -> Self {
        Self {
            images: images.into(),
            labels: None,
            classes: None,
            size: None,
            flip: false,
            augment: None,
            held_out: 0.0,
        }
    }

    fn check(&self) -> Result<(), DataError> {
        let Some(classes) = self.classes else { return Ok(()) };
        DataError::require((1..=256).contains(&classes), "classes", classes, "must be from 1 to 256")?;
        DataError::require(
            self.labels.is_some(),
            "classes",
            classes,
            "needs `labels`, the file that holds them",
        )
    }

    fn class_count(&self) -> Result<Option<usize>, DataError> {
        match (&self.labels, self.classes) {
            (None, _) => Ok(None),
            (Some(_), Some(classes)) => Ok(Some(classes)),
            (Some(path), None) => match idx::read_labels(IdxBytes::File(path), &mut Sha256::new()) {
                Ok(labels) => Ok(Some(images::class_count(&labels))),
                Err(source @ DataError::Read { .. }) => Err(DataError::Unknowable {
                    path: path.clone(),
                    what: "number of classes",
                    key: "classes",
                    source: Box::new(source),
                }),
                Err(error) => Err(error),
            },
        }
    }

    /// Reads the keys of `[data.idx]`.
    fn read(r: &mut Reader) -> Self {
        let default = Self::new(r.need("images", PathTo));
        Self {
            labels: r.get("labels", Or("off", PathTo), default.labels),
            classes: r.get("classes", Or("auto", Within::SAMPLES), default.classes),
            size: r.get("size", Or("off", Within::SAMPLES), default.size),
            flip: r.get("flip", Flag, default.flip),
            augment: EdmConfig::read(r),
            held_out: r.get("held-out", Number::BELOW_ONE, default.held_out),
            images: default.images,
        }
    }
}

impl DataKind for IdxConfig {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    /// The header tells the shape; without the file, `size` does.
    fn describe(&self) -> Result<Description, DataError> {
        self.check()?;
        let (count, size) = match (idx::peek_images(&self.images), self.size) {
            (Ok([count, height, width]), _) => (Some(count), [height, width]),
            (Err(DataError::Read { .. }), Some(size)) => (None, [size, size]),
            (Err(source @ DataError::Read { .. }), None) => {
                return Err(DataError::Unknowable {
                    path: self.images.clone(),
                    what: "image size",
                    key: "size",
                    source: Box::new(source),
                });
            }
            (Err(error), _) => return Err(error),
        };
        images::describe(count, size, self.class_count()?, self.size, self.held_out)
    }

    fn open(&self) -> Result<Arc<dyn Dataset>, DataError> {
        self.check()?;
        crate::held_out::check(self.held_out)?;
        Reading {
            name: KIND.name,
            images: IdxBytes::File(&self.images),
            labels: self.labels.as_ref().map(|path| (IdxBytes::File(path), self.classes)),
            expected: None,
            size: self.size,
            held_out: self.held_out,
        }
        .open()
    }

    fn missing(&self) -> Option<DataError> {
        std::iter::once(&self.images).chain(&self.labels).find_map(|path| absent(path))
    }

    fn flip(&self) -> bool {
        self.flip
    }

    fn augment(&self) -> Option<EdmConfig> {
        self.augment
    }

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        std::iter::once(&mut self.images).chain(&mut self.labels).collect()
    }
}
