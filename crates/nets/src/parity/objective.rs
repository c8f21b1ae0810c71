//! Kind `objective`: losses, targets and gradients that the authors' code of a method gives on a small network, in f64.

use std::collections::BTreeMap;

use burn::tensor::{DType, backend::Backend};
use meanflow_core::objective::{Constant, Objectives, Reference, TrainBackend};
use serde_json::Value;

use super::ParityError;
use meanflow_parity::{Discrepancy, ParityReport, ParityRow, ReferenceFile, ReferenceFileError};

pub(super) const KIND: &str = "objective";

/// Largest relative error of a result in double precision, and of a gradient.
const DOUBLE: [f64; 2] = [1e-9, 1e-9];
/// The same on a device that computes in single precision only.
const SINGLE: [f64; 2] = [1e-5, 1e-4];

/// Compares every result and gradient of the file, and every draw that follows from another.
pub(super) fn compare<B: TrainBackend, O: Objectives>(
    file: &ReferenceFile,
    device: &B::Device,
) -> Result<ParityReport, ParityError> {
    let method = file.metadata("method")?;
    let double = B::InnerBackend::supports_dtype(device, DType::F64);
    let mut reference = Reference {
        constants: constants(file.json("config")?),
        tensors: file
            .tensors()
            .iter()
            .map(|(name, of)| (name.clone(), (of.shape.clone(), of.values.clone())))
            .collect(),
        dtype: if double { DType::F64 } else { DType::F32 },
        computed: BTreeMap::new(),
    };
    match O::parity::<B::InnerBackend>(method, &mut reference, device) {
        Some(done) => done?,
        None => {
            let reason = format!("no objective is called `{method}`");
            return Err(ReferenceFileError::metadata("method", reason).into());
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
                Some(found) => ParityRow::compare(name.clone(), found, expected, tolerance),
                None => ParityRow::failed(name.clone(), Discrepancy::Unhandled, tolerance),
            }
        })
        .collect();
    Ok(ParityReport { kind: KIND.into(), rows })
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
