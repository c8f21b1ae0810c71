//! Noto emoji of the npm package `emoji-datasource-google` (images under the Apache licence 2.0): 64×64 pictures in
//! 9 categories, half of them variants of another in a different skin tone.
//!
//! They are few and icons, so a score on them compares with nothing published, and a network can learn them by
//! heart. What is set aside is set aside by glyph, with all its skin tones and with pictures that are the same
//! to the byte; flags and gestures resemble each other all the same.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use meanflow_settings::{Flag, Number, PathTo, Reader, Within};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::absent::absent;
use crate::augment::EdmConfig;
use crate::kind::{DataConfig, DataKind, Description, Kind, Origin};
use crate::dataset::Dataset;
use crate::error::DataError;
use crate::published::{Package, Published};
use crate::held_out::{self, HeldOut};
use crate::images::{Images, Labels};
use crate::pictures::{self, Background};

const NAME: &str = "emoji";
const TABLE: &str = "emoji.json";
const PICTURES: &str = "img/google/64";

/// Bytes of a table; the published one has two million.
const MOST: u64 = 1 << 26;

/// The categories, which are the classes. The tenth, skin tones by themselves, is left out.
const CATEGORIES: [&str; 9] = [
    "Activities",
    "Animals & Nature",
    "Flags",
    "Food & Drink",
    "Objects",
    "People & Body",
    "Smileys & Emotion",
    "Symbols",
    "Travel & Places",
];

/// The published table and pictures and where an ordinary package client gets them.
const PUBLISHED: Published = Published {
    package: Package::Npm { spec: "emoji-datasource-google@16.0.0", folder: "package" },
    files: &[
        (TABLE, "1d602e65be88772bf8cc368ce16b855d719eeddbafe128d471b80203f494d29f"),
        (PICTURES, "22d524856feb8be19d575feed7928f49590dceeef27debe66dd8e4a778b143c4"),
    ],
};

/// What the registry knows of it.
pub static KIND: Kind = Kind {
    name: NAME,
    description: "Noto emoji as colour pictures, 9 classes, split by glyph",
    origin: Origin::Published { set: &PUBLISHED, partly_built_in: false },
    read: |r| DataConfig::new(EmojiConfig::read(r)),
};

/// `[data.emoji]`.
#[derive(Clone, Debug, PartialEq)]
pub struct EmojiConfig {
    /// Folder with `emoji.json` and `img/google/64`.
    pub path: PathBuf,
    /// Side of a picture: 64 divided by a power of two, by averages.
    pub size: usize,
    /// Take the variants in other skin tones too.
    pub skin_tones: bool,
    /// Whether samples carry their classes; without, training is unconditional.
    pub labels: bool,
    /// Mirror half of the training images left to right, anew each epoch.
    pub flip: bool,
    /// Warp the training images after that, anew each epoch.
    pub augment: Option<EdmConfig>,
    /// Fraction set aside to score against, by glyph.
    pub held_out: f64,
}

impl EmojiConfig {
    /// The emoji of this folder at 32×32, a tenth set aside, with the defaults for the rest.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            size: 32,
            skin_tones: true,
            labels: true,
            flip: false,
            augment: None,
            held_out: 0.1,
        }
    }

    fn check(&self) -> Result<(), DataError> {
        held_out::check(self.held_out)?;
        let size = self.size;
        DataError::require([8, 16, 32, 64].contains(&size), "size", size, "must be 8, 16, 32 or 64")
    }

    /// Reads the keys of `[data.emoji]`.
    fn read(r: &mut Reader) -> Self {
        let default = Self::new(r.need("path", PathTo));
        Self {
            size: r.get("size", Within::SAMPLES, default.size),
            skin_tones: r.get("skin-tones", Flag, default.skin_tones),
            labels: r.get("labels", Flag, default.labels),
            flip: r.get("flip", Flag, default.flip),
            augment: EdmConfig::read(r),
            held_out: r.get("held-out", Number::BELOW_ONE, default.held_out),
            path: default.path,
        }
    }
}

