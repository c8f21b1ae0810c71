//! The programs whose weight files a network can come from, or go to.

use crate::{layout::Layout, weights::Names};
use meanflow_weights::HostTensor;

/// How a program names the parameters of a network.
pub struct Convention {
    /// One word, for the command line.
    pub key: &'static str,
    /// In words.
    pub name: &'static str,
    /// Last parts of the names of tensors that are no parameters, and what they hold for this network.
    pub constants: Vec<(&'static str, HostTensor)>,
    names: Box<dyn Names>,
}

impl Convention {
    /// Name and layout of the parameter at this path (`Dit.blocks.0.qkv.bias`) of a [`Net`](crate::Net).
    pub fn entry(&self, path: &str) -> (String, Layout) {
        self.names.of(&path.split('.').collect::<Vec<_>>())
    }
}

impl Convention {
    /// The convention `key`, in words `name`, for a network of one kind: its module's own paths have these names there.
    pub fn new(
        key: &'static str,
        name: &'static str,
        names: impl Names + 'static,
        constants: Vec<(&'static str, HostTensor)>,
    ) -> Self {
        Self { key, name, constants, names: Box::new(Within(names)) }
    }
}

/// Names as they are in checkpoints and exported files.
pub(crate) fn own() -> Convention {
    Convention { key: "meanflow", name: "meanflow", constants: vec![], names: Box::new(Own) }
}

/// Names as they are here.
struct Own;

impl Names for Own {
    fn of(&self, path: &[&str]) -> (String, Layout) {
        (path.join("."), Layout::Same)
    }
}

/// Names within the network: a [`Net`](crate::Net) puts its kind before them, as in `Dit.blocks.0.qkv.bias`.
struct Within<N>(N);

impl<N: Names> Names for Within<N> {
    fn of(&self, path: &[&str]) -> (String, Layout) {
        self.0.of(&path[1..])
    }
}
