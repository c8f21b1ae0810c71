//! Weights from files of this and other programs: safetensors files, state dicts of PyTorch, checkpoints of Flax.

use crate::{GeneratorError, model};
use burn::{
    module::ParamId,
    tensor::{DType, Tensor, TensorData, backend::Backend},
};
use meanflow_nets::{Net, Networks, import::Convention};
use meanflow_state::{ParamVisitor, StateError, parameters, visit_parameters, with_parameters};
use meanflow_weights::{HostTensor, TensorFile};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// Where in a file the network is, and how much of it must be there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// What the names of the network's tensors begin with in the file; `None`: found out.
    pub prefix: Option<String>,
    /// Whether parameters may be missing and tensors left over.
    pub partial: bool,
}

/// What was taken from a file, and what was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The naming of the file, in words.
    pub convention: &'static str,
    /// What the names of the network's tensors begin with.
    pub prefix: String,
    /// Parameters that were set.
    pub loaded: usize,
    /// Names that the network needs and the file lacks; those parameters keep their initial values.
    pub missing: Vec<String>,
    /// Tensors under the prefix that no parameter takes.
    pub unused: Vec<String>,
}

impl std::fmt::Display for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { convention, prefix, loaded, missing, unused } = self;
        write!(f, "{loaded} tensors under `{prefix}`, named as in {convention}")?;
        for (what, names) in [("missing", missing), ("unused", unused)] {
            write!(f, "; {} {what}", names.len())?;
            if !names.is_empty() {
                write!(f, ": {}", names.join(", "))?;
            }
        }
        Ok(())
    }
}

/// `net`, for samples of `shape`, with the weights of a file.
///
/// # Errors
/// [`GeneratorError::Weights`], which names the file and the tensor: a file that is no weight file or cut short, a tensor of
/// another shape, and, unless `how` allows it, one that is missing or that no parameter takes, or a file that says that
/// its network computes otherwise.
pub fn load<B: Backend, N: Networks>(
    net: Net<B, N>,
    config: &N,
    shape: [usize; 3],
    path: &Path,
    how: &Load,
) -> Result<(Net<B, N>, Loaded), GeneratorError> {
    let broken = GeneratorError::weights(path);
    let mut file = open(path)?;
    let mut wanted = Wanted(Vec::new());
    visit_parameters(&net, &mut wanted);
    let wanted = wanted.0;
    let names = names(&file).map_err(&broken)?;
    if let Some(other) = model::described_network::<N>(&file.metadata())
        .map_err(&broken)?
        .filter(|other| !how.partial && !other.computes_as(config))
    {
        return Err(broken(format!("it holds another network: {}", difference(&other, config))));
    }
    let conventions = config.conventions(shape);
    let found = choose(&conventions, &wanted, &names, how.prefix.as_deref()).map_err(&broken)?;
    let mut tensors = parameters(&net);
    let (mut missing, mut used) = (Vec::new(), BTreeSet::new());
    for Parameter { path, shape, dtype } in &wanted {
        let (name, layout) = found.convention.entry(path);
        let name = format!("{}{name}", found.prefix);
        let Some(original) = names.get(&name) else {
            missing.push(name);
            continue;
        };
        let tensor = file.read(original).map_err(|reason| broken(format!("`{original}`: {reason}")))?;
        let values = layout.read(&tensor, shape).ok_or_else(|| {
            broken(format!(
                "`{original}` has the shape {:?}; it does not fit `{path}` {shape:?} of this experiment's network",
                tensor.shape
            ))
        })?;
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(broken(format!("`{original}` holds the value {value}")));
        }
        tensors.insert(path.clone(), TensorData::new(values, shape.clone()).convert_dtype(*dtype));
        used.insert(name);
    }
    let mut unused = Vec::new();
    for (name, original) in names.iter().filter(|(name, _)| name.starts_with(&found.prefix)) {
        let last = name.rsplit('.').next().unwrap_or(name);
        match found.convention.constants.iter().find(|(constant, _)| *constant == last) {
            _ if used.contains(name) => {}
            None => unused.push(name.clone()),
            // Those of the network as it was asked for; nothing is known of a part of another.
            Some((_, expected)) if !how.partial => {
                let tensor =
                    file.read(original).map_err(|reason| broken(format!("`{original}`: {reason}")))?;
                constant(&tensor, expected).map_err(|reason| broken(format!("`{original}` {reason}")))?;
            }
            Some(_) => {}
        }
    }
    let report = Loaded {
        convention: found.convention.name,
        prefix: found.prefix,
        loaded: used.len(),
        missing,
        unused,
    };
    if !how.partial {
        strict(&report).map_err(&broken)?;
    }
    let net = with_parameters(net, tensors)
        .map_err(|error: StateError| GeneratorError::State { path: path.to_owned(), error })?;
    Ok((net, report))
}

/// A tensor that is no parameter holds what this network has in its place.
fn constant(tensor: &HostTensor, expected: &HostTensor) -> Result<(), String> {
    let largest =
        |values: &mut dyn Iterator<Item = f32>| values.fold(0.0, |most: f32, value| most.max(value.abs()));
    let help = "the file's network computes otherwise";
    if tensor.values.len() != expected.values.len() {
        return Err(format!("has the shape {:?}, here it is {:?}: {help}", tensor.shape, expected.shape));
    }
    let scale = largest(&mut expected.values.iter().copied());
    let off = largest(&mut tensor.values.iter().zip(&expected.values).map(|(a, b)| a - b)) / scale;
    // Half precision keeps three digits.
    match off <= 1e-2 {
        true => Ok(()),
        false => Err(format!("is off by {off} of its largest value: {help}")),
    }
}