impl DataKind for EmojiConfig {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    /// How many are left when whole glyphs are set aside, only the pictures tell.
    fn describe(&self) -> Result<Description, DataError> {
        self.check()?;
        let items = match (self.path.join(TABLE).exists(), self.held_out == 0.0) {
            (true, _) => Some(self.open()?.len()),
            (false, true) => Some(if self.skin_tones { 3781 } else { 1906 }),
            (false, false) => None,
        };
        let classes = self.labels.then_some(CATEGORIES.len());
        Ok(Description { shape: [3, self.size, self.size], classes, items })
    }

    fn open(&self) -> Result<Arc<dyn Dataset>, DataError> {
        self.check()?;
        let glyphs = glyphs(&self.path.join(TABLE), self.skin_tones)?;
        let mut bytes = Vec::with_capacity(glyphs.len() * 3 * self.size * self.size);
        for glyph in &glyphs {
            let path = self.path.join(PICTURES).join(&glyph.file);
            let found = pictures::size(&path)?;
            if found != [64; 2] {
                return Err(DataError::ImageSize { path, expected: [64; 2], found });
            }
            let picture = pictures::decode(&path, Background::White)?;
            let picture = pictures::fit(picture, self.size as u32).expect("squares are no strips");
            bytes.extend(pictures::planes(&picture));
        }
        let of_items: Vec<u8> = glyphs.iter().map(|glyph| glyph.class).collect();
        let groups = groups(&glyphs, &bytes);
        let mut hash = Sha256::new();
        hash.update(&bytes);
        hash.update(&of_items);
        let images = Images {
            name: NAME,
            channels: 3,
            size: [self.size; 2],
            padded: [self.size; 2],
            bytes,
            labels: self.labels.then_some(Labels { of_items, classes: CATEGORIES.len() }),
            digest: format!("{:x}", hash.finalize()),
        };
        HeldOut::split_groups(Arc::new(images), self.held_out, &groups)
    }

    fn missing(&self) -> Option<DataError> {
        [TABLE, PICTURES].into_iter().find_map(|name| absent(&self.path.join(name)))
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

/// A picture of the table.
struct Glyph {
    file: String,
    class: u8,
    /// Number of the glyph that this is, or is a variant of.
    base: usize,
}

/// Every glyph of the nine categories followed by its variants, in the order of the table.
fn glyphs(path: &Path, skin_tones: bool) -> Result<Vec<Glyph>, DataError> {
    let problem = |problem: String| DataError::ImageFolder { path: path.to_path_buf(), problem };
    let text = meanflow_files::read_at_most(path, MOST).map_err(DataError::read(path))?;
    let table: Vec<Value> = serde_json::from_slice(&text).map_err(|error| problem(error.to_string()))?;
    let mut glyphs = Vec::new();
    for (base, entry) in table.iter().enumerate() {
        let category = entry["category"].as_str();
        let Some(class) = CATEGORIES.iter().position(|name| category == Some(name)) else { continue };
        let variants = entry["skin_variations"].as_object().filter(|_| skin_tones);
        for entry in std::iter::once(entry).chain(variants.into_iter().flat_map(|variants| variants.values()))
        {
            let file =
                entry["image"].as_str().ok_or_else(|| problem(format!("entry {base} names no image")))?;
            // Names that lead out of the folder would be opened wherever they lead.
            if Path::new(file).file_name() != Some(file.as_ref()) {
                return Err(problem(format!("entry {base} names the image {file:?}, which is no name of a file in {PICTURES}")));
            }
            glyphs.push(Glyph { file: file.to_owned(), class: class as u8, base });
        }
    }
    if glyphs.is_empty() { Err(problem("no glyph in it".to_owned())) } else { Ok(glyphs) }
}

/// Of each picture the number of its group: variants of a glyph, and pictures that are the same.
fn groups(glyphs: &[Glyph], bytes: &[u8]) -> Vec<usize> {
    let mut groups: Vec<usize> = glyphs.iter().map(|glyph| glyph.base).collect();
    let mut seen = HashMap::new();
    for (index, picture) in bytes.chunks_exact(bytes.len() / glyphs.len()).enumerate() {
        let first = *seen.entry(picture).or_insert(index);
        let (this, other) = (groups[index], groups[first]);
        if this != other {
            groups.iter_mut().filter(|group| **group == this).for_each(|group| *group = other);
        }
    }
    // Consecutive numbers in the order of appearance.
    let mut numbers = HashMap::new();
    for group in &mut groups {
        let next = numbers.len();
        *group = *numbers.entry(*group).or_insert(next);
    }
    groups
}
