//! The binary layout of CIFAR-10 and CIFAR-100: for each image its labels, a byte each, then 3072 bytes of 32×32
//! in the planes red, green, blue.

use std::collections::BTreeMap;
use std::io::{Error, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::absent::absent;
use crate::dataset::Dataset;
use crate::error::DataError;
use crate::held_out::{self, HeldOut};
use crate::idx;
use crate::images::{Images, Labels};
use crate::kind::Description;

const SIDE: usize = 32;
const PIXELS: usize = 3 * SIDE * SIDE;

/// Bytes of one of the files in an archive; the largest published one has 153.7 million.
const MEMBER: u64 = 3 << 26;
/// Bytes of an unpacked archive; both published ones have less than 190 million. A small file may unpack to any number.
const ARCHIVE: u64 = 1 << 28;

/// Which of the two halves to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Half {
    /// 50,000 images.
    #[default]
    Train,
    /// 10,000 images.
    Test,
}

impl Half {
    /// The names that an experiment file may use for `split`.
    pub const ALL: [(&'static str, Self); 2] = [("train", Self::Train), ("test", Self::Test)];
}

/// One of the two sets.
pub(crate) struct Layout {
    /// The dataset's name.
    pub name: &'static str,
    /// File names of the training half, in order.
    pub train: &'static [&'static str],
    /// File names of the test half.
    pub test: &'static [&'static str],
    /// Label bytes of an image.
    pub labels: usize,
    /// Which of them is the class, and the number of classes by it; `None` leaves labels out.
    pub class: Option<(usize, usize)>,
}

impl Layout {
    /// What the set will be: as large as the files in the folder, or as published.
    pub fn describe(&self, path: &Path, half: Half, fraction: f64) -> Result<Description, DataError> {
        held_out::check(fraction)?;
        let published = match half {
            Half::Train => 50_000,
            Half::Test => 10_000,
        };
        let size = |path: PathBuf| path.metadata().map_err(DataError::read(&path)).map(|file| file.len());
        let bytes = files_in(path, self.names(half))
            .and_then(|files| files.into_iter().map(size).sum::<Result<u64, DataError>>());
        let items = bytes.map_or(published, |bytes| bytes as usize / (self.labels + PIXELS));
        let items = Some(held_out::kept(items, fraction));
        Ok(Description { shape: [3, SIDE, SIDE], classes: self.class.map(|(_, classes)| classes), items })
    }

    /// The error of a folder without the files, or of nothing at all.
    pub fn missing(&self, path: &Path, half: Half) -> Option<DataError> {
        if path.is_dir() { files_in(path, self.names(half)).err() } else { absent(path) }
    }

    fn names(&self, half: Half) -> &'static [&'static str] {
        match half {
            Half::Train => self.train,
            Half::Test => self.test,
        }
    }

    /// Reads a half from a folder or from the official archive.
    pub fn open(&self, path: &Path, half: Half, fraction: f64) -> Result<Arc<dyn Dataset>, DataError> {
        held_out::check(fraction)?;
        let names = self.names(half);
        let files = if path.is_dir() { from_folder(path, names) } else { from_archive(path, names) }?;
        let record = self.labels + PIXELS;
        let mut hash = Sha256::new();
        let mut bytes = Vec::with_capacity(files.iter().map(|(_, content)| content.len()).sum());
        let mut of_items = Vec::new();
        for (path, content) in files {
            if content.is_empty() || !content.len().is_multiple_of(record) {
                return Err(DataError::CifarLength { path, found: content.len(), record });
            }
            hash.update(&content);
            for (item, image) in content.chunks_exact(record).enumerate() {
                if let Some((at, classes)) = self.class {
                    let label = image[at];
                    if usize::from(label) >= classes {
                        return Err(DataError::LabelRange { path, item, label: label.into(), classes });
                    }
                    of_items.push(label);
                }
                bytes.extend_from_slice(&image[self.labels..]);
            }
        }
        let images = Images {
            name: self.name,
            channels: 3,
            size: [SIDE; 2],
            padded: [SIDE; 2],
            bytes,
            labels: self.class.map(|(_, classes)| Labels { of_items, classes }),
            digest: format!("{:x}", hash.finalize()),
        };
        HeldOut::split(Arc::new(images), fraction)
    }
}

type Files = Vec<(PathBuf, Vec<u8>)>;

/// Where the files are: in `folder`, or in the one folder of the archive within it.
fn files_in(folder: &Path, names: &[&str]) -> Result<Vec<PathBuf>, DataError> {
    let entries = folder.read_dir().map_err(DataError::read(folder))?;
    let mut folders =
        std::iter::once(folder.to_path_buf()).chain(entries.filter_map(Result::ok).map(|entry| entry.path()));
    let holder = folders.find(|folder| folder.join(names[0]).is_file());
    let missing = || DataError::NoSuchPart { folder: folder.to_path_buf(), wanted: names.join(", ") };
    let holder = holder.ok_or_else(missing)?;
    Ok(names.iter().map(|name| holder.join(name)).collect())
}

fn from_folder(folder: &Path, names: &[&str]) -> Result<Files, DataError> {
    let read =
        |path: PathBuf| Ok((path.clone(), meanflow_files::read(&path).map_err(DataError::read(&path))?));
    files_in(folder, names)?.into_iter().map(read).collect()
}

/// The files in a tar archive, gzipped or not, whatever folder of it they are in.
fn from_archive(archive: &Path, names: &[&str]) -> Result<Files, DataError> {
    let reader = idx::open(archive)?.take(ARCHIVE);
    let broken = |source| DataError::CifarArchive { path: archive.to_path_buf(), source };
    let mut found = BTreeMap::new();
    for entry in tar::Archive::new(reader).entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let path = entry.path().map_err(broken)?.into_owned();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some(at) = names.iter().position(|wanted| Some(*wanted) == name) {
            let size = entry.size();
            if size > MEMBER {
                let reason = format!("its member {} has {size} bytes; {MEMBER} are the most", path.display());
                return Err(broken(Error::other(reason)));
            }
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(broken)?;
            if bytes.len() as u64 != size {
                let reason = format!("its member {} has {} of {size} bytes", path.display(), bytes.len());
                return Err(broken(Error::other(reason)));
            }
            found.insert(at, (archive.join(path), bytes));
        }
    }
    match (0..names.len()).find(|at| !found.contains_key(at)) {
        Some(at) => {
            Err(DataError::NoSuchPart { folder: archive.to_path_buf(), wanted: names[at].to_owned() })
        }
        None => Ok(found.into_values().collect()),
    }
}
