//! Runs and experiment files, for those who score.

use crate::{
    Kinds, TrainError,
    config::{Comparison, Variant},
    known::variant_of,
    trained,
};
use burn::tensor::backend::Backend;
use meanflow_data::Dataset;
use meanflow_generator::{self as generator, Model, Request};
use meanflow_nets::Networks;
use meanflow_score::{Home, Machine, Run, Samples, ScoreError, Work};
use std::{
    fs, io,
    marker::PhantomData,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

/// Whether the folder is that of one variant.
pub fn is_run(path: &Path) -> bool {
    path.join("config.toml").is_file()
}

/// The folder itself if it is a run, else the runs in it, in the order in which they were started.
///
/// # Errors
/// [`TrainError::Read`] if it cannot be listed.
pub fn runs_within(path: &Path) -> Result<Vec<PathBuf>, TrainError> {
    if is_run(path) {
        return Ok(vec![path.to_owned()]);
    }
    let list = || -> io::Result<Vec<(SystemTime, PathBuf)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(path)? {
            let folder = entry?.path();
            if let Ok(metadata) = fs::metadata(folder.join("config.toml")) {
                found.push((metadata.modified()?, folder));
            }
        }
        found.sort();
        Ok(found)
    };
    let found = list().map_err(TrainError::read(path))?;
    Ok(found.into_iter().map(|(_, folder)| folder).collect())
}

/// The same, also of folders of experiments, by their names; there must be a run.
///
/// # Errors
/// [`TrainError::NoRun`], and those of [`runs_within`].
pub fn some_runs_within(path: &Path) -> Result<Vec<PathBuf>, TrainError> {
    let mut found = runs_within(path)?;
    if !is_run(path) {
        let entries = fs::read_dir(path).map_err(TrainError::read(path))?;
        let mut experiments: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        experiments.retain(|folder| folder.is_dir() && !is_run(folder));
        experiments.sort();
        for experiment in experiments {
            found.extend(runs_within(&experiment)?);
        }
    }
    let reason = "there is no config.toml in it or in its folders".to_owned();
    if found.is_empty() { Err(TrainError::NoRun { path: path.to_owned(), reason }) } else { Ok(found) }
}

/// Opens runs of these kinds, whose samples come from `machine`.
#[derive(Debug)]
pub struct Runs<'a, K, M> {
    machine: &'a M,
    ema: Option<&'a str>,
    noise: Option<u64>,
    kinds: PhantomData<K>,
}

impl<'a, K: Kinds, M: Machine> Runs<'a, K, M> {
    /// Samples are of the average `ema` (`None`: the first) and from the noise of this key (`None`: that of the run's own evaluation).
    pub fn new(machine: &'a M, ema: Option<&'a str>, noise: Option<u64>) -> Self {
        Self { machine, ema, noise, kinds: PhantomData }
    }
}

impl<K: Kinds, M: Machine> Home for Runs<'_, K, M> {
    fn runs(&self, path: &Path) -> Result<Vec<PathBuf>, ScoreError> {
        if !path.is_dir() {
            return Ok(Vec::new());
        }
        runs_within(path).map_err(ScoreError::outside)
    }

    fn run(&self, path: &Path) -> Result<Box<dyn Run + '_>, ScoreError> {
        let variant = variant_of::<K>(path).map_err(ScoreError::outside)?;
        Ok(Box::new(Trained { home: self, path: path.to_owned(), variant }))
    }

    fn data(&self, experiment: &Path) -> Result<Arc<dyn Dataset>, ScoreError> {
        let comparison = Comparison::<K>::load(experiment, &[]).map_err(ScoreError::outside)?;
        Ok(comparison.variants[0].data.open()?)
    }
}

struct Trained<'a, K: Kinds, M> {
    home: &'a Runs<'a, K, M>,
    path: PathBuf,
    variant: Variant<K>,
}

impl<K: Kinds, M: Machine> Run for Trained<'_, K, M> {
    fn count(&self) -> usize {
        self.variant.eval.samples
    }

    fn nfe(&self) -> &[usize] {
        &self.variant.eval.nfe
    }

    fn classes(&self) -> Option<usize> {
        self.variant.description.classes
    }

    fn data(&self) -> Result<Arc<dyn Dataset>, ScoreError> {
        Ok(self.variant.data.open()?)
    }

    fn draw(&self, count: usize, nfe: usize) -> Result<Samples, ScoreError> {
        let Runs { machine, ema, noise, .. } = *self.home;
        let model = trained::open::<K>(&self.path, ema).map_err(ScoreError::outside)?;
        let request = Request { seed: noise, ..Request::new(count, nfe) };
        machine.begin("sampling", count);
        let drawn = machine.run(Draw { machine, model, request });
        machine.end();
        drawn
    }
}

struct Draw<'a, N: Networks, M> {
    machine: &'a M,
    model: Model<N>,
    request: Request,
}

impl<N: Networks, M: Machine> Work for Draw<'_, N, M> {
    type Output = Samples;

    fn on<B: Backend>(self, device: &B::Device) -> Result<Samples, ScoreError> {
        let mut before = 0;
        let progress = |done, _| {
            // Nobody can stop it here; whoever asks is heard after it.
            let _ = self.machine.more(done - before);
            before = done;
        };
        let drawn = generator::sample::<B, N>(self.model, &self.request, device, progress);
        let generator::Samples { values, shape, ema, step, solver, seed, .. } =
            drawn.map_err(|error| ScoreError::outside(TrainError::from(error)))?;
        let [_, channels, height, width] = shape;
        let shape = [channels, height, width];
        Ok(Samples { values, shape, step, ema, solver: solver.name(), noise: seed })
    }
}
