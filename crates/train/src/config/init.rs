//! `[init]`: what the weights start from.

use meanflow_generator::Load;
use meanflow_settings::{Flag, Or, PathTo, Reader, Text};
use std::path::PathBuf;

/// `[init]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InitConfig {
    /// A file of weights; `None`: drawn at random.
    pub weights: Option<PathBuf>,
    /// Where they are in that file, and how many must be there.
    pub load: Load,
}

impl InitConfig {
    pub(super) fn read(root: &mut Reader) -> Self {
        root.section("init", |r| Self {
            weights: r.get("weights", Or("random", PathTo), None),
            load: Load {
                prefix: r.get("prefix", Or("auto", Text::ANY), None),
                partial: r.get("partial", Flag, false),
            },
        })
    }
}
