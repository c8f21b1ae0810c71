//! The augmentation of EDM (arXiv 2206.00364, appendix F.2) as published for CIFAR-10: mirror, scale, stretch
//! and shift, with labels that tell the network what was done, so that it need not learn to do it.

mod parity;
mod warp;

pub use parity::{KIND, parity};

use std::f64::consts::PI;

use chacha20::rand_core::Rng;
use meanflow_settings::{Number, Reader};
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use crate::error::DataError;
use crate::random;

/// Numbers that say what was done to an image: mirrored; scaled; stretched (2); shifted (2).
pub const LABELS: usize = 6;

/// Standard deviations of log₂ of the scale, log₂ of the stretch, and the shift as a share of the side.
const SCALE: f64 = 0.2;
const STRETCH: f64 = 0.2;
const SHIFT: f64 = 0.125;

/// How often each operation is done: an image undergoes it with probability `min(1, factor · p)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EdmConfig {
    /// What the factors are multiplied by.
    pub p: f64,
    /// Factor of mirroring, which is then tossed for with a fair coin.
    pub xflip: f64,
    /// Factor of scaling by `2^(0.2·w)`, `w ~ N(0, 1)`.
    pub scale: f64,
    /// Factor of stretching by `2^(0.2·w)` along an axis and by its inverse across it.
    pub aniso: f64,
    /// Factor of shifting by `0.125·w` of the side in each direction.
    pub translate: f64,
}

impl Default for EdmConfig {
    /// The published recipe for CIFAR-10.
    fn default() -> Self {
        Self { p: 0.12, xflip: 1e8, scale: 1.0, aniso: 1.0, translate: 1.0 }
    }
}

/// What is done to one image; zeros where an operation is not done.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Draw {
    /// Mirrored left to right.
    pub xflip: bool,
    /// log₂ of the scale is `0.2·scale`.
    pub scale: f64,
    /// log₂ of the stretch is `0.2·aniso`.
    pub aniso: f64,
    /// Angle of the axis of stretching, in radians, counterclockwise from the horizontal.
    pub angle: f64,
    /// Shift right and down, in 0.125 of the side.
    pub translate: [f64; 2],
}

impl EdmConfig {
    /// Reads the key `augment`: `"off"`, or a table `{ edm = { p = 0.12, … } }`.
    pub fn read(r: &mut Reader) -> Option<Self> {
        r.either("augment", "a kind of augmentation", &["off"], &["edm"], "off", |kind, r| {
            let default = Self::default();
            (kind == "edm").then(|| Self {
                p: r.get("p", Number::UNIT, default.p),
                xflip: r.get("xflip", Number::NOT_NEGATIVE, default.xflip),
                scale: r.get("scale", Number::NOT_NEGATIVE, default.scale),
                aniso: r.get("aniso", Number::NOT_NEGATIVE, default.aniso),
                translate: r.get("translate", Number::NOT_NEGATIVE, default.translate),
            })
        })?
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`DataError::Setting`] for a `p` outside [0, 1] or a negative factor.
    pub fn check(&self) -> Result<(), DataError> {
        let Self { p, xflip, scale, aniso, translate } = *self;
        DataError::require((0.0..=1.0).contains(&p), "augment.edm.p", p, "must be between 0 and 1")?;
        for (key, factor) in [
            ("augment.edm.xflip", xflip),
            ("augment.edm.scale", scale),
            ("augment.edm.aniso", aniso),
            ("augment.edm.translate", translate),
        ] {
            DataError::require(factor >= 0.0 && factor.is_finite(), key, factor, "must be at least 0")?;
        }
        Ok(())
    }

    /// Draws for one image. Always the same number of draws, so that one factor does not change what is drawn
    /// for the others.
    pub fn draw(&self, rng: &mut impl Rng) -> Draw {
        let mut done = |factor: f64| random::unit(rng) < factor * self.p;
        let [xflip, scale, aniso, translate] =
            [self.xflip, self.scale, self.aniso, self.translate].map(&mut done);
        let coin = rng.next_u32() & 1 == 1;
        let turned = rng.next_u32() & 1 == 1;
        let angle = PI * (2.0 * random::unit(rng) - 1.0);
        let mut normal = |done: bool| -> f64 {
            let w: f64 = StandardNormal.sample(rng);
            if done { w } else { 0.0 }
        };
        Draw {
            xflip: xflip && coin,
            scale: normal(scale),
            aniso: normal(aniso),
            angle: if aniso && turned { angle } else { 0.0 },
            translate: [normal(translate), normal(translate)],
        }
    }
}

