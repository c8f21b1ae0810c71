//! Experiment files: from a TOML path and `--set` overrides to a validated [`Comparison`].
//!
//! `load` makes one document tree per variant, in which every value remembers its file and bytes; `reader` walks a tree,
//! collects all problems at once and writes down every key with its value and origin; one file per section says which keys
//! there are. The reference of all keys is `docs/experiment-file.md`.

mod data;
mod eval;
mod load;
mod name;
mod net;
mod objective;
mod period;
mod plan;
mod problem;
mod reader;
mod resolved;
mod scalar;
mod source;
mod training;
mod tree;

pub use eval::EvalConfig;
pub use period::{Every, PeriodError, Unit};
pub use plan::{Plan, VariantPlan};
pub use problem::{ConfigError, Problem, Where};
pub use resolved::{Difference, Entry, Origin, Resolved, Section};
pub use source::{Place, Source};
pub use training::{AdamConfig, EmaConfig, OptimizerConfig, TrainConfig};

use meanflow_core::objective::ObjectiveConfig;
use meanflow_data::{DataConfig, Description};
use meanflow_nets::NetConfig;
use reader::{Log, Reader};
use scalar::Count;
use std::path::{Path, PathBuf};
use tree::Node;

/// One experiment file: variants that are trained one after another and set side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Name of the run folder.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// Its text as given.
    pub text: String,
    /// The `--set` arguments.
    pub overrides: Vec<String>,
    /// At least one; their names differ.
    pub variants: Vec<Variant>,
}

/// One run of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Name of its folder in the run folder.
    pub name: String,
    /// Key of every random number of the run.
    pub seed: u64,
    /// The data.
    pub data: DataConfig,
    /// What the data looks like.
    pub description: Description,
    /// The network.
    pub net: NetConfig,
    /// The objective.
    pub objective: ObjectiveConfig,
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

impl Comparison {
    /// Reads and checks an experiment file, with overrides of the form `a.b=value`.
    ///
    /// # Errors
    /// Everything that is wrong with the file and the overrides, at once. A file that cannot be read or is not TOML is one
    /// problem by itself.
    pub fn load(file: &Path, overrides: &[String]) -> Result<Self, ConfigError> {
        let document = load::load(file, overrides)?;
        let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let (mut problems, mut read) = (Vec::new(), Vec::new());
        for tree in &document.variants {
            let mut log = Log::default();
            let place = Where::from(&document.source);
            let parts = Reader::document(&mut log, &tree.table, place, |root| {
                let experiment = name::experiment(root, &stem);
                Some((experiment, Variant::read(root, tree.name.as_ref())?))
            });
            problems.append(&mut log.problems);
            read.extend(parts.map(|(experiment, variant)| (experiment, variant.with(log.resolved))));
        }
        problems.extend(name::twice(document.variants.iter().filter_map(|tree| tree.name.as_ref())));
        if !problems.is_empty() {
            return Err(ConfigError::new(problems));
        }
        let (names, variants): (Vec<String>, Vec<Variant>) = read.into_iter().unzip();
        Ok(Self {
            name: names.into_iter().next().unwrap_or_default(),
            file: file.to_path_buf(),
            text: document.source.text.clone(),
            overrides: overrides.to_vec(),
            variants,
        })
    }
}

impl Variant {
    /// Reads every section; `None` if one of them could not be read, after a problem.
    fn read(root: &mut Reader, name: Option<&Node>) -> Option<Self> {
        load::ask(root);
        let seed = root.get("seed", Count(0), 0) as u64;
        let data = data::read(root);
        let description = data.as_ref().map(|(_, description)| *description);
        let known = description.as_ref();
        // Data that could not be read is one problem; do not add that its epochs cannot be counted.
        let items = known.map_or(Some(1), |data| data.items);
        let net = net::read(root, known);
        let objective = objective::read(root, known);
        let train = TrainConfig::read(root, items);
        let optimizer = OptimizerConfig::read(root, train.batch, items);
        let ema = EmaConfig::read(root, train.batch, items);
        let eval = EvalConfig::read(root, &train, items, known, objective.as_ref());
        let name = match name {
            Some(node) => name::variant(root, node),
            None => objective.as_ref()?.name().to_owned(),
        };
        Some(Self {
            name,
            seed,
            data: data?.0,
            description: description?,
            net: net?,
            objective: objective?,
            train,
            optimizer: optimizer?,
            ema,
            eval,
            resolved: Resolved::default(),
        })
    }

    /// With the record of what was read, which is complete only now.
    fn with(self, mut resolved: Resolved) -> Self {
        let name = Entry { key: "name".to_owned(), value: scalar::quote(&self.name), origin: Origin::Default };
        resolved.sections.push(Section { header: "[[variant]]".to_owned(), entries: vec![name] });
        Self { resolved, ..self }
    }
}
