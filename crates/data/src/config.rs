//! The `[data.*]` table of an experiment: which kind of data, with its settings.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::absent::with_remedy;
use crate::augment::EdmConfig;
use crate::dataset::Dataset;
use crate::datasets::{
    checkerboard::CheckerboardConfig, cifar10::Cifar10Config, cifar100::Cifar100Config,
    eight_gaussians::EightGaussiansConfig, emoji::EmojiConfig, fashion_mnist::FashionMnistConfig,
    hdf5_files::Hdf5Config, idx_files::IdxConfig, image_folder::ImageFolderConfig, mnist::MnistConfig,
    points::PointsConfig, silhouette::SilhouetteConfig, swiss_roll::SwissRollConfig,
    two_moons::TwoMoonsConfig, two_spirals::TwoSpiralsConfig,
};
use crate::error::DataError;

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

/// What every kind of data does with its settings.
pub(crate) trait DataKind {
    /// Checks the settings and tells what they describe; needs the data only where nothing else can tell.
    fn describe(&self) -> Result<Description, DataError>;

    /// Reads or draws the data.
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

    /// The files and folders named in the settings.
    fn paths(&mut self) -> Vec<&mut PathBuf> {
        Vec::new()
    }
}

/// One kind of data with its settings; the kinds and their names are listed in [`KINDS`](crate::KINDS).
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each variant's struct says what it is")]
pub enum DataConfig {
    FashionMnist(FashionMnistConfig),
    Mnist(MnistConfig),
    Idx(IdxConfig),
    Cifar10(Cifar10Config),
    Cifar100(Cifar100Config),
    ImageFolder(ImageFolderConfig),
    Emoji(EmojiConfig),
    Hdf5(Hdf5Config),
    EightGaussians(EightGaussiansConfig),
    Checkerboard(CheckerboardConfig),
    TwoMoons(TwoMoonsConfig),
    TwoSpirals(TwoSpiralsConfig),
    SwissRoll(SwissRollConfig),
    Points(PointsConfig),
    Silhouette(SilhouetteConfig),
}

impl DataConfig {
    /// The kind's name, as in `[data.<name>]`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::FashionMnist(_) => "fashion-mnist",
            Self::Mnist(_) => "mnist",
            Self::Idx(_) => "idx",
            Self::Cifar10(_) => "cifar10",
            Self::Cifar100(_) => "cifar100",
            Self::ImageFolder(_) => "image-folder",
            Self::Emoji(_) => "emoji",
            Self::Hdf5(_) => "hdf5",
            Self::EightGaussians(_) => "eight-gaussians",
            Self::Checkerboard(_) => "checkerboard",
            Self::TwoMoons(_) => "two-moons",
            Self::TwoSpirals(_) => "two-spirals",
            Self::SwissRoll(_) => "swiss-roll",
            Self::Points(_) => "points",
            Self::Silhouette(_) => "silhouette",
        }
    }

    /// Checks the settings and tells shape and classes, without needing the data.
    ///
    /// # Errors
    /// [`DataError::Setting`] for the first setting out of range. Some kinds may have to
    /// look: with neither the file nor the key that stands for it, [`DataError::Unknowable`].
    pub fn describe(&self) -> Result<Description, DataError> {
        self.augment().map_or(Ok(()), |augment| augment.check())?;
        self.kind().describe()
    }

    /// Reads or draws the data.
    ///
    /// # Errors
    /// Settings out of range, and everything that can be wrong with the files they name.
    pub fn open(&self) -> Result<Arc<dyn Dataset>, DataError> {
        self.augment().map_or(Ok(()), |augment| augment.check())?;
        self.kind().open().map_err(|error| match error {
            DataError::Setting { .. } => error,
            _ => self.missing().unwrap_or(error),
        })
    }

    /// If files are not there: the error that [`open`](Self::open) would give, which says where they come from. Reads none.
    pub fn missing(&self) -> Option<DataError> {
        self.kind().missing().map(|error| with_remedy(error, self))
    }

    /// Whether training samples are to be mirrored: what [`LoaderConfig::flip`](crate::LoaderConfig) should
    /// be.
    pub fn flip(&self) -> bool {
        self.kind().flip()
    }

    /// How training samples are to be warped: what [`LoaderConfig::augment`](crate::LoaderConfig) should be.
    pub fn augment(&self) -> Option<EdmConfig> {
        self.kind().augment()
    }

    /// Of a finite set of points of the plane, the number there are to score others against: those set aside, or all if
    /// none are. `None` of densities, which make as many as are wanted, of all that are not points, and where the
    /// files are not there to tell.
    pub fn points_to_compare_with(&self) -> Option<usize> {
        self.kind().points_to_compare_with()
    }

    /// Makes the relative paths in the settings relative to `folder`, which is that of the experiment file.
    pub fn resolve(&mut self, folder: &Path) {
        for path in self.kind_mut().paths() {
            *path = folder.join(&path);
        }
    }

    fn kind(&self) -> &dyn DataKind {
        match self {
            Self::FashionMnist(kind) => kind,
            Self::Mnist(kind) => kind,
            Self::Idx(kind) => kind,
            Self::Cifar10(kind) => kind,
            Self::Cifar100(kind) => kind,
            Self::ImageFolder(kind) => kind,
            Self::Emoji(kind) => kind,
            Self::Hdf5(kind) => kind,
            Self::EightGaussians(kind) => kind,
            Self::Checkerboard(kind) => kind,
            Self::TwoMoons(kind) => kind,
            Self::TwoSpirals(kind) => kind,
            Self::SwissRoll(kind) => kind,
            Self::Points(kind) => kind,
            Self::Silhouette(kind) => kind,
        }
    }

    fn kind_mut(&mut self) -> &mut dyn DataKind {
        match self {
            Self::FashionMnist(kind) => kind,
            Self::Mnist(kind) => kind,
            Self::Idx(kind) => kind,
            Self::Cifar10(kind) => kind,
            Self::Cifar100(kind) => kind,
            Self::ImageFolder(kind) => kind,
            Self::Emoji(kind) => kind,
            Self::Hdf5(kind) => kind,
            Self::EightGaussians(kind) => kind,
            Self::Checkerboard(kind) => kind,
            Self::TwoMoons(kind) => kind,
            Self::TwoSpirals(kind) => kind,
            Self::SwissRoll(kind) => kind,
            Self::Points(kind) => kind,
            Self::Silhouette(kind) => kind,
        }
    }
}
