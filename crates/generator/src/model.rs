//! A trained network by itself: taken from a run, written to a file that needs nothing else, and read from it.

use crate::{GeneratorError, SampleGuidance};
use burn::tensor::{TensorData, backend::Backend};
use meanflow_core::{Prediction, Solver, Streams, objective::Learns, solver::Spacing};
use meanflow_nets::{Net, NetConfig, Networks};
use meanflow_state::{self as state, Digest, Named, Texts, with_parameters};
use meanflow_weights::{FileError, HostTensor, write_torch};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// Everything that samples depend on.
#[derive(Clone, Debug)]
pub struct Model<N: Networks = NetConfig> {
    /// The run folder or the file.
    pub path: PathBuf,
    /// The network.
    pub net: N,
    /// Shape of a sample, `[channels, height, width]`.
    pub shape: [usize; 3],
    /// Number of classes.
    pub classes: Option<usize>,
    /// The solver to sample with unless another is asked for.
    pub solver: Solver,
    /// Guidance to sample with unless another is asked for.
    pub guidance: Option<SampleGuidance>,
    /// The time grid to sample with unless another is asked for.
    pub times: Spacing,
    /// What the network has learned, which decides how it can be sampled.
    pub learns: Learns,
    /// What its output means.
    pub prediction: Prediction,
    /// Seed of the evaluation, the default key of the noise.
    pub seed: u64,
    /// Label of the average, `none` for the weights themselves.
    pub ema: String,
    /// Updates done.
    pub step: u64,
    /// The table `[net.…]` of the experiment.
    pub table: String,
    /// The weights by path.
    pub weights: Named,
}

const FORMAT: &str = "meanflow-network-1";

impl<N: Networks> Model<N> {
    /// The generator in a file of [`Model::write`].
    ///
    /// # Errors
    /// See [`Model::read`]; [`GeneratorError::Weights`] for weights that are no numbers.
    pub fn open(path: &Path) -> Result<Self, GeneratorError> {
        let model = Self::read(path)?;
        model.finite().map(|()| model)
    }

