//! Everything that can go wrong with data, with the values in it.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use meanflow_pictures::PictureError;

/// An error of this crate. Messages are one line and name the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file or folder cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder does not hold the files of an image set.
    #[error("no {wanted} in {}", folder.display())]
    NoSuchPart {
        /// The folder that was searched.
        folder: PathBuf,
        /// The file names it should have.
        wanted: String,
    },
    /// The files of a data set are not there.
    #[error("{source}; {remedy}")]
    Absent {
        /// What is not there.
        source: Box<DataError>,
        /// Where it comes from.
        remedy: String,
    },
    /// A setting of a `[data.*]` table is out of range.
    #[error("{key} = {value}: {must}")]
    Setting {
        /// The key in the table, as the experiment file spells it.
        key: &'static str,
        /// The value given.
        value: String,
        /// What the value must be.
        must: String,
    },

    /// The first four bytes are not those of the expected kind of IDX file.
    #[error("{} is not an IDX file of {what}: magic 0x{expected:08x} expected, 0x{found:08x} found", path.display())]
    IdxMagic {
        /// The file.
        path: PathBuf,
        /// "images" or "labels".
        what: &'static str,
        /// The magic number of such files.
        expected: u32,
        /// The first four bytes of this one, big-endian.
        found: u32,
    },
    /// An IDX file ends before its header does.
    #[error("{} is too short for an IDX file of {what}: a header of {expected} bytes expected, {found} bytes found", path.display())]
    IdxHeader {
        /// The file.
        path: PathBuf,
        /// "images" or "labels".
        what: &'static str,
        /// Bytes of a header.
        expected: usize,
        /// Bytes in the file.
        found: usize,
    },
    /// An IDX file holds fewer items than its header announces.
    #[error("{} is truncated: {expected} {what} expected, {found} found ({found_bytes} of {expected_bytes} bytes after unpacking)", path.display())]
    IdxTruncated {
        /// The file.
        path: PathBuf,
        /// "images" or "labels".
        what: &'static str,
        /// Items the header announces.
        expected: u64,
        /// Whole items in the file.
        found: u64,
        /// Bytes the header announces, the header included.
        expected_bytes: u64,
        /// Bytes in the file, unpacked.
        found_bytes: u64,
    },
    /// An IDX file goes on after the last item its header announces.
    #[error("{} goes on after the {expected} {what} of its header ({expected_bytes} bytes)", path.display())]
    IdxTooLong {
        /// The file.
        path: PathBuf,
        /// "images" or "labels".
        what: &'static str,
        /// Items the header announces.
        expected: u64,
        /// Bytes the header announces, the header included.
        expected_bytes: u64,
    },
    /// An IDX file's header announces no items, or images without pixels.
    #[error("{} holds no {what}: its header says {sizes:?}", path.display())]
    IdxEmpty {
        /// The file.
        path: PathBuf,
        /// "images" or "labels".
        what: &'static str,
        /// The sizes in the header.
        sizes: Vec<u32>,
    },
    /// The labels file is of another length than the images file.
    #[error("{} labels in {} for {} images in {}", found, labels.display(), expected, images.display())]
    LabelCount {
        /// The images file.
        images: PathBuf,
        /// The labels file.
        labels: PathBuf,
        /// Number of images.
        expected: usize,
        /// Number of labels.
        found: usize,
    },
    /// A label outside the classes.
    #[error("{}: label {label} of item {item} is not among {classes} classes (0 to {})", path.display(), classes.saturating_sub(1))]
    LabelRange {
        /// The labels file.
        path: PathBuf,
        /// Item, counted from 0.
        item: usize,
        /// Its label.
        label: i64,
        /// Number of classes.
        classes: usize,
    },
    /// Images of another size than the dataset's.
    #[error("{}: images of {}×{} expected, {}×{} found", path.display(), expected[0], expected[1], found[0], found[1])]
    ImageSize {
        /// The images file.
        path: PathBuf,
        /// Height and width of the dataset.
        expected: [usize; 2],
        /// Height and width in the file.
        found: [usize; 2],
    },
    /// A file of records is not a whole number of them, or has none.
    #[error("{}: {found} bytes are not a whole number of images of {record} bytes", path.display())]
    CifarLength {
        /// The file.
        path: PathBuf,
        /// Bytes in the file.
        found: usize,
        /// Bytes of an image with its labels.
        record: usize,
    },
    /// What should be CIFAR is neither a folder nor an archive that can be read.
    #[error("{} is not a folder with the files of CIFAR, and cannot be read as their tar or tar.gz: {source}", path.display())]
    CifarArchive {
        /// The file.
        path: PathBuf,
        /// What the reader of archives said.
        source: std::io::Error,
    },
    /// A tree of pictures cannot be a dataset.
    #[error("{}: {problem}", path.display())]
    ImageFolder {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A picture of another size than the first, where nothing says which size to make them.
    #[error("{} is of {}×{}, while {} is of {}×{}; `size` would make them alike", path.display(), found[0], found[1], first.display(), expected[0], expected[1])]
    MixedSizes {
        /// The picture.
        path: PathBuf,
        /// Its height and width.
        found: [usize; 2],
        /// The first picture of the set.
        first: PathBuf,
        /// Its height and width.
        expected: [usize; 2],
    },
    /// A file is not HDF5, is truncated or damaged, or uses what cannot be read.
    #[error("cannot read {} as HDF5: {source}", path.display())]
    Hdf5File {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        source: Box<hdf5_pure::Error>,
    },
    /// An array of an HDF5 file is not there, cannot be read, or is not of the type or shape it must have.
    #[error("{}: array `{array}`: {problem}", path.display())]
    Hdf5Array {
        /// The file.
        path: PathBuf,
        /// The array's name.
        array: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A folder cannot be written to because of what is in it.
    #[error("{} already holds {found}, which would be read together with the new files", folder.display())]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
        /// The first file in the way.
        found: String,
    },
    /// The shape or class count of a file that is not there cannot be known.
    #[error("{} is not there and {key} is not given, so the {what} cannot be known: {source}", path.display())]
    Unknowable {
        /// The missing file.
        path: PathBuf,
        /// What it would have told.
        what: &'static str,
        /// The key that tells it instead.
        key: &'static str,
        /// Why the file could not be read.
        source: Box<DataError>,
    },

    /// A line of a point file cannot be used.
    #[error("{}, line {line}: {problem}", path.display())]
    PointLine {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A point file as a whole cannot be used.
    #[error("{}: {problem}", path.display())]
    PointFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A picture cannot be decoded or encoded.
    #[error("{}: {source}", path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// What the codec said.
        source: PictureError,
    },
    /// A picture has nothing to draw points from.
    #[error("{}: no pixel of {width}×{height} is {wanted} than mid-grey, so there is no silhouette (invert = {invert})", path.display(), wanted = if *invert { "lighter" } else { "darker" })]
    NoSilhouette {
        /// The picture.
        path: PathBuf,
        /// Its width in pixels.
        width: u32,
        /// Its height in pixels.
        height: u32,
        /// Whether light pixels were wanted.
        invert: bool,
    },

    /// The loader was asked for batches of nothing, or from nothing.
    #[error("cannot make batches of {batch} from {items} items")]
    NoBatches {
        /// Batch size.
        batch: usize,
        /// Items in the dataset.
        items: usize,
    },
    /// A cursor lies behind the end of its epoch: it was saved with another dataset.
    #[error("a cursor at item {position} of its epoch does not fit a dataset of {items} items")]
    Cursor {
        /// Position in the epoch.
        position: u64,
        /// Items in the dataset.
        items: usize,
    },
    /// The background thread of the loader could not be started or is gone.
    #[error("the loader's thread stopped: {reason}")]
    LoaderStopped {
        /// Why.
        reason: String,
    },

    /// No dataset of that name can be fetched.
    #[error("nothing to fetch under the name {name:?}; there are: {known}")]
    NotFetchable {
        /// The name given.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A program that fetching needs is not installed.
    #[error(
        "{client} is needed to {purpose} and is not installed; or put the files of {dataset} into a folder yourself and give its path"
    )]
    ClientMissing {
        /// The program.
        client: &'static str,
        /// What it would have done.
        purpose: String,
        /// The dataset.
        dataset: &'static str,
    },
    /// A program that fetching needs failed.
    #[error("`{command}` failed ({status}): {message}{hint}")]
    ClientFailed {
        /// The command line.
        command: String,
        /// Its exit status.
        status: String,
        /// The last line of its stderr.
        message: String,
        /// What may help, or nothing.
        hint: &'static str,
    },
    /// A file is not the published one.
    #[error("{} is not the published file: sha256 {expected} expected after unpacking, {found} found", path.display())]
    Digest {
        /// The file.
        path: PathBuf,
        /// Published sha256, hex.
        expected: String,
        /// sha256 of the file, hex.
        found: String,
    },
}

impl DataError {
    /// Turns an error of reading `path` into one that names it.
    pub fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Read { path: path.to_path_buf(), source }
    }

    /// Turns an error of writing `path` into one that names it.
    pub(crate) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Write { path: path.to_path_buf(), source }
    }

    /// Turns an error of a picture into one that names it.
    pub(crate) fn picture(path: &Path) -> impl FnOnce(PictureError) -> Self {
        move |source| match source {
            PictureError::Io(source) => Self::read(path)(source),
            source => Self::Picture { path: path.to_path_buf(), source },
        }
    }

    /// A setting that is out of range unless `holds`.
    pub fn require(holds: bool, key: &'static str, value: impl Display, must: &str) -> Result<(), Self> {
        if holds {
            Ok(())
        } else {
            Err(Self::Setting { key, value: value.to_string(), must: must.to_owned() })
        }
    }
}
