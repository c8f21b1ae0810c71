//! The silhouette of the user's own picture as a density: uniform on its dark (or light) part.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chacha20::ChaCha8Rng;
use meanflow_settings::{Flag, PathTo, Reader, Within};

use crate::absent::absent;
use crate::kind::{DataConfig, DataKind, Description, Kind, Origin};
use crate::dataset::Dataset;
use crate::density::{self, Density, Drawn};
use crate::error::DataError;
use crate::random;

/// Pixels of a picture, whose places are kept.
const MOST: usize = 1 << 25;

/// What the registry knows of it.
pub static KIND: Kind = Kind {
    name: "silhouette",
    description: "plane: the silhouette of a PNG or JPEG picture",
    origin: Origin::Yours { wanted: "the file or folder that the settings name" },
    read: |r| DataConfig::new(SilhouetteConfig::read(r)),
};

/// `[data.silhouette]`: the longer side of the silhouette's bounding box becomes [−2, 2], the box is centred,
/// y points up.
#[derive(Clone, Debug, PartialEq)]
pub struct SilhouetteConfig {
    /// The picture, PNG or JPEG. What is transparent counts as white.
    pub path: PathBuf,
    /// Number of points to train on.
    pub points: usize,
    /// Seed of the points, apart from the run's.
    pub seed: u64,
    /// Take the light part instead of the dark one.
    pub invert: bool,
}

impl SilhouetteConfig {
    /// The dark part of this picture, with the defaults for the rest.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), points: density::DEFAULT_POINTS, seed: 0, invert: false }
    }

    /// Reads the keys of `[data.silhouette]`.
    fn read(r: &mut Reader) -> Self {
        let default = Self::new(r.need("path", PathTo));
        Self {
            points: r.get("points", Within::SAMPLES, default.points),
            seed: density::seed(r, default.seed),
            invert: r.get("invert", Flag, default.invert),
            path: default.path,
        }
    }
}

struct Silhouette {
    /// Column and row, from the upper left, of every pixel inside.
    inside: Vec<[u32; 2]>,
    /// Centre of the bounding box in pixels.
    centre: [f64; 2],
    /// Length of a pixel's side.
    pixel: f64,
}

impl Silhouette {
    fn read(path: &Path, invert: bool) -> Result<Self, DataError> {
        let broken = |error| DataError::picture(path)(error);
        let header = meanflow_pictures::header(path).map_err(broken)?;
        if header.height * header.width > MOST {
            let problem = format!(
                "{}×{} pixels are more than the {MOST} that a silhouette may have; scale it down",
                header.height, header.width
            );
            return Err(DataError::ImageFolder { path: path.to_path_buf(), problem });
        }
        let picture = meanflow_pictures::decode(path).map_err(broken)?.into_luma_alpha16();
        let (width, height) = picture.dimensions();
        let white = u32::from(u16::MAX);
        let inside: Vec<[u32; 2]> = picture
            .enumerate_pixels()
            .filter(|(_, _, pixel)| {
                let [grey, alpha] = pixel.0.map(u64::from);
                let on_white =
                    (grey * alpha + u64::from(white) * (u64::from(white) - alpha)) / u64::from(white);
                (2 * on_white > u64::from(white)) == invert
            })
            .map(|(x, y, _)| [x, y])
            .collect();
        if inside.is_empty() {
            return Err(DataError::NoSilhouette { path: path.to_path_buf(), width, height, invert });
        }
        let bounds = [0, 1].map(|axis| {
            let along = inside.iter().map(|pixel| f64::from(pixel[axis]));
            (along.clone().fold(f64::INFINITY, f64::min), along.fold(f64::NEG_INFINITY, f64::max) + 1.0)
        });
        let longest = bounds.iter().map(|(low, high)| high - low).fold(0.0, f64::max);
        Ok(Self { inside, centre: bounds.map(|(low, high)| (low + high) / 2.0), pixel: 4.0 / longest })
    }
}

impl Density for Silhouette {
    fn draw(&self, rng: &mut ChaCha8Rng) -> ([f64; 2], usize) {
        let pixel = self.inside[random::below(rng, self.inside.len())];
        let [x, y] =
            [0, 1].map(|axis| self.pixel * (f64::from(pixel[axis]) + random::unit(rng) - self.centre[axis]));
        ([x, -y], 0)
    }
}

impl DataKind for SilhouetteConfig {
    fn kind(&self) -> &'static Kind {
        &KIND
    }

    fn describe(&self) -> Result<Description, DataError> {
        density::describe(self.points, None)
    }

    fn open(&self) -> Result<Arc<dyn Dataset>, DataError> {
        self.describe()?;
        let density = Silhouette::read(&self.path, self.invert)?;
        Ok(Arc::new(Drawn::new(KIND.name, density, None, self.points, self.seed)))
    }

    fn missing(&self) -> Option<DataError> {
        absent(&self.path)
    }

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        vec![&mut self.path]
    }
}