    /// Whether the weights are numbers.
    ///
    /// # Errors
    /// [`GeneratorError::Weights`] with the first that is none.
    pub fn finite(&self) -> Result<(), GeneratorError> {
        for (name, data) in &self.weights {
            if let Some(value) = data.iter::<f32>().find(|value| !value.is_finite()) {
                return Err(GeneratorError::weights(&self.path)(format!("`{name}` holds the value {value}")));
            }
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn bare<B: Backend>(
        net: N,
        shape: [usize; 3],
        classes: Option<usize>,
        of: &Net<B, N>,
    ) -> Self {
        Self {
            path: PathBuf::new(),
            net,
            shape,
            classes,
            solver: Solver::MeanFlow,
            guidance: None,
            times: Spacing::Uniform,
            learns: Learns::Average,
            prediction: Prediction::Average,
            seed: 0,
            ema: "none".to_owned(),
            step: 0,
            table: String::new(),
            weights: state::parameters(of),
        }
    }

    /// Writes weights and metadata to a safetensors file.
    ///
    /// # Errors
    /// [`GeneratorError::Write`]; an earlier file of this name is untouched then.
    pub fn write(&self, path: &Path) -> Result<(), GeneratorError> {
        let path = std::path::absolute(path).map_err(GeneratorError::write(path))?;
        let classes = self.classes.map_or("none".to_owned(), |count| count.to_string());
        let guidance =
            self.guidance.map_or("none".to_owned(), |SampleGuidance { omega, interval: [low, high] }| {
                format!("{omega} {low} {high}")
            });
        let entries = [
            ("format", FORMAT.to_owned()),
            ("net", self.table.clone()),
            ("shape", self.shape.map(|size| size.to_string()).join(" ")),
            ("classes", classes),
            ("solver", self.solver.name().to_owned()),
            ("guidance", guidance),
            ("times", self.times.to_string()),
            ("velocity", self.learns.name().to_owned()),
            ("prediction", self.prediction.to_string()),
            ("seed", self.seed.to_string()),
            ("ema", self.ema.clone()),
            ("step", self.step.to_string()),
        ];
        let metadata = entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        state::write(&path, &self.weights, metadata).map_err(GeneratorError::write(&path))
    }

    /// Writes the weights alone, under the names and in the layouts of another program: a state dict of PyTorch if `path` ends in
    /// `.pth` or `.pt`, else a safetensors file.
    ///
    /// # Errors
    /// [`GeneratorError::Request`] if the network has no names of this convention, [`GeneratorError::Write`].
    pub fn write_for(&self, convention: &str, path: &Path) -> Result<(), GeneratorError> {
        let conventions = self.net.conventions(self.shape);
        let Some(found) = conventions.iter().find(|known| known.key == convention) else {
            let known: Vec<&str> = conventions.iter().map(|known| known.key).collect();
            return Err(GeneratorError::Request(format!(
                "this network has no names of `{convention}`; there are {}",
                known.join(", ")
            )));
        };
        let tensors: BTreeMap<String, HostTensor> = self
            .weights
            .iter()
            .map(|(path, data)| {
                let (name, layout) = found.entry(path);
                let values = data.iter::<f32>().collect();
                (name, layout.write(HostTensor { shape: data.shape.to_vec(), values }))
            })
            .collect();
        let path = std::path::absolute(path).map_err(GeneratorError::write(path))?;
        let failed = GeneratorError::write(&path);
        if path.extension().is_some_and(|extension| extension == "pth" || extension == "pt") {
            return meanflow_files::replace(&path, |part| write_torch(part, &tensors)).map_err(failed);
        }
        let named =
            |(name, tensor): (String, HostTensor)| (name, TensorData::new(tensor.values, tensor.shape));
        let metadata = [("format".to_owned(), "pt".to_owned())].into();
        state::write(&path, &tensors.into_iter().map(named).collect(), metadata).map_err(failed)
    }

    /// Reads what [`Model::write`] wrote.
    ///
    /// # Errors
    /// [`GeneratorError::Read`], or [`GeneratorError::Weights`] for a truncated or foreign file.
    pub fn read(path: &Path) -> Result<Self, GeneratorError> {
        let broken = GeneratorError::weights(path);
        let (metadata, weights) = state::read(path).map_err(|error| match error {
            FileError::Io(_) => GeneratorError::file(path)(error),
            other => broken(format!("{other}; `meanflow import` makes one of files of other programs")),
        })?;
        let entry = |key: &str| entry(&metadata, key).map_err(&broken);
        if metadata.get("format").map(String::as_str) != Some(FORMAT) {
            let help = "`meanflow export` and `meanflow import` write one";
            return Err(broken(format!("it is not marked as `{FORMAT}`; {help}")));
        }
        let wrong = |key: &str| broken(format!("its `{key}` cannot be read"));
        let (shape, classes) = samples(&metadata).map_err(&broken)?;
        let guidance = match entry("guidance")? {
            "none" => None,
            numbers => {
                let numbers: Option<Vec<f64>> =
                    numbers.split(' ').map(|number| number.parse().ok()).collect();
                let Some(&[omega, low, high]) = numbers.as_deref() else { return Err(wrong("guidance")) };
                if !(omega.is_finite() && 0.0 <= low && low <= high && high <= 1.0) {
                    return Err(wrong("guidance"));
                }
                Some(SampleGuidance { omega, interval: [low, high] })
            }
        };
        let learns = Learns::named(entry("velocity")?).ok_or_else(|| wrong("velocity"))?;
        // Files of before there was more than one have no such entry.
        let prediction = match metadata.get("prediction") {
            None => Prediction::Average,
            Some(text) => Prediction::parse(text).ok_or_else(|| wrong("prediction"))?,
        };
        let times = match metadata.get("times") {
            None => Spacing::Uniform,
            Some(text) => Spacing::parse(text).map_err(|_| wrong("times"))?,
        };
        let solver = entry("solver")?;
        let table = entry("net")?.to_owned();
        let net: N = network_of(&metadata).map_err(&broken)?;
        // Said before a network of that size is made.
        let found: usize = weights.values().map(TensorData::num_elements).sum();
        let needed = net.parameters(shape, classes);
        if found != needed {
            return Err(broken(format!("it holds {found} numbers, and its network has {needed} parameters")));
        }
        Ok(Self {
            path: path.to_owned(),
            net,
            shape,
            classes,
            solver: Solver::named(solver).ok_or_else(|| wrong("solver"))?,
            guidance,
            times,
            learns,
            prediction,
            seed: entry("seed")?.parse().map_err(|_| wrong("seed"))?,
            ema: entry("ema")?.to_owned(),
            step: entry("step")?.parse().map_err(|_| wrong("step"))?,
            table,
            weights,
        })
    }

    /// The sha256 over the weights.
    pub fn digest(&self) -> String {
        Digest::default().tensors(self.weights.iter().map(|(name, data)| (name.as_str(), data))).finish()
    }

    /// The network with its weights.
    ///
    /// # Errors
    /// [`GeneratorError::State`] if the weights are not those of the network.
    pub fn network<B: Backend>(self, device: &B::Device) -> Result<Net<B, N>, GeneratorError> {
        let net: Net<B, N> = self.net.init(self.shape, self.classes, &Streams::new(self.seed), device)?;
        with_parameters(net, self.weights).map_err(|error| GeneratorError::State { path: self.path, error })
    }
}

/// The network that a file describes, if it is one of [`Model::write`].
///
/// # Errors
/// What is wrong with the description, in words.
pub(crate) fn described_network<N: Networks>(metadata: &Texts) -> Result<Option<N>, String> {
    let own = metadata.get("format").map(String::as_str) == Some(FORMAT);
    own.then(|| network_of(metadata)).transpose()
}

fn network_of<N: Networks>(metadata: &Texts) -> Result<N, String> {
    let (shape, _) = samples(metadata)?;
    meanflow_nets::of_table(entry(metadata, "net")?, shape).map_err(|error| error.to_string())
}

/// Values of a sample, and classes, that a file may ask for at most.
const LARGEST: usize = 1 << 24;

/// Shape and classes of a network's samples.
fn samples(metadata: &Texts) -> Result<([usize; 3], Option<usize>), String> {
    let count = |text: &str| text.parse().ok().filter(|count| (1..=LARGEST).contains(count));
    let wrong = |key: &str| format!("its `{key}` cannot be read");
    let sizes: Option<Vec<usize>> = entry(metadata, "shape")?.split(' ').map(count).collect();
    let shape: [usize; 3] = sizes.and_then(|sizes| sizes.try_into().ok()).ok_or_else(|| wrong("shape"))?;
    if shape.iter().try_fold(1, |all: usize, &size| all.checked_mul(size)).is_none_or(|all| all > LARGEST) {
        return Err(wrong("shape"));
    }
    let classes = match entry(metadata, "classes")? {
        "none" => None,
        text => Some(count(text).ok_or_else(|| wrong("classes"))?),
    };
    Ok((shape, classes))
}

fn entry<'a>(metadata: &'a Texts, key: &str) -> Result<&'a str, String> {
    metadata.get(key).map(String::as_str).ok_or_else(|| format!("it has no `{key}`"))
}
