//! Which kinds of data are present: `data list`.

use serde_json::{Value, json};
use std::{
    fmt,
    path::{Path, PathBuf},
};

use crate::kind::{Kind, Origin};

/// Whether a kind of data can be used as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Needs no file.
    BuiltIn,
    /// All published files are in this folder.
    Here(PathBuf),
    /// [`fetch`](crate::fetch()) gets all of it.
    Fetchable {
        /// Whether a part of it can be used without fetching.
        partly_built_in: bool,
    },
    /// Reads a file of the user's.
    YourFile,
}

impl fmt::Display for Presence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::Here(folder) => write!(f, "in {}", folder.display()),
            Self::Fetchable { partly_built_in: true } => {
                f.write_str("10,000 images built in; all with `data fetch`")
            }
            Self::Fetchable { partly_built_in: false } => f.write_str("with `data fetch`"),
            Self::YourFile => f.write_str("your own file"),
        }
    }
}

/// A kind of data and whether it is present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name, as in `[data.<name>]`.
    pub name: &'static str,
    /// One line about it.
    pub description: &'static str,
    /// Whether it can be used as it is.
    pub presence: Presence,
}

impl Listed {
    /// For programs.
    pub fn json(&self) -> Value {
        json!({"name": self.name, "description": self.description, "presence": self.presence.to_string()})
    }
}

/// In a line.
impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<16} {}  [{}]", self.name, self.description, self.presence)
    }
}

/// These kinds of data, with the published ones looked for in `datasets/<name>`; names the files by existence,
/// without reading them.
pub fn list(kinds: &[&'static Kind], datasets: &Path) -> Vec<Listed> {
    let presence = |kind: &Kind| match &kind.origin {
        Origin::BuiltIn => Presence::BuiltIn,
        Origin::Yours { .. } => Presence::YourFile,
        Origin::Published { set, partly_built_in } => {
            let folder = datasets.join(kind.name);
            if set.files.iter().all(|(name, _)| folder.join(name).exists()) {
                Presence::Here(folder)
            } else {
                Presence::Fetchable { partly_built_in: *partly_built_in }
            }
        }
    };
    kinds
        .iter()
        .map(|kind| Listed { name: kind.name, description: kind.description, presence: presence(kind) })
        .collect()
}
