//! Kind `metrics`: numbers of SciPy and of the papers' formulas for two feature sets, logits and two point sets.
//!
//! The metadata entry `expected` is a JSON object of what to compute: `fid`; `fid_singular_M`, of the first M rows of both
//! sets; `kid_unbiased_poly3`; `prdc_kK`, an object with `precision`, `recall`, `density` and `coverage`; `is_S`, mean and
//! standard deviation over S splits; `w2_exact`; `energy_distance_vstat`. Inputs: `in.real`, `in.fake`, `in.logits`,
//! `in.points_a`, `in.points_b`.

use meanflow_parity::{Discrepancy, ParityReport, ParityRow, ReferenceFile, ReferenceFileError};
use meanflow_weights::HostTensor;
use ndarray::{Array2, ArrayView2, s};
use serde_json::{Map, Value};

use super::ParityError;
use crate::{MetricError, Moments, Statistics, energy_distance, inception_score, kid, prdc, wasserstein2};

pub(super) const KIND: &str = "metrics";

/// Tolerances: of inputs that were rounded to f32, and of roots of ill-conditioned matrices.
const HOST: f64 = 1e-6;
const FRECHET: f64 = 1e-5;
const SINGULAR: f64 = 1e-3;

pub(super) fn compare(file: &ReferenceFile) -> Result<ParityReport, ParityError> {
    let expected: Map<String, Value> = file.json("expected")?;
    let mut rows = Vec::new();
    for (name, expected) in &expected {
        rows.extend(quantity(file, name, expected)?);
    }
    // Results of another form would be news.
    for prefix in ["out.", "grad."] {
        rows.extend(
            file.names(prefix).map(|name| ParityRow::failed(name.into(), Discrepancy::Unhandled, HOST)),
        );
    }
    Ok(ParityReport { kind: KIND.to_owned(), rows })
}

/// The rows of one entry of `expected`.
fn quantity(file: &ReferenceFile, name: &str, expected: &Value) -> Result<Vec<ParityRow>, ParityError> {
    let unhandled = || vec![ParityRow::failed(name.to_owned(), Discrepancy::Unhandled, HOST)];
    let error = |error: MetricError| ParityError::Metric { quantity: name.to_owned(), error };
    let one = |got: f64, tolerance: f64| -> Result<Vec<ParityRow>, ParityError> {
        Ok(vec![row(name.to_owned(), got, number(name, expected)?, tolerance)])
    };
    let numbered = |prefix: &str| name.strip_prefix(prefix).and_then(|rest| rest.parse::<usize>().ok());
    if let Some(count) = numbered("fid_singular_") {
        let (real, fake) = (matrix(file, "in.real")?, matrix(file, "in.fake")?);
        let first = |set: ArrayView2<'_, f32>| statistics(set.slice(s![..count.min(set.nrows()), ..]));
        let (real, fake) = (first(real.view()).map_err(error)?, first(fake.view()).map_err(error)?);
        return one(real.distance(&fake).map_err(error)?.distance, SINGULAR);
    }
    if let Some(k) = numbered("prdc_k") {
        let found =
            prdc(matrix(file, "in.real")?.view(), matrix(file, "in.fake")?.view(), k).map_err(error)?;
        let Value::Object(parts) = expected else { return Ok(unhandled()) };
        return parts
            .iter()
            .map(|(part, expected)| {
                let name = format!("{name}.{part}");
                let got = match part.as_str() {
                    "precision" => found.precision,
                    "recall" => found.recall,
                    "density" => found.density,
                    "coverage" => found.coverage,
                    _ => return Ok(ParityRow::failed(name, Discrepancy::Unhandled, HOST)),
                };
                Ok(row(name.clone(), got, number(&name, expected)?, HOST))
            })
            .collect();
    }
    if let Some(splits) = numbered("is_") {
        let found = inception_score(matrix(file, "in.logits")?.view(), splits).map_err(error)?;
        let Value::Array(pair) = expected else { return Ok(unhandled()) };
        let [mean, std] = &pair[..] else { return Ok(unhandled()) };
        let (mean, std) = (number(name, mean)?, number(name, std)?);
        return Ok(vec![
            row(format!("{name}.mean"), found.mean, mean, HOST),
            row(format!("{name}.std"), found.std, std, HOST),
        ]);
    }
    let points =
        || -> Result<_, ParityError> { Ok((matrix(file, "in.points_a")?, matrix(file, "in.points_b")?)) };
    match name {
        "fid" => {
            let real = statistics(matrix(file, "in.real")?.view()).map_err(error)?;
            let fake = statistics(matrix(file, "in.fake")?.view()).map_err(error)?;
            one(real.distance(&fake).map_err(error)?.distance, FRECHET)
        }
        "kid_unbiased_poly3" => {
            let (fake, real) = (matrix(file, "in.fake")?, matrix(file, "in.real")?);
            one(kid(fake.view(), real.view()).map_err(error)?, HOST)
        }
        "w2_exact" => {
            let (a, b) = points()?;
            one(wasserstein2(a.view(), b.view()).map_err(error)?, HOST)
        }
        "energy_distance_vstat" => {
            let (a, b) = points()?;
            one(energy_distance(a.view(), b.view()).map_err(error)?, HOST)
        }
        _ => Ok(unhandled()),
    }
}

fn row(name: String, got: f64, expected: f64, tolerance: f64) -> ParityRow {
    ParityRow::compare(name, &[got], &[expected], tolerance)
}

fn number(name: &str, value: &Value) -> Result<f64, ParityError> {
    let wrong = || ReferenceFileError::metadata("expected", format!("`{name}` is {value} and not a number"));
    Ok(value.as_f64().ok_or_else(wrong)?)
}

/// The tensor `name` as a matrix.
fn matrix(file: &ReferenceFile, name: &str) -> Result<Array2<f32>, ParityError> {
    let HostTensor { shape, values } = file.tensor(name)?.single();
    let [rows, columns] = *shape else {
        let reason = format!("has the shape {shape:?} instead of two axes");
        return Err(ReferenceFileError::tensor(name, reason).into());
    };
    Ok(Array2::from_shape_vec((rows, columns), values).expect("as many values as the shape says"))
}

fn statistics(set: ArrayView2<'_, f32>) -> Result<Statistics, MetricError> {
    let mut moments = Moments::new(set.ncols());
    moments.add(set)?;
    Statistics::of(&moments)
}
