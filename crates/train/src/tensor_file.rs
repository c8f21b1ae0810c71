//! Named tensors with metadata in one safetensors file, written aside, synced and renamed.

use crate::{TrainError, folder::replace, state::Named};
use burn::tensor::{DType, TensorData};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::{
    collections::HashMap,
    fs::{self, File},
    path::Path,
};

/// What is written beside tensors.
pub(crate) type Metadata = HashMap<String, String>;

/// Writes `path` whole or not at all.
pub(crate) fn write(path: &Path, tensors: &Named, metadata: Metadata) -> Result<(), TrainError> {
    let views = tensors.iter().map(|(name, data)| {
        let dtype = dtype(data.dtype).expect("parameters are floats and counters");
        let view = TensorView::new(dtype, data.shape.to_vec(), data.as_bytes());
        (name, view.expect("a tensor's bytes fill its shape"))
    });
    replace(path, |part| {
        // The library makes files that the user alone may read; the umask should decide, as for the other files of a run.
        let permissions = File::create(part)?.metadata()?.permissions();
        safetensors::serialize_to_file(views, Some(metadata), part).map_err(std::io::Error::other)?;
        fs::set_permissions(part, permissions)
    })
}

/// Reads a file; `broken` makes an error of what is wrong with it.
pub(crate) fn read(
    path: &Path,
    broken: impl Fn(String) -> TrainError,
) -> Result<(Metadata, Named), TrainError> {
    let bytes = fs::read(path).map_err(TrainError::read(path))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| broken(error.to_string()))?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| broken(error.to_string()))?;
    let mut tensors = Named::new();
    for (name, view) in file.tensors() {
        let dtype = burn_dtype(view.dtype())
            .ok_or_else(|| broken(format!("`{name}` has the element type {:?}", view.dtype())))?;
        let data = TensorData::from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), dtype);
        tensors.insert(name, data);
    }
    Ok((header.metadata().clone().unwrap_or_default(), tensors))
}

fn dtype(dtype: DType) -> Option<Dtype> {
    Some(match dtype {
        DType::F64 => Dtype::F64,
        DType::F32 => Dtype::F32,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::I64 => Dtype::I64,
        _ => return None,
    })
}

fn burn_dtype(dtype: Dtype) -> Option<DType> {
    Some(match dtype {
        Dtype::F64 => DType::F64,
        Dtype::F32 => DType::F32,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::I64 => DType::I64,
        _ => return None,
    })
}
