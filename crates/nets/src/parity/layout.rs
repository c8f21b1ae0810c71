//! Images in the order of dimensions of a reference file.

use burn::tensor::{Tensor, TensorData, backend::Backend};

use super::ParityError;
use crate::weights::on_host;
use meanflow_parity::{ReferenceFile, ReferenceFileError};
use meanflow_weights::HostTensor;

/// The order of an image's dimensions in the file.
#[derive(Clone, Copy, Debug)]
pub(super) enum Layout {
    Nchw,
    Nhwc,
}

impl Layout {
    /// The layout that the metadata name.
    pub(super) fn of(file: &ReferenceFile) -> Result<Self, ParityError> {
        match file.metadata("layout")? {
            "NCHW" => Ok(Self::Nchw),
            "NHWC" => Ok(Self::Nhwc),
            other => {
                let reason = format!("`{other}` is neither NCHW nor NHWC");
                Err(ReferenceFileError::metadata("layout", reason).into())
            }
        }
    }

    /// The images `name` of the file, `[batch, channels, height, width]`.
    pub(super) fn images<B: Backend>(
        self,
        file: &ReferenceFile,
        name: &str,
        batch: usize,
        [c, h, w]: [usize; 3],
        device: &B::Device,
    ) -> Result<Tensor<B, 4>, ParityError> {
        let shape = match self {
            Self::Nchw => [batch, c, h, w],
            Self::Nhwc => [batch, h, w, c],
        };
        let values = file.shaped(name, &shape)?;
        let images = Tensor::from_data(TensorData::new(values, shape), device);
        Ok(match self {
            Self::Nchw => images,
            Self::Nhwc => images.permute([0, 3, 1, 2]),
        })
    }

    /// Images `[batch, channels, height, width]` in this layout, on the host.
    pub(super) fn to_host<B: Backend>(self, images: Tensor<B, 4>) -> HostTensor {
        on_host(match self {
            Self::Nchw => images,
            Self::Nhwc => images.permute([0, 2, 3, 1]),
        })
    }
}
