//! Comparison of the augmentation with reference numbers.

use super::{Draw, LABELS, warp};

/// How far the results are from the reference: the largest absolute difference over the reference's largest
/// absolute value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parity {
    /// Of the images.
    pub images: f64,
    /// Of the labels.
    pub labels: f64,
}

/// Augments `images`, `[draws, channels, height, width]`, and compares with `expected` images and with `labels`,
/// `[draws, 6]`. Margins are those of the published code, which depend on the whole batch; [`apply`](super::apply)
/// gives each image its own, ample ones. A value that is not finite on either side makes its error infinite.
///
/// # Panics
/// If the sizes do not go together.
pub fn parity(images: &[f32], shape: [usize; 3], draws: &[Draw], expected: &[f32], labels: &[f32]) -> Parity {
    assert_eq!(labels.len(), draws.len() * LABELS, "labels of {} images", draws.len());
    assert_eq!(images.len(), expected.len(), "as many images as results");
    let mut found = images.to_vec();
    let [_, height, width] = shape;
    let inverses: Vec<_> = draws.iter().map(|draw| draw.inverse([width as f64, height as f64])).collect();
    let margins = warp::published_margins([width, height], &inverses);
    let size: usize = shape.iter().product();
    for ((image, draw), inverse) in found.chunks_exact_mut(size).zip(draws).zip(inverses) {
        if draw.xflip {
            image.chunks_exact_mut(width).for_each(<[f32]>::reverse);
        }
        warp::warp(image, shape, inverse, margins);
    }
    let found_labels: Vec<f32> = draws.iter().flat_map(Draw::labels).collect();
    Parity { images: error(&found, expected), labels: error(&found_labels, labels) }
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
