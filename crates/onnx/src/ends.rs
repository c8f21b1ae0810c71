//! The tensors of a recording that have names.

use burn_ir::{TensorId, TensorIr};
use std::collections::HashMap;

/// What has been named, of one recording.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    pub(crate) inputs: Vec<(String, TensorIr)>,
    pub(crate) outputs: Vec<(String, TensorIr)>,
    pub(crate) parameters: HashMap<TensorId, String>,
}
