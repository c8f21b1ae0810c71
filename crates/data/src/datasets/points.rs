//! A point set of the plane from the user's own file: CSV or whitespace-separated text.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use meanflow_settings::{Flag, Number, Or, PathTo, Reader, Within};
use sha2::{Digest, Sha256};

use crate::absent::absent;
use crate::kind::{DataConfig, DataKind, Description, Kind, Origin};
use crate::dataset::Dataset;
use crate::error::DataError;
use crate::held_out::{self, HeldOut};

/// What the registry knows of it.
pub static KIND: Kind = Kind {
    name: "points",
    description: "plane: points from a CSV or text file",
    origin: Origin::Yours { wanted: "a text file with a point a line" },
    read: |r| DataConfig::new(PointsConfig::read(r)),
};

/// `[data.points]`: one point a line, `x` and `y` separated by a comma, a semicolon or blanks; with
/// `classes`, a third column holds the class.
///
/// Empty lines and lines that begin with `#` are skipped, and so is a first line of names. Points are moved
/// to mean 0 and scaled by one factor to unit variance (averaged over the two coordinates), unless `scale` is
/// off.
#[derive(Clone, Debug, PartialEq)]
pub struct PointsConfig {
    /// The file.
    pub path: PathBuf,
    /// Number of classes, if the third column holds the class, 0 to classes − 1.
    pub classes: Option<usize>,
    /// Whether to centre the points and scale them to unit variance.
    pub scale: bool,
    /// Fraction set aside to score against.
    pub held_out: f64,
}

impl PointsConfig {
    /// The unlabelled points in this file, with the defaults for the rest: scaled, a tenth of them set aside.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), classes: None, scale: true, held_out: 0.1 }
    }

    /// Reads the keys of `[data.points]`.
    fn read(r: &mut Reader) -> Self {
        let default = Self::new(r.need("path", PathTo));
        Self {
            classes: r.get("classes", Or("off", Within::SAMPLES), default.classes),
            scale: r.get("scale", Flag, default.scale),
            held_out: r.get("held-out", Number::BELOW_ONE, default.held_out),
            path: default.path,
        }
    }
}

struct Points {
    points: Vec<[f32; 2]>,
    labels: Vec<usize>,
    classes: Option<usize>,
    digest: String,
}

impl Points {
    fn read(path: &Path, classes: Option<usize>, scale: bool) -> Result<Self, DataError> {
        let bytes = meanflow_files::read(path).map_err(DataError::read(path))?;
        let (mut points, labels) = parse(path, &bytes, classes)?;
        if scale {
            standardise(&mut points)
                .map_err(|problem| DataError::PointFile { path: path.to_path_buf(), problem })?;
        }
        let points = points.into_iter().map(|point| point.map(|x| x as f32)).collect();
        Ok(Self { points, labels, classes, digest: format!("{:x}", Sha256::digest(&bytes)) })
    }
}

/// Points and, with `classes`, their classes.
fn parse(
    path: &Path,
    bytes: &[u8],
    classes: Option<usize>,
) -> Result<(Vec<[f64; 2]>, Vec<usize>), DataError> {
    let columns = if classes.is_some() { 3 } else { 2 };
    let mut points = Vec::new();
    let mut labels = Vec::new();
    let mut may_be_names = true;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    for (number, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let wrong =
            |problem: String| DataError::PointLine { path: path.to_path_buf(), line: number + 1, problem };
        let line = std::str::from_utf8(line).map_err(|_| wrong("not UTF-8 text".to_owned()))?.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = fields(line);
        if std::mem::take(&mut may_be_names) && fields.iter().all(|field| field.parse::<f64>().is_err()) {
            continue;
        }
        if fields.len() != columns {
            return Err(wrong(format!("{columns} columns expected, {} found", fields.len())));
        }
        let mut point = [0.0; 2];
        for (coordinate, field) in point.iter_mut().zip(&fields) {
            *coordinate = field.parse().map_err(|_| wrong(format!("{field:?} is not a number")))?;
            if !(*coordinate as f32).is_finite() {
                return Err(wrong(format!("{field} is not finite")));
            }
        }
        points.push(point);
        if let Some(classes) = classes {
            let label = fields[2].parse().ok().filter(|&label: &usize| label < classes);
            labels
                .push(label.ok_or_else(|| {
                    wrong(format!("{:?} is not a class (0 to {})", fields[2], classes - 1))
                })?);
        }
    }
    if points.is_empty() {
        return Err(DataError::PointFile { path: path.to_path_buf(), problem: "no points".to_owned() });
    }
    Ok((points, labels))
}

/// Fields between commas or semicolons if the line has any, else between blanks.
fn fields(line: &str) -> Vec<&str> {
    match line.find([',', ';']) {
        Some(at) => line.split(char::from(line.as_bytes()[at])).map(str::trim).collect(),
        None => line.split_whitespace().collect(),
    }
}

/// Mean 0 and, averaged over the two coordinates, variance 1; one factor for both, so that shapes stay what
/// they are.
fn standardise(points: &mut [[f64; 2]]) -> Result<(), String> {
    let count = points.len() as f64;
    let mean = [0, 1].map(|axis| points.iter().map(|point| point[axis]).sum::<f64>() / count);
    let square: f64 =
        points.iter().flat_map(|point| [0, 1].map(|axis| (point[axis] - mean[axis]).powi(2))).sum();
    let std = (square / (2.0 * count)).sqrt();
    // Below this, differences between the points are rounding errors of their coordinates.
    let largest = points.as_flattened().iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
    if std <= 1e-12 * largest || std == 0.0 {
        return Err("all points are the same, so they cannot be scaled to unit variance".to_owned());
    }
    for point in points {
        *point = [0, 1].map(|axis| (point[axis] - mean[axis]) / std);
    }
    Ok(())
}

impl Dataset for Points {
    fn name(&self) -> &str {
        KIND.name
    }

    fn len(&self) -> usize {
        self.points.len()
    }

    fn shape(&self) -> [usize; 3] {
        [2, 1, 1]
    }

    fn classes(&self) -> Option<usize> {
        self.classes
    }

    fn read(&self, index: usize, sample: &mut [f32]) -> Result<(), DataError> {
        sample.copy_from_slice(&self.points[index]);
        Ok(())
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.classes.map(|_| self.labels[index])
    }

    /// sha256 of the file.
    fn digest(&self) -> String {
        self.digest.clone()
    }

    fn held_out(&self, _count: usize, _seed: u64) -> Result<Option<Vec<f32>>, DataError> {
        Ok(None)
    }
}

impl DataKind for PointsConfig {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn describe(&self) -> Result<Description, DataError> {
        held_out::check(self.held_out)?;
        if let Some(classes) = self.classes {
            DataError::require(
                (1..=100_000).contains(&classes),
                "classes",
                classes,
                "must be from 1 to 100000",
            )?;
        }
        Ok(Description { shape: [2, 1, 1], classes: self.classes, items: None })
    }

    fn open(&self) -> Result<Arc<dyn Dataset>, DataError> {
        self.describe()?;
        HeldOut::split(Arc::new(Points::read(&self.path, self.classes, self.scale)?), self.held_out)
    }

    fn points_to_compare_with(&self) -> Option<usize> {
        let all = Points::read(&self.path, self.classes, self.scale).ok()?.points.len();
        Some(held_out::to_compare_with(all, self.held_out))
    }

    fn missing(&self) -> Option<DataError> {
        absent(&self.path)
    }

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        vec![&mut self.path]
    }
}
