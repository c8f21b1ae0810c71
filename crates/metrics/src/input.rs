//! What a path holds: pictures, rows of numbers, or statistics.

use std::{collections::HashSet, path::Path};

use meanflow_weights::{Element, StoredArray, Values, open_npy};
use ndarray::{Array2, ArrayD, Axis, Ix2};
use sha2::{Digest, Sha256};

use crate::{
    Images, InputError, Statistics, StatisticsNames,
    draws::Draw,
    files::{Array, Npz, ONLY, read_npy, wrong},
    images::OnDisk,
};

/// Bytes of pictures in an array that are kept in memory; those of a larger one are read when they are needed.
const IN_MEMORY: usize = 1 << 28;

/// Something to score, or to score against.
#[derive(Clone, Debug)]
pub enum Input {
    /// Pictures.
    Images(Images),
    /// Points or features, `[n, dimension]`.
    Rows(Array2<f32>),
    /// Mean and covariance of features.
    Statistics(Statistics),
}

impl Input {
    /// Reads a folder of PNG or JPEG files, a `.npy` or a `.npz` file.
    ///
    /// An array of two axes is rows (see [`rows`](Self::rows) for double precision). One of three or four is pictures: bytes, or floats in [−1, 1]; `[n, height, width]`,
    /// `[n, height, width, channels]` or `[n, channels, height, width]` with one or three channels. An `.npz` with `mu` and
    /// `sigma` (or `ref_mu` and `ref_sigma`) is statistics, whatever else it holds; else its array `arr_0`, or its only one. Pictures
    /// of more than 256 MiB stay on the disk, except in a compressed `.npz` and in Fortran order.
    ///
    /// # Errors
    /// What cannot be read or is none of these.
    pub fn open(path: &Path) -> Result<Self, InputError> {
        Self::open_within(path, IN_MEMORY)
    }

