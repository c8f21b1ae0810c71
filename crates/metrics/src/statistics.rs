//! Mean and covariance of a set as one thing, and the `.npz` files that published tools keep them in.

use std::{fs::File, io, path::Path};

use meanflow_files::replace_shared;
use ndarray::{Array2, ArrayView1, Ix1, Ix2};
use ndarray_npy::NpzWriter;
use sha2::{Digest, Sha256};

use crate::{
    Frechet, InputError, MetricError, Moments, Origin,
    files::{Npz, axes},
    frechet,
};

/// A Gaussian: what the Fréchet distance knows of a set.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// `[dimension]`.
    pub mean: Vec<f64>,
    /// `[dimension, dimension]`, symmetric, unbiased.
    pub covariance: Array2<f64>,
    /// What they are of, where it is known.
    pub origin: Option<Origin>,
}

/// How mean and covariance are called in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatisticsNames {
    /// `mu` and `sigma`, as pytorch-fid, ADM and EDM write them.
    Plain,
    /// `ref_mu` and `ref_sigma`, as the MeanFlow repositories write them.
    Reference,
}

impl StatisticsNames {
    const ALL: [Self; 2] = [Self::Plain, Self::Reference];

    /// The two names.
    pub fn names(self) -> [&'static str; 2] {
        match self {
            Self::Plain => ["mu", "sigma"],
            Self::Reference => ["ref_mu", "ref_sigma"],
        }
    }

    /// Of a pair of names with only one among these, the one that is there and the one that is missing.
    pub fn half(names: &[String]) -> Option<[&'static str; 2]> {
        let has = |name: &str| names.iter().any(|other| other == name);
        Self::ALL.into_iter().find_map(|pair| match pair.names() {
            [mean, covariance] if has(mean) && !has(covariance) => Some([mean, covariance]),
            [mean, covariance] if !has(mean) && has(covariance) => Some([covariance, mean]),
            _ => None,
        })
    }

    /// The pair of names that is among these.
    pub fn among(names: &[String]) -> Option<Self> {
        let has = |name: &str| names.iter().any(|other| other == name);
        Self::ALL.into_iter().find(|pair| pair.names().into_iter().all(has))
    }
}

/// Relative asymmetry that rounding explains.
const ASYMMETRY: f64 = 1e-5;

impl Statistics {
    /// Mean and unbiased covariance of what `moments` has seen.
    ///
    /// # Errors
    /// Fewer than two samples.
    pub fn of(moments: &Moments) -> Result<Self, MetricError> {
        Ok(Self { covariance: moments.covariance()?, mean: moments.mean()?, origin: None })
    }

    /// Features compared.
    pub fn dimension(&self) -> usize {
        self.mean.len()
    }

    /// The squared Fréchet distance to another Gaussian.
    ///
    /// # Errors
    /// Those of [`frechet`], and those of [`Origin::agrees`] where both know what they are of.
    pub fn distance(&self, other: &Self) -> Result<Frechet, MetricError> {
        if let (Some(own), Some(other)) = (&self.origin, &other.origin) {
            own.agrees(other)?;
        }
        frechet(&self.mean, self.covariance.view(), &other.mean, other.covariance.view())
    }

    /// sha256 (hex) of the values as little-endian f64, mean first; the origin does not count.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for value in self.mean.iter().chain(&self.covariance) {
            hash.update(value.to_le_bytes());
        }
        format!("{:x}", hash.finalize())
    }

    /// Reads `mu` and `sigma`, or `ref_mu` and `ref_sigma`, from an `.npz` file, and what [`write`](Self::write) puts beside them.
    ///
    /// # Errors
    /// A file without them, and those of [`checked`](Self::checked).
    pub fn read(path: &Path) -> Result<Self, InputError> {
        let mut file = Npz::open(path)?;
        let pair = StatisticsNames::among(file.names()).ok_or_else(|| {
            let reason =
                format!("neither mu and sigma nor ref_mu and ref_sigma, but {}", file.names().join(", "));
            InputError::invalid(path, "the archive", reason)
        })?;
        let [mu, sigma] = pair.names();
        let mean = axes::<Ix1>(file.array(mu)?.to_f64(), path, mu)?.to_vec();
        let covariance = axes::<Ix2>(file.array(sigma)?.to_f64(), path, sigma)?;
        let origin = Origin::read(|name| file.text(name))?;
        Ok(Self { origin, ..Self::checked(mean, covariance, path, pair)? })
    }

    /// Mean and covariance from a file, which names them so in its errors.
    ///
    /// # Errors
    /// What is no mean and covariance: shapes that do not fit, values that are not finite, a covariance that is not
    /// symmetric or has a negative variance.
    pub fn checked(
        mean: Vec<f64>,
        covariance: Array2<f64>,
        path: &Path,
        names: StatisticsNames,
    ) -> Result<Self, InputError> {
        let [mu, sigma] = names.names();
        let invalid = |item: &str, reason: String| Err(InputError::invalid(path, item, reason));
        let size = mean.len();
        if covariance.dim() != (size, size) {
            return invalid(sigma, format!("is {:?}, but {mu} has {size} values", covariance.shape()));
        }
        if let Some(at) = mean.iter().position(|value| !value.is_finite()) {
            return invalid(mu, format!("holds {} at {at}", mean[at]));
        }
        let largest = covariance.diag().iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
        for ((i, j), &value) in covariance.indexed_iter() {
            if !value.is_finite() {
                return invalid(sigma, format!("holds {value} at row {i}, column {j}"));
            }
            if i == j && value < -ASYMMETRY * largest {
                return invalid(sigma, format!("has the variance {value} at {i}"));
            }
            if (value - covariance[[j, i]]).abs() > ASYMMETRY * largest.max(value.abs()) {
                let other = covariance[[j, i]];
                return invalid(
                    sigma,
                    format!("is not symmetric: {value} at ({i}, {j}), {other} at ({j}, {i})"),
                );
            }
        }
        Ok(Self { mean, covariance, origin: None })
    }

    /// Writes them as f64 into an `.npz` file, whole or not at all; the origin as text under [`Origin::NAMES`], each an array
    /// of bytes (in NumPy `bytes(file["space"]).decode()`).
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, path: &Path, names: StatisticsNames) -> Result<(), InputError> {
        let [mu, sigma] = names.names();
        let write = |part: &Path| -> Result<(), ndarray_npy::WriteNpzError> {
            let mut file = NpzWriter::new(File::create(part).map_err(ndarray_npy::WriteNpyError::Io)?);
            file.add_array(mu, &ArrayView1::from(&self.mean))?;
            file.add_array(sigma, &self.covariance)?;
            for (name, text) in self.origin.iter().flat_map(Origin::entries) {
                file.add_array(name, &ArrayView1::from(text.as_bytes()))?;
            }
            file.finish().map(drop)
        };
        replace_shared(path, |part| write(part).map_err(io::Error::other)).map_err(InputError::write(path))
    }
}