impl Draw {
    /// What the network is told: mirrored, scale, stretch along two axes, shift along two axes.
    pub fn labels(&self) -> [f32; LABELS] {
        let (sin, cos) = self.angle.sin_cos();
        let [x, y] = self.translate;
        [f64::from(u8::from(self.xflip)), self.scale, self.aniso * cos, self.aniso * sin, x, y]
            .map(|x| x as f32)
    }

    /// From a point of the result to the point of the image that is seen there, in pixels from the centre.
    fn inverse(&self, [width, height]: [f64; 2]) -> Affine {
        let scale = (SCALE * self.scale).exp2();
        let stretch = (STRETCH * self.aniso).exp2();
        let [x, y] = self.translate;
        Affine::scaling([1.0 / scale, 1.0 / scale])
            .then(Affine::rotation(-self.angle))
            .then(Affine::scaling([1.0 / stretch, stretch]))
            .then(Affine::rotation(self.angle))
            .then(Affine::translation([-x * SHIFT * width, -y * SHIFT * height]))
    }
}

/// Warps images in place, each as its draw says. `images` is `[draws, channels, height, width]`.
///
/// Pixels beyond the border are reflections; the warp goes through an image of twice the size made and undone
/// by the sym6 wavelet filter. An image that is not scaled, stretched or shifted keeps its exact pixels.
///
/// # Panics
/// If `images` is not of that size, or an image has a side of less than 2.
pub fn apply(images: &mut [f32], shape: [usize; 3], draws: &[Draw]) {
    let size: usize = shape.iter().product();
    assert_eq!(images.len(), draws.len() * size, "{} images of {shape:?}", draws.len());
    images.par_chunks_exact_mut(size).zip(draws).for_each(|(image, draw)| apply_one(image, shape, draw));
}

/// [`apply`] to a single image.
pub(crate) fn apply_one(image: &mut [f32], shape: [usize; 3], draw: &Draw) {
    let [_, height, width] = shape;
    if draw.xflip {
        image.chunks_exact_mut(width).for_each(<[f32]>::reverse);
    }
    if [draw.scale, draw.aniso, draw.translate[0], draw.translate[1]] != [0.0; 4] {
        assert!(height > 1 && width > 1, "nothing to reflect in an image of {height}×{width}");
        let inverse = draw.inverse([width as f64, height as f64]);
        warp::warp(image, shape, inverse, warp::margins([width, height], inverse));
    }
}

/// A map of the plane, `[[a, b, c], [d, e, f]]`: `(x, y) ↦ (a·x + b·y + c, d·x + e·y + f)`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Affine([[f64; 3]; 2]);

impl Affine {
    fn scaling([x, y]: [f64; 2]) -> Self {
        Self([[x, 0.0, 0.0], [0.0, y, 0.0]])
    }

    fn rotation(angle: f64) -> Self {
        let (sin, cos) = angle.sin_cos();
        Self([[cos, -sin, 0.0], [sin, cos, 0.0]])
    }

    fn translation([x, y]: [f64; 2]) -> Self {
        Self([[1.0, 0.0, x], [0.0, 1.0, y]])
    }

    /// The product of matrices `self · right`: `right` acts on a point first.
    fn then(self, right: Self) -> Self {
        let row = |[a, b, c]: [f64; 3]| {
            let [first, second] = right.0;
            [a * first[0] + b * second[0], a * first[1] + b * second[1], a * first[2] + b * second[2] + c]
        };
        Self(self.0.map(row))
    }

    fn of(self, [x, y]: [f64; 2]) -> [f64; 2] {
        self.0.map(|[a, b, c]| a * x + b * y + c)
    }
}