    /// The same; an array of pictures with more than `most` bytes stays on the disk.
    fn open_within(path: &Path, most: usize) -> Result<Self, InputError> {
        if path.is_dir() {
            return Ok(Self::Images(Images::folder(path)?));
        }
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("npy") => {
                let stored = open_npy(path).map_err(wrong(path, ONLY))?;
                match stored.filter(|array| stays(array, most)) {
                    Some(array) => on_disk(array, path, ONLY),
                    None => of_array(read_npy(path)?, path, ONLY),
                }
            }
            Some("npz") => {
                let mut file = Npz::open(path)?;
                if StatisticsNames::among(file.names()).is_some() {
                    return Ok(Self::Statistics(Statistics::read(path)?));
                }
                if let Some([there, missing]) = StatisticsNames::half(file.names()) {
                    return Err(InputError::invalid(
                        path,
                        missing,
                        format!("is missing, but {there} is there"),
                    ));
                }
                let name = match file.names() {
                    [only] => only.clone(),
                    names if names.iter().any(|name| name == "arr_0") => "arr_0".to_owned(),
                    [] => return Err(InputError::invalid(path, "the archive", "holds no array")),
                    names => {
                        let reason = format!("holds {}, and neither statistics nor arr_0", names.join(", "));
                        return Err(InputError::invalid(path, "the archive", reason));
                    }
                };
                match file.stored(&name)?.filter(|array| stays(array, most)) {
                    Some(array) => on_disk(array, path, &name),
                    None => of_array(file.array(&name)?, path, &name),
                }
            }
            _ if !path.exists() => {
                Err(InputError::read(path)(std::io::Error::from(std::io::ErrorKind::NotFound)))
            }
            _ => {
                let reason = "is neither a folder nor a .npy, .npz, .h5 or .hdf5 file";
                Err(InputError::invalid(path, "the file", reason))
            }
        }
    }

    /// Rows of double precision, which scores take as f32.
    ///
    /// # Errors
    /// Values whose rounding would be seen: beyond the range of f32, or changed by more than 10⁻⁴ of the rows' spread (the root
    /// of the mean variance of a column), as where an offset is large beside it. A file and an item are named.
    pub fn rows(values: Array2<f64>, path: &Path, item: &str) -> Result<Self, InputError> {
        let mut worst = (0.0, 0, 0);
        for ((row, column), &value) in values.indexed_iter() {
            let error = (value - f64::from(value as f32)).abs();
            if value.is_finite() && error > f64::from(f32::MAX) {
                let reason = format!("holds {value:e} at row {row}, column {column}, which f32 cannot hold");
                return Err(InputError::invalid(path, item, reason));
            }
            if error > worst.0 {
                worst = (error, row, column);
            }
        }
        let (error, row, column) = worst;
        let spread = values.var_axis(Axis(0), 0.0).mean().unwrap_or_default().sqrt();
        // Constant rows have no spread, and rows with a NaN are refused where they are scored.
        if spread > 0.0 && error > 1e-4 * spread {
            let reason = format!(
                "holds {} at row {row}, column {column}, which f32 changes by {error:e}, and the rows' standard deviation is \
                 {spread:e}; subtract the same offset from both sides",
                values[[row, column]]
            );
            return Err(InputError::invalid(path, item, reason));
        }
        let rows = values.mapv(|value| value as f32);
        Ok(Self::Rows(rows.as_standard_layout().into_owned()))
    }

    /// What to tell the user of it, if it looks as if it were meant otherwise: pictures of floats without a value below 0.
    pub fn note(&self) -> Option<String> {
        match self {
            Self::Images(images) if images.not_negative() => Some(
                "no value is below 0: floats are taken to be in [−1, 1]; if these are in [0, 1], give 2·x − 1".to_owned(),
            ),
            _ => None,
        }
    }

    /// Samples in it; `None` for statistics, which do not say.
    pub fn len(&self) -> Option<usize> {
        match self {
            Self::Images(images) => Some(images.len()),
            Self::Rows(rows) => Some(rows.nrows()),
            Self::Statistics(_) => None,
        }
    }

    /// Whether it holds no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// `n` of `all` indices, rising: a choice without replacement keyed by `seed`, or all of them. Under the same seed it has
    /// nothing in common with the choices that [`Reference::evaluate`](crate::Reference::evaluate) makes.
    ///
    /// # Panics
    /// If `n` is larger than `all`.
    pub fn choice(all: usize, n: usize, seed: u64) -> Vec<usize> {
        Draw::Samples.choice(all, n, seed)
    }

    /// The indices below `all` that were not chosen, rising.
    pub fn rest(all: usize, chosen: &[usize]) -> Vec<usize> {
        let chosen: HashSet<usize> = chosen.iter().copied().collect();
        (0..all).filter(|index| !chosen.contains(index)).collect()
    }

    /// sha256 (hex) of the content, wherever it lies: [`Images::digest`], [`Statistics::digest`], and for rows the shape as
    /// little-endian u64, then the values as little-endian f32.
    ///
    /// # Errors
    /// Files that cannot be read or have changed.
    pub fn digest(&self) -> Result<String, InputError> {
        match self {
            Self::Images(images) => images.digest(),
            Self::Statistics(statistics) => Ok(statistics.digest()),
            Self::Rows(rows) => {
                let mut hash = Sha256::new();
                for length in [rows.nrows(), rows.ncols()] {
                    hash.update((length as u64).to_le_bytes());
                }
                for value in rows {
                    hash.update(value.to_le_bytes());
                }
                Ok(format!("{:x}", hash.finalize()))
            }
        }
    }
}

fn of_array(array: Array, path: &Path, item: &str) -> Result<Input, InputError> {
    let shape = array.shape().to_vec();
    if shape.len() == 2 {
        if let Array::F64(rows) = array {
            return Input::rows(rows.into_dimensionality::<Ix2>().expect("two axes"), path, item);
        }
        let rows = array.into_f32().into_dimensionality::<Ix2>().expect("two axes");
        return Ok(Input::Rows(rows.as_standard_layout().into_owned()));
    }
    let (size, channels_last) = picture(&shape, path, item)?;
    // The axes in the order n, channels, height, width.
    let order = match (shape.len(), channels_last) {
        (3, _) => vec![0, 1, 2],
        (_, true) => vec![0, 3, 1, 2],
        (_, false) => vec![0, 1, 2, 3],
    };
    match array {
        Array::U8(bytes) => Ok(Input::Images(Images::bytes(ordered(bytes, order), size))),
        floats => {
            let floats = ordered(floats.into_f32(), order);
            in_range(&floats, 0, path, item)?;
            Ok(Input::Images(Images::floats(floats, size)))
        }
    }
}

/// Whether an array stays on the disk: pictures of more bytes than these.
fn stays(array: &StoredArray, most: usize) -> bool {
    let shape = array.shape();
    shape.len() > 2 && shape.iter().product::<usize>() * array.element().size() > most
}

