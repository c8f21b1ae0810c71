//! `[init]`: what the weights start from.

use meanflow_settings::{Flag, Or, PathTo, Reader, Text};
use std::path::PathBuf;

/// `[init]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InitConfig {
    /// A file of weights; `None`: drawn at random.
    pub weights: Option<PathBuf>,
    /// What the names of the network's tensors begin with in that file; `None`: found out.
    pub prefix: Option<String>,
    /// Whether parameters may be missing and tensors left over.
    pub partial: bool,
}

impl InitConfig {
    pub(super) fn read(root: &mut Reader) -> Self {
        root.section("init", |r| Self {
            weights: r.get("weights", Or("random", PathTo), None),
            prefix: r.get("prefix", Or("auto", Text::ANY), None),
            partial: r.get("partial", Flag, false),
        })
    }
}
