//! What a run would do, told without doing any of it: `--dry-run`.

use super::{Comparison, Variant};
use crate::Kinds;
use meanflow_core::{
    Streams,
    objective::{At, Objectives},
};
use meanflow_generator::side_by_side::ROWS;
use meanflow_nets::{Activations, Networks};
use meanflow_score::COMPARED;
use serde::Serialize;
use std::{fmt, path::Path};

/// What running a comparison would do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// Name of the experiment.
    pub experiment: String,
    /// The folder of the comparison.
    pub folder: String,
    /// One plan a variant.
    pub variants: Vec<VariantPlan>,
    /// What is written beside the variants' folders.
    pub report: String,
}

/// What running one variant would do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VariantPlan {
    /// Name of the variant.
    pub variant: String,
    /// Kind of data.
    pub data: String,
    /// What of the data is not there and where it comes from; `None` if its files are there or it needs none.
    pub data_missing: Option<String>,
    /// The file of `init.weights`, or the folder or file of `init.run`, if there is none.
    pub weights_missing: Option<String>,
    /// Shape of a sample, `[channels, height, width]`.
    pub shape: [usize; 3],
    /// Number of classes.
    pub classes: Option<usize>,
    /// Kind of objective.
    pub objective: String,
    /// Exact number of trainable parameters.
    pub parameters: usize,
    /// Floating-point operations of one evaluation of the network, see [`meanflow_nets::Network::flops`].
    pub flops_forward: f64,
    /// Those of the training.
    pub flops_training: f64,
    /// Updates of the weights.
    pub steps: u64,
    /// Samples seen in training.
    pub images: u64,
    /// Rough peak of memory in training, see `VariantPlan::memory`.
    pub memory_bytes: u64,
    /// The same where the parts of a batch are differentiated one after another, as on a GPU.
    pub memory_in_turn_bytes: u64,
    /// Rough peak of memory in an evaluation, see `VariantPlan::evaluation_memory`.
    pub memory_evaluation_bytes: u64,
    /// Evaluations, the one at the end included.
    pub evaluations: u64,
    /// What would be written, with `*` for numbers.
    pub files: Vec<String>,
}

impl Plan {
    /// The plan of a comparison whose run folders lie in `runs`. Allocates no weights and needs no data.
    pub fn new<K: Kinds>(comparison: &Comparison<K>, runs: &Path) -> Self {
        let folder = runs.join(&comparison.name);
        Self {
            experiment: comparison.name.clone(),
            variants: comparison.variants.iter().map(|variant| VariantPlan::new(variant, &folder)).collect(),
            report: folder.join("report").join("index.html").display().to_string(),
            folder: folder.display().to_string(),
        }
    }
}

impl VariantPlan {
    fn new<K: Kinds>(variant: &Variant<K>, folder: &Path) -> Self {
        let (shape, classes) = (variant.description.shape, variant.description.classes);
        let parameters = variant.net.parameters(shape, classes);
        let evaluations = variant.train.steps.div_ceil(variant.eval.every);
        let images = variant.train.steps.saturating_mul(variant.train.batch as u64);
        Self {
            variant: variant.name.clone(),
            data: variant.data.name().to_owned(),
            data_missing: variant.data.missing().map(|error| error.to_string()),
            weights_missing: variant.init.missing().map(|path| path.display().to_string()),
            shape,
            classes,
            objective: variant.objective.name().to_owned(),
            parameters,
            flops_forward: variant.net.flops(shape),
            flops_training: images as f64 * variant.flops_an_image(),
            steps: variant.train.steps,
            images,
            memory_bytes: Self::memory(variant, parameters, 1),
            memory_in_turn_bytes: Self::memory(variant, parameters, variant.train.microbatches),
            memory_evaluation_bytes: Self::evaluation_memory(variant, parameters),
            evaluations,
            files: files(variant, evaluations, &folder.join(&variant.name)),
        }
    }

    /// Weights, gradients, two moments and every average; what one of so many parts of a batch keeps for its backward pass,
    /// counted by tensors of a block; the data. All in f32. The order of magnitude, not a promise.
    fn memory<K: Kinds>(variant: &Variant<K>, parameters: usize, parts: usize) -> u64 {
        let Variant { train, description, .. } = variant;
        // A row that is differentiated carries a tangent beside each value: of one block at a time, or of all if reverse mode needs it.
        let facts = variant.objective.facts();
        let cost = facts.cost();
        let tangents = cost.dual * if cost.taped { 1.0 } else { 0.1 };
        let teachers = facts.teachers(&At::new(&Streams::new(0), 0, train.steps)).len();
        let per_sample = variant.net.activations(description.shape).floats;
        let activations = train.batch.div_ceil(parts) as f64 * per_sample * (cost.passes + tangents);
        let items = if variant.data.stays_on_disk() { 0 } else { description.items.unwrap_or(0) };
        let data = items * description.shape.iter().product::<usize>();
        let floats = (parameters * (4 + variant.ema.len() + teachers) + data) as f64 + activations;
        4 * floats as u64
    }

