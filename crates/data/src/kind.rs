//! What a kind of data is: an entry of the registry, and what its settings do.

use std::any::Any;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use meanflow_settings::Reader;

use crate::augment::EdmConfig;
use crate::dataset::Dataset;
use crate::error::DataError;
use crate::published::Published;

/// A kind of data, as a registry lists it.
#[derive(Debug)]
pub struct Kind {
    /// Its name, as in `[data.<name>]`.
    pub name: &'static str,
    /// One line about it.
    pub description: &'static str,
    /// Where its files come from.
    pub origin: Origin,
    /// Reads the keys of its table. Constraints between keys are for [`DataKind::describe`].
    pub read: fn(&mut Reader) -> DataConfig,
}

/// Where the files of a kind of data come from.
#[derive(Debug)]
pub enum Origin {
    /// There are none.
    BuiltIn,
    /// [`fetch`](crate::fetch()) gets them.
    Published {
        /// The files.
        set: &'static Published,
        /// Whether a part of it can be used without fetching.
        partly_built_in: bool,
    },
    /// From the user.
    Yours {
        /// The files that are read, in a few words.
        wanted: &'static str,
    },
}

impl Kind {
    /// Its published files, if it has any.
    pub fn published(&self) -> Option<&'static Published> {
        match &self.origin {
            Origin::Published { set, .. } => Some(set),
            Origin::BuiltIn | Origin::Yours { .. } => None,
        }
    }

    /// What to do where its files are not there.
    fn remedy(&self) -> String {
        let wanted = match &self.origin {
            Origin::Published { .. } => {
                return format!("`meanflow data fetch {0}` gets it into datasets/{0}", self.name);
            }
            Origin::Yours { wanted } => wanted,
            Origin::BuiltIn => "the file or folder that the settings name",
        };
        format!("wanted is {wanted}; see docs/data.md")
    }
}

/// What a dataset will be, known before it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// Shape of one sample, `[channels, height, width]`.
    pub shape: [usize; 3],
    /// Number of classes, or `None` if samples carry no labels.
    pub classes: Option<usize>,
    /// Number of samples, if it can be told without the data.
    pub items: Option<usize>,
}

/// What every kind of data does with its settings. Whatever implements this becomes a [`DataConfig`].
pub trait DataKind: Settings {
    /// Its entry of the registry.
    fn kind(&self) -> &'static Kind;

    /// Checks the settings and tells what they describe; needs the data only where nothing else can tell.
    ///
    /// # Errors
    /// [`DataError::Setting`] for a setting out of range, and [`DataError::Unknowable`] with neither the data nor the key
    /// that stands for it.
    fn describe(&self) -> Result<Description, DataError>;

    /// Reads or draws the data.
    ///
    /// # Errors
    /// Settings out of range, and everything that can be wrong with the files they name.
    fn open(&self) -> Result<Arc<dyn Dataset>, DataError>;

    /// The error of the first file or folder that is not there, without reading any.
    fn missing(&self) -> Option<DataError> {
        None
    }

    /// Whether to mirror training samples.
    fn flip(&self) -> bool {
        false
    }

    /// How to warp training samples.
    fn augment(&self) -> Option<EdmConfig> {
        None
    }

    /// Of a finite set of points, the number there are to compare others with, if that can be told.
    fn points_to_compare_with(&self) -> Option<usize> {
        None
    }

    /// Whether samples are read from disk as they are needed, so that the set takes no memory.
    fn stays_on_disk(&self) -> bool {
        false
    }

    /// The files and folders named in the settings.
    fn paths(&mut self) -> Vec<&mut PathBuf> {
        Vec::new()
    }
}

/// What settings are besides: values that can be copied, compared and shown. Every [`DataKind`] that is `Clone`, `PartialEq` and
/// `Debug` has it.
pub trait Settings: Any + fmt::Debug + Send + Sync {
    /// A copy.
    fn copied(&self) -> Box<dyn DataKind>;

    /// Whether `other` is of the same type and equal.
    fn equals(&self, other: &dyn DataKind) -> bool;
}

impl<T: DataKind + Clone + PartialEq + fmt::Debug> Settings for T {
    fn copied(&self) -> Box<dyn DataKind> {
        Box::new(self.clone())
    }

    fn equals(&self, other: &dyn DataKind) -> bool {
        (other as &dyn Any).downcast_ref() == Some(self)
    }
}

/// The `[data.*]` table of an experiment: one kind of data with its settings.
pub struct DataConfig(Box<dyn DataKind>);

impl DataConfig {
    /// These settings.
    pub fn new(settings: impl DataKind) -> Self {
        Self(Box::new(settings))
    }

    /// The settings, if they are of this type.
    pub fn get<T: DataKind>(&self) -> Option<&T> {
        (&*self.0 as &dyn Any).downcast_ref()
    }

    /// The kind's name, as in `[data.<name>]`.
    pub fn name(&self) -> &'static str {
        self.0.kind().name
    }

    /// Checks the settings and tells shape and classes, without needing the data.
    ///
    /// # Errors
    /// [`DataError::Setting`] for the first setting out of range. Some kinds may have to
    /// look: with neither the file nor the key that stands for it, [`DataError::Unknowable`].
    pub fn describe(&self) -> Result<Description, DataError> {
        self.augment().map_or(Ok(()), |augment| augment.check())?;
        self.0.describe()
    }

    /// Reads or draws the data.
    ///
    /// # Errors
    /// Settings out of range, and everything that can be wrong with the files they name.
    pub fn open(&self) -> Result<Arc<dyn Dataset>, DataError> {
        self.augment().map_or(Ok(()), |augment| augment.check())?;
        self.0.open().map_err(|error| match error {
            DataError::Setting { .. } => error,
            _ => self.missing().unwrap_or(error),
        })
    }

    /// If files are not there: the error that [`open`](Self::open) would give, which says where they come from. Reads none.
    pub fn missing(&self) -> Option<DataError> {
        let error = self.0.missing()?;
        Some(DataError::Absent { source: Box::new(error), remedy: self.0.kind().remedy() })
    }

    /// Whether training samples are to be mirrored: what [`LoaderConfig::flip`](crate::LoaderConfig) should
    /// be.
    pub fn flip(&self) -> bool {
        self.0.flip()
    }

    /// How training samples are to be warped: what [`LoaderConfig::augment`](crate::LoaderConfig) should be.
    pub fn augment(&self) -> Option<EdmConfig> {
        self.0.augment()
    }

    /// Of a finite set of points of the plane, the number there are to score others against: those set aside, or all if
    /// none are. `None` of densities, which make as many as are wanted, of all that are not points, and where the
    /// files are not there to tell.
    pub fn points_to_compare_with(&self) -> Option<usize> {
        self.0.points_to_compare_with()
    }

    /// Whether samples are read from disk as they are needed, so that the set takes no memory.
    pub fn stays_on_disk(&self) -> bool {
        self.0.stays_on_disk()
    }

    /// Makes the relative paths in the settings relative to `folder`, which is that of the experiment file.
    pub fn resolve(&mut self, folder: &Path) {
        for path in self.0.paths() {
            *path = folder.join(&path);
        }
    }
}

impl Clone for DataConfig {
    fn clone(&self) -> Self {
        Self(self.0.copied())
    }
}

impl PartialEq for DataConfig {
    fn eq(&self, other: &Self) -> bool {
        self.0.equals(&*other.0)
    }
}

impl fmt::Debug for DataConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