/// The settings in which two networks differ.
fn difference<N: Networks>(there: &N, here: &N) -> String {
    let [there, here] = [there, here].map(|config| {
        // `Dit(DitConfig { patch: 2, … })`
        let text = format!("{config:?}").replace(['{', '}', '('], ",").replace(')', "");
        text.split(',').map(str::trim).map(str::to_owned).collect::<Vec<_>>()
    });
    let only = |a: &[String], b: &[String]| {
        let own: Vec<&str> = a.iter().filter(|item| !b.contains(item)).map(String::as_str).collect();
        own.join(", ")
    };
    format!("`{}`, and this experiment has `{}`", only(&there, &here), only(&here, &there))
}

/// Everything is there and nothing is left.
fn strict(report: &Loaded) -> Result<(), String> {
    let help = "it holds another network; `init.partial = true` (`--partial`) takes what fits";
    let some = |names: &[String]| {
        let more = names.len().saturating_sub(NAMED);
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{rest}", names[..names.len() - more].join(", "))
    };
    let Loaded { missing, unused, .. } = report;
    if !missing.is_empty() {
        return Err(format!("{} tensors are missing: {}; {help}", missing.len(), some(missing)));
    }
    if !unused.is_empty() {
        let count = unused.len();
        return Err(format!("the network has no place for {count} tensors: {}; {help}", some(unused)));
    }
    Ok(())
}

/// Most tensors that an error names.
const NAMED: usize = 12;

/// A parameter that is looked for.
struct Parameter {
    path: String,
    shape: Vec<usize>,
    dtype: DType,
}

struct Wanted(Vec<Parameter>);

impl<B: Backend> ParamVisitor<B> for Wanted {
    fn visit<const D: usize>(&mut self, name: String, _id: ParamId, tensor: Tensor<B, D>) {
        self.0.push(Parameter { path: name, shape: tensor.dims().to_vec(), dtype: tensor.dtype() });
    }
}

/// The naming of a file and where the network lies in it.
struct Found<'a> {
    convention: &'a Convention,
    prefix: String,
}

/// The convention and prefix under which most of the network is found.
fn choose<'a>(
    conventions: &'a [Convention],
    wanted: &[Parameter],
    names: &BTreeMap<String, String>,
    prefix: Option<&str>,
) -> Result<Found<'a>, String> {
    let only = prefix.map(|prefix| prefix.trim_end_matches('.'));
    let mut best: Vec<(usize, Found)> = Vec::new();
    for convention in conventions {
        let entries: Vec<String> = wanted.iter().map(|one| convention.entry(&one.path).0).collect();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for name in names.keys() {
            for entry in &entries {
                let Some(before) = name.strip_suffix(entry.as_str()) else { continue };
                let whole = before.is_empty() || before.ends_with('.');
                if whole && only.is_none_or(|only| before.trim_end_matches('.') == only) {
                    *counts.entry(before).or_default() += 1;
                }
            }
        }
        for (prefix, count) in counts {
            let most = best.first().map_or(0, |(most, _)| *most);
            if count > most {
                best.clear();
            }
            // With equal names in two conventions, the first will do.
            let known = best.iter().any(|(_, found)| found.prefix == prefix);
            if count >= most && !known {
                best.push((count, Found { convention, prefix: prefix.to_owned() }));
            }
        }
    }
    match best.len() {
        0 => {
            let known: Vec<&str> = conventions.iter().map(|convention| convention.name).collect();
            let first = names.keys().next().map_or("nothing", String::as_str);
            let place = prefix.map_or(String::new(), |prefix| format!(" under `{prefix}`"));
            Err(format!(
                "none of its tensors is one of this experiment's network{place}, named as in {}; it begins with `{first}`",
                known.join(", ")
            ))
        }
        1 => Ok(best.remove(0).1),
        _ => {
            let prefixes: Vec<String> = best.iter().map(|(_, found)| format!("`{}`", found.prefix)).collect();
            Err(format!(
                "it holds several networks, under {}; name one with `init.prefix` (`--prefix`)",
                prefixes.join(", ")
            ))
        }
    }
}

/// Opens a file of tensors, which is none of Orbax.
fn open(path: &Path) -> Result<TensorFile, GeneratorError> {
    let broken = GeneratorError::weights(path);
    if path.is_dir() {
        return Err(broken(
            "it is a folder; one that Orbax wrote becomes a file by scripts/orbax_to_safetensors.py"
                .to_owned(),
        ));
    }
    let failed = GeneratorError::file(path);
    let mut file = TensorFile::open(path).map_err(&failed)?;
    // One of ours says what its content sums up to.
    file.verify().map_err(failed)?;
    Ok(file)
}

/// Names with dots between their parts, and as they are in the file.
fn names(file: &TensorFile) -> Result<BTreeMap<String, String>, String> {
    let mut names = BTreeMap::new();
    for name in file.names() {
        if let Some(other) = names.insert(name.replace('/', "."), name.to_owned()) {
            return Err(format!("`{other}` and `{name}` are one name"));
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
