#![doc = include_str!("../README.md")]

mod batch;
mod ends;
mod error;
pub mod evaluate;
mod fuse;
mod graph;
mod lower;
mod model;
mod pass;
pub mod proto;
mod tape;

pub use error::{OnnxError, Place};
pub use pass::Pass;
pub use proto::ModelProto;
pub use tape::{NoBridge, Recorder, RecorderDevice, Tape, TapeClient};

/// The ONNX model of what `forward` computes, for any batch.
///
/// `forward` is called three times, with passes of 2, 3 and 5 rows. It makes the module on [`Pass::device`] with its weights as data,
/// takes inputs from the pass, computes, and names what comes out.
///
/// # Errors
/// What `forward` says; [`OnnxError`] if an operation has no counterpart, if the pass is another one for another batch, if random
/// numbers or values are in it, or if a tensor was made elsewhere.
pub fn export<E: From<OnnxError>>(
    mut forward: impl FnMut(&mut Pass) -> Result<(), E>,
) -> Result<ModelProto, E> {
    let [a, b, c] = batch::BATCHES;
    let graphs =
        [Pass::record(a, &mut forward)?, Pass::record(b, &mut forward)?, Pass::record(c, &mut forward)?];
    let mut graph = batch::merge(graphs)?;
    fuse::fuse(&mut graph);
    Ok(model::model(graph)?)
}
