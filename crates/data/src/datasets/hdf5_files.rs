//! Images or latents in HDF5 files, read from disk as they are needed.

use std::path::PathBuf;
use std::sync::Arc;

use rand_distr::{Distribution, StandardNormal};
use sha2::{Digest, Sha256};

use meanflow_settings::{Choice, Flag, Number, Or, PathTo, Reader, Text, Triple, Within};

use crate::absent::absent;
use crate::augment::EdmConfig;
use crate::kind::{self, DataConfig, DataKind, Description, Origin};
use crate::convert::{CLASSES, ROWS, hdf5_files};
use crate::dataset::{Blocks, Dataset, Element, Field, View};
use crate::error::DataError;
use crate::hdf5::{Array, File, Numbers};
use crate::held_out::{self, HeldOut};
use crate::random;
use crate::rows::Rows;

/// Factor of the latents of the Stable Diffusion autoencoder (arXiv 2112.10752): one over the standard deviation
/// of a latent's values.
const SD_VAE: f64 = 0.18215;
/// Names of the array if none is given.
const USUAL: [&str; 3] = ["images", "latents", "moments"];
/// Name of the array of labels if none is given.
const LABELS: &str = "labels";
/// No file may state more classes, and none are inferred.
const MOST_CLASSES: usize = 1 << 24;
/// Sets up to this many values are digested whole.
const WHOLE: usize = 16 << 20;
/// Rows of a larger one that are digested.
const SAMPLED: usize = 64;

/// What the values of an array stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// By the array's name, if it begins with `images`, `latents` or `moments`; otherwise bytes are pixels and
    /// single precision is latents.
    #[default]
    Auto,
    /// Pixels: bytes x as x/127.5 − 1, or single precision as it is. Mirrored pixel by pixel.
    Pixels,
    /// Latents, which cannot be mirrored.
    Latents,
    /// Mean and standard deviation of latents, one above the other along the channels; each epoch draws anew.
    Moments,
}

impl Encoding {
    /// The names that an experiment file may use for `encoding`.
    pub const ALL: [(&'static str, Self); 4] = [
        ("auto", Self::Auto),
        ("pixels", Self::Pixels),
        ("latents", Self::Latents),
        ("moments", Self::Moments),
    ];
}

/// What the registry knows of it.
pub static KIND: kind::Kind = kind::Kind {
    name: "hdf5",
    description: "images or latents from HDF5 files, read from disk as they are needed",
    origin: Origin::Yours { wanted: "an HDF5 file, or a folder of *.h5 or *.hdf5 files" },
    read: |r| DataConfig::new(Hdf5Config::read(r)),
};

/// `[data.hdf5]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Hdf5Config {
    /// A file, or a folder whose files are read as one in the order of their names.
    pub path: PathBuf,
    /// Name of the array; without, `images`, `latents` or `moments`, whichever there is.
    pub images: Option<String>,
    /// Name of the array of labels; `auto` takes `labels` if there is one, `off` takes none.
    pub labels: String,
    /// Name of the array with the latents of the mirrored images; without, the name of the array and `_flip`.
    pub flipped: Option<String>,
    /// What the values stand for.
    pub encoding: Encoding,
    /// Factor of latents; without, 0.18215 for moments and 1 for latents.
    pub scale: Option<f64>,
    /// Shape of a sample; needed only where the file is not there to tell.
    pub shape: Option<[usize; 3]>,
    /// Number of classes; without, what the file says, or one more than the largest label.
    pub classes: Option<usize>,
    /// Number of samples; needed only where the file is not there to tell.
    pub items: Option<usize>,
    /// Mirror half of the training images left to right, anew each epoch.
    pub flip: bool,
    /// Warp the training images after that, anew each epoch. Only for pixels.
    pub augment: Option<EdmConfig>,
    /// Fraction set aside to score against.
    pub held_out: f64,
}

