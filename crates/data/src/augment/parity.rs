//! Comparison of the augmentation with reference numbers that other people's code made.

use std::fs;
use std::path::Path;

use safetensors::{Dtype, SafeTensors};

use super::{Draw, LABELS, warp};
use crate::error::DataError;

/// The `kind` in the metadata of such reference files.
pub const KIND: &str = "edm-augment";

/// Largest error that passes: twice the usual 2e-5, since the reference was computed in single precision.
pub const TOLERANCE: f64 = 4e-5;

/// How one quantity of a reference file compares.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantity {
    /// Its name in the file, such as `out.images`.
    pub name: String,
    /// Largest absolute difference over the reference's largest absolute value (over 1 if that is 0), infinite
    /// if either side holds a value that is not finite; `None` if nothing here computes the quantity.
    pub error: Option<f64>,
}

impl Quantity {
    /// Whether it agrees.
    pub fn passes(&self) -> bool {
        self.error.is_some_and(|error| error <= TOLERANCE)
    }
}

/// Augments `in.images` by the draws in the file and compares with `out.images` and `out.labels`; every other
/// `out.*` and `grad.*` is listed without an error.
///
/// Draws: `in.xflip`, `in.scale_w`, `in.aniso_w`, `in.aniso_angle` of shape `[images]` and `in.translate_w` of
/// `[2, images]`. Margins are those of the published code, which depend on the whole batch;
/// [`apply`](super::apply) gives each image its own, ample ones.
///
/// # Errors
/// [`DataError::Read`], and [`DataError::Reference`] if the file is not one of these or its tensors do not go
/// together.
pub fn parity(path: &Path) -> Result<Vec<Quantity>, DataError> {
    let bytes = fs::read(path).map_err(DataError::read(path))?;
    let problem = |problem: String| DataError::Reference { path: path.to_path_buf(), problem };
    let file = SafeTensors::deserialize(&bytes).map_err(|error| problem(error.to_string()))?;
    let tensor = |name: &str, shape: &[usize]| -> Result<Vec<f32>, DataError> {
        let view = file.tensor(name).map_err(|error| problem(format!("`{name}`: {error}")))?;
        if view.dtype() != Dtype::F32 || (!shape.is_empty() && view.shape() != shape) {
            let (dtype, found) = (view.dtype(), view.shape());
            return Err(problem(format!(
                "`{name}` is {dtype:?} of shape {found:?}, not F32 of shape {shape:?}"
            )));
        }
        Ok(view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    };
    let mut images = tensor("in.images", &[])?;
    let shape = file.tensor("in.images").map(|view| view.shape().to_vec()).unwrap_or_default();
    let &[count, channels, height, width] = &shape[..] else {
        return Err(problem(format!(
            "`in.images` is of shape {shape:?}, not [images, channels, height, width]"
        )));
    };
    if height < 2 || width < 2 {
        return Err(problem(format!("images of {height}×{width} have nothing to reflect")));
    }
    let [xflip, scale, aniso, angle] = ["in.xflip", "in.scale_w", "in.aniso_w", "in.aniso_angle"];
    let [xflip, scale, aniso, angle] = [
        tensor(xflip, &[count])?,
        tensor(scale, &[count])?,
        tensor(aniso, &[count])?,
        tensor(angle, &[count])?,
    ];
    let translate = tensor("in.translate_w", &[2, count])?;
    let draws: Vec<Draw> = (0..count)
        .map(|i| Draw {
            xflip: xflip[i] == 1.0,
            scale: scale[i].into(),
            aniso: aniso[i].into(),
            angle: angle[i].into(),
            translate: [translate[i].into(), translate[count + i].into()],
        })
        .collect();
    apply_as_published(&mut images, [channels, height, width], &draws);
    let labels: Vec<f32> = draws.iter().flat_map(Draw::labels).collect();

    let mut names: Vec<&str> = file.names().into_iter().collect();
    names.retain(|name| name.starts_with("out.") || name.starts_with("grad."));
    names.sort_unstable();
    let compare = |name: &str| -> Result<Quantity, DataError> {
        let error = match name {
            "out.images" => Some(error(&images, &tensor(name, &shape)?)),
            "out.labels" => Some(error(&labels, &tensor(name, &[count, LABELS])?)),
            _ => None,
        };
        Ok(Quantity { name: name.to_owned(), error })
    };
    names.into_iter().map(compare).collect()
}

/// With the margins of the published code.
fn apply_as_published(images: &mut [f32], shape: [usize; 3], draws: &[Draw]) {
    let [_, height, width] = shape;
    let inverses: Vec<_> = draws.iter().map(|draw| draw.inverse([width as f64, height as f64])).collect();
    let margins = warp::published_margins([width, height], &inverses);
    let size: usize = shape.iter().product();
    for ((image, draw), inverse) in images.chunks_exact_mut(size).zip(draws).zip(inverses) {
        if draw.xflip {
            image.chunks_exact_mut(width).for_each(<[f32]>::reverse);
        }
        warp::warp(image, shape, inverse, margins);
    }
}

fn error(found: &[f32], expected: &[f32]) -> f64 {
    if found.iter().chain(expected).any(|x| !x.is_finite()) {
        return f64::INFINITY;
    }
    let largest = expected.iter().map(|x| f64::from(x.abs())).fold(0.0, f64::max);
    let difference =
        found.iter().zip(expected).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs()).fold(0.0, f64::max);
    difference / if largest > 0.0 { largest } else { 1.0 }
}
