//! `[init]`: what the weights start from.

use super::name::Name;
use meanflow_generator::Load;
use meanflow_settings::{Flag, Or, PathTo, Reader, Text, Within};
use std::path::{Path, PathBuf};

/// `[init]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InitConfig {
    /// A file of weights; `None`: drawn at random, or of [`run`](Self::run).
    pub weights: Option<PathBuf>,
    /// Where they are in that file, and how many must be there.
    pub load: Load,
    /// A trained generator.
    pub run: Option<StartRun>,
}

/// The generator that a run starts from.
#[derive(Clone, Debug, PartialEq)]
pub struct StartRun {
    /// Where it is.
    pub from: StartFrom,
    /// The average, `none` for the weights themselves; `None`: the first.
    pub average: Option<String>,
    /// The step of the checkpoint; `None`: the last.
    pub step: Option<u64>,
    /// Whether a flow gets inputs of time that change nothing, where the run learns more than a velocity.
    pub keep_flow: bool,
}

/// Where the generator is that a run starts from.
#[derive(Clone, Debug, PartialEq)]
pub enum StartFrom {
    /// In a run folder, or a file of `meanflow export`.
    Path(PathBuf),
    /// In the run beside this one of this variant.
    Variant(String),
}

impl StartFrom {
    /// The path, for the run in the folder `run`.
    pub fn path(&self, run: &Path) -> PathBuf {
        match self {
            Self::Path(path) => path.clone(),
            Self::Variant(name) => run.with_file_name(name),
        }
    }
}

impl InitConfig {
    pub(super) fn read(root: &mut Reader) -> Self {
        root.section("init", |r| {
            let weights = r.get("weights", Or("random", PathTo), None);
            let load = Load {
                prefix: r.get("prefix", Or("auto", Text::ANY), None),
                partial: r.get("partial", Flag, false),
            };
            let of_file = [("prefix", load.prefix.is_some()), ("partial", load.partial)];
            let path: Option<PathBuf> = r.get("run", Or("off", PathTo), None);
            let variant: Option<String> = r.get("variant", Or("off", Name), None);
            let average = r.get("average", Or("first", Text::ANY), None);
            let step = r.get("step", Or("last", Within(1, Within::LARGEST)), None).map(|step| step as u64);
            let keep_flow = r.get("keep-flow", Flag, true);
            let one = Some("keep one of `weights`, `run` and `variant`");
            for (key, clash) in [
                ("run", path.is_some() && weights.is_some()),
                ("variant", variant.is_some() && (weights.is_some() || path.is_some())),
            ] {
                if clash {
                    r.fault(key, "the weights start from something else already", one);
                }
            }
            let from = path.map(StartFrom::Path).or(variant.map(StartFrom::Variant));
            let set = [("average", average.is_some()), ("step", step.is_some()), ("keep-flow", !keep_flow)];
            for (key, _) in set.iter().filter(|(_, set)| *set && from.is_none()) {
                r.fault(key, "it belongs to `init.run` or `init.variant`, and both are off", None);
            }
            for (key, _) in of_file.iter().filter(|(_, set)| *set && from.is_some()) {
                r.fault(key, "it belongs to `init.weights`, and the weights start from a run", None);
            }
            let run = from.map(|from| StartRun { from, average, step, keep_flow });
            Self { weights, load, run }
        })
    }

    /// The path that it names if there is nothing.
    pub fn missing(&self) -> Option<&Path> {
        let run = match &self.run {
            Some(StartRun { from: StartFrom::Path(path), .. }) => {
                Some(path.as_path()).filter(|path| !path.exists())
            }
            _ => None,
        };
        self.weights.as_deref().filter(|path| !path.is_file()).or(run)
    }
}
