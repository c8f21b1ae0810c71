//! Named tensors with metadata in one safetensors file, written aside, synced and renamed.

use crate::{TrainError, folder::replace, state::Named};
use burn::tensor::{DType, TensorData};
use safetensors::{Dtype, SafeTensorError, SafeTensors, tensor::TensorView};
use std::{
    collections::{BTreeMap, HashMap},
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
    let (metadata, all) = read_with(path, &broken, burn_dtype)?;
    let mut tensors = Named::new();
    for (name, data) in all {
        let data = data.map_err(|reason| broken(format!("`{name}`: {reason}")))?;
        tensors.insert(name, data);
    }
    Ok((metadata, tensors))
}

/// Tensors, or what is wrong with them.
type Tried = BTreeMap<String, Result<TensorData, String>>;

/// Reads a file of another program: its floats, and why the others are none.
pub(crate) fn read_floats(
    path: &Path,
    broken: impl Fn(String) -> TrainError,
) -> Result<(Metadata, Tried), TrainError> {
    read_with(path, &broken, |dtype| burn_dtype(dtype).filter(|dtype| dtype.is_float()))
}

fn read_with(
    path: &Path,
    broken: &dyn Fn(String) -> TrainError,
    known: impl Fn(Dtype) -> Option<DType>,
) -> Result<(Metadata, Tried), TrainError> {
    let bytes = fs::read(path).map_err(TrainError::read(path))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| broken(foreign(&error)))?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| broken(foreign(&error)))?;
    let tensor = |(name, view): (String, TensorView)| {
        let unknown = || format!("its element type is {:?}, which no weights are", view.dtype());
        let data = known(view.dtype())
            .ok_or_else(unknown)
            .map(|dtype| TensorData::from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), dtype));
        (name, data)
    };
    let tensors = file.tensors().into_iter().map(tensor).collect();
    Ok((header.metadata().clone().unwrap_or_default(), tensors))
}

/// What is wrong with a file that is no safetensors file.
fn foreign(error: &SafeTensorError) -> String {
    format!("it is no whole safetensors file ({error})")
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