/// Pictures in an array that stays on the disk; floats are looked at once.
fn on_disk(array: StoredArray, path: &Path, item: &str) -> Result<Input, InputError> {
    let (size, channels_last) = picture(array.shape(), path, item)?;
    let (all, row) = (array.shape()[0], size.iter().product::<usize>());
    let mut not_negative = array.element() != Element::U8;
    if not_negative {
        for first in 0..all {
            let floats = match array.rows(first, 1).map_err(wrong(path, item))? {
                Values::U8(_) => unreachable!("they are floats"),
                Values::F32(values) => values,
                Values::F64(values) => values.into_iter().map(|value| value as f32).collect(),
            };
            in_range(&floats, first * row, path, item)?;
            not_negative &= floats.iter().all(|&value| value >= 0.0);
        }
    }
    let pictures = OnDisk { array, path: path.to_owned(), channels_last, not_negative };
    Ok(Input::Images(Images::on_disk(pictures, size)))
}

/// Channels, height and width of the pictures in an array of this shape, and whether the channels are its last axis.
fn picture(shape: &[usize], path: &Path, item: &str) -> Result<([usize; 3], bool), InputError> {
    let channels = |count: usize| count == 1 || count == 3;
    let (size, last) = match *shape {
        [_, height, width] => ([1, height, width], false),
        [_, height, width, c] if channels(c) => ([c, height, width], true),
        [_, c, height, width] if channels(c) => ([c, height, width], false),
        _ => {
            let reason = format!(
                "has the shape {shape:?}; rows have two axes, pictures three, or four with 1 or 3 channels"
            );
            return Err(InputError::invalid(path, item, reason));
        }
    };
    match size.contains(&0) {
        true => Err(InputError::invalid(path, item, format!("has the shape {shape:?}"))),
        false => Ok((size, last)),
    }
}

/// Samples of a network overshoot a little; pictures in [0, 255] do by far. `first` values come before these.
fn in_range(floats: &[f32], first: usize, path: &Path, item: &str) -> Result<(), InputError> {
    match floats.iter().position(|value| value.is_nan() || value.abs() > 16.0) {
        Some(at) => {
            let reason = format!("holds {} at {}; pictures of floats lie in [−1, 1]", floats[at], first + at);
            Err(InputError::invalid(path, item, reason))
        }
        None => Ok(()),
    }
}

/// The values with their axes in this order, row-major.
fn ordered<T: Clone>(array: ArrayD<T>, order: Vec<usize>) -> Vec<T> {
    array.permuted_axes(order).iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Quantise;
    use ndarray::{Array4, ShapeBuilder};
    use ndarray_npy::{NpzWriter, write_npy};

    /// Pictures that stay on the disk are those in memory, in either order of the axes and in either kind of file.
    #[test]
    fn pictures_on_the_disk_are_those_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let (npy, npz) = (folder.path().join("x.npy"), folder.path().join("x.npz"));
        let last = Array4::from_shape_fn((3, 4, 5, 3), |(n, y, x, c)| (n * 71 + y * 20 + x * 3 + c) as u8);
        let first = last.view().permuted_axes([0, 3, 1, 2]).as_standard_layout().into_owned();
        let same = || {
            for path in [&npy, &npz] {
                let [memory, disk] =
                    [usize::MAX, 0].map(|most| match Input::open_within(path, most).unwrap() {
                        Input::Images(images) => images,
                        other => panic!("{other:?}"),
                    });
                assert_eq!((memory.len(), memory.shape()), (disk.len(), disk.shape()));
                assert_eq!(memory.digest().unwrap(), disk.digest().unwrap());
                let quantised = |images: &Images| images.quantised(&[2, 0], Quantise::Round).unwrap();
                assert_eq!(quantised(&memory), quantised(&disk));
                assert_eq!(memory.not_negative(), disk.not_negative());
            }
        };
        for array in [&last, &first] {
            write_npy(&npy, array).unwrap();
            let mut file = NpzWriter::new(std::fs::File::create(&npz).unwrap());
            file.add_array("arr_0", array).unwrap();
            file.finish().unwrap();
            assert!(format!("{:?}", Input::open_within(&npz, 0).unwrap()).contains("OnDisk"));
            same();
            let floats = array.mapv(|byte| f64::from(byte) / 255.0 - 0.1);
            write_npy(&npy, &floats).unwrap();
            same();
        }
        let mut fortran = Array4::zeros(last.dim().f());
        fortran.assign(&last);
        write_npy(&npy, &fortran).unwrap();
        assert!(!format!("{:?}", Input::open_within(&npy, 0).unwrap()).contains("OnDisk"));
        let mut wrong = last.mapv(|byte| f32::from(byte) / 255.0);
        wrong[[2, 3, 4, 2]] = 99.0;
        write_npy(&npy, &wrong).unwrap();
        let error = Input::open_within(&npy, 0).unwrap_err().to_string();
        assert!(error.contains("holds 99 at 179"), "{error}");
    }
}