    /// The state of the training, which waits meanwhile, without its gradients; the real data that samples are compared with;
    /// noise and samples that are made at a time (of points all); what one block keeps of the rows that are in the network at once; what
    /// the scores hold. The order of magnitude, not a promise.
    fn evaluation_memory<K: Kinds>(variant: &Variant<K>, parameters: usize) -> u64 {
        let Variant { eval, description, .. } = variant;
        let dimension: usize = description.shape.iter().product();
        let points = description.shape[1..] == [1, 1];
        let scored = points || !eval.metrics.is_empty();
        let rows = eval.grid.max(if scored { eval.samples } else { 0 });
        let real = match description.items {
            _ if !scored => 0,
            Some(items) if !points => items.min(COMPARED / dimension),
            _ => eval.samples,
        };
        let Activations { floats, blocks } = variant.net.activations(description.shape);
        let in_network = rows.min(ROWS) as f64 * floats / blocks.max(1) as f64;
        // Of pictures some chunks, and those of the grid; of points all.
        let held = if points { 2 * rows } else { 2 * rows.min(ROWS) + eval.grid };
        let floats = (parameters * (3 + variant.ema.len()) + (held + real) * dimension) as f64 + in_network;
        let doubles = eval.metrics.iter().map(|named| named.metric.doubles(eval.samples, dimension)).max();
        4 * floats as u64 + 8 * doubles.unwrap_or(0) as u64
    }
}

/// The files of `docs/run-folder.md` that a run of this variant would write.
fn files<K: Kinds>(variant: &Variant<K>, evaluations: u64, folder: &Path) -> Vec<String> {
    let points = variant.description.shape[1..] == [1, 1];
    let mut names: Vec<String> = [
        "config.toml",
        "env.json",
        "data.json",
        "metrics.jsonl",
        "status.json",
        "lock",
        "checkpoints/step-*",
    ]
    .map(str::to_owned)
    .to_vec();
    if points {
        names.push(format!("samples/points-*.json ({evaluations})"));
    } else {
        let grids = evaluations as usize * variant.ema.len().max(1) * variant.eval.nfe.len();
        names.push(format!("samples/step-*-ema-*-nfe-*.png ({grids})"));
        names.push("samples/real.png".to_owned());
    }
    names.iter().map(|name| folder.join(name).display().to_string()).collect()
}

/// A number of operations with a prefix.
fn flops(count: f64) -> String {
    let prefixes = [(1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G")];
    let (unit, prefix) = prefixes.into_iter().find(|(unit, _)| count >= *unit).unwrap_or((1e6, "M"));
    format!("{:.3} {prefix}FLOP", count / unit)
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for plan in &self.variants {
            let [c, h, w] = plan.shape;
            let classes = plan.classes.map_or("no classes".to_owned(), |count| format!("{count} classes"));
            writeln!(f, "variant      {}", plan.variant)?;
            writeln!(f, "objective    {}", plan.objective)?;
            writeln!(f, "data         {}, {c}×{h}×{w}, {classes}", plan.data)?;
            if let Some(missing) = &plan.data_missing {
                writeln!(f, "             not there: {missing}")?;
            }
            if let Some(missing) = &plan.weights_missing {
                writeln!(f, "weights      not there: {missing}")?;
            }
            writeln!(f, "parameters   {}", plan.parameters)?;
            writeln!(f, "operations   {} a forward pass of a sample", flops(plan.flops_forward))?;
            writeln!(f, "             about {} to train", flops(plan.flops_training))?;
            writeln!(f, "steps        {}", plan.steps)?;
            writeln!(f, "images       {}", plan.images)?;
            let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
            let in_turn = match plan.memory_in_turn_bytes {
                same if same == plan.memory_bytes => String::new(),
                less => format!(", on a GPU {} MiB", mebibytes(less)),
            };
            writeln!(f, "memory       about {} MiB{in_turn}", mebibytes(plan.memory_bytes))?;
            writeln!(
                f,
                "             in an evaluation about {} MiB",
                mebibytes(plan.memory_evaluation_bytes)
            )?;
            writeln!(f, "evaluations  {}", plan.evaluations)?;
            for file in &plan.files {
                writeln!(f, "writes       {file}")?;
            }
            writeln!(f)?;
        }
        writeln!(f, "report       {}", self.report)
    }
}
