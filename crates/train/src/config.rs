//! Experiment files: from a TOML path and `--set` overrides to a validated [`Comparison`].
//!
//! `meanflow-settings` reads the file, collects all problems at once and writes down every key with its value and origin;
//! one file per section says which keys there are. The reference of all keys is `docs/experiment-file.md`.

mod data;
mod init;
mod kinds;
mod link;
mod name;
mod objective;
mod plan;
mod published;
mod sort;
mod training;

pub use data::of_file as data_of_file;
pub use init::{InitConfig, StartFrom, StartRun};
pub use kinds::{KindAbout, KindKey, kinds, told as told_kinds};
pub use meanflow_score::config::{EvalConfig, Lite0};
pub use meanflow_settings::{
    ConfigError, Difference, Entry, Every, Origin, PeriodError, Place, Problem, Resolved, Section, Source,
    Unit, Where,
};
pub use plan::{Plan, VariantPlan};
pub use sort::Sort;
pub use training::{EmaConfig, TrainConfig};

use crate::{BuiltIn, Kinds, TrainError};
use meanflow_core::objective::Objectives;
use meanflow_data::{DataConfig, Description};
use meanflow_nets::Networks as _;
use meanflow_optim::{Lengths, OptimizerConfig};
use meanflow_score::config::Training;
use meanflow_settings::{Document, Kinds as Tables, Layout, Node, Reader, VariantTree, Within, quote};
use std::path::{Path, PathBuf};

/// What all experiment files have in common.
const LAYOUT: Layout = Layout {
    what: "experiment",
    needs: "it needs at least [data.…], [net.…], [objective.…] and [train]",
    kinds: Tables(&["data", "net", "objective", "optimizer", "objective.*.time", "objective.*.time-r"]),
};

/// One experiment file: variants that are trained one after another and set side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison<K: Kinds = BuiltIn> {
    /// Name of the run folder.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// Its text as given.
    pub text: String,
    /// The `--set` arguments.
    pub overrides: Vec<String>,
    /// At least one; their names differ.
    pub variants: Vec<Variant<K>>,
}

/// One run of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant<K: Kinds = BuiltIn> {
    /// Name of its folder in the run folder.
    pub name: String,
    /// Key of every random number of the run.
    pub seed: u64,
    /// The data.
    pub data: DataConfig,
    /// What the data looks like.
    pub description: Description,
    /// The network.
    pub net: K::Net,
    /// What its weights start from.
    pub init: InitConfig,
    /// The objective.
    pub objective: K::Objective,
    /// Length and habits of the run.
    pub train: TrainConfig,
    /// The optimizer.
    pub optimizer: OptimizerConfig,
    /// Averages of the weights; without one, the weights themselves are evaluated.
    pub ema: Vec<EmaConfig>,
    /// Evaluation.
    pub eval: EvalConfig,
    /// Every key with its value and origin.
    pub resolved: Resolved,
}

impl<K: Kinds> Comparison<K> {
    /// Reads and checks an experiment file, with overrides of the form `a.b=value`.
    ///
    /// # Errors
    /// Everything that is wrong with the file and the overrides, at once. A file that cannot be read or is not TOML is one
    /// problem by itself.
    pub fn load(file: &Path, overrides: &[String]) -> Result<Self, ConfigError> {
        Self::read(file, overrides, None)
    }

    /// Reads an experiment file whose data looks like this, so that the data need not be there.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_described(file: &Path, description: Description) -> Result<Self, ConfigError> {
        Self::read(file, &[], Some(description))
    }

    /// The variants with these names, all if there are none.
    ///
    /// # Errors
    /// [`TrainError::Request`] for a name that no variant has.
    pub fn chosen(&self, names: &[String]) -> Result<Vec<&Variant<K>>, TrainError> {
        if names.is_empty() {
            return Ok(self.variants.iter().collect());
        }
        let find = |name: &String| {
            self.variants.iter().find(|variant| variant.name == *name).ok_or_else(|| {
                let known: Vec<&str> = self.variants.iter().map(|variant| variant.name.as_str()).collect();
                let known = known.join(", ");
                TrainError::Request(format!("no variant is called `{name}`; there are {known}"))
            })
        };
        names.iter().map(find).collect()
    }

    /// The variants in groups: those that start from another of them come after it.
    pub fn phases<'a>(chosen: &[&'a Variant<K>]) -> Vec<Vec<&'a Variant<K>>> {
        let source = |variant: &Variant<K>| match &variant.init.run.as_ref()?.from {
            StartFrom::Variant(name) => Some(name.clone()),
            StartFrom::Path(_) => None,
        };
        let (mut waiting, mut phases) = (chosen.to_vec(), Vec::new());
        while !waiting.is_empty() {
            let waits = |variant: &&Variant<K>| {
                source(variant).is_some_and(|source| waiting.iter().any(|other| other.name == source))
            };
            let (late, now): (Vec<_>, Vec<_>) = waiting.iter().partition(|variant| waits(variant));
            assert!(!now.is_empty(), "no variants start from each other in a circle");
            phases.push(now);
            waiting = late;
        }
        phases
    }

    fn read(file: &Path, overrides: &[String], known: Option<Description>) -> Result<Self, ConfigError> {
        let document = Document::load(file, overrides, LAYOUT)?;
        let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let mut reading = document.read(|root, tree| {
            let experiment = name::experiment(root, &stem);
            let variant = Variant::<K>::read(root, tree, known)?;
            Some((experiment, variant, tree.name.clone()))
        });
        reading.problems.extend(name::twice(document.variants.iter().filter_map(|tree| tree.name.as_ref())));
        let read = reading.done()?.into_iter().map(|((experiment, variant, name), resolved)| {
            (experiment, variant.with(resolved, name.as_ref()))
        });
        let (names, mut variants): (Vec<String>, Vec<Variant<K>>) = read.unzip();
        let suffixes: Vec<&str> = document.variants.iter().map(|tree| tree.suffix.as_str()).collect();
        let problems = link::link(&mut variants, &suffixes);
        if !problems.is_empty() {
            return Err(ConfigError::new(problems));
        }
        Ok(Self {
            name: names.into_iter().next().unwrap_or_default(),
            file: file.to_path_buf(),
            text: document.source.text.clone(),
            overrides: overrides.to_vec(),
            variants,
        })
    }
}

