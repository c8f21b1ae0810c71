//! Weights from files of this and other programs: safetensors files and state dicts of PyTorch.

use crate::{
    TrainError,
    config::{InitConfig, Variant},
    model::Model,
    state::{ParamVisitor, StateError, parameters, visit_parameters, with_parameters},
    tensor_file,
    torch::TorchFile,
};
use burn::{
    module::ParamId,
    tensor::{DType, Tensor, TensorData, backend::Backend},
};
use meanflow_core::Streams;
use meanflow_nets::{Net, NetConfig, import::Convention, weights::HostTensor};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::Read,
    path::Path,
};

/// What was taken from a file, and what was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
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

impl std::fmt::Display for Report {
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
/// [`TrainError::Weights`], which names the file and the tensor: a file that is no weight file or cut short, a tensor of
/// another shape, and, unless `init.partial` allows it, one that is missing or that no parameter takes.
pub fn load<B: Backend>(
    net: Net<B>,
    config: &NetConfig,
    shape: [usize; 3],
    path: &Path,
    init: &InitConfig,
) -> Result<(Net<B>, Report), TrainError> {
    let broken = |reason: String| TrainError::Weights { path: path.to_owned(), reason };
    let mut file = Weights::open(path)?;
    let mut wanted = Wanted(Vec::new());
    visit_parameters(&net, &mut wanted);
    let wanted = wanted.0;
    let names = file.names();
    let conventions = config.conventions(shape);
    let found = choose(&conventions, &wanted, &names, init.prefix.as_deref()).map_err(broken)?;
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
    let constant = |name: &String| {
        let last = name.rsplit('.').next().unwrap_or(name);
        found.convention.constants.contains(&last)
    };
    let unused: Vec<String> = names
        .keys()
        .filter(|name| name.starts_with(&found.prefix) && !used.contains(*name) && !constant(name))
        .cloned()
        .collect();
    let report = Report {
        convention: found.convention.name,
        prefix: found.prefix,
        loaded: used.len(),
        missing,
        unused,
    };
    if !init.partial {
        strict(&report).map_err(broken)?;
    }
    let net = with_parameters(net, tensors)
        .map_err(|error: StateError| TrainError::State { path: path.to_owned(), error })?;
    Ok((net, report))
}

/// Writes the weights of a file as a model of this variant, which `sample` can use.
///
/// # Errors
/// See [`load`], and those of writing.
pub fn convert<B: Backend>(
    variant: &Variant,
    path: &Path,
    init: &InitConfig,
    out: &Path,
    device: &B::Device,
) -> Result<Report, TrainError> {
    let (shape, classes) = (variant.description.shape, variant.description.classes);
    let net: Net<B> = variant.net.init(shape, classes, &Streams::new(variant.seed), device)?;
    let (net, report) = load(net, &variant.net, shape, path, init)?;
    Model::of_net(path, variant, &net).write(out)?;
    Ok(report)
}

/// Everything is there and nothing is left.
fn strict(report: &Report) -> Result<(), String> {
    let help = "it holds another network; `init.partial = true` takes what fits";
    let count = |names: &[String]| names.len();
    match (report.missing.first(), report.unused.first()) {
        (Some(first), _) => {
            Err(format!("{} tensors are missing, the first is `{first}`; {help}", count(&report.missing)))
        }
        (None, Some(first)) => Err(format!(
            "the network has no place for {} tensors, the first is `{first}`; {help}",
            count(&report.unused)
        )),
        (None, None) => Ok(()),
    }
}

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
    let mut best: Vec<(usize, Found)> = Vec::new();
    for convention in conventions {
        let entries: Vec<String> = wanted.iter().map(|one| convention.entry(&one.path).0).collect();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for name in names.keys() {
            for entry in &entries {
                let Some(before) = name.strip_suffix(entry.as_str()) else { continue };
                let whole = before.is_empty() || before.ends_with('.');
                if whole && prefix.is_none_or(|prefix| prefix == before) {
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
                "it holds several networks, under {}; name one with `init.prefix`",
                prefixes.join(", ")
            ))
        }
    }
}

/// An open weight file.
enum Weights {
    Torch(Box<TorchFile>),
    Safetensors(BTreeMap<String, TensorData>),
}

impl Weights {
    fn open(path: &Path) -> Result<Self, TrainError> {
        let broken = |reason: String| TrainError::Weights { path: path.to_owned(), reason };
        let mut start = Vec::new();
        File::open(path)
            .and_then(|file| file.take(4).read_to_end(&mut start))
            .map_err(TrainError::read(path))?;
        match &start[..] {
            b"PK\x03\x04" => Ok(Self::Torch(Box::new(TorchFile::open(path).map_err(broken)?))),
            [0x80, ..] => Err(broken(
                "it is in PyTorch's format before version 1.6; load and save it again with a newer one"
                    .to_owned(),
            )),
            _ => Ok(Self::Safetensors(tensor_file::read(path, broken)?.1)),
        }
    }

    /// Names with dots between their parts, and as they are in the file.
    fn names(&self) -> BTreeMap<String, String> {
        let dotted = |name: &str| (name.replace('/', "."), name.to_owned());
        match self {
            Self::Torch(file) => file.names().map(dotted).collect(),
            Self::Safetensors(tensors) => tensors.keys().map(|name| dotted(name)).collect(),
        }
    }

    fn read(&mut self, name: &str) -> Result<HostTensor, String> {
        match self {
            Self::Torch(file) => file.read(name),
            Self::Safetensors(tensors) => {
                let data = &tensors[name];
                Ok(HostTensor { shape: data.shape.to_vec(), values: data.iter::<f32>().collect() })
            }
        }
    }
}

#[cfg(test)]
mod tests;
