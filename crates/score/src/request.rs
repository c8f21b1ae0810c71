//! What is asked of samples.

use crate::{
    ScoreError,
    error::{ensure_request, twice},
};
use meanflow_metrics::{
    METRICS, Metric, Quantise, Settings, Taken,
    networks::{InceptionResize, LITE0_PATH},
};
use std::path::{Path, PathBuf};

/// `--nearest auto`: where the report finds the picture.
pub(crate) const AUTO: &str = "auto";

/// What is scored, against what, and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// Run folders, folders of runs, folders of pictures, arrays, experiment files (their data).
    pub inputs: Vec<PathBuf>,
    /// The real data; of a run, `None` is what it is scored against itself.
    pub real: Option<PathBuf>,
    /// The metrics that names stand for.
    pub known: Vec<Metric>,
    /// Names of scores; `None`: the defaults of such samples.
    pub metrics: Option<Vec<String>>,
    /// Samples to score, of all.
    pub samples: Option<usize>,
    /// Real samples to compare with, of all.
    pub real_samples: Option<usize>,
    /// Whether real samples are scored too.
    pub floor: bool,
    /// Evaluations a sample of a run.
    pub nfe: Option<Vec<usize>>,
    /// Feature networks.
    pub networks: Networks,
    /// A file with a classifier.
    pub classifier: Option<PathBuf>,
    /// Settings that values depend on.
    pub settings: Settings,
    /// Where a picture of nearest neighbours goes.
    pub nearest: Option<PathBuf>,
    /// Training pictures that are searched for them.
    pub nearest_of: usize,
}

/// Feature networks, how pictures come to them, and where features are kept.
#[derive(Clone, Debug)]
pub struct Networks {
    /// Weights of Inception-v3.
    pub inception: Option<PathBuf>,
    /// Weights of EfficientNet-Lite0.
    pub efflite0: PathBuf,
    /// How pictures come to Inception's size.
    pub resize: InceptionResize,
    /// How values become bytes.
    pub quantise: Quantise,
    /// A folder for features; `None`: none are kept.
    pub cache: Option<PathBuf>,
    /// The device in a word, since features depend on it.
    pub device: String,
}

impl Default for Networks {
    /// EfficientNet-Lite0 where it is fetched to; nothing is kept.
    fn default() -> Self {
        Self {
            inception: None,
            efflite0: PathBuf::from(LITE0_PATH),
            resize: InceptionResize::default(),
            quantise: Quantise::default(),
            cache: None,
            device: String::new(),
        }
    }
}

impl Request {
    /// The default scores of these inputs.
    pub fn new(inputs: Vec<PathBuf>) -> Self {
        Self {
            inputs,
            real: None,
            known: METRICS.to_vec(),
            metrics: None,
            samples: None,
            real_samples: None,
            floor: false,
            nfe: None,
            networks: Networks::default(),
            classifier: None,
            settings: Settings::default(),
            nearest: None,
            nearest_of: 10_000,
        }
    }

    /// Names without blanks around them; options that contradict each other are found before any work.
    pub(crate) fn check(&mut self) -> Result<(), ScoreError> {
        for name in self.metrics.iter_mut().flatten() {
            *name = name.trim().to_owned();
        }
        let names = self.metrics.as_deref().unwrap_or_default();
        ensure_request(self.metrics.as_ref().is_none_or(|names| !names.is_empty()), || {
            "--metrics names no score".to_owned()
        })?;
        ensure_request(!names.iter().any(String::is_empty), || "--metrics has an empty name".to_owned())?;
        twice("--metrics", names)?;
        twice("--nfe", self.nfe.as_deref().unwrap_or_default())?;
        let lite = &self.networks.efflite0;
        ensure_request(lite.is_file() || lite.as_os_str() == LITE0_PATH, || {
            format!("--efflite0 {}: there is no such file", lite.display())
        })?;
        if let Some(path) = &self.nearest {
            let is_png = path.extension().is_some_and(|ending| ending == "png");
            ensure_request(is_png || path.as_os_str() == AUTO, || {
                format!("--nearest {}: give a file that ends in .png, or `{AUTO}` for a run", path.display())
            })?;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            ensure_request(folder.is_none_or(Path::is_dir), || {
                format!("--nearest {}: there is no such folder", path.display())
            })?;
        }
        Ok(())
    }

    /// Whether a metric of this kind is asked for by name.
    pub(crate) fn asks(&self, taken: Taken) -> bool {
        let of_kind = |metric: &&Metric| metric.taken() == taken;
        let asked = |metric: &Metric| self.metrics.iter().flatten().any(|name| name == metric.name());
        self.known.iter().filter(of_kind).any(asked)
    }
}
