#![doc = include_str!("../README.md")]

mod archive;
mod checksum;
mod error;
mod file;
mod flax;
mod number;
mod numpy;
mod pickle;
mod safetensors;
mod tensor;
mod torch;

pub use ::safetensors::Dtype as StoredType;
pub use checksum::CHECKSUM;
pub use error::FileError;
pub use file::TensorFile;
pub use flax::FlaxFile;
pub use numpy::{Element, HostArray, NpzFile, StoredArray, Values, open_npy, read_npy};
pub use safetensors::{SafetensorsFile, StoredTensor, write_safetensors};
pub use tensor::HostTensor;
pub use torch::{TorchFile, write_torch};
