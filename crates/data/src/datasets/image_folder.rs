//! A tree of PNG and JPEG pictures, a folder a class, read from disk as they are needed.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use meanflow_pictures::SIDE;
use meanflow_settings::{Choice, Flag, Number, Or, PathTo, Reader, Within};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::absent::absent;
use crate::augment::EdmConfig;
use crate::kind::{DataConfig, DataKind, Description, Kind, Origin};
use crate::dataset::{Dataset, Element, Field};
use crate::error::DataError;
use crate::held_out::{self, HeldOut};
use crate::pictures::{self, Background};

/// Sets up to this size are digested whole, larger ones by the names and lengths of their files.
const WHOLE: u64 = 256 << 20;

/// What the registry knows of it.
pub static KIND: Kind = Kind {
    name: "image-folder",
    description: "PNG and JPEG pictures, a folder a class",
    origin: Origin::Yours { wanted: "a folder of PNG or JPEG pictures, with a folder for each class" },
    read: |r| DataConfig::new(ImageFolderConfig::read(r)),
};

/// `[data.image-folder]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageFolderConfig {
    /// The folder; each folder in it is a class, in the order of their names.
    pub path: PathBuf,
    /// Side of the middle square that pictures are cut and scaled to; without it all must be of one size.
    pub size: Option<usize>,
    /// Whether folders are classes. Without, pictures may lie anywhere below the folder.
    pub labels: bool,
    /// Number of classes; needed only where the folder is not there to tell.
    pub classes: Option<usize>,
    /// What shows through where a picture is transparent.
    pub background: Background,
    /// Mirror half of the training images left to right, anew each epoch.
    pub flip: bool,
    /// Warp the training images after that, anew each epoch.
    pub augment: Option<EdmConfig>,
    /// Fraction set aside to score against.
    pub held_out: f64,
}

impl ImageFolderConfig {
    /// The pictures of this folder, with the defaults for the rest.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            size: None,
            labels: true,
            classes: None,
            background: Background::White,
            flip: false,
            augment: None,
            held_out: 0.0,
        }
    }

    fn check(&self) -> Result<(), DataError> {
        held_out::check(self.held_out)?;
        if let Some(size) = self.size {
            DataError::require((2..=SIDE).contains(&size), "size", size, "must be from 2 to 4096")?;
        }
        if let Some(classes) = self.classes {
            DataError::require(self.labels, "classes", classes, "there are none with labels = false")?;
        }
        Ok(())
    }

    fn unknowable(&self, what: &'static str, key: &'static str) -> DataError {
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        let source = Box::new(DataError::read(&self.path)(missing));
        DataError::Unknowable { path: self.path.clone(), what, key, source }
    }

    /// Reads the keys of `[data.image-folder]`.
    fn read(r: &mut Reader) -> Self {
        let default = Self::new(r.need("path", PathTo));
        Self {
            size: r.get("size", Or("off", Within::SAMPLES), default.size),
            labels: r.get("labels", Flag, default.labels),
            classes: r.get("classes", Or("auto", Within::SAMPLES), default.classes),
            background: r.get("background", Choice(Background::ALL.to_vec()), default.background),
            flip: r.get("flip", Flag, default.flip),
            augment: EdmConfig::read(r),
            held_out: r.get("held-out", Number::BELOW_ONE, default.held_out),
            path: default.path,
        }
    }
}

impl DataKind for ImageFolderConfig {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    /// The folder tells; without it, `size` and `classes` do.
    fn describe(&self) -> Result<Description, DataError> {
        self.check()?;
        if !self.path.exists() {
            let side = self.size.ok_or_else(|| self.unknowable("image size", "size"))?;
            if self.labels && self.classes.is_none() {
                return Err(self.unknowable("number of classes", "classes"));
            }
            return Ok(Description { shape: [3, side, side], classes: self.classes, items: None });
        }
        let tree = Tree::list(&self.path, self.labels, self.classes)?;
        let [height, width] = match self.size {
            Some(side) => [side; 2],
            None => within_bound(&tree.files[0].0)?,
        };
        let items = Some(held_out::kept(tree.files.len(), self.held_out));
        Ok(Description { shape: [3, height, width], classes: self.labels.then_some(tree.classes), items })
    }

