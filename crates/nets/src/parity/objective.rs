//! Kind `objective`: losses, targets and gradients that the authors' code of a method gives on a small network, in f64.

use std::{collections::BTreeMap, path::Path};

use burn::tensor::{DType, backend::Backend};
use meanflow_core::objective::{Constant, HostTensors, Objectives, Reference, TrainBackend};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use super::{
    ParityError,
    file::ReferenceFile,
    report::{Discrepancy, ParityReport, ParityRow},
};

pub(super) const KIND: &str = "objective";

/// Largest relative error of a result in double precision, and of a gradient.
const DOUBLE: [f64; 2] = [1e-9, 1e-9];
/// The same on a device that computes in single precision only.
const SINGLE: [f64; 2] = [1e-5, 1e-4];

/// Compares every result and gradient of the file, and every draw that follows from another.
pub(super) fn compare<B: TrainBackend, O: Objectives>(
    path: &Path,
    file: &ReferenceFile,
    device: &B::Device,
) -> Result<ParityReport, ParityError> {
    let method = file.metadata("method")?;
    let double = B::InnerBackend::supports_dtype(device, DType::F64);
    let mut reference = Reference {
        constants: constants(file.config()?),
        tensors: tensors(path)?,
        dtype: if double { DType::F64 } else { DType::F32 },
        computed: BTreeMap::new(),
    };
    match O::parity::<B::InnerBackend>(method, &mut reference, device) {
        Some(done) => done?,
        None => {
            let reason = format!("no objective is called `{method}`");
            return Err(ParityError::Metadata { key: "method".into(), reason });
        }
    }
    let [output, gradient] = if double { DOUBLE } else { SINGLE };
    let result = |name: &str| name.starts_with("out.") || name.starts_with("grad.");
    let rows = reference
        .tensors
        .iter()
        .filter(|(name, _)| result(name) || reference.computed.contains_key(*name))
        .map(|(name, (_, expected))| {
            let tolerance = if name.starts_with("grad.") { gradient } else { output };
            match reference.computed.get(name) {
                Some(found) => row(name, found, expected, tolerance),
                None => ParityRow::failed(name.clone(), Discrepancy::Unhandled, tolerance),
            }
        })
        .collect();
    Ok(ParityReport { kind: KIND.into(), rows })
}

fn row(name: &str, found: &[f64], expected: &[f64], tolerance: f64) -> ParityRow {
    if found.len() != expected.len() {
        return ParityRow::failed(name.into(), Discrepancy::Shape, tolerance);
    }
    if !found.iter().chain(expected).all(|value| value.is_finite()) {
        return ParityRow::failed(name.into(), Discrepancy::NotFinite, tolerance);
    }
    let largest = expected.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    let apart = found.iter().zip(expected).fold(0.0, |most: f64, (a, b)| most.max((a - b).abs()));
    ParityRow::judged(name.into(), apart / if largest > 0.0 { largest } else { 1.0 }, tolerance)
}

/// Constants by name; those of a table within are `table.name`.
fn constants(config: BTreeMap<String, Value>) -> BTreeMap<String, Constant> {
    let mut constants = BTreeMap::new();
    for (name, value) in config {
        let Value::Object(inner) = value else {
            constants.insert(name, constant(&value));
            continue;
        };
        let inner = inner.into_iter().map(|(key, value)| (format!("{name}.{key}"), value));
        constants.extend(self::constants(inner.collect()));
    }
    constants
}

fn constant(value: &Value) -> Constant {
    match value {
        Value::Null => Constant::Null,
        Value::Bool(flag) => Constant::Flag(*flag),
        Value::Number(number) => Constant::Number(number.as_f64().unwrap_or(f64::NAN)),
        Value::Array(items) if items.iter().all(Value::is_number) => {
            Constant::Numbers(items.iter().filter_map(Value::as_f64).collect())
        }
        Value::String(text) => Constant::Text(text.clone()),
        other => Constant::Text(other.to_string()),
    }
}

/// Shape and values by name; integers as numbers.
fn tensors(path: &Path) -> Result<HostTensors, ParityError> {
    let bytes = std::fs::read(path).map_err(|source| ParityError::Read { path: path.into(), source })?;
    let format = |reason: String| ParityError::Format { path: path.into(), reason };
    let views = SafeTensors::deserialize(&bytes).map_err(|error| format(error.to_string()))?;
    let read = |(name, view): (&str, safetensors::tensor::TensorView)| {
        let bytes = view.data();
        let values = match view.dtype() {
            Dtype::F64 => numbers(bytes, f64::from_le_bytes),
            Dtype::F32 => numbers(bytes, |b| f64::from(f32::from_le_bytes(b))),
            Dtype::I64 => numbers(bytes, |b| i64::from_le_bytes(b) as f64),
            Dtype::U8 | Dtype::BOOL => bytes.iter().map(|&byte| f64::from(byte)).collect(),
            Dtype::I32 => numbers(bytes, |b| f64::from(i32::from_le_bytes(b))),
            other => return Err(format(std::format!("`{name}` holds values of type {other:?}"))),
        };
        Ok((name.to_owned(), (view.shape().to_vec(), values)))
    };
    views.iter().map(read).collect()
}

/// Little-endian numbers of `N` bytes each; safetensors does not align them.
fn numbers<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    let (chunks, _) = bytes.as_chunks::<N>();
    chunks.iter().map(|chunk| read(*chunk)).collect()
}
