//! `meanflow parity` on reference numbers of the augmentation (kind `edm-augment`).

use anyhow::{Context, ensure};
use meanflow_data::augment::{Draw, LABELS, parity};
use meanflow_metrics::parity::{Discrepancy, Report, Row};
use safetensors::{Dtype, SafeTensors};
use std::path::Path;

/// The kind of the files.
pub const KIND: &str = "edm-augment";

/// Single precision on both sides: twice the tolerance of outputs computed in double precision.
const TOLERANCE: f64 = 4e-5;

/// Augments the images of `file` with the draws in it and compares.
///
/// # Errors
/// A file that is unreadable or not consistent with itself.
pub fn compare(file: &Path) -> anyhow::Result<Report> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let tensors = SafeTensors::deserialize(&bytes).with_context(|| file.display().to_string())?;
    let read = |name: &str, shape: &[usize]| -> anyhow::Result<Vec<f32>> {
        let view = tensors.tensor(name).with_context(|| file.display().to_string())?;
        ensure!(
            view.dtype() == Dtype::F32 && view.shape() == shape,
            "{}: `{name}` is {:?} {:?}, expected F32 {shape:?}",
            file.display(),
            view.dtype(),
            view.shape()
        );
        let (words, _) = view.data().as_chunks::<4>();
        Ok(words.iter().map(|word| f32::from_le_bytes(*word)).collect())
    };
    let images = tensors.tensor("in.images").with_context(|| file.display().to_string())?;
    let &[count, channels, height, width] = images.shape() else {
        anyhow::bail!("{}: `in.images` is not [images, channels, height, width]", file.display());
    };
    let shape = [count, channels, height, width];
    let given = read("in.images", &shape)?;
    let (xflip, scale) = (read("in.xflip", &[count])?, read("in.scale_w", &[count])?);
    let (aniso, angle) = (read("in.aniso_w", &[count])?, read("in.aniso_angle", &[count])?);
    let translate = read("in.translate_w", &[2, count])?;
    let draws: Vec<Draw> = (0..count)
        .map(|row| Draw {
            xflip: xflip[row] == 1.0,
            scale: scale[row].into(),
            aniso: aniso[row].into(),
            angle: angle[row].into(),
            translate: [translate[row].into(), translate[count + row].into()],
        })
        .collect();
    let (expected, labels) = (read("out.images", &shape)?, read("out.labels", &[count, LABELS])?);
    let found = parity(&given, shape[1..].try_into()?, &draws, &expected, &labels);

    let known = ["out.images", "out.labels"];
    let mut rows = vec![row(known[0], found.images), row(known[1], found.labels)];
    let names =
        tensors.names().into_iter().filter(|name| name.starts_with("out.") || name.starts_with("grad."));
    rows.extend(names.filter(|name| !known.contains(name)).map(|name| Row {
        name: name.to_owned(),
        error: None,
        tolerance: TOLERANCE,
        pass: false,
        discrepancy: Some(Discrepancy::Unhandled),
    }));
    Ok(Report { kind: KIND.to_owned(), rows })
}

fn row(name: &str, error: f64) -> Row {
    let discrepancy = match error {
        error if !error.is_finite() => Some(Discrepancy::NotFinite),
        error if error > TOLERANCE => Some(Discrepancy::TooLarge),
        _ => None,
    };
    let error = error.is_finite().then_some(error);
    Row { name: name.to_owned(), error, tolerance: TOLERANCE, pass: discrepancy.is_none(), discrepancy }
}