    fn open(&self) -> Result<Arc<dyn Dataset>, DataError> {
        self.check()?;
        let tree = Tree::list(&self.path, self.labels, self.classes)?;
        let size = match self.size {
            Some(side) => [side; 2],
            None => tree.common_size()?,
        };
        let digest = tree.digest(&self.path)?;
        let Tree { files, classes, passed_over } = tree;
        let classes = self.labels.then_some(classes);
        let fit = self.size.map(|side| side as u32);
        let dataset =
            ImageFolder { files, classes, passed_over, size, fit, background: self.background, digest };
        HeldOut::split(Arc::new(dataset), self.held_out)
    }

    fn missing(&self) -> Option<DataError> {
        absent(&self.path)
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

/// The pictures of a folder with their classes, in the order of their paths. Never empty.
struct Tree {
    files: Vec<(PathBuf, usize)>,
    classes: usize,
    /// Files that are no pictures, counted by ending.
    passed_over: BTreeMap<String, usize>,
}

impl Tree {
    fn list(folder: &Path, labels: bool, classes: Option<usize>) -> Result<Self, DataError> {
        let mut walk = Walk::default();
        if !labels {
            walk.below(folder, 0)?;
            if walk.files.is_empty() {
                return Err(wrong(folder, "no PNG or JPEG file in it".to_owned()));
            }
            return Ok(Self { files: walk.files, classes: 0, passed_over: walk.passed_over });
        }
        walk.enter(folder)?;
        let (of_classes, beside): (Vec<_>, Vec<_>) =
            entries(folder)?.into_iter().partition(|path| path.is_dir());
        if of_classes.is_empty() {
            let problem = "no folder of a class in it; without classes, say `labels = false`";
            return Err(wrong(folder, problem.to_owned()));
        }
        for path in &beside {
            if is_picture(path) {
                let problem =
                    "a picture beside the folders of classes; move it into one, or say `labels = false`";
                return Err(wrong(path, problem.to_owned()));
            }
            walk.pass_over(path);
        }
        for (class, folder) in of_classes.iter().enumerate() {
            let before = walk.files.len();
            walk.below(folder, class)?;
            if walk.files.len() == before {
                return Err(wrong(folder, "a class without a PNG or JPEG file".to_owned()));
            }
        }
        let found = of_classes.len();
        if let Some(classes) = classes.filter(|&classes| classes != found) {
            return Err(wrong(folder, format!("{found} folders of classes, where classes = {classes}")));
        }
        Ok(Self { files: walk.files, classes: found, passed_over: walk.passed_over })
    }

    /// Height and width of all pictures.
    fn common_size(&self) -> Result<[usize; 2], DataError> {
        let (first, _) = &self.files[0];
        let expected = within_bound(first)?;
        let check = |(path, _): &(PathBuf, usize)| match pictures::size(path)? {
            found if found == expected => Ok(()),
            found => Err(DataError::MixedSizes { path: path.clone(), found, first: first.clone(), expected }),
        };
        // Whichever thread is faster, the first picture in order is the one that is named.
        let checked: Vec<Result<(), DataError>> = self.files.par_iter().map(check).collect();
        checked.into_iter().collect::<Result<(), _>>()?;
        Ok(expected)
    }

    /// sha256 over paths within the folder, lengths and, of a set that is not large, contents.
    fn digest(&self, folder: &Path) -> Result<String, DataError> {
        let length = |(path, _): &(PathBuf, usize)| path.metadata().map_err(DataError::read(path));
        let lengths: Vec<u64> =
            self.files.iter().map(|file| Ok(length(file)?.len())).collect::<Result<_, DataError>>()?;
        let whole = lengths.iter().sum::<u64>() <= WHOLE;
        let mut hash = Sha256::new();
        for ((path, _), length) in self.files.iter().zip(lengths) {
            let within = path.strip_prefix(folder).unwrap_or(path).to_string_lossy();
            hash.update(within.replace(std::path::MAIN_SEPARATOR, "/"));
            hash.update([0]);
            hash.update(length.to_le_bytes());
            if whole {
                hash.update(meanflow_files::read(path).map_err(DataError::read(path))?);
            }
        }
        Ok(format!("{:x}", hash.finalize()))
    }
}

/// Height and width of a picture that is used as it is.
fn within_bound(path: &Path) -> Result<[usize; 2], DataError> {
    let [height, width] = pictures::size(path)?;
    match height.max(width) {
        side if side > SIDE => {
            let problem = format!("{height}×{width} pixels; `size` makes pictures of more than {SIDE}×{SIDE} smaller");
            Err(wrong(path, problem))
        }
        _ => Ok([height, width]),
    }
}

/// What is in a folder, in the order of names, without hidden files.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let hidden = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with('.');
    let mut paths = Vec::new();
    for entry in folder.read_dir().map_err(DataError::read(folder))? {
        let entry = entry.map_err(DataError::read(folder))?;
        if !hidden(&entry) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn wrong(path: &Path, problem: String) -> DataError {
    DataError::ImageFolder { path: path.to_path_buf(), problem }
}

/// The ending of a file's name in small letters; of one without, its whole name.
fn ending(path: &Path) -> String {
    let part = path.extension().map(|ending| format!(".{}", ending.to_string_lossy()));
    part.unwrap_or_else(|| path.file_name().unwrap_or_default().to_string_lossy().into_owned()).to_lowercase()
}

fn is_picture(path: &Path) -> bool {
    [".png", ".jpg", ".jpeg"].contains(&ending(path).as_str())
}

/// What is found below a folder.
#[derive(Default)]
struct Walk {
    files: Vec<(PathBuf, usize)>,
    passed_over: BTreeMap<String, usize>,
    /// Folders as they really are, whatever links lead to them.
    entered: HashSet<PathBuf>,
}

impl Walk {
    fn below(&mut self, folder: &Path, class: usize) -> Result<(), DataError> {
        self.enter(folder)?;
        for path in entries(folder)? {
            if path.is_dir() {
                self.below(&path, class)?;
            } else if is_picture(&path) {
                self.files.push((path, class));
            } else {
                self.pass_over(&path);
            }
        }
        Ok(())
    }

    /// Notes a folder; one that was entered before would give its pictures twice, or go round in a circle.
    fn enter(&mut self, folder: &Path) -> Result<(), DataError> {
        let real = folder.canonicalize().map_err(DataError::read(folder))?;
        let problem = format!("a link to {}, which is in the set already", real.display());
        if self.entered.insert(real) { Ok(()) } else { Err(wrong(folder, problem)) }
    }

    fn pass_over(&mut self, path: &Path) {
        *self.passed_over.entry(ending(path)).or_default() += 1;
    }
}

/// Pictures on disk.
struct ImageFolder {
    files: Vec<(PathBuf, usize)>,
    classes: Option<usize>,
    passed_over: BTreeMap<String, usize>,
    size: [usize; 2],
    fit: Option<u32>,
    background: Background,
    digest: String,
}

impl Dataset for ImageFolder {
    fn name(&self) -> &str {
        KIND.name
    }

    fn len(&self) -> usize {
        self.files.len()
    }

    fn shape(&self) -> [usize; 3] {
        [3, self.size[0], self.size[1]]
    }

    fn classes(&self) -> Option<usize> {
        self.classes
    }

    fn read(&self, index: usize, sample: &mut [f32]) -> Result<(), DataError> {
        let picture = pictures::decode(&self.files[index].0, self.background)?;
        let picture = match self.fit {
            Some(side) => {
                pictures::fit(picture, side).map_err(|problem| wrong(&self.files[index].0, problem))?
            }
            None => picture,
        };
        let found = [picture.height() as usize, picture.width() as usize];
        if found != self.size {
            let problem = format!("{}×{} pixels now, and {}×{} when the set was opened", found[0], found[1], self.size[0], self.size[1]);
            return Err(wrong(&self.files[index].0, problem));
        }
        pictures::write_values(&picture, sample);
        Ok(())
    }

    fn fields(&self) -> Vec<Field> {
        vec![Field { name: "images", element: Element::U8, shape: self.shape() }]
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.classes.map(|_| self.files[index].1)
    }

    fn digest(&self) -> String {
        self.digest.clone()
    }

    fn passed_over(&self) -> BTreeMap<String, usize> {
        self.passed_over.clone()
    }

    fn held_out(&self, _count: usize, _seed: u64) -> Result<Option<Vec<f32>>, DataError> {
        Ok(None)
    }
}
