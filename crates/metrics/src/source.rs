//! What a path holds: pictures, rows of numbers, or statistics.

use std::{collections::HashSet, path::Path};

use ndarray::{Array2, ArrayD, Axis, Ix2};
use sha2::{Digest, Sha256};

use crate::{
    Images, InputError, Statistics, StatisticsNames,
    draws::Draw,
    files::{Array, Npz, read_npy},
};

/// Something to score, or to score against.
#[derive(Clone, Debug)]
pub enum Source {
    /// Pictures.
    Images(Images),
    /// Points or features, `[n, dimension]`.
    Rows(Array2<f32>),
    /// Mean and covariance of features.
    Statistics(Statistics),
}

impl Source {
    /// Reads a folder of PNG or JPEG files, a `.npy` or a `.npz` file.
    ///
    /// An array of two axes is rows (see [`rows`](Self::rows) for double precision). One of three or four is pictures: bytes, or floats in [−1, 1]; `[n, height, width]`,
    /// `[n, height, width, channels]` or `[n, channels, height, width]` with one or three channels. An `.npz` with `mu` and
    /// `sigma` (or `ref_mu` and `ref_sigma`) is statistics, whatever else it holds; else its array `arr_0`, or its only one.
    ///
    /// # Errors
    /// What cannot be read or is none of these.
    pub fn open(path: &Path) -> Result<Self, InputError> {
        if path.is_dir() {
            return Ok(Self::Images(Images::folder(path)?));
        }
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("npy") => of_array(read_npy(path)?, path, "the array"),
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
                of_array(file.array(&name)?, path, &name)
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
    /// nothing in common with the choices that [`Measure::evaluate`](crate::Measure::evaluate) makes.
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

fn of_array(array: Array, path: &Path, item: &str) -> Result<Source, InputError> {
    let shape = array.shape().to_vec();
    if shape.len() == 2 {
        if let Array::F64(rows) = array {
            return Source::rows(rows.into_dimensionality::<Ix2>().expect("two axes"), path, item);
        }
        let rows = array.into_f32().into_dimensionality::<Ix2>().expect("two axes");
        return Ok(Source::Rows(rows.as_standard_layout().into_owned()));
    }
    let channels = |count: usize| count == 1 || count == 3;
    // The axes in the order n, channels, height, width.
    let (order, size) = match shape[..] {
        [_, height, width] => (vec![0, 1, 2], [1, height, width]),
        [_, height, width, c] if channels(c) => (vec![0, 3, 1, 2], [c, height, width]),
        [_, c, height, width] if channels(c) => (vec![0, 1, 2, 3], [c, height, width]),
        _ => {
            let reason = format!(
                "has the shape {shape:?}; rows have two axes, pictures three, or four with 1 or 3 channels"
            );
            return Err(InputError::invalid(path, item, reason));
        }
    };
    if size.contains(&0) {
        return Err(InputError::invalid(path, item, format!("has the shape {shape:?}")));
    }
    match array {
        Array::U8(bytes) => Ok(Source::Images(Images::bytes(ordered(bytes, order), size))),
        floats => {
            let floats = ordered(floats.into_f32(), order);
            // Samples of a network overshoot a little; pictures in [0, 255] do by far.
            if let Some(at) = floats.iter().position(|value| value.is_nan() || value.abs() > 16.0) {
                let reason = format!("holds {} at {at}; pictures of floats lie in [−1, 1]", floats[at]);
                return Err(InputError::invalid(path, item, reason));
            }
            Ok(Source::Images(Images::floats(floats, size)))
        }
    }
}

/// The values with their axes in this order, row-major.
fn ordered<T: Clone>(array: ArrayD<T>, order: Vec<usize>) -> Vec<T> {
    array.permuted_axes(order).iter().cloned().collect()
}
