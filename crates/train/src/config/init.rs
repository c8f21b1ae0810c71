//! `[init]`: what the weights start from.

use meanflow_settings::{Flag, Node, Or, PathTo, Reader, Scalar, Value, Wrong, quote};
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
            prefix: r.get("prefix", Or("auto", Text), None),
            partial: r.get("partial", Flag, false),
        })
    }
}

/// Any text.
struct Text;

impl Scalar for Text {
    type Out = String;

    fn read(&self, node: &Node) -> Result<String, Wrong> {
        match &node.value {
            Value::String(text) => Ok(text.clone()),
            _ => Err(Wrong::Type("a string".into())),
        }
    }

    fn show(&self, text: &String) -> String {
        quote(text)
    }

    fn blank(&self) -> String {
        String::new()
    }
}
