//! Frozen teachers of an objective: where their weights come from.

use crate::{Kinds, TrainError, config::Variant, trained};
use burn::tensor::backend::Backend;
use meanflow_core::Prediction;
use meanflow_generator::{Load, load as weights};
use meanflow_nets::{Net, Networks as _};
use meanflow_state::{parameters, with_parameters};
use std::path::Path;

/// `net`, for samples of `shape`, with the weights of the first average of a run folder, or of a file of weights.
///
/// # Errors
/// [`TrainError::NoRun`] and [`TrainError::Weights`]: nothing that holds a network, another network than `net`, or one whose output is no
/// velocity of the straight path.
pub fn load<B: Backend, K: Kinds>(
    net: Net<B, K::Net>,
    variant: &Variant<K>,
    shape: [usize; 3],
    path: &Path,
    device: &B::Device,
) -> Result<Net<B, K::Net>, TrainError> {
    if !path.is_dir() {
        return Ok(weights(net, &variant.net, shape, path, &Load::default())?.0);
    }
    let model = trained::of_run::<K>(path, None)?;
    let wrong = |reason: &str| Err(TrainError::Weights { path: path.to_owned(), reason: reason.to_owned() });
    if !model.net.computes_as(&variant.net) {
        return wrong("a teacher has the network of the run it teaches, and this is another");
    }
    if model.prediction != Prediction::Average {
        return wrong(
            "a teacher predicts velocities, as flow matching and MeanFlow do, and this one does not",
        );
    }
    let weights = parameters(&model.network::<B>(device)?);
    with_parameters(net, weights).map_err(|error| TrainError::State { path: path.to_owned(), error })
}
