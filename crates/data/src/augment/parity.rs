//! Comparison of the augmentation with reference numbers that other people's code made.

use std::path::Path;

use meanflow_parity::{ParityReport, ParityRow, ReferenceFile, ReferenceFileError};
use meanflow_weights::HostTensor;

use super::{Draw, LABELS, warp};

/// The `kind` in the metadata of such reference files.
pub const KIND: &str = "edm-augment";

/// Largest error that passes: twice the usual 2e-5, since the reference was computed in single precision.
pub const TOLERANCE: f64 = 4e-5;

/// Augments `in.images` by the draws in the file and compares with `out.images` and `out.labels`; every other
/// `out.*` and `grad.*` is a failure.
///
/// Draws: `in.xflip`, `in.scale_w`, `in.aniso_w`, `in.aniso_angle` of shape `[images]` and `in.translate_w` of
/// `[2, images]`. Margins are those of the published code, which depend on the whole batch;
/// [`apply`](super::apply) gives each image its own, ample ones.
///
/// # Errors
/// [`ReferenceFileError`] if the file is not one of these or its tensors do not go together.
pub fn parity(path: &Path) -> Result<ParityReport, ReferenceFileError> {
    let file = ReferenceFile::read(path)?;
    let shape = &file.tensor("in.images")?.shape;
    let wrong = |reason: String| ReferenceFileError::tensor("in.images", reason);
    let &[count, channels, height, width] = &shape[..] else {
        return Err(wrong(format!("is of shape {shape:?}, not [images, channels, height, width]")));
    };
    if height < 2 || width < 2 {
        return Err(wrong(format!("is of {height}×{width} pixels, which have nothing to reflect")));
    }
    let mut images = file.shaped("in.images", shape)?;
    let [xflip, scale, aniso, angle] = ["in.xflip", "in.scale_w", "in.aniso_w", "in.aniso_angle"];
    let [xflip, scale, aniso, angle] = [
        file.shaped(xflip, &[count])?,
        file.shaped(scale, &[count])?,
        file.shaped(aniso, &[count])?,
        file.shaped(angle, &[count])?,
    ];
    let translate = file.shaped("in.translate_w", &[2, count])?;
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

    let computed = |name: &str| match name {
        "out.images" => Some(HostTensor { shape: shape.clone(), values: images.clone() }),
        "out.labels" => Some(HostTensor { shape: vec![count, LABELS], values: labels.clone() }),
        _ => None,
    };
    let row = |name: &str| {
        let reference = file.tensors()[name].single();
        ParityRow::of(name.to_owned(), computed(name), &reference, TOLERANCE)
    };
    let rows = file.names("out.").chain(file.names("grad.")).map(row).collect();
    Ok(ParityReport { kind: KIND.to_owned(), rows })
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
