//! `[net.*]`: the network.

use super::{
    load,
    problem::{ConfigError, Problem, Where},
    reader::{Log, Reader},
    scalar::{Number, Or, Scalar, Within, Wrong, quote},
    source::Source,
    tree::{Node, Value},
};
use meanflow_data::Description;
use meanflow_nets::{DitConfig, MlpConfig, NetConfig, NetError};
use std::{path::PathBuf, sync::Arc};

/// Names of the networks.
pub(super) const KINDS: [&str; 2] = ["dit", "mlp"];

/// Reads the table and checks it against the shape of the data; `None` after a problem.
pub(super) fn read(root: &mut Reader, data: Option<&Description>) -> Option<NetConfig> {
    root.kind("net", &KINDS, None, |kind, r| {
        let before = r.problems();
        let net = match kind {
            "dit" => NetConfig::Dit(dit(r)),
            "mlp" => NetConfig::Mlp(mlp(r)),
            other => unreachable!("`{other}` is not read here"),
        };
        if r.problems() > before {
            return None;
        }
        // Without the shape of the data, constraints between keys are left for when there is one.
        if let Some(Err(error)) = data.map(|data| net.check(data.shape)) {
            let key = match &error {
                NetError::Zero { key } => key,
                NetError::Patch { .. } => "patch",
                NetError::Heads { .. } => "heads",
                NetError::Width { .. } => "width",
                NetError::Ratio { .. } => "mlp-ratio",
            };
            r.problem(Problem::new(r.at(key), format!("`{}`: {error}", r.path(key))));
        }
        Some(net)
    })?
}

/// The network of a table `[net.…]` by itself, as a file of weights holds it.
///
/// # Errors
/// Everything that is wrong with it.
pub fn of_table(text: &str, shape: [usize; 3], classes: Option<usize>) -> Result<NetConfig, ConfigError> {
    let name = "net".to_owned();
    let source = Arc::new(Source { name, text: text.to_owned(), folder: PathBuf::new(), is_override: false });
    let table = load::parse(&source)?;
    let description = Description { shape, classes, items: None };
    let mut log = Log::default();
    let net = Reader::document(&mut log, &table, Where::from(&source), |root| read(root, Some(&description)));
    match net {
        Some(net) if log.problems.is_empty() => Ok(net),
        _ => Err(ConfigError::new(log.problems)),
    }
}

fn mlp(r: &mut Reader) -> MlpConfig {
    MlpConfig {
        width: r.need("width", Within::SIZE),
        depth: r.need("depth", Within::SIZE),
        octaves: r.get("octaves", Within(0, 64), 0),
    }
}

/// A preset gives the sizes that are not written.
fn dit(r: &mut Reader) -> DitConfig {
    let preset = r.get("preset", Or("off", Preset), None).and_then(|name| DitConfig::preset(&name));
    let mut size = |key, of: fn(&DitConfig) -> usize| match &preset {
        Some(preset) => r.get(key, Within::SIZE, of(preset)),
        None => r.need(key, Within::SIZE),
    };
    let (patch, width) = (size("patch", |preset| preset.patch), size("width", |preset| preset.width));
    let (depth, heads) = (size("depth", |preset| preset.depth), size("heads", |preset| preset.heads));
    let ratio = preset.as_ref().map_or(4.0, |preset| preset.mlp_ratio);
    DitConfig { patch, width, depth, heads, mlp_ratio: r.get("mlp-ratio", Number::POSITIVE, ratio) }
}

/// The name of a published or small DiT.
struct Preset;

impl Scalar for Preset {
    type Out = String;

    fn read(&self, node: &Node) -> Result<String, Wrong> {
        match &node.value {
            Value::String(name) if DitConfig::preset(name).is_some() => Ok(name.clone()),
            Value::String(_) => {
                Err(Wrong::Name(DitConfig::presets().into_iter().map(|(name, _)| name).collect()))
            }
            _ => Err(Wrong::Type("a string".to_owned())),
        }
    }

    fn show(&self, name: &String) -> String {
        quote(name)
    }

    fn blank(&self) -> String {
        String::new()
    }
}