impl Hdf5Config {
    /// What is in this file or folder, with the defaults for the rest.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            images: None,
            labels: "auto".to_owned(),
            flipped: None,
            encoding: Encoding::Auto,
            scale: None,
            shape: None,
            classes: None,
            items: None,
            flip: false,
            augment: None,
            held_out: 0.0,
        }
    }

    fn check(&self) -> Result<(), DataError> {
        held_out::check(self.held_out)?;
        if let Some(scale) = self.scale {
            DataError::require(scale > 0.0 && scale.is_finite(), "scale", scale, "must be above 0")?;
        }
        if self.augment.is_some() {
            let pixels = matches!(self.encoding, Encoding::Auto | Encoding::Pixels);
            DataError::require(pixels, "augment", "{ … }", "only pixels can be warped")?;
        }
        if let Some(classes) = self.classes {
            DataError::require(
                self.labels != "off",
                "classes",
                classes,
                "there are none with labels = \"off\"",
            )?;
        }
        Ok(())
    }

    /// Opens the files and checks that they are what the settings say, without reading samples.
    fn layout(&self) -> Result<Hdf5, DataError> {
        let paths = if self.path.is_dir() { hdf5_files(&self.path)? } else { vec![self.path.clone()] };
        if paths.is_empty() {
            let wanted = "*.h5 or *.hdf5 file".to_owned();
            return Err(DataError::NoSuchPart { folder: self.path.clone(), wanted });
        }
        let files = paths.iter().map(|path| File::open(path)).collect::<Result<Vec<_>, _>>()?;
        let names = files[0].names()?;
        let there = |name: &str| names.iter().any(|other| other == name);
        let arrays = |name: &str, remedy: &str| {
            Rows::new(files.iter().map(|file| file.array(name, remedy)).collect::<Result<_, _>>()?)
        };

        let name = match &self.images {
            Some(name) => name.clone(),
            // If none is there, the error is about the first.
            None => USUAL.into_iter().find(|name| there(name)).unwrap_or(USUAL[0]).to_owned(),
        };
        let rows = arrays(&name, "`images` names the one to take")?;
        let encoding = match (self.encoding, rows.kind()) {
            (Encoding::Auto | Encoding::Pixels, Numbers::U8) => Encoding::Pixels,
            (Encoding::Auto, Numbers::F32) if name.starts_with("images") => Encoding::Pixels,
            (Encoding::Auto, Numbers::F32) if name.starts_with("moments") => Encoding::Moments,
            (Encoding::Auto, Numbers::F32) => Encoding::Latents,
            (encoding, Numbers::F32) => encoding,
            (Encoding::Auto | Encoding::Pixels, kind) => {
                let wanted = "bytes (pixels) or single precision (pixels, latents, moments)";
                return Err(rows.problem(format!("values must be {wanted}, not {kind:?}")));
            }
            (_, kind) => return Err(rows.problem(format!("latents must be single precision, not {kind:?}"))),
        };
        let (shape, channels_last) = sample_shape(&rows, encoding)?;
        // Points may be anywhere.
        let rows =
            if encoding == Encoding::Pixels && shape[1] * shape[2] > 1 { rows.of_pixels() } else { rows };
        if let (Numbers::F32, None, &[first, second, last]) = (rows.kind(), self.shape, rows.shape())
            && looks_channels_last(encoding, [first, second, last])
        {
            return Err(rows.problem(format!(
                "rows of shape {:?} seem to have their channels last; in single precision they come first, and `shape = {shape:?}` would say that they do",
                rows.shape()
            )));
        }
        if let Some(expected) = self.shape.filter(|expected| *expected != shape) {
            return Err(rows.problem(format!("samples of shape {shape:?}, where shape = {expected:?}")));
        }
        let count = rows.len();
        if let Some(items) = self.items.filter(|&items| items != count) {
            return Err(rows.problem(format!("{count} samples, where items = {items}")));
        }
        if let Some(all) = files[0].integer(ROWS)?.filter(|&all| all != count as i64) {
            return Err(rows.problem(format!("{count} of {all} rows: files of the set are missing")));
        }

        let mirror = self.flipped.clone().unwrap_or_else(|| format!("{name}_flip"));
        let flipped = match encoding {
            Encoding::Pixels => None,
            _ if self.flipped.is_some() || there(&mirror) => {
                Some(arrays(&mirror, "`flipped` names the one to take")?)
            }
            _ if self.flip => {
                return Err(rows.problem(format!(
                    "latents cannot be mirrored (flip = true) without the array `{mirror}` of the mirrored images"
                )));
            }
            _ => None,
        };
        if let Some(flipped) = flipped.as_ref().filter(|flipped| {
            (flipped.kind(), flipped.shape(), flipped.len()) != (rows.kind(), rows.shape(), count)
        }) {
            return Err(flipped.problem(format!("not of the type and shape of `{name}`")));
        }
        if self.augment.is_some() && encoding != Encoding::Pixels {
            return Err(rows.problem("only pixels can be warped (augment)".to_owned()));
        }

        if self.scale.is_some() && encoding == Encoding::Pixels {
            return Err(rows.problem("only latents can be scaled (scale)".to_owned()));
        }

        let labels = match self.labels.as_str() {
            "off" => None,
            "auto" if !any_has(&files, LABELS)? => None,
            "auto" => Some(LABELS),
            name => Some(name),
        };
        let labels = labels.map(|name| self.read_labels(&files, name, &rows)).transpose()?;
        let scale = self.scale.unwrap_or(if encoding == Encoding::Moments { SD_VAE } else { 1.0 });
        Ok(Hdf5 { rows, flipped, labels, encoding, shape, channels_last, scale, digest: String::new() })
    }

    /// The labels of all files and the number of classes.
    fn read_labels(&self, files: &[File], name: &str, rows: &Rows) -> Result<(Vec<u32>, usize), DataError> {
        let remedy = "`labels` names the one to take, or is \"off\" to take none";
        let arrays = files.iter().map(|file| file.array(name, remedy)).collect::<Result<Vec<_>, _>>()?;
        let of_files = arrays.iter().map(|array| array.read_integers()).collect::<Result<Vec<_>, _>>()?;
        for ((array, of_file), samples) in arrays.iter().zip(&of_files).zip(rows.of_files()) {
            if of_file.len() != samples {
                return Err(array.problem(format!("{} labels for {samples} samples", of_file.len())));
            }
        }
        let count = rows.len();
        let classes = match self.classes {
            Some(classes) => classes,
            None => match stated_classes(&files[0])? {
                Some(classes) => classes,
                None => inferred_classes(&arrays, &of_files, count)?,
            },
        };
        let mut labels = Vec::with_capacity(count);
        for (array, of_file) in arrays.iter().zip(of_files) {
            for (item, label) in of_file.into_iter().enumerate() {
                match u32::try_from(label) {
                    Ok(fits) if (fits as usize) < classes => labels.push(fits),
                    _ => {
                        return Err(DataError::LabelRange { path: array.path.clone(), item, label, classes });
                    }
                }
            }
        }
        Ok((labels, classes))
    }

    /// Reads the keys of `[data.hdf5]`.
    fn read(r: &mut Reader) -> Self {
        let default = Self::new(r.need("path", PathTo));
        Self {
            images: r.get("images", Or("auto", Text::SOME), default.images),
            labels: r.get("labels", Text::SOME, default.labels),
            flipped: r.get("flipped", Or("auto", Text::SOME), default.flipped),
            encoding: r.get("encoding", Choice(Encoding::ALL.to_vec()), default.encoding),
            scale: r.get("scale", Or("auto", Number::POSITIVE), default.scale),
            shape: r.get("shape", Or("auto", Triple(Within::SIZE)), default.shape),
            classes: r.get("classes", Or("auto", Within::SAMPLES), default.classes),
            items: r.get("items", Or("auto", Within(1, Within::LARGEST)), default.items),
            flip: r.get("flip", Flag, default.flip),
            augment: EdmConfig::read(r),
            held_out: r.get("held-out", Number::BELOW_ONE, default.held_out),
            path: default.path,
        }
    }
}

