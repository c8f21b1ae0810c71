//! The folder `samples/`: grids of images, or points in the plane.

use std::{
    fs,
    path::{Path, PathBuf},
};

use image::RgbaImage;
use meanflow_files::read_at_most;
use serde_json::Value;

use crate::bounds::GRIDS;

/// Bytes of a file of points: 1000 points at each of 12 NFEs take half of a million.
const JSON: u64 = 1 << 26;

/// Paths that are drawn; more would hide each other.
const PATHS: usize = 256;

/// Pixels of a picture.
const PIXELS: usize = 1 << 24;

/// A point in the plane.
pub type Point = [f64; 2];

/// A grid of generated images, `step-<step>-ema-<ema>-nfe-<nfe>.png`.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Updates made.
    pub step: u64,
    /// The EMA: its label, or its place in the list of EMAs.
    pub ema: String,
    /// Evaluations of the network per sample.
    pub nfe: u64,
    /// The picture.
    pub path: PathBuf,
}

/// The newest `points-<step>.json`.
#[derive(Clone, Debug, Default)]
pub struct Points {
    /// Updates made.
    pub step: u64,
    /// Data.
    pub data: Vec<Point>,
    /// Noise, in the order of every entry of `samples`.
    pub noise: Vec<Point>,
    /// Samples by NFE, rising.
    pub samples: Vec<(u64, Vec<Point>)>,
    /// Paths of the first noise points.
    pub paths: Vec<Vec<Point>>,
}

/// Everything in `samples/`.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// Grids of all steps.
    pub grids: Vec<Grid>,
    /// A grid of real images.
    pub real: Option<PathBuf>,
    /// Samples beside the training images nearest to them.
    pub nearest: Option<Nearest>,
    /// The newest readable points.
    pub points: Option<Points>,
}

/// `nearest.png` with the numbers of `nearest.json`.
#[derive(Clone, Debug)]
pub struct Nearest {
    /// The picture: a row is a sample and its neighbours.
    pub path: PathBuf,
    /// The numbers; null where the file is missing.
    pub numbers: Value,
}

impl Nearest {
    /// Updates made; older versions did not write them down.
    pub fn step(&self) -> Option<u64> {
        self.numbers["step"].as_u64()
    }
}

impl Samples {
    /// Looks through the folder; one that is missing is empty.
    pub fn read(dir: &Path) -> Self {
        let mut out = Self::default();
        let mut points: Vec<(u64, PathBuf)> = Vec::new();
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if name == "real.png" {
                out.real = Some(path);
            } else if name == "nearest.png" {
                let numbers = read_at_most(&path.with_extension("json"), JSON).ok();
                let numbers = numbers.and_then(|bytes| serde_json::from_slice(&bytes).ok());
                out.nearest = Some(Nearest { path, numbers: numbers.unwrap_or_default() });
            } else if let Some((step, ema, nfe)) = grid_name(&name) {
                out.grids.push(Grid { step, ema, nfe, path });
            } else if let Some(step) =
                name.strip_prefix("points-").and_then(|name| name.strip_suffix(".json"))
            {
                points.extend(step.parse().ok().map(|step| (step, path)));
            }
        }
        out.grids.sort_by(|a, b| (a.step, &a.ema, a.nfe).cmp(&(b.step, &b.ema, b.nfe)));
        points.sort();
        // One that was drawn before the run went on is of another network than all else on the page.
        let newest = out.grids.last().map(|grid| grid.step);
        out.nearest.take_if(|nearest| nearest.step().is_some_and(|step| Some(step) < newest));
        out.points = points.iter().rev().find_map(|(step, path)| read_points(*step, path));
        out
    }

    /// Neither grids nor points.
    pub fn is_empty(&self) -> bool {
        self.grids.is_empty() && self.points.is_none()
    }

    /// The grids of the newest step and of one EMA, by NFE.
    ///
    /// A file names its EMA by label or by place in the list of those evaluated; `main` is a place in `emas`. With neither
    /// found, the first EMA of the files is taken.
    pub fn newest_grids(&self, emas: &[&str], main: usize) -> Vec<&Grid> {
        let Some(step) = self.grids.iter().map(|grid| grid.step).max() else { return Vec::new() };
        let newest: Vec<&Grid> = self.grids.iter().filter(|grid| grid.step == step).collect();
        let find = |name: &str| newest.iter().map(|grid| &grid.ema).find(|ema| *ema == name);
        let labelled = emas.get(main).and_then(|label| find(label));
        let ema = labelled.or_else(|| find(&main.to_string())).unwrap_or(&newest[0].ema);
        newest.iter().filter(|grid| grid.ema == *ema).take(GRIDS).copied().collect()
    }
}

