//! Why a module cannot be written as ONNX.

use core::fmt;

/// Where in a pass an operation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its number among all operations of the pass, from 0.
    pub index: usize,
    /// Path of the parameter that was used last before it or by it, if the pass was told of the module's parameters.
    pub parameter: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "operation {} of the pass", self.index)?;
        match &self.parameter {
            Some(parameter) => write!(f, ", at or after the use of the parameter `{parameter}`"),
            None => write!(f, ", before any named parameter is used"),
        }
    }
}

/// Why a module cannot be written as ONNX.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OnnxError {
    /// An operation has no counterpart, or none was made.
    #[error("`{operation}` has no counterpart in ONNX here: {reason} ({place})")]
    Unmapped {
        /// The operation.
        operation: String,
        /// What of it is in the way.
        reason: &'static str,
        /// Where it is.
        place: Place,
    },
    /// Random numbers were drawn.
    #[error(
        "`{place}` draws random numbers, which a file cannot; load the weights as data before the pass, and switch dropout off"
    )]
    Random {
        /// Where.
        place: Place,
    },
    /// The values of a tensor were read in the pass.
    #[error(
        "the pass reads the values of a tensor before its operation {0}, and goes on by them; while it is recorded there are none"
    )]
    Read(usize),
    /// A tensor of another device or another recording.
    #[error(
        "a tensor comes from outside of the recording: make modules and constants on the device of the pass ({0})"
    )]
    Foreign(Place),
    /// The pass is another one for another batch.
    #[error("the pass does something else for another batch: {what} differs ({place})")]
    Differs {
        /// What differs.
        what: &'static str,
        /// Where.
        place: Place,
    },
    /// A size is not `k·batch + c`.
    #[error(
        "a size is {sizes:?} for batches of {batches:?}, which is no multiple of the batch plus a constant ({place})"
    )]
    Size {
        /// The sizes.
        sizes: Vec<i64>,
        /// The batches.
        batches: Vec<usize>,
        /// Where.
        place: Place,
    },
    /// A constant is another one for another batch.
    #[error(
        "a constant of shape {shape:?} that the host made depends on the batch; make it from tensors of the pass instead"
    )]
    Constant {
        /// Its shape in the first recording.
        shape: Vec<usize>,
    },
    /// A size depends on the batch, and no input has the batch as a size.
    #[error("sizes depend on the batch, and no input has an axis of that length")]
    NoBatch,
    /// Two inputs or outputs of one name, or none at all.
    #[error("inputs and outputs need names of their own, and there must be an output: `{0}`")]
    Names(String),
    /// A type of numbers that ONNX does not know.
    #[error("ONNX has no numbers of type {0}")]
    Type(String),
    /// A file that cannot be read or evaluated.
    #[error("this is no ONNX file that can be read: {0}")]
    File(String),
}