/// Whether any of the files has an array of this name.
fn any_has(files: &[File], name: &str) -> Result<bool, DataError> {
    for file in files {
        if file.names()?.iter().any(|other| other == name) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The attribute with the number of classes.
fn stated_classes(file: &File) -> Result<Option<usize>, DataError> {
    let Some(stated) = file.integer(CLASSES)? else { return Ok(None) };
    match usize::try_from(stated).ok().filter(|classes| (1..=MOST_CLASSES).contains(classes)) {
        Some(classes) => Ok(Some(classes)),
        None => Err(file.problem(
            LABELS,
            format!("the file's attribute `{CLASSES}` is {stated}, not from 1 to {MOST_CLASSES}; the key `classes` goes before it"),
        )),
    }
}

/// One more than the largest label. A label that would make more classes than there are samples is taken for damage.
fn inferred_classes(arrays: &[Array], of_files: &[Vec<i64>], samples: usize) -> Result<usize, DataError> {
    let most = samples.min(MOST_CLASSES);
    let mut classes = 1;
    for (array, of_file) in arrays.iter().zip(of_files) {
        for (row, &label) in of_file.iter().enumerate() {
            if label >= most as i64 {
                return Err(array.problem(format!(
                    "row {row} holds the label {label}, which makes more classes than there are samples ({samples}); `classes` says how many there are"
                )));
            }
            classes = classes.max(label.max(0) as usize + 1);
        }
    }
    Ok(classes)
}

/// Shape of a sample, and whether the file has its channels last, which only bytes may.
fn sample_shape(rows: &Rows, encoding: Encoding) -> Result<([usize; 3], bool), DataError> {
    let colours = |channels: usize| channels == 1 || channels == 3;
    let bytes = rows.kind() == Numbers::U8;
    match (encoding, rows.shape()) {
        (Encoding::Pixels, &[height, width]) => Ok(([1, height, width], false)),
        (Encoding::Pixels, &[height, width, channels]) if bytes && !colours(height) && colours(channels) => {
            Ok(([channels, height, width], true))
        }
        (Encoding::Pixels | Encoding::Latents, &[channels, height, width]) => {
            Ok(([channels, height, width], false))
        }
        (Encoding::Moments, &[channels, height, width]) if channels.is_multiple_of(2) => {
            Ok(([channels / 2, height, width], false))
        }
        (_, other) => {
            let wanted = match encoding {
                Encoding::Pixels => "[channels, height, width], [height, width, channels] or [height, width]",
                Encoding::Moments => "[2·channels, height, width]",
                _ => "[channels, height, width]",
            };
            Err(rows.problem(format!("rows of shape {other:?}, not {wanted}")))
        }
    }
}

/// Whether rows look like [height, width, channels]. Latents of many channels can be as narrow as they are high; those of
/// colours are wider than one to four pixels.
fn looks_channels_last(encoding: Encoding, [first, second, last]: [usize; 3]) -> bool {
    match encoding {
        Encoding::Pixels => first > 4 && second > last && matches!(last, 1 | 3 | 4),
        Encoding::Moments => first > 8 && first == second && last == 8,
        _ => first > 4 && first == second && last == 4,
    }
}

impl DataKind for Hdf5Config {
    fn kind(&self) -> &'static kind::Kind {
        &KIND
    }

    /// The file tells; without it, `shape`, `classes` and `items` do.
    fn describe(&self) -> Result<Description, DataError> {
        self.check()?;
        if self.path.exists() {
            let data = self.layout()?;
            let items = Some(held_out::kept(data.len(), self.held_out));
            return Ok(Description { shape: data.shape, classes: data.classes(), items });
        }
        let Some(shape) = self.shape else {
            let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
            let source = Box::new(DataError::read(&self.path)(missing));
            return Err(DataError::Unknowable {
                path: self.path.clone(),
                what: "shape of a sample",
                key: "shape",
                source,
            });
        };
        let items = self.items.map(|items| held_out::kept(items, self.held_out));
        Ok(Description { shape, classes: self.classes, items })
    }

    fn open(&self) -> Result<Arc<dyn Dataset>, DataError> {
        self.check()?;
        let mut data = self.layout()?;
        data.digest = data.compute_digest()?;
        HeldOut::split(Arc::new(data), self.held_out)
    }

    fn points_to_compare_with(&self) -> Option<usize> {
        let data = self.layout().ok().filter(|data| data.shape == [2, 1, 1])?;
        Some(held_out::to_compare_with(data.len(), self.held_out))
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

    fn stays_on_disk(&self) -> bool {
        true
    }

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        vec![&mut self.path]
    }
}

/// Rows of files.
struct Hdf5 {
    rows: Rows,
    flipped: Option<Rows>,
    /// Labels and the number of classes.
    labels: Option<(Vec<u32>, usize)>,
    encoding: Encoding,
    shape: [usize; 3],
    channels_last: bool,
    scale: f64,
    digest: String,
}

impl Hdf5 {
    /// sha256 over shape, encoding, labels and rows as stored: all of them, or of a large set 64 evenly spaced.
    fn compute_digest(&self) -> Result<String, DataError> {
        let mut hash = Sha256::new();
        hash.update(format!("{:?} {:?} {} {:?}", self.shape, self.encoding, self.scale, self.rows.kind()));
        for label in self.labels.iter().flat_map(|(labels, _)| labels) {
            hash.update(label.to_le_bytes());
        }
        let size: usize = self.rows.shape().iter().product();
        let count = self.len();
        let step = if count * size <= WHOLE { 1 } else { count.div_ceil(SAMPLED) };
        let mut row = vec![0.0; size];
        for rows in std::iter::once(&self.rows).chain(&self.flipped) {
            for index in (0..count).step_by(step) {
                rows.read(index, &mut row)?;
                row.iter().for_each(|value| hash.update(value.to_le_bytes()));
            }
        }
        Ok(format!("{:x}", hash.finalize()))
    }

    fn sample(&self, rows: &Rows, index: usize, view: View, sample: &mut [f32]) -> Result<(), DataError> {
        let size: usize = self.shape.iter().product();
        assert_eq!(sample.len(), size, "a buffer of another size than {:?}", self.shape);
        match self.encoding {
            Encoding::Pixels if self.channels_last => {
                let mut interleaved = vec![0.0; size];
                rows.read(index, &mut interleaved)?;
                planes(&interleaved, sample, self.shape[0]);
            }
            Encoding::Moments => {
                let mut moments = vec![0.0; 2 * size];
                rows.read(index, &mut moments)?;
                let (means, stds) = moments.split_at(size);
                if let Some(std) = stds.iter().find(|std| **std < 0.0) {
                    let problem = format!(
                        "holds the standard deviation {std}; moments are means and standard deviations, not log-variances"
                    );
                    return Err(rows.problem_of(index, &problem));
                }
                let mut rng = random::of_sample(view.seed, "latents", view.epoch, index);
                for ((to, mean), std) in sample.iter_mut().zip(means).zip(stds) {
                    let normal: f32 = StandardNormal.sample(&mut rng);
                    *to = (mean + std * normal) * self.scale as f32;
                }
            }
            _ => {
                rows.read(index, sample)?;
                if self.scale != 1.0 {
                    sample.iter_mut().for_each(|x| *x *= self.scale as f32);
                }
            }
        }
        Ok(())
    }
}

/// `[height, width, channels]` as `[channels, height, width]`.
fn planes(interleaved: &[f32], sample: &mut [f32], channels: usize) {
    for (channel, plane) in sample.chunks_exact_mut(interleaved.len() / channels).enumerate() {
        plane.iter_mut().zip(interleaved.chunks_exact(channels)).for_each(|(to, pixel)| *to = pixel[channel]);
    }
}

impl Dataset for Hdf5 {
    fn name(&self) -> &str {
        KIND.name
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn shape(&self) -> [usize; 3] {
        self.shape
    }

    fn classes(&self) -> Option<usize> {
        self.labels.as_ref().map(|(_, classes)| *classes)
    }

    /// Of moments, always the same draw.
    fn read(&self, index: usize, sample: &mut [f32]) -> Result<(), DataError> {
        self.sample(&self.rows, index, View { seed: 0, epoch: 0, mirrored: false }, sample)
    }

    /// Latents are mirrored by taking those of the mirrored image.
    fn read_view(&self, index: usize, view: View, sample: &mut [f32]) -> Result<(), DataError> {
        let rows = self.flipped.as_ref().filter(|_| view.mirrored).unwrap_or(&self.rows);
        self.sample(rows, index, view, sample)?;
        if view.mirrored && self.encoding == Encoding::Pixels {
            sample.chunks_exact_mut(self.shape[2]).for_each(<[f32]>::reverse);
        }
        Ok(())
    }

    fn blocks(&self) -> Option<Blocks> {
        let (ranges, window) = self.rows.blocks();
        Some(Blocks { ranges, window })
    }

    /// The arrays of the file, with channels first.
    fn fields(&self) -> Vec<Field> {
        let [channels, height, width] = self.shape;
        let element = if self.rows.kind() == Numbers::U8 { Element::U8 } else { Element::F32 };
        let (names, shape) = match self.encoding {
            Encoding::Moments => (["moments", "moments_flip"], [2 * channels, height, width]),
            Encoding::Latents => (["latents", "latents_flip"], self.shape),
            _ => (["images", "images_flip"], self.shape),
        };
        let arrays = 1 + usize::from(self.flipped.is_some());
        names[..arrays].iter().map(|&name| Field { name, element, shape }).collect()
    }

    fn read_field(&self, field: usize, index: usize, values: &mut [f32]) -> Result<(), DataError> {
        let rows =
            if field == 0 { &self.rows } else { self.flipped.as_ref().expect("a field that is not there") };
        if !self.channels_last {
            return rows.read(index, values);
        }
        let mut interleaved = vec![0.0; values.len()];
        rows.read(index, &mut interleaved)?;
        planes(&interleaved, values, self.shape[0]);
        Ok(())
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.labels.as_ref().map(|(labels, _)| labels[index] as usize)
    }

    fn digest(&self) -> String {
        self.digest.clone()
    }

    fn held_out(&self, _count: usize, _seed: u64) -> Result<Option<Vec<f32>>, DataError> {
        Ok(None)
    }
}