/// Step, EMA and NFE of `step-00000900-ema-0.999-nfe-1.png`.
fn grid_name(name: &str) -> Option<(u64, String, u64)> {
    let name = name.strip_prefix("step-")?.strip_suffix(".png")?;
    let (step, rest) = name.split_once("-ema-")?;
    let (ema, nfe) = rest.rsplit_once("-nfe-")?;
    Some((step.parse().ok()?, ema.to_owned(), nfe.parse().ok()?))
}

fn read_points(step: u64, path: &Path) -> Option<Points> {
    let value: Value = serde_json::from_slice(&read_at_most(path, JSON).ok()?).ok()?;
    let mut samples: Vec<(u64, Vec<Point>)> = value["samples"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(nfe, list)| Some((nfe.parse().ok()?, points(list))))
        .collect();
    samples.sort_by_key(|(nfe, _)| *nfe);
    samples.truncate(GRIDS);
    let paths = value["paths"].as_array().into_iter().flatten().take(PATHS).map(points).collect();
    Some(Points { step, data: points(&value["data"]), noise: points(&value["noise"]), samples, paths })
}

/// Pairs of numbers; what is no such pair becomes NaN and keeps its place, since entries correspond by place.
fn points(value: &Value) -> Vec<Point> {
    let coordinate = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    value.as_array().into_iter().flatten().map(|pair| [coordinate(&pair[0]), coordinate(&pair[1])]).collect()
}

/// The picture of a file, where it can be decoded and is not too large for a page.
pub fn picture(path: &Path) -> Option<RgbaImage> {
    let header = meanflow_pictures::header(path).ok()?;
    (header.height * header.width <= PIXELS).then_some(())?;
    Some(meanflow_pictures::decode(path).ok()?.to_rgba8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_grids() {
        assert_eq!(grid_name("step-00000900-ema-0.999-nfe-50.png"), Some((900, "0.999".to_owned(), 50)));
        assert_eq!(grid_name("step-7-ema-half-life-nfe-1.png"), Some((7, "half-life".to_owned(), 1)));
        assert_eq!(grid_name("step-900-ema-0-nfe-1.jpg"), None);
        assert_eq!(grid_name("real.png"), None);
    }

    #[test]
    fn the_newest_step_of_one_ema_is_shown() {
        let grid = |step, ema: &str, nfe| Grid { step, ema: ema.to_owned(), nfe, path: PathBuf::new() };
        let all = [grid(1, "0", 1), grid(2, "0", 1), grid(2, "0", 4), grid(2, "1", 1), grid(2, "none", 1)];
        let samples = Samples { grids: all.to_vec(), ..Default::default() };
        let emas = ["0.999", "0.9999", "none"];
        assert_eq!(samples.newest_grids(&emas, 0), [&all[1], &all[2]]);
        assert_eq!(samples.newest_grids(&emas, 1), [&all[3]]);
        assert_eq!(samples.newest_grids(&emas, 2), [&all[4]]);
        assert_eq!(samples.newest_grids(&[], 0), [&all[1], &all[2]]);
        assert_eq!(samples.newest_grids(&["0.5"], 7), [&all[1], &all[2]]);
    }

    #[test]
    fn nearest_pictures_of_an_older_step_are_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        fs::write(file("nearest.png"), "").unwrap();
        fs::write(file("step-00000040-ema-0-nfe-1.png"), "").unwrap();
        let shown = |numbers: &str| {
            fs::write(file("nearest.json"), numbers).unwrap();
            Samples::read(folder.path()).nearest.is_some()
        };
        assert!(shown("{\"step\":40}") && shown("{\"step\":60}") && shown("{\"nfe\":1}"));
        assert!(!shown("{\"step\":39}"));
    }
}