impl<K: Kinds> Variant<K> {
    /// Names of what a step measures: the loss, the objective's measures, the norm of the gradient before the clip.
    pub fn measures(&self) -> Vec<String> {
        let own = self.objective.facts().measures();
        let taken = own
            .iter()
            .find(|name| ["kind", "step", "images", "secs", "loss", "grad_norm", "lr"].contains(name));
        assert!(taken.is_none(), "a measure is called {taken:?}, as something else in the log is");
        let own = own.iter().copied();
        ["loss"].into_iter().chain(own).chain(["grad_norm"]).map(str::to_owned).collect()
    }

    /// Floating-point operations of a step for each of its images, by [`meanflow_nets::Network::flops`] and the objective's cost.
    pub fn flops_an_image(&self) -> f64 {
        self.net.flops(self.description.shape) * self.objective.facts().cost().in_forward_passes()
    }

    /// Reads every section; `None` if one of them could not be read, after a problem.
    fn read(root: &mut Reader, tree: &VariantTree, known: Option<Description>) -> Option<Self> {
        let seed = root.get("seed", Within(0, Within::LARGEST), 0) as u64;
        let data = data::read(root, &K::data(), known);
        let description = data.as_ref().map(|(_, description)| *description);
        let known = description.as_ref();
        // Data that could not be read is one problem; do not add that its epochs cannot be counted.
        let items = known.map_or(Some(1), |data| data.items);
        let net: Option<K::Net> = meanflow_nets::read(root, known.map(|data| data.shape));
        let init = InitConfig::read(root);
        let described = data.as_ref().map(|(data, description)| (data, description));
        if let (Some((data, _)), Some(net)) = (described, &net) {
            data::check_augmentation(root, data, net);
        }
        let objective: Option<K::Objective> = objective::read(root, known, net.as_ref());
        let train = TrainConfig::read(root, items);
        if let Some(objective) = objective.as_ref().filter(|_| root.is_sound()) {
            objective::check_groups(root, objective, train.batch);
        }
        let optimizer = training::optimizer(root, Lengths { batch: train.batch, items });
        let ema = EmaConfig::read(root, train.batch, items);
        let training = Training { batch: train.batch, steps: train.steps };
        let eval =
            EvalConfig::read(root, seed, training, items, described, objective.as_ref(), &K::metrics());
        published::read(root);
        let name = match &tree.name {
            Some(node) => name::variant(root, node),
            None => format!("{}{}", objective.as_ref()?.name(), tree.suffix),
        };
        Some(Self {
            name,
            seed,
            data: data?.0,
            description: description?,
            net: net?,
            init,
            objective: objective?,
            train,
            optimizer: optimizer?,
            ema,
            eval,
            resolved: Resolved::default(),
        })
    }

    /// What changed from `before`, key by key. Where the data lies is left out: its digest says whether it is the same.
    pub fn differences(before: &Self, after: &Self) -> Vec<Difference> {
        let mut differences = Resolved::differences(&before.resolved, &after.resolved, is_place_of_data);
        // The weights are in the checkpoint: where their file or run lies now is no difference either.
        let (before, after) = (&before.init, &after.init);
        let files = before.weights.is_some() && after.weights.is_some();
        let runs = before.run.is_some() && after.run.is_some();
        differences.retain(|Difference { key, .. }| {
            let moved = (files && key == "init.weights") || (runs && key == "init.run");
            !moved
        });
        differences
    }

    /// Whether the data lies elsewhere than in `before`.
    pub fn data_moved(before: &Self, after: &Self) -> bool {
        let places = |variant: &Self| -> Vec<(String, String)> {
            let keys = variant.resolved.keys().into_iter();
            keys.filter(|(key, entry)| is_place_of_data(key, entry))
                .map(|(key, entry)| (key, entry.value.clone()))
                .collect()
        };
        places(before) != places(after)
    }

    /// With the record of what was read, which is complete only now.
    fn with(self, mut resolved: Resolved, name: Option<&Node>) -> Self {
        let origin = name.map_or(Origin::Default, |node| Origin::Place(node.place.clone()));
        let name = Entry { key: "name".to_owned(), value: quote(&self.name), origin, is_path: false };
        resolved.sections.push(Section { header: "[[variant]]".to_owned(), entries: vec![name] });
        Self { resolved, ..self }
    }
}

/// Whether a key of a resolved file says where the data lies.
fn is_place_of_data(key: &str, entry: &Entry) -> bool {
    key.starts_with("data.") && entry.is_path
}
